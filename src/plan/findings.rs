//! What preflight found: each check with a result, a reason and what to do.

use serde::{Deserialize, Serialize};

use crate::problem::ExitCode;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The thing checked, such as `Docker` or `service shop`.
    pub check: String,
    /// How it came out.
    pub outcome: Outcome,
    /// Why, or what was seen.
    pub reason: String,
    /// What to do about it.
    pub fix: Vec<String>,
    /// A stable kebab-case word with a page in `docs/problems`, where it failed.
    pub code: String,
    /// How the process ends when this is what stops it.
    pub exit: ExitCode,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Doubtful; does not stop anything.
    Warned,
    /// Wrong; stops the deployment.
    Failed,
    /// The answer could not be had; never stops anything.
    CannotTell,
    /// Does not apply here.
    Skipped,
}

impl Finding {
    /// A check that came out well.
    pub fn passed(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(check, Outcome::Passed, reason)
    }

    /// A check that is doubtful.
    pub fn warned(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(check, Outcome::Warned, reason)
    }

    /// A check whose answer could not be had.
    pub fn cannot_tell(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(check, Outcome::CannotTell, reason)
    }

    /// A check that does not apply.
    pub fn skipped(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(check, Outcome::Skipped, reason)
    }

    /// A check that stops the deployment.
    pub fn failed(
        check: impl Into<String>,
        exit: ExitCode,
        code: &str,
        reason: impl Into<String>,
    ) -> Self {
        Self { code: code.into(), exit, ..Self::new(check, Outcome::Failed, reason) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn fix(mut self, line: impl Into<String>) -> Self {
        self.fix.push(line.into());
        self
    }

    fn new(check: impl Into<String>, outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            outcome,
            reason: reason.into(),
            fix: Vec::new(),
            code: String::new(),
            exit: ExitCode::Preflight,
        }
    }
}
