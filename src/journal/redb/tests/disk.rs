//! A disk in memory that remembers every operation, loses power, and runs full.

use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{BackendError, StorageBackend};

use super::super::storage::{Access, Storage};

/// What reaches a disk.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Write(u64, Vec<u8>),
    SetLength(u64),
    Sync,
}

/// A disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) operations: Vec<Operation>,
    /// How many more operations succeed before the disk says that it is full; none for all.
    pub(super) room: Option<u64>,
    /// Whether it stays full, or has room again after it said so once.
    pub(super) stays_full: bool,
}

impl Disk {
    pub(super) fn with(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.content().bytes = bytes;
        disk
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

impl Storage for Disk {
    fn path(&self) -> &Path {
        Path::new("disk")
    }

    fn open(&self, _access: Access) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(self.clone()))
    }
}

impl Content {
    fn take_room(&mut self) -> io::Result<()> {
        match &mut self.room {
            None => Ok(()),
            Some(0) => {
                if !self.stays_full {
                    self.room = None;
                }
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(room) => {
                *room -= 1;
                Ok(())
            }
        }
    }
}

/// Applies an operation to the bytes of a disk.
pub(super) fn apply(bytes: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            let end = start + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(data);
        }
        Operation::SetLength(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Operation::Sync => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.content();
        let start = usize::try_from(offset).unwrap();
        let bytes = content.bytes.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.perform(Operation::SetLength(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.perform(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.perform(Operation::Write(offset, data.to_vec()))
    }

    // One process only: every lock is free.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

impl Disk {
    fn perform(&self, operation: Operation) -> io::Result<()> {
        let mut content = self.content();
        content.take_room()?;
        apply(&mut content.bytes, &operation);
        content.operations.push(operation);
        Ok(())
    }
}
