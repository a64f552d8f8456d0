//! A service's configuration: what an update merges and a rollback brings back.
//!
//! Names and members: App Runner service model 2020-05-15.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name to value, as in `RuntimeEnvironmentVariables`.
pub type Names = BTreeMap<String, String>;

/// Where the program comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SourceConfiguration {
    /// A source code repository: kept as sent, nothing is built from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_repository: Option<Value>,
    /// An image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_repository: Option<ImageRepository>,
    /// Whether a push of the tag starts a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_deployments_enabled: Option<bool>,
    /// Who pulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_configuration: Option<AuthenticationConfiguration>,
}

/// An image and how it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageRepository {
    /// `repository:tag` or `repository@digest`.
    pub image_identifier: String,
    /// How it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_configuration: Option<ImageConfiguration>,
    /// `ECR` or `ECR_PUBLIC`.
    pub image_repository_type: String,
}

/// How an image runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfiguration {
    /// Plain variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_environment_variables: Option<Names>,
    /// Replaces the image's own command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_command: Option<String>,
    /// A text, not a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Variable to ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_environment_secrets: Option<Names>,
}

/// Who pulls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthenticationConfiguration {
    /// A connection to a source code provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_arn: Option<String>,
    /// The role that pulls from ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_role_arn: Option<String>,
}

/// Size and role of the instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceConfiguration {
    /// In units: `1024` is one vCPU.
    pub cpu: String,
    /// In mebibytes.
    pub memory: String,
    /// The role the program has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_role_arn: Option<String>,
}

impl Default for InstanceConfiguration {
    fn default() -> Self {
        Self { cpu: "1024".into(), memory: "2048".into(), instance_role_arn: None }
    }
}

/// How App Runner asks whether an instance is well; all six are always filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthCheckConfiguration {
    /// `TCP` or `HTTP`.
    pub protocol: String,
    /// For `HTTP`.
    pub path: String,
    /// Seconds between checks.
    pub interval: u32,
    /// Seconds for one check.
    pub timeout: u32,
    /// Passes in a row that make an instance healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make it unhealthy.
    pub unhealthy_threshold: u32,
}

impl Default for HealthCheckConfiguration {
    fn default() -> Self {
        Self {
            protocol: "TCP".into(),
            path: "/".into(),
            interval: 5,
            timeout: 2,
            healthy_threshold: 1,
            unhealthy_threshold: 5,
        }
    }
}

/// What a caller says of health checks; every member may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HealthCheckWish {
    pub(crate) protocol: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) interval: Option<u32>,
    pub(crate) timeout: Option<u32>,
    pub(crate) healthy_threshold: Option<u32>,
    pub(crate) unhealthy_threshold: Option<u32>,
}

impl HealthCheckWish {
    pub(crate) fn over(self, base: HealthCheckConfiguration) -> HealthCheckConfiguration {
        HealthCheckConfiguration {
            protocol: self.protocol.unwrap_or(base.protocol),
            path: self.path.unwrap_or(base.path),
            interval: self.interval.unwrap_or(base.interval),
            timeout: self.timeout.unwrap_or(base.timeout),
            healthy_threshold: self.healthy_threshold.unwrap_or(base.healthy_threshold),
            unhealthy_threshold: self.unhealthy_threshold.unwrap_or(base.unhealthy_threshold),
        }
    }
}

/// What a caller says of size and role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct InstanceWish {
    pub(crate) cpu: Option<String>,
    pub(crate) memory: Option<String>,
    pub(crate) instance_role_arn: Option<String>,
}

impl InstanceWish {
    pub(crate) fn over(self, base: InstanceConfiguration) -> InstanceConfiguration {
        InstanceConfiguration {
            cpu: self.cpu.map_or(base.cpu, |cpu| cpu_units(&cpu)),
            memory: self.memory.map_or(base.memory, |memory| memory_units(&memory)),
            instance_role_arn: self.instance_role_arn.or(base.instance_role_arn),
        }
    }
}

/// `1 vCPU` and `1024` both come back as `1024` (recorded answers).
fn cpu_units(text: &str) -> String {
    match text.strip_suffix(" vCPU") {
        Some("0.25") => "256".into(),
        Some("0.5") => "512".into(),
        Some(whole) => {
            whole.parse::<u32>().map_or_else(|_| text.into(), |n| (n * 1024).to_string())
        }
        None => text.into(),
    }
}

fn memory_units(text: &str) -> String {
    match text.strip_suffix(" GB") {
        Some("0.5") => "512".into(),
        Some(whole) => {
            whole.parse::<u32>().map_or_else(|_| text.into(), |n| (n * 1024).to_string())
        }
        None => text.into(),
    }
}

/// Everything an update can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Where the program comes from.
    pub source: SourceConfiguration,
    /// Size and role.
    pub instance: InstanceConfiguration,
    /// Health checks.
    pub health_check: HealthCheckConfiguration,
    /// `NetworkConfiguration` as on the wire, defaults filled in.
    pub network: Value,
    /// `ObservabilityConfiguration` as on the wire.
    pub observability: Option<Value>,
    /// The auto scaling configuration in use.
    pub auto_scaling_arn: String,
}

impl Configuration {
    /// The image identifier; empty for a code-based service.
    pub fn image_identifier(&self) -> &str {
        self.source.image_repository.as_ref().map_or("", |image| &image.image_identifier)
    }

    pub(crate) fn image(&self) -> Option<&ImageConfiguration> {
        self.source.image_repository.as_ref()?.image_configuration.as_ref()
    }

    /// The port the program is told; App Runner's own default is 8080.
    pub fn port(&self) -> u16 {
        let told = self.image().and_then(|image| image.port.as_deref());
        told.and_then(|port| port.parse().ok()).unwrap_or(8080)
    }

    pub(crate) fn access_role(&self) -> Option<&str> {
        self.source.authentication_configuration.as_ref()?.access_role_arn.as_deref()
    }

    pub(crate) fn auto_deploys(&self) -> bool {
        self.source.auto_deployments_enabled == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_back_as_units() {
        for (sent, units) in [("1 vCPU", "1024"), ("0.25 vCPU", "256"), ("2048", "2048")] {
            assert_eq!(cpu_units(sent), units);
        }
        for (sent, units) in [("2 GB", "2048"), ("0.5 GB", "512"), ("12 GB", "12288")] {
            assert_eq!(memory_units(sent), units);
        }
    }
}
