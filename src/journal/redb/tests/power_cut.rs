//! The power goes at every operation, during creation too; what was not made durable is lost, kept,
//! reordered or torn. Nothing acknowledged may be lost, and nothing wrong may be read.

use super::super::super::contract::{draft, shop};
use super::super::make;
use super::disk::{Disk, Operation, apply};
use super::{Journal, JournalError, JournalId, RedbJournal};

const EVENTS: u64 = 5;
/// Random subsets of un-synced writes per operation, beside the systematic ones.
const RANDOM_IMAGES: u64 = 6;
/// A disk writes a sector whole or not at all.
const SECTOR: usize = 512;

/// xorshift64: the same images at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn journal_on(disk: &Disk) -> RedbJournal {
    RedbJournal { storage: Box::new(disk.clone()), id: JournalId(1) }
}

/// An image of a disk whose writer died while he had it open.
pub(super) fn in_need_of_repair() -> Vec<u8> {
    let run = Run::record();
    let mut bytes = run.start.clone();
    let operations = run.acknowledged_after[1] + 3;
    run.operations[..operations].iter().for_each(|operation| apply(&mut bytes, operation));
    bytes
}

/// A recorded run: the disk before it, its operations, and after which of them each event was
/// acknowledged.
struct Run {
    start: Vec<u8>,
    operations: Vec<Operation>,
    acknowledged_after: Vec<usize>,
}

impl Run {
    fn record() -> Self {
        let disk = Disk::default();
        make(Box::new(disk.clone()), JournalId(1)).unwrap();
        let start = disk.content().bytes.clone();
        disk.content().operations.clear();
        let mut acknowledged_after = Vec::new();
        for sequence in 0..EVENTS {
            journal_on(&disk).append(&shop(), sequence, &[draft(u128::from(sequence))]).unwrap();
            acknowledged_after.push(disk.content().operations.len());
        }
        let operations = disk.content().operations.clone();
        Self { start, operations, acknowledged_after }
    }

    fn acknowledged(&self, operations: usize) -> u64 {
        self.acknowledged_after.iter().filter(|after| **after <= operations).count() as u64
    }
}

/// Every image that a power cut after these operations may leave, given what is surely on the disk.
fn images(durable: &[u8], pending: &[Operation], dice: &mut Dice) -> Vec<Vec<u8>> {
    let image = |keep: &dyn Fn(usize) -> bool| {
        let mut bytes = durable.to_vec();
        pending
            .iter()
            .enumerate()
            .filter(|(n, _)| keep(*n))
            .for_each(|(_, o)| apply(&mut bytes, o));
        bytes
    };
    let mut images = vec![image(&|_| false), image(&|_| true)];
    for one in 0..pending.len() {
        images.push(image(&|n| n == one));
        images.push(image(&|n| n != one));
    }
    for _ in 0..if pending.is_empty() { 0 } else { RANDOM_IMAGES } {
        let mut bytes = durable.to_vec();
        for operation in pending {
            apply_torn(&mut bytes, operation, dice);
        }
        images.push(bytes);
    }
    images
}

fn apply_torn(bytes: &mut Vec<u8>, operation: &Operation, dice: &mut Dice) {
    let Operation::Write(offset, data) = operation else {
        if dice.roll().is_multiple_of(2) {
            apply(bytes, operation);
        }
        return;
    };
    let tear = dice.roll() % 3;
    let mut start = 0;
    while start < data.len() {
        let at = usize::try_from(*offset).unwrap() + start;
        let end = data.len().min(start + SECTOR - at % SECTOR);
        if tear == 0 || (tear == 1 && dice.roll().is_multiple_of(2)) {
            let piece = Operation::Write(at as u64, data[start..end].to_vec());
            apply(bytes, &piece);
        }
        start = end;
    }
}

/// Reads a disk after a power cut, and goes on writing.
fn examine(bytes: Vec<u8>, acknowledged: u64) -> Result<Disk, String> {
    let disk = Disk::with(bytes);
    let journal = journal_on(&disk);
    let events = journal.read(&shop(), 0).map_err(|error| format!("{error:?}"))?;
    let found = events.len() as u64;
    if !(acknowledged..=acknowledged + 1).contains(&found) {
        return Err(format!("{found} events of {acknowledged} acknowledged ones"));
    }
    for (event, number) in events.iter().zip(0..) {
        if !draft(number).is(event) {
            return Err(format!("event {number} is another one"));
        }
    }
    let checked = journal.check().map_err(|error| format!("check: {error:?}"))?;
    if checked.events != found {
        return Err(format!("{} events in the table, {found} in the stream", checked.events));
    }
    let next = draft(u128::from(found));
    journal.append(&shop(), found, &[next]).map_err(|error| format!("append: {error:?}"))?;
    Ok(disk)
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let run = Run::record();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut durable, mut pending) = (run.start.clone(), Vec::new());
    let (mut tried, mut twice) = (0, 0);
    for (number, operation) in run.operations.iter().enumerate() {
        match operation {
            Operation::Sync => {
                for one in &pending {
                    apply(&mut durable, one);
                }
                pending.clear();
            }
            other => pending.push(other.clone()),
        }
        let acknowledged = run.acknowledged(number + 1);
        for image in images(&durable, &pending, &mut dice) {
            tried += 1;
            if tried % 100 == 0 {
                twice += cut_again(&image, acknowledged, &mut dice);
            }
            let examined = examine(image, acknowledged).map(drop);
            assert_eq!(examined, Ok(()), "after operation {number}: {operation:?}");
        }
    }
    assert!(tried > 1_500, "{tried} images");
    assert!(twice > 150, "{twice} images of a second cut");
    println!("{tried} images, {twice} of a second cut, {} operations", run.operations.len());
}

/// Cuts the power a second time, while the first image is being recovered.
fn cut_again(image: &[u8], acknowledged: u64, dice: &mut Dice) -> u64 {
    let disk = Disk::with(image.to_vec());
    drop(super::super::open_to_write(&disk).unwrap());
    let operations = disk.content().operations.clone();
    let (mut durable, mut pending, mut tried) = (image.to_vec(), Vec::new(), 0);
    for operation in operations {
        if matches!(operation, Operation::Sync) {
            for one in &pending {
                apply(&mut durable, one);
            }
            pending.clear();
        }
        pending.push(operation);
        let images = images(&durable, &pending, dice);
        let chosen = usize::try_from(dice.roll()).unwrap() % images.len();
        assert_eq!(examine(images[chosen].clone(), acknowledged).map(drop), Ok(()), "second cut");
        tried += 1;
    }
    tried
}

#[test]
fn a_disk_that_only_pretends_to_sync_is_seen_to_lose_events() {
    let run = Run::record();
    let mut durable = run.start.clone();
    let mut lost = 0;
    for (number, operation) in run.operations.iter().enumerate() {
        // Nothing after the start was ever made durable, except every seventh write.
        if number % 7 == 0 {
            apply(&mut durable, operation);
        }
        let (image, acknowledged) = (durable.clone(), run.acknowledged(number + 1));
        // On such a disk redb may even panic: a page of an earlier commit keeps its seal.
        let examined = std::panic::catch_unwind(|| examine(image, acknowledged).map(drop));
        lost += u64::from(!matches!(examined, Ok(Ok(()))));
    }
    assert!(lost > 50, "the harness would not see a loss: {lost}");
}

/// The file has its final name only after everything was synced, so all that can be met under that name
/// is the last image; every earlier one is removed unread. They must not be read wrongly either, nor abort.
#[test]
fn a_power_cut_while_the_database_is_made_leaves_no_journal_or_an_empty_one() {
    let disk = Disk::default();
    make(Box::new(disk.clone()), JournalId(1)).unwrap();
    let operations = disk.content().operations.clone();
    assert!(matches!(operations.last(), Some(Operation::Sync)), "closed durably");
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut durable, mut pending, mut tried) = (Vec::new(), Vec::new(), 0);
    for operation in &operations {
        match operation {
            Operation::Sync => pending.drain(..).for_each(|one| apply(&mut durable, &one)),
            other => pending.push(other.clone()),
        }
        for image in images(&durable, &pending, &mut dice) {
            tried += 1;
            match journal_on(&Disk::with(image)).read(&shop(), 0) {
                Ok(events) => assert_eq!(events, []),
                Err(error) => assert!(
                    matches!(error, JournalError::Corrupt { .. } | JournalError::Foreign { .. }),
                    "{error:?}"
                ),
            }
        }
    }
    assert_eq!(examine(durable, 0).map(drop), Ok(()), "what was closed is a journal");
    assert!(tried > 100, "{tried} images");
    println!("{tried} images of a database that is being made, {} operations", operations.len());
}
