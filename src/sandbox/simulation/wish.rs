//! What a person of the simulation wants, and the plan that follows: as `surefoot deploy` plans.

use std::time::Duration;

use super::super::cloud::chance::Chance;
use super::weather::pick;
use super::{repository, stream};
use crate::config::value::{AutoDeployments, HealthFrom};
use crate::config::{HealthGate, Overlay};
use crate::ledger::Entry;
use crate::names::{DeploymentNumber, ImageIdentifier, OperationId, RoleArn, Tag};
use crate::plan::identity::Facts;
use crate::plan::{Intent, Plan, PlannedBuild, Target, TargetOrigin, steps};
use crate::projection::{Candidate, Recorded, last_good};
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
    /// The last good release by the journal, whole; another one, built from here, where it knows none.
    LastGood {
        /// The hash of that context.
        context: String,
        /// The tag.
        tag: Tag,
    },
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

    /// The same, with the release that the journal names where it is asked: as `surefoot rollback`.
    pub(super) fn resolved(&self, entries: &[Entry]) -> Self {
        let WishedImage::LastGood { context, tag } = &self.image else { return self.clone() };
        let records: Vec<Recorded> = entries.iter().map(Entry::recorded).collect();
        let image = match last_good(&records) {
            Some(candidate) => WishedImage::Earlier(Box::new(pinned(candidate))),
            None => WishedImage::Built { context: context.clone(), tag: tag.clone() },
        };
        Self { image, ..self.clone() }
    }

    /// The context that must be checked out for it.
    pub(super) fn context(&self) -> Option<&str> {
        match &self.image {
            WishedImage::Built { context, .. } | WishedImage::LastGood { context, .. } => {
                Some(context)
            }
            _ => None,
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
                    image_only: false,
                };
            }
            WishedImage::Built { context, tag } | WishedImage::LastGood { context, tag } => {
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

/// What follows once the first deployment is over, in one seed of six: another release, the way back to
/// the last good one, and one more.
pub(super) fn series(first: &Wish, chance: &mut Chance) -> Vec<Wish> {
    let length = [0, 0, 0, 0, 0, 1, 1, 2, 3][pick(chance, 9)];
    let tree = |digit: &str| (digit.repeat(64), digit.repeat(7).parse::<Tag>().expect("a tag"));
    let built = |digit: &str| {
        let (context, tag) = tree(digit);
        WishedImage::Built { context, tag }
    };
    let (context, tag) = tree("7");
    let back = WishedImage::LastGood { context, tag };
    let port = Overlay { port: Some("9191".into()), ..Overlay::default() };
    let next = |image, overlay| Wish {
        access_role: first.access_role.clone(),
        overlay,
        ..Wish::of(image)
    };
    let more = [
        next(built("5"), port.clone()),
        next(back, Overlay::default()),
        next(built("6"), Overlay::default()),
    ];
    let more = more.into_iter().take(length);
    std::iter::once(first.clone()).chain(more).collect()
}

/// A rollback goes by the digest that the journal proved, as `surefoot rollback` does.
fn pinned(candidate: Candidate) -> Release {
    let Candidate { row, mut release } = candidate;
    let digest = row.digest.as_ref().filter(|_| release.image.digest().is_none());
    let uri = release.image.repository_uri();
    let by_digest = digest.and_then(|digest| ImageIdentifier::by_digest(&uri, digest).ok());
    release.image = by_digest.unwrap_or(release.image);
    release
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
