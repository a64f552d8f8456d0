//! How the file is reached: opening with patience, repair after a kill, errors in our words.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, StorageBackend,
    StorageError,
};

use super::super::JournalError;
use super::home::regular;
use super::sealed::{PREAMBLE, SealedPages};

/// How long to wait for another process that holds the file: longer than any append takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(4);

/// redb's own default is 1 GiB, for programs that stay. Pages of one append or one look fit here.
const CACHE_SIZE: usize = 8 * 1024 * 1024;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Where the bytes of a journal are: a file, or in tests a disk that fails on request.
pub(crate) trait Storage: Send + Sync {
    /// The name for messages.
    fn path(&self) -> &Path;
    /// Opens it once.
    fn open(&self, access: Access) -> io::Result<Box<dyn StorageBackend>>;
}

/// A journal in a file.
pub(crate) struct FileStorage(pub(crate) PathBuf);

impl Storage for FileStorage {
    fn path(&self) -> &Path {
        &self.0
    }

    fn open(&self, access: Access) -> io::Result<Box<dyn StorageBackend>> {
        regular(&std::fs::metadata(&self.0)?)?;
        let write = access == Access::Write;
        let file = OpenOptions::new().read(true).write(write).open(&self.0)?;
        let backend =
            FileBackend::new(file).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(backend))
    }
}

/// Opens for writing. After a kill this repairs the file.
pub(crate) fn open_to_write(storage: &dyn Storage) -> Result<Database, JournalError> {
    patiently(storage, || {
        let pages = pages(storage, Access::Write)?;
        Ok(builder().create_with_backend(pages))
    })
}

/// Opens for reading, beside a writer if there is one. Repairs first where a kill left the file
/// in need of it.
pub(crate) fn open_to_read(storage: &dyn Storage) -> Result<ReadOnlyDatabase, JournalError> {
    patiently(storage, || {
        let pages = pages(storage, Access::Read)?;
        match builder().open_read_only_with_backend(pages) {
            Err(DatabaseError::RepairAborted) => {
                // Closed by hand: what could not be written, on a full disk, is said.
                open_to_write(storage)?.close().map_err(from_database)?;
                // Asked again: `patiently` opens once more.
                Ok(Err(DatabaseError::DatabaseAlreadyOpen))
            }
            opened => Ok(opened),
        }
    })
}

/// A new database in empty storage.
pub(crate) fn create(backend: Box<dyn StorageBackend>) -> Result<Database, JournalError> {
    let pages = SealedPages::create(backend)?;
    builder().create_with_backend(pages).map_err(from_database)
}

/// Settings of every open. One writer at a time, and readers beside it.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_SIZE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

fn patiently<T>(
    storage: &dyn Storage,
    open: impl Fn() -> Result<Result<T, DatabaseError>, JournalError>,
) -> Result<T, JournalError> {
    let attempts = PATIENCE.as_millis() / PAUSE.as_millis();
    for _ in 0..attempts {
        match open()? {
            Err(DatabaseError::DatabaseAlreadyOpen) => std::thread::sleep(PAUSE),
            opened => return opened.map_err(from_database),
        }
    }
    Err(JournalError::Busy { path: storage.path().to_owned() })
}

fn pages(storage: &dyn Storage, access: Access) -> Result<SealedPages, JournalError> {
    let path = || storage.path().to_owned();
    let backend = storage.open(access).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => JournalError::Missing { path: path() },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            if access == Access::Write =>
        {
            JournalError::Unwritable { path: path(), source: error }
        }
        _ => JournalError::Inaccessible { path: path(), source: error },
    })?;
    let preamble = SealedPages::preamble(&*backend)?;
    if preamble.starts_with(b"redb") {
        let detail = "it is a database of another program".to_owned();
        return Err(JournalError::Foreign { path: path(), detail });
    }
    if preamble != PREAMBLE {
        let detail = "its first bytes are others".to_owned();
        return Err(JournalError::Foreign { path: path(), detail });
    }
    let pages = SealedPages::new(backend);
    // Empty storage would be taken for a new database.
    if pages.len()? == 0 {
        return Err(JournalError::corrupt("the file is cut short"));
    }
    Ok(pages)
}

/// redb's words for a failed open in ours.
pub(crate) fn from_database(error: DatabaseError) -> JournalError {
    match error {
        DatabaseError::Storage(error) => from_storage(error),
        // Another version of redb has it open.
        DatabaseError::LockProtocolMismatch => JournalError::Busy { path: "journal.redb".into() },
        other => JournalError::corrupt(other.to_string()),
    }
}

/// redb's words for a failed read or write in ours.
pub(crate) fn from_storage(error: StorageError) -> JournalError {
    match error {
        StorageError::Corrupted(detail) => corrupt(detail),
        StorageError::Io(error) => from_io(error),
        StorageError::PreviousIo => JournalError::Io(io::Error::other("an earlier access failed")),
        other => JournalError::Io(io::Error::other(other.to_string())),
    }
}

/// The words of [`from_storage`] for every error of redb that carries one.
pub(crate) fn from_redb(error: impl Into<redb::Error>) -> JournalError {
    match error.into() {
        redb::Error::Corrupted(detail) => corrupt(detail),
        redb::Error::Io(error) => from_io(error),
        redb::Error::PreviousIo => from_storage(StorageError::PreviousIo),
        redb::Error::TableDoesNotExist(table) => {
            JournalError::corrupt(format!("the table `{table}` is missing"))
        }
        other => JournalError::corrupt(other.to_string()),
    }
}

/// Who reads this never heard of redb's commits.
fn corrupt(detail: String) -> JournalError {
    if detail.starts_with("Primary is corrupted") {
        return JournalError::corrupt("its newest state is not what was written");
    }
    JournalError::corrupt(detail)
}

fn from_io(error: io::Error) -> JournalError {
    match error.kind() {
        // A broken seal, a broken header, or redb's own refusal of a header.
        io::ErrorKind::InvalidData => JournalError::corrupt(error.to_string()),
        // A lock that was never freed: its holder was stopped in the middle.
        io::ErrorKind::TimedOut => JournalError::Busy { path: "journal.redb".into() },
        io::ErrorKind::UnexpectedEof => JournalError::corrupt("the file is cut short"),
        _ => error.into(),
    }
}
