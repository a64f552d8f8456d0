//! What went wrong, as one thing a person can act on: what, why, where that leaves you, what next.
//!
//! Handling and reporting are two designs: code branches on small enums; this type only reports.

use std::fmt;

/// How the process ends. Source: the table in `docs/exit-codes.md`, held by tests.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "u8")]
#[serde(try_from = "u8")]
pub enum ExitCode {
    /// Done.
    Success,
    /// Something else went wrong.
    General,
    /// The command line or the configuration is wrong.
    Usage,
    /// The image could not be built.
    Build,
    /// The image could not be pushed.
    Push,
    /// App Runner refused the change, or took it back.
    Update,
    /// The new release is not healthy (also where the rollback after it succeeded).
    Health,
    /// The deadline passed.
    Timeout,
    /// The rollback failed.
    RollbackFailed,
    /// What is true cannot be known; a person must look.
    Attention,
    /// A check before the start failed.
    Preflight,
    /// AWS does not accept the credentials.
    Credentials,
    /// Docker does not answer.
    Docker,
    /// Another deployment holds the service.
    Locked,
    /// Paused: the world could not be reached. `resume` goes on.
    Paused,
    /// An unfinished deployment is pending.
    Pending,
    /// Refused by a guard: an older commit, a bad release.
    Guard,
    /// Drift, or a failed `verify`.
    Drift,
    /// The journal cannot be used: full disk, corrupt, foreign.
    Journal,
    /// Interrupted by a signal. `resume` goes on.
    Interrupted,
}

impl ExitCode {
    /// Every code there is, for tests and documentation.
    pub const ALL: [Self; 20] = [
        Self::Success,
        Self::General,
        Self::Usage,
        Self::Build,
        Self::Push,
        Self::Update,
        Self::Health,
        Self::Timeout,
        Self::RollbackFailed,
        Self::Attention,
        Self::Preflight,
        Self::Credentials,
        Self::Docker,
        Self::Locked,
        Self::Paused,
        Self::Pending,
        Self::Guard,
        Self::Drift,
        Self::Journal,
        Self::Interrupted,
    ];

    /// The number the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::General => 1,
            Self::Usage => 2,
            Self::Build => 10,
            Self::Push => 11,
            Self::Update => 12,
            Self::Health => 13,
            Self::Timeout => 14,
            Self::RollbackFailed => 15,
            Self::Attention => 16,
            Self::Preflight => 20,
            Self::Credentials => 21,
            Self::Docker => 22,
            Self::Locked => 23,
            Self::Paused => 24,
            Self::Pending => 25,
            Self::Guard => 26,
            Self::Drift => 27,
            Self::Journal => 74,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> u8 {
        code.number()
    }
}

impl TryFrom<u8> for ExitCode {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|code| code.number() == number)
            .ok_or_else(|| format!("{number} is no exit code of surefoot"))
    }
}

/// A failure as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// A stable kebab-case word with a page in `docs/problems`.
    pub code: String,
    /// What happened, one lowercase phrase.
    pub what: String,
    /// Why: the chain of causes, outermost first.
    pub because: Vec<String>,
    /// Lines that help, such as the end of a log.
    pub details: Vec<String>,
    /// Where that leaves the service. For a tool that changes production the most important line.
    pub leaves: String,
    /// What to type next, most useful last.
    pub next: Vec<String>,
    /// How the process ends.
    pub exit: ExitCode,
}

impl Problem {
    /// A problem before anything was changed.
    pub fn new(exit: ExitCode, code: &str, what: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            what: what.into(),
            because: Vec::new(),
            details: Vec::new(),
            leaves: "Nothing was changed.".into(),
            next: Vec::new(),
            exit,
        }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.because.push(cause.to_string());
        self
    }

    /// Adds an error and all its sources as causes.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if self.because.last() != Some(&text) {
                self.because.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Adds lines that help.
    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// Says where that leaves the service.
    #[must_use]
    pub fn leaves(mut self, standing: impl Into<String>) -> Self {
        self.leaves = standing.into();
        self
    }

    /// Adds what to type next.
    #[must_use]
    pub fn hint(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.what)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_survive_a_round_trip() {
        let numbers: std::collections::BTreeSet<u8> =
            ExitCode::ALL.into_iter().map(ExitCode::number).collect();
        assert_eq!(numbers.len(), ExitCode::ALL.len());
        for code in ExitCode::ALL {
            assert_eq!(ExitCode::try_from(code.number()), Ok(code));
        }
        assert!(ExitCode::try_from(3).is_err());
    }
}
