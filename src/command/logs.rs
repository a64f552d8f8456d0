//! `surefoot logs`: both log groups of the service, as they come.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;

use super::arguments::Logs;
use super::setup::Setup;
use super::{addressed, guard, here, moment, record, show, trouble};
use crate::names::{DeploymentNumber, Region, ServiceName, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, RECOVERED};
use crate::view::documents::LogLines;
use crate::world::World;
use crate::world::clock::{Clock as _, SystemClock};
use crate::world::log::{LogLine, LogQuery, LogSource};
use crate::world::service::Service;

/// Lines of one look.
const LINES: usize = 1000;

/// Lines of one look, where most of them may not be wanted.
const LINES_SEARCHED: usize = 10_000;

/// How far back, where nothing else was said.
const USUAL: TimeDelta = TimeDelta::hours(1);

/// Said where not all lines were searched, and none of those matches.
const UNFOUND: &str = "no line that matches among those that were searched";

/// Lines come to CloudWatch some time after they were written.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// The same line in two streams is written within this time.
const TWICE: TimeDelta = TimeDelta::seconds(5);

/// Where is looked.
struct Place {
    world: World,
    region: Option<Region>,
    service: ServiceName,
}

/// Which lines are wanted.
struct Wanted {
    sources: &'static [LogSource],
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    pattern: Option<Regex>,
}

/// Shows the lines, until a person has seen enough.
pub(super) async fn logs(arguments: &Logs, setup: &Setup) -> Result<ExitCode, Problem> {
    tokio::select! {
        biased;
        () = setup.stop.wait() => Ok(ExitCode::Interrupted),
        ended = all(arguments, setup) => ended,
    }
}

async fn all(arguments: &Logs, setup: &Setup) -> Result<ExitCode, Problem> {
    // Nothing of it is needed, but nobody should go on beside a damaged journal unwarned.
    setup.existing_journal()?;
    let (place, mut wanted) = place(arguments, setup).await?;
    let service = find(&place, setup).await?;
    if let Some(until) = wanted.until.filter(|until| *until <= wanted.since) {
        let over = until.format("%Y-%m-%d %H:%M:%S UTC");
        setup.view.say(&format!(
            "{}: the deployment's time was over at {over}",
            nothing(&wanted, arguments)
        ));
        return Ok(ExitCode::Success);
    }
    let mut shown = Shown::default();
    let mut before = None;
    loop {
        let looked = place.world.clock.now();
        let Found { mut lines, cut } = read(&place, &service, &wanted).await?;
        lines.retain(|(source, line)| shown.is_new(*source, line));
        if lines.is_empty() && !arguments.follow {
            let unfound = if cut.is_empty() { nothing(&wanted, arguments) } else { UNFOUND.into() };
            setup.view.say(&unfound);
        }
        for (source, line) in lines {
            setup.view.stream(&LogLines::of(source, line));
        }
        // What was shown before need not be there again.
        for (source, from) in cut.into_iter().filter(|(_, from)| before.is_none_or(|b| *from > b)) {
            say_cut(source, from, &wanted, arguments, setup);
        }
        before = Some(looked);
        if !arguments.follow || wanted.until.is_some_and(|until| looked > until) {
            return Ok(ExitCode::Success);
        }
        // Lines may arrive late: each look overlaps the one before.
        wanted.since = wanted.since.max(looked - LATE);
        shown.forget_before(wanted.since);
        place.world.clock.sleep(setup.settings.times.log_poll).await;
    }
}

/// What was shown already and may come again.
#[derive(Default)]
struct Shown {
    ids: BTreeMap<(LogSource, String), DateTime<Utc>>,
    /// Lines of App Runner: when, in which stream.
    said: BTreeMap<String, Vec<(DateTime<Utc>, String)>>,
}

impl Shown {
    /// Whether it was not shown yet, which it is from now on. App Runner writes one line into two streams:
    /// that of the service's events and that of the deployment.
    fn is_new(&mut self, source: LogSource, line: &LogLine) -> bool {
        if self.ids.insert((source, line.id.clone()), line.at).is_some() {
            return false;
        }
        if source == LogSource::Application {
            return true;
        }
        let said = self.said.entry(line.text.clone()).or_default();
        let again = |(at, stream): &(DateTime<Utc>, String)| {
            *stream != line.stream && (line.at - *at).abs() <= TWICE
        };
        let twin = said.iter().position(again);
        match twin {
            // One twin each: the same may be said again later, twice again.
            Some(place) => drop(said.swap_remove(place)),
            None => said.push((line.at, line.stream.clone())),
        }
        twin.is_none()
    }

    /// What is older is not asked for again.
    fn forget_before(&mut self, since: DateTime<Utc>) {
        self.ids.retain(|_, at| *at >= since);
        self.said.retain(|_, said| {
            said.retain(|(at, _)| *at + TWICE >= since);
            !said.is_empty()
        });
    }
}

/// Said where there is no line, with where to look instead.
fn nothing(wanted: &Wanted, arguments: &Logs) -> String {
    let matching = if wanted.pattern.is_some() { " that matches" } else { "" };
    let since = wanted.since.format("%Y-%m-%d %H:%M:%S UTC");
    let further = match (&arguments.deployment, &arguments.since) {
        (None, None) => "; look further back: `surefoot logs --since 1d`",
        _ => "",
    };
    format!("no line{matching} since {since}{further}")
}

/// Said where a log has more lines than one look takes: from when on they are here, and how others
/// are found.
fn say_cut(
    source: LogSource,
    from: DateTime<Utc>,
    wanted: &Wanted,
    arguments: &Logs,
    setup: &Setup,
) {
    setup.view.say(&cut(source, from, wanted, arguments));
    if setup.json {
        let left_out_before = Some(from);
        setup.view.stream(&LogLines { source, lines: Vec::new(), left_out_before });
    }
}

fn cut(source: LogSource, from: DateTime<Utc>, wanted: &Wanted, arguments: &Logs) -> String {
    let whose = match source {
        LogSource::Application => "of the application",
        LogSource::Service => "of App Runner",
    };
    let from = from.format("%Y-%m-%d %H:%M:%S UTC");
    let (is, limit) =
        if wanted.pattern.is_some() { ("searched", LINES_SEARCHED) } else { ("shown", LINES) };
    let typed = [("--deployment", &arguments.deployment), ("--since", &arguments.since)];
    let typed = typed.map(|(name, value)| value.as_ref().map(|value| format!(" {name} {value}")));
    let typed = typed.into_iter().flatten().collect::<String>();
    let further = match (&wanted.pattern, &arguments.deployment) {
        (None, _) => format!("; search {LINES_SEARCHED}: `surefoot logs{typed} --grep TEXT`"),
        (Some(_), None) => {
            "; search the time of a deployment: `surefoot logs --deployment N --grep TEXT`".into()
        }
        (Some(_), Some(_)) => String::new(),
    };
    format!("lines {whose} from before {from} are not {is}, only its newest {limit}{further}")
}

/// Where to look, for what. The time of a deployment means nothing in another place than its own;
/// else a service need not be in the journal, and is looked for where a person said.
async fn place(arguments: &Logs, setup: &Setup) -> Result<(Place, Wanted), Problem> {
    let (stream, wanted) = wanted(arguments, setup, SystemClock::start().now())?;
    if let Some(stream) = stream {
        guard::refuse_another_region(&stream, setup)?;
        let world = setup.world_at(&stream);
        guard::refuse_another_account(&world, &stream, setup).await?;
        let StreamName { region, service, .. } = stream;
        return Ok((Place { world, region: Some(region), service }, wanted));
    }
    let service = setup.settings.service_name()?.clone();
    let known = remembered(&service, setup)?.filter(|_| setup.named_region().is_none());
    let place = match known {
        Some(stream) => {
            Place { world: setup.world_at(&stream), region: Some(stream.region), service }
        }
        None => Place { world: setup.world(), region: setup.settings.region.clone(), service },
    };
    Ok((place, wanted))
}

/// The service of this name, as far as the journal has it.
fn remembered(name: &ServiceName, setup: &Setup) -> Result<Option<StreamName>, Problem> {
    Ok(record::stream(setup)?.filter(|stream| stream.service == *name))
}

/// Which lines, and the service of the deployment whose they are.
fn wanted(
    arguments: &Logs,
    setup: &Setup,
    now: DateTime<Utc>,
) -> Result<(Option<StreamName>, Wanted), Problem> {
    let (stream, mut since, until) = match &arguments.deployment {
        None => (None, now - USUAL, None),
        Some(text) => {
            let number = show::number(text)?;
            refuse_what_came_before(number)?;
            let (stream, records) = record::load(setup)?.ok_or_else(|| show::unknown(number))?;
            let rows = projection::history(&records);
            let row = rows.iter().find(|row| row.number == number);
            let row = row.ok_or_else(|| show::unknown(number))?;
            let next =
                rows.iter().filter(|other| other.number > number).map(|other| other.started_at);
            let late = row.ended_at.map(|end| end + LATE);
            (Some(stream), row.started_at, next.min().into_iter().chain(late).min())
        }
    };
    if let Some(text) = &arguments.since {
        let asked = moment::since(text, now)?;
        // Of a deployment both limits hold: it has no line from before it began.
        since = if stream.is_some() { since.max(asked) } else { asked };
    }
    let pattern = arguments.grep.as_deref().map(pattern).transpose()?;
    Ok((stream, Wanted { sources: sources(&arguments.source), since, until, pattern }))
}

fn refuse_what_came_before(number: DeploymentNumber) -> Result<(), Problem> {
    if number != RECOVERED {
        return Ok(());
    }
    let what = format!("{number} ran before this journal began: since when is not known");
    Err(trouble::usage(what, "say since when: `surefoot logs --since 1d`"))
}

fn pattern(text: &str) -> Result<Regex, Problem> {
    Regex::new(text).map_err(|error| {
        trouble::usage(
            "`--grep` is no regular expression",
            "put \\ before . ( [ * + ? and the like",
        )
        .because(error.to_string().lines().last().unwrap_or_default())
    })
}

async fn find(place: &Place, setup: &Setup) -> Result<Service, Problem> {
    let name = &place.service;
    let found = place.world.services.find(name).await;
    let found = found.map_err(|error| trouble::world(&error, place.region.as_ref()))?;
    if let Some(service) = found {
        return Ok(service);
    }
    let problem = trouble::usage(
        format!("there is no service `{name}` here"),
        "deploy it: `surefoot deploy`",
    );
    Err(match (remembered(name, setup)?, setup.named_region()) {
        (Some(StreamName { region, account, .. }), Some((named, _))) if *named != region => problem
            .because(format!("this is {named}; the journal has it in {region}, account {account}"))
            .hint(format!("look there: `{}`", addressed::in_region(&here::typed(), &region))),
        _ => problem,
    })
}

fn sources(named: &str) -> &'static [LogSource] {
    match named {
        "app" => &[LogSource::Application],
        "service" => &[LogSource::Service],
        _ => &[LogSource::Service, LogSource::Application],
    }
}

/// What one look found.
struct Found {
    lines: Vec<(LogSource, LogLine)>,
    /// The logs that had more lines than that, each with the moment of the oldest that was read.
    cut: Vec<(LogSource, DateTime<Utc>)>,
}

async fn read(place: &Place, service: &Service, wanted: &Wanted) -> Result<Found, Problem> {
    let (mut lines, mut cut) = (Vec::new(), Vec::new());
    for source in wanted.sources {
        let query = LogQuery {
            service: service.name.clone(),
            service_id: service.id.clone(),
            source: *source,
            stream_prefix: None,
            since: wanted.since,
            until: wanted.until,
            limit: if wanted.pattern.is_some() { LINES_SEARCHED } else { LINES },
        };
        let page = place.world.logs.lines(&query).await;
        let page = page.map_err(|error| trouble::world(&error, place.region.as_ref()))?;
        let oldest = page.lines.first().filter(|_| page.is_cut);
        cut.extend(oldest.map(|line| (*source, line.at)));
        lines.extend(page.lines.into_iter().map(|line| (*source, line)));
    }
    lines.retain(|(_, line)| wanted.pattern.as_ref().is_none_or(|p| p.is_match(&line.text)));
    lines.sort_by_key(|(_, line)| line.at);
    Ok(Found { lines, cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32) -> LogLine {
        let at = format!("2026-11-23T10:00:{second:02}Z").parse().unwrap();
        LogLine { id: second.to_string(), at, stream: String::new(), text: second.to_string() }
    }

    #[test]
    fn what_was_shown_is_remembered_for_as_long_as_it_may_come_again() {
        let mut shown = Shown::default();
        assert!((0..50).all(|second| shown.is_new(LogSource::Service, &line(second))));
        assert!((0..50).all(|second| !shown.is_new(LogSource::Service, &line(second))));
        shown.forget_before(line(40).at);
        assert_eq!(shown.ids.len(), 10);
        assert!((40..50).all(|second| !shown.is_new(LogSource::Service, &line(second))));
    }

    #[test]
    fn what_a_look_leaves_out_is_said_with_what_finds_more() {
        let said = |deployment: Option<&str>, since: Option<&str>, grep: Option<&str>| {
            let arguments = Logs {
                deployment: deployment.map(Into::into),
                since: since.map(Into::into),
                grep: grep.map(Into::into),
                ..Logs::default()
            };
            let pattern = grep.map(|text| pattern(text).unwrap());
            let sources = sources("both");
            let wanted = Wanted { sources, since: line(0).at, until: None, pattern };
            cut(LogSource::Application, line(30).at, &wanted, &arguments)
        };
        insta::assert_snapshot!(
            [
                said(None, None, None),
                said(Some("17"), Some("2d"), None),
                said(None, Some("2d"), Some("x")),
                said(Some("17"), None, Some("x")),
            ]
            .join("\n"),
            @r"
        lines of the application from before 2026-11-23 10:00:30 UTC are not shown, only its newest 1000; search 10000: `surefoot logs --grep TEXT`
        lines of the application from before 2026-11-23 10:00:30 UTC are not shown, only its newest 1000; search 10000: `surefoot logs --deployment 17 --since 2d --grep TEXT`
        lines of the application from before 2026-11-23 10:00:30 UTC are not searched, only its newest 10000; search the time of a deployment: `surefoot logs --deployment N --grep TEXT`
        lines of the application from before 2026-11-23 10:00:30 UTC are not searched, only its newest 10000
        "
        );
    }

    #[test]
    fn an_id_is_known_in_its_own_log() {
        let mut shown = Shown::default();
        for source in [LogSource::Service, LogSource::Application] {
            assert!(shown.is_new(source, &line(1)));
            assert!(!shown.is_new(source, &line(1)));
        }
    }

    #[test]
    fn a_line_that_app_runner_writes_into_two_streams_is_shown_once() {
        let mut shown = Shown::default();
        let at: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut is_new = |id: &str, seconds: i64, stream: &str, source| {
            let (id, at, stream) = (id.into(), at + TimeDelta::seconds(seconds), stream.into());
            shown.is_new(source, &LogLine { id, at, stream, text: "Pulling image".into() })
        };
        let (events, deployment) = ("events", "deployment/8f2c1d7e");
        assert!(is_new("1", 0, events, LogSource::Service));
        assert!(!is_new("2", 1, deployment, LogSource::Service), "the twin");
        assert!(!is_new("1", 0, events, LogSource::Service), "read again");
        assert!(is_new("3", 2, events, LogSource::Service), "said again");
        assert!(!is_new("4", 2, deployment, LogSource::Service));
        assert!(is_new("5", 60, deployment, LogSource::Service), "much later");
        assert!(is_new("6", 60, "instance/1", LogSource::Application));
        assert!(
            is_new("7", 60, "instance/2", LogSource::Application),
            "two instances say the same"
        );
    }
}
