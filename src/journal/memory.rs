//! The journal in memory: for simulations and tests, with the contract of the one on disk.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::envelope::{Draft, EventId, StoredEvent};
use crate::names::{StreamName, ValueHash};

use super::chain::{Appended, Chain, refuse_large_values, refuse_twin_events, refuse_twins};
use super::{Append, Journal, JournalError, StreamHead};

/// A journal that lives as long as its last handle. Clones are handles of the same journal.
#[derive(Clone, Default)]
pub struct MemoryJournal {
    content: Arc<Mutex<Content>>,
}

#[derive(Clone, Default)]
struct Content {
    streams: BTreeMap<StreamName, Vec<StoredEvent>>,
    places: HashMap<EventId, (StreamName, usize)>,
    values: BTreeMap<ValueHash, String>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Every change below is complete or has not begun, whoever panicked.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without its content: environment values are not printed.
impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal").finish_non_exhaustive()
    }
}

impl Content {
    fn head(&self, stream: &StreamName) -> Option<StreamHead> {
        let last = self.streams.get(stream)?.last()?;
        Some(StreamHead { stream: stream.clone(), sequence: last.sequence(), hash: last.hash() })
    }

    fn stored(&self, id: EventId) -> Option<StoredEvent> {
        let (stream, index) = self.places.get(&id)?;
        self.streams.get(stream)?.get(*index).cloned()
    }

    fn append_stored(
        &mut self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        let mut chain = Chain::behind(stream, self.head(stream).as_ref());
        if chain.sequence() != expected_sequence {
            let found = chain.sequence();
            return Err(JournalError::Conflict { expected: expected_sequence, found });
        }
        refuse_twin_events(events)?;
        for event in events {
            chain.admit(event)?;
            if self.places.contains_key(&event.id()) {
                return Err(JournalError::IdTaken { id: event.id() });
            }
        }
        for event in events {
            self.push(stream, event);
        }
        Ok(())
    }

    fn put_values(&mut self, values: &BTreeMap<ValueHash, String>) {
        for (hash, value) in values {
            self.values.entry(hash.clone()).or_insert_with(|| value.clone());
        }
    }

    fn push(&mut self, stream: &StreamName, event: &StoredEvent) {
        let all = self.streams.entry(stream.clone()).or_default();
        self.places.insert(event.id(), (stream.clone(), all.len()));
        all.push(event.clone());
    }
}

impl Journal for MemoryJournal {
    fn append_with_values(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        drafts: &[Draft],
        values: &BTreeMap<ValueHash, String>,
    ) -> Result<Vec<StoredEvent>, JournalError> {
        refuse_twins(drafts)?;
        refuse_large_values(values.values())?;
        let mut content = self.content();
        let stored = drafts.iter().map(|draft| content.stored(draft.id)).collect();
        let chain = Chain::behind(stream, content.head(stream).as_ref());
        let appended = chain.append(expected_sequence, drafts, stored)?;
        if let Appended::Now(events) = &appended {
            for event in events {
                content.push(stream, event);
            }
        }
        content.put_values(values);
        Ok(appended.events())
    }

    fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        self.content().append_stored(stream, expected_sequence, events)
    }

    fn append_portions(
        &self,
        fill: &mut dyn FnMut(&mut Append<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut filled = self.content().clone();
        fill(&mut |stream, expected_sequence, events| {
            filled.append_stored(stream, expected_sequence, events)
        })?;
        *self.content() = filled;
        Ok(())
    }

    fn visit(
        &self,
        stream: &StreamName,
        after_sequence: u64,
        visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        // Copied first, so that a visitor may use the journal.
        let skipped = usize::try_from(after_sequence).unwrap_or(usize::MAX);
        let events: Vec<_> = match self.content().streams.get(stream) {
            Some(events) => events.iter().skip(skipped).cloned().collect(),
            None => return Ok(()),
        };
        for event in events {
            if visitor(event).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn streams(&self) -> Result<Vec<StreamHead>, JournalError> {
        let content = self.content();
        Ok(content.streams.keys().filter_map(|stream| content.head(stream)).collect())
    }

    fn head(&self, stream: &StreamName) -> Result<Option<StreamHead>, JournalError> {
        Ok(self.content().head(stream))
    }

    fn value(&self, hash: &ValueHash) -> Result<Option<String>, JournalError> {
        Ok(self.content().values.get(hash).cloned())
    }

    fn put_values(&self, values: &BTreeMap<ValueHash, String>) -> Result<(), JournalError> {
        refuse_large_values(values.values())?;
        self.content().put_values(values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_contract() {
        super::super::contract::hold(&|| {
            let journal = MemoryJournal::new();
            Box::new(move || Box::new(journal.clone()) as Box<dyn Journal>)
        });
    }
}
