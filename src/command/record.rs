//! What the journal holds of a service, whole and verified from its beginning.

use std::sync::Arc;

use super::setup::Setup;
use super::{stream, trouble};
use crate::event::Event;
use crate::journal::Journal;
use crate::ledger::{Entry, Ledger, newest};
use crate::names::{RepositoryName, ServiceName, StreamName};
use crate::problem::Problem;
use crate::projection::{self, Recorded};

/// The records of one service, oldest first.
pub(super) type Loaded = (StreamName, Vec<Recorded>);

/// The records of the service meant; `None` where there is no journal, or nothing of it.
pub(super) fn load(setup: &Setup) -> Result<Option<Loaded>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    Ok(Some(read(journal, stream, setup)?))
}

fn read(journal: Arc<dyn Journal>, stream: StreamName, setup: &Setup) -> Result<Loaded, Problem> {
    let records = records(&setup.ledger(journal, stream.clone())?);
    // Where nobody asks AWS, what is shown is of the world that the journal tells of.
    if let Some(endpoint) = projection::endpoint(&records).filter(|_| !setup.asks_aws()) {
        setup.view.sandbox(endpoint);
    }
    Ok((stream, records))
}

/// The service meant, as far as the journal has it.
pub(super) fn stream(setup: &Setup) -> Result<Option<StreamName>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    stream::choose(journal.as_ref(), setup)
}

/// The records of every service that may be meant.
pub(super) fn load_all(setup: &Setup) -> Result<Vec<Loaded>, Problem> {
    let Some((journal, streams)) = meant(setup)? else { return Ok(Vec::new()) };
    streams.into_iter().map(|stream| read(journal.clone(), stream, setup)).collect()
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

/// The services that the journal has.
pub(super) fn known(setup: &Setup) -> Result<Vec<ServiceName>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(Vec::new()) };
    let heads = journal.streams().map_err(|error| trouble::journal(&error, &setup.history))?;
    let mut names: Vec<ServiceName> = heads.into_iter().map(|head| head.stream.service).collect();
    names.dedup();
    Ok(names)
}

/// The repository that the images of the service meant are in, as far as the journal remembers: of the
/// release that lives, else of the newest deployment.
pub(super) fn repository(setup: &Setup) -> Option<RepositoryName> {
    let journal = setup.remembered()?;
    let stream = stream::choose(journal.as_ref(), setup).ok()??;
    let records = newest::standing(journal.as_ref(), &stream).ok()?.records;
    let live = projection::expectation(&records).map(|live| live.release.image);
    let ours =
        |host: &str| !host.contains(".dkr.ecr.") || host.starts_with(stream.account.as_str());
    let live = live.filter(|image| ours(&image.registry));
    live.map(|image| image.repository).or_else(|| records.iter().rev().find_map(planned))
}

fn planned(record: &Recorded) -> Option<RepositoryName> {
    let Ok(Event::DeploymentPlanned(plan)) = &record.event else { return None };
    plan.target().map(|target| target.repository.clone())
}

pub(super) fn records(ledger: &Ledger) -> Vec<Recorded> {
    ledger.entries().iter().map(Entry::recorded).collect()
}
