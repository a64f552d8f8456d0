//! The journal held open, for many appends in a row.

use std::fmt;

use redb::ReadableDatabase as _;

use super::super::JournalError;
use super::super::chain::refuse_twin_events;
use super::RedbJournal;
use super::append::append_stored;
use super::storage::{from_redb, open_to_write};
use crate::event::envelope::StoredEvent;
use crate::names::StreamName;

/// A journal held open by its only writer, for many appends in a row.
pub struct HeldJournal {
    database: redb::Database,
}

impl RedbJournal {
    /// Holds the journal open. Readers are served all the while; other writers wait.
    pub fn hold_open(&self) -> Result<HeldJournal, JournalError> {
        let database = open_to_write(&*self.storage)?;
        self.recognise(&database.begin_read().map_err(from_redb)?)?;
        Ok(HeldJournal { database })
    }
}

impl HeldJournal {
    /// Appends events as another journal stored them, all of them or none, durable on return.
    pub fn append_stored(
        &self,
        stream: &StreamName,
        expected_sequence: u64,
        events: &[StoredEvent],
    ) -> Result<(), JournalError> {
        refuse_twin_events(events)?;
        let mut transaction = self.database.begin_write().map_err(from_redb)?;
        transaction.set_quick_repair(true);
        append_stored(&transaction, stream, expected_sequence, events)?;
        transaction.commit().map_err(from_redb)
    }
}

impl fmt::Debug for HeldJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldJournal").finish_non_exhaustive()
    }
}
