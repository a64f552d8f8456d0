//! Events and values into the tables, inside of one transaction.

use std::collections::BTreeMap;

use redb::{ReadableTable as _, WriteTransaction};

use super::super::JournalError;
use super::super::chain::{Appended, Chain};
use super::storage::from_redb;
use super::table::{self, Look as _, VALUES};
use crate::event::envelope::{Draft, StoredEvent};
use crate::names::{StreamName, ValueHash};

pub(super) fn append(
    transaction: &WriteTransaction,
    stream: &StreamName,
    expected_sequence: u64,
    drafts: &[Draft],
    values: &BTreeMap<ValueHash, String>,
) -> Result<Vec<StoredEvent>, JournalError> {
    let stored: Vec<_> =
        drafts.iter().map(|draft| transaction.event_of(draft.id)).collect::<Result<_, _>>()?;
    let chain = Chain::behind(stream, transaction.head(stream)?.as_ref());
    let appended = chain.append(expected_sequence, drafts, stored)?;
    if let Appended::Now(events) = &appended {
        table::push(transaction, events)?;
    }
    put_values(transaction, values)?;
    Ok(appended.events())
}

pub(super) fn append_stored(
    transaction: &WriteTransaction,
    stream: &StreamName,
    expected: u64,
    events: &[StoredEvent],
) -> Result<(), JournalError> {
    let mut chain = Chain::behind(stream, transaction.head(stream)?.as_ref());
    if chain.sequence() != expected {
        return Err(JournalError::Conflict { expected, found: chain.sequence() });
    }
    for event in events {
        chain.admit(event)?;
        if transaction.position_of(event.id())?.is_some() {
            return Err(JournalError::IdTaken { id: event.id() });
        }
    }
    table::push(transaction, events)
}

pub(super) fn put_values(
    transaction: &WriteTransaction,
    values: &BTreeMap<ValueHash, String>,
) -> Result<(), JournalError> {
    if values.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(VALUES).map_err(from_redb)?;
    for (hash, value) in values {
        if table.get(hash.as_str()).map_err(from_redb)?.is_none() {
            table.insert(hash.as_str(), value.as_str()).map_err(from_redb)?;
        }
    }
    Ok(())
}
