//! Proves that the new release is the one the service is configured with.
//!
//! Leaves behind: the proof. Undo: none; it only reads.

use super::proving::{Expected, Proven, prove};
use super::settling::attention;
use super::{Bench, Outcome, StepError, issuing};
use crate::event::{Event, Failure};
use crate::names::{DeploymentId, ImageIdentifier};
use crate::problem::ExitCode;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Looks until identifier, mark and status agree, for as long as App Runner's answers can lag.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let issue = bench.deployment.done.issued.as_ref().expect("something was issued");
    let asked = super::desired(bench).image;
    let second = bench.deployment.second_mark();
    let expected = Expected {
        service: &issue.service,
        release: &issue.release,
        digest: asked.digest(),
        whole: false,
        mark: Some(issue.mark.as_str()),
        // App Runner may have taken the second update back, and its mark with it.
        or_mark: second.as_ref().map(DeploymentId::as_str),
        operation: bench.deployment.newest_operation(),
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
