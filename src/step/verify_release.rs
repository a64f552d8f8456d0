//! Proves that the new release is the one the service is configured with.
//!
//! Leaves behind: the proof. Undo: none; it only reads.

use std::time::Duration;

use super::operation::told;
use super::settling::attention;
use super::{Bench, Outcome, StepError, issuing};
use crate::event::{Event, Failure, Proof};
use crate::names::{Digest, OperationId, Reference, ServiceArn};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::{Operation, Service, ServiceStatus};

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Looks until identifier, mark and status agree, for as long as App Runner's answers can lag.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let issue = bench.deployment.done.issued.as_ref().expect("something was issued");
    let expected = Expected {
        service: &issue.service,
        release: &issue.release,
        whole: false,
        mark: Some(issue.mark.as_str()),
        operation: issue.operation.as_ref(),
    };
    match prove(bench, &expected).await? {
        Proven::Yes(proof) => {
            refuse_a_moved_tag(bench, &proof).await?;
            Ok(Event::ReleaseVerified { proof: *proof }.into())
        }
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
                None => Proven::Yes(Box::new(proof(bench, expected, service, newest))),
            });
        }
        if waited >= bench.times.settle {
            return Ok(match overtaken(expected, newest.as_ref()) {
                Some(more) => Proven::Overtaken([evidence, more].concat()),
                None => Proven::No(evidence),
            });
        }
        bench.world.clock.sleep(bench.times.poll).await;
        waited += bench.times.poll;
    }
}

async fn look(
    bench: &Bench<'_>,
    expected: &Expected<'_>,
) -> Result<(Option<Service>, Option<Operation>), StepError> {
    let services = &bench.world.services;
    let service = services.describe(expected.service).await?;
    let newest = services.operations(expected.service, Some(1)).await?.into_iter().next();
    Ok((service, newest))
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

fn proof(
    bench: &Bench<'_>,
    expected: &Expected<'_>,
    service: &Service,
    newest: Option<Operation>,
) -> Proof {
    let digest = expected.release.image.digest().cloned().or_else(|| pushed_digest(bench));
    Proof {
        image: expected.release.image.clone(),
        digest,
        mark: service.mark.clone(),
        operation: expected.operation.cloned(),
        status: service.status.clone(),
        newest_operation: newest.map(|operation| -> OperationId { operation.id }),
    }
}

fn pushed_digest(bench: &Bench<'_>) -> Option<Digest> {
    bench.deployment.done.pushed.as_ref().map(|(digest, _)| digest.clone())
}

/// An identifier that is a tag proves something only while the tag still names what was pushed.
async fn refuse_a_moved_tag(bench: &Bench<'_>, proof: &Proof) -> Result<(), StepError> {
    if !issuing::is_tag(&proof.image) {
        return Ok(());
    }
    let Reference::Tag(tag) = &proof.image.reference else { return Ok(()) };
    let reference = Reference::Tag(tag.clone());
    let now = bench.world.registry.image(&proof.image.repository, &reference).await?;
    if now.map(|image| image.digest) == proof.digest {
        return Ok(());
    }
    let evidence = vec![format!("the tag {tag} no longer names what was pushed")];
    Err(unproven(bench, evidence).into())
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
