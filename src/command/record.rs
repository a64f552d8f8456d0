//! What the journal holds of a service, whole and verified from its beginning.

use std::sync::Arc;

use super::setup::Setup;
use super::{stream, trouble};
use crate::journal::Journal;
use crate::ledger::{Entry, Ledger};
use crate::names::StreamName;
use crate::problem::Problem;
use crate::projection::Recorded;

/// The records of one service, oldest first.
pub(super) type Loaded = (StreamName, Vec<Recorded>);

/// The records of the service meant; `None` where there is no journal, or nothing of it.
pub(super) fn load(setup: &Setup) -> Result<Option<Loaded>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    let ledger = setup.ledger(journal, stream.clone())?;
    Ok(Some((stream, records(&ledger))))
}

/// The records of every service that may be meant.
pub(super) fn load_all(setup: &Setup) -> Result<Vec<Loaded>, Problem> {
    let Some((journal, streams)) = meant(setup)? else { return Ok(Vec::new()) };
    let loaded = streams.into_iter().map(|stream| {
        let ledger = setup.ledger(journal.clone(), stream.clone())?;
        Ok((stream, records(&ledger)))
    });
    loaded.collect()
}

/// The journal, and the services of it that may be meant.
type Meant = (Arc<dyn Journal>, Vec<StreamName>);

/// All that are in the journal, where none was named.
pub(super) fn meant(setup: &Setup) -> Result<Option<Meant>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let streams = if setup.service_is_a_guess() {
        let heads = journal.streams().map_err(|error| trouble::journal(&error, &setup.history))?;
        heads.into_iter().map(|head| head.stream).collect()
    } else {
        stream::choose(journal.as_ref(), setup)?.into_iter().collect()
    };
    Ok(Some((journal, streams)))
}

pub(super) fn records(ledger: &Ledger) -> Vec<Recorded> {
    ledger.entries().iter().map(Entry::recorded).collect()
}
