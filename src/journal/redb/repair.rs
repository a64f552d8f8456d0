//! A damaged journal brought back: from its export, and from what of the damaged file still proves
//! itself. The damaged files are moved aside; nothing is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::names::StreamName;

use super::super::archive::{EXPORTS, folder};
use super::super::import::{self, ImportError};
use super::super::{Journal, JournalError, StreamHead};
use super::storage::FileStorage;
use super::{JournalId, RedbJournal, home, id_of, make, salvage};

/// Writes a repair down in the journal that was restored.
pub type Record<'a> = &'a mut dyn FnMut(Arc<dyn Journal>, &Repair) -> Result<(), JournalError>;

/// How a repair went.
#[derive(Debug)]
pub struct Repair {
    /// What was wrong.
    pub damage: JournalError,
    /// Where the damaged files are now; none where there was no file at all.
    pub moved_to: Option<PathBuf>,
    /// What came back.
    pub streams: Vec<RestoredStream>,
    /// How many environment values were saved from the damaged file.
    pub values: usize,
    /// Exports that could not be read.
    pub refused: Vec<ImportError>,
}

/// A stream that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredStream {
    /// The stream.
    pub stream: StreamName,
    /// How many of its events the export had.
    pub from_export: u64,
    /// How many more the damaged file could prove.
    pub saved: u64,
    /// How many there were, where the damaged file still says so.
    pub of: Option<u64>,
}

impl RestoredStream {
    /// How many events are known to be lost.
    pub fn lost(&self) -> u64 {
        self.of.map_or(0, |of| of.saturating_sub(self.from_export + self.saved))
    }
}

impl Repair {
    /// Whether something is lost, or may be: where an export could not be read to its end, and the damaged
    /// file does not say where its stream ended.
    pub fn is_partial(&self) -> bool {
        let told = |name: &OsStr| {
            let is_it = |one: &&RestoredStream| *name == *folder(&one.stream);
            self.streams.iter().find(is_it).is_some_and(|one| one.of.is_some())
        };
        let of = |error: &ImportError| error.path()?.parent()?.file_name().map(told);
        self.streams.iter().any(|one| one.lost() > 0)
            || !self.refused.iter().all(|error| of(error) == Some(true))
    }
}

/// Why a journal is not repaired. Nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is nothing to bring it back from.
    #[error("there is no export, and nothing of the damaged file can be proven")]
    NoExport {
        /// What is wrong with the journal.
        damage: JournalError,
        /// Exports that could not be read.
        refused: Vec<ImportError>,
    },
    /// The journal cannot be reached or written, or is of a newer version.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl From<io::Error> for RepairError {
    fn from(error: io::Error) -> Self {
        Self::Journal(error.into())
    }
}

impl RedbJournal {
    /// Brings the journal in `directory` back, if it is damaged; none where it is sound. `id` is
    /// random, and used where the damaged one can no longer be read. `record` writes into the new journal
    /// what was done, before that takes the place of the damaged one: a death in between leaves no repair that
    /// nobody knows of.
    pub fn repair(
        directory: &Path,
        id: JournalId,
        record: Record<'_>,
    ) -> Result<Option<Repair>, RepairError> {
        let Err(damage) = Self::open(directory).and_then(|journal| journal.check()) else {
            return Ok(None);
        };
        let exports = directory.join(EXPORTS);
        match damage {
            JournalError::Corrupt { .. } | JournalError::Foreign { .. } => {}
            JournalError::Missing { .. } if exports.is_dir() => {}
            other => return Err(other.into()),
        }
        let lock = home::locked(directory)?;
        // What the database says of itself is sealed; `FORMAT` is a text.
        let id = match id_of(&FileStorage(home::database(directory))) {
            Ok(id) => id,
            Err(_) => home::marker(directory).ok().flatten().map_or(id, |marker| marker.id),
        };
        let unfinished = home::unfinished_database(directory);
        let restored = restore(directory, &exports, &unfinished, id);
        let done = match restored {
            Ok((streams, values, refused)) if !streams.is_empty() => {
                let moved_to = aside(directory);
                let repair = Repair { damage, moved_to, streams, values, refused };
                finish(directory, &unfinished, id, &repair, record).map(|()| Some(repair))
            }
            Ok((_, _, refused)) => Err(RepairError::NoExport { damage, refused }),
            Err(error) => Err(error.into()),
        };
        if done.is_err() {
            drop(fs::remove_file(&unfinished));
        }
        drop(lock);
        done
    }
}

/// Writes down what is being done, and puts the new database in its place.
fn finish(
    directory: &Path,
    unfinished: &Path,
    id: JournalId,
    repair: &Repair,
    record: Record<'_>,
) -> Result<(), RepairError> {
    let storage = Box::new(FileStorage(unfinished.to_owned()));
    record(Arc::new(RedbJournal { storage, id }), repair)?;
    File::open(unfinished)?.sync_all()?;
    Ok(put_in_place(directory, unfinished, id, repair.moved_to.as_deref())?)
}

/// Where the damaged files will be; none where there are none.
fn aside(directory: &Path) -> Option<PathBuf> {
    let kept = home::database(directory).exists() || home::is_complete(directory);
    let mut numbered = (1..).map(|number: u32| directory.join(format!("damaged-{number}")));
    kept.then(|| numbered.find(|path| !path.exists()).expect("numbers do not run out"))
}

type Restored = (Vec<RestoredStream>, usize, Vec<ImportError>);

/// Fills a new database: first from the exports, then from the damaged file.
fn restore(
    directory: &Path,
    exports: &Path,
    unfinished: &Path,
    id: JournalId,
) -> Result<Restored, JournalError> {
    drop(fs::remove_file(unfinished));
    let file = home::create(unfinished)?;
    let backend = redb::backends::FileBackend::new(file).map_err(super::from_database)?;
    make(Box::new(backend), id)?;
    let fresh = RedbJournal { storage: Box::new(FileStorage(unfinished.to_owned())), id };
    let (mut exported, broken) = import_each(&fresh, exports)?;
    let damaged = RedbJournal { storage: Box::new(FileStorage(home::database(directory))), id };
    let heads = salvage::heads(&damaged);
    let named = heads.iter().map(|head| head.stream.clone());
    let known: BTreeSet<StreamName> = exported.keys().cloned().chain(named).collect();
    // Where one ends, the other may go on.
    let mut length = None;
    while length != Some(events(&fresh)?) {
        length = Some(events(&fresh)?);
        for (files, _) in &broken {
            for (stream, more) in import::salvage(&fresh, files)? {
                *exported.entry(stream).or_default() += more;
            }
        }
        for stream in &known {
            salvage::stream(&damaged, &fresh, stream)?;
        }
        salvage::in_order(&damaged, &fresh)?;
    }
    let refused = broken.into_iter().map(|(_, error)| error).collect();
    let restored = fresh.streams()?;
    let streams = restored.iter().map(|head| restored_stream(head, &exported, &heads)).collect();
    let values = salvage::values(&damaged, &fresh)?;
    fresh.check()?;
    Ok((streams, values, refused))
}

fn events(journal: &RedbJournal) -> Result<u64, JournalError> {
    Ok(journal.streams()?.iter().map(|head| head.sequence).sum())
}

fn restored_stream(
    end: &StreamHead,
    exported: &BTreeMap<StreamName, u64>,
    heads: &[StreamHead],
) -> RestoredStream {
    let from_export = exported.get(&end.stream).copied().unwrap_or_default();
    let told = heads.iter().find(|head| head.stream == end.stream);
    RestoredStream {
        stream: end.stream.clone(),
        from_export,
        saved: end.sequence - from_export,
        of: told.map(|head| head.sequence),
    }
}

/// What each export gave, and the exports that are not whole, with their files.
type Exported = (BTreeMap<StreamName, u64>, Vec<(Vec<PathBuf>, ImportError)>);

/// Imports each stream's export by itself: one that is damaged is no reason to lose the others.
fn import_each(fresh: &RedbJournal, exports: &Path) -> Result<Exported, JournalError> {
    let (mut streams, mut broken) = (BTreeMap::new(), Vec::new());
    let entries = fs::read_dir(exports).map(Iterator::flatten).into_iter().flatten();
    let mut places: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    places.sort();
    for place in places {
        let files = match import::files(&place) {
            Ok(files) => files,
            Err(error) => {
                broken.push((Vec::new(), error));
                continue;
            }
        };
        match import::import(fresh, &files) {
            Ok(imported) => {
                streams.extend(imported.into_iter().map(|one| (one.stream, one.sequence)));
            }
            Err(ImportError::Journal(error)) => return Err(error),
            Err(error) => broken.push((files, error)),
        }
    }
    Ok((streams, broken))
}

/// The new database takes the place of the damaged one, which keeps a name of its own. There is no
/// moment without a database.
fn put_in_place(
    directory: &Path,
    unfinished: &Path,
    id: JournalId,
    aside: Option<&Path>,
) -> Result<(), JournalError> {
    let database = home::database(directory);
    let marker_is_right =
        home::marker(directory).ok().flatten().is_some_and(|marker| marker.id == id);
    if let Some(aside) = aside {
        home::make_directory(aside)?;
        if database.exists() {
            fs::hard_link(&database, aside.join("journal.redb"))?;
        }
        if !marker_is_right && home::is_complete(directory) {
            fs::rename(home::marker_file(directory), aside.join("FORMAT"))?;
        }
        // From here on this is where what was damaged can be found.
        home::sync_directory(aside)?;
        home::sync_directory(directory)?;
    }
    fs::rename(unfinished, &database)?;
    if !marker_is_right {
        home::publish_marker(directory, id)?;
    }
    Ok(home::sync_directory(directory)?)
}
