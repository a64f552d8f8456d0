//! Proves that the new release is the one the service is configured with.
//!
//! Leaves behind: the proof. Undo: none; it only reads.

use std::time::Duration;

use super::operation::{operations, told};
use super::settling::attention;
use super::{Bench, Outcome, StepError, asked, issuing};
use crate::event::{Event, Failure, Proof};
use crate::names::{Digest, ImageIdentifier, OperationId, ServiceArn};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::Progress;
use crate::world::service::{Operation, Service, ServiceStatus};

#[cfg(test)]
mod tests;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Looks until identifier, mark and status agree, for as long as App Runner's answers can lag.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let issue = bench.deployment.done.issued.as_ref().expect("something was issued");
    let asked = super::desired(bench).image;
    let expected = Expected {
        service: &issue.service,
        release: &issue.release,
        digest: asked.digest(),
        whole: false,
        mark: Some(issue.mark.as_str()),
        operation: issue.operation.as_ref(),
    };
    match prove(bench, &expected).await? {
        Proven::Yes(proof) if issuing::still_names(bench, &proof.image, asked.digest()).await? => {
            Ok(Event::ReleaseVerified { proof: *proof }.into())
        }
        Proven::Yes(proof) => Err(unproven(bench, vec![moved(&proof.image)]).into()),
        Proven::Overtaken(evidence) => Ok(attention(evidence).into()),
        Proven::No(evidence) => Err(unproven(bench, evidence).into()),
    }
}

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
    /// The newest operation there may be.
    pub(super) operation: Option<&'a OperationId>,
}

/// Proves that this is what the service runs now.
pub(super) async fn prove(bench: &Bench<'_>, expected: &Expected<'_>) -> Result<Proven, StepError> {
    let mut waited = Duration::ZERO;
    loop {
        let (service, newest) = look(bench, expected).await?;
        let evidence = contradictions(expected, service.as_ref());
        if let (true, Some(service)) = (evidence.is_empty(), &service) {
            return Ok(match overtaken(expected, newest.as_ref()) {
                Some(evidence) => Proven::Overtaken(evidence),
                None => Proven::Yes(Box::new(proof(expected, service, newest))),
            });
        }
        if waited >= bench.times.settle {
            return Ok(match overtaken(expected, newest.as_ref()) {
                Some(more) => Proven::Overtaken([evidence, more].concat()),
                // Nothing of ours ever deletes a service.
                None if service.is_none() => Proven::Overtaken(evidence),
                None => Proven::No(evidence),
            });
        }
        let what = "App Runner to show the release".to_owned();
        bench.progress.report(Progress::Waiting { what });
        bench.world.clock.sleep(bench.times.poll).await;
        waited += bench.times.poll;
    }
}

/// What somebody else did since this was proven.
pub(super) async fn overtaken_since(
    bench: &Bench<'_>,
    expected: &Expected<'_>,
) -> Result<Option<Vec<String>>, StepError> {
    let (service, newest) = look(bench, expected).await?;
    let gone = || vec!["the service is gone".into()];
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
    let Some(service) = service else { return vec!["the service is gone".into()] };
    let mut lines = Vec::new();
    if service.status != ServiceStatus::Running {
        lines.push(format!("the service is {}", service.status));
    }
    let image = service.release().map(|release| release.image);
    if image.as_ref() != Some(&expected.release.image) {
        let image = image.map_or("nothing from ECR".into(), |image| image.to_string());
        lines.push(format!("it is configured with {image}, not with {}", expected.release.image));
    }
    if service.mark.as_deref() != expected.mark {
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

/// An identifier that is a tag proves something only while the tag still names what was asked for.
pub(super) fn moved(image: &ImageIdentifier) -> String {
    format!("the tag of {} no longer names what was asked for", image.short())
}

fn unproven(bench: &Bench<'_>, evidence: Vec<String>) -> Failure {
    let name = &bench.deployment.plan.stream.service;
    let mut failure = Failure::new(
        ExitCode::Update,
        "release-not-live",
        format!("App Runner reported success, and `{name}` does not run the new release"),
    );
    failure.because = evidence;
    failure
}
