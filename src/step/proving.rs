//! What must be true of a service that runs a release, and whether it is.

use super::operation::{operations, told};
use super::patience::Patience;
use super::readiness::not_now;
use super::{Bench, StepError, asked};
use crate::event::{Proof, evidence};
use crate::names::{Digest, OperationId, ServiceArn};
use crate::release::Release;
use crate::world::Progress;
use crate::world::service::{Operation, Service, ServiceStatus};

#[cfg(test)]
mod tests;

/// What looking for a release came to.
pub(super) enum Proven {
    /// It is live.
    Yes(Box<Proof>),
    /// Somebody else changed the service after us.
    Overtaken(Vec<String>),
    /// It is not, and nobody else explains it.
    No(Vec<String>),
}

/// What must be true of the service.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The service.
    pub(super) service: &'a ServiceArn,
    /// What it must run.
    pub(super) release: &'a Release,
    /// The digest that its identifier stands for, where that is known.
    pub(super) digest: Option<&'a Digest>,
    /// Whether the configuration must be the very same too. Not asked of a new release: App Runner
    /// may write a value in its own way.
    pub(super) whole: bool,
    /// The mark it must carry.
    pub(super) mark: Option<&'a str>,
    /// Another one that would do.
    pub(super) or_mark: Option<&'a str>,
    /// The newest operation there may be.
    pub(super) operation: Option<&'a OperationId>,
}

/// Proves that this is what the service runs now. Answers that lag are outlasted, and so is AWS where it
/// works on the service by itself: maintenance says nothing of the release.
pub(super) async fn prove(bench: &Bench<'_>, expected: &Expected<'_>) -> Result<Proven, StepError> {
    let clock = bench.world.clock.as_ref();
    let mut lag = Patience::begin(clock, bench.times.settle);
    let maintenance = Patience::begin(clock, bench.times.busy_wait);
    loop {
        let settled = lag.is_over();
        let (service, newest) = look(bench, expected).await?;
        let evidence = contradictions(expected, service.as_ref());
        let overtaken = overtaken(expected, newest.as_ref());
        match &service {
            Some(service) if evidence.is_empty() => {
                let proof = || Proven::Yes(Box::new(proof(expected, service, newest)));
                return Ok(overtaken.map_or_else(proof, Proven::Overtaken));
            }
            Some(service) if is_at_work(service) && overtaken.is_none() => {
                if maintenance.is_over() {
                    return Err(not_now());
                }
                lag.renew();
            }
            _ if settled => return Ok(disproven(service.as_ref(), evidence, overtaken)),
            _ => {}
        }
        let what = "App Runner to show the release".to_owned();
        bench.progress.report(Progress::Waiting { what });
        bench.world.clock.sleep(bench.times.poll).await;
    }
}

fn is_at_work(service: &Service) -> bool {
    service.status == ServiceStatus::OperationInProgress
}

fn disproven(
    service: Option<&Service>,
    evidence: Vec<String>,
    overtaken: Option<Vec<String>>,
) -> Proven {
    match overtaken {
        Some(more) => Proven::Overtaken([evidence, more].concat()),
        // Nothing of ours ever deletes a service.
        None if service.is_none() => Proven::Overtaken(evidence),
        None => Proven::No(evidence),
    }
}

/// What somebody else did since this was proven.
pub(super) async fn overtaken_since(
    bench: &Bench<'_>,
    expected: &Expected<'_>,
) -> Result<Option<Vec<String>>, StepError> {
    let (service, newest) = look(bench, expected).await?;
    let gone = || vec![evidence::GONE.into()];
    Ok(overtaken(expected, newest.as_ref()).or_else(|| service.is_none().then(gone)))
}

async fn look(
    bench: &Bench<'_>,
    expected: &Expected<'_>,
) -> Result<(Option<Service>, Option<Operation>), StepError> {
    let service = asked(bench.world.services.describe(expected.service).await)?;
    let listed = asked(operations(bench, expected.service, Some(1)).await)?;
    Ok((service, listed.into_iter().next()))
}

fn contradictions(expected: &Expected<'_>, service: Option<&Service>) -> Vec<String> {
    let Some(service) = service else { return vec![evidence::GONE.into()] };
    let mut lines = Vec::new();
    if service.status != ServiceStatus::Running {
        lines.push(evidence::in_state(&service.status));
    }
    let image = service.release().map(|release| release.image);
    if image.as_ref() != Some(&expected.release.image) {
        let image = image.map_or("nothing from ECR".into(), |image| image.to_string());
        lines.push(format!("it is configured with {image}, not with {}", expected.release.image));
    }
    let mark = service.mark.as_deref();
    let is_ours = mark == expected.mark || mark.is_some() && mark == expected.or_mark;
    if !is_ours {
        let (mark, due) = (service.mark.as_deref(), expected.mark);
        let (mark, due) = (mark.unwrap_or("none"), due.unwrap_or("none"));
        lines.push(format!("it carries the mark {mark}, not {due}"));
    }
    if let (true, Some(now)) = (expected.whole, service.release()) {
        let differences = expected.release.differences(&now);
        lines.extend(differences.into_iter().map(|d| format!("its {} is not as before", d.field)));
    }
    lines
}

/// An operation newer than ours is somebody else's: whatever is true now may not be our doing.
fn overtaken(expected: &Expected<'_>, newest: Option<&Operation>) -> Option<Vec<String>> {
    let newest = newest?;
    let ours = expected.operation == Some(&newest.id);
    let theirs = format!("{} is newer than our operation", told(newest));
    (!ours && expected.operation.is_some()).then(|| vec![theirs])
}

fn proof(expected: &Expected<'_>, service: &Service, newest: Option<Operation>) -> Proof {
    Proof {
        image: expected.release.image.clone(),
        digest: expected.digest.cloned(),
        mark: service.mark.clone(),
        operation: expected.operation.cloned(),
        status: service.status.clone(),
        newest_operation: newest.map(|operation| -> OperationId { operation.id }),
    }
}
