//! A file that a person names to be written: whole or not there, written through where it is no
//! file, and never in the place of the journal.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::journal::JournalError;
use crate::journal::archive::{can_make_a_file_in, write_durably};
use crate::view::standard_output;

/// Links that are followed, one to the next. Source: Linux, `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// Where the writing goes.
#[derive(Debug)]
pub(super) enum Target {
    /// A regular file, there already or not: replaced once the new one is whole.
    Whole(PathBuf),
    /// A device, a pipe: opened, and written as it is.
    Through(File),
    /// This process's own, by whatever name.
    StandardOutput(File),
}

/// Why nothing was written, or not all.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    /// It lies where the journal lies.
    #[error("{} is in the directory of the journal", .0.display())]
    OfTheJournal(PathBuf),
    /// The system says no.
    #[error("it cannot be written")]
    Unwritable(#[from] io::Error),
    /// What was to be written could not be read.
    #[error(transparent)]
    Journal(JournalError),
}

/// Writes what is to be written.
pub(super) type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<(), JournalError>;

impl TargetError {
    /// What is in the way, alone: what was to be written is said already.
    pub(super) fn reason(&self) -> String {
        let mut deepest: &dyn std::error::Error = self;
        while let Some(cause) = deepest.source() {
            deepest = cause;
        }
        deepest.to_string()
    }
}

impl Target {
    /// What this path names, links followed, as far as it can be written at all.
    pub(super) fn of(path: &Path, history: &Path) -> Result<Self, TargetError> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
            Ok(there) => match standard_output() {
                Ok(ours) if is_same(&there, &ours) => Ok(Self::StandardOutput(ours)),
                _ if !there.is_file() => {
                    Ok(Self::Through(OpenOptions::new().write(true).open(path)?))
                }
                _ => Self::whole(path, history),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::whole(path, history),
            Err(error) => Err(error.into()),
        }
    }

    fn whole(path: &Path, history: &Path) -> Result<Self, TargetError> {
        let path = destination(path)?;
        if history.canonicalize().is_ok_and(|history| path.starts_with(history)) {
            return Err(TargetError::OfTheJournal(path));
        }
        can_make_a_file_in(path.parent().unwrap_or(Path::new("/")))?;
        Ok(Self::Whole(path))
    }

    /// Whether this is standard output, which then carries nothing else.
    pub(super) fn is_standard_output(&self) -> bool {
        matches!(self, Self::StandardOutput(_))
    }

    /// Writes it. `mode` is for a file that is made, less the umask.
    pub(super) fn write(self, mode: u32, content: Content<'_>) -> Result<(), TargetError> {
        let mut source_failed = false;
        let mut guarded = |out: &mut dyn Write| {
            let mut out = Noted { out, failed: false };
            let done = content(&mut out);
            source_failed = done.is_err() && !out.failed;
            done
        };
        let written = match self {
            Self::Whole(path) => write_durably(&path, mode, &mut |out| guarded(out)),
            Self::Through(file) | Self::StandardOutput(file) => {
                let mut out = BufWriter::with_capacity(256 * 1024, file);
                guarded(&mut out).and_then(|()| Ok(out.flush()?))
            }
        };
        written.map_err(|error| match error {
            error if source_failed => TargetError::Journal(error),
            JournalError::Full => io::Error::from(io::ErrorKind::StorageFull).into(),
            JournalError::Io(source) | JournalError::Unwritable { source, .. } => source.into(),
            other => TargetError::Journal(other),
        })
    }
}

fn is_same(one: &Metadata, file: &File) -> bool {
    file.metadata().is_ok_and(|other| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Where a path leads, its last link followed to what may not be there yet.
fn destination(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        let parent = at.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).canonicalize()?;
        let name = at.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let place = parent.join(name);
        match fs::read_link(&place) {
            Ok(link) => at = parent.join(link),
            Err(_) => return Ok(place),
        }
    }
    // What links in a circle was refused before: it leads nowhere.
    Err(io::ErrorKind::InvalidFilename.into())
}

/// Notes whether it was the writing that failed.
struct Noted<'a> {
    out: &'a mut dyn Write,
    failed: bool,
}

impl Noted<'_> {
    fn note<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.failed |= done.is_err();
        done
    }
}

impl Write for Noted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.note(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.note(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path, history: &Path) -> Result<(), TargetError> {
        Target::of(path, history)?.write(0o600, &mut |out| Ok(out.write_all(b"new")?))
    }

    #[test]
    fn a_link_is_followed_and_stays_a_link() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        std::os::unix::fs::symlink("deep/file", at("second")).unwrap();
        std::os::unix::fs::symlink("second", at("first")).unwrap();
        for _ in ["not there yet", "there"] {
            written(&at("first"), &at("history")).unwrap();
            assert_eq!(fs::read_to_string(at("deep/file")).unwrap(), "new");
            assert!(at("first").is_symlink() && at("second").is_symlink());
            fs::write(at("deep/file"), "old").unwrap();
        }
    }

    #[test]
    fn nothing_in_the_journals_directory_is_written_by_any_way_there() {
        let place = tempfile::tempdir().unwrap();
        let history = place.path().join("history");
        fs::create_dir_all(history.join("export")).unwrap();
        fs::write(history.join("FORMAT"), "precious").unwrap();
        std::os::unix::fs::symlink("history", place.path().join("way")).unwrap();
        std::os::unix::fs::symlink("history/FORMAT", place.path().join("link")).unwrap();
        for name in ["history/FORMAT", "history/new", "history/export/x", "way/x", "link"] {
            let refused = written(&place.path().join(name), &history).unwrap_err();
            assert!(matches!(refused, TargetError::OfTheJournal(_)), "{name}: {refused:?}");
        }
        assert_eq!(fs::read_to_string(history.join("FORMAT")).unwrap(), "precious");
    }

    #[test]
    fn what_is_no_file_is_written_through_and_a_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        written(&link, place.path()).unwrap();
        assert!(link.is_symlink() && !Path::new("/dev/null").metadata().unwrap().is_file());
        let full = written(Path::new("/dev/full"), place.path()).unwrap_err();
        assert!(matches!(full, TargetError::Unwritable(_)), "{full:?}");
        let refused = written(place.path(), Path::new("/nowhere")).unwrap_err();
        assert!(matches!(refused, TargetError::Unwritable(_)), "{refused:?}");
    }
}
