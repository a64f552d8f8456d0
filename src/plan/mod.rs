//! What a deployment is going to do: complete, immutable, journalled before the first effect.

mod build;
pub mod findings;
pub mod identity;
pub mod inventory;
pub mod preflight;
pub mod roles;
pub mod steps;
pub mod target;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::config::value::AutoDeployments;
use crate::config::{HealthGate, Overlay};
use crate::names::{
    Commit, DeploymentId, DeploymentNumber, Digest, ImageIdentifier, PayloadHash, RepositoryName,
    RoleArn, StreamName, Tag,
};
use crate::release::{Configuration, Release};
use crate::world::source::Checkout;
pub use build::{PlannedArgument, PlannedBuild};

/// What a deployment is going to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment's identity, planted in the service as our mark.
    pub id: DeploymentId,
    /// Its number among the deployments of this service.
    pub number: DeploymentNumber,
    /// The service.
    pub stream: StreamName,
    /// An AWS endpoint other than AWS itself (the sandbox), so that worlds never mix in one stream.
    pub endpoint: Option<String>,
    /// What is asked for.
    pub intent: Intent,
    /// What is to be true of auto-deployments.
    pub auto_deployments: AutoDeployments,
    /// Change the service even where nothing but the mark differs.
    pub force_restart: bool,
    /// The gate after App Runner's own.
    pub health: HealthGate,
    /// The health path that the release before was proven with: the way back is asked there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_path: Option<String>,
    /// What will be done, in order. Each step is looked at before it is done.
    pub steps: Vec<Step>,
    /// Images that were found bad before, and are not deployed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<BadRelease>,
}

/// A release that was found bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRelease {
    /// The image.
    pub digest: Digest,
    /// The commit that it was built from, where a person's word holds against any other build of it,
    /// too: elsewhere the same commit becomes another image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// What it ran under when it failed: under something else it was never tried. None where the image
    /// itself was found bad, by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Circumstances>,
    /// The deployment it was said of.
    pub deployment: DeploymentNumber,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl BadRelease {
    /// Whether this is that release: its image, under the same circumstances where those count.
    pub fn is(&self, release: &Release, health: &HealthGate) -> bool {
        let same = |under: &Circumstances| *under == Circumstances::of(release, health);
        release.image.digest() == Some(&self.digest) && self.under.as_ref().is_none_or(same)
    }
}

/// What an image runs under: the configuration of its service, and what it is asked for. As a hash,
/// since nothing but equality is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Circumstances(PayloadHash);

impl Circumstances {
    /// The circumstances of a release. Whether App Runner watches a tag, and which version the answer
    /// names, is no reason for an image to fail.
    pub fn of(release: &Release, health: &HealthGate) -> Self {
        let mut configuration = release.configuration.clone();
        configuration.auto_deployments = false;
        let gate = HealthGate { version: None, ..health.clone() };
        Self(PayloadHash::of(&serde_json::json!([configuration, gate])))
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[expect(clippy::large_enum_variant, reason = "there is one in a deployment")]
pub enum Intent {
    /// A new release: an image, and the changes asked for over what lives.
    Deploy {
        /// The image.
        target: Target,
        /// The changes to the configuration.
        overlay: Overlay,
        /// The role App Runner needs to pull, where neither file nor service names one.
        default_access_role: Option<RoleArn>,
    },
    /// Back to an earlier release, whole.
    Rollback {
        /// The deployment whose release it was.
        to: DeploymentNumber,
        /// The release.
        release: Release,
        /// Why, in the words of who asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether its image alone is gone back to, with the configuration that is there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        image_only: bool,
    },
}

/// Which image is to be deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The repository it is, or will be, in.
    pub repository: RepositoryName,
    /// The tag that names it.
    pub tag: Tag,
    /// The tree it comes from, as far as known.
    pub checkout: Option<Checkout>,
    /// Whether `latest` shall name it too, once the service is pinned to its digest.
    pub latest: bool,
    /// Where it comes from.
    pub origin: TargetOrigin,
}

/// Where the image comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum TargetOrigin {
    /// Built here and pushed.
    Build {
        /// What to build.
        request: PlannedBuild,
        /// The hash of context and build inputs at planning.
        context: String,
    },
    /// Already in the registry.
    Registry {
        /// The image, by digest.
        image: ImageIdentifier,
    },
}

/// One step. Files of the same names in `src/step` do them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Checks what would make the deployment fail later.
    Preflight,
    /// Makes sure that the repository exists.
    EnsureRepository,
    /// Builds the image.
    BuildImage,
    /// Pushes it and reads its digest back.
    PushImage,
    /// Records what runs now, whole.
    CapturePrevious,
    /// Creates the service, or asks it for the new release.
    ChangeService,
    /// Waits for App Runner's operation.
    AwaitOperation,
    /// Proves which release is configured.
    VerifyRelease,
    /// Asks the application itself.
    CheckHealth,
    /// Lets `latest` name the image.
    TagLatest,
    /// Gives auto-deployments back as they were.
    RestoreAutoDeployments,
    /// Asks the service for the captured release.
    RollBack,
    /// Waits for the rollback's operation.
    AwaitRollback,
    /// Proves that the captured release is back, and healthy.
    VerifyRollback,
}

impl Step {
    /// The words a person reads.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::EnsureRepository => "ensure repository",
            Self::BuildImage => "build image",
            Self::PushImage => "push image",
            Self::CapturePrevious => "capture previous",
            Self::ChangeService => "change service",
            Self::AwaitOperation => "await operation",
            Self::VerifyRelease => "verify release",
            Self::CheckHealth => "check health",
            Self::TagLatest => "tag latest",
            Self::RestoreAutoDeployments => "restore auto-deployments",
            Self::RollBack => "roll back",
            Self::AwaitRollback => "await rollback",
            Self::VerifyRollback => "verify rollback",
        }
    }

    /// Whether it changes the world outside this machine, so that an intention must be durable
    /// before it.
    pub const fn changes_the_world(self) -> bool {
        matches!(
            self,
            Self::EnsureRepository
                | Self::PushImage
                | Self::ChangeService
                | Self::TagLatest
                | Self::RestoreAutoDeployments
                | Self::RollBack
        )
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.words())
    }
}

impl Plan {
    /// The image to deploy, where this is a deployment of one.
    pub fn target(&self) -> Option<&Target> {
        match &self.intent {
            Intent::Deploy { target, .. } => Some(target),
            Intent::Rollback { .. } => None,
        }
    }

    /// The release asked for, given what runs now and the image.
    ///
    /// Whatever is not named in the plan stays as it is: read, modified, written back whole.
    pub fn desired(&self, previous: Option<&Configuration>, image: &ImageIdentifier) -> Release {
        match &self.intent {
            Intent::Rollback { release, .. } => release.clone(),
            Intent::Deploy { overlay, default_access_role, .. } => {
                let base = previous.cloned().unwrap_or_else(new_service);
                let mut configuration = overlay.apply(&base);
                if configuration.access_role.is_none() {
                    configuration.access_role.clone_from(default_access_role);
                }
                if self.auto_deployments != AutoDeployments::Keep {
                    configuration.auto_deployments = false;
                }
                Release { image: image.clone(), configuration }
            }
        }
    }
}

/// What a service gets that did not exist before, where nothing says otherwise.
fn new_service() -> Configuration {
    Configuration {
        port: Some("8080".into()),
        cpu: Some("1024".into()),
        memory: Some("2048".into()),
        ..Configuration::default()
    }
}
