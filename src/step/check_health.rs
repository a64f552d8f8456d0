//! Asks the application itself, from outside.
//!
//! Leaves behind: what it answered. Undo: none; it only reads.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::operation::application_log;
use super::settling::attention;
use super::{Bench, Outcome, StepError, asked, roll_back};
use crate::config::health::judge;
use crate::config::value::HealthFrom;
use crate::config::{HealthGate, HealthJudgement};
use crate::diagnosis;
use crate::event::{Event, Failure, HealthOutcome, HealthReport, Issue};
use crate::names::service_address;
use crate::problem::ExitCode;
use crate::world::health::{Limits, Response, Silence};
use crate::world::{Progress, ProgressSink, World};

/// A body larger than this is not a health answer.
const BODY_LIMIT: usize = 1024 * 1024;
/// Redirects within the service that are followed.
const REDIRECTS: usize = 5;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Asks until it passes often enough in a row, or has been asked often enough.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let gate = &bench.deployment.plan.health;
    let Some(url) = url(bench, gate).await? else {
        return Ok(Event::HealthPassed { health: unproven(gate) }.into());
    };
    let health = ask(bench.world, bench.progress, gate, &url).await;
    // Where AWS does not answer either it is our network, not the release.
    let evidence = somebody_else(bench).await?;
    if !evidence.is_empty() {
        return Ok(attention(evidence).into());
    }
    if health.outcome == HealthOutcome::Passed {
        return Ok(Event::HealthPassed { health }.into());
    }
    Ok(failed(bench, health).await.into())
}

/// What answered may not be what was proven: somebody may have deployed, paused or deleted it since.
async fn somebody_else(bench: &Bench<'_>) -> Result<Vec<String>, StepError> {
    let done = &bench.deployment.done;
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    let evidence = match (service, &done.issued, &done.already_live) {
        (Err(error), ..) => asked(Err(error)),
        (Ok(service), Some(issue), _) => roll_back::theirs(bench, issue, service.as_ref()).await,
        (Ok(service), None, Some((_, live))) => {
            let still = service.and_then(|service| service.release()).as_ref() == Some(live);
            let changed = || "the service is no longer as it was found: somebody changed it".into();
            Ok(if still { Vec::new() } else { vec![changed()] })
        }
        (Ok(_), None, None) => Ok(Vec::new()),
    };
    match evidence {
        // Who may not look knows of nobody else; what the application answered stands.
        Err(StepError::Refused(_)) => Ok(Vec::new()),
        evidence => evidence,
    }
}

/// Asks as the gate says.
pub(super) async fn ask(
    world: &World,
    progress: &dyn ProgressSink,
    gate: &HealthGate,
    url: &Url,
) -> HealthReport {
    let mut in_a_row = 0;
    let mut report = HealthReport { url: url.to_string(), ..unproven(gate) };
    report.outcome = HealthOutcome::Failed;
    loop {
        let response = world.health.get(url, &limits(gate)).await;
        report.attempts += 1;
        if note(gate, &response, &mut report) {
            in_a_row += 1;
        } else {
            in_a_row = 0;
        }
        if in_a_row >= gate.passes.max(1) {
            report.outcome = HealthOutcome::Passed;
            return report;
        }
        if report.attempts >= gate.retries {
            return report;
        }
        show(progress, &report, in_a_row);
        world.clock.sleep(gate.interval).await;
    }
}

fn limits(gate: &HealthGate) -> Limits {
    Limits { timeout: gate.timeout, body_bytes: BODY_LIMIT, redirects: REDIRECTS }
}

/// Writes down what one answer says; true where it passes.
fn note(gate: &HealthGate, response: &Response, report: &mut HealthReport) -> bool {
    match response {
        Response::Silent { because, detail } => {
            (report.status, report.took) = (None, None);
            report.findings = vec![silence(*because, detail)];
            false
        }
        Response::Answered { status, body, truncated, content_type, took } => {
            (report.status, report.took) = (Some(*status), Some(*took));
            let content_type = content_type.as_deref();
            heed(judge(gate, *status, body, *truncated, content_type), report)
        }
    }
}

fn heed(judgement: HealthJudgement, report: &mut HealthReport) -> bool {
    match judgement {
        HealthJudgement::Passed { warnings, version } => {
            report.findings = warnings.iter().map(ToString::to_string).collect();
            report.version = version;
            true
        }
        HealthJudgement::Failed(failure) => {
            report.findings = vec![failure.to_string(), failure.likely_cause().to_owned()];
            false
        }
    }
}

fn silence(because: Silence, detail: &str) -> String {
    let what = match because {
        Silence::Refused => "nothing listens there",
        Silence::UnknownHost => "the host name does not resolve",
        Silence::Tls => "the TLS handshake fails",
        Silence::Timeout => "no answer in time",
        Silence::Broken => "the connection breaks",
        Silence::Redirects => "it redirects in circles, or away from the service",
    };
    format!("{what} ({detail})")
}

fn show(progress: &dyn ProgressSink, report: &HealthReport, in_a_row: u32) {
    let finding = report.findings.first().cloned().unwrap_or_else(|| "passes".into());
    let what = format!("{}: {finding} ({in_a_row} in a row)", report.url);
    progress.report(Progress::Waiting { what });
}

/// The URL to ask; `None` where the service cannot be asked from here by its owner's own word.
async fn url(bench: &Bench<'_>, gate: &HealthGate) -> Result<Option<Url>, StepError> {
    if gate.from == HealthFrom::Nowhere {
        return Ok(None);
    }
    let known = bench.deployment.address().map(|(url, _)| url.to_owned()).unwrap_or_default();
    let address = if known.is_empty() { ask_address(bench).await? } else { known };
    target(bench, gate, &address)
}

/// The gate's URL on a service of this address.
pub(super) fn target(
    bench: &Bench<'_>,
    gate: &HealthGate,
    address: &str,
) -> Result<Option<Url>, StepError> {
    let address = service_address(address, bench.deployment.plan.endpoint.as_deref());
    let parsed = Url::parse(&address).map_err(|error| {
        let what = format!("App Runner names no usable address: `{address}`");
        Failure::new(ExitCode::Health, "no-address", what).because(error.to_string())
    })?;
    Ok(gate.target(&parsed))
}

async fn ask_address(bench: &Bench<'_>) -> Result<String, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    let service = asked(service)?;
    Ok(service.map(|service| service.url).unwrap_or_default())
}

pub(super) fn unproven(gate: &HealthGate) -> HealthReport {
    HealthReport {
        outcome: HealthOutcome::Unproven,
        url: gate.path.clone(),
        attempts: 0,
        status: None,
        took: None,
        findings: Vec::new(),
        version: None,
    }
}

async fn failed(bench: &Bench<'_>, health: HealthReport) -> Event {
    let issue: Option<&Issue> = bench.deployment.done.issued.as_ref();
    let log = match issue {
        Some(issue) => application_log(bench, issue, began(bench, issue).await).await.1,
        None => Vec::new(),
    };
    let cause = diagnosis::unhealthy(&health, &log);
    Event::HealthFailed { health, cause, application_log: log }
}

/// When our operation began, by AWS's clock: instances that wrote before it are the old release's.
async fn began(bench: &Bench<'_>, issue: &Issue) -> DateTime<Utc> {
    let listed = bench.world.services.operations(&issue.service, None).await.unwrap_or_default();
    let ours = listed.into_iter().find(|operation| Some(&operation.id) == issue.operation.as_ref());
    let an_hour_ago = bench.world.clock.now() - TimeDelta::hours(1);
    ours.and_then(|operation| operation.started_at).unwrap_or(an_hour_ago)
}
