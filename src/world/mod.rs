//! Everything outside: per folder a port in our words beside its adapter in theirs.
//!
//! A port says little and means it. Its errors tell "no" from "no answer", because only a "no" may
//! undo a deployment.

pub mod aws;
pub mod builder;
mod cause;
pub mod clock;
pub mod health;
pub mod identity;
pub mod log;
mod loopback;
pub mod registry;
pub mod secret;
pub mod service;
pub mod source;

pub use loopback::is_loopback;

use std::fmt;

/// The outside world, as one value that is handed down.
pub struct World {
    /// The git tree that is deployed.
    pub source: Box<dyn source::Source>,
    /// The engine that builds and pushes.
    pub builder: Box<dyn builder::Builder>,
    /// The image registry.
    pub registry: Box<dyn registry::Registry>,
    /// App Runner.
    pub services: Box<dyn service::Services>,
    /// Secrets Manager and SSM, by name only.
    pub secrets: Box<dyn secret::Secrets>,
    /// Who we are, and what roles there are.
    pub identity: Box<dyn identity::Identity>,
    /// CloudWatch Logs.
    pub logs: Box<dyn log::Logs>,
    /// The deployed application, asked from outside.
    pub health: Box<dyn health::Health>,
    /// Time.
    pub clock: Box<dyn clock::Clock>,
}

/// Whom a call was meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The Docker engine.
    Docker,
    /// The registry, by its API or by its image door.
    Ecr,
    /// App Runner.
    AppRunner,
    /// CloudWatch Logs.
    Logs,
    /// Secrets Manager or SSM.
    Secrets,
    /// STS.
    Sts,
    /// IAM.
    Iam,
    /// git and the files of the project.
    Source,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Docker => "Docker",
            Self::Ecr => "ECR",
            Self::AppRunner => "App Runner",
            Self::Logs => "CloudWatch Logs",
            Self::Secrets => "Secrets Manager",
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::Source => "the project",
        })
    }
}

/// Why a call to the world did not give what was asked for.
///
/// The three arms decide what may be concluded: from `Refused` that nothing happened, from
/// `Unreachable` nothing at all, from `Unanswered` that it may have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The world said no. Nothing happened.
    #[error("{code}: {message}")]
    Refused {
        /// Who said so.
        place: Place,
        /// Its own word for it, such as `InvalidStateException`; or ours, such as `build-failed`.
        code: String,
        /// Its own text, scrubbed of values.
        message: String,
        /// More lines that help, such as the end of a build's output.
        details: Vec<String>,
    },
    /// There was no answer, and the call certainly had no effect (never sent, a read, throttled,
    /// credentials not accepted). Concludes nothing.
    #[error("{reason}")]
    Unreachable {
        /// Whom we could not reach.
        place: Place,
        /// What stood in the way.
        obstacle: Obstacle,
        /// The cause, scrubbed.
        reason: String,
    },
    /// A mutating call was sent and its answer did not come, or was no answer (timeout, reset, 5xx).
    #[error("no clear answer: {reason}")]
    Unanswered {
        /// Who did not answer.
        place: Place,
        /// The cause, scrubbed.
        reason: String,
    },
}

/// What stands between us and an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// No connection, a timeout, a name that does not resolve, TLS.
    Network,
    /// There are no credentials at all.
    NoCredentials,
    /// Credentials were there and have expired (an SSO session included).
    ExpiredCredentials,
    /// Credentials were there and are not accepted.
    InvalidCredentials,
    /// Too many calls, also after patience.
    Throttled,
    /// The other side is broken: 5xx, or an answer that is no answer.
    Broken,
    /// Nothing listens there, or its socket does not exist.
    NotRunning,
}

impl WorldError {
    /// A refusal in our own words.
    pub fn refused(place: Place, code: &str, message: impl Into<String>) -> Self {
        Self::Refused { place, code: code.into(), message: message.into(), details: Vec::new() }
    }

    /// The code, when the world said no.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// What a step says while it works. Droppable: never journalled, never needed to read the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A line of build output.
    BuildLine(String),
    /// Bytes of the push so far.
    Pushed {
        /// Bytes sent.
        bytes: u64,
        /// Bytes to send, as far as known.
        of: u64,
    },
    /// A wait goes on.
    Waiting {
        /// For what, such as `operation 8f2c1d7e IN_PROGRESS`.
        what: String,
    },
    /// A line of the service's own log.
    ServiceLine(String),
    /// A line of the application's log.
    ApplicationLine(String),
    /// Something a person should know now, such as the likely cause of a failure to come.
    Notice(String),
}

/// Where progress goes. Only a view implements it for real.
pub trait ProgressSink: Send + Sync {
    /// Shows it, or drops it.
    fn report(&self, progress: Progress);
}

/// Drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silence;

impl ProgressSink for Silence {
    fn report(&self, _progress: Progress) {}
}
