//! The walk through a context: every entry that is sent, in a fixed order.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::ignore::{HISTORY, Ignore, Inherited, JOURNAL_MARK};
use super::refusal::{refused, shown, unreadable};
use crate::world::WorldError;

/// One entry of a context.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is on this machine.
    pub(super) location: PathBuf,
    /// Its path inside the context.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) kind: Kind,
    /// What the file system said of it.
    pub(super) metadata: Metadata,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory.
    Directory,
    /// A file with content.
    File,
    /// A symbolic link and what it says, followed by nobody.
    Link(PathBuf),
    /// A socket: left out, as Docker does.
    Socket,
}

/// What is done with an entry.
pub(super) type Visit<'a> = dyn FnMut(&Entry) -> io::Result<()> + 'a;

/// A walk under way.
pub(super) struct Walk<'a> {
    ignore: &'a Ignore,
    visit: &'a mut Visit<'a>,
    /// Excluded directories above the current one, sent only once something below them is.
    pending: Vec<Entry>,
}

impl<'a> Walk<'a> {
    /// Visits what the ignore file leaves, parents before children, names in order of their bytes.
    /// Failures of the tree are [`WorldError`]s inside the [`io::Error`].
    pub(super) fn through(
        root: &Path,
        ignore: &'a Ignore,
        visit: &'a mut Visit<'a>,
    ) -> io::Result<()> {
        let mut walk = Self { ignore, visit, pending: Vec::new() };
        walk.directory(root, Path::new(""), &Inherited::default())
    }

    fn directory(&mut self, location: &Path, path: &Path, inherited: &Inherited) -> io::Result<()> {
        for name in names(location)? {
            let location = location.join(&name);
            if name != HISTORY && !is_journal(&location) {
                self.entry(&location, &path.join(&name), inherited)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, location: &Path, path: &Path, parent: &Inherited) -> io::Result<()> {
        let text = matchable(path);
        let (excluded, inherited) = self.ignore.excludes(&text, parent);
        let metadata = fs::symlink_metadata(location)
            .map_err(|e| unreadable(path, &e))
            .map_err(io::Error::other)?;
        let is_directory = metadata.is_dir();
        if excluded && !(is_directory && self.ignore.may_except_below(&text)) {
            return Ok(());
        }
        let kind = kind(location, path, &metadata).map_err(io::Error::other)?;
        let entry = Entry { location: location.into(), path: path.into(), kind, metadata };
        if !is_directory {
            return self.send(&entry);
        }
        let waiting = self.pending.len();
        if excluded {
            self.pending.push(entry);
        } else {
            self.send(&entry)?;
        }
        self.directory(location, path, &inherited)?;
        self.pending.truncate(waiting);
        Ok(())
    }

    fn send(&mut self, entry: &Entry) -> io::Result<()> {
        for parent in self.pending.drain(..) {
            (self.visit)(&parent)?;
        }
        (self.visit)(entry)
    }
}

/// Whether this is a journal's directory under another name (`--history-dir`): it changes with every
/// step, so it can be no part of what a step hashes.
fn is_journal(location: &Path) -> bool {
    let (first, marker) = (JOURNAL_MARK.as_bytes(), location.join("FORMAT"));
    // To open a pipe is to wait for ever.
    if !marker.is_file() {
        return false;
    }
    fs::File::open(marker)
        .and_then(|file| {
            let mut read = Vec::with_capacity(first.len());
            file.take(first.len() as u64).read_to_end(&mut read).map(|_| read)
        })
        .is_ok_and(|read| read == first)
}

/// The names in a directory, in order of their bytes.
fn names(location: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let wrong = |error: io::Error| io::Error::other(unreadable(location, &error));
    let mut names = fs::read_dir(location)
        .map_err(wrong)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(wrong)?;
    names.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names)
}

fn kind(location: &Path, path: &Path, metadata: &Metadata) -> Result<Kind, WorldError> {
    let special = |what: &str| {
        let advice = "an image cannot hold it; remove it, or name it in the ignore file";
        Err(refused("special-file", format!("{} is a {what}: {advice}", shown(path))))
    };
    let kind = metadata.file_type();
    if kind.is_dir() {
        Ok(Kind::Directory)
    } else if kind.is_file() {
        Ok(Kind::File)
    } else if kind.is_symlink() {
        fs::read_link(location).map(Kind::Link).map_err(|error| unreadable(path, &error))
    } else if kind.is_socket() {
        Ok(Kind::Socket)
    } else if kind.is_fifo() {
        special("named pipe")
    } else {
        special("device")
    }
}

/// A path as text for patterns; a byte that is no text stands as one replacement character, as in
/// Go's expressions.
fn matchable(path: &Path) -> String {
    let bytes: &OsStr = path.as_os_str();
    let mut text = String::new();
    for chunk in bytes.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}
