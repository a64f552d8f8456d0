//! What is missing before anything may be deleted.

use serde::Serialize;

use super::{Memory, Named, Picture, Running};
use crate::names::{DeploymentNumber, Digest, ServiceName};
use crate::projection::RECOVERED;
use crate::world::service::ServiceStatus;

/// Something that must be known, or over, first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "missing")]
pub enum Missing {
    /// A deployment is not over.
    Unfinished {
        /// The service.
        service: ServiceName,
        /// The deployment.
        number: DeploymentNumber,
    },
    /// A deployment was written by a newer surefoot, or makes no sense.
    Unreadable {
        /// The service.
        service: ServiceName,
        /// The deployment.
        number: DeploymentNumber,
    },
    /// App Runner is at work on a service that uses the repository.
    Busy {
        /// The service.
        service: ServiceName,
    },
    /// A service uses the repository, and this journal knows nothing of it.
    NoHistory {
        /// The service.
        service: ServiceName,
    },
    /// A service was deployed by a surefoot with another journal.
    OtherJournal {
        /// The service.
        service: ServiceName,
    },
    /// The journal of a service began anew, and does not know yet what could be gone back to.
    BeganAnew {
        /// The service.
        service: ServiceName,
    },
    /// Another journal deployed the service between two deployments of this one, and what could be
    /// gone back to from there is not known.
    Between {
        /// The service.
        service: ServiceName,
        /// The deployment of this journal that found its release.
        number: DeploymentNumber,
    },
    /// What an index holds could not be read.
    UnreadIndex {
        /// The index.
        index: Digest,
    },
}

impl Missing {
    /// What it is, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Unfinished { service, number } => {
                format!("deployment {number} of `{service}` is unfinished")
            }
            Self::Unreadable { service, number } => {
                format!("deployment {number} of `{service}` cannot be read by this version")
            }
            Self::Busy { service } => format!("App Runner is at work on `{service}`"),
            Self::NoHistory { service } => {
                format!("`{service}` uses this repository, and this journal knows nothing of it")
            }
            Self::OtherJournal { service } => {
                format!("`{service}` was last deployed by a surefoot with another journal")
            }
            Self::BeganAnew { service } => format!(
                "this journal began anew on `{service}`, and does not know what came before"
            ),
            Self::Between { service, number } => {
                format!("another journal deployed `{service}` before {number} of this one")
            }
            Self::UnreadIndex { index } => {
                format!("ECR did not say what the index {} holds", index.short())
            }
        }
    }

    /// The service of which a person may accept that nothing is known.
    pub fn acceptable(&self) -> Option<&ServiceName> {
        match self {
            Self::NoHistory { service }
            | Self::OtherJournal { service }
            | Self::BeganAnew { service }
            | Self::Between { service, .. } => Some(service),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unfinished { service, .. } => {
                format!("end it: `surefoot resume --service-name {service}`")
            }
            Self::Unreadable { .. } => "install the newer surefoot that wrote it".into(),
            Self::Busy { service } => {
                format!("wait until it is done: `surefoot status --service-name {service}`")
            }
            Self::NoHistory { service } | Self::OtherJournal { service } => format!(
                "prune where its journal is; or, to keep no more of it than what it runs: \
                 `surefoot prune --without-history {service}`"
            ),
            Self::Between { service, .. } => format!(
                "prune where that journal is; or, to keep no more than what this journal knows: \
                 `surefoot prune --without-history {service}`"
            ),
            Self::BeganAnew { service } => format!(
                "prune where its journal is, or keep that with your CI's cache; or, to keep no more \
                 than what this journal knows: `surefoot prune --without-history {service}`"
            ),
            Self::UnreadIndex { .. } => "run the same command again".into(),
        }
    }
}

/// What is missing, where so many releases of each service are to be kept. Of the services `accepted`
/// nothing is kept but what they run, and what this journal knows.
pub fn missing(picture: &Picture, keep: u32, accepted: &[ServiceName]) -> Vec<Missing> {
    let memories = picture.memories.iter().flat_map(|memory| of_memory(picture, keep, memory));
    let services = picture.services.iter().filter_map(|service| of_service(picture, service));
    let accepted =
        |missing: &Missing| missing.acceptable().is_some_and(|service| accepted.contains(service));
    let unread = picture.unread().into_iter().cloned().map(|index| Missing::UnreadIndex { index });
    memories.chain(services).chain(unread).filter(|missing| !accepted(missing)).collect()
}

fn of_memory(picture: &Picture, keep: u32, memory: &Memory) -> Vec<Missing> {
    let service = || memory.stream.service.clone();
    // Of a deployment that cannot be read, nobody knows which repository it uses.
    let unreadable = memory
        .unreadable
        .iter()
        .map(|number| Missing::Unreadable { service: service(), number: *number });
    let uses = memory.repositories.contains(&picture.repository);
    let gap = gap(picture, memory).filter(|number| uses && !enough_since(memory, *number, keep));
    let gap = gap.map(|number| match number {
        RECOVERED => Missing::BeganAnew { service: service() },
        number => Missing::Between { service: service(), number },
    });
    let unfinished = memory.unfinished.filter(|_| uses);
    let unfinished = unfinished.map(|number| Missing::Unfinished { service: service(), number });
    unfinished.into_iter().chain(unreadable).chain(gap).collect()
}

/// Where this memory found what none of those that are known here had deployed, the last time.
fn gap(picture: &Picture, memory: &Memory) -> Option<DeploymentNumber> {
    let ours = |mark: &String| {
        picture.memories_of(&memory.stream.service).any(|it| it.marks.contains(mark))
    };
    let mut found = memory.found.iter().rev();
    found.find(|(_, mark)| !ours(mark)).map(|(number, _)| *number)
}

/// What came before is out of reach anyway, once enough has come since.
fn enough_since(memory: &Memory, number: DeploymentNumber, keep: u32) -> bool {
    let since = |target: &&Named| target.number != RECOVERED && target.number >= number;
    let since = memory.targets.iter().filter(since).count();
    u32::try_from(since).map_or(true, |since| since >= keep)
}

fn of_service(picture: &Picture, service: &Running) -> Option<Missing> {
    let name = || service.name.clone();
    let configured =
        service.image.as_ref().is_some_and(|image| image.repository == picture.repository);
    let uses = |memory: &Memory| memory.repositories.contains(&picture.repository);
    let deployed = picture.memories_of(&service.name).any(uses);
    if !configured && !deployed {
        return None;
    }
    if service.status == ServiceStatus::OperationInProgress {
        return Some(Missing::Busy { service: name() });
    }
    if !deployed {
        return Some(Missing::NoHistory { service: name() });
    }
    let ours = |mark| picture.memories_of(&service.name).any(|memory| memory.marks.contains(mark));
    let foreign = service.mark.as_ref().is_some_and(|mark| !ours(mark));
    foreign.then(|| Missing::OtherJournal { service: name() })
}
