//! The configuration file as values: what it sets, for everybody and in named sections.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::finding::Place;
use super::value::Hidden;
use crate::names::{SecretReference, ServiceName, VariableName};

/// A configuration file that was read and found valid.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What holds for every service and environment.
    pub top: Section,
    /// `[service.NAME]`: what one service has of its own.
    pub services: BTreeMap<ServiceName, Section>,
    /// `[env.NAME]`: what holds in one environment, chosen by `--env NAME`.
    pub environments: BTreeMap<String, Section>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
}

/// Settings that stand together. A key that is absent says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Settings with a single value, in canonical form, by path.
    pub scalars: BTreeMap<&'static str, Located<String>>,
    /// Environment variables of the service, plain or from a secret, each name once.
    pub variables: BTreeMap<VariableName, Located<Variable>>,
    /// Build arguments.
    pub arguments: BTreeMap<VariableName, Located<Hidden>>,
    /// What the health answer must say, by JSON path.
    pub assertions: BTreeMap<String, Located<serde_json::Value>>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file.
    pub place: Place,
}

/// What becomes of one environment variable of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// It has this plain value.
    Plain(Hidden),
    /// App Runner reads it from there.
    Secret(SecretReference),
    /// It is removed, plain or secret.
    Unset,
}

impl Section {
    /// This section with another laid over it: what the other names counts, everything else stays.
    #[must_use]
    pub fn overlaid_with(mut self, other: &Self) -> Self {
        self.scalars.extend(other.scalars.iter().map(|(path, value)| (*path, value.clone())));
        self.variables.extend(other.variables.clone());
        self.arguments.extend(other.arguments.clone());
        self.assertions.extend(other.assertions.clone());
        self
    }

    /// The value of one key.
    pub fn scalar(&self, path: &str) -> Option<&str> {
        self.scalars.get(path).map(|located| located.value.as_str())
    }
}

impl File {
    /// The settings of one service in one environment. The environment has the last word, because
    /// it was asked for by name.
    pub fn settings_for(
        &self,
        service: Option<&ServiceName>,
        environment: Option<&str>,
    ) -> Section {
        [
            service.and_then(|name| self.services.get(name)),
            environment.and_then(|name| self.environments.get(name)),
        ]
        .into_iter()
        .flatten()
        .fold(self.top.clone(), Section::overlaid_with)
    }

    /// The names of all environments.
    pub fn environment_names(&self) -> BTreeSet<&str> {
        self.environments.keys().map(String::as_str).collect()
    }
}
