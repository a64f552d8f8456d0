//! Damaged journals that come back: from the export, and from what the damaged file still proves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::super::archive::{self, EXPORTS};
use super::super::super::contract::{depot, draft, drafts, shop};
use super::super::home::SYNCED;
use super::super::repair::{Repair, RepairError};
use super::{Journal, JournalError, JournalId, RedbJournal};
use crate::event::envelope::StoredEvent;
use crate::names::ValueHash;

const EVENTS: u64 = 25;

/// A journal of 25 events of two streams and a value. The export has all but the last three.
struct Home {
    _folder: tempfile::TempDir,
    directory: PathBuf,
    truth: [Vec<StoredEvent>; 2],
}

fn home() -> Home {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    let journal = RedbJournal::create(&directory, JournalId(1)).unwrap();
    journal.append(&depot(), 0, &drafts(100..=103)).unwrap();
    let values = BTreeMap::from([(value_hash(), "precious".to_owned())]);
    for sequence in 0..EVENTS - 4 {
        let one = [draft(u128::from(sequence))];
        journal.append_with_values(&shop(), sequence, &one, &values).unwrap();
        if sequence == EVENTS - 8 {
            archive::update(&journal, &directory, &shop()).unwrap();
            archive::update(&journal, &directory, &depot()).unwrap();
        }
    }
    let truth = [journal.read(&shop(), 0).unwrap(), journal.read(&depot(), 0).unwrap()];
    Home { _folder: home, directory, truth }
}

fn value_hash() -> ValueHash {
    ValueHash::of(&"SECRETLY".parse().unwrap(), "precious")
}

fn database(directory: &Path) -> PathBuf {
    directory.join("journal.redb")
}

fn repair(directory: &Path) -> Result<Option<Repair>, RepairError> {
    RedbJournal::repair(directory, JournalId(2), &mut |_, _| Ok(()))
}

/// What came back is the beginning of the truth, and at least what the export had.
fn holds_the_truth(home: &Home) -> usize {
    let journal = RedbJournal::open(&home.directory).unwrap();
    journal.check().unwrap();
    let read = [journal.read(&shop(), 0).unwrap(), journal.read(&depot(), 0).unwrap()];
    for (read, truth) in read.iter().zip(&home.truth) {
        assert_eq!(read[..], truth[..read.len()]);
    }
    assert!(read[0].len() as u64 >= EVENTS - 7 && read[1].len() == 4, "the export was complete");
    read[0].len()
}

#[test]
fn the_place_of_the_damaged_file_is_durable_before_another_takes_its_name() {
    let home = home();
    let whole = fs::read(database(&home.directory)).unwrap();
    fs::write(database(&home.directory), &whole[..whole.len() / 2]).unwrap();
    SYNCED.take();
    let aside = repair(&home.directory).unwrap().unwrap().moved_to.unwrap();
    let synced = SYNCED.take();
    let at = |path: &Path| synced.iter().position(|synced| synced == path);
    let (inside, beside) = (at(&aside), at(&home.directory));
    assert!(inside.is_some() && inside < beside, "{synced:?}");
    let last = synced.iter().rposition(|synced| *synced == home.directory);
    assert!(beside < last, "and its own name, before the rename and after it: {synced:?}");
}

#[test]
fn a_sound_journal_is_left_alone() {
    let home = home();
    let before = fs::read(database(&home.directory)).unwrap();
    assert!(repair(&home.directory).unwrap().is_none());
    assert_eq!(fs::read(database(&home.directory)).unwrap(), before);
}

/// Whatever byte of the file is changed: the journal is sound as it is, or repair brings it back.
#[test]
fn a_journal_with_any_byte_changed_comes_back() {
    let home = home();
    let whole = fs::read(database(&home.directory)).unwrap();
    let (mut repaired, mut saved) = (0, 0);
    for offset in (0..64).step_by(7).chain((64..whole.len()).step_by(1999)) {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0x55;
        fs::write(database(&home.directory), &bytes).unwrap();
        match repair(&home.directory).unwrap() {
            None => assert_eq!(holds_the_truth(&home), home.truth[0].len(), "byte {offset}"),
            Some(repair) => {
                repaired += 1;
                saved += usize::from(holds_the_truth(&home) == home.truth[0].len());
                let kept = repair.moved_to.unwrap().join("journal.redb");
                assert_eq!(fs::read(kept).unwrap(), bytes, "nothing of the damaged file is lost");
            }
        }
        fs::write(database(&home.directory), &whole).unwrap();
    }
    assert!(repaired > 20 && saved > 1, "{repaired} repaired, {saved} of them whole");
}

#[test]
fn a_journal_of_any_length_comes_back() {
    let home = home();
    let whole = fs::read(database(&home.directory)).unwrap();
    for length in [0, 1, 15, 16, 17].into_iter().chain((32..whole.len()).step_by(12_000)) {
        fs::write(database(&home.directory), &whole[..length]).unwrap();
        assert!(repair(&home.directory).unwrap().is_some(), "{length}");
        holds_the_truth(&home);
    }
}

#[test]
fn a_file_that_is_gone_and_a_directory_of_its_export_alone_come_back() {
    let home = home();
    fs::remove_file(database(&home.directory)).unwrap();
    assert!(repair(&home.directory).unwrap().is_some());
    holds_the_truth(&home);
    fs::remove_file(database(&home.directory)).unwrap();
    fs::remove_file(home.directory.join("FORMAT")).unwrap();
    assert!(repair(&home.directory).unwrap().unwrap().moved_to.is_none());
    holds_the_truth(&home);
}

#[test]
fn a_repair_that_cannot_be_recorded_moves_nothing() {
    let home = home();
    let whole = fs::read(database(&home.directory)).unwrap();
    let damaged = &whole[..whole.len() / 2];
    fs::write(database(&home.directory), damaged).unwrap();
    let refused = RedbJournal::repair(&home.directory, JournalId(2), &mut |journal, repair| {
        assert_eq!(journal.streams().unwrap().len(), repair.streams.len());
        Err(JournalError::Full)
    });
    assert!(matches!(refused, Err(RepairError::Journal(JournalError::Full))), "{refused:?}");
    assert_eq!(fs::read(database(&home.directory)).unwrap(), damaged);
    assert!(!home.directory.join("damaged-1").exists());
    assert!(!home.directory.join("journal.redb.new").exists());
    // What is written then is there afterwards.
    let repaired = RedbJournal::repair(&home.directory, JournalId(2), &mut |journal, _| {
        let end = journal.head(&depot())?.unwrap().sequence;
        journal.append(&depot(), end, &[draft(900)]).map(drop)
    });
    assert!(repaired.unwrap().is_some());
    let journal = RedbJournal::open(&home.directory).unwrap();
    assert_eq!(journal.read(&depot(), 0).unwrap().len(), home.truth[1].len() + 1);
}

#[test]
fn another_format_text_is_replaced_and_kept() {
    let home = home();
    fs::write(home.directory.join("FORMAT"), "something else\n").unwrap();
    let repair = repair(&home.directory).unwrap().unwrap();
    assert_eq!(holds_the_truth(&home), home.truth[0].len());
    let kept = fs::read_to_string(repair.moved_to.unwrap().join("FORMAT")).unwrap();
    assert_eq!(kept, "something else\n");
    let journal = RedbJournal::open(&home.directory).unwrap();
    assert_eq!(journal.value(&value_hash()).unwrap().as_deref(), Some("precious"));
}

#[test]
fn what_the_damaged_file_still_proves_comes_back_without_any_export() {
    let home = home();
    fs::remove_dir_all(home.directory.join(EXPORTS)).unwrap();
    fs::write(home.directory.join("FORMAT"), "something else\n").unwrap();
    let repair = repair(&home.directory).unwrap().unwrap();
    assert_eq!(repair.streams.iter().map(|one| one.saved).sum::<u64>(), EVENTS);
    assert_eq!(repair.values, 1);
}

#[test]
fn without_export_and_proof_nothing_is_touched() {
    let home = home();
    fs::remove_dir_all(home.directory.join(EXPORTS)).unwrap();
    fs::write(database(&home.directory), "not a journal at all").unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&home.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let refused = repair(&home.directory).unwrap_err();
    assert!(matches!(refused, RepairError::NoExport { .. }), "{refused:?}");
    assert_eq!(names(), before);
    assert_eq!(fs::read(database(&home.directory)).unwrap(), b"not a journal at all");
}

#[test]
fn a_newer_journal_is_not_damaged() {
    let home = home();
    let text = fs::read_to_string(home.directory.join("FORMAT")).unwrap();
    fs::write(home.directory.join("FORMAT"), text.replace(" 1\n", " 9\n")).unwrap();
    let refused = repair(&home.directory).unwrap_err();
    assert!(
        matches!(refused, RepairError::Journal(JournalError::NewerFormat { found: 9, .. })),
        "{refused:?}"
    );
}

#[test]
fn an_export_that_is_damaged_too_costs_only_what_lies_behind_the_damage() {
    let home = home();
    let export = archive::directory(&home.directory, &shop());
    let file = fs::read_dir(&export).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap().replace("\"number\":7", "\"number\":8");
    fs::write(&file, text).unwrap();
    let mut bytes = fs::read(database(&home.directory)).unwrap();
    bytes.truncate(100);
    fs::write(database(&home.directory), bytes).unwrap();
    let repair = repair(&home.directory).unwrap().unwrap();
    assert_eq!(repair.refused.len(), 1);
    let streams: Vec<_> = repair.streams.iter().map(|one| (&one.stream, one.from_export)).collect();
    // What comes before the damage is proven.
    assert_eq!(streams, [(&depot(), 4), (&shop(), 8)]);
    assert!(repair.is_partial(), "nobody knows where it ended");
}

fn without_export() -> Home {
    let home = home();
    fs::remove_dir_all(home.directory.join(EXPORTS)).unwrap();
    home
}

fn flipped(whole: &[u8], offset: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[offset] ^= 0xff;
    bytes
}

/// Damage that lets every event be read and no event be written.
fn unwritable(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut damaged = vec![whole[..whole.len() - 1].to_vec(), whole[..whole.len() - 4112].to_vec()];
    damaged.extend((16..400).chain((400..whole.len()).step_by(257)).map(|at| flipped(whole, at)));
    damaged.retain(|bytes| {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("copy");
        fs::write(&file, bytes).unwrap();
        let storage = Box::new(super::super::FileStorage(file));
        let journal = RedbJournal { storage, id: JournalId(1) };
        journal.read(&shop(), 0).is_ok_and(|events| events.len() as u64 == EVENTS - 4)
            && journal.value(&value_hash()).is_ok()
            && journal.append(&shop(), EVENTS - 4, &[draft(777)]).is_err()
    });
    damaged
}

#[test]
fn what_is_read_and_cannot_be_written_comes_back_from_itself() {
    let home = without_export();
    let whole = fs::read(database(&home.directory)).unwrap();
    let damaged = unwritable(&whole);
    assert!(damaged.len() > 3, "{}", damaged.len());
    for bytes in damaged {
        fs::write(database(&home.directory), &bytes).unwrap();
        let repair = repair(&home.directory).unwrap().unwrap();
        assert!(!repair.is_partial(), "{repair:?}");
        assert_eq!((holds_the_truth(&home), repair.values), (home.truth[0].len(), 1));
        let journal = RedbJournal::open(&home.directory).unwrap();
        assert_eq!(journal.value(&value_hash()).unwrap().as_deref(), Some("precious"));
        journal.append(&shop(), EVENTS - 4, &[draft(777)]).unwrap();
    }
}

#[test]
fn another_digit_in_the_format_text_costs_nothing() {
    for home in [home(), without_export()] {
        let text = fs::read_to_string(home.directory.join("FORMAT")).unwrap();
        fs::write(home.directory.join("FORMAT"), text.replace("01\n", "02\n")).unwrap();
        let repair = repair(&home.directory).unwrap().unwrap();
        assert!(!repair.is_partial(), "{repair:?}");
        assert_eq!((holds_the_truth(&home), repair.values), (home.truth[0].len(), 1));
        assert_eq!(fs::read_to_string(home.directory.join("FORMAT")).unwrap(), text);
    }
}

/// The indexes are made anew from the events.
#[test]
fn events_that_no_index_leads_to_come_back() {
    let home = without_export();
    let journal = RedbJournal::open(&home.directory).unwrap();
    journal
        .write(|transaction| {
            super::super::table::clear_derived(transaction)?;
            let mut facts = transaction.open_table(super::super::table::FACTS).unwrap();
            facts.remove(super::super::ID).unwrap();
            Ok(())
        })
        .unwrap();
    let repair = repair(&home.directory).unwrap().unwrap();
    assert_eq!(repair.streams.iter().map(|one| one.saved).sum::<u64>(), EVENTS);
    assert_eq!((holds_the_truth(&home), repair.values), (home.truth[0].len(), 1));
}

/// Changes a byte of one event's line in the export of `shop`, and of one event in the damaged file.
fn damage_both(home: &Home, line: usize, event: u64) {
    let place = archive::directory(&home.directory, &shop()).join("000000000001.jsonl");
    let text = fs::read_to_string(&place).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[line] = lines[line].replace("\"type\"", "\"tipe\"");
    fs::write(&place, lines.join("\n") + "\n").unwrap();
    let mut bytes = fs::read(database(&home.directory)).unwrap();
    let stored = home.truth[0][usize::try_from(event).unwrap() - 1].bytes();
    let found: Vec<usize> = bytes
        .windows(stored.len())
        .enumerate()
        .filter(|(_, window)| *window == stored)
        .map(|(place, _)| place)
        .collect();
    assert!(!found.is_empty());
    for place in found {
        bytes[place] ^= 1;
    }
    fs::write(database(&home.directory), bytes).unwrap();
}

#[test]
fn a_damaged_export_and_a_damaged_file_bring_back_what_either_proves() {
    // The export cannot be believed from one line on, the file lacks the events of one page: each has what
    // the other lacks. The last events are in the file alone.
    for (line, event) in [(9, 2), (15, 3), (2, 9), (17, 9)] {
        let home = home();
        damage_both(&home, line, event);
        let repaired = repair(&home.directory).unwrap().unwrap();
        let restored = holds_what_it_says(&home, &repaired);
        assert_eq!(restored, home.truth[0].len(), "line {line}, event {event}: {repaired:?}");
        assert!(!repaired.is_partial(), "{repaired:?}");
    }
}

#[test]
fn what_neither_proves_is_counted_as_lost() {
    let home = home();
    damage_both(&home, 9, 9);
    let repaired = repair(&home.directory).unwrap().unwrap();
    let restored = holds_what_it_says(&home, &repaired);
    assert_eq!(restored, 8, "{repaired:?}");
    let shop = repaired.streams.iter().find(|one| one.stream == shop()).unwrap();
    assert_eq!(shop.lost(), home.truth[0].len() as u64 - 8);
    assert!(repaired.is_partial());
}

/// The beginning of the truth, as long as was said.
fn holds_what_it_says(home: &Home, repaired: &Repair) -> usize {
    let journal = RedbJournal::open(&home.directory).unwrap();
    journal.check().unwrap();
    let read = journal.read(&shop(), 0).unwrap();
    assert_eq!(read[..], home.truth[0][..read.len()]);
    let said = repaired.streams.iter().find(|one| one.stream == shop()).unwrap();
    assert_eq!(said.from_export + said.saved, read.len() as u64);
    read.len()
}
