//! Proves that the captured release is back, and that it answers.
//!
//! Leaves behind: the proof. Undo: none; it only reads.

use super::check_health::{Asked, ask, target};
use super::verify_release::{Expected, Proven, prove};
use super::{Bench, Outcome, StepError, settling};
use crate::config::HealthGate;
use crate::event::deployment::Phase;
use crate::event::{Event, Failure, HealthOutcome, HealthReport, RolledBackBy};
use crate::problem::ExitCode;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// The same gates as forward: identifier, mark, the whole configuration, health.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let (by, expected) = expected(bench);
    let proof = match prove(bench, &expected).await? {
        Proven::Yes(proof) => *proof,
        Proven::Overtaken(evidence) => return Ok(settling::attention(evidence).into()),
        Proven::No(evidence) => return Err(not_back(evidence).into()),
    };
    let health = health(bench).await?;
    if let Some(report) = health.as_ref().filter(|report| report.outcome == HealthOutcome::Failed) {
        return Err(unhealthy(report).into());
    }
    Ok(Event::RollbackVerified { by, proof, health }.into())
}

/// What must be true again: after our own rollback what it asked for, after App Runner's what was
/// captured, its mark included.
fn expected<'a>(bench: &'a Bench<'_>) -> (RolledBackBy, Expected<'a>) {
    let deployment = bench.deployment;
    let captured = deployment.done.captured.as_ref().expect("captured before any change");
    let issued = deployment.done.issued.as_ref().expect("something was issued");
    let theirs = Expected {
        service: &captured.service,
        release: captured.release.as_ref().expect("there is a release to go back to"),
        whole: true,
        mark: captured.mark.as_deref(),
        operation: issued.operation.as_ref(),
    };
    match &deployment.phase {
        Phase::RollingBack { issued: Some(ours), .. } => {
            let (release, mark) = (&ours.release, Some(ours.mark.as_str()));
            let operation = ours.operation.as_ref();
            (RolledBackBy::Surefoot, Expected { release, mark, operation, ..theirs })
        }
        _ => (RolledBackBy::AppRunner, theirs),
    }
}

/// The old release answers at the same address. What is asserted of the new release's answer is
/// not asked of the old one.
async fn health(bench: &Bench<'_>) -> Result<Option<HealthReport>, StepError> {
    let gate = HealthGate {
        assertions: Vec::new(),
        version: None,
        ..bench.deployment.plan.health.clone()
    };
    let address = bench.deployment.address().map(|(url, _)| url.to_owned()).unwrap_or_default();
    let Some(url) = target(bench, &gate, &address)? else { return Ok(None) };
    let Asked { report, silent } = ask(bench.world, bench.progress, &gate, &url).await;
    if silent {
        // Where AWS does not answer either it is our network, not the release.
        bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    }
    Ok(Some(report))
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
