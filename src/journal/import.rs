//! An export read back into a journal: judged as a whole before anything is written.
//!
//! Importing twice is importing once. An export that leads elsewhere than the journal is refused, and
//! so is one with a missing, doubled or changed line.

mod error;
mod salvage;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::export::{EXPORT_FORMAT, Note};
use super::memory::MemoryJournal;
use super::{Append, Journal, JournalError, StreamHead};
use crate::event::envelope::{EventHash, LARGEST_EVENT, Link, LinkReader, StoredEvent};
use crate::names::StreamName;

pub use error::ImportError;
pub use salvage::salvage;

/// Events that are handed over at once.
const AT_ONCE: usize = 2_000;

/// Bytes of events that are handed over at once.
const BYTES_AT_ONCE: usize = 8 * 1024 * 1024;

/// More events than anybody writes: no number of one is higher.
const HIGHEST: u64 = u64::MAX >> 1;

/// The ending of the files of an export that lie in a directory.
const ENDING: &str = "jsonl";

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The stream.
    pub stream: StreamName,
    /// How many of its events are new to the journal.
    pub added: u64,
    /// How many it had already.
    pub known: u64,
    /// Where the stream ends now.
    pub sequence: u64,
}

/// The files of an export: itself, or everything in a directory, in the order of their names.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::File { path: path.to_owned(), source };
    let there = std::fs::metadata(path).map_err(failed)?;
    if !there.is_dir() {
        refuse_what_is_no_file(path, &there)?;
        return Ok(vec![path.to_owned()]);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        // Links may lead in a circle.
        if !seen.insert(folder.canonicalize().map_err(failed)?) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == ENDING) {
                refuse_what_is_no_file(&path, &std::fs::metadata(&path).map_err(failed)?)?;
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        let detail = format!("no file in it ends in .{ENDING}");
        return Err(ImportError::Foreign { path: path.to_owned(), detail });
    }
    Ok(found)
}

/// An export is read more than once, to be judged before anything of it is written.
fn refuse_what_is_no_file(path: &Path, there: &Metadata) -> Result<(), ImportError> {
    if there.is_file() {
        return Ok(());
    }
    let detail = "it is no regular file, and an export is read more than once: save it into a file";
    Err(ImportError::Foreign { path: path.to_owned(), detail: detail.into() })
}

/// What is wrong with the files of an export by themselves, for a journal that is still to be made.
pub fn judge_a_beginning(files: &[PathBuf]) -> Result<(), ImportError> {
    let nothing = MemoryJournal::new();
    for (stream, thread) in &judge(files)? {
        thread.joins(&nothing, stream, None, files)?;
    }
    Ok(())
}

/// Imports the files of one export.
pub fn import(journal: &dyn Journal, files: &[PathBuf]) -> Result<Vec<Imported>, ImportError> {
    let heads = journal.streams()?;
    let threads = judge(files)?;
    let mut imported = Vec::new();
    for (stream, thread) in &threads {
        let head = heads.iter().find(|head| head.stream == **stream);
        imported.push(thread.joins(journal, stream, head, files)?);
    }
    write(journal, files, &imported)?;
    Ok(imported)
}

/// One stream as the export has it.
#[derive(Debug)]
struct Thread {
    /// Where its first event is, for messages.
    path: PathBuf,
    line: u64,
    first: u64,
    /// What its first event names as the hash before it.
    before: EventHash,
    last: u64,
    hash: EventHash,
    /// Whether the newest line of it says that it ends there.
    ended: bool,
}

/// A line, and where it is.
struct Line<'a> {
    path: &'a Path,
    number: u64,
    bytes: &'a [u8],
}

impl Line<'_> {
    fn damaged(&self, stream: Option<&StreamName>, detail: impl Into<String>) -> ImportError {
        ImportError::Damaged {
            path: self.path.to_owned(),
            line: self.number,
            stream: stream.cloned(),
            detail: detail.into(),
        }
    }
}

/// Reads everything, and checks that it holds together by itself.
fn judge(files: &[PathBuf]) -> Result<BTreeMap<Arc<StreamName>, Thread>, ImportError> {
    let mut threads = BTreeMap::new();
    let mut links = LinkReader::default();
    each_line(files, &mut |line| match note(&line)? {
        Some(Note::SurefootExport { format, .. }) if format > EXPORT_FORMAT => {
            Err(ImportError::Newer { found: format })
        }
        Some(Note::SurefootExport { .. }) => Ok(()),
        Some(Note::End { stream, sequence, hash }) => {
            end(&mut threads, &line, &StreamHead { stream, sequence, hash })
        }
        None => {
            let link = links.read(line.bytes);
            let link = link.map_err(|damage| line.damaged(None, damage.to_string()))?;
            follow(&mut threads, &line, link)
        }
    })?;
    match threads.iter().find(|(_, thread): &(_, &Thread)| !thread.ended) {
        Some((stream, thread)) => Err(ImportError::Damaged {
            path: thread.path.clone(),
            line: thread.line,
            stream: Some((**stream).clone()),
            detail: format!(
                "the line of its end is missing behind event {}: the file was cut short",
                thread.last
            ),
        }),
        None if threads.is_empty() => Err(ImportError::Foreign {
            path: files.first().cloned().unwrap_or_default(),
            detail: "there is no event in it".into(),
        }),
        None => Ok(threads),
    }
}

/// A line that is no event: none where it is one.
fn note(line: &Line<'_>) -> Result<Option<Note>, ImportError> {
    if line.bytes.starts_with(b"{\"surefoot_export\"") || line.bytes.starts_with(b"{\"end\"") {
        let note = serde_json::from_slice(line.bytes);
        return note.map(Some).map_err(|error| line.damaged(None, error.to_string()));
    }
    Ok(None)
}

fn follow(
    threads: &mut BTreeMap<Arc<StreamName>, Thread>,
    line: &Line<'_>,
    event: Link,
) -> Result<(), ImportError> {
    if !(1..=HIGHEST).contains(&event.sequence) {
        let wrong = format!("no event has the number {}", event.sequence);
        return Err(line.damaged(Some(&event.stream), wrong));
    }
    let Some(thread) = threads.get_mut(&event.stream) else {
        let thread = Thread {
            path: line.path.to_owned(),
            line: line.number,
            first: event.sequence,
            before: event.previous,
            last: event.sequence,
            hash: event.hash,
            ended: false,
        };
        threads.insert(event.stream, thread);
        return Ok(());
    };
    let due = thread.last.saturating_add(1);
    let wrong = match event.sequence {
        other if other < due => Some(format!("event {other} is there a second time")),
        other if other > due => Some(format!("event {due} is missing before it")),
        _ if event.previous != thread.hash => {
            Some(format!("event {due} does not follow event {}: one was changed", due - 1))
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(line.damaged(Some(&event.stream), wrong));
    }
    (thread.last, thread.hash, thread.ended) = (event.sequence, event.hash, false);
    Ok(())
}

/// A stream ends here, or ended here when this part was written.
fn end(
    threads: &mut BTreeMap<Arc<StreamName>, Thread>,
    line: &Line<'_>,
    head: &StreamHead,
) -> Result<(), ImportError> {
    let stream = Some(&head.stream);
    let Some(thread) = threads.get_mut(&head.stream) else {
        return Err(line.damaged(stream, "it ends before it begins: its events are missing"));
    };
    if thread.last != head.sequence {
        let (last, told) = (thread.last, head.sequence);
        let wrong = format!("it should end at event {told}, the events end at {last}");
        return Err(line.damaged(stream, wrong));
    }
    if thread.hash != head.hash {
        let wrong = format!("event {} was changed", head.sequence);
        return Err(line.damaged(stream, wrong));
    }
    thread.ended = true;
    Ok(())
}

impl Thread {
    /// What importing this stream will do, or why it cannot be.
    ///
    /// The events of a chain follow from its last one: where the last event that both have is the
    /// same, all before it are.
    fn joins(
        &self,
        journal: &dyn Journal,
        stream: &StreamName,
        head: Option<&StreamHead>,
        files: &[PathBuf],
    ) -> Result<Imported, ImportError> {
        let ends = head.map_or(0, |head| head.sequence);
        if self.first > ends + 1 {
            return Err(ImportError::Damaged {
                path: self.path.clone(),
                line: self.line,
                stream: Some(stream.clone()),
                detail: format!("event {} is missing: the journal ends at {ends}", ends + 1),
            });
        }
        let same = if self.first == ends + 1 {
            head.map_or(EventHash::NONE, |head| head.hash) == self.before
        } else {
            self.agrees(journal, stream, ends.min(self.last), files)?
        };
        if !same {
            return Err(parting(journal, stream, self.first, files)?);
        }
        let sequence = self.last.max(ends);
        let added = self.last.saturating_sub(ends);
        Ok(Imported {
            stream: stream.clone(),
            added,
            known: self.last - self.first + 1 - added,
            sequence,
        })
    }

    fn agrees(
        &self,
        journal: &dyn Journal,
        stream: &StreamName,
        last_common: u64,
        files: &[PathBuf],
    ) -> Result<bool, ImportError> {
        let theirs = if last_common == self.last {
            Some(self.hash)
        } else {
            let mut found = None;
            each_event(files, &mut |event| {
                if event.stream() == stream && event.sequence() == last_common {
                    found = Some(event.hash());
                }
                Ok(())
            })?;
            found
        };
        let ours = journal.event(stream, last_common)?.map(|event| event.hash());
        Ok(ours == theirs)
    }
}

/// Where journal and export part: the first event that is not the same.
fn parting(
    journal: &dyn Journal,
    stream: &StreamName,
    first: u64,
    files: &[PathBuf],
) -> Result<ImportError, ImportError> {
    let mut hashes = Vec::new();
    journal.visit(stream, first - 1, &mut |event| {
        hashes.push(event.hash());
        ControlFlow::Continue(())
    })?;
    let mut parted: Option<StoredEvent> = None;
    each_event(files, &mut |event| {
        if event.stream() != stream || parted.is_some() {
            return Ok(());
        }
        let index = usize::try_from(event.sequence() - first).unwrap_or(usize::MAX);
        if hashes.get(index) != Some(&event.hash()) {
            parted = Some(event);
        }
        Ok(())
    })?;
    let sequence = parted.as_ref().map_or(first, StoredEvent::sequence);
    let ours = journal.event(stream, sequence)?.map(Box::new);
    Ok(ImportError::Fork { stream: stream.clone(), sequence, ours, theirs: parted.map(Box::new) })
}

/// Writes what is new, all of it or nothing: half a history would be taken for a whole one.
fn write(
    journal: &dyn Journal,
    files: &[PathBuf],
    imported: &[Imported],
) -> Result<(), ImportError> {
    if imported.iter().all(|one| one.added == 0) {
        return Ok(());
    }
    let mut refused = None;
    let written = journal.append_portions(&mut |append| {
        hand_over(files, imported, append).map_err(|error| match error {
            ImportError::Journal(error) => error,
            other => {
                refused = Some(other);
                JournalError::corrupt("the export could not be read to its end")
            }
        })
    });
    refused.map_or_else(|| written.map_err(ImportError::from), Err)
}

/// Hands over what is new, portion by portion.
fn hand_over(
    files: &[PathBuf],
    imported: &[Imported],
    append: &mut Append<'_>,
) -> Result<(), ImportError> {
    let mut ends: BTreeMap<&StreamName, u64> =
        imported.iter().map(|one| (&one.stream, one.sequence - one.added)).collect();
    let mut portion = Portion::default();
    each_event(files, &mut |event| {
        let end = ends.get_mut(event.stream()).expect("every stream was judged");
        if event.sequence() <= *end {
            return Ok(());
        }
        *end = event.sequence();
        portion.take(append, event)
    })?;
    portion.write(append)
}

/// Events of one stream on their way into the journal.
#[derive(Default)]
struct Portion {
    events: Vec<StoredEvent>,
    size: usize,
}

impl Portion {
    fn take(&mut self, append: &mut Append<'_>, event: StoredEvent) -> Result<(), ImportError> {
        let other = self.events.first().is_some_and(|first| first.stream() != event.stream());
        if other || self.events.len() >= AT_ONCE || self.size >= BYTES_AT_ONCE {
            self.write(append)?;
        }
        self.size += event.bytes().len();
        self.events.push(event);
        Ok(())
    }

    fn write(&mut self, append: &mut Append<'_>) -> Result<(), ImportError> {
        let Some(first) = self.events.first() else { return Ok(()) };
        append(first.stream(), first.sequence() - 1, &self.events)?;
        self.events.clear();
        self.size = 0;
        Ok(())
    }
}

fn each_event(
    files: &[PathBuf],
    each: &mut dyn FnMut(StoredEvent) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    each_line(files, &mut |line| {
        if note(&line)?.is_some() {
            return Ok(());
        }
        let event = StoredEvent::parse(line.bytes.to_vec());
        each(event.map_err(|damage| line.damaged(None, damage.to_string()))?)
    })
}

fn each_line(
    files: &[PathBuf],
    each: &mut dyn FnMut(Line<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    for path in files {
        let failed = |source| ImportError::File { path: path.clone(), source };
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        let mut bytes = Vec::new();
        for number in 1.. {
            if !next_line(&mut reader, &mut bytes).map_err(failed)? {
                recognise(path, number, &bytes)?;
                break;
            }
            recognise(path, number, &bytes)?;
            if !bytes.is_empty() {
                each(Line { path, number, bytes: &bytes })?;
            }
        }
    }
    Ok(())
}

/// The next line without its end; false where there is none. Lines longer than any event are cut:
/// they are refused for what is left of them.
fn next_line(reader: &mut BufReader<File>, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    let most = LARGEST_EVENT as u64 + 2;
    if reader.by_ref().take(most).read_until(b'\n', bytes)? == 0 {
        return Ok(false);
    }
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(true)
}

/// The first line says what the file is.
fn recognise(path: &Path, number: u64, bytes: &[u8]) -> Result<(), ImportError> {
    if number > 1 || bytes.starts_with(b"{\"surefoot_export\":") {
        return Ok(());
    }
    let detail = if bytes.is_empty() { "it is empty" } else { "its first line says nothing of it" };
    Err(ImportError::Foreign { path: path.to_owned(), detail: detail.into() })
}

#[cfg(test)]
mod tests;
