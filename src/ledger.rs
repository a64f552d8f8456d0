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
    /// The intention that is not settled: outcomes name it.
    intention: Option<EventId>,
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
        journal.visit(&stream, 0, &mut |stored| {
            entries.push(entry(&stored));
            head = Some(stored.hash());
            ControlFlow::Continue(())
        })?;
        let head = head.map(|hash| hash.to_string()).unwrap_or_default();
        Ok(Self { journal, stream, actor, chance, entries, head, intention: None })
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
        let stored = self.journal.append_with_values(
            &self.stream,
            expected,
            std::slice::from_ref(&draft),
            values,
        )?;
        if let Some(last) = stored.last() {
            self.head = last.hash().to_string();
        }
        self.intention = match event {
            Event::StepStarted { .. } | Event::PruneStarted { .. } => Some(draft.id),
            Event::AnswerLost { .. } | Event::Interrupted { .. } | Event::Resumed { .. } => {
                self.intention
            }
            _ => None,
        };
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
            settles: self.intention.filter(|_| deployment.is_some()),
            at,
            actor: self.actor.clone(),
            data,
        }
    }
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
