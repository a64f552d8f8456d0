//! Faults on request: what goes wrong, in which calls, how often.

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum FaultKind {
    /// The call is refused with `ThrottlingException`; no effect.
    Throttle,
    /// A 5xx answer before any effect.
    ErrorBeforeEffect,
    /// A 5xx answer although the call took effect.
    ErrorAfterEffect,
    /// The connection is cut before any effect.
    CutBeforeEffect,
    /// The connection is cut after the effect: the lost answer.
    CutAfterEffect,
    /// The answer comes late.
    SlowAnswer {
        /// How late, in the sandbox's own time.
        milliseconds: u64,
    },
    /// The answer is not what the protocol says; the call took effect.
    GarbageAnswer,
    /// The credentials are expired for this call.
    ExpiredCredentials,
    /// The caller may not do this.
    AccessDenied,
    /// This answer shows the world as it was.
    Lag {
        /// How long ago, in the sandbox's own time.
        milliseconds: i64,
    },
    /// Somebody else acts on a service when the call has come.
    Foreign {
        /// Name of the service.
        service: String,
        /// What they do.
        act: ForeignAct,
        /// How long after the call; 0 = right after its effect.
        #[serde(default)]
        after_milliseconds: i64,
        /// Act before the call's effect instead.
        #[serde(default)]
        before: bool,
    },
    /// AWS maintenance: the service is busy and no operation says so.
    Maintenance {
        /// Name of the service.
        service: String,
        /// How long.
        milliseconds: i64,
    },
    /// The App Runner operation that the call starts takes this many times longer.
    SlowOperation {
        /// The factor.
        factor: u32,
    },
    /// The pull of the operation that the call starts fails.
    FailPull {
        /// How.
        #[serde(default)]
        reason: PullFault,
    },
    /// The health check of the operation that the call starts never passes.
    FailHealth,
    /// The container of the operation that the call starts exits.
    ExitContainer {
        /// Exit code.
        code: i64,
    },
    /// The rollback of the operation that the call starts fails, if it comes to one.
    RollbackFailed,
    /// The deletion that the call starts fails.
    FailDelete,
}

/// How a pull fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullFault {
    /// `Failed to copy the image from ECR.`
    #[default]
    Copy,
    /// `ECR image doesn't exist.`
    Missing,
    /// `Invalid Access Role in AuthenticationConfiguration.`
    Role,
    /// The older line about a valid access role.
    RoleOlder,
}

/// What somebody else does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum ForeignAct {
    /// Updates to this image identifier, or changes one variable where none is given.
    Update {
        /// The identifier.
        #[serde(default)]
        image: Option<String>,
    },
    /// Updates by replacing the environment, which destroys every mark in it.
    ReplaceEnvironment,
    /// Starts a deployment.
    Deploy,
    /// Pauses.
    Pause,
    /// Deletes.
    Delete,
}

impl FaultKind {
    /// Whether it concerns the App Runner work that a call starts, not the call's answer.
    pub(crate) fn is_about_work(&self) -> bool {
        matches!(
            self,
            Self::SlowOperation { .. }
                | Self::FailPull { .. }
                | Self::FailHealth
                | Self::ExitContainer { .. }
                | Self::RollbackFailed
                | Self::FailDelete
        )
    }
}

/// A fault and the calls it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Operation name; `*` at the end or alone stands for anything.
    pub operation: String,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Matching calls left alone first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it strikes; none = until taken away.
    #[serde(default = "once", skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of matching calls it strikes.
    #[serde(default = "always")]
    pub percent: u8,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn once() -> Option<u32> {
    Some(1)
}

fn always() -> u8 {
    100
}

impl Fault {
    /// Strikes the next call of this operation.
    pub fn once(operation: &str, kind: FaultKind) -> Self {
        Self { operation: operation.to_owned(), kind, skip: 0, times: Some(1), percent: 100 }
    }

    /// Strikes every call of this operation.
    pub fn always(operation: &str, kind: FaultKind) -> Self {
        Self { times: None, ..Self::once(operation, kind) }
    }

    fn matches(&self, operation: &str) -> bool {
        match self.operation.strip_suffix('*') {
            Some(prefix) => operation.starts_with(prefix),
            None => self.operation == operation,
        }
    }

    fn strikes(&mut self, operation: &str, chance: &mut Chance) -> bool {
        if self.times == Some(0) || !self.matches(operation) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if !chance.happens(self.percent) {
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }
}

/// The faults that strike this call; those used up are taken away.
pub(crate) fn striking(
    faults: &mut Vec<Fault>,
    operation: &str,
    chance: &mut Chance,
) -> Vec<FaultKind> {
    if faults.is_empty() {
        return Vec::new();
    }
    let mut kinds = Vec::new();
    for fault in faults.iter_mut() {
        if fault.strikes(operation, chance) {
            kinds.push(fault.kind.clone());
        }
    }
    faults.retain(|fault| fault.times != Some(0));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_match_by_name_count_and_skip() {
        let mut chance = Chance::new(1);
        let mut faults = vec![Fault {
            skip: 1,
            times: Some(2),
            ..Fault::once("Describe*", FaultKind::Throttle)
        }];
        let mut struck = |operation: &str| striking(&mut faults, operation, &mut chance).len();
        assert_eq!(struck("UpdateService"), 0);
        assert_eq!(struck("DescribeService"), 0);
        assert_eq!(struck("DescribeService"), 1);
        assert_eq!(struck("DescribeSecret"), 1);
        assert_eq!(struck("DescribeService"), 0);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_fault_reads_from_flat_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"operation":"UpdateService","kind":"slow-answer","milliseconds":5}"#,
        )
        .unwrap();
        assert_eq!(fault, Fault::once("UpdateService", FaultKind::SlowAnswer { milliseconds: 5 }));
        let foreign: Fault = serde_json::from_str(
            r#"{"operation":"*","kind":"foreign","service":"shop","act":{"do":"update"},"times":null}"#,
        )
        .unwrap();
        assert_eq!(foreign.times, None);
        assert!(serde_json::from_str::<Fault>(r#"{"operation":"*","kind":"x"}"#).is_err());
    }
}
