//! `surefoot status`, `history`, `show`: what the journal says, and AWS beside it.

use super::arguments::{History, Show, Status};
use super::setup::Setup;
use super::{newest, stream, trouble};
use crate::ledger::{Entry, Ledger};
use crate::names::{DeploymentNumber, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::release::Release;
use crate::view::documents::{HistoryTable, RawEvents, Seen, StatusSheet, StorySheet};
use crate::world::clock::{Clock as _, SystemClock};
use crate::world::service::Service;
use crate::world::{World, WorldError};

/// What the journal and AWS say about the service.
pub(super) async fn status(arguments: &Status, setup: &Setup) -> Result<ExitCode, Problem> {
    let records = newest::of_status(setup)?;
    let log = projection::status(&records);
    let (aws, aws_silent) = match (arguments.offline, &log.service) {
        (false, Some(_)) => match seen(setup, &records).await {
            Ok(seen) => (Some(seen), None),
            Err(error) => (None, Some(error.to_string())),
        },
        _ => (None, None),
    };
    let now = SystemClock::start().now();
    setup.view.data(&StatusSheet { log, aws, aws_silent, now });
    Ok(ExitCode::Success)
}

/// The service as AWS shows it, compared with what the journal calls live.
async fn seen(setup: &Setup, records: &[Recorded]) -> Result<Seen, WorldError> {
    let world: World = setup.world();
    let name = projection::status(records).service.map(|stream| stream.service);
    let Some(service) = world.services.find(&name.expect("asked only where there is one")).await?
    else {
        return Ok(absent());
    };
    let newest = world.services.operations(&service.arn, Some(1)).await?.into_iter().next();
    let live = projection::live_release(records);
    let known = newest.as_ref().map(|operation| operation.id.clone());
    let ours = known.filter(|id| projection::knows_operation(records, id));
    Ok(Seen {
        status: Some(service.status.clone()),
        url: Some(service.url.clone()),
        image: service.release().map(|release| release.image.to_string()),
        mark: service.mark.clone(),
        operation: newest,
        operation_is_ours: ours,
        drift: drift(live.as_ref(), &service),
    })
}

fn absent() -> Seen {
    Seen {
        status: None,
        url: None,
        image: None,
        mark: None,
        operation: None,
        operation_is_ours: None,
        drift: Vec::new(),
    }
}

fn drift(live: Option<&Release>, service: &Service) -> Vec<crate::release::Difference> {
    match (live, service.release()) {
        (Some(live), Some(now)) => live.differences(&now),
        _ => Vec::new(),
    }
}

/// The deployments of the service.
pub(super) fn history(arguments: &History, setup: &Setup) -> Result<ExitCode, Problem> {
    let Some((service, newest)) = newest::of_history(setup, arguments.number)? else {
        setup.view.say("Nothing was deployed yet.");
        setup.view.say("next: surefoot deploy");
        return Ok(ExitCode::Success);
    };
    let (records, older) = (newest.records, usize::try_from(newest.older).unwrap_or(usize::MAX));
    let mut rows = projection::history(&records);
    rows.reverse();
    rows.truncate(if arguments.number == 0 { rows.len() } else { arguments.number });
    let endpoint = projection::status(&records).endpoint;
    let now = SystemClock::start().now();
    setup.view.data(&HistoryTable { service, endpoint, rows, older, now });
    Ok(ExitCode::Success)
}

/// One deployment.
pub(super) fn show(arguments: &Show, setup: &Setup) -> Result<ExitCode, Problem> {
    let number: DeploymentNumber = arguments.number.parse().map_err(|error| unknown(&error))?;
    let found = of_service(setup)?;
    let records = found.map(|(_, ledger)| records(&ledger)).unwrap_or_default();
    let Some(story) = projection::story(&records, number) else {
        let what = format!("there is no deployment {number}");
        return Err(trouble::usage(what, "see the numbers: `surefoot history`"));
    };
    if arguments.events {
        let of_it = |record: &Recorded| record.deployment == Some(number);
        setup.view.data(&RawEvents { events: records.into_iter().filter(of_it).collect() });
    } else {
        setup.view.data(&StorySheet { story });
    }
    Ok(ExitCode::Success)
}

fn unknown(error: &crate::names::NameError) -> Problem {
    trouble::usage(error.to_string(), "see the numbers: `surefoot history`")
}

/// The journal of the service meant; `None` where there is none, or nothing of it.
fn of_service(setup: &Setup) -> Result<Option<(StreamName, Ledger)>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    Ok(Some((stream.clone(), setup.ledger(journal, stream)?)))
}

pub(super) fn records(ledger: &Ledger) -> Vec<Recorded> {
    ledger.entries().iter().map(Entry::recorded).collect()
}
