//! What a damaged export still proves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::{Journal, JournalError};
use super::{ImportError, Portion, each_line};
use crate::event::envelope::{EventHash, StoredEvent};
use crate::names::StreamName;

/// Where each stream ends, with what is on its way.
type Ends = BTreeMap<StreamName, (u64, EventHash)>;

/// Appends every event of an export that follows what the journal has, up to the first that does not; how many
/// of each stream. Not all or nothing: this is for a journal that nobody sees before it is brought back.
pub fn salvage(
    journal: &dyn Journal,
    files: &[PathBuf],
) -> Result<BTreeMap<StreamName, u64>, JournalError> {
    let heads = journal.streams()?.into_iter();
    let mut ends: Ends = heads.map(|head| (head.stream, (head.sequence, head.hash))).collect();
    let mut added = BTreeMap::new();
    let mut append = |stream: &StreamName, before: u64, events: &[StoredEvent]| {
        match journal.append_stored(stream, before, events) {
            Ok(()) => *added.entry(stream.clone()).or_default() += events.len() as u64,
            // It leads elsewhere than what is there already.
            Err(JournalError::Corrupt { .. } | JournalError::IdTaken { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    };
    let mut portion = Portion::default();
    let read = each_line(files, &mut |line| match StoredEvent::parse(line.bytes.to_vec()) {
        Ok(event) if follows(&mut ends, &event) => portion.take(&mut append, event),
        // A line that is no event, or no longer one, leads nowhere.
        _ => Ok(()),
    });
    match read.and_then(|()| portion.write(&mut append)) {
        Err(ImportError::Journal(error)) => Err(error),
        // A file that cannot be read to its end has no more to give.
        _ => Ok(added),
    }
}

fn follows(ends: &mut Ends, event: &StoredEvent) -> bool {
    let end = ends.entry(event.stream().clone()).or_insert((0, EventHash::NONE));
    let follows = (event.sequence(), event.previous()) == (end.0 + 1, end.1);
    if follows {
        *end = (event.sequence(), event.hash());
    }
    follows
}
