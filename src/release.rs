//! A release: one image and the whole configuration a service runs it with.
//!
//! Plain environment values are not in it, only their hashes: events carry releases, and no event
//! carries a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{ImageIdentifier, RoleArn, ValueHash, VariableName};

/// The variable in which a deployment plants its id, in the same call that changes the service.
pub const MARK: &str = "SUREFOOT_DEPLOYMENT";

/// An image and everything else that App Runner is told about running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The image, by digest wherever we chose it.
    pub image: ImageIdentifier,
    /// The rest.
    pub configuration: Configuration,
}

/// What a service runs with, image and mark aside. Members that surefoot never sends (network,
/// observability, auto scaling, encryption, tags) are not here: App Runner keeps what is omitted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Configuration {
    /// The port the application listens on. App Runner assumes 8080 where none is given.
    pub port: Option<String>,
    /// The command that replaces the image's own.
    pub start_command: Option<String>,
    /// Plain environment variables, by hash of their values, without our mark.
    pub environment: BTreeMap<VariableName, ValueHash>,
    /// Environment variables read from Secrets Manager or SSM, by reference.
    pub secrets: BTreeMap<VariableName, String>,
    /// The role with which App Runner pulls from ECR.
    pub access_role: Option<RoleArn>,
    /// The role of the running application.
    pub instance_role: Option<RoleArn>,
    /// CPU units, as App Runner reports them: `1024`.
    pub cpu: Option<String>,
    /// Memory in megabytes, as App Runner reports it: `2048`.
    pub memory: Option<String>,
    /// App Runner's own health check.
    pub health_check: HealthCheck,
    /// Whether App Runner deploys by itself when the tag moves.
    pub auto_deployments: bool,
}

/// App Runner's own health check, complete: a partial one may be filled with defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// How instances are asked.
    pub protocol: Protocol,
    /// Which path, for HTTP.
    pub path: String,
    /// Seconds between two checks, 1 to 20.
    pub interval: i32,
    /// Seconds to wait for an answer, 1 to 20.
    pub timeout: i32,
    /// Passes in a row that make an instance healthy, 1 to 20.
    pub healthy_threshold: i32,
    /// Failures in a row that make it unhealthy, 1 to 20.
    pub unhealthy_threshold: i32,
}

/// How App Runner checks an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// A connection is enough.
    Tcp,
    /// GET must answer 200.
    Http,
}

impl Default for HealthCheck {
    /// What App Runner fills in by itself. Source: recorded CreateService answers.
    fn default() -> Self {
        Self {
            protocol: Protocol::Tcp,
            path: "/".into(),
            interval: 5,
            timeout: 2,
            healthy_threshold: 1,
            unhealthy_threshold: 5,
        }
    }
}

/// Plain environment values in memory, by name. Never shown, never serialised.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<VariableName, String>);

impl Values {
    /// The values of these variables.
    pub fn new(values: BTreeMap<VariableName, String>) -> Self {
        Self(values)
    }

    /// The value of one variable.
    pub fn get(&self, name: &VariableName) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets one variable.
    pub fn insert(&mut self, name: VariableName, value: String) {
        self.0.insert(name, value);
    }

    /// All names with their values, for the adapter that sends them.
    pub fn iter(&self) -> impl Iterator<Item = (&VariableName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// The values by their hashes: the form in which a journal keeps them.
    pub fn by_hash(&self) -> BTreeMap<ValueHash, String> {
        self.iter().map(|(name, value)| (ValueHash::of(name, value), value.to_owned())).collect()
    }

    /// Names with the hashes of their values: what may be stored and shown.
    pub fn hashed(&self) -> BTreeMap<VariableName, ValueHash> {
        self.iter().map(|(name, value)| (name.clone(), ValueHash::of(name, value))).collect()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.hashed()).finish()
    }
}

/// One difference between two releases, in the words a person uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The field, such as `port` or `environment.LOG_LEVEL`.
    pub field: String,
    /// The value before, as it may be shown; nothing where there was none.
    pub before: Option<String>,
    /// The value after, as it may be shown.
    pub after: Option<String>,
}

impl Release {
    /// What changes from `self` to `other`, field by field. Environment values show as hashes.
    pub fn differences(&self, other: &Release) -> Vec<Difference> {
        let (before, after) = (self.fields(), other.fields());
        let names: std::collections::BTreeSet<&String> =
            before.keys().chain(after.keys()).collect();
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| Difference {
                field: name.clone(),
                before: before.get(name).cloned(),
                after: after.get(name).cloned(),
            })
            .collect()
    }

    fn fields(&self) -> BTreeMap<String, String> {
        let configuration = &self.configuration;
        let check = &configuration.health_check;
        let mut fields = BTreeMap::from([
            ("image".to_owned(), self.image.to_string()),
            ("auto deployments".into(), on_off(configuration.auto_deployments).into()),
            ("health check".into(), check.to_string()),
        ]);
        let optional = [
            ("port", configuration.port.clone()),
            ("start command", configuration.start_command.clone()),
            ("access role", configuration.access_role.as_ref().map(ToString::to_string)),
            ("instance role", configuration.instance_role.as_ref().map(ToString::to_string)),
            ("cpu", configuration.cpu.clone()),
            ("memory", configuration.memory.clone()),
        ];
        for (name, value) in optional {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        }
        for (name, hash) in &configuration.environment {
            fields.insert(format!("environment.{name}"), format!("value {}", hash.short()));
        }
        for (name, reference) in &configuration.secrets {
            fields.insert(format!("secret.{name}"), reference.clone());
        }
        fields
    }
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

impl std::fmt::Display for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.protocol {
            Protocol::Tcp => write!(f, "TCP")?,
            Protocol::Http => write!(f, "HTTP {}", self.path)?,
        }
        write!(
            f,
            " every {} s, timeout {} s, {} to pass, {} to fail",
            self.interval, self.timeout, self.healthy_threshold, self.unhealthy_threshold
        )
    }
}
