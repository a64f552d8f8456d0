//! The directory of a journal: made so that a death in the middle leaves nothing half made.
//!
//! Every file is written under another name, made durable, renamed, and the directory made durable.
//! The database comes first and `FORMAT` last: a directory with `FORMAT` is complete. Whoever
//! creates holds a lock on the directory, which the kernel frees when he dies, so that two
//! processes that start at once make one journal.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::backends::FileBackend;

use super::super::JournalError;
use super::super::archive::{OWNER, write_durably};
use super::marker::{JOURNAL_FORMAT, JournalId, Marker};
use super::storage::PATIENCE;

const DATABASE: &str = "journal.redb";
const MARKER: &str = "FORMAT";
const IGNORE: &str = ".gitignore";
/// The ending of a file that is being made.
const UNFINISHED: &str = ".new";
/// A marker is four short lines.
const LARGEST_MARKER: u64 = 4096;
const PAUSE: Duration = Duration::from_millis(10);

/// Tells tests of each finished step, and lets them end the creation there.
pub(crate) type AfterStep<'a> = &'a mut dyn FnMut(&'static str) -> io::Result<()>;

/// Where the database of a directory is.
pub(crate) fn database(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// Whether a creation has ended here: `FORMAT` is its last step.
pub(crate) fn is_complete(directory: &Path) -> bool {
    directory.join(MARKER).exists()
}

/// Whether there is a file. What is there and is none is an error before anybody opens it: to open
/// a pipe is to wait for ever.
pub(crate) fn is_file(path: &Path) -> Result<bool, JournalError> {
    let inaccessible = |source| JournalError::Inaccessible { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(there) => regular(&there).map(|()| true).map_err(inaccessible),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_dangling(path).map(|()| false)
        }
        Err(error) => Err(inaccessible(error)),
    }
}

/// Refuses what is no regular file, and says what it is.
pub(crate) fn regular(there: &Metadata) -> io::Result<()> {
    let kind = there.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::other(format!("it is {what}, and should be a file")))
}

/// A link that leads nowhere is not nothing: what it leads to may be back tomorrow.
pub(crate) fn refuse_dangling(path: &Path) -> Result<(), JournalError> {
    let missing = |path: &&Path| matches!(fs::exists(path), Ok(false));
    for path in path.ancestors().take_while(missing) {
        if let Ok(target) = fs::read_link(path) {
            let what = format!("it is a link to {}, which is not there", target.display());
            let source = io::Error::new(io::ErrorKind::NotFound, what);
            return Err(JournalError::Inaccessible { path: path.to_owned(), source });
        }
    }
    Ok(())
}

/// What `FORMAT` says; none if there is no such file.
pub(crate) fn marker(directory: &Path) -> Result<Option<Marker>, JournalError> {
    let path = directory.join(MARKER);
    if !is_file(&path)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LARGEST_MARKER).read_to_end(&mut bytes));
    read.map_err(|source| JournalError::Inaccessible { path: path.clone(), source })?;
    let parsed = std::str::from_utf8(&bytes).ok().and_then(Marker::parse);
    let marker = parsed.ok_or_else(|| JournalError::Foreign {
        path,
        detail: "it does not read as the description of a journal".into(),
    })?;
    if marker.minimum_reader > JOURNAL_FORMAT {
        let found = marker.minimum_reader;
        return Err(JournalError::NewerFormat { found, supported: JOURNAL_FORMAT });
    }
    Ok(Some(marker))
}

/// Where the text that describes a journal is.
pub(crate) fn marker_file(directory: &Path) -> PathBuf {
    directory.join(MARKER)
}

/// Where a database is while it is being made; a creation that finds one there removes it.
pub(crate) fn unfinished_database(directory: &Path) -> PathBuf {
    directory.join(format!("{DATABASE}{UNFINISHED}"))
}

/// Holds the directory, as a creation does, until the file is dropped.
pub(crate) fn locked(directory: &Path) -> Result<File, JournalError> {
    let file = File::open(directory)?;
    lock(directory, &file)?;
    Ok(file)
}

/// A new file that only its owner may read.
pub(crate) fn create(path: &Path) -> Result<File, JournalError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| unwritable(path, error))
}

/// A directory that only its owner may enter.
pub(crate) fn make_directory(path: &Path) -> Result<(), JournalError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| unwritable(path, error))
}

/// Writes the text that describes a journal: whole, or not at all.
pub(crate) fn publish_marker(directory: &Path, id: JournalId) -> Result<(), JournalError> {
    write_durably(&marker_file(directory), OWNER, &mut |out| {
        out.write_all(Marker::new(id).to_string().as_bytes())?;
        Ok(())
    })
}

fn lock(path: &Path, directory: &File) -> Result<(), JournalError> {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        match directory.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(JournalError::Busy { path: path.to_owned() })
}

fn unwritable(path: &Path, source: io::Error) -> JournalError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::Full,
        _ => JournalError::Unwritable { path: path.to_owned(), source },
    }
}

/// How a directory is made to hold a journal.
pub(crate) struct Creation<'a> {
    pub(crate) directory: &'a Path,
    /// The id of the journal, if it has to be made.
    pub(crate) id: JournalId,
    /// Makes an empty database in an empty file.
    pub(crate) make: &'a dyn Fn(FileBackend, JournalId) -> Result<(), JournalError>,
    /// Reads the id out of a database that has no marker yet.
    pub(crate) id_of: &'a dyn Fn(&Path) -> Result<JournalId, JournalError>,
}

impl Creation<'_> {
    /// Makes what is missing. A directory that holds a journal already is left as it is.
    pub(crate) fn run(&self, after: AfterStep<'_>) -> Result<(), JournalError> {
        self.make_directory()?;
        after("directory")?;
        let directory = File::open(self.directory)?;
        lock(self.directory, &directory)?;
        self.remove_unfinished()?;
        if !self.directory.join(IGNORE).exists() {
            self.write_durably(IGNORE, b"*\n", after)?;
        }
        match (is_file(&database(self.directory))?, marker(self.directory)?.is_some()) {
            (true, true) => Ok(()),
            (false, true) => {
                Err(JournalError::corrupt(format!("`{MARKER}` is there, `{DATABASE}` is not")))
            }
            (true, false) => {
                let id = (self.id_of)(&database(self.directory))?;
                self.write_marker(id, after)
            }
            (false, false) => {
                self.make_database(after)?;
                self.write_marker(self.id, after)
            }
        }
    }

    fn make_directory(&self) -> Result<(), JournalError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.directory);
        made.and_then(|()| fs::set_permissions(self.directory, Permissions::from_mode(0o700)))
            .map_err(|error| self.unwritable(error))?;
        match self.directory.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Ok(sync_directory(Path::new("."))?),
            Some(parent) => Ok(sync_directory(parent)?),
            None => Ok(()),
        }
    }

    /// Removes what a creation that died has left; only under the lock.
    fn remove_unfinished(&self) -> Result<(), JournalError> {
        for name in [DATABASE, MARKER, IGNORE] {
            match fs::remove_file(self.unfinished(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.unwritable(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn make_database(&self, after: AfterStep<'_>) -> Result<(), JournalError> {
        let file = self.create(DATABASE)?;
        after("empty database")?;
        let backend = FileBackend::new(file.try_clone()?).map_err(super::storage::from_database)?;
        (self.make)(backend, self.id)?;
        after("database")?;
        sync(&file, &self.unfinished(DATABASE))?;
        self.publish(DATABASE, after)
    }

    fn write_marker(&self, id: JournalId, after: AfterStep<'_>) -> Result<(), JournalError> {
        self.write_durably(MARKER, Marker::new(id).to_string().as_bytes(), after)
    }

    fn write_durably(
        &self,
        name: &str,
        content: &[u8],
        after: AfterStep<'_>,
    ) -> Result<(), JournalError> {
        let mut file = self.create(name)?;
        after("empty text")?;
        file.write_all(content)?;
        after("text")?;
        sync(&file, &self.unfinished(name))?;
        self.publish(name, after)
    }

    fn create(&self, name: &str) -> Result<File, JournalError> {
        create(&self.unfinished(name)).map_err(|error| match error {
            JournalError::Unwritable { source, .. } => self.unwritable(source),
            other => other,
        })
    }

    fn publish(&self, name: &str, after: AfterStep<'_>) -> Result<(), JournalError> {
        after("durable")?;
        fs::rename(self.unfinished(name), self.directory.join(name))?;
        after("renamed")?;
        sync_directory(self.directory)?;
        after("published")?;
        Ok(())
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}{UNFINISHED}"))
    }

    fn unwritable(&self, source: io::Error) -> JournalError {
        unwritable(self.directory, source)
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    sync(&File::open(directory)?, directory)
}

/// Makes what is in a file, or the names in a directory, durable.
#[cfg_attr(not(test), expect(unused_variables, reason = "the path is for tests"))]
pub(super) fn sync(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    #[cfg(test)]
    SYNCED.with_borrow_mut(|synced| synced.push(path.to_owned()));
    Ok(())
}

#[cfg(test)]
thread_local! {
    /// The files and directories that this thread made durable: no test can see that on the disk.
    pub(crate) static SYNCED: std::cell::RefCell<Vec<PathBuf>> =
        const { std::cell::RefCell::new(Vec::new()) };
}
