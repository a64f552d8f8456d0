//! The journal on disk: `.deploy-history/` with `journal.redb` and `FORMAT`.
//!
//! The database is open only while something is read or written, so that a reader in another
//! terminal always gets an answer and a killed process rarely leaves a file in need of repair. It
//! is opened in redb's `SingleWriter` mode: readers do not wait for a writer, nor he for them; two
//! writers wait for each other up to a named patience. Commits use two phases and quick-repair, so
//! that opening after a kill takes a millisecond at any size.
//!
//! What is read was written: pages carry seals (`sealed`), events carry hashes and a chain, and a
//! stream's head says where the chain must end.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use redb::{ReadTransaction, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

use crate::event::envelope::{Draft, StoredEvent};
use crate::names::{StreamName, ValueHash};

use super::chain::{
    Chain, Descent, Found, recognise, refuse_large_values, refuse_twin_events, refuse_twins,
};
use super::{Journal, JournalError, StreamHead};

mod check;
mod home;
mod marker;
mod rehearsal;
mod repair;
mod salvage;
mod scan;
mod sealed;
mod storage;
mod table;
#[cfg(test)]
mod tests;
mod whole;

pub use check::Checked;
pub use marker::JournalId;
pub use repair::{Repair, RepairError, RestoredStream};
pub use whole::CHECKED_BY_EVERY_COMMAND;

use storage::{FileStorage, Storage, from_database, from_redb, open_to_read, open_to_write};
use table::{EVENTS, HEADS, Look, PLACES, VALUES};

/// The fact that ties the database to its `FORMAT`.
const ID: &str = "id";

/// A journal on disk. Holds no file open between calls.
pub struct RedbJournal {
    storage: Box<dyn Storage>,
    id: JournalId,
}

impl RedbJournal {
    /// The journal in `directory`, usually `.deploy-history`.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = home::database(directory);
        let storage = Box::new(FileStorage(path.clone()));
        match home::marker(directory)? {
            Some(marker) if path.exists() => Ok(Self { storage, id: marker.id }),
            Some(_) => Err(JournalError::corrupt("`FORMAT` is there, `journal.redb` is not")),
            // A creation that died right before its last step, or a marker somebody removed.
            None if path.exists() => Ok(Self { id: id_of(&*storage)?, storage }),
            None => Err(JournalError::Missing { path: directory.to_owned() }),
        }
    }

    /// The journal in `directory`, made if there is none. `id` is random and used only then.
    pub fn create(directory: &Path, id: JournalId) -> Result<Self, JournalError> {
        Self::create_in_steps(directory, id, &mut |_| Ok(()))
    }

    fn create_in_steps(
        directory: &Path,
        id: JournalId,
        after: home::AfterStep<'_>,
    ) -> Result<Self, JournalError> {
        if home::is_complete(directory) {
            return Self::open(directory);
        }
        let creation = home::Creation {
            directory,
            id,
            make: &|backend, id| make(Box::new(backend), id),
            id_of: &|path| id_of(&FileStorage(path.to_owned())),
        };
        creation.run(after)?;
        Self::open(directory)
    }

    /// The identity that the journal was made with.
    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Reads in one transaction.
    fn look<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.look_unasked(|transaction| {
            self.recognise(transaction)?;
            read(transaction)
        })
    }

    /// The same without a look at whose journal it is: for what proves itself.
    fn look_unasked<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let database = open_to_read(&*self.storage)?;
        read(&database.begin_read().map_err(from_redb)?)
    }

    /// Writes in one transaction, durable on return. The database is closed in between, so that a
    /// disk that was full for a moment, or an error of the medium, is met by a fresh open once.
    fn write<T>(
        &self,
        change: impl Fn(&WriteTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match self.write_once(&change) {
            Err(JournalError::Full | JournalError::Io(_)) => self.write_once(&change),
            done => done,
        }
    }

    fn write_once<T>(
        &self,
        change: &impl Fn(&WriteTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let database = open_to_write(&*self.storage)?;
        let mut transaction = database.begin_write().map_err(from_redb)?;
        transaction.set_quick_repair(true);
        self.recognise(&transaction)?;
        let done = change(&transaction)?;
        transaction.commit().map_err(from_redb)?;
        Ok(done)
    }

    fn recognise(&self, transaction: &impl Look) -> Result<(), JournalError> {
        if transaction.fact(ID)? == Some(self.id.to_string()) {
            return Ok(());
        }
        Err(JournalError::Foreign {
            path: self.storage.path().to_owned(),
            detail: "it belongs to another `FORMAT`".into(),
        })
    }
}

impl fmt::Debug for RedbJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedbJournal").field(&self.storage.path()).finish()
    }
}

/// A journal held open by its only writer, for many appends in a row.
pub struct HeldJournal {
    database: redb::Database,
}

impl RedbJournal {
    /// Holds the journal open. Readers are served all the while; other writers wait.
    pub fn hold_open(&self) -> Result<HeldJournal, JournalError> {
        let database = open_to_write(&*self.storage)?;
        self.recognise(&database.begin_read().map_err(from_redb)?)?;
        Ok(HeldJournal { database })
    }
}

impl HeldJournal {
    /// Appends events as another journal stored them, all of them or none, durable on return.
    pub fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        refuse_twin_events(events)?;
        let mut transaction = self.database.begin_write().map_err(from_redb)?;
        transaction.set_quick_repair(true);
        append_stored(&transaction, stream, expected_sequence, events)?;
        transaction.commit().map_err(from_redb)
    }
}

impl fmt::Debug for HeldJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldJournal").finish_non_exhaustive()
    }
}

/// Makes an empty database in empty storage.
fn make(backend: Box<dyn redb::StorageBackend>, id: JournalId) -> Result<(), JournalError> {
    let database = storage::create(backend)?;
    let mut transaction = database.begin_write().map_err(from_redb)?;
    transaction.set_quick_repair(true);
    table::create_all(&transaction)?;
    {
        let mut facts = transaction.open_table(table::FACTS).map_err(from_redb)?;
        facts.insert(ID, id.to_string().as_str()).map_err(from_redb)?;
    }
    transaction.commit().map_err(from_redb)?;
    database.close().map_err(from_database)
}

/// The id in a database.
fn id_of(storage: &dyn Storage) -> Result<JournalId, JournalError> {
    let database = open_to_read(storage)?;
    let transaction = database.begin_read().map_err(from_redb)?;
    let id = transaction.fact(ID)?.as_deref().and_then(JournalId::parse);
    id.ok_or_else(|| JournalError::corrupt("the database has no id"))
}

impl Journal for RedbJournal {
    fn append_with_values(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        drafts: &[Draft],
        values: &BTreeMap<ValueHash, String>,
    ) -> Result<Vec<StoredEvent>, JournalError> {
        refuse_twins(drafts)?;
        refuse_large_values(values.values())?;
        self.write(|transaction| append(transaction, stream, expected_sequence, drafts, values))
    }

    fn visit(
        &self,
        stream: &StreamName,
        after_sequence: u64,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.look(|transaction| visit(transaction, stream, after_sequence, visitor))
    }

    fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        refuse_twin_events(events)?;
        self.write(|transaction| append_stored(transaction, stream, expected_sequence, events))
    }

    fn visit_back(
        &self,
        stream: &StreamName,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.look(|transaction| visit_back(transaction, stream, visitor))
    }

    fn streams(&self) -> Result<Vec<StreamHead>, JournalError> {
        self.look(|transaction| {
            let table = transaction.open_table(HEADS).map_err(from_redb)?;
            let mut heads = Vec::new();
            for row in table.iter().map_err(from_redb)? {
                let (name, head) = row.map_err(from_redb)?;
                let stream: StreamName =
                    name.value().parse().map_err(|_| JournalError::corrupt("a stream's name"))?;
                heads.push(table::split_head(stream, head.value())?);
            }
            heads.sort_by(|one, other| one.stream.cmp(&other.stream));
            Ok(heads)
        })
    }

    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError> {
        self.look(|transaction| transaction.head(stream))
    }

    fn value(&self, hash: &ValueHash) -> Result<Option<String>, JournalError> {
        self.look(|transaction| {
            let table = transaction.open_table(VALUES).map_err(from_redb)?;
            let found = table.get(hash.as_str()).map_err(from_redb)?;
            Ok(found.map(|row| row.value().to_owned()))
        })
    }

    fn put_values(&self, values: &BTreeMap<ValueHash, String>) -> Result<(), JournalError> {
        refuse_large_values(values.values())?;
        self.write(|transaction| put_values(transaction, values))
    }
}

fn append(
    transaction: &WriteTransaction,
    stream: &StreamName,
    expected_sequence: u64,
    drafts: &[Draft],
    values: &BTreeMap<ValueHash, String>,
) -> Result<Vec<StoredEvent>, JournalError> {
    let stored: Vec<_> =
        drafts.iter().map(|draft| transaction.event_of(draft.id)).collect::<Result<_, _>>()?;
    let mut chain = Chain::behind(stream, transaction.head(stream)?.as_ref());
    match recognise(stream, drafts, stored)? {
        Found::All(events) => {
            put_values(transaction, values)?;
            return Ok(events);
        }
        Found::Nothing if chain.sequence() == expected_sequence => {}
        Found::Nothing | Found::Part => {
            let found = chain.sequence();
            return Err(JournalError::Conflict { expected: expected_sequence, found });
        }
    }
    let events: Vec<_> =
        drafts.iter().map(|draft| chain.extend(draft)).collect::<Result<_, _>>()?;
    table::push(transaction, &events)?;
    put_values(transaction, values)?;
    Ok(events)
}

fn append_stored(
    transaction: &WriteTransaction,
    stream: &StreamName,
    expected: u64,
    events: &[StoredEvent],
) -> Result<(), JournalError> {
    let mut chain = Chain::behind(stream, transaction.head(stream)?.as_ref());
    if chain.sequence() != expected {
        return Err(JournalError::Conflict { expected, found: chain.sequence() });
    }
    for event in events {
        chain.admit(event)?;
        if transaction.position_of(event.id())?.is_some() {
            return Err(JournalError::IdTaken { id: event.id() });
        }
    }
    table::push(transaction, events)
}

fn put_values(
    transaction: &WriteTransaction,
    values: &BTreeMap<ValueHash, String>,
) -> Result<(), JournalError> {
    if values.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(VALUES).map_err(from_redb)?;
    for (hash, value) in values {
        if table.get(hash.as_str()).map_err(from_redb)?.is_none() {
            table.insert(hash.as_str(), value.as_str()).map_err(from_redb)?;
        }
    }
    Ok(())
}

fn visit(
    transaction: &ReadTransaction,
    stream: &StreamName,
    after: u64,
    visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let head = transaction.head(stream)?;
    if after > 0 && head.as_ref().is_none_or(|head| head.sequence <= after) {
        return Ok(());
    }
    let mut chain = chain_after(transaction, stream, after)?;
    let places = transaction.open_table(PLACES).map_err(from_redb)?;
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    let first = table::place_key(stream, after.saturating_add(1));
    let last = table::place_key(stream, u64::MAX);
    let rows = places.range(first.as_slice()..=last.as_slice()).map_err(from_redb)?;
    for row in rows {
        let position = row.map_err(from_redb)?.1.value();
        let row = events.get(position).map_err(from_redb)?;
        let row = row.ok_or_else(|| table::dangling(position))?;
        let (hash, bytes) = table::split_event(row.value())?;
        if visitor(chain.follow(hash, bytes)?).is_break() {
            return Ok(());
        }
    }
    match head {
        Some(head) => chain.reaches(&head),
        None => chain.reaches(&Chain::empty(stream).head()),
    }
}

fn visit_back(
    transaction: &ReadTransaction,
    stream: &StreamName,
    visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let head = transaction.head(stream)?.unwrap_or_else(|| Chain::empty(stream).head());
    let mut descent = Descent::from(&head);
    let places = transaction.open_table(PLACES).map_err(from_redb)?;
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    let first = table::place_key(stream, 0);
    let last = table::place_key(stream, u64::MAX);
    let rows = places.range(first.as_slice()..=last.as_slice()).map_err(from_redb)?;
    for row in rows.rev() {
        let (key, position) = row.map_err(from_redb)?;
        if key.value() != table::place_key(stream, descent.due()) {
            return Err(descent.broken());
        }
        let position = position.value();
        let row = events.get(position).map_err(from_redb)?;
        let row = row.ok_or_else(|| table::dangling(position))?;
        let (_, bytes) = table::split_event(row.value())?;
        if visitor(descent.step(bytes)?).is_break() {
            return Ok(());
        }
    }
    descent.ends()
}

/// The chain that ends right at `after`: the hash stored there is what the next event must name.
fn chain_after(
    transaction: &ReadTransaction,
    stream: &StreamName,
    after: u64,
) -> Result<Chain, JournalError> {
    if after == 0 {
        return Ok(Chain::empty(stream));
    }
    let stored = transaction.place(stream, after)?.map(|place| transaction.event_at(place));
    let Some((hash, _)) = stored.transpose()?.flatten() else {
        return Err(JournalError::Corrupt {
            stream: Some(stream.clone()),
            sequence: Some(after),
            detail: "it is not there".into(),
        });
    };
    Ok(Chain::at(stream, after, hash))
}
