//! The journals of all services that may share the repository: read before pruning, written around
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::trouble;
use crate::command::setup::Setup;
use crate::command::{guard, holding, record};
use crate::event::Event;
use crate::journal::JournalError;
use crate::journal::redb::RedbJournal;
use crate::ledger::Ledger;
use crate::names::{Digest, RepositoryName, StreamName};
use crate::problem::Problem;
use crate::projection::{Choice, Deletions, Memory, Picture, Prune, Stopped, prunes, remember};
use crate::text::counted;
use crate::view::documents::PruneSheet;
use crate::world::clock::{Clock as _, SystemClock};

/// The journals of one account and region.
pub(super) struct Books {
    main: StreamName,
    all: Vec<Book>,
    /// What the journals of other clones on this machine remember: read, never written.
    clones: Vec<Memory>,
    history: std::path::PathBuf,
    /// What to type to see what is left.
    again: String,
}

/// The journal of one service.
struct Book {
    ledger: Ledger,
    memory: Memory,
    /// Prunes that could not say how they ended, oldest first.
    unsettled: Vec<Prune>,
    /// Whether the intention of this one is written here.
    begun: bool,
}

impl Books {
    /// Reads, verified in full, the journal of every service of the same account and region.
    pub(super) fn open(setup: &Setup, main: &StreamName, again: &str) -> Result<Self, Problem> {
        let Some(journal) = setup.existing_journal()? else {
            return Err(trouble::no_history(None));
        };
        let heads = journal.streams();
        let heads =
            heads.map_err(|error| super::super::trouble::journal(&error, &setup.history))?;
        let mut books = Vec::new();
        for stream in heads.into_iter().map(|head| head.stream) {
            if stream.account != main.account || stream.region != main.region {
                continue;
            }
            let ledger = setup.ledger(journal.clone(), stream.clone())?;
            let records = record::records(&ledger);
            let memory = remember(&stream, &records);
            let mut unsettled = prunes(&records);
            unsettled.retain(|prune| prune.outcome.is_none());
            if stream == *main {
                guard::refuse_mixed_worlds(&ledger, setup)?;
            } else if memory.endpoint != setup.endpoint() && memory.endpoint.is_some() {
                // A service of another world: its images are not here.
                continue;
            }
            books.push(Book { ledger, memory, unsettled, begun: false });
        }
        let mut clones = Vec::new();
        for book in &books {
            clones.extend(of_clones(setup, &book.memory.stream)?);
        }
        Ok(Self {
            main: main.clone(),
            all: books,
            clones,
            history: setup.history.clone(),
            again: again.to_owned(),
        })
    }

    /// The service that was asked about.
    pub(super) fn main(&self) -> &StreamName {
        &self.main
    }

    /// What all of them remember.
    pub(super) fn memories(&self) -> Vec<Memory> {
        self.all.iter().map(|book| &book.memory).chain(&self.clones).cloned().collect()
    }

    /// The services that used the repository, and the one that was asked about.
    pub(super) fn sharing(&self, repository: &RepositoryName) -> impl Iterator<Item = &StreamName> {
        let shares = |memory: &&Memory| {
            memory.stream == self.main || memory.repositories.contains(repository)
        };
        self.all.iter().map(|book| &book.memory).filter(shares).map(|memory| &memory.stream)
    }

    /// Prunes of this repository that could not say how they ended, in words.
    pub(super) fn unsettled(&self, picture: &Picture) -> Vec<String> {
        let here = self.all.iter().filter(|book| book.memory.stream == self.main);
        here.flat_map(|book| &book.unsettled)
            .filter(|prune| prune.repository.as_ref() == Some(&picture.repository))
            .map(|prune| {
                let gone = prune.intended.iter().filter(|digest| !picture.holds(digest)).count();
                format!(
                    "a prune that {} began did not say how it ended: {gone} of its {} images are gone",
                    prune.by,
                    prune.intended.len()
                )
            })
            .collect()
    }

    /// Writes down what became of prunes that could not say it: what is gone is gone.
    pub(super) fn settle(&mut self, picture: &Picture) -> Result<(), Problem> {
        for book in &mut self.all {
            let here = |prune: &Prune| prune.repository.as_ref() == Some(&picture.repository);
            let unsettled = std::mem::take(&mut book.unsettled);
            for prune in unsettled.into_iter().filter(here) {
                let gone = prune.intended.into_iter().filter(|digest| !picture.holds(digest));
                let event = Event::ImagesPruned {
                    deleted: gone.collect(),
                    not_there: Vec::new(),
                    failures: Vec::new(),
                    repository: prune.repository,
                    bytes: 0,
                    found: true,
                };
                append(
                    book,
                    &event,
                    (&self.history, &self.again),
                    "Nothing was deleted by this run.",
                )?;
            }
        }
        Ok(())
    }

    /// Writes down the intention, durable before the first call.
    pub(super) fn begin(
        &mut self,
        picture: &Picture,
        choices: &[Choice],
        keep: u32,
    ) -> Result<(), Problem> {
        let calls = crate::projection::calls(picture, choices);
        let going: Vec<Digest> = calls.into_iter().flatten().collect();
        let sizes = sizes(choices);
        let main = self.main.clone();
        for book in &mut self.all {
            let images = share(book, &main, &going);
            if images.is_empty() {
                continue;
            }
            let bytes = images.iter().filter_map(|digest| sizes.get(digest)).sum();
            let repository = picture.repository.clone();
            let asked = (book.memory.stream != main).then(|| main.service.clone());
            let event = Event::PruneStarted { repository, keep, images, bytes, asked };
            append(book, &event, (&self.history, &self.again), "Nothing was deleted.")?;
            book.begun = true;
        }
        Ok(())
    }

    /// Writes down what came of it; where that is not known, nothing: the next prune looks.
    pub(super) fn end(&mut self, sheet: &PruneSheet, deletions: &Deletions) -> Result<(), Problem> {
        if matches!(deletions.stopped, Some(Stopped::Unknown(_))) {
            return Ok(());
        }
        let sizes = sizes(&sheet.choices);
        let main = self.main.clone();
        let leaves = format!("Deleted from ECR: {}.", counted(deletions.deleted.len(), "image"));
        for book in self.all.iter_mut().filter(|book| book.begun) {
            let deleted = share(book, &main, &deletions.deleted);
            let event = Event::ImagesPruned {
                bytes: deleted.iter().filter_map(|digest| sizes.get(digest)).sum(),
                deleted,
                not_there: share(book, &main, &deletions.not_there),
                failures: failures(book, &main, deletions),
                repository: Some(sheet.repository.clone()),
                found: false,
            };
            append(book, &event, (&self.history, &self.again), &leaves)?;
        }
        Ok(())
    }
}

/// What other clones on this machine remember of a service: an image that one of them needs stays. One
/// that is gone with its journal needs nothing; of one that cannot be read, nobody knows.
fn of_clones(setup: &Setup, stream: &StreamName) -> Result<Vec<Memory>, Problem> {
    let mut memories = Vec::new();
    for directory in holding::clones(setup, stream, setup.endpoint().as_deref()) {
        let unreadable = |problem: &Problem| trouble::unreadable_clone(problem, &directory);
        let journal = match RedbJournal::open(&directory) {
            Ok(journal) => Arc::new(journal),
            Err(JournalError::Missing { .. }) => continue,
            Err(error) => {
                let problem = super::super::trouble::journal(&error, &directory);
                return Err(unreadable(&problem));
            }
        };
        let ledger = setup.unchecked_ledger(journal, stream.clone());
        let ledger = ledger
            .map_err(|error| unreadable(&super::super::trouble::journal(&error, &directory)))?;
        let memory = remember(stream, &record::records(&ledger));
        if memory.endpoint == setup.endpoint() {
            memories.push(Memory { in_another_clone: true, ..memory });
        }
    }
    Ok(memories)
}

/// In the journal of the service that was asked about stands everything; in the others what they
/// know.
fn share(book: &Book, main: &StreamName, digests: &[Digest]) -> Vec<Digest> {
    if book.memory.stream == *main {
        return digests.to_vec();
    }
    let known: BTreeSet<&Digest> =
        book.memory.named.iter().flat_map(crate::projection::Named::digests).collect();
    digests.iter().filter(|digest| known.contains(digest)).cloned().collect()
}

fn failures(book: &Book, main: &StreamName, deletions: &Deletions) -> Vec<String> {
    let failed: Vec<Digest> = deletions.failed.iter().map(|one| one.digest.clone()).collect();
    let shared = share(book, main, &failed);
    let of_images = deletions.failed.iter().filter(|one| shared.contains(&one.digest));
    let stopped = deletions.stopped.as_ref().map(trouble::stopped_words);
    of_images.map(|one| format!("{}: {}", one.digest, one.code)).chain(stopped).collect()
}

fn sizes(choices: &[Choice]) -> BTreeMap<&Digest, u64> {
    choices.iter().map(|choice| (&choice.held.image.digest, choice.held.image.size)).collect()
}

fn append(
    book: &mut Book,
    event: &Event,
    (history, again): (&std::path::Path, &str),
    leaves: &str,
) -> Result<(), Problem> {
    let at = SystemClock::start().now();
    book.ledger.append_beside(event, &BTreeMap::new(), at).map_err(|error| {
        let next = format!("see what is left: `{again}`");
        super::super::trouble::ledger(&error, history, leaves.to_owned(), next)
    })
}
