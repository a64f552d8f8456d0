//! Why something did not work: refusals, their causes, and what stopped a process.

use serde::{Deserialize, Serialize};

use crate::names::OperationId;
use crate::problem::{ExitCode, Problem};

/// A named cause with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// A stable kebab-case word with a page in `docs/problems`.
    pub code: String,
    /// What it is.
    pub what: String,
    /// The line it was read from.
    pub line: Option<String>,
    /// What to do.
    pub fix: String,
}

/// Why a step was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable kebab-case word with a page in `docs/problems`.
    pub code: String,
    /// What happened.
    pub what: String,
    /// Why.
    pub because: Vec<String>,
    /// Lines that help.
    pub details: Vec<String>,
    /// What to type.
    pub hints: Vec<String>,
    /// How the process ends when this ends the deployment.
    pub exit: ExitCode,
}

impl Failure {
    /// A refusal in our own words.
    pub fn new(exit: ExitCode, code: &str, what: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            what: what.into(),
            because: Vec::new(),
            details: Vec::new(),
            hints: Vec::new(),
            exit,
        }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.because.push(cause.into());
        self
    }

    /// Adds what to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Why a process stopped before the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Interruption {
    /// A signal.
    Signal {
        /// Its name.
        name: String,
    },
    /// The world could not be reached.
    Unreachable {
        /// Who.
        place: crate::world::Place,
        /// What stood in the way.
        obstacle: crate::world::Obstacle,
        /// The cause.
        reason: String,
    },
    /// App Runner did not let go within the second limit.
    StillBusy {
        /// The operation.
        operation: Option<OperationId>,
    },
}

/// As a person is told of it; where that leaves the service depends on when it happened.
impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let mut problem = Self::new(failure.exit, &failure.code, failure.what.clone());
        problem.because.clone_from(&failure.because);
        problem.details.clone_from(&failure.details);
        problem.next.clone_from(&failure.hints);
        problem
    }
}
