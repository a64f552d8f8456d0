//! When the journal came back from damage, by the journal.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Recorded;
use crate::event::Event;

/// One `journal repair`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restoration {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// What was wrong.
    pub damage: String,
    /// The directory that the damaged files are in now.
    pub moved_to: Option<String>,
    /// The events that came from the export.
    pub from_export: u64,
    /// The events that only the damaged file still had.
    pub saved: u64,
    /// The events that are lost, as far as that is known.
    pub lost: u64,
}

/// Every one of them, oldest first.
pub fn restorations(records: &[Recorded]) -> Vec<Restoration> {
    let restored = |record: &Recorded| match &record.event {
        Ok(Event::JournalRestored { damage, moved_to, from_export, saved, lost }) => {
            Some(Restoration {
                at: record.at,
                by: record.actor.clone(),
                damage: damage.clone(),
                moved_to: moved_to.clone(),
                from_export: *from_export,
                saved: *saved,
                lost: *lost,
            })
        }
        _ => None,
    };
    records.iter().filter_map(restored).collect()
}
