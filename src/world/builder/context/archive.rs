//! The archive of a context and its hash.
//!
//! Two things leave here for every entry: a tar entry for the engine, and a canonical description
//! for the hash. They differ in one point. The archive carries each file's own time, as Docker's
//! does: web frameworks make `ETag` and `Last-Modified` of a file's time and size, so that a fixed
//! time would let browsers keep a stale page of the same length. The hash leaves times out, so that
//! a fresh checkout of the same tree has the same hash. Owners are left out of both.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::refusal::{changed, unreadable};
use super::tree::{Entry, Kind};

/// The longest link target that fits into the header itself.
const SHORT_LINK: usize = 100;

/// An archive being written.
pub(super) struct Archive<W: Write> {
    tar: tar::Builder<W>,
    hash: Sha256,
    /// Files in it so far.
    pub(super) files: u64,
    /// Bytes of content in it so far.
    pub(super) bytes: u64,
    /// Sockets that were left out.
    pub(super) sockets: Vec<std::path::PathBuf>,
}

impl<W: Write> Archive<W> {
    /// An archive into `sink`; `inputs` goes into the hash first.
    pub(super) fn new(sink: W, inputs: &[u8]) -> Self {
        let mut hash = Sha256::new();
        field(&mut hash, inputs);
        Self { tar: tar::Builder::new(sink), hash, files: 0, bytes: 0, sockets: Vec::new() }
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        match &entry.kind {
            Kind::Socket => {
                self.sockets.push(entry.path.clone());
                Ok(())
            }
            Kind::Directory => self.directory(entry),
            Kind::Link(target) => self.link(entry, target),
            Kind::File => self.file(entry),
        }
    }

    /// Ends the archive and gives the hash in hexadecimal.
    pub(super) fn finish(self) -> io::Result<String> {
        self.tar.into_inner()?.flush()?;
        Ok(hex::encode(self.hash.finalize()))
    }

    fn directory(&mut self, entry: &Entry) -> io::Result<()> {
        self.describe(b"directory", entry, mode(entry), b"");
        let mut header = header(entry, tar::EntryType::Directory, mode(entry));
        self.tar.append_data(&mut header, &entry.path, io::empty())
    }

    /// The mode of a link means nothing and differs between systems: always the same one.
    fn link(&mut self, entry: &Entry, target: &Path) -> io::Result<()> {
        const LINK_MODE: u32 = 0o777;
        self.files += 1;
        self.describe(b"link", entry, LINK_MODE, target.as_os_str().as_bytes());
        let mut header = header(entry, tar::EntryType::Symlink, LINK_MODE);
        if target.as_os_str().len() < SHORT_LINK {
            header.set_link_name_literal(target.as_os_str().as_bytes())?;
            return self.tar.append_data(&mut header, &entry.path, io::empty());
        }
        self.tar.append_link(&mut header, &entry.path, target)
    }

    fn file(&mut self, entry: &Entry) -> io::Result<()> {
        let size = entry.metadata.len();
        self.files += 1;
        self.bytes += size;
        self.describe(b"file", entry, mode(entry), &size.to_be_bytes());
        let mut header = header(entry, tar::EntryType::Regular, mode(entry));
        header.set_size(size);
        let mut content = Content::open(entry, &mut self.hash)?;
        self.tar.append_data(&mut header, &entry.path, &mut content)?;
        content.unchanged()
    }

    fn describe(&mut self, kind: &[u8], entry: &Entry, mode: u32, rest: &[u8]) {
        for part in [kind, entry.path.as_os_str().as_bytes(), &mode.to_be_bytes(), rest] {
            field(&mut self.hash, part);
        }
    }
}

/// Adds a field with its length, so that no two lists of fields hash alike.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn mode(entry: &Entry) -> u32 {
    entry.metadata.mode() & 0o7777
}

fn header(entry: &Entry, kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(u64::try_from(entry.metadata.mtime()).unwrap_or(0));
    header
}

/// The content of a file, exactly as long as announced, or an error.
struct Content<'a> {
    file: File,
    entry: &'a Entry,
    hash: &'a mut Sha256,
    left: u64,
}

impl<'a> Content<'a> {
    fn open(entry: &'a Entry, hash: &'a mut Sha256) -> io::Result<Self> {
        let file = File::open(&entry.location)
            .map_err(|error| io::Error::other(unreadable(&entry.path, &error)))?;
        let content = Self { file, entry, hash, left: entry.metadata.len() };
        content.is_the_one_seen()?;
        Ok(content)
    }

    /// Compares the open file with what the walk saw.
    fn is_the_one_seen(&self) -> io::Result<()> {
        let (seen, now) = (&self.entry.metadata, self.file.metadata()?);
        if (seen.dev(), seen.ino()) != (now.dev(), now.ino()) {
            return self.changed("another file took its place");
        }
        if seen.len() != now.len() {
            return self.changed("its size is another one");
        }
        if (seen.mtime(), seen.mtime_nsec()) != (now.mtime(), now.mtime_nsec()) {
            return self.changed("it was written to");
        }
        Ok(())
    }

    fn unchanged(mut self) -> io::Result<()> {
        if self.file.read(&mut [0])? > 0 {
            return self.changed("it grew");
        }
        self.is_the_one_seen()
    }

    fn changed<T>(&self, how: &str) -> io::Result<T> {
        Err(io::Error::other(changed(&self.entry.path, how)))
    }
}

impl Read for &mut Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let count = self
            .file
            .read(&mut buffer[..room])
            .map_err(|error| io::Error::other(unreadable(&self.entry.path, &error)))?;
        if count == 0 {
            return self.changed("it shrank");
        }
        self.hash.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}
