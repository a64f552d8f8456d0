//! What a person of the simulation wants, and the plan that follows: as `surefoot deploy` plans.

use std::time::Duration;

use super::{repository, stream};
use crate::config::value::{AutoDeployments, HealthFrom};
use crate::config::{HealthGate, Overlay};
use crate::names::{DeploymentNumber, ImageIdentifier, OperationId, RoleArn, Tag};
use crate::plan::identity::Facts;
use crate::plan::{Intent, Plan, PlannedBuild, Target, TargetOrigin, steps};
use crate::release::Release;

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The image.
    pub image: WishedImage,
    /// Changes to the configuration.
    pub overlay: Overlay,
    /// The role that pulls.
    pub access_role: Option<RoleArn>,
    /// What is to become of auto-deployments.
    pub auto_deployments: AutoDeployments,
    /// Change the mark even where nothing else differs.
    pub force_restart: bool,
    /// Let `latest` follow.
    pub latest: bool,
    /// What makes this machine's attempt its own.
    pub place: String,
}

/// Which image is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum WishedImage {
    /// Built from a context, under a tag.
    Built {
        /// The hash of the context.
        context: String,
        /// The tag.
        tag: Tag,
    },
    /// One that is in the registry.
    There(ImageIdentifier),
    /// An earlier release, whole.
    Earlier(Box<Release>),
}

/// What was seen before planning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) number: DeploymentNumber,
    pub(super) head: &'a str,
    pub(super) newest: Option<&'a OperationId>,
}

impl Wish {
    /// A wish for an image and nothing else.
    pub fn of(image: WishedImage) -> Self {
        Self {
            image,
            overlay: Overlay::default(),
            access_role: None,
            auto_deployments: AutoDeployments::Keep,
            force_restart: false,
            latest: false,
            place: "here".into(),
        }
    }

    pub(super) fn plan(&self, seen: Seen<'_>) -> Plan {
        let stream = stream();
        let facts = Facts {
            stream: &stream,
            number: seen.number,
            head: seen.head,
            newest_operation: seen.newest,
            place: &self.place,
        };
        let intent = self.intent();
        Plan {
            id: facts.deployment(),
            number: seen.number,
            endpoint: None,
            steps: steps::of(&intent, self.auto_deployments),
            intent,
            auto_deployments: self.auto_deployments,
            force_restart: self.force_restart,
            health: gate(),
            bad: Vec::new(),
            previous_path: None,
            stream,
        }
    }

    fn intent(&self) -> Intent {
        let (origin, tag) = match &self.image {
            WishedImage::Earlier(release) => {
                return Intent::Rollback {
                    to: DeploymentNumber(1),
                    release: *release.clone(),
                    reason: None,
                };
            }
            WishedImage::Built { context, tag } => {
                let (request, context) = (request(), context.clone());
                (TargetOrigin::Build { request, context }, tag.clone())
            }
            WishedImage::There(image) => {
                let tag = "there".parse().expect("a tag");
                (TargetOrigin::Registry { image: image.clone() }, tag)
            }
        };
        let target =
            Target { repository: repository(), tag, checkout: None, latest: self.latest, origin };
        Intent::Deploy {
            target,
            overlay: self.overlay.clone(),
            default_access_role: self.access_role.clone(),
        }
    }
}

fn request() -> PlannedBuild {
    PlannedBuild {
        context: "/project".into(),
        dockerfile: "Dockerfile".into(),
        arguments: std::collections::BTreeMap::new(),
        target: None,
    }
}

fn gate() -> HealthGate {
    HealthGate {
        path: "/healthz".into(),
        retries: 5,
        timeout: Duration::from_secs(10),
        interval: Duration::from_secs(5),
        passes: 2,
        from: HealthFrom::Service,
        assertions: Vec::new(),
        version: None,
        allow_missing_dependencies: false,
    }
}
