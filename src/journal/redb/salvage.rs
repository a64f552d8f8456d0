//! What a damaged file still proves, read whoever's it says it is: by its seals, hashes and chains.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use redb::ReadableTable as _;

use super::super::chain::Chain;
use super::super::{Journal as _, JournalError, StreamHead};
use super::RedbJournal;
use super::check::stream_of;
use super::storage::from_redb;
use super::table::{self, EVENTS, HEADS, VALUES};
use super::walk::visit;
use crate::event::envelope::StoredEvent;
use crate::names::{StreamName, ValueHash};

/// Events that are saved in one transaction.
const AT_ONCE: usize = 1_000;

/// Where the streams end, as far as that can be read.
pub(super) fn heads(damaged: &RedbJournal) -> Vec<StreamHead> {
    let mut heads = Vec::new();
    let read = damaged.look_unasked(|transaction| {
        let table = transaction.open_table(HEADS).map_err(from_redb)?;
        for row in table.iter().map_err(from_redb)? {
            let (name, head) = row.map_err(from_redb)?;
            if let Ok(stream) = name.value().parse::<StreamName>() {
                heads.extend(table::split_head(stream, head.value()));
            }
        }
        Ok(())
    });
    // Damage ends the reading; that is what is being repaired.
    drop(read);
    heads
}

/// Saves the events of a stream behind what is restored already.
pub(super) fn stream(
    damaged: &RedbJournal,
    fresh: &RedbJournal,
    stream: &StreamName,
) -> Result<(), JournalError> {
    let end = fresh.head(stream)?.map_or(0, |head| head.sequence);
    let mut saved = Saved::behind(fresh, end);
    let read = damaged.look_unasked(|transaction| {
        visit(transaction, stream, end, &mut |event| saved.take(event))
    });
    drop(read);
    saved.finish()
}

/// Saves what the indexes no longer lead to: every event in the order of its writing that follows
/// what is restored of its stream. Behind a page that is broken others may be whole.
pub(super) fn in_order(damaged: &RedbJournal, fresh: &RedbJournal) -> Result<(), JournalError> {
    let mut found = Streams::of(fresh)?;
    let mut next = 0;
    for _ in 0..MOST_HOLES {
        // redb reads nothing more once a read has failed: it is opened anew for each hole.
        let read = damaged.look_unasked(|transaction| {
            let events = transaction.open_table(EVENTS).map_err(from_redb)?;
            for row in events.range(next..).map_err(from_redb)? {
                let (position, row) = row.map_err(from_redb)?;
                next = position.value() + 1;
                found.take(position.value(), row.value());
            }
            Ok(())
        });
        if read.is_ok() {
            break;
        }
        next = next.saturating_add(1);
    }
    found.saved.into_values().try_for_each(|(_, saved)| saved.finish())
}

/// Places of events that cannot be read, before a file is given up: as many as a broken inner page of the tree
/// leads to, many times over.
const MOST_HOLES: u32 = 10_000;

/// Every stream that events are found of, each on its way into the new journal.
struct Streams<'a> {
    fresh: &'a RedbJournal,
    restored: BTreeMap<StreamName, StreamHead>,
    saved: BTreeMap<StreamName, (Chain, Saved<'a>)>,
}

impl<'a> Streams<'a> {
    fn of(fresh: &'a RedbJournal) -> Result<Self, JournalError> {
        let heads = fresh.streams()?.into_iter();
        let restored = heads.map(|head| (head.stream.clone(), head)).collect();
        Ok(Self { fresh, restored, saved: BTreeMap::new() })
    }

    /// Takes an event where it follows; what is restored already, or leads elsewhere, does not.
    fn take(&mut self, position: u64, row: &[u8]) {
        let Ok((hash, bytes)) = table::split_event(row) else { return };
        let Ok(stream) = stream_of(&bytes, position) else { return };
        let (restored, fresh) = (&self.restored, self.fresh);
        let (chain, saved) = self.saved.entry(stream.clone()).or_insert_with(|| {
            let end = restored.get(&stream);
            let sequence = end.map_or(0, |head| head.sequence);
            (Chain::behind(&stream, end), Saved::behind(fresh, sequence))
        });
        if saved.failed.is_none()
            && let Ok(event) = chain.follow(hash, bytes)
        {
            // What could not be written ends this stream, and is said at the end.
            let _ended = saved.take(event).is_break();
        }
    }
}

/// Saves the environment values that can still be read, and says how many.
pub(super) fn values(damaged: &RedbJournal, fresh: &RedbJournal) -> Result<usize, JournalError> {
    let mut values: BTreeMap<ValueHash, String> = BTreeMap::new();
    let read = damaged.look_unasked(|transaction| {
        let table = transaction.open_table(VALUES).map_err(from_redb)?;
        for row in table.iter().map_err(from_redb)? {
            let (hash, value) = row.map_err(from_redb)?;
            if let Ok(hash) = hash.value().parse() {
                values.insert(hash, value.value().to_owned());
            }
        }
        Ok(())
    });
    drop(read);
    if !values.is_empty() {
        fresh.put_values(&values)?;
    }
    Ok(values.len())
}

/// Events of one stream on their way into the new journal.
struct Saved<'a> {
    fresh: &'a RedbJournal,
    end: u64,
    provable: Vec<StoredEvent>,
    failed: Option<JournalError>,
}

impl<'a> Saved<'a> {
    fn behind(fresh: &'a RedbJournal, end: u64) -> Self {
        Self { fresh, end, provable: Vec::new(), failed: None }
    }

    fn take(&mut self, event: StoredEvent) -> ControlFlow<()> {
        self.provable.push(event);
        if self.provable.len() >= AT_ONCE {
            self.write();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn write(&mut self) {
        let Some(first) = self.provable.first() else { return };
        let written = self.fresh.append_stored(first.stream(), self.end, &self.provable);
        self.failed = written.err();
        self.end += self.provable.len() as u64;
        self.provable.clear();
    }

    fn finish(mut self) -> Result<(), JournalError> {
        if self.failed.is_none() {
            self.write();
        }
        match self.failed {
            // The export leads elsewhere than the damaged file: the export is what proves itself.
            Some(JournalError::Corrupt { .. } | JournalError::IdTaken { .. }) | None => Ok(()),
            Some(error) => Err(error),
        }
    }
}
