//! The settings of one run, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::Variable;
use super::health::HealthGate;
use super::overlay::{HealthCheckOverlay, Overlay};
use super::times::{Speed, Times};
use super::value::{AutoDeployments, Hidden, RepositoryChoice, RoleChoice};
use crate::names::{Region, ServiceName, ValueHash, VariableName};
use crate::problem::{ExitCode, Problem};
use crate::release::Values;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This command line option.
    Flag(String),
    /// This environment variable of the process.
    Environment(String),
    /// The configuration file.
    File {
        /// Where it is.
        path: PathBuf,
        /// The line in it.
        line: usize,
    },
    /// Nobody said it; this told.
    Detected(String),
    /// Nobody said it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.pad(name),
            Self::Environment(name) => f.pad(&format!("${name}")),
            Self::File { path, line } => f.pad(&format!("{}:{line}", path.display())),
            Self::Detected(how) => f.pad(how),
            Self::Default => f.pad("default"),
        }
    }
}

/// One setting as it may be shown: secrets by reference, plain variables by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its path, such as `health.path` or `environment.LOG_LEVEL`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// All settings of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The service, if one is named or could be guessed.
    pub service_name: Option<ServiceName>,
    /// The region, if one is named or known.
    pub region: Option<Region>,
    /// The repository, if one is named or could be guessed.
    pub repository: Option<RepositoryChoice>,
    /// The section chosen by `--env`.
    pub environment_name: Option<String>,
    /// What becomes of auto-deployments.
    pub auto_deployments: AutoDeployments,
    /// Whether the tag `latest` follows a success.
    pub latest: bool,
    /// Where the journal is, if not where it always is.
    pub history_dir: Option<PathBuf>,
    /// What is built.
    pub build: Build,
    /// What is asked of the service itself.
    pub service: Service,
    /// What becomes of the service's environment variables.
    pub variables: BTreeMap<VariableName, Variable>,
    /// What is asked of App Runner's own health check.
    pub health_check: HealthCheckOverlay,
    /// What a new release has to pass.
    pub health: HealthGate,
    /// How long everything may take, scaled for a faster world.
    pub times: Times,
    /// How much faster than real life the world is.
    pub speed: Speed,
    /// `--force-latest`.
    pub force_latest: bool,
    /// `--force-restart`.
    pub force_restart: bool,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
    pub(super) shown: Vec<Shown>,
}

/// What is built, and from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The context directory.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Build arguments.
    pub arguments: Values,
}

/// What is asked of the service itself. What is absent is kept as it lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// The port the application listens on.
    pub port: Option<String>,
    /// The command that replaces the image's own.
    pub start_command: Option<String>,
    /// CPU units.
    pub cpu: Option<String>,
    /// Megabytes of memory.
    pub memory: Option<String>,
    /// The role that pulls.
    pub access_role: Option<RoleChoice>,
    /// The role that runs.
    pub instance_role: Option<RoleChoice>,
}

impl Settings {
    /// Every setting with its value and origin, in the order of the document.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Where a setting came from, by its path.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.shown.iter().find(|shown| shown.key == key).map(|shown| &shown.origin)
    }

    /// The service's name, or what to type so that there is one.
    pub fn service_name(&self) -> Result<&ServiceName, Problem> {
        self.service_name.as_ref().ok_or_else(|| {
            Problem::new(ExitCode::Usage, "no-service-name", "which service is not known")
                .because("nothing names it, and the directory's name is no service name")
                .hint("write it down once: `service_name = \"shop\"` in surefoot.toml")
                .hint("or name it now: `surefoot deploy --service-name shop`")
        })
    }

    /// The region, or what to type so that there is one.
    pub fn region(&self) -> Result<&Region, Problem> {
        self.region.as_ref().ok_or_else(|| {
            Problem::new(ExitCode::Usage, "no-region", "which AWS region is not known")
                .because("no flag, variable or file names it, and the AWS profile has none")
                .hint("write it down once: `region = \"eu-central-1\"` in surefoot.toml")
                .hint("or name it now: `surefoot deploy --region eu-central-1`")
        })
    }

    /// The repository, or what to type so that there is one.
    pub fn repository(&self) -> Result<&RepositoryChoice, Problem> {
        self.repository.as_ref().ok_or_else(|| {
            Problem::new(ExitCode::Usage, "no-repository", "which ECR repository is not known")
                .because("nothing names it, and the directory's name is no repository name")
                .hint("write it down once: `ecr_repository = \"shop\"` in surefoot.toml")
                .hint("or name it now: `surefoot deploy --ecr-repo shop`")
        })
    }

    /// What a deployment changes on the live configuration. Roles given by name are not in it:
    /// who has looked them up sets them.
    pub fn overlay(&self) -> Overlay {
        let names = |wanted: fn(&Variable) -> bool| {
            let chosen = self.variables.iter().filter(move |(_, variable)| wanted(variable));
            chosen.map(|(name, _)| name.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        let unset = names(|variable| *variable == Variable::Unset);
        let check = &self.health_check;
        Overlay {
            port: self.service.port.clone(),
            start_command: self.service.start_command.clone(),
            environment_set: self.values().hashed(),
            environment_unset: unset.clone(),
            secrets_set: self
                .variables
                .iter()
                .filter_map(|(name, variable)| match variable {
                    Variable::Secret(reference) => Some((name.clone(), reference.clone())),
                    _ => None,
                })
                .collect(),
            secrets_unset: unset,
            access_role: self.service.access_role.as_ref().and_then(RoleChoice::arn).cloned(),
            instance_role: self.service.instance_role.as_ref().and_then(RoleChoice::arn).cloned(),
            cpu: self.service.cpu.clone(),
            memory: self.service.memory.clone(),
            health_check: (*check != HealthCheckOverlay::default()).then(|| check.clone()),
        }
    }

    /// The plain values behind the hashes of the overlay.
    pub fn values(&self) -> Values {
        let plain = self.variables.iter().filter_map(|(name, variable)| match variable {
            Variable::Plain(Hidden(value)) => Some((name.clone(), value.clone())),
            _ => None,
        });
        Values::new(plain.collect())
    }
}

/// A variable as it may be shown.
pub(super) fn shown_variable(name: &VariableName, variable: &Variable) -> (String, String) {
    match variable {
        Variable::Plain(Hidden(value)) => {
            (format!("environment.{name}"), format!("value {}", ValueHash::of(name, value).short()))
        }
        Variable::Secret(reference) => (format!("secrets.{name}"), reference.to_string()),
        Variable::Unset => (format!("environment.{name}"), "removed".into()),
    }
}
