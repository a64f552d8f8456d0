//! The journal: what happened, in order, on disk before anybody is told.
//!
//! A journal holds streams of events, one per service. A stream is appended to with the number of
//! the last event that the writer knows; if somebody else wrote meanwhile, nothing is written. Each
//! event names the hash of the one before it, and every read checks that chain.
//!
//! Beside the streams there is one table of plain values (of the environment, of build arguments), keyed
//! by hash. It is part of no event and of no export.
//!
//! [`memory::MemoryJournal`] and [`redb::RedbJournal`] keep the same contract, which
//! `contract.rs` spells out as tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::event::envelope::{Draft, EventHash, StoredEvent};
use crate::names::{StreamName, ValueHash};

pub mod archive;
mod chain;
#[cfg(test)]
mod contract;
mod error;
pub mod export;
pub mod import;
pub mod memory;
pub mod redb;

pub use error::JournalError;

/// The size of the largest plain value, in bytes: 1 MiB.
pub const LARGEST_VALUE: usize = 1024 * 1024;

/// Where a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// The stream.
    pub stream: StreamName,
    /// The number of its last event.
    pub sequence: u64,
    /// The hash of its last event.
    pub hash: EventHash,
}

/// Takes events that another journal made: the stream, the number of its last event before, the events.
pub type Append<'a> = dyn FnMut(&StreamName, u64, &[StoredEvent]) -> Result<(), JournalError> + 'a;

/// A store of events. Every call opens what it needs and lets go of it before it returns.
pub trait Journal: Send + Sync {
    /// Appends events and stores values, all of it or nothing, durable on return.
    ///
    /// `expected_sequence` is the number of the stream's last event, 0 for an empty stream. Events
    /// whose ids are stored already, from the same drafts, are returned as they are stored.
    fn append_with_values(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        drafts: &[Draft],
        values: &BTreeMap<ValueHash, String>,
    ) -> Result<Vec<StoredEvent>, JournalError>;

    /// Appends events that another journal made, all of them or none, as they are stored there:
    /// the chain must go on with them, and none of their ids may be taken.
    fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError>;

    /// Appends what `fill` hands over, portion by portion, all of it or nothing, durable on return. Each
    /// portion is judged as by [`Journal::append_stored`]. `fill` is asked anew where the disk was full for
    /// a moment.
    fn append_portions(
        &self,
        fill: &mut dyn FnMut(&mut Append<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError>;

    /// Shows the events after `after_sequence` to `visitor`, in order, each verified, and checks
    /// that they reach the head of the stream. Holds one event at a time.
    fn visit(
        &self,
        stream: &StreamName,
        after_sequence: u64,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Shows the events of a stream from its head on backwards to `visitor`, each verified by the
    /// hash that the event behind it names. What was shown is what led to the head, however little
    /// of the stream was read.
    fn visit_back(
        &self,
        stream: &StreamName,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        for event in self.read(stream, 0)?.into_iter().rev() {
            if visitor(event).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Where every stream ends, by name.
    fn streams(&self) -> Result<Vec<StreamHead>, JournalError>;

    /// Where this stream ends; none for a stream without events.
    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError>;

    /// The plain value with this hash.
    fn value(&self, hash: &ValueHash) -> Result<Option<String>, JournalError>;

    /// Stores plain values. A hash that is there already keeps its value.
    fn put_values(&self, values: &BTreeMap<ValueHash, String>) -> Result<(), JournalError>;

    /// Appends events, all of them or none, durable on return.
    fn append(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        drafts: &[Draft],
    ) -> Result<Vec<StoredEvent>, JournalError> {
        self.append_with_values(stream, expected_sequence, drafts, &BTreeMap::new())
    }

    /// The events after `after_sequence`, verified.
    fn read(
        &self,
        stream: &StreamName,
        after_sequence: u64,
    ) -> Result<Vec<StoredEvent>, JournalError> {
        let mut events = Vec::new();
        self.visit(stream, after_sequence, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// The event at one place, with its own hash verified; none behind the end.
    fn event(
        &self,
        stream: &StreamName,
        sequence: u64,
    ) -> Result<Option<StoredEvent>, JournalError> {
        let mut found = None;
        if sequence > 0 && self.head(stream)?.is_some_and(|head| head.sequence >= sequence) {
            self.visit(stream, sequence - 1, &mut |event| {
                found = Some(event);
                ControlFlow::Break(())
            })?;
        }
        Ok(found)
    }
}
