//! The chain of one stream, checked link by link. Pure.

use crate::event::envelope::{Damage, Draft, EventHash, Link, StoredEvent};
use crate::names::StreamName;

use super::{JournalError, LARGEST_VALUE, StreamHead};

/// The end of a chain: what the next event has to follow.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    stream: StreamName,
    sequence: u64,
    hash: EventHash,
}

impl Chain {
    /// The chain before the first event.
    pub(super) fn empty(stream: &StreamName) -> Self {
        Self { stream: stream.clone(), sequence: 0, hash: EventHash::NONE }
    }

    /// The chain that ends at this event.
    pub(super) fn at(stream: &StreamName, sequence: u64, hash: EventHash) -> Self {
        Self { stream: stream.clone(), sequence, hash }
    }

    /// The chain that ends at this head, or the empty one.
    pub(super) fn behind(stream: &StreamName, head: Option<&StreamHead>) -> Self {
        head.map_or_else(|| Self::empty(stream), |head| Self::at(stream, head.sequence, head.hash))
    }

    /// The number of the last event.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Where the chain ends now.
    pub(super) fn head(&self) -> StreamHead {
        StreamHead { stream: self.stream.clone(), sequence: self.sequence, hash: self.hash }
    }

    /// Reads the next link from what is stored.
    pub(super) fn follow(
        &mut self,
        stored_hash: EventHash,
        bytes: Vec<u8>,
    ) -> Result<StoredEvent, JournalError> {
        let sequence = self.sequence + 1;
        let linked = StoredEvent::parse(bytes).and_then(|event| {
            if event.hash() != stored_hash {
                return Err(Damage::Hash);
            }
            event.check_place(&self.stream, sequence, self.hash).map(|()| event)
        });
        let event =
            linked.map_err(|damage| JournalError::damaged(&self.stream, sequence, &damage))?;
        self.sequence = sequence;
        self.hash = event.hash();
        Ok(event)
    }

    /// Takes the next link as another journal stored it.
    pub(super) fn admit(&mut self, event: &StoredEvent) -> Result<(), JournalError> {
        let sequence = self.sequence + 1;
        event
            .check_place(&self.stream, sequence, self.hash)
            .map_err(|damage| JournalError::damaged(&self.stream, sequence, &damage))?;
        self.sequence = sequence;
        self.hash = event.hash();
        Ok(())
    }

    /// Follows the next link, whose hash was verified already.
    pub(super) fn link(&mut self, link: &Link) -> Result<(), JournalError> {
        let sequence = self.sequence + 1;
        let damage = if link.sequence != sequence {
            Some(Damage::Sequence(link.sequence))
        } else if link.previous != self.hash {
            Some(Damage::Chain)
        } else {
            None
        };
        if let Some(damage) = damage {
            return Err(JournalError::damaged(&self.stream, sequence, &damage));
        }
        self.sequence = sequence;
        self.hash = link.hash;
        Ok(())
    }

    /// Makes the next link from a draft.
    fn extend(&mut self, draft: &Draft) -> Result<StoredEvent, JournalError> {
        let event = draft.store(&self.stream, self.sequence + 1, self.hash)?;
        self.sequence += 1;
        self.hash = event.hash();
        Ok(event)
    }

    /// Makes the next links from drafts, unless an earlier append did; `stored` is what lies under
    /// their ids, in their order. `expected` is where the writer believes the chain to end.
    pub(super) fn append(
        mut self,
        expected: u64,
        drafts: &[Draft],
        stored: Vec<Option<StoredEvent>>,
    ) -> Result<Appended, JournalError> {
        match recognise(&self.stream, drafts, stored)? {
            Found::All(events) => return Ok(Appended::Before(events)),
            Found::Nothing if self.sequence == expected => {}
            Found::Nothing | Found::Part => {
                return Err(JournalError::Conflict { expected, found: self.sequence });
            }
        }
        let events = drafts.iter().map(|draft| self.extend(draft)).collect::<Result<_, _>>()?;
        Ok(Appended::Now(events))
    }

    /// Checks that the chain ended where the stream's head says.
    pub(super) fn reaches(&self, head: &StreamHead) -> Result<(), JournalError> {
        if (self.sequence, self.hash) == (head.sequence, head.hash) {
            return Ok(());
        }
        Err(JournalError::Corrupt {
            stream: Some(self.stream.clone()),
            sequence: Some(self.sequence.min(head.sequence) + 1),
            detail: format!("its events end at {}, its head at {}", self.sequence, head.sequence),
        })
    }
}

/// A chain walked from its end: what the event before the last one shown has to be.
#[derive(Debug)]
pub(super) struct Descent {
    stream: StreamName,
    sequence: u64,
    hash: EventHash,
}

impl Descent {
    /// The way down from this head.
    pub(super) fn from(head: &StreamHead) -> Self {
        Self { stream: head.stream.clone(), sequence: head.sequence, hash: head.hash }
    }

    /// The number of the event that is due.
    pub(super) fn due(&self) -> u64 {
        self.sequence
    }

    /// Reads the event that is due from what is stored.
    pub(super) fn step(&mut self, bytes: Vec<u8>) -> Result<StoredEvent, JournalError> {
        let read = StoredEvent::parse(bytes).and_then(|event| {
            if event.hash() != self.hash {
                return Err(Damage::Hash);
            }
            event.check_place(&self.stream, self.sequence, event.previous()).map(|()| event)
        });
        let event =
            read.map_err(|damage| JournalError::damaged(&self.stream, self.sequence, &damage))?;
        self.sequence -= 1;
        self.hash = event.previous();
        Ok(event)
    }

    /// Something is missing where an event is due.
    pub(super) fn broken(&self) -> JournalError {
        JournalError::Corrupt {
            stream: Some(self.stream.clone()),
            sequence: Some(self.sequence),
            detail: "it is not there".into(),
        }
    }

    /// Checks that this was the beginning.
    pub(super) fn ends(&self) -> Result<(), JournalError> {
        if (self.sequence, self.hash) == (0, EventHash::NONE) { Ok(()) } else { Err(self.broken()) }
    }
}

/// What an append comes to.
#[derive(Debug)]
pub(super) enum Appended {
    /// These events, which an earlier append stored already.
    Before(Vec<StoredEvent>),
    /// These events, which are to be stored now.
    Now(Vec<StoredEvent>),
}

impl Appended {
    /// The events, whoever stored them.
    pub(super) fn events(self) -> Vec<StoredEvent> {
        let (Self::Before(events) | Self::Now(events)) = self;
        events
    }
}

/// What an append finds of its drafts.
#[derive(Debug)]
enum Found {
    /// Nothing: they are to be written.
    Nothing,
    /// Some of them: this append is not the one that wrote those.
    Part,
    /// All of them, stored by an earlier append.
    All(Vec<StoredEvent>),
}

/// Compares drafts with what is stored under their ids, in the order of the drafts.
fn recognise(
    stream: &StreamName,
    drafts: &[Draft],
    stored: Vec<Option<StoredEvent>>,
) -> Result<Found, JournalError> {
    for (draft, stored) in drafts.iter().zip(&stored) {
        let taken =
            stored.as_ref().is_some_and(|event| event.stream() != stream || !draft.is(event));
        if taken {
            return Err(JournalError::IdTaken { id: draft.id });
        }
    }
    let known = stored.iter().flatten().count();
    Ok(match known {
        0 => Found::Nothing,
        all if all == drafts.len() => Found::All(stored.into_iter().flatten().collect()),
        _ => Found::Part,
    })
}

/// Refuses two drafts of one id in one append.
pub(super) fn refuse_twins(drafts: &[Draft]) -> Result<(), JournalError> {
    let mut seen = std::collections::BTreeSet::new();
    match drafts.iter().find(|draft| !seen.insert(draft.id)) {
        Some(twin) => Err(JournalError::IdTaken { id: twin.id }),
        None => Ok(()),
    }
}

/// Refuses two events of one id in one append.
pub(super) fn refuse_twin_events(events: &[StoredEvent]) -> Result<(), JournalError> {
    let mut seen = std::collections::BTreeSet::new();
    match events.iter().find(|event| !seen.insert(event.id())) {
        Some(twin) => Err(JournalError::IdTaken { id: twin.id() }),
        None => Ok(()),
    }
}

/// Refuses values over the limit.
pub(super) fn refuse_large_values<'a>(
    values: impl IntoIterator<Item = &'a String>,
) -> Result<(), JournalError> {
    match values.into_iter().find(|value| value.len() > LARGEST_VALUE) {
        Some(value) => Err(JournalError::TooLarge {
            what: "an environment value",
            size: value.len(),
            limit: LARGEST_VALUE,
        }),
        None => Ok(()),
    }
}
