//! Every byte flipped, every length cut: an error or the truth, never anything else, never an abort.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::event::envelope::StoredEvent;
use crate::names::ValueHash;

use super::super::super::contract::{depot, draft, drafts, shop};
use super::super::make;
use super::disk::Disk;
use super::{Journal, JournalError, JournalId, RedbJournal, child, fresh};

const EVENTS: u64 = 25;
/// Bytes between two flips, a prime so that every field is met; 1 with this variable set.
const STRIDE: usize = 61;
const EVERY_BYTE: &str = "SUREFOOT_TEST_EVERY_BYTE";
/// The header and the first pages are flipped bit by bit.
const HEADER: usize = 352;

fn journal_on(disk: &Disk) -> RedbJournal {
    RedbJournal { storage: Box::new(disk.clone()), id: JournalId(1) }
}

/// Everything that can be read.
#[derive(Debug, PartialEq)]
struct Everything {
    shop: Vec<StoredEvent>,
    tail: Vec<StoredEvent>,
    depot: Vec<StoredEvent>,
    streams: usize,
    value: Option<String>,
}

fn value() -> (ValueHash, String) {
    (ValueHash::of(&"GREETING".parse().unwrap(), "hello"), "hello".to_owned())
}

fn read(journal: &RedbJournal) -> Result<Everything, JournalError> {
    Ok(Everything {
        shop: journal.read(&shop(), 0)?,
        tail: journal.read(&shop(), EVENTS - 2 - 3)?,
        depot: journal.read(&depot(), 0)?,
        streams: journal.streams()?.len(),
        value: journal.value(&value().0)?,
    })
}

/// A journal with 25 events in two streams and a value.
fn whole() -> Vec<u8> {
    let disk = Disk::default();
    make(Box::new(disk.clone()), JournalId(1)).unwrap();
    let journal = journal_on(&disk);
    let values: BTreeMap<_, _> = [value()].into();
    for sequence in 0..EVENTS - 2 {
        let next = [draft(u128::from(sequence))];
        journal.append_with_values(&shop(), sequence, &next, &values).unwrap();
    }
    journal.append(&depot(), 0, &drafts(100..=101)).unwrap();
    disk.content().bytes.clone()
}

/// Reads, and appends, on a damaged disk. An answer must be the truth; otherwise what was said. Where a
/// check says that nothing is wrong, an append works.
fn examine(bytes: Vec<u8>, truth: &Everything) -> Result<(), JournalError> {
    let reading = Disk::with(bytes.clone());
    let looked = read(&journal_on(&reading));
    if let Ok(looked) = &looked {
        assert_eq!(looked, truth, "silently wrong");
    }
    let checking = Disk::with(bytes.clone());
    let checked = journal_on(&checking).check();
    let writing = Disk::with(bytes);
    let journal = journal_on(&writing);
    let written = journal.append(&shop(), EVENTS - 2, &[draft(777)]);
    if let (Ok(_), Err(error)) = (&checked, &written) {
        panic!("called sound, and cannot be written: {error}");
    }
    if written.is_ok()
        && let Ok(after) = read(&journal)
    {
        assert_eq!(
            after.shop[..after.shop.len() - 1],
            truth.shop,
            "silently wrong behind an append"
        );
        assert_eq!((&after.depot, &after.value), (&truth.depot, &truth.value));
    }
    looked.map(drop)
}

#[derive(Debug, Default)]
struct Tally {
    tried: u64,
    refused: u64,
    harmless: u64,
    panicked: Vec<String>,
}

impl Tally {
    fn take(&mut self, place: &Path, what: &str, bytes: Vec<u8>, truth: &Everything) {
        // Read by the parent if this process does not live to say it.
        fs::write(place.join("at"), what).unwrap();
        self.tried += 1;
        match catch_unwind(AssertUnwindSafe(|| examine(bytes, truth))) {
            Ok(Ok(())) => self.harmless += 1,
            Ok(Err(JournalError::Corrupt { .. } | JournalError::Foreign { .. })) => {
                self.refused += 1;
            }
            Ok(Err(other)) => self.panicked.push(format!("{what}: {other:?}")),
            Err(_) => self.panicked.push(what.to_owned()),
        }
    }
}

fn sweep(place: &Path) -> Tally {
    let whole = whole();
    let truth = read(&journal_on(&Disk::with(whole.clone()))).unwrap();
    assert_eq!((truth.shop.len() as u64, truth.depot.len()), (EVENTS - 2, 2));
    let mut tally = Tally::default();
    let stride = if std::env::var_os(EVERY_BYTE).is_some() { 1 } else { STRIDE };
    for offset in (0..HEADER).chain((HEADER..whole.len()).step_by(stride)) {
        let masks: &[u8] = if offset < HEADER { &[1, 2, 4, 8, 16, 32, 64, 128] } else { &[1, 255] };
        for mask in masks {
            let mut bytes = whole.clone();
            bytes[offset] ^= mask;
            tally.take(place, &format!("byte {offset} ^ {mask}"), bytes, &truth);
        }
    }
    let cut = if stride == 1 { 1 } else { 512 };
    let is_edge = |length: &usize| *length < 48 || length % cut < 2 || length + 1 == whole.len();
    for length in (0..whole.len()).filter(is_edge) {
        tally.take(place, &format!("length {length}"), whole[..length].to_vec(), &truth);
    }
    for more in [1, 512, 4096, 4112, 100_000] {
        let bytes = [whole.clone(), vec![0; more]].concat();
        tally.take(place, &format!("{more} more"), bytes, &truth);
    }
    tally
}

#[test]
fn damage_is_an_error_or_harmless_and_never_an_abort() {
    if let Some(place) = child::role() {
        let tally = sweep(&place);
        println!("{} tried, {} refused, {} harmless", tally.tried, tally.refused, tally.harmless);
        assert_eq!(tally.panicked, Vec::<String>::new());
        assert!(tally.refused > 500 && tally.harmless > 100, "{tally:?}");
        fs::write(place.join("done"), "").unwrap();
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let name = "journal::redb::tests::damage::damage_is_an_error_or_harmless_and_never_an_abort";
    let ended = child::command(name, place.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let at = fs::read_to_string(place.path().join("at")).unwrap_or_default();
    let shown = said.lines().filter(|line| line.contains("tried")).collect::<String>();
    println!("{shown}");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{} at {at}\n{said}\n{errors}", ended.status);
    assert!(place.path().join("done").exists(), "the child did not run");
}

/// What the header says of the layout has no checksum of redb's, and a larger journal has pages wherever a wrong
/// layout leads: sealed, whole, and others than the ones that were meant.
#[test]
fn a_wrong_layout_in_the_header_of_a_larger_journal_is_refused() {
    let disk = Disk::default();
    make(Box::new(disk.clone()), JournalId(1)).unwrap();
    journal_on(&disk).append(&shop(), 0, &drafts(1..=400)).unwrap();
    let whole = disk.content().bytes.clone();
    let header = super::super::sealed::PREAMBLE.len();
    let refused = |bytes: Vec<u8>| {
        let read = journal_on(&Disk::with(bytes)).read(&shop(), 0);
        matches!(read, Err(JournalError::Corrupt { .. }))
    };
    for bit in (header + 12) * 8..(header + 64) * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Fewer pages than there are is what a file looks like that grew: nothing is hidden by it.
        let may_pass = (header + 28..header + 32).contains(&(bit / 8));
        assert!(may_pass || refused(bytes), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn a_header_that_names_the_older_commit_is_refused() {
    let whole = whole();
    for flag in [1, 8, 16] {
        let mut bytes = whole.clone();
        bytes[super::super::sealed::PREAMBLE.len() + 9] ^= flag;
        let read = journal_on(&Disk::with(bytes)).read(&shop(), 0);
        assert!(matches!(read, Err(JournalError::Corrupt { .. })), "{flag}: {read:?}");
    }
}

#[test]
fn a_flip_anywhere_in_the_marker_is_an_error_or_harmless() {
    let (home, journal) = fresh();
    let directory = home.path().join(".deploy-history");
    journal.append(&shop(), 0, &drafts(1..=2)).unwrap();
    let truth = journal.read(&shop(), 0).unwrap();
    let marker = fs::read(directory.join("FORMAT")).unwrap();
    let mut refused = 0;
    for offset in 0..marker.len() {
        for mask in [1, 2, 16, 128] {
            let mut bytes = marker.clone();
            bytes[offset] ^= mask;
            fs::write(directory.join("FORMAT"), bytes).unwrap();
            match RedbJournal::open(&directory).and_then(|journal| journal.read(&shop(), 0)) {
                Ok(events) => assert_eq!(events, truth),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 200, "{refused}");
}
