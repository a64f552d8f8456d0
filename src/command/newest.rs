//! The newest part of the history that a screen shows: read backwards from the head of the stream, so
//! that it costs the same however long the history is.

use super::setup::Setup;
use super::{stream, trouble};
use crate::journal::{Journal, JournalError};
use crate::ledger::newest::{self, Newest};
use crate::names::StreamName;
use crate::problem::Problem;
use crate::projection::Recorded;

/// As much as tells where the service stands; nothing where there is no journal of it.
pub(super) fn of_status(setup: &Setup) -> Result<Vec<Recorded>, Problem> {
    let read = |journal: &dyn Journal, stream: &StreamName| newest::standing(journal, stream);
    Ok(of_service(setup, &read)?.map(|(_, newest)| newest.records).unwrap_or_default())
}

/// The newest `count` deployments, all where it is 0; `None` where there is no journal of it.
pub(super) fn of_history(
    setup: &Setup,
    count: usize,
) -> Result<Option<(StreamName, Newest)>, Problem> {
    of_service(setup, &|journal, stream| newest::deployments(journal, stream, count))
}

type Read<'a> = &'a dyn Fn(&dyn Journal, &StreamName) -> Result<Newest, JournalError>;

fn of_service(setup: &Setup, read: Read<'_>) -> Result<Option<(StreamName, Newest)>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    let newest = read(journal.as_ref(), &stream);
    let newest = newest.map_err(|error| trouble::journal(&error, &setup.history))?;
    Ok(Some((stream, newest)))
}
