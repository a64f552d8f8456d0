//! The simulated world: App Runner, ECR, Logs, Secrets Manager, STS and IAM on loopback.

use std::sync::Arc;

pub mod cloud;
pub mod door;
pub mod engine;
mod memory;
pub mod proxy;
pub mod registry;
pub mod runtime;
pub mod serve;
pub mod session;
pub mod simulation;

/// Milliseconds since the epoch.
pub type Timestamp = i64;

/// Tells the sandbox's time; handed in, so that a test can stand still.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A refusal in the words of the simulated service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Name of the modelled exception, such as `RepositoryNotFoundException`.
    pub code: String,
    /// The text a person reads.
    pub message: String,
}
