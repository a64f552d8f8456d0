//! Content-addressed blobs: small ones in memory, large ones in files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, stream};
use sha2::{Digest as _, Sha256};

/// A blob above this size goes to a file, so that a push of 500 MB is not held in memory.
const LARGEST_IN_MEMORY: usize = 256 * 1024;

/// How much of a blob is read from disk at a time.
const CHUNK: usize = 256 * 1024;

/// Where the blobs are.
#[derive(Debug)]
pub struct BlobStore {
    folder: Folder,
    held: Mutex<BTreeMap<String, Bytes>>,
}

#[derive(Debug)]
enum Folder {
    /// Survives: everything goes to files.
    Kept(PathBuf),
    /// Made when the first large blob comes, removed at the end.
    Passing(Mutex<Option<tempfile::TempDir>>),
}

/// A blob, ready to be read from any position.
#[derive(Debug)]
pub enum Blob {
    /// Held in memory.
    Memory(Bytes),
    /// In a file, with its length.
    File(File, u64),
}

/// A blob that is being written.
#[derive(Debug)]
pub struct Upload {
    hasher: Sha256,
    received: u64,
    memory: Vec<u8>,
    file: Option<tempfile::NamedTempFile>,
    folder: Option<PathBuf>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlobStore {
    /// Blobs that end with this value.
    pub fn passing() -> Self {
        Self { folder: Folder::Passing(Mutex::new(None)), held: Mutex::default() }
    }

    /// Blobs in files of this folder, which is made when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn kept(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: Folder::Kept(folder.to_owned()), held: Mutex::default() })
    }

    /// Starts a blob.
    pub fn begin(&self) -> Upload {
        let folder = match &self.folder {
            Folder::Kept(folder) => Some(folder.clone()),
            Folder::Passing(_) => None,
        };
        Upload { hasher: Sha256::new(), received: 0, memory: Vec::new(), file: None, folder }
    }

    /// Stores small content at once and returns its digest.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, content: &[u8]) -> io::Result<String> {
        let mut upload = self.begin();
        upload.write(content)?;
        let digest = upload.digest();
        self.finish(upload)?;
        Ok(digest)
    }

    /// Ends an upload; from now on the blob can be opened by its digest.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&self, mut upload: Upload) -> io::Result<()> {
        let digest = upload.digest();
        if self.size(&digest).is_some() {
            return Ok(());
        }
        if upload.file.is_none() && matches!(self.folder, Folder::Kept(_)) {
            upload.spill()?;
        }
        match upload.file {
            None => {
                lock(&self.held).insert(digest, Bytes::from(upload.memory));
            }
            Some(mut file) => {
                file.flush()?;
                let target = self.folder()?.join(file_name(&digest));
                // The upload's file and the store are on one file system unless TMPDIR is odd.
                match file.persist(&target) {
                    Ok(_) => {}
                    Err(failure) => {
                        std::fs::copy(failure.file.path(), &target)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Length of a blob, if it is here.
    pub fn size(&self, digest: &str) -> Option<u64> {
        if let Some(bytes) = lock(&self.held).get(digest) {
            return Some(bytes.len() as u64);
        }
        std::fs::metadata(self.path(digest)?).ok().map(|found| found.len())
    }

    /// Opens a blob.
    pub fn open(&self, digest: &str) -> Option<Blob> {
        if let Some(bytes) = lock(&self.held).get(digest) {
            return Some(Blob::Memory(bytes.clone()));
        }
        let file = File::open(self.path(digest)?).ok()?;
        let length = file.metadata().ok()?.len();
        Some(Blob::File(file, length))
    }

    /// Reads a small blob whole; nothing when it is larger than the limit.
    pub fn read(&self, digest: &str, limit: u64) -> Option<Vec<u8>> {
        let blob = self.open(digest).filter(|blob| blob.len() <= limit)?;
        let mut content = Vec::new();
        blob.into_reader().read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Forgets a blob.
    pub fn remove(&self, digest: &str) {
        lock(&self.held).remove(digest);
        if let Some(path) = self.path(digest) {
            // A file that is gone already is what we want.
            drop(std::fs::remove_file(path));
        }
    }

    fn folder(&self) -> io::Result<PathBuf> {
        match &self.folder {
            Folder::Kept(folder) => Ok(folder.clone()),
            Folder::Passing(made) => {
                let mut made = lock(made);
                if made.is_none() {
                    *made = Some(tempfile::Builder::new().prefix("surefoot-blobs-").tempdir()?);
                }
                Ok(made.as_ref().map(|folder| folder.path().to_owned()).unwrap_or_default())
            }
        }
    }

    fn path(&self, digest: &str) -> Option<PathBuf> {
        let folder = match &self.folder {
            Folder::Kept(folder) => folder.clone(),
            Folder::Passing(made) => lock(made).as_ref()?.path().to_owned(),
        };
        Some(folder.join(file_name(digest)))
    }
}

fn file_name(digest: &str) -> String {
    digest.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

impl Upload {
    /// Adds to the end.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hasher.update(chunk);
        self.received += chunk.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(chunk);
        }
        self.memory.extend_from_slice(chunk);
        if self.memory.len() > LARGEST_IN_MEMORY { self.spill() } else { Ok(()) }
    }

    /// Bytes so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Digest of the bytes so far.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.hasher.clone().finalize()))
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".upload-");
        let mut file = match &self.folder {
            Some(folder) => builder.tempfile_in(folder)?,
            None => builder.tempfile()?,
        };
        file.write_all(&self.memory)?;
        self.memory = Vec::new();
        self.file = Some(file);
        Ok(())
    }
}

impl Blob {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts reading at a position.
    ///
    /// # Errors
    /// When the file cannot be positioned.
    pub fn from_position(self, position: u64) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Box::new(io::Cursor::new(bytes.slice(start..))))
            }
            Self::File(mut file, _) => {
                file.seek(SeekFrom::Start(position))?;
                Ok(Box::new(file))
            }
        }
    }

    /// So many bytes from a position on, a chunk at a time.
    pub fn part(self, first: u64, length: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let reader = self.from_position(first).map(|reader| reader.take(length));
        stream::try_unfold(reader, |reader| async move {
            let mut reader = reader?;
            let mut chunk = vec![0; CHUNK];
            let count = reader.read(&mut chunk)?;
            chunk.truncate(count);
            Ok((count > 0).then(|| (Bytes::from(chunk), Ok(reader))))
        })
    }

    /// Reads from the beginning.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Memory(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::File(file, _) => Box::new(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::registry::manifest::digest_of;

    fn check(store: &BlobStore, content: &[u8]) {
        let digest = store.put(content).unwrap();
        assert_eq!(digest, digest_of(content));
        assert_eq!(store.size(&digest), Some(content.len() as u64));
        let mut tail = Vec::new();
        let blob = store.open(&digest).unwrap();
        blob.from_position(3).unwrap().read_to_end(&mut tail).unwrap();
        assert_eq!(tail, content[3..]);
        store.remove(&digest);
        assert!(store.open(&digest).is_none() && store.size(&digest).is_none());
    }

    #[test]
    fn small_and_large_blobs_read_back_from_memory_and_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let large = vec![7u8; LARGEST_IN_MEMORY * 3];
        for store in [BlobStore::passing(), BlobStore::kept(folder.path()).unwrap()] {
            check(&store, b"small");
            check(&store, &large);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_kept_store_finds_its_blobs_again() {
        let folder = tempfile::tempdir().unwrap();
        let digest = BlobStore::kept(folder.path()).unwrap().put(b"kept").unwrap();
        let again = BlobStore::kept(folder.path()).unwrap();
        assert_eq!(again.read(&digest, 10).unwrap(), b"kept");
        assert!(again.read(&digest, 3).is_none());
    }

    #[test]
    fn a_large_upload_leaves_memory() {
        let mut upload = BlobStore::passing().begin();
        upload.write(&vec![1; LARGEST_IN_MEMORY + 1]).unwrap();
        assert!(upload.memory.is_empty() && upload.file.is_some());
    }
}
