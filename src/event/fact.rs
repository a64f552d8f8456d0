//! What events say of the world: what was seen, asked for, proven.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{DeploymentId, Digest, ImageIdentifier, OperationId, PayloadHash, ServiceArn};
use crate::release::{Difference, Release};
use crate::world::service::{Service, ServiceStatus};

/// What was seen of the service just before a call that changes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observation {
    /// Its status.
    pub status: Option<ServiceStatus>,
    /// The image it was configured with.
    pub image: Option<String>,
    /// The mark it carried.
    pub mark: Option<String>,
    /// Every operation known at that moment, from the list and from our own journal: an operation
    /// that is not among them came later.
    pub known_operations: Vec<OperationId>,
}

/// A service as it was before we touched it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Captured {
    /// The service.
    pub service: ServiceArn,
    /// Its id.
    pub service_id: String,
    /// Its address, without a scheme.
    pub url: String,
    /// Its status.
    pub status: ServiceStatus,
    /// What it is configured with; `None` where that is no image of ECR.
    pub release: Option<Release>,
    /// The mark it carried.
    pub mark: Option<String>,
    /// The digest behind the release's image, and how well that is known.
    pub digest: Option<PreviousDigest>,
}

impl Captured {
    /// A service as it is now, with what is known of the digest behind its image.
    pub fn of(service: &Service, digest: Option<PreviousDigest>) -> Self {
        Self {
            service: service.arn.clone(),
            service_id: service.id.clone(),
            url: service.url.clone(),
            status: service.status.clone(),
            release: service.release(),
            mark: service.mark.clone(),
            digest,
        }
    }

    /// The release it ran. What a service in `CREATE_FAILED` is configured with never ran.
    pub fn ran(&self) -> Option<&Release> {
        self.release.as_ref().filter(|_| self.status != ServiceStatus::CreateFailed)
    }
}

/// The digest of the previous image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "known")]
pub enum PreviousDigest {
    /// The identifier carried it.
    Proven {
        /// The digest.
        digest: Digest,
        /// Whether ECR still holds the image, where it could say.
        in_registry: Option<bool>,
    },
    /// The identifier was a tag that names this digest today. It may not be what runs.
    ResolvedToday {
        /// The digest.
        digest: Digest,
    },
    /// The identifier was a tag that names nothing any more.
    Gone,
}

/// A change that App Runner accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// The service.
    pub service: ServiceArn,
    /// Its id: the end of its ARN.
    pub service_id: String,
    /// Its address, without a scheme.
    pub url: String,
    /// The work App Runner does for it.
    pub operation: Option<OperationId>,
    /// The mark it planted.
    pub mark: DeploymentId,
    /// The release it asked for.
    pub release: Release,
    /// What that changed.
    pub differences: Vec<Difference>,
    /// The hash of the request.
    pub payload: Option<PayloadHash>,
    /// Something to say about it, such as a fallback that was taken.
    pub note: Option<String>,
    /// Whether it was found done rather than done now (after a kill or a lost answer).
    pub found: bool,
}

/// Why a release is believed to be live: each item was checked, none is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The identifier the service is configured with.
    pub image: ImageIdentifier,
    /// The digest it stands for.
    pub digest: Option<Digest>,
    /// The mark it carries.
    pub mark: Option<String>,
    /// The operation that brought it, by its own status SUCCEEDED.
    pub operation: Option<OperationId>,
    /// The service status.
    pub status: ServiceStatus,
    /// That no operation is newer than ours.
    pub newest_operation: Option<OperationId>,
}

/// What the health gate saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Whether it passed, or was not asked at all (`none`: printed as unproven).
    pub outcome: HealthOutcome,
    /// The URL asked.
    pub url: String,
    /// Requests made.
    pub attempts: u32,
    /// The last HTTP status.
    pub status: Option<u16>,
    /// How long the last answer took.
    pub took: Option<Duration>,
    /// What was wrong at last, or what is doubtful.
    pub findings: Vec<String>,
    /// The version the application says it is.
    pub version: Option<String>,
}

/// How the health gate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthOutcome {
    /// Enough passes in a row.
    Passed,
    /// Not enough.
    Failed,
    /// Not asked: `[health] from = "none"`.
    Unproven,
}

/// Who brought the old release back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolledBackBy {
    /// App Runner, after the operation failed.
    AppRunner,
    /// We did.
    Surefoot,
}
