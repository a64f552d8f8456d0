//! The journal of one service, as the engine uses it: events in, events out.
//!
//! Between the typed events and the stored envelopes stands nothing but this file.

pub mod newest;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::event::deployment::{Deployment, IllegalEvent};
use crate::event::envelope::{Actor, Draft, EventId, StoredEvent};
use crate::journal::{Journal, JournalError};
use crate::names::{DeploymentNumber, OperationId, StreamName, ValueHash};
use crate::projection::{RawEvent, Recorded};
use crate::step::Vault;

/// The version of every event type's data that this version writes.
const TYPE_VERSION: u32 = 1;

/// Where fresh event ids come from: the milliseconds of now and chance.
pub type Chance = Box<dyn FnMut() -> u128 + Send + Sync>;

/// The journal of one service.
pub struct Ledger {
    journal: Arc<dyn Journal>,
    stream: StreamName,
    actor: Actor,
    chance: Chance,
    entries: Vec<Entry>,
    head: String,
    intentions: Intentions,
}

/// One event of the service, with what its envelope says.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place in the stream.
    pub sequence: u64,
    /// When it was written, for display only.
    pub at: DateTime<Utc>,
    /// The deployment it belongs to.
    pub deployment: Option<DeploymentNumber>,
    /// Who wrote it.
    pub actor: Actor,
    /// Its type, as stored.
    pub type_name: String,
    /// What happened; the stored data where this version does not know the type.
    pub event: Result<Event, serde_json::Value>,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store said so.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The history does not make sense.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// What happened could not be written down.
    #[error("{source}")]
    Unwritten {
        /// What happened.
        event: Box<Event>,
        /// Why it could not be written.
        source: JournalError,
    },
    /// A newer version of surefoot wrote something that this one does not know.
    #[error("a newer version of surefoot wrote `{0}`, which this one does not know")]
    Newer(String),
}

impl Ledger {
    /// Reads the whole history of a service, verified.
    pub fn open(
        journal: Arc<dyn Journal>,
        stream: StreamName,
        actor: Actor,
        chance: Chance,
    ) -> Result<Self, JournalError> {
        let (mut entries, mut head) = (Vec::new(), None);
        let mut intentions = Intentions::default();
        journal.visit(&stream, 0, &mut |stored| {
            let read = entry(&stored);
            if let Ok(event) = &read.event {
                intentions.follow(read.deployment, stored.id(), event);
            }
            entries.push(read);
            head = Some(stored.hash());
            ControlFlow::Continue(())
        })?;
        let head = head.map(|hash| hash.to_string()).unwrap_or_default();
        Ok(Self { journal, stream, actor, chance, entries, head, intentions })
    }

    /// The service.
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// The journal it lies in.
    pub fn journal(&self) -> &dyn Journal {
        self.journal.as_ref()
    }

    /// Everything that happened, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The hash of the newest event; empty where there is none.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The number the next deployment gets.
    pub fn next_number(&self) -> DeploymentNumber {
        let last = self.entries.iter().filter_map(|entry| entry.deployment).max();
        DeploymentNumber(last.map_or(1, |number| number.0 + 1))
    }

    /// The deployment of this number, folded from its events.
    pub fn deployment(&self, number: DeploymentNumber) -> Result<Deployment, LedgerError> {
        let of_it = self.entries.iter().filter(|entry| entry.deployment == Some(number));
        let events: Vec<&Event> = of_it
            .map(|entry| {
                entry.event.as_ref().map_err(|_| LedgerError::Newer(entry.type_name.clone()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Deployment::replay(events)?)
    }

    /// Every operation id in the journal of this service, oldest first.
    pub fn operations(&self) -> Vec<OperationId> {
        let events = self.entries.iter().filter_map(|entry| entry.event.as_ref().ok());
        let mut known: Vec<OperationId> = Vec::new();
        for event in events {
            for id in operations_in(event) {
                if !known.contains(id) {
                    known.push(id.clone());
                }
            }
        }
        known
    }

    /// Appends one event and the values it refers to, durable on return.
    pub fn append(
        &mut self,
        deployment: DeploymentNumber,
        event: &Event,
        values: &BTreeMap<ValueHash, String>,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        self.write(Some(deployment), event, values, at)
    }

    /// Appends an event that belongs to no deployment, and the values it refers to.
    pub fn append_beside(
        &mut self,
        event: &Event,
        values: &BTreeMap<ValueHash, String>,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        self.write(None, event, values, at)
    }

    fn write(
        &mut self,
        deployment: Option<DeploymentNumber>,
        event: &Event,
        values: &BTreeMap<ValueHash, String>,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let draft = self.draft(deployment, event, at);
        let expected = self.entries.last().map_or(0, |entry| entry.sequence);
        let drafts = std::slice::from_ref(&draft);
        let appended = self.journal.append_with_values(&self.stream, expected, drafts, values);
        let stored = appended
            .map_err(|source| LedgerError::Unwritten { event: Box::new(event.clone()), source })?;
        if let Some(last) = stored.last() {
            self.head = last.hash().to_string();
        }
        self.intentions.follow(deployment, draft.id, event);
        // What was just written is known, and need not be read again.
        self.entries.extend(stored.iter().map(|stored| {
            let written = written(stored, Some(event));
            debug_assert_eq!(written, entry(stored), "what is written reads as it was");
            written
        }));
        Ok(())
    }

    fn draft(
        &mut self,
        deployment: Option<DeploymentNumber>,
        event: &Event,
        at: DateTime<Utc>,
    ) -> Draft {
        let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        let (type_name, data) = event.words();
        Draft {
            id: EventId::from_parts(milliseconds, (self.chance)()),
            deployment,
            type_name,
            type_version: TYPE_VERSION,
            settles: self.intentions.settled_by(deployment, event),
            at,
            actor: self.actor.clone(),
            data,
        }
    }
}

/// The intentions that are not settled, one per deployment at most, and one beside them: outcomes name
/// them, whichever process writes the outcome.
#[derive(Debug, Default)]
struct Intentions(BTreeMap<Option<DeploymentNumber>, EventId>);

impl Intentions {
    /// The intention of which this event is the outcome.
    fn settled_by(&self, deployment: Option<DeploymentNumber>, event: &Event) -> Option<EventId> {
        let outcome = !is_intention(event) && !settles_nothing(event);
        self.0.get(&deployment).copied().filter(|_| outcome)
    }

    /// Goes along with what was written.
    fn follow(&mut self, deployment: Option<DeploymentNumber>, id: EventId, event: &Event) {
        if is_intention(event) {
            self.0.insert(deployment, id);
        } else if !settles_nothing(event) {
            self.0.remove(&deployment);
        }
    }
}

fn is_intention(event: &Event) -> bool {
    matches!(event, Event::StepStarted { .. } | Event::PruneStarted { .. })
}

/// After these an intention is as open as before.
fn settles_nothing(event: &Event) -> bool {
    matches!(
        event,
        Event::AnswerLost { .. }
            | Event::Interrupted { .. }
            | Event::Resumed { .. }
            | Event::ReleaseMarked { .. }
            | Event::RecordRecovered { .. }
            | Event::JournalRestored { .. }
    )
}

impl Entry {
    /// What of it is shown.
    pub fn recorded(&self) -> Recorded {
        let raw = |data: &serde_json::Value| RawEvent {
            type_name: self.type_name.clone(),
            data: data.clone(),
        };
        Recorded {
            sequence: self.sequence,
            at: self.at,
            deployment: self.deployment,
            actor: format!("{}@{}", self.actor.user, self.actor.host),
            ci_run: self.actor.ci_run.clone(),
            event: self.event.clone().map_err(|data| raw(&data)),
        }
    }
}

impl Vault for Ledger {
    fn value(&self, hash: &ValueHash) -> Option<String> {
        self.journal.value(hash).ok().flatten()
    }
}

/// A stored event as an entry.
pub fn entry(stored: &StoredEvent) -> Entry {
    written(stored, stored.event())
}

/// A stored event as an entry, with what it says.
fn written(stored: &StoredEvent, event: Option<&Event>) -> Entry {
    match stored.envelope() {
        Some(envelope) => Entry {
            sequence: envelope.sequence,
            at: envelope.at,
            deployment: envelope.deployment,
            actor: envelope.actor.clone(),
            type_name: envelope.type_name.clone(),
            event: event.cloned().ok_or_else(|| envelope.data.clone()),
        },
        None => Entry {
            sequence: stored.sequence(),
            at: DateTime::UNIX_EPOCH,
            deployment: None,
            actor: Actor { user: String::new(), host: String::new(), ci_run: None },
            type_name: "(written by a newer version)".into(),
            event: Err(serde_json::Value::Null),
        },
    }
}

impl LedgerError {
    /// The operation that App Runner began, and of which the journal does not know.
    pub fn unwritten_operation(&self) -> Option<&OperationId> {
        let Self::Unwritten { event, .. } = self else { return None };
        match event.as_ref() {
            Event::StepStarted { .. } => None,
            event => operations_in(event).into_iter().next(),
        }
    }
}

fn operations_in(event: &Event) -> Vec<&OperationId> {
    match event {
        Event::CreateIssued(issue) | Event::UpdateIssued(issue) | Event::RollbackIssued(issue) => {
            issue.operation.iter().collect()
        }
        Event::StepStarted { observed, .. } => observed.known_operations.iter().collect(),
        Event::AutoDeploymentsRestored { operation, .. } => operation.iter().collect(),
        Event::RecordRecovered { operations, .. } => operations.iter().collect(),
        Event::OperationSucceeded { operation } | Event::OperationFailed { operation, .. } => {
            vec![operation]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Failure, Observation};
    use crate::journal::memory::MemoryJournal;
    use crate::plan::Step;

    fn opened(journal: &Arc<MemoryJournal>) -> Ledger {
        let stream = "123456789012/eu-central-1/shop".parse().unwrap();
        let actor = Actor { user: "ada".into(), host: "loom".into(), ci_run: None };
        let mut count = journal.streams().unwrap().iter().map(|head| head.sequence).sum::<u64>();
        let chance: Chance = Box::new(move || {
            count += 1;
            u128::from(count)
        });
        Ledger::open(journal.clone(), stream, actor, chance).unwrap()
    }

    /// Writes these events, each by a process of its own; the places of the intentions they settle.
    fn settled(events: &[(Option<u64>, Event)]) -> Vec<Option<usize>> {
        let journal = Arc::new(MemoryJournal::new());
        for (number, event) in events {
            let mut ledger = opened(&journal);
            let (values, at) = (BTreeMap::new(), DateTime::UNIX_EPOCH);
            ledger.write(number.map(DeploymentNumber), event, &values, at).unwrap();
        }
        let stream = opened(&journal).stream().clone();
        let stored = journal.read(&stream, 0).unwrap();
        let place = |id| stored.iter().position(|event| event.id() == id);
        stored.iter().map(|event| event.envelope().unwrap().settles.and_then(place)).collect()
    }

    #[test]
    fn an_outcome_names_its_intention_whichever_process_writes_it() {
        let step = Step::ChangeService;
        let started =
            || Event::StepStarted { step, observed: Observation::default(), payload: None };
        let lost = Event::AnswerLost { step, because: "cut".into() };
        let resumed = Event::Resumed { backwards: false, proves_again: true };
        let marked = Event::ReleaseMarked {
            deployment: DeploymentNumber(1),
            good: true,
            reason: "fast".into(),
        };
        let failure = || Failure::new(crate::problem::ExitCode::Update, "refused", "no");
        let failed = || Event::StepFailed { step, failure: failure() };
        let events = [
            (Some(2), started()),
            (Some(2), lost),
            (Some(2), resumed),
            (Some(1), marked),
            (Some(2), failed()),
            (Some(2), failed()),
        ];
        assert_eq!(settled(&events), [None, None, None, None, Some(0), None]);
    }

    #[test]
    fn a_prune_that_did_not_say_how_it_ended_is_settled_by_the_next() {
        let repository: crate::names::RepositoryName = "shop".parse().unwrap();
        let started = |repository| Event::PruneStarted {
            repository,
            keep: 1,
            images: vec![],
            bytes: 0,
            asked: None,
        };
        let pruned = Event::ImagesPruned {
            deleted: vec![],
            not_there: Vec::new(),
            failures: vec![],
            repository: Some(repository.clone()),
            bytes: 0,
            found: true,
        };
        let events =
            [(None, started(repository.clone())), (None, pruned), (None, started(repository))];
        assert_eq!(settled(&events), [None, Some(0), None]);
    }
}
