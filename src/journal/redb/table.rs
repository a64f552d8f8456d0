//! The tables, and what is read from them. Keys are numbers and bytes only, never tuples: tuples
//! tie a file to a version of redb.
//!
//! `EVENTS` is the truth. `PLACES`, `IDS` and `HEADS` are derived from it and can be rebuilt.

use std::io::Write as _;

use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::event::envelope::{EventHash, EventId, StoredEvent};
use crate::names::StreamName;

use super::super::{JournalError, StreamHead};
use super::storage::from_redb;

/// Position in the journal, from 1, to hash and bytes of the event.
pub(super) const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
/// Stream and sequence to the position.
pub(super) const PLACES: TableDefinition<&[u8], u64> = TableDefinition::new("places");
/// Event id to the position.
pub(super) const IDS: TableDefinition<&[u8], u64> = TableDefinition::new("ids");
/// Stream to the sequence and hash of its last event.
pub(super) const HEADS: TableDefinition<&str, &[u8]> = TableDefinition::new("heads");
/// Hash to plain environment value. In no event, in no export.
pub(super) const VALUES: TableDefinition<&str, &str> = TableDefinition::new("values");
/// The journal's own facts.
pub(super) const FACTS: TableDefinition<&str, &str> = TableDefinition::new("facts");

const HASH_SIZE: usize = 32;

/// A transaction in which tables can be read.
pub(super) trait Look {
    /// The event at a position, as stored: its hash and its bytes.
    fn event_at(&self, position: u64) -> Result<Option<(EventHash, Vec<u8>)>, JournalError>;
    /// The position of an event of a stream.
    fn place(&self, stream: &StreamName, sequence: u64) -> Result<Option<u64>, JournalError>;
    /// The position of an event by its id.
    fn position_of(&self, id: EventId) -> Result<Option<u64>, JournalError>;
    /// Where a stream ends.
    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError>;
    /// A fact of the journal.
    fn fact(&self, name: &str) -> Result<Option<String>, JournalError>;

    /// The event of this id, with its hash verified.
    fn event_of(&self, id: EventId) -> Result<Option<StoredEvent>, JournalError> {
        let Some(position) = self.position_of(id)? else { return Ok(None) };
        let (hash, bytes) = self.event_at(position)?.ok_or_else(|| dangling(position))?;
        match StoredEvent::parse(bytes) {
            Ok(event) if event.hash() == hash => Ok(Some(event)),
            _ => Err(JournalError::corrupt(format!("the event at position {position}"))),
        }
    }
}

macro_rules! look {
    ($($transaction:ty),*) => {$(
        impl Look for $transaction {
            fn event_at(&self, position: u64) -> Result<Option<(EventHash, Vec<u8>)>, JournalError> {
                let table = self.open_table(EVENTS).map_err(from_redb)?;
                let found = table.get(position).map_err(from_redb)?;
                found.map(|row| split_event(row.value())).transpose()
            }

            fn place(&self, stream: &StreamName, sequence: u64) -> Result<Option<u64>, JournalError> {
                let table = self.open_table(PLACES).map_err(from_redb)?;
                let found = table.get(place_key(stream, sequence).as_slice()).map_err(from_redb)?;
                Ok(found.map(|row| row.value()))
            }

            fn position_of(&self, id: EventId) -> Result<Option<u64>, JournalError> {
                let table = self.open_table(IDS).map_err(from_redb)?;
                let found = table.get(id.to_bytes().as_slice()).map_err(from_redb)?;
                Ok(found.map(|row| row.value()))
            }

            fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError> {
                let table = self.open_table(HEADS).map_err(from_redb)?;
                let found = table.get(stream.to_string().as_str()).map_err(from_redb)?;
                found.map(|row| split_head(stream.clone(), row.value())).transpose()
            }

            fn fact(&self, name: &str) -> Result<Option<String>, JournalError> {
                let table = self.open_table(FACTS).map_err(from_redb)?;
                let found = table.get(name).map_err(from_redb)?;
                Ok(found.map(|row| row.value().to_owned()))
            }
        }
    )*};
}

look!(ReadTransaction, WriteTransaction);

/// Every table, made when the journal is.
pub(super) fn create_all(transaction: &WriteTransaction) -> Result<(), JournalError> {
    transaction.open_table(EVENTS).map_err(from_redb)?;
    transaction.open_table(VALUES).map_err(from_redb)?;
    transaction.open_table(FACTS).map_err(from_redb)?;
    create_derived(transaction)
}

/// The derived tables, empty.
pub(super) fn create_derived(transaction: &WriteTransaction) -> Result<(), JournalError> {
    transaction.open_table(PLACES).map_err(from_redb)?;
    transaction.open_table(IDS).map_err(from_redb)?;
    transaction.open_table(HEADS).map_err(from_redb)?;
    Ok(())
}

/// Drops what is derived and makes it empty again.
pub(super) fn clear_derived(transaction: &WriteTransaction) -> Result<(), JournalError> {
    transaction.delete_table(PLACES).map_err(from_redb)?;
    transaction.delete_table(IDS).map_err(from_redb)?;
    transaction.delete_table(HEADS).map_err(from_redb)?;
    create_derived(transaction)
}

/// Writes events behind the last position, with all that is derived from them.
pub(super) fn push(
    transaction: &WriteTransaction,
    events: &[StoredEvent],
) -> Result<(), JournalError> {
    let mut table = transaction.open_table(EVENTS).map_err(from_redb)?;
    let mut derived = Derived::open(transaction)?;
    let last = table.last().map_err(from_redb)?.map_or(0, |(position, _)| position.value());
    for (position, event) in (last + 1..).zip(events) {
        table.insert(position, join_event(event).as_slice()).map_err(from_redb)?;
        derived.insert(position, event)?;
    }
    Ok(())
}

/// The derived tables, open to be written.
pub(super) struct Derived<'a> {
    places: Table<'a, &'static [u8], u64>,
    ids: Table<'a, &'static [u8], u64>,
    heads: Table<'a, &'static str, &'static [u8]>,
}

impl<'a> Derived<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, JournalError> {
        Ok(Self {
            places: transaction.open_table(PLACES).map_err(from_redb)?,
            ids: transaction.open_table(IDS).map_err(from_redb)?,
            heads: transaction.open_table(HEADS).map_err(from_redb)?,
        })
    }

    /// Writes what is derived from one event.
    pub(super) fn insert(
        &mut self,
        position: u64,
        event: &StoredEvent,
    ) -> Result<(), JournalError> {
        let key = place_key(event.stream(), event.sequence());
        self.places.insert(key.as_slice(), position).map_err(from_redb)?;
        self.ids.insert(event.id().to_bytes().as_slice(), position).map_err(from_redb)?;
        let head = [event.sequence().to_be_bytes().as_slice(), &event.hash().0].concat();
        let name = event.stream().to_string();
        self.heads.insert(name.as_str(), head.as_slice()).map_err(from_redb)?;
        Ok(())
    }
}

/// `stream 0 sequence`: a byte that no name has, so that no stream's keys lie among another's.
pub(super) fn place_key(stream: &StreamName, sequence: u64) -> Vec<u8> {
    let mut key = Vec::new();
    place_key_into(&mut key, stream, sequence);
    key
}

/// The same in place of what `key` held.
pub(super) fn place_key_into(key: &mut Vec<u8>, stream: &StreamName, sequence: u64) {
    key.clear();
    // Writing to memory never fails.
    let _written = write!(key, "{stream}");
    key.push(0);
    key.extend_from_slice(&sequence.to_be_bytes());
}

/// The stream and the sequence in a key of `PLACES`.
pub(super) fn split_place(key: &[u8]) -> Option<(StreamName, u64)> {
    let (name, sequence) = key.split_last_chunk::<8>()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    Some((name.parse().ok()?, u64::from_be_bytes(*sequence)))
}

/// The head in a row of `HEADS`.
pub(super) fn split_head(stream: StreamName, row: &[u8]) -> Result<StreamHead, JournalError> {
    let wrong = || JournalError::corrupt(format!("the head of {stream}"));
    let (sequence, hash) = row.split_first_chunk::<8>().ok_or_else(wrong)?;
    let hash = EventHash(hash.try_into().map_err(|_| wrong())?);
    Ok(StreamHead { sequence: u64::from_be_bytes(*sequence), hash, stream })
}

/// Hash and bytes in a row of `EVENTS`.
pub(super) fn split_event(row: &[u8]) -> Result<(EventHash, Vec<u8>), JournalError> {
    let (hash, bytes) = row
        .split_first_chunk::<HASH_SIZE>()
        .ok_or_else(|| JournalError::corrupt("an event shorter than its hash"))?;
    Ok((EventHash(*hash), bytes.to_vec()))
}

fn join_event(event: &StoredEvent) -> Vec<u8> {
    [event.hash().0.as_slice(), event.bytes()].concat()
}

/// An index names a position where there is nothing.
pub(super) fn dangling(position: u64) -> JournalError {
    JournalError::corrupt(format!("no event at position {position}, where an index names one"))
}
