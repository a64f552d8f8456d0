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
/// what is restored of its stream.
pub(super) fn in_order(damaged: &RedbJournal, fresh: &RedbJournal) -> Result<(), JournalError> {
    let restored = fresh.streams()?.into_iter().map(|head| (head.stream.clone(), head));
    let restored: BTreeMap<StreamName, StreamHead> = restored.collect();
    let mut found: BTreeMap<StreamName, (Chain, Saved<'_>)> = BTreeMap::new();
    let read = damaged.look_unasked(|transaction| {
        let events = transaction.open_table(EVENTS).map_err(from_redb)?;
        for row in events.iter().map_err(from_redb)? {
            let (position, row) = row.map_err(from_redb)?;
            let (hash, bytes) = table::split_event(row.value())?;
            let stream = stream_of(&bytes, position.value())?;
            let (chain, saved) = found.entry(stream.clone()).or_insert_with(|| {
                let end = restored.get(&stream);
                let sequence = end.map_or(0, |head| head.sequence);
                (Chain::behind(&stream, end), Saved::behind(fresh, sequence))
            });
            // What is restored already, or leads elsewhere, does not follow.
            if let Ok(event) = chain.follow(hash, bytes)
                && saved.take(event).is_break()
            {
                break;
            }
        }
        Ok(())
    });
    drop(read);
    found.into_values().try_for_each(|(_, saved)| saved.finish())
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
