//! Real processes: killed while they write, stopped while they hold the file, read from beside.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::super::super::contract::{draft, shop};
use super::{Journal, JournalError, JournalId, RedbJournal, child};

const KILLS: u32 = 60;
const EVENTS_BESIDE_A_READER: usize = 60;

/// Appends for ever, and says the number of each event once it is durable.
fn append_for_ever(directory: &Path) -> ! {
    let journal = RedbJournal::open(directory).unwrap();
    loop {
        let last = journal.head(&shop()).unwrap().map_or(0, |head| head.sequence);
        journal.append(&shop(), last, &[draft(u128::from(last))]).unwrap();
        println!("appended {}", last + 1);
    }
}

struct Writer {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Writer {
    fn start(test: &str, directory: &Path) -> Self {
        let test = format!("journal::redb::tests::process::{test}");
        let mut process = child::command(&test, directory).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// Waits for the next event to be acknowledged; none when the process has ended.
    fn next(&mut self) -> Option<u64> {
        loop {
            let mut line = String::new();
            if self.said.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, number)) = line.trim().split_once("appended ") {
                return Some(number.parse().unwrap());
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn home() -> (tempfile::TempDir, RedbJournal) {
    let home = tempfile::tempdir().unwrap();
    let journal = RedbJournal::create(home.path(), JournalId(1)).unwrap();
    (home, journal)
}

#[test]
fn a_killed_writer_loses_nothing_it_has_acknowledged() {
    if let Some(directory) = child::role() {
        append_for_ever(&directory);
    }
    let (home, journal) = home();
    let mut total = 0;
    for round in 0..KILLS {
        let mut writer =
            Writer::start("a_killed_writer_loses_nothing_it_has_acknowledged", home.path());
        let mut acknowledged = writer.next().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(round * 7919 % 9973)));
        writer.process.kill().unwrap();
        while let Some(number) = writer.next() {
            acknowledged = number;
        }
        writer.process.wait().unwrap();
        let events = journal.read(&shop(), 0).unwrap();
        let found = events.len() as u64;
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} of {acknowledged}");
        assert!(events.iter().zip(0..).all(|(event, number)| draft(number).is(event)));
        total = found;
    }
    assert_eq!(journal.check().unwrap().events, total);
    assert!(total >= u64::from(KILLS));
    println!("{KILLS} kills, {total} events");
}

#[test]
fn a_reader_beside_a_writer_always_gets_an_answer() {
    if let Some(directory) = child::role() {
        append_for_ever(&directory);
    }
    let (home, journal) = home();
    let mut writer = Writer::start("a_reader_beside_a_writer_always_gets_an_answer", home.path());
    let (mut seen, mut reads) = (0, 0);
    while seen < EVENTS_BESIDE_A_READER {
        let events = journal.read(&shop(), 0).unwrap();
        assert!(events.len() >= seen, "{} after {seen}", events.len());
        assert!(events.iter().zip(0..).all(|(event, number)| draft(number).is(event)));
        seen = events.len();
        reads += 1;
    }
    assert!(writer.next().is_some());
    println!("{reads} reads beside {seen} appends");
}

#[test]
fn a_reader_is_never_held_by_a_writer_that_was_stopped() {
    if let Some(directory) = child::role() {
        append_for_ever(&directory);
    }
    let (home, journal) = home();
    let name = "a_reader_is_never_held_by_a_writer_that_was_stopped";
    let mut writer = Writer::start(name, home.path());
    let (mut answered, mut told) = (0, 0);
    for round in 0..16_u64 {
        let acknowledged = writer.next().unwrap();
        std::thread::sleep(Duration::from_micros(round * 331));
        writer.signal("-STOP");
        match journal.read(&shop(), 0) {
            Ok(events) => {
                assert!(
                    events.len() as u64 >= acknowledged,
                    "{} after {acknowledged}",
                    events.len()
                );
                answered += 1;
            }
            // Stopped while it changes the header, which no reader may look at then.
            Err(JournalError::Busy { .. }) => told += 1,
            Err(error) => panic!("{error:?}"),
        }
        writer.signal("-CONT");
    }
    println!("{answered} reads answered, {told} told that the journal is busy");
}
