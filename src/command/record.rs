//! What the journal holds, as the views read it. The one place where records are loaded.

use super::setup::Setup;
use super::{stream, trouble};
use crate::ledger::{Entry, Ledger};
use crate::names::StreamName;
use crate::problem::Problem;
use crate::projection::{RawEvent, Recorded};

/// The records of one service, oldest first.
pub(super) type Loaded = (StreamName, Vec<Recorded>);

/// The records of the service meant; `None` where there is no journal, or nothing of it.
pub(super) fn load(setup: &Setup) -> Result<Option<Loaded>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    let ledger = setup.ledger(journal, stream.clone())?;
    Ok(Some((stream, records(&ledger))))
}

/// The records of every service that may be meant: of all in the journal, where none was named.
pub(super) fn load_all(setup: &Setup) -> Result<Vec<Loaded>, Problem> {
    if !setup.service_is_a_guess() {
        return Ok(load(setup)?.into_iter().collect());
    }
    let Some(journal) = setup.existing_journal()? else { return Ok(Vec::new()) };
    let heads = journal.streams().map_err(|error| trouble::journal(&error, &setup.history))?;
    let loaded = heads.into_iter().map(|head| {
        let ledger = setup.ledger(journal.clone(), head.stream.clone())?;
        Ok((head.stream, records(&ledger)))
    });
    loaded.collect()
}

pub(super) fn records(ledger: &Ledger) -> Vec<Recorded> {
    ledger.entries().iter().map(recorded).collect()
}

fn recorded(entry: &Entry) -> Recorded {
    let raw = |data: &serde_json::Value| RawEvent {
        type_name: entry.type_name.clone(),
        data: data.clone(),
    };
    Recorded {
        sequence: entry.sequence,
        at: entry.at,
        deployment: entry.deployment,
        actor: format!("{}@{}", entry.actor.user, entry.actor.host),
        ci_run: entry.actor.ci_run.clone(),
        event: entry.event.clone().map_err(|data| raw(&data)),
    }
}
