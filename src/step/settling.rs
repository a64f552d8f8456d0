//! Did it happen? App Runner has no idempotency token: only looking tells, and only with patience.
//!
//! The rules (`docs/reliability.md`): an operation that was not known before the call is a
//! candidate; it is ours only if the settled service carries our mark, or, where App Runner has
//! taken it back since, if nothing else can explain it; one empty list proves nothing; where
//! somebody else destroyed the evidence, nobody guesses.

use std::time::Duration;

use super::operation::operations;
use super::{Bench, StepError};
use crate::event::{Event, Interruption, Observation};
use crate::names::{DeploymentId, OperationId};
use crate::world::service::{Operation, OperationStatus, Service, ServiceStatus};
use crate::world::{Obstacle, Place, Progress};

/// What looking came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The call took effect; the service, and the operation where it is listed.
    Happened(Box<Service>, Option<OperationId>),
    /// It did not.
    DidNot,
    /// It cannot be known.
    Unknown(Vec<String>),
}

/// What one look suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sight {
    Ours(Option<OperationId>),
    Nothing,
    Undecided,
    Destroyed(Vec<String>),
}

/// Looks until it is clear, or until the settle window has passed, which is longer than
/// ListOperations can lag.
pub async fn did_it_happen(
    bench: &Bench<'_>,
    mark: &DeploymentId,
    observed: &Observation,
) -> Result<Answer, StepError> {
    let (mut quiet, mut waited) = (Duration::ZERO, Duration::ZERO);
    while waited < bench.times.deploy_timeout {
        let (sight, service) = look(bench, mark, observed).await.map_err(proves_nothing)?;
        let settled = quiet >= bench.times.settle;
        match (sight, service) {
            (Sight::Ours(Some(operation)), Some(service)) => {
                return Ok(Answer::Happened(Box::new(service), Some(operation)));
            }
            (Sight::Ours(None), Some(service)) if settled => {
                return Ok(Answer::Happened(Box::new(service), None));
            }
            (Sight::Destroyed(evidence), _) if settled => return Ok(Answer::Unknown(evidence)),
            (Sight::Nothing, _) if settled => return Ok(Answer::DidNot),
            // An operation at work decides nothing, and the window begins anew when it has ended.
            (Sight::Undecided, _) => quiet = Duration::ZERO,
            _ => {}
        }
        let what = "whether the last call took effect".to_owned();
        bench.progress.report(Progress::Waiting { what });
        bench.world.clock.sleep(bench.times.poll).await;
        quiet += bench.times.poll;
        waited += bench.times.poll;
    }
    Err(StepError::Interrupted(Interruption::StillBusy { operation: None }))
}

/// Who may not look knows nothing of the call: a refusal here must not end the deployment.
fn proves_nothing(error: StepError) -> StepError {
    let StepError::Refused(failure) = error else { return error };
    let (place, obstacle) = (Place::AppRunner, Obstacle::InvalidCredentials);
    StepError::Interrupted(Interruption::Unreachable { place, obstacle, reason: failure.what })
}

async fn look(
    bench: &Bench<'_>,
    mark: &DeploymentId,
    observed: &Observation,
) -> Result<(Sight, Option<Service>), StepError> {
    let Some(service) = bench.world.services.find(&bench.deployment.plan.stream.service).await?
    else {
        return Ok((absent(observed), None));
    };
    let listed = operations(bench, &service.arn, Some(super::REMEMBERED_OPERATIONS)).await?;
    let sight = judge(mark, observed, &service, &listed);
    Ok((sight, Some(service)))
}

/// Who deletes a service deletes what could tell: only where none was there before, none now means
/// that nothing happened.
fn absent(observed: &Observation) -> Sight {
    match observed.status {
        None => Sight::Nothing,
        Some(_) => Sight::Destroyed(vec![
            "the service is gone: somebody deleted it, and the list of its operations with it"
                .into(),
        ]),
    }
}

/// What a service and its list of operations say about a call with this mark.
fn judge(
    mark: &DeploymentId,
    observed: &Observation,
    service: &Service,
    listed: &[Operation],
) -> Sight {
    let candidates: Vec<&Operation> = listed
        .iter()
        .filter(|operation| !observed.known_operations.contains(&operation.id))
        .collect();
    let marked = service.mark.as_deref() == Some(mark.as_str());
    let busy = service.status == ServiceStatus::OperationInProgress
        || candidates.iter().any(|operation| !operation.status.is_terminal());
    match candidates[..] {
        [one] if marked => Sight::Ours(Some(one.id.clone())),
        [] if marked => Sight::Ours(None),
        _ if busy => Sight::Undecided,
        [one] if taken_back(one) && unchanged(service, observed) => {
            Sight::Ours(Some(one.id.clone()))
        }
        [] if unchanged(service, observed) => Sight::Nothing,
        [] => Sight::Destroyed(vec![
            "the service carries neither our mark nor the one before, and lists no new operation"
                .into(),
        ]),
        ref several => Sight::Destroyed(evidence(service, several)),
    }
}

fn taken_back(operation: &Operation) -> bool {
    let failed = matches!(
        operation.status,
        OperationStatus::Failed
            | OperationStatus::RollbackFailed
            | OperationStatus::RollbackSucceeded
    );
    failed && matches!(operation.kind.as_str(), "UPDATE_SERVICE" | "CREATE_SERVICE")
}

fn unchanged(service: &Service, observed: &Observation) -> bool {
    service.mark == observed.mark
        && service.release().map(|release| release.image.to_string()) == observed.image
}

fn evidence(service: &Service, candidates: &[&Operation]) -> Vec<String> {
    let mark = service.mark.as_deref().unwrap_or("none");
    let mut lines =
        vec![format!("the service carries the mark {mark}, which is not that of our call")];
    lines.extend(candidates.iter().map(|operation| {
        format!("{} {} is {}, and may not be ours", operation.kind, operation.id, operation.status)
    }));
    lines
}

/// The end of a deployment whose truth cannot be known from here.
pub fn attention(evidence: Vec<String>) -> Event {
    Event::AttentionNeeded { evidence }
}
