//! Asks the service for the captured release, whole.
//!
//! Leaves behind: an operation of App Runner. Undo: none; a rollback never rolls back.

use super::issuing::{self, Request};
use super::readiness::{busy_after_doubt, idle, is_busy, not_now, unfit_instead};
use super::settling::{self, Answer, Call, did_it_happen};
use super::strangers::theirs;
use super::{Bench, Outcome, StepError, capture_previous, observe_service};
use crate::event::{Event, Failure, Issue, Observation, PreviousDigest};
use crate::names::{DeploymentId, ImageIdentifier, PayloadHash};
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
        let (mark, image, observed) = (&mark(bench), &target(bench).image, bench.observed());
        match did_it_happen(bench, Call { mark, image, observed }).await? {
            Answer::Happened(service, operation) => {
                let issue = issuing::found(&service, request(bench, None), operation, observed);
                return Ok(Some(Event::RollbackIssued(issue).into()));
            }
            Answer::Unknown(evidence) => return Ok(Some(settling::attention(evidence).into())),
            // What others did before the intention was known to it, and is theirs all the same.
            Answer::DidNot => {}
        }
    }
    let service = idle(bench).await.map_err(not_yet)?;
    let evidence = not_ours(bench, service.as_ref()).await?;
    Ok((!evidence.is_empty()).then(|| settling::attention(evidence).into()))
}

/// Asks for it, once.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    issuing::patiently(bench, || ask(bench)).await
}

async fn ask(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    refuse_a_missing_image(bench).await?;
    let mut issue = match issue(bench).await {
        Err(busy) if is_busy(&busy) && bench.in_doubt => {
            return Err(busy_after_doubt(bench, busy).await);
        }
        // Somebody, or AWS, began to work on it after the last look: it is waited for once more.
        Err(busy) if is_busy(&busy) => match issue(bench).await {
            Err(busy) if is_busy(&busy) => return Err(not_now()),
            issued => issued?,
        },
        issued => issued?,
    };
    if issue.operation.is_none() {
        return Err(StepError::Unanswered { reason: "App Runner named no operation".into() });
    }
    issue.note = issue.note.or_else(|| doubtful_image(bench));
    Ok(Event::RollbackIssued(issue).into())
}

/// One call, behind the last look before it: this machine may have slept since the one before.
async fn issue(bench: &Bench<'_>) -> Result<Issue, StepError> {
    let service = last_look(bench).await?.ok_or_else(gone)?;
    let look = async || last_look(bench).await.map(drop);
    let issue = issuing::issue(bench, request(bench, Some(&service)), look).await;
    issue.map_err(|error| unfit_instead(error, &service))
}

/// The service as it is, once App Runner has let go of it, if what would be taken back is ours.
async fn last_look(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let service = idle(bench).await.map_err(not_yet)?;
    let evidence = not_ours(bench, service.as_ref()).await?;
    if evidence.is_empty() { Ok(service) } else { Err(StepError::Overtaken(evidence)) }
}

/// A service that is busy for long says nothing against the way back.
fn not_yet(error: StepError) -> StepError {
    if is_busy(&error) { not_now() } else { error }
}

/// Somebody may have deployed between our operation and our failed gate: their work is not ours to
/// take back.
async fn not_ours(bench: &Bench<'_>, service: Option<&Service>) -> Result<Vec<String>, StepError> {
    settling::surfaced(service, &mark(bench))?;
    match &bench.deployment.done.issued {
        Some(issue) => theirs(bench, issue, service).await,
        None => Ok(Vec::new()),
    }
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
