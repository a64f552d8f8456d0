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

use super::chain::{refuse_large_values, refuse_twin_events, refuse_twins};
use super::{Append, Journal, JournalError, StreamHead};

mod append;
mod check;
mod held;
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
mod walk;
mod whole;

pub use check::Checked;
pub use held::HeldJournal;
pub use marker::JournalId;
pub use repair::{Record, Repair, RepairError, RestoredStream};
pub use whole::CHECKED_BY_EVERY_COMMAND;

use append::{append, append_stored, put_values};
use storage::{FileStorage, Storage, from_database, from_redb, open_to_read, open_to_write};
use table::{HEADS, Look, VALUES};
use walk::{visit, visit_back};

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
        home::refuse_dangling(directory)?;
        match home::marker(directory)? {
            Some(marker) if home::is_file(&path)? => Ok(Self { storage, id: marker.id }),
            Some(_) => Err(JournalError::corrupt("`FORMAT` is there, `journal.redb` is not")),
            // A creation that died right before its last step, or a marker somebody removed.
            None if home::is_file(&path)? => Ok(Self { id: id_of(&*storage)?, storage }),
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
        home::refuse_dangling(directory)?;
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

    /// Whether what is here was made by surefoot once, whatever became of it.
    pub fn is_ours(directory: &Path) -> bool {
        matches!(home::marker(directory), Ok(Some(_)))
            || id_of(&FileStorage(home::database(directory))).is_ok()
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
        mut change: impl FnMut(&WriteTransaction) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match self.write_once(&mut change) {
            Err(JournalError::Full | JournalError::Io(_)) => self.write_once(&mut change),
            done => done,
        }
    }

    fn write_once<T>(
        &self,
        change: &mut impl FnMut(&WriteTransaction) -> Result<T, JournalError>,
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

    fn append_portions(
        &self,
        fill: &mut dyn FnMut(&mut Append<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.write(|transaction| {
            fill(&mut |stream, expected_sequence, events| {
                refuse_twin_events(events)?;
                append_stored(transaction, stream, expected_sequence, events)
            })
        })
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
