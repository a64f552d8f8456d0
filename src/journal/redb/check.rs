//! The whole journal checked, and what is derived made anew.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::thread;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _, TableDefinition};

use crate::event::envelope::{Link, StoredEvent};
use crate::names::StreamName;

use super::super::chain::Chain;
use super::super::{JournalError, StreamHead};
use super::RedbJournal;
use super::scan::{Scanned, Stopped, cores, scan};
use super::storage::{from_database, from_redb, open_to_write};
use super::table::{self, Derived, EVENTS, HEADS, IDS, Look, PLACES};
use super::whole::read_values;

/// What a check has read and found in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The number of events.
    pub events: u64,
    /// The number of their bytes.
    pub bytes: u64,
    /// Where every stream ends.
    pub streams: Vec<StreamHead>,
}

impl RedbJournal {
    /// Reads every event and every value: hashes, chains, and that the derived tables say the same.
    /// Tries in memory whether a write would find what it needs. Writes nothing. What is wrong is
    /// named with the first event that is, where that can be told.
    pub fn check(&self) -> Result<Checked, JournalError> {
        let checked = self.check_what_is_read()?;
        self.rehearse()?;
        Ok(checked)
    }

    fn check_what_is_read(&self) -> Result<Checked, JournalError> {
        match self.look(|transaction| Ok(checked(transaction, cores())))? {
            Ok(checked) => {
                self.look(read_values)?;
                Ok(checked)
            }
            // Slower, and exact: only now is the first that is wrong the first to be heard of.
            Err(_) => match self.look(|transaction| Ok(checked(transaction, 1)))? {
                Ok(checked) => Ok(checked),
                Err(stopped) => Err(self.named(stopped)),
            },
        }
    }

    /// Shows the bytes of every event to `each`, in the order of their writing, hashes and chains
    /// verified, and returns where the streams end.
    pub fn every_event(
        &self,
        each: &mut dyn FnMut(&[u8]) -> Result<(), JournalError>,
    ) -> Result<Vec<StreamHead>, JournalError> {
        let mut refused = false;
        let read = self.look(|transaction| {
            let chains = follow(transaction, cores(), &mut |row| {
                let taken = each(&row.bytes);
                refused = taken.is_err();
                taken
            });
            let chains = chains.map_err(|stopped| stopped.error)?;
            check_heads(transaction, &chains)?;
            Ok(chains.values().map(Chain::head).collect())
        });
        match read {
            // Not the taker: then the journal, and a check says exactly what.
            Err(error) if !refused => Err(self.check().err().unwrap_or(error)),
            read => read,
        }
    }

    /// The damage with the event that it met, where the indexes can still tell which that is.
    pub(super) fn named(&self, stopped: Stopped) -> JournalError {
        let unnamed = matches!(&stopped.error, JournalError::Corrupt { sequence: None, .. });
        match (stopped.error, stopped.position) {
            (JournalError::Corrupt { detail, .. }, Some(position)) if unnamed => {
                match self.look(|transaction| place_of(transaction, position)) {
                    Ok(Some((stream, sequence))) => JournalError::Corrupt {
                        stream: Some(stream),
                        sequence: Some(sequence),
                        detail,
                    },
                    _ => {
                        JournalError::corrupt(format!("the event at position {position}: {detail}"))
                    }
                }
            }
            (error, _) if unnamed => match self.look(name_the_first) {
                Err(named @ JournalError::Corrupt { sequence: Some(_), .. }) => named,
                _ => error,
            },
            (error, _) => error,
        }
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
            let mut derived = Derived::open(transaction)?;
            one_by_one(&events, &mut |position, event| derived.insert(position, event))
        })
    }
}

/// Checks everything with so many workers.
pub(super) fn checked(transaction: &ReadTransaction, workers: usize) -> Result<Checked, Stopped> {
    let mut sums = Sums::default();
    let mut bytes = 0;
    let chains = follow(transaction, workers, &mut |row| {
        bytes += row.bytes.len() as u64;
        sums.add(&row.link, row.position);
        Ok(())
    })?;
    sums.compare(transaction, workers)?;
    let events = check_ends(transaction, &chains)?;
    Ok(Checked { events, bytes, streams: chains.values().map(Chain::head).collect() })
}

/// Reads every event and follows the chain of its stream.
fn follow(
    transaction: &ReadTransaction,
    workers: usize,
    each: &mut dyn FnMut(&Scanned) -> Result<(), JournalError>,
) -> Result<BTreeMap<Arc<StreamName>, Chain>, Stopped> {
    let mut chains: BTreeMap<Arc<StreamName>, Chain> = BTreeMap::new();
    scan(transaction, workers, &mut |row| {
        if !chains.contains_key(&row.link.stream) {
            chains.insert(row.link.stream.clone(), Chain::empty(&row.link.stream));
        }
        let chain = chains.get_mut(&row.link.stream).expect("it was put there");
        chain.link(&row.link)?;
        each(&row)
    })?;
    Ok(chains)
}

/// The event at a position, by the index of places.
fn place_of(
    transaction: &ReadTransaction,
    position: u64,
) -> Result<Option<(StreamName, u64)>, JournalError> {
    let places = transaction.open_table(PLACES).map_err(from_redb)?;
    for row in places.iter().map_err(from_redb)? {
        let (key, at) = row.map_err(from_redb)?;
        if at.value() == position {
            return Ok(table::split_place(key.value()));
        }
    }
    Ok(None)
}

/// What the indexes must hold, as sums over their rows: in no order, so that each table is read
/// from its beginning to its end, and a million rows take no memory. The hash is keyed with chance.
#[derive(Default)]
struct Sums {
    chance: RandomState,
    places: u64,
    ids: u64,
    key: Vec<u8>,
}

impl Sums {
    fn add(&mut self, link: &Link, position: u64) {
        table::place_key_into(&mut self.key, &link.stream, link.sequence);
        let row = self.chance.hash_one((self.key.as_slice(), position));
        self.places = self.places.wrapping_add(row);
        let row = self.chance.hash_one((link.id.to_bytes().as_slice(), position));
        self.ids = self.ids.wrapping_add(row);
    }

    fn compare(&self, transaction: &ReadTransaction, workers: usize) -> Result<(), JournalError> {
        let sum = |table| index_sum(transaction, table, &self.chance);
        let (places, ids) = if workers == 1 {
            (sum(PLACES)?, sum(IDS)?)
        } else {
            thread::scope(|scope| {
                let places = scope.spawn(|| sum(PLACES));
                let ids = sum(IDS);
                let unread = |_| JournalError::corrupt("an index cannot be read");
                Ok::<_, JournalError>((places.join().map_err(unread)??, ids?))
            })?
        };
        if (places, ids) == (self.places, self.ids) {
            return Ok(());
        }
        Err(JournalError::corrupt("an index does not say what the events say"))
    }
}

fn index_sum(
    transaction: &ReadTransaction,
    index: TableDefinition<'_, &'static [u8], u64>,
    chance: &RandomState,
) -> Result<u64, JournalError> {
    let table = transaction.open_table(index).map_err(from_redb)?;
    let mut sum = 0_u64;
    for row in table.iter().map_err(from_redb)? {
        let (key, position) = row.map_err(from_redb)?;
        sum = sum.wrapping_add(chance.hash_one((key.value(), position.value())));
    }
    Ok(sum)
}

/// Looks every event up in the indexes; an error names the first that is not where they say.
fn name_the_first(transaction: &ReadTransaction) -> Result<(), JournalError> {
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    one_by_one(&events, &mut |position, event| check_derived(transaction, position, event))
}

/// Reads every event in the order of its writing and follows the chain of its stream.
fn one_by_one(
    events: &impl ReadableTable<u64, &'static [u8]>,
    each: &mut dyn FnMut(u64, &StoredEvent) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
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
    Ok(())
}

pub(super) fn stream_of(bytes: &[u8], position: u64) -> Result<StreamName, JournalError> {
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
    chains: &BTreeMap<Arc<StreamName>, Chain>,
) -> Result<u64, JournalError> {
    check_heads(transaction, chains)?;
    let events = transaction.open_table(EVENTS).map_err(from_redb)?.len().map_err(from_redb)?;
    let places = transaction.open_table(PLACES).map_err(from_redb)?.len().map_err(from_redb)?;
    let ids = transaction.open_table(IDS).map_err(from_redb)?.len().map_err(from_redb)?;
    if (places, ids) == (events, events) {
        return Ok(events);
    }
    Err(JournalError::corrupt("an index has more or fewer rows than there are events"))
}

/// Every stream ends where its head says, and no head is of a stream without events.
fn check_heads(
    transaction: &ReadTransaction,
    chains: &BTreeMap<Arc<StreamName>, Chain>,
) -> Result<(), JournalError> {
    for chain in chains.values() {
        let head = transaction.head(&chain.head().stream)?;
        chain.reaches(&head.unwrap_or_else(|| Chain::empty(&chain.head().stream).head()))?;
    }
    let heads = transaction.open_table(HEADS).map_err(from_redb)?.len().map_err(from_redb)?;
    if heads == chains.len() as u64 {
        return Ok(());
    }
    Err(JournalError::corrupt("there is the head of a stream without events"))
}
