//! The newest part of the history that a screen shows: read backwards from the head of the stream, so
//! that it costs the same however long the history is.

use super::setup::Setup;
use super::{record, stream, trouble};
use crate::journal::redb::CHECKED_BY_EVERY_COMMAND;
use crate::ledger::newest::{self, Newest};
use crate::names::StreamName;
use crate::problem::Problem;
use crate::projection::Recorded;

/// Every deployment, in the words of [`newest::deployments`].
const ALL: usize = 0;

/// As much as tells where the service stands: all of a short history, which alone tells of a mark that
/// lies far back; nothing where there is no journal of it.
pub(super) fn of_status(setup: &Setup) -> Result<Vec<Recorded>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(Vec::new()) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(Vec::new()) };
    let broken = |error| trouble::journal(&error, &setup.history);
    let ends = journal.head(&stream).map_err(broken)?.map_or(0, |head| head.sequence);
    setup.refuse_to_be_behind(&stream, ends)?;
    let newest = if (1..=CHECKED_BY_EVERY_COMMAND).contains(&ends) {
        newest::deployments(journal.as_ref(), &stream, ALL)
    } else {
        newest::standing(journal.as_ref(), &stream)
    };
    Ok(newest.map_err(broken)?.records)
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
        // It is read from its head backwards.
        let ends = newest.records.last().map_or(0, |record| record.sequence);
        setup.refuse_to_be_behind(&stream, ends)?;
        Ok((stream, newest))
    };
    streams.into_iter().map(read).collect()
}
