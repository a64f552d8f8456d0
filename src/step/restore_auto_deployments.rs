//! Gives auto-deployments back as they were, in a second update after success, with a mark of its
//! own.
//!
//! Leaves behind: the flag as it was captured. Undo: none. A refusal is said and changes no verdict:
//! the release is live.

use super::issuing::{self, Request};
use super::operation::{Wait, Waited};
use super::settling::{Answer, attention, did_it_happen};
use super::{Bench, Outcome, StepError, capture_previous};
use crate::event::{Event, Failure, Issue, Observation};
use crate::names::OperationId;
use crate::plan::identity::restore_mark;
use crate::problem::ExitCode;
use crate::world::service::{OperationStatus, Service};

/// They are as they were, or were off; or the call may have been made: look.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    // First of all: in doubt or not, what was off before is never turned on.
    let wanted = bench.deployment.previous().is_some_and(|r| r.configuration.auto_deployments);
    if !wanted {
        return Ok(Some(restored(None, None)));
    }
    if let (true, Some(intention)) = (bench.in_doubt, &bench.deployment.intention) {
        return doubtful(bench, &intention.observed).await;
    }
    let service = capture_previous::idle(bench).await?;
    let there = service.is_some_and(|service| service.configuration.auto_deployments);
    Ok(there.then(|| restored(None, None)))
}

async fn doubtful(bench: &Bench<'_>, observed: &Observation) -> Result<Option<Outcome>, StepError> {
    let mark = restore_mark(&bench.deployment.plan.id);
    match did_it_happen(bench, &mark, observed).await? {
        Answer::Happened(service, operation) => {
            let Some(release) = service.release() else {
                return Ok(Some(restored(None, Some("it runs no image from ECR".into()))));
            };
            let request = request(bench, &service, release);
            // What is noted of a change that was found is no refusal.
            let found = issuing::found(&service, request, operation, observed);
            settle(bench, &Issue { note: None, ..found }).await.map(Some)
        }
        Answer::Unknown(evidence) => Ok(Some(restored(None, Some(evidence.join("; "))))),
        Answer::DidNot => Ok(None),
    }
}

/// Asks for it and waits.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let service = capture_previous::idle(bench).await?;
    let Some((service, mut release)) = service.and_then(|s| Some((s.clone(), s.release()?))) else {
        return Ok(restored(None, Some("the service is gone".into())));
    };
    release.configuration.auto_deployments = true;
    let look = async || unchanged(bench, &service).await;
    match issuing::issue(bench, request(bench, &service, release), look).await {
        Ok(issue) => settle(bench, &issue).await,
        Err(StepError::Refused(failure)) => Ok(restored(None, Some(failure.because.join("; ")))),
        Err(other) => Err(other),
    }
}

async fn unchanged(bench: &Bench<'_>, before: &Service) -> Result<(), StepError> {
    let now = bench.world.services.find(&before.name).await?;
    if now.and_then(|now| now.release()) == before.release() {
        return Ok(());
    }
    let what = "somebody else changed the service meanwhile";
    Err(Failure::new(ExitCode::Update, "changed-meanwhile", what).because(what).into())
}

fn request<'a>(
    bench: &'a Bench<'_>,
    service: &'a Service,
    release: crate::release::Release,
) -> Request<'a> {
    let plan = &bench.deployment.plan;
    Request {
        service: Some(service),
        name: &plan.stream.service,
        release,
        mark: restore_mark(&plan.id),
    }
}

async fn settle(bench: &Bench<'_>, issue: &Issue) -> Result<Outcome, StepError> {
    let refused = issue.note.clone();
    if issue.operation.is_none() {
        return Ok(restored(None, refused));
    }
    let mut wait = Wait::begin(bench, issue);
    Ok(match wait.until_ended(bench.times.deploy_timeout).await? {
        Waited::Ended(operation) if operation.status == OperationStatus::Succeeded => {
            restored(Some(operation.id), refused)
        }
        // Nothing serves any more: the release that was live is not.
        Waited::Ended(operation) if operation.status == OperationStatus::RollbackFailed => {
            let why = format!("the update that gave auto-deployments back, {}", operation.id);
            attention(vec![format!("{why}, ended {}", operation.status)]).into()
        }
        Waited::Ended(operation) => {
            let why = format!("the operation ended {}", operation.status);
            restored(Some(operation.id), Some(why))
        }
        Waited::Limit(operation) => restored(Some(operation.id), Some("it takes too long".into())),
        Waited::Unlisted => restored(None, Some("App Runner lists no operation for it".into())),
    })
}

fn restored(operation: Option<OperationId>, refused: Option<String>) -> Outcome {
    Event::AutoDeploymentsRestored { operation, refused }.into()
}
