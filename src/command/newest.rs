//! The newest part of the history that a screen shows: read backwards from the head of the stream, so
//! that it costs the same however long the history is.

use super::setup::Setup;
use super::{record, stream, trouble};
use crate::ledger::newest::{self, Newest};
use crate::names::StreamName;
use crate::problem::Problem;
use crate::projection::Recorded;

/// As much as tells where the service stands; nothing where there is no journal of it.
pub(super) fn of_status(setup: &Setup) -> Result<Vec<Recorded>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(Vec::new()) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(Vec::new()) };
    let newest = newest::standing(journal.as_ref(), &stream);
    let newest = newest.map_err(|error| trouble::journal(&error, &setup.history))?;
    Ok(newest.records)
}

/// The newest `count` deployments of every service that may be meant.
pub(super) fn of_history(
    setup: &Setup,
    count: usize,
) -> Result<Vec<(StreamName, Newest)>, Problem> {
    let Some((journal, streams)) = record::meant(setup)? else { return Ok(Vec::new()) };
    let read = |stream: StreamName| {
        let newest = newest::deployments(journal.as_ref(), &stream, count);
        let newest = newest.map_err(|error| trouble::journal(&error, &setup.history))?;
        Ok((stream, newest))
    };
    streams.into_iter().map(read).collect()
}
