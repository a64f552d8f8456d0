//! `surefoot logs`: both log groups of the service, as they come.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::arguments::Logs;
use super::setup::Setup;
use super::trouble;
use crate::config::units::parse_duration;
use crate::problem::{ExitCode, Problem};
use crate::view::documents::LogLines;
use crate::world::World;
use crate::world::log::{LogLine, LogQuery, LogSource};
use crate::world::service::Service;

/// Lines of one look.
const LINES: usize = 1000;

/// Shows the lines.
pub(super) async fn logs(arguments: &Logs, setup: &Setup) -> Result<ExitCode, Problem> {
    let world = setup.world();
    let name = setup.settings.service_name()?;
    let found = world.services.find(name).await;
    let found = found.map_err(|error| trouble::world(&error, setup.settings.region.as_ref()))?;
    let Some(service) = found else {
        let what = format!("there is no service `{name}`");
        return Err(trouble::usage(what, "deploy it: `surefoot deploy`"));
    };
    let back = parse_duration(&arguments.since)
        .map_err(|error| trouble::usage(error, "write it like 90s, 15m or 1h30m"))?;
    let back = chrono::TimeDelta::from_std(back).unwrap_or(chrono::TimeDelta::days(3650));
    let mut shown = BTreeSet::new();
    let mut since = world.clock.now() - back;
    loop {
        let looked = world.clock.now();
        for (source, line) in
            read(&world, &service, sources(&arguments.source), since, setup).await?
        {
            if shown.insert(line.id.clone()) {
                setup.view.stream(&LogLines { source, lines: vec![line] });
            }
        }
        if !arguments.follow || setup.stop.requested().is_some() {
            return Ok(ExitCode::Success);
        }
        // Lines may arrive late: each look overlaps the one before.
        since = since.max(looked - chrono::TimeDelta::seconds(60));
        tokio::select! {
            () = setup.stop.wait() => return Ok(ExitCode::Interrupted),
            () = world.clock.sleep(setup.settings.times.log_poll) => {}
        }
    }
}

fn sources(named: &str) -> &'static [LogSource] {
    match named {
        "app" => &[LogSource::Application],
        "service" => &[LogSource::Service],
        _ => &[LogSource::Service, LogSource::Application],
    }
}

async fn read(
    world: &World,
    service: &Service,
    sources: &[LogSource],
    since: DateTime<Utc>,
    setup: &Setup,
) -> Result<Vec<(LogSource, LogLine)>, Problem> {
    let mut lines = Vec::new();
    for source in sources {
        let query = LogQuery {
            service: service.name.clone(),
            service_id: service.id.clone(),
            source: *source,
            stream_prefix: None,
            since,
            limit: LINES,
        };
        let page = world.logs.lines(&query).await;
        let page = page.map_err(|error| trouble::world(&error, setup.settings.region.as_ref()))?;
        lines.extend(page.lines.into_iter().map(|line| (*source, line)));
    }
    lines.sort_by_key(|(_, line)| line.at);
    Ok(lines)
}
