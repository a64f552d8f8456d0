//! Asks the application itself, from outside.
//!
//! Leaves behind: what it answered. Undo: none; it only reads.

use chrono::TimeDelta;
use url::Url;

use super::operation::application_log;
use super::{Bench, Outcome, StepError};
use crate::config::{HealthGate, HealthJudgement};
use crate::diagnosis;
use crate::event::{Event, HealthOutcome, HealthReport, Issue};
use crate::world::Progress;
use crate::world::health::{Limits, Response};

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
    let asked = ask(bench, gate, &url).await;
    if asked.report.outcome == HealthOutcome::Passed {
        return Ok(Event::HealthPassed { health: asked.report }.into());
    }
    if asked.silent {
        // Where AWS does not answer either it is our network, not the release.
        bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    }
    Ok(failed(bench, asked.report).await.into())
}

/// What asking came to, and whether the last request had no HTTP answer at all.
pub(super) struct Asked {
    /// What it answered.
    pub(super) report: HealthReport,
    /// No HTTP answer.
    pub(super) silent: bool,
}

/// Asks as the gate says.
pub(super) async fn ask(bench: &Bench<'_>, gate: &HealthGate, url: &Url) -> Asked {
    let (mut in_a_row, mut failures) = (0, 0);
    let mut report = HealthReport { url: url.to_string(), ..unproven(gate) };
    report.outcome = HealthOutcome::Failed;
    loop {
        let response = bench.world.health.get(url, &limits(gate)).await;
        let silent = matches!(response, Response::Silent { .. });
        report.attempts += 1;
        if note(gate, &response, &mut report) {
            in_a_row += 1;
        } else {
            in_a_row = 0;
            failures += 1;
        }
        if in_a_row >= gate.passes.max(1) {
            report.outcome = HealthOutcome::Passed;
            return Asked { report, silent };
        }
        if failures > gate.retries {
            return Asked { report, silent };
        }
        show(bench, &report, in_a_row);
        bench.world.clock.sleep(gate.interval).await;
    }
}

fn limits(gate: &HealthGate) -> Limits {
    Limits { timeout: gate.timeout, body_bytes: BODY_LIMIT, redirects: REDIRECTS }
}

/// Writes down what one answer says; true where it passes.
fn note(gate: &HealthGate, response: &Response, report: &mut HealthReport) -> bool {
    let judgement: HealthJudgement = gate.judge(response);
    report.findings = judgement.findings;
    report.version = judgement.version;
    if let Response::Answered { status, took, .. } = response {
        report.status = Some(*status);
        report.took = Some(*took);
    } else {
        report.status = None;
        report.took = None;
    }
    judgement.passed
}

fn show(bench: &Bench<'_>, report: &HealthReport, in_a_row: u32) {
    let finding = report.findings.first().cloned().unwrap_or_else(|| "passes".into());
    let what = format!("{}: {finding} ({in_a_row} in a row)", report.url);
    bench.progress.report(Progress::Waiting { what });
}

/// The URL to ask; `None` where the service cannot be asked from here by its owner's own word.
async fn url(bench: &Bench<'_>, gate: &HealthGate) -> Result<Option<Url>, StepError> {
    if gate.is_off() {
        return Ok(None);
    }
    let known = bench.deployment.address().map(|(url, _)| url.to_owned()).unwrap_or_default();
    let address = if known.is_empty() { ask_address(bench).await? } else { known };
    Ok(gate.url(&address, bench.deployment.plan.endpoint.is_some()))
}

async fn ask_address(bench: &Bench<'_>) -> Result<String, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    Ok(service.map(|service| service.url).unwrap_or_default())
}

fn unproven(gate: &HealthGate) -> HealthReport {
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
    let since = bench.world.clock.now() - TimeDelta::hours(1);
    let log = match issue {
        Some(issue) => application_log(bench, issue, since).await.1,
        None => Vec::new(),
    };
    let cause = diagnosis::unhealthy(&health, &log);
    Event::HealthFailed { health, cause, application_log: log }
}
