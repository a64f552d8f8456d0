//! What a damaged export still proves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::{Journal, JournalError};
use super::{AT_ONCE, each_line};
use crate::event::envelope::{EventHash, StoredEvent};
use crate::names::StreamName;

/// Appends every event of an export that follows what the journal has, up to the first that does not; how many
/// of each stream. Not all or nothing: this is for a journal that nobody sees before it is brought back.
pub fn salvage(
    journal: &dyn Journal,
    files: &[PathBuf],
) -> Result<BTreeMap<StreamName, u64>, JournalError> {
    let mut found = Found::of(journal)?;
    let mut written = Ok(());
    let read = each_line(files, &mut |line| {
        // A line that is no event, or no longer one, leads nowhere.
        if let (true, Ok(event)) = (written.is_ok(), StoredEvent::parse(line.bytes.to_vec())) {
            written = found.take(event);
        }
        Ok(())
    });
    // A file that cannot be read to its end has no more to give.
    drop(read);
    written?;
    found.write()?;
    Ok(found.added)
}

/// Events on their way into the journal, of one stream at a time.
struct Found<'a> {
    journal: &'a dyn Journal,
    /// Where each stream ends, with what waits.
    ends: BTreeMap<StreamName, (u64, EventHash)>,
    added: BTreeMap<StreamName, u64>,
    waiting: Vec<StoredEvent>,
}

impl<'a> Found<'a> {
    fn of(journal: &'a dyn Journal) -> Result<Self, JournalError> {
        let heads = journal.streams()?.into_iter();
        let ends = heads.map(|head| (head.stream, (head.sequence, head.hash))).collect();
        Ok(Self { journal, ends, added: BTreeMap::new(), waiting: Vec::new() })
    }

    fn take(&mut self, event: StoredEvent) -> Result<(), JournalError> {
        let stream = event.stream().clone();
        let end = self.ends.entry(stream.clone()).or_insert((0, EventHash::NONE));
        if (event.sequence(), event.previous()) != (end.0 + 1, end.1) {
            return Ok(());
        }
        *end = (event.sequence(), event.hash());
        let other = self.waiting.first().is_some_and(|first| *first.stream() != stream);
        if other || self.waiting.len() >= AT_ONCE {
            self.write()?;
        }
        self.waiting.push(event);
        Ok(())
    }

    fn write(&mut self) -> Result<(), JournalError> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let (stream, count) = (first.stream().clone(), self.waiting.len() as u64);
        let written = self.journal.append_stored(&stream, first.sequence() - 1, &self.waiting);
        self.waiting.clear();
        match written {
            Ok(()) => *self.added.entry(stream).or_default() += count,
            // It leads elsewhere than what is there already.
            Err(JournalError::Corrupt { .. } | JournalError::IdTaken { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
