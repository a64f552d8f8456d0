//! `surefoot status`: what the journal says, and AWS beside it.

use super::addressed::quoted;
use super::arguments::Status;
use super::setup::Setup;
use super::{guard, holding, newest, record, trouble};
use crate::names::StreamName;
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Expectation, Recorded, Sighting};
use crate::view::Document as _;
use crate::view::documents::{Elsewhere, Seen, StatusChange, StatusSheet};
use crate::world::clock::{Clock as _, SystemClock};
use crate::world::service::Service;
use crate::world::{World, WorldError};

/// What the journal and AWS say about the service.
pub(super) async fn status(arguments: &Status, setup: &Setup) -> Result<ExitCode, Problem> {
    if arguments.watch {
        return watch(arguments, setup).await;
    }
    let look = look(world(arguments, setup)?.as_ref(), setup).await?;
    setup.view.data(&look.sheet);
    Ok(if arguments.exit_code { look.exit } else { ExitCode::Success })
}

/// One look at both.
struct Look {
    sheet: StatusSheet,
    /// What `--exit-code` says of it.
    exit: ExitCode,
}

/// AWS, where it is to be asked: where the service of the journal is, else where the settings say.
fn world(arguments: &Status, setup: &Setup) -> Result<Option<World>, Problem> {
    if arguments.offline {
        return Ok(None);
    }
    let stream = record::stream(setup)?;
    Ok(Some(stream.map_or_else(|| setup.world(), |stream| setup.world_at(&stream))))
}

async fn look(world: Option<&World>, setup: &Setup) -> Result<Look, Problem> {
    let records = newest::of_status(setup)?;
    let mut log = projection::status(&records);
    let unfinished = log.service.clone().filter(|_| log.unfinished.is_some());
    let asked = match (world, &log.service) {
        (Some(world), Some(stream)) => {
            let seen = seen(world, stream, &records, setup).await;
            seen.map(|seen| (Some(seen), unfinished))
        }
        (Some(world), None) => {
            let found = stranger(world, setup).await.map(Option::unzip);
            found.map_err(|error| trouble::world(&error, setup.settings.region.as_ref()))
        }
        (None, _) => Ok((None, unfinished)),
    };
    let ((aws, worked_on), error) =
        asked.map_or_else(|error| ((None, None), Some(error)), |asked| (asked, None));
    let aws_silent = error.as_ref().map(silence);
    if log.service.is_none() {
        log.endpoint = world.and_then(|_| setup.endpoint());
    }
    let now = SystemClock::start().now();
    let known = if log.service.is_none() { record::known(setup)? } else { Vec::new() };
    let meant = log.service.clone().or_else(|| worked_on.clone());
    let at_work =
        worked_on.and_then(|stream| holding::at_work(setup, &stream, log.endpoint.as_deref()));
    let elsewhere = meant.filter(|_| at_work.is_none() && log.unfinished.is_none());
    let elsewhere =
        elsewhere.and_then(|stream| left_elsewhere(&stream, setup, log.endpoint.as_deref()));
    let sheet = StatusSheet { log, aws, aws_silent, known, at_work, elsewhere, now };
    let exit = exit(&sheet, error.as_ref());
    Ok(Look { sheet, exit })
}

fn left_elsewhere(stream: &StreamName, setup: &Setup, endpoint: Option<&str>) -> Option<Elsewhere> {
    let (left, journal) = guard::left_elsewhere(stream, setup, endpoint)?;
    let place = quoted(&journal.display().to_string());
    let next = format!("surefoot resume --service-name {} --history-dir {place}", stream.service);
    Some(Elsewhere { number: left.plan.number, journal, next })
}

/// Why AWS was not asked, or did not answer; whoever has no credentials need not read how they were
/// looked for.
fn silence(problem: &Problem) -> String {
    let mut words = vec![problem.what.clone()];
    if problem.exit != ExitCode::Credentials {
        words.extend(problem.because.iter().cloned());
    }
    if problem.code == "service-elsewhere" {
        words.extend(problem.next.iter().cloned());
    }
    words.join("; ")
}

/// Unfinished comes first: what differs then may be its own doing. Silence is no agreement.
fn exit(sheet: &StatusSheet, silent: Option<&Problem>) -> ExitCode {
    if sheet.log.unfinished.is_some() || sheet.elsewhere.is_some() {
        return ExitCode::Pending;
    }
    if sheet.log.doubt.is_some() || sheet.has_drifted() || sheet.is_from_elsewhere() {
        return ExitCode::Drift;
    }
    silent.map_or(ExitCode::Success, |problem| problem.exit)
}

/// The service as AWS shows it, compared with what the journal calls live.
async fn seen(
    world: &World,
    stream: &StreamName,
    records: &[Recorded],
    setup: &Setup,
) -> Result<Seen, Problem> {
    guard::refuse_another_region(stream, setup)?;
    guard::refuse_another_account(world, stream, setup).await?;
    let sighting = sighting(world, records).await;
    let sighting = sighting.map_err(|error| trouble::world(&error, Some(&stream.region)))?;
    let expected = projection::expectation(records);
    let known = sighting.ours || sighting.awaited.is_none();
    let mut seen = told(sighting, expected.as_ref());
    // The journal does not know the operation of a call whose answer was lost.
    let nobody_else = known || projection::has_arrived(records, seen.mark.as_deref());
    // What a deployment did that is not over was done by nobody outside.
    if nobody_else && projection::is_under_way(records, seen.mark.as_deref()) {
        seen.drift.clear();
    }
    seen.mark_is_ours = seen.mark.as_ref().is_some_and(|it| projection::knows_mark(records, it));
    Ok(seen)
}

/// The service of this name that AWS has, and the journal knows nothing of.
async fn stranger(world: &World, setup: &Setup) -> Result<Option<(Seen, StreamName)>, WorldError> {
    let Some(name) = &setup.settings.service_name else { return Ok(None) };
    let Some(service) = world.services.find(name).await? else { return Ok(None) };
    let newest = world.services.operations(&service.arn, Some(1)).await?.into_iter().next();
    let Some(stream) = stream_of(&service) else { return Ok(None) };
    let sighting = Sighting { service: Some(service), newest, ..Sighting::default() };
    Ok(Some((told(sighting, None), stream)))
}

/// `arn:aws:apprunner:REGION:ACCOUNT:service/…`.
fn stream_of(service: &Service) -> Option<StreamName> {
    let mut parts = service.arn.as_str().split(':').skip(3);
    let (region, account) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(StreamName { account, region, service: service.name.clone() })
}

/// App Runner lists so many on a page: the one that is waited for is among them.
const NEWEST_OPERATIONS: usize = 20;

/// What App Runner says of the service in the log, and whether its newest operation is ours.
pub(super) async fn sighting(world: &World, records: &[Recorded]) -> Result<Sighting, WorldError> {
    let log = projection::status(records);
    let Some(stream) = log.service else { return Ok(Sighting::default()) };
    let Some(service) = world.services.find(&stream.service).await? else {
        return Ok(Sighting::default());
    };
    let listed = world.services.operations(&service.arn, Some(NEWEST_OPERATIONS)).await?;
    let unfinished = log.unfinished.and_then(|one| one.operation);
    let awaited = listed.iter().find(|one| Some(&one.id) == unfinished.as_ref()).cloned();
    let newest = listed.into_iter().next();
    let ours = newest.as_ref().is_some_and(|o| projection::knows_operation(records, &o.id));
    Ok(Sighting { service: Some(service), newest, ours, awaited })
}

fn told(sighting: Sighting, expected: Option<&Expectation>) -> Seen {
    let compared = projection::compare(expected, &sighting);
    let drift = projection::drift(expected, &sighting);
    let Sighting { service, newest, ours, awaited } = sighting;
    let service = service.as_ref();
    Seen {
        status: service.map(|service| service.status.clone()),
        url: service.map(|service| service.url.clone()),
        image: service.and_then(|service| Some(service.release()?.image.to_string())),
        mark: service.and_then(|service| service.mark.clone()),
        operation_is_ours: newest.as_ref().map(|o| o.id.clone()).filter(|_| ours),
        operation: newest,
        awaited,
        mark_is_ours: false,
        compared,
        drift,
    }
}

/// Looks until a person has seen enough. A terminal is drawn anew; elsewhere what changed is told.
async fn watch(arguments: &Status, setup: &Setup) -> Result<ExitCode, Problem> {
    let (world, clock) = (world(arguments, setup)?, SystemClock::start());
    let mut before: Option<StatusSheet> = None;
    loop {
        let sheet = tokio::select! {
            () = setup.stop.wait() => return Ok(ExitCode::Interrupted),
            look = look(world.as_ref(), setup) => look?.sheet,
        };
        if !setup.view.redraw(&sheet) && before.as_ref().is_none_or(|b| b.json() != sheet.json()) {
            let changes = sheet.changes_since(before.as_ref());
            setup.view.stream(&StatusChange { sheet: sheet.clone(), changes });
        }
        before = Some(sheet);
        tokio::select! {
            () = setup.stop.wait() => return Ok(ExitCode::Interrupted),
            () = clock.sleep(setup.settings.times.poll) => {}
        }
    }
}
