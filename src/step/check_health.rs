//! Asks the application itself, from outside.
//!
//! Leaves behind: what it answered. Undo: none; it only reads.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::asking::{ask, target, unproven};
use super::operation::application_log;
use super::settling::attention;
use super::{Bench, Outcome, StepError, asked, strangers};
use crate::config::HealthGate;
use crate::config::value::HealthFrom;
use crate::diagnosis;
use crate::event::{Event, HealthOutcome, HealthReport, Issue};

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Asks until it passes often enough in a row, or has been asked often enough.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let gate = &bench.deployment.plan.health;
    let health = match url(bench, gate).await? {
        Some(url) => ask(bench.world, bench.progress, gate, &url).await,
        None => unproven(gate),
    };
    // What answered may not be what was proven. Where AWS does not answer either it is our network,
    // not the release.
    let evidence = strangers::since(bench).await?;
    if !evidence.is_empty() {
        return Ok(attention(evidence).into());
    }
    if health.outcome == HealthOutcome::Failed {
        return Ok(failed(bench, health).await.into());
    }
    Ok(Event::HealthPassed { health }.into())
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

async fn ask_address(bench: &Bench<'_>) -> Result<String, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    let service = asked(service)?;
    Ok(service.map(|service| service.url).unwrap_or_default())
}

async fn failed(bench: &Bench<'_>, health: HealthReport) -> Event {
    let issue: Option<&Issue> = bench.deployment.done.issued.as_ref();
    let log = match issue {
        Some(issue) => application_log(bench, issue, began(bench, issue).await).await.lines,
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
