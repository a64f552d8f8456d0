//! Gives auto-deployments back as they were, in a second update after success, with a mark of its
//! own.
//!
//! Leaves behind: the flag as it was captured. Undo: none. A refusal is said and changes no verdict:
//! the release is live.

use super::issuing::{self, Request};
use super::operation::{Wait, Waited, operations, still_busy, told};
use super::readiness::{busy_after_doubt, idle, is_busy};
use super::settling::{self, Answer, Call, attention, did_it_happen};
use super::{Bench, Outcome, StepError, asked, strangers};
use crate::event::{Event, Issue, evidence};
use crate::names::OperationId;
use crate::plan::identity::restore_mark;
use crate::world::service::{Operation, OperationStatus, Service};

/// They are as they were, or were off; or the call may have been made: look.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    // First of all: in doubt or not, what was off before is never turned on.
    let wanted = bench.deployment.previous().is_some_and(|r| r.configuration.auto_deployments);
    if !wanted {
        // Nothing else looks whose service it is where this was all that was left to do.
        if bench.in_doubt {
            last_look(bench).await?;
        }
        return Ok(Some(restored(None, None)));
    }
    if bench.in_doubt {
        return doubtful(bench).await;
    }
    let service = last_look(bench).await?;
    Ok(service.configuration.auto_deployments.then(|| restored(None, None)))
}

async fn doubtful(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    let (mark, observed) = (&restore_mark(&bench.deployment.plan.id), bench.observed());
    let image = &super::desired(bench).image;
    match did_it_happen(bench, Call { mark, image, observed }).await? {
        Answer::Happened(service, operation) => {
            let Some(release) = service.release() else {
                return Ok(Some(restored(None, Some("it runs no image from ECR".into()))));
            };
            let request = request(bench, &service, release);
            // What is noted of a change that was found is no refusal.
            let found = issuing::found(&service, request, operation, observed);
            settle(bench, &Issue { note: None, ..found }).await.map(Some)
        }
        Answer::Unknown(evidence) => Ok(Some(attention(evidence).into())),
        Answer::DidNot if bench.deployment.backwards => {
            Ok(Some(restored(None, Some("the deployment was taken back before".into()))))
        }
        // Whoever asks looks first.
        Answer::DidNot => Ok(None),
    }
}

/// Asks for it and waits.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    issuing::patiently(bench, || ask(bench)).await
}

async fn ask(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let service = last_look(bench).await?;
    let Some(mut release) = service.release() else {
        return Ok(restored(None, Some("it runs no image from ECR".into())));
    };
    release.configuration.auto_deployments = true;
    let look = async || last_look(bench).await.map(drop);
    match issuing::issue(bench, request(bench, &service, release), look).await {
        Ok(issue) => settle(bench, &issue).await,
        Err(busy) if is_busy(&busy) && bench.in_doubt => Err(busy_after_doubt(bench, busy).await),
        Err(busy) if is_busy(&busy) => Err(overtaken_or(bench, busy).await),
        Err(StepError::Refused(failure)) => Ok(restored(None, Some(failure.because.join("; ")))),
        Err(other) => Err(other),
    }
}

/// The service once App Runner has let go of it, if it is still as this deployment left it: what
/// somebody else did since is not ours to change.
async fn last_look(bench: &Bench<'_>) -> Result<Service, StepError> {
    let gone = || StepError::Overtaken(vec![evidence::GONE.into()]);
    let service = match idle(bench).await {
        Err(busy) if is_busy(&busy) => return Err(overtaken_or(bench, busy).await),
        found => found?.ok_or_else(gone)?,
    };
    settling::surfaced(Some(&service), &restore_mark(&bench.deployment.plan.id))?;
    let evidence = strangers::since(bench).await?;
    if evidence.is_empty() { Ok(service) } else { Err(StepError::Overtaken(evidence)) }
}

/// What it is that keeps App Runner busy: somebody else at work on the service, or AWS.
async fn overtaken_or(bench: &Bench<'_>, busy: StepError) -> StepError {
    match strangers::since(bench).await {
        Ok(evidence) if evidence.is_empty() => busy,
        Ok(evidence) => StepError::Overtaken(evidence),
        Err(error) => error,
    }
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
    bench.flight.end();
    let mut wait = Wait::begin(bench, issue);
    Ok(match wait.until_ended(bench.times.deploy_timeout).await? {
        Waited::Ended(operation) if operation.status == OperationStatus::Succeeded => {
            let others = overtaken(bench, issue).await?;
            if others.is_empty() {
                restored(Some(operation.id), refused)
            } else {
                attention(others).into()
            }
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
        // Ours is at work still: nothing is said of the service before it has ended.
        Waited::Limit(operation) => return Err(still_busy(&operation.id)),
        Waited::Unlisted => restored(None, Some("App Runner lists no operation for it".into())),
    })
}

/// A machine may sleep between its last look and its call: what came in between was gone over, and a
/// person must know; as he must of what came since.
async fn overtaken(bench: &Bench<'_>, issue: &Issue) -> Result<Vec<String>, StepError> {
    let listed = operations(bench, &issue.service, Some(super::REMEMBERED_OPERATIONS)).await;
    let mut listed = asked(listed)?;
    let known = &bench.observed().known_operations;
    listed.retain(|one| !known.contains(&one.id));
    Ok(beside(&listed, issue.operation.as_ref()))
}

/// What others did beside our own operation. Newest first.
fn beside(listed: &[Operation], ours: Option<&OperationId>) -> Vec<String> {
    let place = listed.iter().position(|one| Some(&one.id) == ours);
    let theirs = listed.iter().enumerate().filter(|(at, _)| Some(*at) != place);
    let when = |at: usize| match place {
        Some(place) if at < place => "came after our last update",
        _ => "came before our last update, which went over it",
    };
    theirs.map(|(at, one)| format!("{} {}", told(one), when(at))).collect()
}

fn restored(operation: Option<OperationId>, refused: Option<String>) -> Outcome {
    Event::AutoDeploymentsRestored { operation, refused }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(digit: char) -> Operation {
        Operation {
            id: digit.to_string().repeat(32).parse().unwrap(),
            kind: "UPDATE_SERVICE".into(),
            status: OperationStatus::Succeeded,
            started_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn what_came_after_our_last_update_was_not_gone_over() {
        let listed = [operation('c'), operation('b'), operation('a')];
        let told = beside(&listed, Some(&listed[1].id));
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("cccc") && told[0].ends_with("came after our last update"));
        assert!(told[1].contains("aaaa") && told[1].ends_with("which went over it"));
        assert!(beside(&listed[1..2], Some(&listed[1].id)).is_empty());
    }
}
