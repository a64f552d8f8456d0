//! What one event says to a person who watches.

use std::time::Duration;

use crate::event::deployment::{Deployment, Phase};
use crate::event::{
    Captured, Cause, Event, HealthOutcome, HealthReport, Issue, PreviousDigest, RolledBackBy,
};
use crate::names::OperationId;
use crate::plan::Step;
use crate::text::counted;
use crate::world::service::OperationStatus;

use super::history::interruption_words;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The step whose outcome it is, where it is one.
    pub step: Option<Step>,
    /// How it is meant.
    pub tone: Tone,
    /// What it says.
    pub text: String,
}

/// How words are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As hoped.
    Good,
    /// Something to know.
    Note,
    /// Not as hoped.
    Bad,
}

#[expect(clippy::unnecessary_wraps, reason = "an event says something or nothing")]
impl Told {
    fn good(step: Step, text: impl Into<String>) -> Option<Self> {
        Some(Self { step: Some(step), tone: Tone::Good, text: text.into() })
    }

    fn bad(step: Step, text: impl Into<String>) -> Option<Self> {
        Some(Self { step: Some(step), tone: Tone::Bad, text: text.into() })
    }

    fn note(text: impl Into<String>) -> Option<Self> {
        Some(Self { step: None, tone: Tone::Note, text: text.into() })
    }

    fn trouble(text: impl Into<String>) -> Option<Self> {
        Some(Self { step: None, tone: Tone::Bad, text: text.into() })
    }
}

/// What `event` says, given the state it led to; nothing where there is nothing to say.
pub fn told(event: &Event, state: &Deployment) -> Option<Told> {
    match event {
        Event::StepStarted { .. } => None,
        Event::StepFailed { step, failure } => Told::bad(*step, &failure.what),
        Event::OperationSucceeded { operation } => {
            Told::good(awaited(state), format!("operation {} SUCCEEDED", short(operation)))
        }
        Event::OperationFailed { status, cause, .. } => {
            Told::bad(failed_wait(state), operation_failed(status, cause.as_ref()))
        }
        Event::PreflightPassed { .. }
        | Event::RepositoryEnsured { .. }
        | Event::ImageBuilt { .. }
        | Event::DigestPushed { .. }
        | Event::PreviousCaptured { .. } => preparation(event),
        Event::CreateIssued(issue) | Event::UpdateIssued(issue) => {
            Told::good(Step::ChangeService, issued(issue))
        }
        Event::NothingToChange { .. } => {
            Told::good(Step::ChangeService, "nothing to change: this very release is live")
        }
        Event::ReleaseVerified { .. }
        | Event::HealthPassed { .. }
        | Event::HealthFailed { .. }
        | Event::LatestTagged { .. }
        | Event::AutoDeploymentsRestored { .. } => gate(event),
        Event::RollbackIssued(issue) => Told::good(Step::RollBack, issued(issue)),
        Event::RollbackVerified { by, health, .. } => {
            Told::good(Step::VerifyRollback, brought_back(*by, health.as_ref()))
        }
        _ => remark(event, state),
    }
}

/// The first characters of an opaque operation id: enough for a person.
fn short(operation: &OperationId) -> &str {
    operation.as_str().get(..8).unwrap_or(operation.as_str())
}

fn awaited(state: &Deployment) -> Step {
    match state.phase {
        Phase::RollingBack { .. } => Step::AwaitRollback,
        _ => Step::AwaitOperation,
    }
}

/// Only the failure of an operation that goes back ends in a failed rollback at once.
fn failed_wait(state: &Deployment) -> Step {
    match state.phase {
        Phase::RollbackFailing { .. } | Phase::RollbackFailed { .. } => Step::AwaitRollback,
        _ => Step::AwaitOperation,
    }
}

fn preparation(event: &Event) -> Option<Told> {
    match event {
        Event::PreflightPassed { warnings } => Told::good(
            Step::Preflight,
            match warnings.len() {
                0 => "passed".into(),
                1 => "passed, 1 warning".into(),
                count => format!("passed, {count} warnings"),
            },
        ),
        Event::RepositoryEnsured { uri, created: true, .. } => {
            Told::good(Step::EnsureRepository, format!("created {uri}"))
        }
        Event::RepositoryEnsured { .. } => Told::good(Step::EnsureRepository, "already there"),
        Event::ImageBuilt { reused: true, .. } => Told::good(Step::BuildImage, "already built"),
        Event::ImageBuilt { platform, .. } => Told::good(Step::BuildImage, platform.to_string()),
        Event::DigestPushed { digest, reused: true, .. } => {
            Told::good(Step::PushImage, format!("already there, {}", digest.short()))
        }
        Event::DigestPushed { digest, .. } => Told::good(Step::PushImage, digest.short()),
        Event::PreviousCaptured { previous } => {
            Told::good(Step::CapturePrevious, captured(previous.as_deref()))
        }
        _ => None,
    }
}

fn captured(previous: Option<&Captured>) -> String {
    let Some(captured) = previous else { return "no service yet".into() };
    let Some(release) = captured.ran() else {
        return format!("no release before this one, {}", captured.status);
    };
    let image = release.image.short();
    match &captured.digest {
        Some(PreviousDigest::Proven { in_registry: Some(false), .. }) => {
            format!("{image}, gone from ECR: a rollback would fail")
        }
        Some(PreviousDigest::ResolvedToday { digest }) => {
            format!("{image}, today {}: may not be what runs", digest.short())
        }
        Some(PreviousDigest::Gone) => format!("{image}, a tag that names nothing any more"),
        _ => image,
    }
}

fn issued(issue: &Issue) -> String {
    let found = if issue.found { "found done: " } else { "" };
    let operation = match &issue.operation {
        Some(operation) => format!("operation {}", short(operation)),
        None => "App Runner had nothing to do".into(),
    };
    let changes = match issue.differences.len() {
        0 => String::new(),
        1 => format!(", 1 change: {}", issue.differences[0].field),
        count => format!(", {count} changes"),
    };
    let note = issue.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    format!("{found}{operation}{changes}{note}")
}

fn operation_failed(status: &OperationStatus, cause: Option<&Cause>) -> String {
    let what = match status {
        OperationStatus::RollbackSucceeded => "App Runner took it back (ROLLBACK_SUCCEEDED)".into(),
        OperationStatus::RollbackFailed => {
            "App Runner could not take it back (ROLLBACK_FAILED)".into()
        }
        status => format!("the operation ended {status}"),
    };
    match cause {
        Some(cause) => format!("{what}: {}", cause.what),
        None => what,
    }
}

fn gate(event: &Event) -> Option<Told> {
    match event {
        Event::ReleaseVerified { proof } if proof.operation.is_none() => {
            Told::good(Step::VerifyRelease, "by identifier")
        }
        Event::ReleaseVerified { .. } => {
            Told::good(Step::VerifyRelease, "by identifier and operation")
        }
        Event::HealthPassed { health } => Told::good(Step::CheckHealth, health_words(health)),
        Event::HealthFailed { health, .. } => Told::bad(Step::CheckHealth, health_words(health)),
        Event::LatestTagged { skipped: None } => Told::good(Step::TagLatest, "`latest` names it"),
        Event::LatestTagged { skipped: Some(why) } => {
            Told::good(Step::TagLatest, format!("left alone: {why}"))
        }
        Event::AutoDeploymentsRestored { refused: Some(why), .. } => {
            let (step, text) = (Some(Step::RestoreAutoDeployments), format!("left off: {why}"));
            Some(Told { step, tone: Tone::Note, text })
        }
        Event::AutoDeploymentsRestored { operation: None, .. } => {
            Told::good(Step::RestoreAutoDeployments, "already as before")
        }
        Event::AutoDeploymentsRestored { .. } => {
            Told::good(Step::RestoreAutoDeployments, "as before")
        }
        _ => None,
    }
}

/// A health report in a few words.
pub(super) fn health_words(health: &HealthReport) -> String {
    let answer = match (health.status, health.took) {
        (Some(status), Some(took)) => format!("{status} in {}", milliseconds(took)),
        (Some(status), None) => status.to_string(),
        _ => "no answer".into(),
    };
    match health.outcome {
        HealthOutcome::Unproven => "not asked: unproven".into(),
        HealthOutcome::Passed => answer,
        HealthOutcome::Failed => {
            let finding = health.findings.last().map_or(answer, Clone::clone);
            match health.attempts {
                0 | 1 => finding,
                attempts => format!("{finding} ({attempts} attempts)"),
            }
        }
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn brought_back(by: RolledBackBy, health: Option<&HealthReport>) -> String {
    let by = match by {
        RolledBackBy::AppRunner => "App Runner brought it back",
        RolledBackBy::Surefoot => "back",
    };
    match health {
        Some(health) => format!("{by}, {}", health_words(health)),
        None => by.into(),
    }
}

/// What is not the outcome of a step.
fn remark(event: &Event, state: &Deployment) -> Option<Told> {
    let (number, service) = (state.plan.number, &state.plan.stream.service);
    match event {
        Event::DeploymentPlanned(_) => Told::note(format!("deployment {number} of {service}")),
        Event::AnswerLost { step, because } => Told::note(format!(
            "no clear answer to `{step}`, looking whether it happened ({because})"
        )),
        Event::DeadlinePassed { operation, status } => Told::trouble(format!(
            "the deadline passed; operation {} is {status} and cannot be cancelled, so it is awaited",
            short(operation)
        )),
        Event::DeploymentSucceeded => Told::note(format!("deployment {number} succeeded")),
        Event::RollbackStarted { because } => {
            Told::trouble(format!("rolling back: {}", because.what))
        }
        Event::DeploymentRolledBack { .. } => {
            Told::trouble(format!("deployment {number} failed and was rolled back"))
        }
        Event::RollbackFailed { failure, .. } => {
            Told::trouble(format!("the rollback of deployment {number} failed: {}", failure.what))
        }
        Event::DeploymentFailed { .. } => Told::trouble(format!("deployment {number} failed")),
        Event::Interrupted { because } => Told::trouble(interruption_words(because)),
        Event::Resumed { backwards, .. } => {
            let back = if *backwards { ", to go back" } else { "" };
            Told::note(format!("deployment {number} of {service} taken up again{back}"))
        }
        _ => aside(event),
    }
}

fn aside(event: &Event) -> Option<Told> {
    match event {
        Event::DeploymentAbandoned { reason } => Told::note(format!("abandoned: {reason}")),
        Event::AttentionNeeded { evidence } => {
            let first = evidence.first().map_or("", String::as_str);
            Told::trouble(format!("a person must look: {first}"))
        }
        Event::PruneStarted { images, .. } => {
            let are = if images.len() == 1 { "is" } else { "are" };
            Told::note(format!("{} {are} about to be deleted", counted(images.len(), "image")))
        }
        Event::ImagesPruned { deleted, found: true, .. } => {
            Told::note(format!("{} gone, found out afterwards", counted(deleted.len(), "image")))
        }
        Event::ImagesPruned { deleted, not_there, failures, .. } => {
            let before = match not_there.len() {
                0 => String::new(),
                before => format!(", {before} gone before"),
            };
            let gone = format!("{} deleted{before}", counted(deleted.len(), "image"));
            match failures.len() {
                0 => Told::note(gone),
                left => Told::trouble(format!("{gone}, {left} could not be")),
            }
        }
        Event::RecordRecovered { found, .. } => Told::note(super::recovered::words(found)),
        Event::JournalRestored { from_export, saved, lost, .. } => {
            let lost = if *lost == 0 { String::new() } else { format!(", {lost} lost") };
            Told::note(format!(
                "the journal was restored: {from_export} events from its export, {saved} more \
                 saved{lost}"
            ))
        }
        Event::ReleaseMarked { deployment, good, reason } => {
            let word = if *good { "good" } else { "bad" };
            Told::note(format!("{deployment} marked {word}: {reason}"))
        }
        _ => None,
    }
}
