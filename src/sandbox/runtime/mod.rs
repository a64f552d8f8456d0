//! What really runs behind the simulated App Runner: containers, or processes without Docker.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::Timestamp;

pub mod docker;
pub mod embedded;
mod health;
mod output;
mod owner;
mod start_command;

/// Name of an instance: 32 hexadecimal digits, as in App Runner's log stream `instance/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub String);

/// Everything that is needed to run one instance of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSpec {
    /// Repository in the sandbox's registry, without host and tag.
    pub repository: String,
    /// Digest of the linux/amd64 manifest, `sha256:…` (not of an index).
    pub digest: String,
    /// The port App Runner was told; the app gets it as `PORT`.
    pub port: u16,
    /// App Runner's `StartCommand`: replaces the image's own command where given.
    pub start_command: Option<String>,
    /// Environment, secrets already resolved.
    pub environment: BTreeMap<String, String>,
    /// Name of the service, for labels and messages.
    pub service_name: String,
    /// Id of the service, the key of its proxy.
    pub service_id: String,
    /// Id of the instance to start.
    pub instance_id: InstanceId,
    /// Share of a vCPU in App Runner's units: `1024` is one vCPU.
    pub cpu_units: u32,
    /// Memory in mebibytes.
    pub memory_mebibytes: u32,
}

/// Why an instance did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFailure {
    /// The registry does not hold the image.
    #[error("the image does not exist in the registry: {0}")]
    ImageNotFound(String),
    /// The image exists and could not be fetched.
    #[error("the image could not be pulled: {0}")]
    PullFailed(String),
    /// The image was fetched and its command could not be executed; counts as an exit.
    #[error("the command could not be executed (exit code {code}): {reason}")]
    CannotExecute {
        /// 126, 127 or 128, as a shell or Docker reports it.
        code: i64,
        /// The engine's own words.
        reason: String,
    },
    /// The engine itself gave no answer.
    #[error("the engine does not answer: {0}")]
    EngineUnreachable(String),
}

/// Whether an instance still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// The process lives.
    Running,
    /// The process ended (137 after a kill or out of memory), or was never known.
    Exited {
        /// Exit code.
        code: i64,
    },
}

/// How App Runner asks whether an instance is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCheck {
    /// A connection that is accepted is enough.
    Tcp {
        /// Patience for one attempt.
        timeout: Duration,
    },
    /// `GET path` must answer 200.
    Http {
        /// Path, starting with a slash.
        path: String,
        /// Patience for one attempt.
        timeout: Duration,
    },
}

/// Result of one health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Well.
    Passed,
    /// Not well, and why.
    Failed(String),
}

/// One line an instance wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What, without the line end.
    pub text: String,
}

/// Runs the instances of services. One instance is one container or process.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// One sentence a person can read about what really runs.
    fn describe(&self) -> String;
    /// Fetches the image and starts it.
    async fn start(&self, spec: &InstanceSpec) -> Result<InstanceId, StartFailure>;
    /// Whether it still runs.
    async fn observe(&self, instance: &InstanceId) -> InstanceState;
    /// One health check against the instance itself, not through the proxy.
    async fn probe(&self, instance: &InstanceId, check: &HealthCheck) -> Probe;
    /// The lines since the last call.
    async fn logs(&self, instance: &InstanceId) -> Vec<LogLine>;
    /// Points the service's stable address to an instance, or to nothing.
    async fn route(&self, service_id: &str, to: Option<&InstanceId>);
    /// The service's stable address, such as `127.0.0.1:41873`; opened when asked first.
    async fn service_url(&self, service_id: &str) -> String;
    /// Ends an instance and removes all of it; its last lines can still be read once.
    async fn stop(&self, instance: &InstanceId);
    /// Removes what crashed sandboxes left; another living sandbox's instances stay.
    async fn sweep(&self);
    /// Ends all instances of this sandbox and closes its addresses.
    async fn shutdown(&self);
}
