//! Instances: what the cloud orders done outside, and what a table says becomes of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::configuration::{HealthCheckConfiguration, Names};

/// Everything needed to run one instance; secrets are resolved, so it is never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceOrder {
    /// 32 hexadecimal digits, as in the log stream `instance/<id>`.
    pub instance: String,
    /// Service.
    pub service_id: String,
    /// Service.
    pub service_name: String,
    /// Repository name, without host.
    pub repository: String,
    /// Digest of the linux/amd64 manifest.
    pub digest: String,
    /// The port the program is told.
    pub port: u16,
    /// Replaces the image's own command.
    pub start_command: Option<String>,
    /// Environment, secrets resolved, `PORT` set.
    pub environment: Names,
    /// In units: 1024 is one vCPU.
    pub cpu_units: u32,
    /// Memory.
    pub memory_mebibytes: u32,
    /// How to ask whether it is well.
    pub health_check: HealthCheckConfiguration,
    /// When a check that never passes is called failed, in the sandbox's milliseconds.
    pub patience: i64,
}

/// What the cloud wants done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Start an instance and report what becomes of it.
    Start(Box<InstanceOrder>),
    /// End an instance.
    Stop {
        /// The instance.
        instance: String,
    },
    /// Send a service's traffic to an instance, or nowhere.
    Route {
        /// Service.
        service_id: String,
        /// Instance.
        to: Option<String>,
    },
}

/// What becomes of an instance where nothing really runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behaviour {
    /// Healthy after so many milliseconds of real life.
    #[default]
    Healthy,
    /// Healthy, but slow to start.
    HealthyAfter {
        /// Seconds of real life.
        seconds: u32,
    },
    /// Never healthy.
    Unhealthy,
    /// Exits.
    Exits {
        /// Exit code.
        code: i64,
    },
}

/// Image digest to behaviour: decides in process, under virtual time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behaviours {
    /// By digest of the manifest or of the platform's manifest.
    pub by_digest: BTreeMap<String, Behaviour>,
    /// For all others.
    pub otherwise: Behaviour,
}

impl Behaviours {
    pub(crate) fn of(&self, digest: &str) -> &Behaviour {
        self.by_digest.get(digest).unwrap_or(&self.otherwise)
    }
}
