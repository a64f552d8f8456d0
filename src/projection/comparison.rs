//! The log's view and AWS's side by side, and what differs: drift, named field by field.

use serde::Serialize;

use super::expectation::Expectation;
use crate::release::{Difference, Release};
use crate::world::service::{Operation, Service, ServiceStatus};

/// What AWS said when it was asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sighting {
    /// The service; none where there is no such.
    pub service: Option<Service>,
    /// Its newest operation.
    pub newest: Option<Operation>,
    /// Whether the log knows that operation as one of ours.
    pub ours: bool,
    /// The operation that an unfinished deployment waits for.
    pub awaited: Option<Operation>,
}

/// One thing as both sides see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What it is.
    pub field: String,
    /// By the log; none where it does not know.
    pub log: Option<String>,
    /// By AWS; none where it has none.
    pub aws: Option<String>,
    /// Whether they agree; none where one of them does not know.
    pub agrees: Option<bool>,
}

/// Both sides, a line for each thing that can be compared.
pub fn compare(expected: Option<&Expectation>, seen: &Sighting) -> Vec<Compared> {
    let service = seen.service.as_ref();
    let image = |release: &Release| release.image.to_string();
    let log_operation = expected
        .and_then(|e| e.operation.as_ref().map(|operation| format!("{operation} {}", e.ended)));
    let aws_operation = seen.newest.as_ref().map(|o| format!("{} {}", o.id, o.status));
    let newest = compared("operation", log_operation, aws_operation);
    let agrees = seen.newest.is_some().then_some(seen.ours || newest.agrees == Some(true));
    vec![
        compared(
            "status",
            expected.map(|_| ServiceStatus::Running.to_string()),
            Some(service.map_or("no such service".into(), |s| s.status.to_string())),
        ),
        compared(
            "image",
            expected.map(|expected| image(&expected.release)),
            service.and_then(|service| Some(image(&service.release()?))),
        ),
        compared(
            "mark",
            expected.and_then(|expected| expected.mark.clone()),
            service.and_then(|service| service.mark.clone()),
        ),
        Compared { agrees: agrees.filter(|_| expected.is_some()), ..newest },
    ]
}

fn compared(field: &str, log: Option<String>, aws: Option<String>) -> Compared {
    let agrees = log.is_some().then(|| log == aws);
    Compared { field: field.into(), log, aws, agrees }
}

/// What is not as the log left it, field by field. Empty where the log proves nothing.
pub fn drift(expected: Option<&Expectation>, seen: &Sighting) -> Vec<Difference> {
    let Some(expectation) = expected else { return Vec::new() };
    let mut found: Vec<Difference> = compare(expected, seen)
        .into_iter()
        .filter(|compared| compared.agrees == Some(false) && compared.field != "image")
        .map(|Compared { field, log, aws, .. }| Difference { field, before: log, after: aws })
        .collect();
    match seen.service.as_ref().map(Service::release) {
        Some(Some(now)) => found.extend(expectation.release.differences(&now)),
        Some(None) => found.push(Difference {
            field: "image".into(),
            before: Some(expectation.release.image.to_string()),
            after: None,
        }),
        None => {}
    }
    found
}
