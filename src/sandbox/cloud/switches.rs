//! One switch for every fact about App Runner that no public source confirms.
//!
//! A tool that is right under both positions of every switch needs none of the facts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    };
}

choices! {
    /// How an operation ends after App Runner's own rollback.
    RollbackEnds {
        /// `ROLLBACK_SUCCEEDED`.
        #[default] Succeeded,
        /// `FAILED`.
        Failed,
        /// `ROLLBACK_FAILED`: the new configuration stays, and nothing serves.
        RollbackFailed,
    }
}

choices! {
    /// Whether something is taken or refused.
    Accepted {
        /// It is taken.
        #[default] Accepted,
        /// It is refused when the call is made.
        Refused,
    }
}

choices! {
    /// What an image form leads to.
    Pull {
        /// The image is pulled.
        #[default] Works,
        /// The call is refused.
        Refused,
        /// The call is accepted and the pull fails.
        Fails,
    }
}

choices! {
    /// What happens to members that an update leaves out.
    Omitted {
        /// They are kept.
        #[default] Kept,
        /// The structure is replaced whole; they fall back to defaults.
        Replaced,
    }
}

choices! {
    /// When the name of a deleted service is free.
    NameReuse {
        /// At once.
        #[default] AtOnce,
        /// When the deleted service is no longer described.
        WhenGone,
    }
}

choices! {
    /// Which of two wordings is used where none is recorded.
    Texts {
        /// Sentences by analogy with the recorded ones.
        #[default] Analogous,
        /// Terse ones that share no word with the others.
        Terse,
    }
}

choices! {
    /// The form of `__type` in errors.
    TypePrefix {
        /// The bare name.
        #[default] None,
        /// `com.amazonaws.apprunner#Name`.
        Namespace,
    }
}

choices! {
    /// What App Runner says to a secret without an instance role.
    SecretWithoutRole {
        /// The deployment fails.
        #[default] Fails,
        /// The call is refused.
        Refused,
    }
}

choices! {
    /// The first status of an operation.
    OperationStarts {
        /// `IN_PROGRESS`.
        #[default] InProgress,
        /// `PENDING` for some seconds.
        Pending,
    }
}

choices! {
    /// When a health check that never passes ends a deployment.
    HealthFailure {
        /// After 19 minutes, as recorded, or later where the thresholds say so.
        #[default] Recorded,
        /// When interval times unhealthy threshold is over.
        Thresholds,
    }
}

choices! {
    /// The wording of event lines.
    LogLines {
        /// `Deployment started.`
        #[default] Classic,
        /// `Deployment with ID : … started. Triggering event : …`
        WithId,
    }
}

choices! {
    /// Which exception StartDeployment raises outside of RUNNING.
    StartDeploymentRefusal {
        /// `InvalidRequestException`, as most reports say.
        #[default] InvalidRequest,
        /// `InvalidStateException`, as one says.
        InvalidState,
    }
}

choices! {
    /// Off or on.
    Toggle {
        /// Off.
        #[default] Off,
        /// On.
        On,
    }
}

/// All switches; `Default` is what the evidence favours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Switches {
    /// Final status of an operation that App Runner rolled back.
    pub rollback_ends: RollbackEnds,
    /// `repository@sha256:…` as an image identifier.
    pub digest_identifier: Pull,
    /// `repository:tag@sha256:…` as an image identifier.
    pub tag_and_digest: Pull,
    /// An identifier that names an image index.
    pub index_image: Pull,
    /// Members of `SourceConfiguration` that an update leaves out.
    pub source_configuration: Omitted,
    /// Members of `HealthCheckConfiguration` that an update leaves out.
    pub health_check: Omitted,
    /// Minutes of real life for which a deleted service is described.
    pub deleted_visible_minutes: u32,
    /// When a deleted service's name is free.
    pub name_reuse: NameReuse,
    /// Wording where none is recorded.
    pub texts: Texts,
    /// A variable named `PORT` in the caller's environment.
    pub port_variable: Accepted,
    /// A secret without an instance role.
    pub secret_without_role: SecretWithoutRole,
    /// `Refused`: the account is closed to new App Runner customers.
    pub new_services: Accepted,
    /// Form of `__type`.
    pub type_prefix: TypePrefix,
    /// App Runner calls a second (of the sandbox's own clock) above which calls are throttled; 0 = none.
    pub calls_per_second: u32,
    /// UpdateService on a paused service.
    pub update_paused: Accepted,
    /// UpdateService on a service in `CREATE_FAILED` (refused before June 2023).
    pub update_create_failed: Accepted,
    /// Services per region.
    pub service_quota: u32,
    /// Seconds of real life by which ListOperations lags.
    pub operations_lag_seconds: u32,
    /// Seconds of real life by which DescribeService and `ListServices` lag.
    pub service_lag_seconds: u32,
    /// Seconds of real life until a log line can be read.
    pub logs_lag_seconds: u32,
    /// Seconds of real life until a new role can be assumed.
    pub role_lag_seconds: u32,
    /// First status of an operation.
    pub operation_starts: OperationStarts,
    /// When a failing health check ends a deployment.
    pub health_failure: HealthFailure,
    /// Wording of event lines.
    pub log_lines: LogLines,
    /// `Invalid Access Role` is logged falsely during the rollback after a health failure.
    pub false_role_line: Toggle,
    /// `AutoDeploymentsEnabled` beside a digest.
    pub auto_deployments_with_digest: Accepted,
    /// The exception of StartDeployment outside of RUNNING.
    pub start_deployment_refusal: StartDeploymentRefusal,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            rollback_ends: RollbackEnds::default(),
            digest_identifier: Pull::default(),
            tag_and_digest: Pull::default(),
            index_image: Pull::default(),
            source_configuration: Omitted::default(),
            health_check: Omitted::default(),
            deleted_visible_minutes: 60,
            name_reuse: NameReuse::default(),
            texts: Texts::default(),
            port_variable: Accepted::default(),
            secret_without_role: SecretWithoutRole::default(),
            new_services: Accepted::default(),
            type_prefix: TypePrefix::default(),
            calls_per_second: 0,
            update_paused: Accepted::Refused,
            update_create_failed: Accepted::default(),
            service_quota: 30,
            operations_lag_seconds: 0,
            service_lag_seconds: 0,
            logs_lag_seconds: 0,
            role_lag_seconds: 0,
            operation_starts: OperationStarts::default(),
            health_failure: HealthFailure::default(),
            log_lines: LogLines::default(),
            false_role_line: Toggle::default(),
            auto_deployments_with_digest: Accepted::default(),
            start_deployment_refusal: StartDeploymentRefusal::default(),
        }
    }
}

/// One row of the table of switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SwitchRow {
    /// Name on a command line.
    pub name: &'static str,
    /// Positions worth trying; numbers have more.
    pub positions: &'static [&'static str],
    /// What it decides.
    pub meaning: &'static str,
}

const fn row(
    name: &'static str,
    positions: &'static [&'static str],
    meaning: &'static str,
) -> SwitchRow {
    SwitchRow { name, positions, meaning }
}

/// Every switch, its positions and its meaning; a simulation can draw from it.
pub const TABLE: &[SwitchRow] = &[
    row(
        "rollback-ends",
        &["succeeded", "failed", "rollback-failed"],
        "final status after App Runner's own rollback",
    ),
    row("digest-identifier", &["works", "refused", "fails"], "`repository@sha256:…`"),
    row("tag-and-digest", &["works", "refused", "fails"], "`repository:tag@sha256:…`"),
    row("index-image", &["works", "refused", "fails"], "an identifier that names an index"),
    row(
        "source-configuration",
        &["kept", "replaced"],
        "members of SourceConfiguration an update leaves out",
    ),
    row(
        "health-check",
        &["kept", "replaced"],
        "members of HealthCheckConfiguration an update leaves out",
    ),
    row("deleted-visible-minutes", &["60", "0"], "how long a deleted service is described"),
    row("name-reuse", &["at-once", "when-gone"], "when a deleted service's name is free"),
    row("texts", &["analogous", "terse"], "wording where none is recorded"),
    row("port-variable", &["accepted", "refused"], "a variable named PORT"),
    row("secret-without-role", &["fails", "refused"], "a secret without an instance role"),
    row("new-services", &["accepted", "refused"], "account closed to new customers"),
    row("type-prefix", &["none", "namespace"], "form of `__type`"),
    row("calls-per-second", &["0", "5"], "throttling above this rate, 0 = none"),
    row("update-paused", &["refused", "accepted"], "UpdateService on a paused service"),
    row(
        "update-create-failed",
        &["accepted", "refused"],
        "UpdateService on a service in CREATE_FAILED",
    ),
    row("service-quota", &["30", "1"], "services per region"),
    row("operations-lag-seconds", &["0", "30"], "lag of ListOperations"),
    row("service-lag-seconds", &["0", "10"], "lag of DescribeService and ListServices"),
    row("logs-lag-seconds", &["0", "10"], "lag of log lines"),
    row("role-lag-seconds", &["0", "15"], "time until a new role can be assumed"),
    row("operation-starts", &["in-progress", "pending"], "first status of an operation"),
    row(
        "health-failure",
        &["recorded", "thresholds"],
        "when a failing health check ends a deployment",
    ),
    row("log-lines", &["classic", "with-id"], "wording of event lines"),
    row(
        "false-role-line",
        &["off", "on"],
        "`Invalid Access Role` falsely logged while rolling back",
    ),
    row(
        "auto-deployments-with-digest",
        &["accepted", "refused"],
        "AutoDeploymentsEnabled beside a digest",
    ),
    row(
        "start-deployment-refusal",
        &["invalid-request", "invalid-state"],
        "exception of StartDeployment outside of RUNNING",
    ),
];

impl Switches {
    /// Sets one switch by its name on a command line, such as `rollback-ends` to `failed`.
    pub fn set(&mut self, name: &str, position: &str) -> Result<(), String> {
        self.set_all(&[(name, position)])
    }

    /// Sets several switches, all or none.
    pub fn set_all(&mut self, pairs: &[(&str, &str)]) -> Result<(), String> {
        let mut all = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        for (name, position) in pairs {
            row_named(name)?;
            let number = position.parse::<u32>();
            all[*name] = number.map_or_else(|_| Value::from(*position), Value::from);
        }
        *self = serde_json::from_value(all).map_err(|_| refused(pairs))?;
        Ok(())
    }

    /// Sets one switch from `name=position`.
    pub fn set_pair(&mut self, pair: &str) -> Result<(), String> {
        let (name, position) =
            pair.split_once('=').ok_or_else(|| format!("`{pair}` is not NAME=POSITION"))?;
        self.set(name, position)
    }
}

fn row_named(name: &str) -> Result<&'static SwitchRow, String> {
    TABLE.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        format!("no switch is named `{name}`; there are: {}", names.join(", "))
    })
}

fn refused(pairs: &[(&str, &str)]) -> String {
    let told = pairs.iter().filter_map(|(name, position)| {
        let positions = row_named(name).ok()?.positions.join(", ");
        Some(format!("`{name}` cannot be `{position}`; try one of: {positions}"))
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_switch_and_every_position_can_be_set() {
        let all = serde_json::to_value(Switches::default()).unwrap();
        let mut named: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        named.sort_unstable();
        let fields: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, fields);
        for row in TABLE {
            for position in row.positions {
                let mut switches = Switches::default();
                switches.set(row.name, position).unwrap();
                let now = serde_json::to_value(&switches).unwrap();
                let text = now[row.name].to_string();
                assert_eq!(text.trim_matches('"'), *position);
            }
        }
    }

    #[test]
    fn the_first_position_of_each_row_is_the_default() {
        let mut switches = Switches::default();
        for row in TABLE {
            switches.set(row.name, row.positions[0]).unwrap();
        }
        assert_eq!(switches, Switches::default());
    }

    #[test]
    fn nonsense_is_refused_with_what_there_is() {
        let mut switches = Switches::default();
        assert!(switches.set("speed", "1").unwrap_err().contains("rollback-ends"));
        assert!(switches.set("rollback-ends", "x").unwrap_err().contains("rollback-failed"));
        assert!(switches.set_pair("rollback-ends").is_err());
        switches.set_pair("rollback-ends=failed").unwrap();
        assert_eq!(switches.rollback_ends, RollbackEnds::Failed);
    }
}
