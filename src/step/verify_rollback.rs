//! Proves that the captured release is back, and that it answers.
//!
//! Leaves behind: the proof. Undo: none; it only reads.

use super::asking::{ask, target};
use super::issuing::still_names;
use super::proving::{Expected, Proven, overtaken_since, prove};
use super::verify_release::moved;
use super::{Bench, Outcome, StepError, roll_back, settling};
use crate::config::HealthGate;
use crate::event::deployment::Phase;
use crate::event::{Event, Failure, HealthOutcome, HealthReport, RolledBackBy};
use crate::names::Digest;
use crate::problem::ExitCode;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// The same gates as forward: identifier, mark, the whole configuration, health.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let target = roll_back::target(bench).image;
    let (by, expected) = expected(bench, target.digest());
    let proof = match prove(bench, &expected).await? {
        Proven::Yes(proof) if by == RolledBackBy::AppRunner => *proof,
        Proven::Yes(proof) if still_names(bench, &proof.image, target.digest()).await? => *proof,
        Proven::Yes(proof) => return Err(not_back(vec![moved(&proof.image)]).into()),
        Proven::Overtaken(evidence) => return Ok(settling::attention(evidence).into()),
        Proven::No(evidence) => return Err(not_back(evidence).into()),
    };
    let health = health(bench).await?;
    // Where AWS does not answer either it is our network, not the release.
    if let Some(evidence) = overtaken_since(bench, &expected).await? {
        return Ok(settling::attention(evidence).into());
    }
    if let Some(report) = health.as_ref().filter(|report| report.outcome == HealthOutcome::Failed) {
        return Err(unhealthy(report).into());
    }
    Ok(Event::RollbackVerified { by, proof, health }.into())
}

/// What must be true again: after our own rollback what it asked for, after App Runner's what was
/// captured, its mark included. `asked` is the digest that our own rollback asked for.
fn expected<'a>(bench: &'a Bench<'_>, asked: Option<&'a Digest>) -> (RolledBackBy, Expected<'a>) {
    let deployment = bench.deployment;
    let captured = deployment.done.captured.as_ref().expect("captured before any change");
    let issued = deployment.done.issued.as_ref().expect("something was issued");
    let release = captured.release.as_ref().expect("there is a release to go back to");
    let theirs = Expected {
        service: &captured.service,
        release,
        // App Runner does not say what a tag named when it went back to it.
        digest: release.image.digest(),
        whole: true,
        mark: captured.mark.as_deref(),
        or_mark: None,
        operation: issued.operation.as_ref(),
    };
    match &deployment.phase {
        Phase::RollingBack { issued: Some(ours), .. } => {
            let (release, mark) = (&ours.release, Some(ours.mark.as_str()));
            let operation = ours.operation.as_ref();
            let digest = asked;
            (RolledBackBy::Surefoot, Expected { release, digest, mark, operation, ..theirs })
        }
        _ => (RolledBackBy::AppRunner, theirs),
    }
}

/// The old release answers at the same address. What is asserted of the new release's answer is
/// not asked of the old one.
async fn health(bench: &Bench<'_>) -> Result<Option<HealthReport>, StepError> {
    let plan = &bench.deployment.plan;
    let gate = HealthGate {
        path: plan.previous_path.clone().unwrap_or_else(|| plan.health.path.clone()),
        assertions: Vec::new(),
        version: None,
        ..plan.health.clone()
    };
    let address = bench.deployment.address().map(|(url, _)| url.to_owned()).unwrap_or_default();
    let Some(url) = target(bench, &gate, &address)? else { return Ok(None) };
    Ok(Some(ask(bench.world, bench.progress, &gate, &url).await))
}

fn not_back(evidence: Vec<String>) -> Failure {
    let what = "the previous release is not back";
    let mut failure = Failure::new(ExitCode::RollbackFailed, "rollback-not-proven", what);
    failure.because = evidence;
    failure
}

fn unhealthy(report: &HealthReport) -> Failure {
    let what = format!("the previous release is back and does not answer well at {}", report.url);
    let mut failure = Failure::new(ExitCode::RollbackFailed, "rollback-unhealthy", what);
    failure.because.clone_from(&report.findings);
    failure
}
