//! The journal of a machine, with power cuts before and after every write, and a witness of what was
//! written when.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::super::Timestamp;
use super::Machine;
use super::mishap::{Kind, Mishap};
use crate::event::envelope::{Draft, StoredEvent};
use crate::journal::memory::MemoryJournal;
use crate::journal::{Journal, JournalError, StreamHead};
use crate::names::{DeploymentNumber, StreamName, ValueHash};

/// One event that became durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The deployment.
    pub deployment: Option<DeploymentNumber>,
    /// Its type.
    pub type_name: String,
    /// When, in virtual time.
    pub at: Timestamp,
}

/// A journal in memory on a machine that may lose its power. It outlives every process.
#[derive(Clone)]
pub struct FlightRecorder {
    journal: MemoryJournal,
    machine: Machine,
    written: Arc<Mutex<Vec<Written>>>,
}

impl FlightRecorder {
    /// An empty journal on this machine.
    pub fn new(machine: &Machine) -> Self {
        let (journal, written) = (MemoryJournal::new(), Arc::default());
        Self { journal, machine: machine.clone(), written }
    }

    /// What became durable, oldest first.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, drafts: &[Draft]) {
        let at = self.machine.door.now();
        let mut desk = self.machine.desk();
        for draft in drafts {
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
        });
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(entries);
    }
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
        let stored = self.journal.append_with_values(stream, expected_sequence, drafts, values)?;
        self.note(drafts);
        if mishap == Some(Mishap::CutAfter) {
            self.machine.power_down();
            return Err(lost());
        }
        Ok(stored)
    }

    fn visit(
        &self,
        stream: &StreamName,
        after_sequence: u64,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal.visit(stream, after_sequence, visitor)
    }

    fn streams(&self) -> Result<Vec<StreamHead>, JournalError> {
        self.journal.streams()
    }

    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError> {
        self.journal.head(stream)
    }

    fn value(&self, hash: &ValueHash) -> Result<Option<String>, JournalError> {
        self.journal.value(hash)
    }

    fn put_values(&self, values: &BTreeMap<ValueHash, String>) -> Result<(), JournalError> {
        self.journal.put_values(values)
    }
}
