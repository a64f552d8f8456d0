//! Places that cannot be written, and files that somebody else holds.

use std::fs;
use std::io;
use std::path::Path;

use redb::StorageBackend;

use super::super::super::contract::{draft, drafts, shop};
use super::super::open_to_write;
use super::super::storage::{Access, Storage};
use super::disk::Disk;
use super::{Journal, JournalError, JournalId, RedbJournal, fresh, power_cut};

/// A disk that was mounted for reading.
struct ReadOnly(Disk);

impl Storage for ReadOnly {
    fn path(&self) -> &Path {
        Path::new("disk")
    }

    fn open(&self, access: Access) -> io::Result<Box<dyn StorageBackend>> {
        match access {
            Access::Read => self.0.open(access),
            Access::Write => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

#[test]
fn a_place_that_cannot_hold_a_directory_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = RedbJournal::create(&file.join("history"), JournalId(1)).map(drop).unwrap_err();
    assert!(
        matches!(&refused, JournalError::Unwritable { path, .. } if *path == file.join("history"))
    );
    assert!(refused.to_string().ends_with("cannot be written"), "{refused}");
}

#[test]
fn a_sound_journal_on_a_read_only_disk_is_read_and_not_written() {
    let disk = Disk::default();
    super::super::make(Box::new(disk.clone()), JournalId(1)).unwrap();
    let writer = RedbJournal { storage: Box::new(disk.clone()), id: JournalId(1) };
    writer.append(&shop(), 0, &drafts(1..=3)).unwrap();
    let journal = RedbJournal { storage: Box::new(ReadOnly(disk)), id: JournalId(1) };
    assert_eq!(journal.read(&shop(), 0).unwrap().len(), 3);
    let refused = journal.append(&shop(), 3, &[draft(9)]).unwrap_err();
    assert!(matches!(refused, JournalError::Unwritable { .. }), "{refused:?}");
}

#[test]
fn a_journal_in_need_of_repair_on_a_read_only_disk_says_so() {
    let disk = Disk::with(power_cut::in_need_of_repair());
    let read_only = ReadOnly(disk.clone());
    let journal = RedbJournal { storage: Box::new(read_only), id: JournalId(1) };
    let refused = journal.read(&shop(), 0).unwrap_err();
    assert!(matches!(refused, JournalError::Unwritable { .. }), "{refused:?}");
    let journal = RedbJournal { storage: Box::new(disk), id: JournalId(1) };
    assert_eq!(journal.read(&shop(), 0).unwrap().len(), 2);
}

#[test]
fn a_writer_who_stays_makes_others_busy_and_readers_not() {
    let (_home, journal) = fresh();
    journal.append(&shop(), 0, &drafts(1..=2)).unwrap();
    let staying = open_to_write(&*journal.storage).unwrap();
    assert_eq!(journal.read(&shop(), 0).unwrap().len(), 2);
    let refused = journal.append(&shop(), 2, &[draft(9)]).unwrap_err();
    assert!(matches!(refused, JournalError::Busy { .. }), "{refused:?}");
    drop(staying);
    journal.append(&shop(), 2, &[draft(9)]).unwrap();
}
