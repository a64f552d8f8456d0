//! A write tried out in memory: all that it reads is read, and nothing of it reaches the file.
//!
//! A read meets the pages of the events and of what is derived from them. A write meets more: the
//! record of free pages, the length of the file, the older of the two commits. Damage there lets
//! every read pass and every write fail, so a check tries a write as well.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend, WriteTransaction};

use super::super::JournalError;
use super::RedbJournal;
use super::storage::{Access, Storage, from_database, from_redb, open_to_write};
use super::table::{EVENTS, FACTS, HEADS, IDS, PLACES, VALUES};

/// Bytes that are copied into memory before the first of them is changed.
const PIECE: u64 = 4096;

/// Writes of a rehearsal: what the first one frees, the second one takes.
const TRIES: usize = 2;

impl RedbJournal {
    /// Whether the next write will find all that it has to read.
    pub(super) fn rehearse(&self) -> Result<(), JournalError> {
        match self.rehearsed() {
            // Who may not write has nothing to try; who writes right now shows that it works.
            Err(JournalError::Unwritable { .. } | JournalError::Busy { .. }) => Ok(()),
            done => done,
        }
    }

    fn rehearsed(&self) -> Result<(), JournalError> {
        let database = open_to_write(&Rehearsal(&*self.storage))?;
        for _ in 0..TRIES {
            let mut transaction = database.begin_write().map_err(from_redb)?;
            transaction.set_quick_repair(true);
            self.recognise(&transaction)?;
            touch_every_table(&transaction)?;
            transaction.commit().map_err(from_redb)?;
        }
        database.close().map_err(from_database)
    }
}

/// A row behind the last one of each table, where an append puts its own.
fn touch_every_table(transaction: &WriteTransaction) -> Result<(), JournalError> {
    let (behind, last) = ([u8::MAX; 64], "\u{10ffff}");
    let row = [0; 1024].as_slice();
    transaction.open_table(EVENTS).map_err(from_redb)?.insert(u64::MAX, row).map_err(from_redb)?;
    for index in [PLACES, IDS] {
        let mut table = transaction.open_table(index).map_err(from_redb)?;
        table.insert(behind.as_slice(), 0).map_err(from_redb)?;
    }
    transaction.open_table(HEADS).map_err(from_redb)?.insert(last, row).map_err(from_redb)?;
    for table in [VALUES, FACTS] {
        let mut table = transaction.open_table(table).map_err(from_redb)?;
        table.insert(last, last).map_err(from_redb)?;
    }
    Ok(())
}

/// The storage of a journal, for a write that is not kept.
struct Rehearsal<'a>(&'a dyn Storage);

impl Storage for Rehearsal<'_> {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open(&self, access: Access) -> io::Result<Box<dyn StorageBackend>> {
        let inner = self.0.open(access)?;
        let length = inner.len()?;
        let changed = Changed { length, stored: length, pieces: BTreeMap::new() };
        Ok(Box::new(Overlay { inner, changed: Mutex::new(changed) }))
    }
}

/// Storage that is read, and whose changes stay in memory. Its locks are real: nobody writes
/// meanwhile.
struct Overlay {
    inner: Box<dyn StorageBackend>,
    changed: Mutex<Changed>,
}

/// What is otherwise than in the storage beneath.
struct Changed {
    length: u64,
    /// How much of the storage beneath still counts: what was cut off once is gone.
    stored: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece as it is beneath.
    fn stored(&self, number: u64, until: u64) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; index(PIECE)];
        let start = number * PIECE;
        let there = until.saturating_sub(start).min(PIECE);
        if there > 0 {
            self.inner.read(start, &mut piece[..index(there)])?;
        }
        Ok(piece)
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

/// The parts of a range of bytes by the piece that each lies in: the piece, where in it, how many.
fn parts(offset: u64, size: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + size as u64;
    (offset / PIECE..end.div_ceil(PIECE)).map(move |piece| {
        let from = offset.max(piece * PIECE);
        let to = end.min((piece + 1) * PIECE);
        (piece, index(from - piece * PIECE), index(to - from))
    })
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("what is read at once fits into memory")
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changed().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changed = self.changed();
        if offset + out.len() as u64 > changed.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        for (number, at, size) in parts(offset, out.len()) {
            let out = &mut out[done..done + size];
            if let Some(piece) = changed.pieces.get(&number) {
                out.copy_from_slice(&piece[at..at + size]);
            } else {
                let piece = self.stored(number, changed.stored)?;
                out.copy_from_slice(&piece[at..at + size]);
            }
            done += size;
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed();
        let mut done = 0;
        for (number, at, size) in parts(offset, data.len()) {
            if !changed.pieces.contains_key(&number) {
                let piece = self.stored(number, changed.stored)?;
                changed.pieces.insert(number, piece);
            }
            let piece = changed.pieces.get_mut(&number).expect("it was put there");
            piece[at..at + size].copy_from_slice(&data[done..done + size]);
            done += size;
        }
        changed.length = changed.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changed = self.changed();
        changed.stored = changed.stored.min(length);
        changed.pieces.retain(|number, _| number * PIECE < length);
        if let Some(piece) = changed.pieces.get_mut(&(length / PIECE)) {
            piece[index(length % PIECE)..].fill(0);
        }
        changed.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
