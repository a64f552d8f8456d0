//! The end of a deployment on one screen.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::history::{target_digest, target_tag};
use super::outcome;
use super::proof::brought_back;
use super::standing::{next_commands, previous_name, standing, target_name};
use super::{as_seconds, between, proof_words};
use crate::event::deployment::{Deployment, Phase};
use crate::event::{HealthOutcome, HealthReport};
use crate::names::{DeploymentNumber, Digest, StreamName, Tag, service_address};
use crate::plan::Intent;

/// How a deployment ended, or where it stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its number.
    pub number: DeploymentNumber,
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Whether the release asked for is live.
    pub succeeded: bool,
    /// The verdict in a word or two: `live`, `already live`, `rolled back` …
    pub verdict: String,
    /// The verdict as a sentence.
    pub headline: String,
    /// The service's address.
    pub url: Option<String>,
    /// The tag of the release asked for.
    pub tag: Option<Tag>,
    /// The digest of the release asked for.
    pub digest: Option<Digest>,
    /// The release that ran before, where one did.
    pub previous: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took so far, in seconds.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub elapsed: Option<Duration>,
    /// What the health gate saw, in words.
    pub health: Option<String>,
    /// What the health gate saw, in full.
    pub health_report: Option<HealthReport>,
    /// What is proven, a sentence per level.
    pub proof: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// How the process ends.
    pub exit_code: u8,
    /// What to type next, most useful last.
    pub next: Vec<String>,
}

/// The summary of a deployment as it stands.
pub fn summary(state: &Deployment, started: DateTime<Utc>, now: DateTime<Utc>) -> Summary {
    let endpoint = state.plan.endpoint.clone();
    let address = state.address().map(|(host, _)| service_address(host, endpoint.as_deref()));
    let health = state.done.health.as_ref();
    Summary {
        number: state.plan.number,
        service: state.plan.stream.clone(),
        succeeded: state.phase == Phase::Succeeded,
        verdict: verdict(state).into(),
        headline: headline(state),
        url: address,
        endpoint,
        tag: target_tag(state).cloned(),
        digest: target_digest(state).cloned(),
        previous: state.previous().map(|_| previous_name(state)),
        started_at: started,
        elapsed: between(started, now),
        health: health.map(health_words),
        health_report: health.cloned(),
        proof: proof(state),
        notes: notes(state),
        exit_code: state.exit_code().number(),
        next: next_commands(state),
    }
}

/// A health report in a few words.
pub fn health_words(health: &HealthReport) -> String {
    outcome::health_words(health)
}

fn verdict(state: &Deployment) -> &'static str {
    match &state.phase {
        Phase::Succeeded if state.done.already_live.is_some() => "already live",
        Phase::Succeeded => "live",
        Phase::RolledBack { .. } => "rolled back",
        Phase::Failed { .. } => "failed",
        Phase::RollbackFailed { .. } => "rollback failed",
        Phase::Attention { .. } => "needs attention",
        Phase::Abandoned { .. } => "abandoned",
        _ if state.interrupted.is_some() => "paused",
        _ => "in progress",
    }
}

fn headline(state: &Deployment) -> String {
    let (service, target) = (&state.plan.stream.service, target_name(state));
    match (&state.phase, &state.plan.intent) {
        (Phase::Succeeded, _) if state.done.already_live.is_some() => {
            format!("{service} already runs {target}")
        }
        (Phase::Succeeded, Intent::Rollback { to, image_only: false, .. }) => {
            format!("{service} is back at the release of {to}")
        }
        (Phase::Succeeded, _) => format!("{service} runs {target}"),
        _ => format!("{service}: deployment {} {}", state.plan.number, ended(state)),
    }
}

fn ended(state: &Deployment) -> &'static str {
    match verdict(state) {
        "rolled back" => "failed and was rolled back",
        "rollback failed" => "failed, and so did the way back",
        "paused" => "is paused",
        other => other,
    }
}

/// What was proven of a release that was taken back again is no proof of what serves.
fn proof(state: &Deployment) -> Vec<String> {
    let restored = state.done.restored.as_ref();
    match &state.phase {
        Phase::Succeeded | Phase::Forward => proof_words(state),
        Phase::RolledBack { .. } => restored.map(brought_back).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn notes(state: &Deployment) -> Vec<String> {
    let done = &state.done;
    let mut notes = Vec::new();
    // A person closed it; what goes on all the same is worth a word.
    if let Phase::Abandoned { .. } = &state.phase {
        notes.push(standing(state));
    }
    if let Some(issued) = &done.issued {
        notes.extend(issued.note.clone());
    }
    if state.deadline_passed && state.phase == Phase::Succeeded {
        notes.push("App Runner finished after the deadline".into());
    }
    let passed = done.health.iter().filter(|health| health.outcome == HealthOutcome::Passed);
    // What a pass says all the same: a dependency that is missing and may be.
    notes.extend(passed.flat_map(|health| health.findings.iter().cloned()));
    notes.extend(done.latest.as_ref().map(|why| format!("`latest` was left alone: {why}")));
    let refused = done.auto_deployments.as_ref();
    notes.extend(refused.map(|why| format!("auto-deployments stay off: {why}")));
    notes
}
