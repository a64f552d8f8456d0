//! What an append, a read and a check cost. Asserts no times; run by name with `--ignored`.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::super::super::contract::{draft, drafts, shop};
use super::super::{make, open_to_read, open_to_write};
use super::disk::{Disk, Operation};
use super::{Journal, JournalError, JournalId, RedbJournal, fresh};

fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

fn median(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

#[test]
#[ignore = "a measurement"]
fn appends_beside_bare_writes() {
    let (home, journal) = fresh();
    let mut file = File::create(home.path().join("bare")).unwrap();
    let (mut bare, mut appends) = (Vec::new(), Vec::new());
    for sequence in 0..300 {
        let (took, events) =
            time(|| journal.append(&shop(), sequence, &[draft(u128::from(sequence))]).unwrap());
        appends.push(took);
        let (took, ()) = time(|| {
            file.write_all(events[0].bytes()).unwrap();
            file.sync_data().unwrap();
        });
        bare.push(took);
    }
    let ((bare, bare_99), (append, append_99)) = (median(bare), median(appends));
    println!("write + fdatasync: p50 {bare:?}, p99 {bare_99:?}");
    println!("open, append, close: p50 {append:?}, p99 {append_99:?}");
    println!("ratio at p50: {:.1}", append.as_secs_f64() / bare.as_secs_f64());
}

#[test]
#[ignore = "a measurement"]
fn operations_of_an_append() {
    let disk = Disk::default();
    make(Box::new(disk.clone()), JournalId(1)).unwrap();
    let journal = RedbJournal { storage: Box::new(disk.clone()), id: JournalId(1) };
    for sequence in 0..3 {
        disk.content().operations.clear();
        journal.append(&shop(), sequence, &[draft(u128::from(sequence))]).unwrap();
        let operations = &disk.content().operations;
        let syncs = operations.iter().filter(|o| matches!(o, Operation::Sync)).count();
        println!("{syncs} syncs, {} writes", operations.len() - syncs);
    }
}

#[test]
#[ignore = "a measurement"]
fn reads_and_checks() {
    for events in [100_u64, 10_000, 100_000] {
        let (home, journal) = fresh();
        for start in (0..events).step_by(5_000) {
            let end = (start + 5_000).min(events);
            let batch = drafts(u128::from(start)..=u128::from(end - 1));
            journal.append(&shop(), start, &batch).unwrap();
        }
        let size = home.path().join(".deploy-history/journal.redb").metadata().unwrap().len();
        let many = |work: &dyn Fn() -> Result<(), JournalError>| {
            median((0..20).map(|_| time(|| work().unwrap()).0).collect()).0
        };
        println!("{events} events, {size} bytes");
        println!("  open to read: {:?}", many(&|| open_to_read(&*journal.storage).map(drop)));
        println!("  open to write: {:?}", many(&|| open_to_write(&*journal.storage).map(drop)));
        println!("  last 20: {:?}", many(&|| journal.read(&shop(), events - 20).map(drop)));
        println!("  streams: {:?}", many(&|| journal.streams().map(drop)));
        println!("  read all: {:?}", time(|| journal.read(&shop(), 0).unwrap()).0);
        println!("  check: {:?}", time(|| journal.check().unwrap()).0);
        println!("  redb's check: {:?}", time(|| journal.check_pages().unwrap()).0);
        println!("  rebuild: {:?}", time(|| journal.rebuild().unwrap()).0);
    }
}
