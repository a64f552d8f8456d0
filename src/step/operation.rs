//! Waiting for an operation of App Runner, and telling what becomes of it while it runs.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::patience::Patience;
use super::{Bench, StepError, asked};
use crate::diagnosis;
use crate::event::{Cause, Event, Interruption, Issue, evidence};
use crate::names::{ImageIdentifier, OperationId, ServiceArn};
use crate::redaction::Redaction;
use crate::release::Values;
use crate::world::log::{LogPage, LogQuery, LogSource};
use crate::world::service::{Operation, OperationStatus};
use crate::world::{Obstacle, Progress, WorldError};

/// The clocks of AWS and of this machine may differ by so much: lines are asked for from then on.
const LOG_MARGIN: TimeDelta = TimeDelta::seconds(60);

/// Lines and operations have their times from AWS's clock, and a line may come a little before its
/// operation's row. What is older belongs to an earlier operation and would mislead.
const LINE_MARGIN: TimeDelta = TimeDelta::milliseconds(500);

/// Lines of the application that are kept when a release fails.
pub const KEPT_LINES: usize = 20;

/// One wait: the operation, and what was read of it.
pub struct Wait<'a> {
    bench: &'a Bench<'a>,
    issue: &'a Issue,
    since: DateTime<Utc>,
    started: Option<DateTime<Utc>>,
    read: BTreeSet<String>,
    redaction: Redaction,
    cause: Option<Cause>,
}

/// How a wait ended.
pub enum Waited {
    /// The operation ended.
    Ended(Operation),
    /// It did not within the limit.
    Limit(Operation),
    /// App Runner never listed any operation for the change.
    Unlisted,
}

impl<'a> Wait<'a> {
    /// Begins to wait for the operation of this change.
    pub fn begin(bench: &'a Bench<'a>, issue: &'a Issue) -> Self {
        let since = bench.world.clock.now() - LOG_MARGIN;
        let (redaction, read) = (redaction(bench, issue), BTreeSet::new());
        Self { bench, issue, since, started: None, read, redaction, cause: None }
    }

    /// The cause of the failure, as far as the log tells. The first failure line decides: later
    /// ones are consequences, and some of them mislead.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Waits for the end, at most for `limit`. A network that is away for a while is borne.
    pub async fn until_ended(&mut self, limit: Duration) -> Result<Waited, StepError> {
        let (times, clock) = (self.bench.times, self.bench.world.clock.as_ref());
        let deadline = Patience::begin(clock, limit);
        let mut unlisted = Patience::begin(clock, times.settle);
        let mut away = Patience::begin(clock, times.settle);
        loop {
            let listed_by_now = unlisted.is_over();
            let mut last = None;
            let mut what = "App Runner to list the operation".to_owned();
            match self.find().await {
                Ok(Some(operation)) if operation.status.is_terminal() => {
                    self.show_lines(&operation.id).await;
                    return Ok(Waited::Ended(operation));
                }
                Ok(Some(operation)) => last = Some(operation),
                Ok(None) if listed_by_now => return Ok(Waited::Unlisted),
                Ok(None) => {}
                Err(error) if passes(&error) && !away.is_over() => {
                    what = format!("App Runner to answer: {error}");
                    // What could not be asked for was not missing.
                    unlisted.renew();
                }
                Err(error) => return asked(Err(error)),
            }
            if let Some(operation) = last {
                what = self.show(&operation).await;
                away.renew();
                unlisted.renew();
                if deadline.is_over() {
                    return Ok(Waited::Limit(operation));
                }
            }
            self.bench.progress.report(Progress::Waiting { what });
            clock.sleep(times.poll).await;
        }
    }

    /// Our operation, once it is listed: the list can lag behind the answer that named it.
    async fn find(&mut self) -> Result<Option<Operation>, WorldError> {
        // One page is enough, unless others were busy meanwhile.
        let found = match self.listed(Some(super::REMEMBERED_OPERATIONS)).await? {
            None => self.listed(None).await?,
            found => found,
        };
        self.started = found.as_ref().and_then(|operation| operation.started_at);
        Ok(found)
    }

    async fn listed(&self, limit: Option<usize>) -> Result<Option<Operation>, WorldError> {
        let listed = operations(self.bench, &self.issue.service, limit).await?;
        let ours = self.issue.operation.as_ref();
        Ok(listed.into_iter().find(|operation| Some(&operation.id) == ours))
    }

    /// Shows what is new in its logs; what is waited for.
    async fn show(&mut self, operation: &Operation) -> String {
        self.show_lines(&operation.id).await;
        if self.bench.tail {
            self.show_application().await;
        }
        format!("operation {} {}", short(&operation.id), operation.status)
    }

    /// App Runner's own words, each once; the first failure is explained at once, long before the
    /// operation ends.
    async fn show_lines(&mut self, operation: &OperationId) {
        for line in self.service_lines(operation).await {
            let first = self.cause.is_none();
            let found = first.then(|| diagnosis::service_line(&line)).flatten();
            if self.bench.told.is_new(format!("{operation} {line}")) {
                self.bench.progress.report(Progress::ServiceLine(line));
                if let Some(cause) = &found {
                    let notice = format!("{}: {}", cause.what, cause.fix);
                    self.bench.progress.report(Progress::Notice(notice));
                }
            }
            self.cause = self.cause.take().or(found);
        }
    }

    async fn show_application(&mut self) {
        let query = self.query(LogSource::Application, None);
        let page = read(self.bench, &query).await.unwrap_or_default();
        for line in page.lines {
            if self.bench.told.is_new(line.id) {
                self.bench.progress.report(Progress::ApplicationLine(line.text));
            }
        }
    }

    async fn service_lines(&mut self, operation: &OperationId) -> Vec<String> {
        let mut lines = Vec::new();
        for prefix in ["events".to_owned(), format!("deployment/{operation}")] {
            let query = self.query(LogSource::Service, Some(prefix));
            let page = read(self.bench, &query).await.unwrap_or_default();
            lines.extend(page.lines);
        }
        lines.retain(|line| !self.read.contains(&line.text));
        lines.sort_by_key(|line| line.at);
        // App Runner writes some lines into both streams.
        lines.retain(|line| self.read.insert(line.text.clone()));
        lines.iter().map(|line| self.redaction.hide(&line.text)).collect()
    }

    /// The last lines of the application.
    pub async fn application_log(&self) -> ApplicationLog {
        application_log(self.bench, self.issue, self.started.unwrap_or(self.since)).await
    }

    fn query(&self, source: LogSource, stream_prefix: Option<String>) -> LogQuery {
        // By AWS's clock as soon as it is known: ours may be wrong.
        let began = self.started.map(|started| started - LINE_MARGIN);
        let since = began.unwrap_or(self.since);
        let service = &self.issue.service_id;
        LogQuery { limit: NEWEST_LINES, ..query(self.bench, service, source, stream_prefix, since) }
    }
}

/// So many lines of a log are looked at at once.
const NEWEST_LINES: usize = 200;

/// The image that an operation of a service asked for, as far as its own log tells.
pub(super) async fn pulled(
    bench: &Bench<'_>,
    service_id: &str,
    operation: &Operation,
) -> Option<ImageIdentifier> {
    let since = operation.started_at? - LINE_MARGIN;
    let stream = Some(format!("deployment/{}", operation.id));
    let page = read(bench, &query(bench, service_id, LogSource::Service, stream, since)).await?;
    page.lines.iter().find_map(|line| diagnosis::pulled(&line.text))
}

/// Lines looked through for those of the instances that began with the operation.
const SEARCHED_LINES: usize = 2000;

/// A log that has not answered by then is done without, until it is asked again.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// What a log says; nothing where it does not answer. It is evidence, not a condition: without it the
/// wait goes on.
async fn read(bench: &Bench<'_>, query: &LogQuery) -> Option<LogPage> {
    tokio::select! {
        biased;
        page = bench.world.logs.lines(query) => page.ok(),
        () = bench.world.clock.sleep(LOG_PATIENCE) => None,
    }
}

/// What the application wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationLog {
    /// Whether it ever wrote anything; none where the log could not be read.
    pub written: Option<bool>,
    /// The last lines of its new instances.
    pub lines: Vec<String>,
}

/// The last lines of the application's new instances. An instance has a stream of its own; one that
/// wrote before `since` is the old release's.
pub async fn application_log(
    bench: &Bench<'_>,
    issue: &Issue,
    since: DateTime<Utc>,
) -> ApplicationLog {
    let before = since - TimeDelta::hours(1);
    let query = query(bench, &issue.service_id, LogSource::Application, None, before);
    let query = LogQuery { limit: SEARCHED_LINES, ..query };
    let Some(page) = read(bench, &query).await else { return ApplicationLog::default() };
    let old: BTreeSet<&str> =
        page.lines.iter().filter(|line| line.at < since).map(|line| line.stream.as_str()).collect();
    let new = page.lines.iter().filter(|line| !old.contains(line.stream.as_str()));
    let lines: Vec<&str> = new.map(|line| line.text.as_str()).collect();
    let kept = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    let redaction = redaction(bench, issue);
    let lines = kept.iter().map(|line| redaction.hide(line)).collect();
    ApplicationLog { written: Some(page.group_exists), lines }
}

/// Shorter values (`true`, `info`) are no secrets, and lines without them would say nothing.
const SHORTEST_SECRET: usize = 6;

/// What a line may not hold if it is to be journalled: the plain values of the release.
fn redaction(bench: &Bench<'_>, issue: &Issue) -> Redaction {
    let environment = issue.release.configuration.environment.iter();
    let known =
        environment.filter_map(|(name, hash)| Some((name.clone(), bench.vault.value(hash)?)));
    Redaction::of(&Values::new(known.collect()), SHORTEST_SECRET)
}

/// An operation in words, as far as AWS tells: by whom it was asked for it never says.
pub fn told(operation: &Operation) -> String {
    let since =
        operation.started_at.map(|at| format!(" since {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    let since = since.unwrap_or_default();
    format!("{} {} ({}{since})", operation.kind, operation.id, operation.status)
}

fn query(
    bench: &Bench<'_>,
    service_id: &str,
    source: LogSource,
    stream_prefix: Option<String>,
    since: DateTime<Utc>,
) -> LogQuery {
    LogQuery {
        service: bench.deployment.plan.stream.service.clone(),
        service_id: service_id.to_owned(),
        source,
        stream_prefix,
        since,
        until: None,
        limit: NEWEST_LINES,
    }
}

/// The operations of a service, newest first: none of one that was deleted, or that is too new to be
/// known everywhere.
pub(super) async fn operations(
    bench: &Bench<'_>,
    service: &ServiceArn,
    limit: Option<usize>,
) -> Result<Vec<Operation>, WorldError> {
    match bench.world.services.operations(service, limit).await {
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(Vec::new()),
        listed => listed,
    }
}

/// What is known where App Runner lists no operation for a change that it accepted.
pub(super) async fn unlisted(bench: &Bench<'_>) -> Result<(bool, String), StepError> {
    let found = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    Ok(match asked(found)? {
        None => (true, format!("{}: somebody deleted it", evidence::GONE)),
        Some(_) => (false, "App Runner accepted the change and lists no operation for it".into()),
    })
}

/// Whether an error of a read may pass by itself.
fn passes(error: &WorldError) -> bool {
    matches!(
        error,
        WorldError::Unreachable {
            obstacle: Obstacle::Network | Obstacle::Throttled | Obstacle::Broken,
            ..
        }
    )
}

/// The first digits of an operation's id: enough for a person.
pub fn short(id: &OperationId) -> &str {
    id.as_str().get(..8).unwrap_or(id.as_str())
}

/// The event for the end of an operation.
pub async fn ended(wait: &mut Wait<'_>, operation: Operation) -> Event {
    if operation.status == OperationStatus::Succeeded {
        return Event::OperationSucceeded { operation: operation.id };
    }
    let mut log = wait.application_log().await;
    if wait.cause().is_none() || log.lines.is_empty() {
        // What was written last may be on its way still.
        wait.bench.world.clock.sleep(wait.bench.times.log_lag).await;
        wait.show_lines(&operation.id).await;
        log = wait.application_log().await;
    }
    let cause = diagnosis::failure(wait.cause(), log.written, &log.lines);
    let (operation, status) = (operation.id, operation.status);
    Event::OperationFailed { operation, status, cause, application_log: log.lines }
}

/// The pause of a deployment whose operation does not end.
pub fn still_busy(operation: &OperationId) -> StepError {
    StepError::Interrupted(Interruption::StillBusy { operation: Some(operation.clone()) })
}
