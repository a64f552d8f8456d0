//! The events of a stream, there and back, each verified as it is met.

use std::ops::ControlFlow;

use redb::ReadTransaction;

use super::super::JournalError;
use super::super::chain::{Chain, Descent};
use super::storage::from_redb;
use super::table::{self, EVENTS, Look as _, PLACES};
use crate::event::envelope::StoredEvent;
use crate::names::StreamName;

pub(super) fn visit(
    transaction: &ReadTransaction,
    stream: &StreamName,
    after: u64,
    visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let head = transaction.head(stream)?;
    if after > 0 && head.as_ref().is_none_or(|head| head.sequence <= after) {
        return Ok(());
    }
    let mut chain = chain_after(transaction, stream, after)?;
    let places = transaction.open_table(PLACES).map_err(from_redb)?;
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    let first = table::place_key(stream, after.saturating_add(1));
    let last = table::place_key(stream, u64::MAX);
    let rows = places.range(first.as_slice()..=last.as_slice()).map_err(from_redb)?;
    for row in rows {
        let position = row.map_err(from_redb)?.1.value();
        let row = events.get(position).map_err(from_redb)?;
        let row = row.ok_or_else(|| table::dangling(position))?;
        let (hash, bytes) = table::split_event(row.value())?;
        if visitor(chain.follow(hash, bytes)?).is_break() {
            return Ok(());
        }
    }
    match head {
        Some(head) => chain.reaches(&head),
        None => chain.reaches(&Chain::empty(stream).head()),
    }
}

pub(super) fn visit_back(
    transaction: &ReadTransaction,
    stream: &StreamName,
    visitor: &mut dyn FnMut(StoredEvent) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let head = transaction.head(stream)?.unwrap_or_else(|| Chain::empty(stream).head());
    let mut descent = Descent::from(&head);
    let places = transaction.open_table(PLACES).map_err(from_redb)?;
    let events = transaction.open_table(EVENTS).map_err(from_redb)?;
    let first = table::place_key(stream, 0);
    let last = table::place_key(stream, u64::MAX);
    let rows = places.range(first.as_slice()..=last.as_slice()).map_err(from_redb)?;
    for row in rows.rev() {
        let (key, position) = row.map_err(from_redb)?;
        if key.value() != table::place_key(stream, descent.due()) {
            return Err(descent.broken());
        }
        let position = position.value();
        let row = events.get(position).map_err(from_redb)?;
        let row = row.ok_or_else(|| table::dangling(position))?;
        let (_, bytes) = table::split_event(row.value())?;
        if visitor(descent.step(bytes)?).is_break() {
            return Ok(());
        }
    }
    descent.ends()
}

/// The chain that ends right at `after`: the hash stored there is what the next event must name.
fn chain_after(
    transaction: &ReadTransaction,
    stream: &StreamName,
    after: u64,
) -> Result<Chain, JournalError> {
    if after == 0 {
        return Ok(Chain::empty(stream));
    }
    let stored = transaction.place(stream, after)?.map(|place| transaction.event_at(place));
    let Some((hash, _)) = stored.transpose()?.flatten() else {
        return Err(JournalError::Corrupt {
            stream: Some(stream.clone()),
            sequence: Some(after),
            detail: "it is not there".into(),
        });
    };
    Ok(Chain::at(stream, after, hash))
}
