//! A service, its operations, and how both look from outside.
//!
//! Shapes: App Runner service model 2020-05-15. Ids without dashes: recorded answers.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::configuration::Configuration;
use super::image::ResolvedImage;
use crate::sandbox::Timestamp;

/// Past views kept for answers that lag.
const KEPT_VIEWS: usize = 32;

/// `Service.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// The first deployment failed.
    CreateFailed,
    /// It serves, or should.
    Running,
    /// Gone, and still described for a while.
    Deleted,
    /// The deletion failed.
    DeleteFailed,
    /// No instance.
    Paused,
    /// Busy.
    OperationInProgress,
}

impl ServiceStatus {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::CreateFailed => "CREATE_FAILED",
            Self::Running => "RUNNING",
            Self::Deleted => "DELETED",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::Paused => "PAUSED",
            Self::OperationInProgress => "OPERATION_IN_PROGRESS",
        }
    }
}

/// `OperationSummary.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// Not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Ended without success and without a rollback.
    Failed,
    /// Ended with success.
    Succeeded,
    /// App Runner goes back to what was before.
    RollbackInProgress,
    /// App Runner could not go back.
    RollbackFailed,
    /// What was before is back.
    RollbackSucceeded,
}

impl OperationStatus {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
            Self::Succeeded => "SUCCEEDED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::RollbackSucceeded => "ROLLBACK_SUCCEEDED",
        }
    }

    fn has_ended(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress | Self::RollbackInProgress)
    }
}

/// `OperationSummary.Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationType {
    /// By StartDeployment or by a pushed tag.
    StartDeployment,
    /// By CreateService.
    CreateService,
    /// By `PauseService`.
    PauseService,
    /// By `ResumeService`.
    ResumeService,
    /// By `DeleteService`.
    DeleteService,
    /// By UpdateService.
    UpdateService,
}

impl OperationType {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::StartDeployment => "START_DEPLOYMENT",
            Self::CreateService => "CREATE_SERVICE",
            Self::PauseService => "PAUSE_SERVICE",
            Self::ResumeService => "RESUME_SERVICE",
            Self::DeleteService => "DELETE_SERVICE",
            Self::UpdateService => "UPDATE_SERVICE",
        }
    }
}

/// App Runner's asynchronous work, as ListOperations shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it does.
    pub kind: OperationType,
    /// Every status with its moment, so that answers can lag.
    pub history: Vec<(Timestamp, OperationStatus)>,
}

impl Operation {
    pub(crate) fn new(
        id: String,
        kind: OperationType,
        at: Timestamp,
        first: OperationStatus,
    ) -> Self {
        Self { id, kind, history: vec![(at, first)] }
    }

    /// When it began.
    pub fn started_at(&self) -> Timestamp {
        self.history[0].0
    }

    /// Where it stands.
    pub fn status(&self) -> OperationStatus {
        self.history[self.history.len() - 1].1
    }

    pub(crate) fn summary(&self, arn: &str, seen_at: Timestamp) -> Option<Value> {
        let (at, status) = *self.history.iter().rev().find(|(at, _)| *at <= seen_at)?;
        let mut row = json!({
            "Id": self.id, "Type": self.kind.word(), "Status": status.word(), "TargetArn": arn,
            "StartedAt": seconds(self.started_at()), "UpdatedAt": seconds(at),
        });
        if status.has_ended() {
            row["EndedAt"] = json!(seconds(at));
        }
        Some(row)
    }
}

/// Seconds since the epoch with milliseconds, as AWS JSON writes times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch fit in 53 bits")]
pub(crate) fn seconds(at: Timestamp) -> f64 {
    at as f64 / 1_000.0
}

/// Why an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The health check never passed.
    Unhealthy,
    /// The container exited.
    Exited {
        /// Exit code.
        code: i64,
    },
    /// ECR does not hold the image.
    ImageMissing,
    /// The copy failed for another reason.
    CopyFailed,
    /// The access role may not pull.
    InvalidAccessRole,
    /// The same in the older wording.
    InvalidAccessRoleOlder,
    /// A secret could not be read; App Runner does not say so.
    SecretUnreadable,
    /// A deletion that failed.
    DeleteFailed,
}

/// What a new instance came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The healthy threshold was reached.
    Healthy,
    /// The unhealthy threshold was reached and patience is over.
    Unhealthy,
    /// The container exited.
    Exited {
        /// Exit code.
        code: i64,
    },
    /// The image was gone when the instance was started.
    ImageMissing,
    /// The image could not be fetched.
    PullFailed,
}

/// Where the work on a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Pending,
    Pulling,
    Provisioning,
    Checking,
    Routing,
    Finishing,
    /// The failure is a fact and not yet noticed.
    Failing(Failure),
    RollingBack(Failure),
    Pausing,
    Deleting,
}

/// What faults do to one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doom {
    /// Every stage takes this many times longer; 0 and 1 change nothing.
    pub(crate) slowness: u32,
    pub(crate) pull: Option<Failure>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) rollback_fails: bool,
    pub(crate) delete_fails: bool,
}

/// What a rollback brings back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub(crate) configuration: Configuration,
    pub(crate) image: Option<ResolvedImage>,
}

/// The work under way on a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) operation: String,
    pub(crate) kind: OperationType,
    pub(crate) stage: Stage,
    /// When the stage ends by itself.
    pub(crate) due: Timestamp,
    pub(crate) pulls: bool,
    /// `None` when there is nothing to go back to.
    pub(crate) previous: Option<Revision>,
    /// The image of this operation, once pulled.
    pub(crate) image: Option<ResolvedImage>,
    pub(crate) instance: Option<String>,
    pub(crate) instance_since: Timestamp,
    /// An outcome that came before it was asked for.
    pub(crate) outcome: Option<Outcome>,
    /// Whether the traffic has really moved to the new instance.
    #[serde(default)]
    pub(crate) moved: bool,
    pub(crate) doom: Doom,
}

/// One App Runner service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Name.
    pub name: String,
    /// 32 hexadecimal digits.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Host, without scheme.
    pub url: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its configuration last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Status.
    pub status: ServiceStatus,
    /// Configuration.
    pub configuration: Configuration,
    /// `EncryptionConfiguration` as sent.
    pub encryption: Option<Value>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Operations, oldest first.
    pub operations: Vec<Operation>,
    /// App Runner's own copy of the image that was deployed last.
    pub image: Option<ResolvedImage>,
    /// The instance that serves.
    pub live: Option<String>,
    /// What the tracked tag named last, for automatic deployments.
    pub(crate) tracked: Option<String>,
    pub(crate) work: Option<Work>,
    pub(crate) maintenance_until: Option<Timestamp>,
    views: VecDeque<(Timestamp, Value)>,
}

/// What a new service starts from.
pub(crate) struct Birth {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) url: String,
    pub(crate) at: Timestamp,
    pub(crate) configuration: Configuration,
    pub(crate) encryption: Option<Value>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Service {
    pub(crate) fn new(birth: Birth) -> Self {
        Self {
            name: birth.name,
            id: birth.id,
            arn: birth.arn,
            url: birth.url,
            created_at: birth.at,
            updated_at: birth.at,
            deleted_at: None,
            status: ServiceStatus::OperationInProgress,
            configuration: birth.configuration,
            encryption: birth.encryption,
            tags: birth.tags,
            operations: Vec::new(),
            image: None,
            live: None,
            tracked: None,
            work: None,
            maintenance_until: None,
            views: VecDeque::new(),
        }
    }

    /// The log group of App Runner's own lines (developer guide, monitor-cwl).
    pub fn service_group(&self) -> String {
        format!("/aws/apprunner/{}/{}/service", self.name, self.id)
    }

    /// The log group of the program's output.
    pub fn application_group(&self) -> String {
        format!("/aws/apprunner/{}/{}/application", self.name, self.id)
    }

    /// The operation of this id.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().rev().find(|operation| operation.id == id)
    }

    pub(crate) fn mark_operation(&mut self, id: &str, at: Timestamp, status: OperationStatus) {
        if let Some(operation) = self.operations.iter_mut().rev().find(|o| o.id == id) {
            operation.history.push((at, status));
        }
    }

    /// Remembers how the service looks now.
    pub(crate) fn remember(&mut self, at: Timestamp) {
        let view = self.describe();
        self.views.push_back((at, view));
        if self.views.len() > KEPT_VIEWS {
            self.views.pop_front();
        }
    }

    /// How the service looked at a moment; `None` before it was created.
    pub(crate) fn seen_at(&self, at: Timestamp) -> Option<&Value> {
        let seen = self.views.iter().rev().find(|(since, _)| *since <= at);
        let oldest = || self.views.front().filter(|_| self.created_at <= at);
        seen.or_else(oldest).map(|(_, view)| view)
    }

    /// How the service looked at a moment, and every way it looked since then.
    pub(crate) fn seen_since(&self, at: Timestamp) -> impl Iterator<Item = &Value> {
        let later = self.views.iter().filter(move |(since, _)| *since > at);
        self.seen_at(at).into_iter().chain(later.map(|(_, view)| view))
    }

    /// `Service` as on the wire.
    pub fn describe(&self) -> Value {
        let mut view = Map::new();
        let mut put = |name: &str, value: Value| {
            view.insert(name.to_owned(), value);
        };
        put("ServiceName", json!(self.name));
        put("ServiceId", json!(self.id));
        put("ServiceArn", json!(self.arn));
        put("ServiceUrl", json!(self.url));
        put("CreatedAt", json!(seconds(self.created_at)));
        put("UpdatedAt", json!(seconds(self.updated_at)));
        put("Status", json!(self.status.word()));
        put("SourceConfiguration", json!(self.configuration.source));
        put("InstanceConfiguration", json!(self.configuration.instance));
        put("HealthCheckConfiguration", json!(self.configuration.health_check));
        put("NetworkConfiguration", self.configuration.network.clone());
        put("AutoScalingConfigurationSummary", auto_scaling(&self.configuration.auto_scaling_arn));
        let observability = self.configuration.observability.clone();
        put(
            "ObservabilityConfiguration",
            observability.unwrap_or_else(|| json!({"ObservabilityEnabled": false})),
        );
        if let Some(encryption) = &self.encryption {
            put("EncryptionConfiguration", encryption.clone());
        }
        if let Some(at) = self.deleted_at {
            put("DeletedAt", json!(seconds(at)));
        }
        Value::Object(view)
    }
}

/// ARN, name and revision: `…:autoscalingconfiguration/NAME/REVISION/ID`.
pub(crate) fn auto_scaling(arn: &str) -> Value {
    let mut parts = arn.split('/').skip(1);
    let name = parts.next().unwrap_or("DefaultConfiguration");
    let revision: u32 = parts.next().and_then(|number| number.parse().ok()).unwrap_or(1);
    json!({
        "AutoScalingConfigurationArn": arn, "AutoScalingConfigurationName": name,
        "AutoScalingConfigurationRevision": revision,
    })
}

/// A row of `ListServices`: whole seconds, as recorded.
pub(crate) fn summary(view: &Value) -> Value {
    let whole = |name: &str| view[name].as_f64().map(f64::floor);
    json!({
        "ServiceName": view["ServiceName"], "ServiceId": view["ServiceId"],
        "ServiceArn": view["ServiceArn"], "ServiceUrl": view["ServiceUrl"],
        "CreatedAt": whole("CreatedAt"), "UpdatedAt": whole("UpdatedAt"), "Status": view["Status"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_seen_as_it_was() {
        let mut operation = Operation::new(
            "a".into(),
            OperationType::UpdateService,
            100,
            OperationStatus::InProgress,
        );
        operation.history.push((200, OperationStatus::Succeeded));
        assert!(operation.summary("arn", 99).is_none());
        let early = operation.summary("arn", 150).unwrap();
        assert_eq!((early["Status"].as_str(), early.get("EndedAt")), (Some("IN_PROGRESS"), None));
        let late = operation.summary("arn", 200).unwrap();
        assert_eq!(
            (late["Status"].as_str(), late["EndedAt"].as_f64()),
            (Some("SUCCEEDED"), Some(0.2))
        );
    }

    #[test]
    fn words_are_those_of_the_model() {
        for status in [
            ServiceStatus::CreateFailed,
            ServiceStatus::DeleteFailed,
            ServiceStatus::OperationInProgress,
        ] {
            assert_eq!(json!(status), status.word());
        }
        for status in [OperationStatus::InProgress, OperationStatus::RollbackSucceeded] {
            assert_eq!(json!(status), status.word());
        }
        assert_eq!(json!(OperationType::StartDeployment), OperationType::StartDeployment.word());
    }
}
