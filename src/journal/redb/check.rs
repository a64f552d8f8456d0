//! The whole journal checked, and what is derived made anew.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _};

use crate::event::envelope::StoredEvent;
use crate::names::StreamName;

use super::super::chain::Chain;
use super::super::{JournalError, StreamHead};
use super::RedbJournal;
use super::storage::{from_database, from_redb, open_to_write};
use super::table::{self, EVENTS, HEADS, IDS, Look, PLACES};

/// What a check has read and found in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The number of events.
    pub events: u64,
    /// Where every stream ends.
    pub streams: Vec<StreamHead>,
}

impl RedbJournal {
    /// Reads every event: hashes, chains, and that the derived tables say the same. Writes nothing.
    pub fn check(&self) -> Result<Checked, JournalError> {
        self.look(|transaction| {
            let table = transaction.open_table(EVENTS).map_err(from_redb)?;
            let chains = every_event(&table, &mut |position, event| {
                check_derived(transaction, position, event)
            })?;
            let events = check_ends(transaction, &chains)?;
            Ok(Checked { events, streams: chains.values().map(Chain::head).collect() })
        })
    }

    /// Lets redb verify the checksum of every page as well, and repair what can be repaired.
    /// Whether there was nothing to repair.
    pub fn check_pages(&self) -> Result<bool, JournalError> {
        let mut database = open_to_write(&*self.storage)?;
        let sound = database.check_integrity().map_err(from_database)?;
        database.close().map_err(from_database)?;
        Ok(sound)
    }

    /// Makes the derived tables anew from the events.
    pub fn rebuild(&self) -> Result<(), JournalError> {
        self.write(|transaction| {
            table::clear_derived(transaction)?;
            let events = transaction.open_table(EVENTS).map_err(from_redb)?;
            every_event(&events, &mut |position, event| {
                table::derive(transaction, position, event)
            })?;
            Ok(())
        })
    }
}

/// Reads every event in the order of its writing and follows the chain of its stream.
fn every_event(
    events: &impl ReadableTable<u64, &'static [u8]>,
    each: &mut dyn FnMut(u64, &StoredEvent) -> Result<(), JournalError>,
) -> Result<BTreeMap<StreamName, Chain>, JournalError> {
    let mut chains: BTreeMap<StreamName, Chain> = BTreeMap::new();
    for (expected, row) in (1..).zip(events.iter().map_err(from_redb)?) {
        let (position, row) = row.map_err(from_redb)?;
        if position.value() != expected {
            return Err(table::dangling(expected));
        }
        let (hash, bytes) = table::split_event(row.value())?;
        let stream = stream_of(&bytes, expected)?;
        let chain = chains.entry(stream.clone()).or_insert_with(|| Chain::empty(&stream));
        each(expected, &chain.follow(hash, bytes)?)?;
    }
    Ok(chains)
}

fn stream_of(bytes: &[u8], position: u64) -> Result<StreamName, JournalError> {
    #[derive(serde::Deserialize)]
    struct Named {
        stream: StreamName,
    }
    let named: Named = serde_json::from_slice(bytes)
        .map_err(|_| JournalError::corrupt(format!("no event at position {position}")))?;
    Ok(named.stream)
}

fn check_derived(
    transaction: &ReadTransaction,
    position: u64,
    event: &StoredEvent,
) -> Result<(), JournalError> {
    let place = transaction.place(event.stream(), event.sequence())?;
    let by_id = transaction.position_of(event.id())?;
    if (place, by_id) == (Some(position), Some(position)) {
        return Ok(());
    }
    Err(JournalError::Corrupt {
        stream: Some(event.stream().clone()),
        sequence: Some(event.sequence()),
        detail: "an index names another place for it".into(),
    })
}

/// The derived tables hold nothing beside what the events gave.
fn check_ends(
    transaction: &ReadTransaction,
    chains: &BTreeMap<StreamName, Chain>,
) -> Result<u64, JournalError> {
    for chain in chains.values() {
        let head = transaction.head(&chain.head().stream)?;
        chain.reaches(&head.unwrap_or_else(|| Chain::empty(&chain.head().stream).head()))?;
    }
    let events = transaction.open_table(EVENTS).map_err(from_redb)?.len().map_err(from_redb)?;
    let places = transaction.open_table(PLACES).map_err(from_redb)?.len().map_err(from_redb)?;
    let ids = transaction.open_table(IDS).map_err(from_redb)?.len().map_err(from_redb)?;
    let heads = transaction.open_table(HEADS).map_err(from_redb)?.len().map_err(from_redb)?;
    if (places, ids, heads) == (events, events, chains.len() as u64) {
        return Ok(events);
    }
    Err(JournalError::corrupt("an index has more or fewer rows than there are events"))
}
