//! What was pruned before, by the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::memory::proven_again;
use crate::event::Event;
use crate::names::{Digest, RepositoryName};
use crate::projection::Recorded;

/// One run of `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prune {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Who began it.
    pub by: String,
    /// The repository.
    pub repository: Option<RepositoryName>,
    /// What it was about to delete.
    pub intended: Vec<Digest>,
    /// What came of it; none where its process could not say.
    pub outcome: Option<PruneOutcome>,
}

/// What came of a run of `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneOutcome {
    /// What is gone.
    pub deleted: Vec<Digest>,
    /// What is not, and why.
    pub failures: Vec<String>,
    /// What that took, in bytes.
    pub bytes: u64,
    /// Whether a later process found it out.
    pub found: bool,
}

/// Every run of `prune`, oldest first.
pub fn prunes(records: &[Recorded]) -> Vec<Prune> {
    let mut found: Vec<Prune> = Vec::new();
    for record in records {
        match &record.event {
            Ok(Event::PruneStarted { repository, images, .. }) => {
                found.push(begun(record, Some(repository), images));
            }
            Ok(Event::ImagesPruned { deleted, failures, repository, bytes, found: later }) => {
                let (deleted, failures) = (deleted.clone(), failures.clone());
                let outcome = PruneOutcome { deleted, failures, bytes: *bytes, found: *later };
                match open(&mut found, repository.as_ref(), *later) {
                    Some(prune) => prune.outcome = Some(outcome),
                    None => found.push(Prune {
                        outcome: Some(outcome),
                        ..begun(record, repository.as_ref(), &[])
                    }),
                }
            }
            _ => {}
        }
    }
    found
}

/// The prune of this repository whose end this is: of several that did not say it, what was found out
/// afterwards is of the oldest, for they are looked at in that order; else it is the newest that ends.
fn open<'a>(
    found: &'a mut [Prune],
    repository: Option<&RepositoryName>,
    later: bool,
) -> Option<&'a mut Prune> {
    let mut fitting = found.iter_mut().filter(|prune| {
        let same = repository.is_none() || prune.repository.as_ref() == repository;
        same && prune.outcome.is_none()
    });
    if later { fitting.next() } else { fitting.next_back() }
}

fn begun(record: &Recorded, repository: Option<&RepositoryName>, images: &[Digest]) -> Prune {
    Prune {
        started_at: record.at,
        by: record.actor.clone(),
        repository: repository.cloned(),
        intended: images.to_vec(),
        outcome: None,
    }
}

/// The images that were pruned and did not come back since.
pub fn pruned(records: &[Recorded]) -> BTreeSet<&Digest> {
    let mut gone = BTreeSet::new();
    for event in records.iter().filter_map(|record| record.event.as_ref().ok()) {
        if let Event::ImagesPruned { deleted, .. } = event {
            gone.extend(deleted);
        }
        if let Some(digest) = proven_again(event) {
            gone.remove(digest);
        }
    }
    gone
}
