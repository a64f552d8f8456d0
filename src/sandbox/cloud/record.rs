//! The record of calls: what was asked, and what became of it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical;
use crate::sandbox::Timestamp;

/// Older calls are forgotten beyond this number.
const KEPT: usize = 100_000;

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedCall {
    /// Counts from 1.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// `apprunner`, `logs`, `secretsmanager`, `sts`, `iam` or `ecr`.
    pub service: String,
    /// Operation name, such as `UpdateService`.
    pub operation: String,
    /// Whether it can change anything.
    pub mutating: bool,
    /// Whether it did take effect (reads never do).
    pub effective: bool,
    /// SHA-256 of the canonical body.
    pub sha256: String,
    /// The body, values redacted.
    pub body: Value,
    /// `ok`, the exception's name, `cut` or `garbage`.
    pub outcome: String,
    /// The operation that it started, if any.
    pub operation_id: Option<String>,
    /// The access key it was signed with.
    pub access_key: Option<String>,
}

/// All calls, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    calls: VecDeque<RecordedCall>,
    count: u64,
}

impl Record {
    pub(crate) fn add(&mut self, mut call: RecordedCall) {
        self.count += 1;
        call.number = self.count;
        self.calls.push_back(call);
        if self.calls.len() > KEPT {
            self.calls.pop_front();
        }
    }

    /// The calls, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = &RecordedCall> {
        self.calls.iter()
    }

    /// Forgets all calls; numbers go on.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}

/// Whether an operation of this name can change anything.
pub fn is_mutating(operation: &str) -> bool {
    const READS: [&str; 9] = [
        "Describe",
        "List",
        "Get",
        "BatchGet",
        "BatchCheck",
        "Filter",
        "Simulate",
        "Assume",
        "Head",
    ];
    !READS.iter().any(|prefix| operation.starts_with(prefix))
}

pub(crate) fn entry(
    at: Timestamp,
    service: &str,
    operation: &str,
    body: &Value,
    access_key: Option<String>,
) -> RecordedCall {
    RecordedCall {
        number: 0,
        at,
        service: service.to_owned(),
        operation: operation.to_owned(),
        mutating: is_mutating(operation),
        effective: false,
        sha256: canonical::fingerprint(body),
        body: canonical::redact(body),
        outcome: String::new(),
        operation_id: None,
        access_key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_are_told_apart_by_name() {
        for read in ["DescribeService", "ListOperations", "GetAuthorizationToken", "BatchGetImage"]
        {
            assert!(!is_mutating(read), "{read}");
        }
        for write in ["UpdateService", "StartDeployment", "PutImage", "BatchDeleteImage"] {
            assert!(is_mutating(write), "{write}");
        }
    }

    #[test]
    fn the_record_has_an_end() {
        let mut record = Record::default();
        for _ in 0..KEPT + 5 {
            record.add(entry(0, "sts", "GetCallerIdentity", &Value::Null, None));
        }
        assert_eq!(record.calls().count(), KEPT);
        assert_eq!(record.calls().next().unwrap().number, 6);
    }
}
