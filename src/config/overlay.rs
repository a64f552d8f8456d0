//! What a deployment changes on the live configuration. What it does not name stays.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{RoleArn, SecretReference, ValueHash, VariableName};
use crate::release::{Configuration, HealthCheck, Protocol};

/// Changes to a configuration. It is journalled with the plan, so it holds hashes and no values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Overlay {
    /// The port, if it is to be this one.
    pub port: Option<String>,
    /// The start command, if it is to be this one.
    pub start_command: Option<String>,
    /// Plain variables that get these values, by hash. A secret of the same name goes.
    pub environment_set: BTreeMap<VariableName, ValueHash>,
    /// Plain variables that go.
    pub environment_unset: BTreeSet<VariableName>,
    /// Secrets that get these references. A plain variable of the same name goes.
    pub secrets_set: BTreeMap<VariableName, SecretReference>,
    /// Secrets that go.
    pub secrets_unset: BTreeSet<VariableName>,
    /// The access role, if it is to be this one.
    pub access_role: Option<RoleArn>,
    /// The instance role, if it is to be this one.
    pub instance_role: Option<RoleArn>,
    /// CPU units, if they are to be these.
    pub cpu: Option<String>,
    /// Megabytes of memory, if they are to be these.
    pub memory: Option<String>,
    /// App Runner's own health check, as far as it is to change.
    pub health_check: Option<HealthCheckOverlay>,
}

/// Changes to App Runner's own health check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheckOverlay {
    /// How instances are asked.
    pub protocol: Option<Protocol>,
    /// Which path, for HTTP.
    pub path: Option<String>,
    /// Seconds between two checks.
    pub interval: Option<i32>,
    /// Seconds to wait for an answer.
    pub timeout: Option<i32>,
    /// Passes in a row that make an instance healthy.
    pub healthy_threshold: Option<i32>,
    /// Failures in a row that make it unhealthy.
    pub unhealthy_threshold: Option<i32>,
}

impl Overlay {
    /// The configuration with these changes, and no others.
    pub fn apply(&self, base: &Configuration) -> Configuration {
        Configuration {
            port: self.port.clone().or_else(|| base.port.clone()),
            start_command: self.start_command.clone().or_else(|| base.start_command.clone()),
            environment: self.environment(&base.environment),
            secrets: self.secrets(&base.secrets),
            access_role: self.access_role.clone().or_else(|| base.access_role.clone()),
            instance_role: self.instance_role.clone().or_else(|| base.instance_role.clone()),
            cpu: self.cpu.clone().or_else(|| base.cpu.clone()),
            memory: self.memory.clone().or_else(|| base.memory.clone()),
            health_check: match &self.health_check {
                Some(changes) => changes.apply(&base.health_check),
                None => base.health_check.clone(),
            },
            auto_deployments: base.auto_deployments,
        }
    }

    /// Whether nothing would change on any configuration.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    fn environment(
        &self,
        base: &BTreeMap<VariableName, ValueHash>,
    ) -> BTreeMap<VariableName, ValueHash> {
        let mut variables = base.clone();
        variables.retain(|name, _| {
            !self.environment_unset.contains(name) && !self.secrets_set.contains_key(name)
        });
        variables.extend(self.environment_set.clone());
        variables
    }

    fn secrets(&self, base: &BTreeMap<VariableName, String>) -> BTreeMap<VariableName, String> {
        let mut secrets = base.clone();
        secrets.retain(|name, _| {
            !self.secrets_unset.contains(name) && !self.environment_set.contains_key(name)
        });
        let set = self.secrets_set.iter();
        secrets.extend(set.map(|(name, reference)| (name.clone(), reference.to_string())));
        secrets
    }
}

impl HealthCheckOverlay {
    /// The complete check with these changes. Always complete: how App Runner fills a partial one
    /// on update is not documented.
    pub fn apply(&self, base: &HealthCheck) -> HealthCheck {
        HealthCheck {
            protocol: self.protocol.unwrap_or(base.protocol),
            path: self.path.clone().unwrap_or_else(|| base.path.clone()),
            interval: self.interval.unwrap_or(base.interval),
            timeout: self.timeout.unwrap_or(base.timeout),
            healthy_threshold: self.healthy_threshold.unwrap_or(base.healthy_threshold),
            unhealthy_threshold: self.unhealthy_threshold.unwrap_or(base.unhealthy_threshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> VariableName {
        text.parse().unwrap()
    }

    fn hash(text: &str) -> ValueHash {
        ValueHash::of(&name("X"), text)
    }

    fn secret(tail: &str) -> SecretReference {
        format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{tail}").parse().unwrap()
    }

    fn role(tail: &str) -> RoleArn {
        format!("arn:aws:iam::123456789012:role/{tail}").parse().unwrap()
    }

    fn live() -> Configuration {
        Configuration {
            port: Some("8000".into()),
            start_command: Some("serve".into()),
            environment: [(name("A"), hash("a")), (name("B"), hash("b"))].into(),
            secrets: [(name("S"), secret("s").to_string()), (name("T"), "kept-as-is".into())]
                .into(),
            access_role: Some(role("pull")),
            instance_role: Some(role("run")),
            cpu: Some("1024".into()),
            memory: Some("2048".into()),
            health_check: HealthCheck {
                protocol: Protocol::Http,
                path: "/live".into(),
                interval: 7,
                timeout: 3,
                healthy_threshold: 2,
                unhealthy_threshold: 9,
            },
            auto_deployments: true,
        }
    }

    #[test]
    fn an_empty_overlay_changes_nothing() {
        assert!(Overlay::default().is_empty());
        assert_eq!(Overlay::default().apply(&live()), live());
        let nothing =
            Overlay { health_check: Some(HealthCheckOverlay::default()), ..Overlay::default() };
        assert_eq!(nothing.apply(&live()), live());
    }

    /// One change, and what the live configuration then differs in.
    type Case = (Overlay, fn(&mut Configuration));

    fn cases() -> Vec<Case> {
        vec![
            (Overlay { port: Some("1".into()), ..Overlay::default() }, |c| {
                c.port = Some("1".into());
            }),
            (Overlay { start_command: Some(String::new()), ..Overlay::default() }, |c| {
                c.start_command = Some(String::new());
            }),
            (Overlay { access_role: Some(role("x")), ..Overlay::default() }, |c| {
                c.access_role = Some(role("x"));
            }),
            (Overlay { instance_role: Some(role("x")), ..Overlay::default() }, |c| {
                c.instance_role = Some(role("x"));
            }),
            (Overlay { cpu: Some("256".into()), ..Overlay::default() }, |c| {
                c.cpu = Some("256".into());
            }),
            (Overlay { memory: Some("512".into()), ..Overlay::default() }, |c| {
                c.memory = Some("512".into());
            }),
            (
                Overlay { environment_set: [(name("A"), hash("z"))].into(), ..Overlay::default() },
                |c| {
                    c.environment.insert(name("A"), hash("z"));
                },
            ),
            (
                Overlay { environment_set: [(name("S"), hash("z"))].into(), ..Overlay::default() },
                |c| {
                    c.environment.insert(name("S"), hash("z"));
                    c.secrets.remove(&name("S"));
                },
            ),
            (
                Overlay { environment_unset: [name("A"), name("Q")].into(), ..Overlay::default() },
                |c| {
                    c.environment.remove(&name("A"));
                },
            ),
            (
                Overlay { secrets_set: [(name("B"), secret("n"))].into(), ..Overlay::default() },
                |c| {
                    c.secrets.insert(name("B"), secret("n").to_string());
                    c.environment.remove(&name("B"));
                },
            ),
            (Overlay { secrets_unset: [name("S"), name("A")].into(), ..Overlay::default() }, |c| {
                c.secrets.remove(&name("S"));
            }),
        ]
    }

    fn check_cases() -> Vec<Case> {
        let check =
            |health_check| Overlay { health_check: Some(health_check), ..Overlay::default() };
        vec![
            (
                check(HealthCheckOverlay {
                    protocol: Some(Protocol::Tcp),
                    ..HealthCheckOverlay::default()
                }),
                |c| c.health_check.protocol = Protocol::Tcp,
            ),
            (
                check(HealthCheckOverlay {
                    path: Some("/".into()),
                    ..HealthCheckOverlay::default()
                }),
                |c| c.health_check.path = "/".into(),
            ),
            (
                check(HealthCheckOverlay { interval: Some(1), ..HealthCheckOverlay::default() }),
                |c| {
                    c.health_check.interval = 1;
                },
            ),
            (
                check(HealthCheckOverlay { timeout: Some(1), ..HealthCheckOverlay::default() }),
                |c| {
                    c.health_check.timeout = 1;
                },
            ),
            (
                check(HealthCheckOverlay {
                    healthy_threshold: Some(1),
                    ..HealthCheckOverlay::default()
                }),
                |c| c.health_check.healthy_threshold = 1,
            ),
            (
                check(HealthCheckOverlay {
                    unhealthy_threshold: Some(1),
                    ..HealthCheckOverlay::default()
                }),
                |c| c.health_check.unhealthy_threshold = 1,
            ),
        ]
    }

    #[test]
    fn each_change_changes_its_own_field_and_no_other() {
        for (overlay, change) in cases().into_iter().chain(check_cases()) {
            let mut expected = live();
            change(&mut expected);
            assert_ne!(expected, live(), "{overlay:?}");
            assert_eq!(overlay.apply(&live()), expected, "{overlay:?}");
            assert!(!overlay.is_empty());
        }
    }

    #[test]
    fn applying_twice_is_applying_once() {
        for (overlay, _) in cases().into_iter().chain(check_cases()) {
            let once = overlay.apply(&live());
            assert_eq!(overlay.apply(&once), once, "{overlay:?}");
        }
    }

    #[test]
    fn an_overlay_survives_the_journal() {
        for (overlay, _) in cases().into_iter().chain(check_cases()) {
            let text = serde_json::to_string(&overlay).unwrap();
            assert_eq!(serde_json::from_str::<Overlay>(&text).unwrap(), overlay);
        }
        // A plan of an older version knows fewer members.
        assert_eq!(serde_json::from_str::<Overlay>("{}").unwrap(), Overlay::default());
    }
}
