//! Every event in the order of its writing, its hash verified, on all cores.
//!
//! Several workers read and verify batches of rows; the caller gets them in order. What a batch
//! holds is bounded, so that memory stays flat at any size.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use redb::{ReadTransaction, ReadableTable as _};

use crate::event::envelope::{Damage, EventHash, Link, LinkReader};

use super::super::JournalError;
use super::storage::from_redb;
use super::table::{self, EVENTS};

/// Rows that one worker reads at a time.
const BATCH: u64 = 128;

/// Batches that wait for the caller, per worker.
const WAITING: usize = 2;

/// More workers than this read no faster from one disk.
const MOST_WORKERS: usize = 4;

/// An event as it was scanned.
pub(super) struct Scanned {
    /// Its place in the journal, from 1.
    pub(super) position: u64,
    /// What links it into its chain.
    pub(super) link: Link,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Some rows in order, and what was wrong behind the last of them.
type Batch = (Vec<Scanned>, Option<Stopped>);

/// Why a scan did not come to the end.
#[derive(Debug)]
pub(super) struct Stopped {
    /// The row that could not be read, where it was one.
    pub(super) position: Option<u64>,
    /// What was wrong with it.
    pub(super) error: JournalError,
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Self { position: None, error }
    }
}

/// As many workers as there are cores to be had.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORKERS))
}

/// Shows every event to `each`, in the order of writing. The hash of each is verified against what
/// is stored beside it; following the chains is up to the caller.
///
/// After one access that failed redb refuses every other: of several workers, another may be heard
/// first. One worker alone names what failed.
pub(super) fn scan(
    transaction: &ReadTransaction,
    workers: usize,
    each: &mut dyn FnMut(Scanned) -> Result<(), JournalError>,
) -> Result<(), Stopped> {
    let last = {
        let events = transaction.open_table(EVENTS).map_err(from_redb)?;
        events.last().map_err(from_redb)?.map_or(0, |(position, _)| position.value())
    };
    thread::scope(|scope| {
        let lanes: Vec<Receiver<Batch>> = (0..workers)
            .map(|worker| {
                let (batches, lane) = sync_channel(WAITING);
                scope.spawn(move || work(transaction, worker, workers, last, &batches));
                lane
            })
            .collect();
        for number in 0..last.div_ceil(BATCH) {
            let lane = usize::try_from(number).unwrap_or_default() % workers;
            let stopped = || JournalError::corrupt("reading it ended early");
            let (rows, wrong) = lanes[lane].recv().map_err(|_| stopped())?;
            for row in rows {
                each(row)?;
            }
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        Ok(())
    })
}

/// Reads every `workers`-th batch, from the one of this worker's number on.
fn work(
    transaction: &ReadTransaction,
    worker: usize,
    workers: usize,
    last: u64,
    batches: &SyncSender<Batch>,
) {
    let mut links = LinkReader::default();
    let starts = (1..=last).step_by(usize::try_from(BATCH).unwrap_or(usize::MAX));
    for first in starts.skip(worker).step_by(workers) {
        let mut rows = Vec::new();
        let end = last.min(first + BATCH - 1);
        let wrong = read(transaction, first, end, &mut links, &mut rows).err();
        let failed = wrong.is_some();
        // The caller has seen enough when nobody takes it.
        if batches.send((rows, wrong)).is_err() || failed {
            return;
        }
    }
}

fn read(
    transaction: &ReadTransaction,
    first: u64,
    end: u64,
    links: &mut LinkReader,
    rows: &mut Vec<Scanned>,
) -> Result<(), Stopped> {
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    let mut found = events.range(first..=end).map_err(from_redb)?;
    for position in first..=end {
        let row = found.next().ok_or_else(|| table::dangling(position));
        let row = row.and_then(|row| row.map_err(from_redb)).and_then(|(key, row)| {
            if key.value() == position {
                table::split_event(row.value())
            } else {
                Err(table::dangling(position))
            }
        });
        let read = row.and_then(|(hash, bytes)| verified(position, hash, bytes, links));
        rows.push(read.map_err(|error| Stopped { position: Some(position), error })?);
    }
    Ok(())
}

fn verified(
    position: u64,
    hash: EventHash,
    bytes: Vec<u8>,
    links: &mut LinkReader,
) -> Result<Scanned, JournalError> {
    let link = links.read(&bytes).map_err(|damage| JournalError::corrupt(damage.to_string()))?;
    if link.hash != hash {
        return Err(JournalError::corrupt(Damage::Hash.to_string()));
    }
    Ok(Scanned { position, link, bytes })
}
