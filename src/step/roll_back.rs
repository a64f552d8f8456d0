//! Asks the service for the captured release, whole.
//!
//! Leaves behind: an operation of App Runner. Undo: none; a rollback never rolls back.

use super::issuing::{self, Request};
use super::operation::{operations, told};
use super::settling::{self, Answer, did_it_happen};
use super::{Bench, Outcome, StepError, asked, capture_previous, observe_service};
use crate::event::{Event, Failure, Issue, Observation, PreviousDigest};
use crate::names::{DeploymentId, ImageIdentifier, OperationId, PayloadHash};
use crate::plan::identity::rollback_mark;
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::Service;

/// What is seen before, and the hash of the request about to be sent.
pub(super) async fn observe(
    bench: &Bench<'_>,
) -> Result<(Observation, Option<PayloadHash>), StepError> {
    let (observed, service) = observe_service(bench).await?;
    let payload = issuing::payload(bench, &request(bench, service.as_ref())).await;
    Ok((observed, payload.ok()))
}

/// The call may have been made: look. Otherwise make sure that what would be taken back is ours.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    if bench.in_doubt {
        let observed = observed(bench);
        match did_it_happen(bench, &mark(bench), observed).await? {
            Answer::Happened(service, operation) => {
                let issue = issuing::found(&service, request(bench, None), operation, observed);
                return Ok(Some(Event::RollbackIssued(issue).into()));
            }
            Answer::Unknown(evidence) => return Ok(Some(settling::attention(evidence).into())),
            // What others did before the intention was known to it, and is theirs all the same.
            Answer::DidNot => {}
        }
    }
    let evidence = not_ours(bench).await?;
    Ok((!evidence.is_empty()).then(|| settling::attention(evidence).into()))
}

/// Asks for it, once.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    issuing::patiently(bench, || ask(bench)).await
}

async fn ask(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    refuse_a_missing_image(bench).await?;
    // The last look before the call: this machine may have slept since the one before.
    let service = last_look(bench).await?.ok_or_else(gone)?;
    let look = async || last_look(bench).await.map(drop);
    let asked = issuing::issue(bench, request(bench, Some(&service)), look).await;
    let mut issue = asked.map_err(|error| capture_previous::unfit_instead(error, &service))?;
    if issue.operation.is_none() {
        return Err(StepError::Unanswered { reason: "App Runner named no operation".into() });
    }
    issue.note = issue.note.or_else(|| doubtful_image(bench));
    Ok(Event::RollbackIssued(issue).into())
}

/// The service as it is, if what would be taken back is ours.
async fn last_look(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let service = capture_previous::idle(bench).await?;
    let Some(issue) = &bench.deployment.done.issued else { return Ok(service) };
    let evidence = theirs(bench, issue, service.as_ref()).await?;
    if evidence.is_empty() { Ok(service) } else { Err(StepError::Overtaken(evidence)) }
}

/// Somebody may have deployed between our operation and our failed gate: their work is not ours to
/// take back.
async fn not_ours(bench: &Bench<'_>) -> Result<Vec<String>, StepError> {
    let Some(issue) = &bench.deployment.done.issued else { return Ok(Vec::new()) };
    let service = capture_previous::idle(bench).await?;
    theirs(bench, issue, service.as_ref()).await
}

/// What says that somebody else did something to the service after our change.
pub(super) async fn theirs(
    bench: &Bench<'_>,
    issue: &Issue,
    service: Option<&Service>,
) -> Result<Vec<String>, StepError> {
    let Some(service) = service else { return Ok(vec!["the service is gone".into()]) };
    let listed = asked(operations(bench, &service.arn, Some(1)).await)?;
    let newest = listed.into_iter().next();
    let mut evidence = Vec::new();
    let id: Option<&OperationId> = newest.as_ref().map(|operation| &operation.id);
    if issue.operation.is_some() && id != issue.operation.as_ref() {
        let newest = newest.as_ref().map_or("none".into(), told);
        evidence.push(format!("the newest operation is {newest}, not ours"));
    }
    if service.mark.as_deref() != Some(issue.mark.as_str()) {
        let theirs = service.mark.as_deref().unwrap_or("none");
        let before = bench.deployment.done.captured.as_ref().and_then(|c| c.mark.as_deref());
        // After a rollback of App Runner's own the captured mark is back: that is no stranger.
        if service.mark.as_deref() != before {
            evidence.push(format!("the service carries the mark {theirs}, not ours"));
        }
    }
    Ok(evidence)
}

fn request<'a>(bench: &'a Bench<'_>, service: Option<&'a Service>) -> Request<'a> {
    let plan = &bench.deployment.plan;
    let release = target(bench);
    Request { service, name: &plan.stream.service, release, mark: mark(bench) }
}

/// The captured release. Where its identifier was a tag, the digest it named at capture: the tag
/// may have moved since.
pub(super) fn target(bench: &Bench<'_>) -> Release {
    let captured = bench.deployment.done.captured.as_ref().expect("captured before any change");
    let mut release = captured.release.clone().expect("there is a release to go back to");
    if let Some(PreviousDigest::ResolvedToday { digest }) = &captured.digest {
        let pinned = ImageIdentifier::by_digest(&release.image.repository_uri(), digest);
        release.image = pinned.unwrap_or(release.image);
    }
    release
}

fn mark(bench: &Bench<'_>) -> DeploymentId {
    rollback_mark(&bench.deployment.plan.id)
}

fn observed<'a>(bench: &'a Bench<'_>) -> &'a Observation {
    let intention = bench.deployment.intention.as_ref();
    &intention.expect("the intention is written before the call").observed
}

async fn refuse_a_missing_image(bench: &Bench<'_>) -> Result<(), StepError> {
    let image = target(bench).image;
    let known = capture_previous::digest(bench.world.registry.as_ref(), &image).await?;
    let gone = matches!(
        known,
        PreviousDigest::Gone | PreviousDigest::Proven { in_registry: Some(false), .. }
    );
    if gone { Err(image_gone(&image).into()) } else { Ok(()) }
}

fn doubtful_image(bench: &Bench<'_>) -> Option<String> {
    let captured = bench.deployment.done.captured.as_ref()?;
    matches!(captured.digest, Some(PreviousDigest::ResolvedToday { .. })).then(|| {
        "the previous identifier was a tag; the digest it named at capture is used, \
         which may not be what ran"
            .into()
    })
}

fn image_gone(image: &ImageIdentifier) -> Failure {
    Failure::new(
        ExitCode::RollbackFailed,
        "rollback-image-gone",
        format!("ECR no longer holds the previous image {}", image.short()),
    )
    .because("a lifecycle policy or a person deleted it")
    .hint("fix it forward: `surefoot deploy`")
}

fn gone() -> StepError {
    Failure::new(ExitCode::RollbackFailed, "service-gone", "the service was deleted meanwhile")
        .into()
}
