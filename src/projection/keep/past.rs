//! What was pruned before, by the journal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::memory::proven_again;
use crate::event::Event;
use crate::names::{Digest, RepositoryName, ServiceName};
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
    /// The service that was asked about, where that is another one: of what was pruned, only the images
    /// that this one knows are told here then.
    pub asked: Option<ServiceName>,
    /// What it was about to delete.
    pub intended: Vec<Digest>,
    /// What came of it; none where its process could not say.
    pub outcome: Option<PruneOutcome>,
}

/// What came of a run of `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneOutcome {
    /// What was deleted; found out afterwards, what is gone.
    pub deleted: Vec<Digest>,
    /// What was gone before.
    pub not_there: Vec<Digest>,
    /// What is not, and why.
    pub failures: Vec<String>,
    /// What was deleted took, in bytes.
    pub bytes: u64,
    /// Whether a later process found it out.
    pub found: bool,
}

/// Every run of `prune`, oldest first.
pub fn prunes(records: &[Recorded]) -> Vec<Prune> {
    let mut found: Vec<Prune> = Vec::new();
    for record in records {
        match &record.event {
            Ok(Event::PruneStarted { repository, images, asked, .. }) => {
                let begun = begun(record, Some(repository), images);
                found.push(Prune { asked: asked.clone(), ..begun });
            }
            Ok(event) => {
                let Some((repository, outcome)) = ended(event) else { continue };
                if let Some(prune) = open(&mut found, repository, outcome.found) {
                    prune.outcome = Some(outcome);
                } else {
                    let begun = begun(record, repository, &[]);
                    found.push(Prune { outcome: Some(outcome), ..begun });
                }
            }
            Err(_) => {}
        }
    }
    found
}

/// What came of a prune, where this event says it.
fn ended(event: &Event) -> Option<(Option<&RepositoryName>, PruneOutcome)> {
    let Event::ImagesPruned { deleted, not_there, failures, repository, bytes, found } = event
    else {
        return None;
    };
    let outcome = PruneOutcome {
        deleted: deleted.clone(),
        not_there: not_there.clone(),
        failures: failures.clone(),
        bytes: *bytes,
        found: *found,
    };
    Some((repository.as_ref(), outcome))
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
        asked: None,
        intended: images.to_vec(),
        outcome: None,
    }
}

/// The images that were pruned, or gone when they were to be, and did not come back since.
pub fn pruned(records: &[Recorded]) -> BTreeSet<&Digest> {
    let mut gone = BTreeSet::new();
    for event in records.iter().filter_map(|record| record.event.as_ref().ok()) {
        if let Event::ImagesPruned { deleted, not_there, .. } = event {
            gone.extend(deleted.iter().chain(not_there));
        }
        if let Some(digest) = proven_again(event) {
            gone.remove(digest);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::projection::examples::{digest, morning};

    fn recorded(type_name: &str, data: &Value) -> Recorded {
        Recorded {
            sequence: 1,
            at: morning(),
            deployment: None,
            actor: "ada@laptop".into(),
            ci_run: None,
            event: Ok(Event::parse(type_name, data).unwrap()),
        }
    }

    #[test]
    fn what_was_gone_before_is_gone_and_nobody_is_said_to_have_deleted_it() {
        let (one, two) = (digest("one"), digest("two"));
        let records = [
            recorded(
                "PruneStarted",
                &json!({"repository": "shop", "keep": 1, "images": [one, two], "bytes": 9}),
            ),
            recorded(
                "ImagesPruned",
                &json!({"deleted": [one], "not_there": [two], "failures": [], "repository": "shop"}),
            ),
        ];
        assert_eq!(pruned(&records), BTreeSet::from([&one, &two]));
        let prunes = prunes(&records);
        let outcome = prunes[0].outcome.as_ref().unwrap();
        assert_eq!((&outcome.deleted, &outcome.not_there), (&vec![one], &vec![two]));
    }

    #[test]
    fn events_of_before_these_were_told_apart_are_read() {
        let one = digest("one");
        let records = [recorded("ImagesPruned", &json!({"deleted": [one], "failures": []}))];
        assert_eq!(pruned(&records), BTreeSet::from([&one]));
        assert_eq!(prunes(&records)[0].outcome.as_ref().unwrap().not_there, []);
    }
}
