//! The journal of a machine, with power cuts before and after every write, and a witness of what was
//! written when.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::super::Timestamp;
use super::mishap::{Kind, Mishap};
use super::{Machine, State, answer};
use crate::event::envelope::{Draft, StoredEvent};
use crate::journal::memory::MemoryJournal;
use crate::journal::{Append, Journal, JournalError, StreamHead};
use crate::names::{DeploymentNumber, StreamName, ValueHash};
use crate::world::service::{Operation, Service};

/// One event that became durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The deployment.
    pub deployment: Option<DeploymentNumber>,
    /// Its type.
    pub type_name: String,
    /// When, in virtual time.
    pub at: Timestamp,
    /// When App Runner's list of operations was last answered to this machine before.
    pub looked: Timestamp,
    /// What was true of the services at that moment, where the event says something about them.
    pub truth: Option<Truth>,
}

/// What is true of a service, whatever anybody is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The service, while it exists.
    pub service: Option<Service>,
    /// The digest of the image whose instance serves.
    pub serving: Option<String>,
    /// All its operations, newest first, without any lag.
    pub operations: Vec<Operation>,
}

impl Truth {
    /// Of the service of this name.
    pub fn of(state: &State, name: &str) -> Self {
        let found = state.cloud.service(name);
        let serving = found.and_then(|service| {
            service.live.as_ref()?;
            Some(service.image.as_ref()?.digest.clone())
        });
        let operations = found.into_iter().flat_map(|service| service.operations.iter().rev());
        Self {
            service: found.and_then(|service| answer::service(&service.describe())),
            serving,
            operations: operations.filter_map(|o| answer::operation(o, state.now)).collect(),
        }
    }
}

/// A journal in memory on a machine that may lose its power. It outlives every process.
#[derive(Clone)]
pub struct FlightRecorder {
    journal: Arc<Mutex<MemoryJournal>>,
    machine: Machine,
    written: Arc<Mutex<Vec<Written>>>,
    writes: Arc<AtomicU64>,
}

impl FlightRecorder {
    /// An empty journal on this machine.
    pub fn new(machine: &Machine) -> Self {
        let machine = machine.clone();
        Self { journal: Arc::default(), machine, written: Arc::default(), writes: Arc::default() }
    }

    fn journal(&self) -> MemoryJournal {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest event was never on disk: for a journal that tells before it writes.
    pub fn forget_newest(&self, stream: &StreamName) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut events = self.journal().read(stream, 0).unwrap_or_default();
        events.pop();
        let fresh = MemoryJournal::new();
        // What was accepted once is accepted again.
        drop(fresh.append_stored(stream, 0, &events));
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// How often it changed.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// What became durable, oldest first.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, stream: &StreamName, drafts: &[Draft]) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let at = self.machine.door.now();
        let truth = |draft: &Draft| {
            let name = stream.service.as_str();
            speaks(&draft.type_name).then(|| Truth::of(&self.machine.door.state(), name))
        };
        let mut desk = self.machine.desk();
        let looked = desk.looked;
        // What stands beside deployments begins and ends none.
        for draft in drafts.iter().filter(|draft| draft.deployment.is_some()) {
            match draft.type_name.as_str() {
                "StepStarted" => desk.intended = true,
                "AnswerLost" | "Interrupted" | "Resumed" => {}
                _ => desk.intended = false,
            }
            desk.over = ends(&draft.type_name);
        }
        drop(desk);
        let entries = drafts.iter().map(|draft| Written {
            deployment: draft.deployment,
            type_name: draft.type_name.clone(),
            at,
            looked,
            truth: truth(draft),
        });
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(entries);
    }
}

/// Whether an event of this type says what is true of the service.
fn speaks(type_name: &str) -> bool {
    ends(type_name)
        || matches!(type_name, "ReleaseVerified" | "RollbackVerified" | "NothingToChange")
}

/// Whether an event of this type ends its deployment by itself.
fn ends(type_name: &str) -> bool {
    matches!(
        type_name,
        "DeploymentSucceeded"
            | "DeploymentRolledBack"
            | "DeploymentFailed"
            | "RollbackFailed"
            | "AttentionNeeded"
            | "DeploymentAbandoned"
    )
}

fn lost() -> JournalError {
    JournalError::Io(std::io::Error::other("the power went"))
}

impl Journal for FlightRecorder {
    fn append_with_values(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        drafts: &[Draft],
        values: &BTreeMap<ValueHash, String>,
    ) -> Result<Vec<StoredEvent>, JournalError> {
        let mishap = self.machine.moment(Kind::Append, "append");
        match mishap {
            Some(Mishap::CutBefore) => {
                self.machine.power_down();
                return Err(lost());
            }
            Some(Mishap::Full) => return Err(JournalError::Full),
            Some(Mishap::Signal) => self.machine.signal(),
            _ => {}
        }
        let stored =
            self.journal().append_with_values(stream, expected_sequence, drafts, values)?;
        self.note(stream, drafts);
        if mishap == Some(Mishap::CutAfter) {
            self.machine.power_down();
            return Err(lost());
        }
        Ok(stored)
    }

    fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        self.journal().append_stored(stream, expected_sequence, events)
    }

    fn append_portions(
        &self,
        fill: &mut dyn FnMut(&mut Append<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.journal().append_portions(fill)
    }

    fn visit(
        &self,
        stream: &StreamName,
        after_sequence: u64,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal().visit(stream, after_sequence, visitor)
    }

    fn streams(&self) -> Result<Vec<StreamHead>, JournalError> {
        self.journal().streams()
    }

    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError> {
        self.journal().head(stream)
    }

    fn value(&self, hash: &ValueHash) -> Result<Option<String>, JournalError> {
        self.journal().value(hash)
    }

    fn put_values(&self, values: &BTreeMap<ValueHash, String>) -> Result<(), JournalError> {
        self.journal().put_values(values)
    }
}
