//! A full disk at every operation: nothing acknowledged is lost, nothing half written is seen.

use super::super::super::contract::{depot, draft, drafts, shop};
use super::super::super::memory::MemoryJournal;
use super::super::super::{archive, import};
use super::super::make;
use super::disk::Disk;
use super::{Journal, JournalError, JournalId, RedbJournal};

const EVENTS: u64 = 6;

fn journal_on(disk: &Disk) -> RedbJournal {
    RedbJournal { storage: Box::new(disk.clone()), id: JournalId(1) }
}

/// Appends events until the disk refuses; the number of acknowledged ones.
fn append_until_refused(journal: &RedbJournal) -> u64 {
    for sequence in 0..EVENTS {
        match journal.append(&shop(), sequence, &[draft(u128::from(sequence))]) {
            Ok(_) => {}
            Err(JournalError::Full) => return sequence,
            Err(error) => panic!("{error:?}"),
        }
    }
    EVENTS
}

#[test]
fn a_disk_that_is_full_from_any_operation_on_loses_nothing_acknowledged() {
    let empty = Disk::default();
    make(Box::new(empty.clone()), JournalId(1)).unwrap();
    let empty = empty.content().bytes.clone();
    let mut refusals = 0;
    for room in 0.. {
        let disk = Disk::with(empty.clone());
        disk.content().room = Some(room);
        disk.content().stays_full = true;
        let acknowledged = append_until_refused(&journal_on(&disk));
        refusals += u64::from(acknowledged < EVENTS);

        disk.content().room = None;
        let journal = journal_on(&disk);
        let read = journal.read(&shop(), 0).unwrap().len() as u64;
        assert!((acknowledged..=acknowledged + 1).contains(&read), "room {room}: {read}");
        // The same append again is answered whether or not the first one arrived.
        for sequence in acknowledged..EVENTS {
            journal.append(&shop(), sequence, &[draft(u128::from(sequence))]).unwrap();
        }
        assert_eq!(journal.check().unwrap().events, EVENTS, "room {room}");
        if acknowledged == EVENTS {
            break;
        }
    }
    assert!(refusals > 50, "{refusals}");
}

#[test]
fn a_disk_that_was_full_for_a_moment_is_met_by_a_fresh_open() {
    let disk = Disk::default();
    make(Box::new(disk.clone()), JournalId(1)).unwrap();
    let empty = disk.content().bytes.clone();
    let before = disk.content().operations.len();
    append_until_refused(&journal_on(&disk));
    let all = disk.content().operations.len() - before;
    for room in 0..all as u64 {
        let disk = Disk::with(empty.clone());
        disk.content().room = Some(room);
        assert_eq!(append_until_refused(&journal_on(&disk)), EVENTS, "room {room}");
        assert_eq!(journal_on(&disk).check().unwrap().events, EVENTS, "room {room}");
    }
}

/// A death at any operation is this, too: what follows it never happens.
#[test]
fn an_import_on_a_disk_that_is_full_from_any_operation_on_brings_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let there = MemoryJournal::new();
    there.append(&depot(), 0, &drafts(100..=140)).unwrap();
    there.append(&shop(), 0, &drafts(1..=40)).unwrap();
    for stream in [depot(), shop()] {
        archive::update(&there, folder.path(), &stream).unwrap();
    }
    let files = import::files(folder.path()).unwrap();
    let empty = Disk::default();
    make(Box::new(empty.clone()), JournalId(1)).unwrap();
    let empty = empty.content().bytes.clone();
    let mut refused = 0;
    for room in 0.. {
        let disk = Disk::with(empty.clone());
        disk.content().room = Some(room);
        disk.content().stays_full = true;
        let imported = import::import(&journal_on(&disk), &files);
        disk.content().room = None;
        let events = journal_on(&disk).check().unwrap().events;
        assert!(matches!(events, 0 | 81), "room {room}: {events}");
        if imported.is_ok() {
            assert_eq!(events, 81);
            break;
        }
        refused += 1;
    }
    assert!(refused > 10, "{refused}");
}
