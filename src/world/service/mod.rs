//! App Runner: the services of one account and region.

mod app_runner;

pub use app_runner::AppRunner;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::WorldError;
use crate::names::{DeploymentId, ImageIdentifier, OperationId, ServiceArn, ServiceName};
use crate::release::{Configuration, Release, Values};

/// App Runner, as far as a deployment needs it. Reads may be retried by the adapter; mutating calls
/// are sent once, and an unclear end is [`WorldError::Unanswered`].
#[async_trait]
pub trait Services: Send + Sync {
    /// The service of this name, if there is one that is not deleted.
    async fn find(&self, name: &ServiceName) -> Result<Option<Service>, WorldError>;
    /// The service with this ARN; `None` when App Runner no longer knows it.
    async fn describe(&self, arn: &ServiceArn) -> Result<Option<Service>, WorldError>;
    /// Every service of the account and region that is not deleted.
    async fn all(&self) -> Result<Vec<Service>, WorldError>;
    /// The newest operations, newest first; at most `limit`, all where it is `None`.
    async fn operations(
        &self,
        arn: &ServiceArn,
        limit: Option<usize>,
    ) -> Result<Vec<Operation>, WorldError>;
    /// Creates the service. Returns as soon as the work is accepted.
    async fn create(&self, name: &ServiceName, change: &Change<'_>) -> Result<Issued, WorldError>;
    /// Asks for a new release, complete structures in one call. Returns as soon as it is accepted.
    async fn update(&self, arn: &ServiceArn, change: &Change<'_>) -> Result<Issued, WorldError>;
    /// The very request body that [`Services::create`] would send, by the same code.
    async fn preview_create(
        &self,
        name: &ServiceName,
        change: &Change<'_>,
    ) -> Result<serde_json::Value, WorldError>;
    /// The very request body that [`Services::update`] would send, by the same code.
    async fn preview_update(
        &self,
        arn: &ServiceArn,
        change: &Change<'_>,
    ) -> Result<serde_json::Value, WorldError>;
}

/// What is to become of a service.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Image and configuration, complete.
    pub release: &'a Release,
    /// The plain values behind the hashes in the release.
    pub values: &'a Values,
    /// Our mark, planted in the same call.
    pub mark: &'a DeploymentId,
}

/// What App Runner answered to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The service.
    pub arn: ServiceArn,
    /// The work it started; `None` when nothing changed (App Runner then names no operation).
    pub operation: Option<OperationId>,
}

/// A service as DescribeService shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its ARN.
    pub arn: ServiceArn,
    /// The id at the end of the ARN; log groups carry it.
    pub id: String,
    /// Its name.
    pub name: ServiceName,
    /// Host (and port, in the sandbox) without a scheme.
    pub url: String,
    /// Its status. Proves nothing about a deployment.
    pub status: ServiceStatus,
    /// Where its code comes from.
    pub origin: Origin,
    /// What it runs with, mark aside.
    pub configuration: Configuration,
    /// The plain values behind the configuration's hashes, mark aside.
    pub values: Values,
    /// The mark it carries.
    pub mark: Option<String>,
    /// Whether the internet reaches it; false for private ingress.
    pub public: bool,
    /// Parts surefoot never sends, for showing drift: network, observability, auto scaling.
    pub kept_as_is: BTreeMap<String, serde_json::Value>,
    /// When it was last changed, by AWS's clock.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Where a service's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A private ECR repository.
    Ecr(ImageIdentifier),
    /// ECR Public: deployable, without access role and auto-deployments.
    EcrPublic(String),
    /// A source code repository: not ours to deploy.
    Code(String),
}

impl Service {
    /// The release it runs by its own account, where it runs an image from ECR.
    pub fn release(&self) -> Option<Release> {
        match &self.origin {
            Origin::Ecr(image) => {
                Some(Release { image: image.clone(), configuration: self.configuration.clone() })
            }
            Origin::EcrPublic(_) | Origin::Code(_) => None,
        }
    }
}

/// App Runner's service status. Source: service model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// It serves something; not necessarily what we deployed.
    Running,
    /// Somebody paused it.
    Paused,
    /// Work is under way, ours or not.
    OperationInProgress,
    /// Its first deployment failed.
    CreateFailed,
    /// It is gone.
    Deleted,
    /// Its deletion failed; only deleting again is possible.
    DeleteFailed,
    /// A word this version does not know.
    #[serde(untagged)]
    Unknown(String),
}

/// One piece of asynchronous work of App Runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Its type, in App Runner's word, such as `UPDATE_SERVICE`.
    pub kind: String,
    /// Where it stands.
    pub status: OperationStatus,
    /// When it began, by AWS's clock.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where an operation stands. Source: service model, all seven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// Accepted, not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Ended without its goal.
    Failed,
    /// Ended with its goal.
    Succeeded,
    /// App Runner is going back by itself.
    RollbackInProgress,
    /// App Runner could not go back.
    RollbackFailed,
    /// App Runner went back.
    RollbackSucceeded,
    /// A word this version does not know: keep waiting.
    #[serde(untagged)]
    Unknown(String),
}

impl OperationStatus {
    /// Whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Succeeded | Self::RollbackFailed | Self::RollbackSucceeded
        )
    }
}

impl std::fmt::Display for OperationStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
            Self::Succeeded => "SUCCEEDED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::RollbackSucceeded => "ROLLBACK_SUCCEEDED",
            Self::Unknown(word) => word,
        })
    }
}

impl std::fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::OperationInProgress => "OPERATION_IN_PROGRESS",
            Self::CreateFailed => "CREATE_FAILED",
            Self::Deleted => "DELETED",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::Unknown(word) => word,
        })
    }
}
