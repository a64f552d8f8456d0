//! Creates the service, or asks it for the new release.
//!
//! Leaves behind: an operation of App Runner. Undo: `roll_back`.

use super::issuing::{self, Request};
use super::settling::{self, Answer, did_it_happen};
use super::{Bench, Outcome, StepError, asked, capture_previous, observe_service};
use crate::event::{Captured, Event, Failure, Observation};
use crate::names::{ImageIdentifier, PayloadHash};
use crate::plan::TargetOrigin;
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::{OperationStatus, Service, ServiceStatus};

/// What is seen before, and the hash of the request about to be sent.
pub(super) async fn observe(
    bench: &Bench<'_>,
) -> Result<(Observation, Option<PayloadHash>), StepError> {
    let plan = &bench.deployment.plan;
    if plan.target().is_some() {
        // Only now the digest of a built image is known; nothing was asked of the service yet.
        super::refuse_bad(plan, &desired(bench).image)?;
    }
    let (observed, service) = observe_service(bench).await?;
    if nothing_to_change(bench).is_some() && !stands_broken(bench).await? {
        return Ok((observed, None));
    }
    let payload = issuing::payload(bench, &request(bench, service.as_ref())).await?;
    Ok((observed, Some(payload)))
}

/// The request that would be sent; `None` where there is nothing to change.
pub(super) async fn preview(bench: &Bench<'_>) -> Result<Option<serde_json::Value>, StepError> {
    if nothing_to_change(bench).is_some() && !stands_broken(bench).await? {
        return Ok(None);
    }
    let (_, service) = observe_service(bench).await?;
    Ok(Some(issuing::preview(bench, &request(bench, service.as_ref())).await?))
}

/// The service runs the very release already; or, where the call may have been made, it was.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    // Decided before the intention was written, which has no request then.
    let intention = bench.deployment.intention.as_ref();
    let unasked = intention.is_some_and(|intention| intention.payload.is_none());
    if let Some(event) = nothing_to_change(bench).filter(|_| unasked) {
        return Ok(Some(event.into()));
    }
    if !bench.in_doubt {
        return Ok(None);
    }
    let observed = observed(bench);
    let existed = bench.deployment.done.captured.is_some();
    match did_it_happen(bench, &bench.deployment.plan.id, observed).await? {
        Answer::Happened(service, operation) => {
            let issue = issuing::found(&service, request(bench, None), operation, observed);
            Ok(Some(issuing::issued(existed, issue).into()))
        }
        Answer::Unknown(evidence) => Ok(Some(settling::attention(evidence).into())),
        Answer::DidNot if bench.deployment.backwards => Err(taken_back().into()),
        Answer::DidNot => Ok(None),
    }
}

/// Asks for it, once.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    issuing::patiently(bench, || ask(bench)).await
}

/// A busy service is waited for, unless somebody else changed it meanwhile.
async fn ask(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let service = last_look(bench).await?;
    let existed = service.is_some();
    let look = async || last_look(bench).await.map(drop);
    let first = issuing::issue(bench, request(bench, service.as_ref()), look).await;
    let issue = match first {
        Err(StepError::Refused(failure)) if is_busy(&failure) && !bench.in_doubt => {
            let idle = capture_previous::idle(bench).await?;
            unchanged_since_capture(bench, idle.as_ref())?;
            let second = issuing::issue(bench, request(bench, idle.as_ref()), look).await;
            second.map_err(|error| unfit_instead(error, idle.as_ref()))?
        }
        // Right after an unclear call this means: go and look.
        Err(StepError::Refused(failure)) if is_busy(&failure) && !is_stuck(bench).await? => {
            return Err(StepError::Unanswered { reason: failure.because.join("; ") });
        }
        other => other.map_err(|error| unfit_instead(error, service.as_ref()))?,
    };
    if issue.operation.is_none() {
        // Our mark alone changes something, so there must be one: go and look.
        return Err(StepError::Unanswered { reason: "App Runner named no operation".into() });
    }
    Ok(issuing::issued(existed, issue).into())
}

/// The service as it is, if nobody changed it since it was captured.
async fn last_look(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    unchanged_since_capture(bench, service.as_ref())?;
    Ok(service)
}

fn unfit_instead(error: StepError, service: Option<&Service>) -> StepError {
    match service {
        Some(service) => capture_previous::unfit_instead(error, service),
        None => error,
    }
}

/// A state that no waiting ends: then a refusal is a refusal, also after an unclear call.
async fn is_stuck(bench: &Bench<'_>) -> Result<bool, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    Ok(service.is_some_and(|service| {
        matches!(
            service.status,
            ServiceStatus::CreateFailed | ServiceStatus::Paused | ServiceStatus::DeleteFailed
        )
    }))
}

fn is_busy(failure: &Failure) -> bool {
    failure.code == "service-busy"
        || failure.because.iter().any(|text| text.contains("InvalidState"))
}

fn request<'a>(bench: &'a Bench<'_>, service: Option<&'a Service>) -> Request<'a> {
    let plan = &bench.deployment.plan;
    let release = desired(bench);
    Request { service, name: &plan.stream.service, release, mark: plan.id.clone() }
}

/// The release this deployment moves to: what was captured, changed as planned.
pub(super) fn desired(bench: &Bench<'_>) -> Release {
    let deployment = bench.deployment;
    // A service whose creation failed has no release to go back to, but settings to keep.
    let captured = deployment.done.captured.as_ref().and_then(|before| before.release.as_ref());
    let previous = captured.map(|release| &release.configuration);
    let image = image(bench).expect("the image is known before the service is changed");
    deployment.plan.desired(previous, &image)
}

/// The image by digest: from the push, or from the plan where it was in ECR already.
fn image(bench: &Bench<'_>) -> Option<ImageIdentifier> {
    let deployment = bench.deployment;
    if let Some(TargetOrigin::Registry { image }) = deployment.plan.target().map(|t| &t.origin) {
        return Some(image.clone());
    }
    if let crate::plan::Intent::Rollback { release, .. } = &deployment.plan.intent {
        return Some(release.image.clone());
    }
    let (uri, _) = deployment.done.repository.as_ref()?;
    let (digest, _) = deployment.done.pushed.as_ref()?;
    ImageIdentifier::by_digest(uri, digest).ok()
}

/// Compared without the mark; only a digest can say that the same image runs.
fn nothing_to_change(bench: &Bench<'_>) -> Option<Event> {
    let captured: &Captured = bench.deployment.done.captured.as_ref()?;
    let release = bench.deployment.previous()?;
    let same = *release == desired(bench) && !issuing::is_tag(&release.image);
    (same && !bench.deployment.plan.force_restart).then(|| Event::NothingToChange {
        release: Box::new(release.clone()),
        service: captured.service.clone(),
    })
}

/// After `ROLLBACK_FAILED` the service is configured with a release that does not run.
async fn stands_broken(bench: &Bench<'_>) -> Result<bool, StepError> {
    let Some(captured) = &bench.deployment.done.captured else { return Ok(false) };
    let listed = asked(bench.world.services.operations(&captured.service, Some(1)).await)?;
    Ok(listed.first().is_some_and(|newest| newest.status == OperationStatus::RollbackFailed))
}

fn observed<'a>(bench: &'a Bench<'_>) -> &'a Observation {
    let intention = bench.deployment.intention.as_ref();
    &intention.expect("the intention is written before the call").observed
}

/// What was read is what is written back: whoever changed it in between would be overwritten.
fn unchanged_since_capture(bench: &Bench<'_>, now: Option<&Service>) -> Result<(), StepError> {
    let captured = bench.deployment.done.captured.as_ref();
    let before = captured.map(|captured| (captured.mark.as_ref(), captured.release.as_ref()));
    let release = now.and_then(Service::release);
    let same = match (before, now) {
        (Some((mark, Some(before))), Some(now)) => {
            mark == now.mark.as_ref() && Some(before) == release.as_ref()
        }
        (None, None) | (Some((_, None)), Some(_)) => true,
        _ => false,
    };
    if same { Ok(()) } else { Err(changed_meanwhile(bench, now.is_none()).into()) }
}

fn changed_meanwhile(bench: &Bench<'_>, is_gone: bool) -> Failure {
    let name = &bench.deployment.plan.stream.service;
    if is_gone {
        let what = format!("somebody deleted `{name}` while this deployment was under way");
        return Failure::new(ExitCode::Update, "service-gone", what)
            .hint(format!("create it anew: `surefoot deploy --service-name {name}`"));
    }
    Failure::new(
        ExitCode::Update,
        "changed-meanwhile",
        format!("somebody else changed `{name}` while this deployment was under way"),
    )
    .because("its configuration is no longer the one that was captured")
    .hint(format!("see what runs now: `surefoot status --service-name {name}`"))
    .hint("deploy on top of it: `surefoot deploy`")
}

fn taken_back() -> Failure {
    Failure::new(
        ExitCode::General,
        "taken-back",
        "taken back on request; the service was not changed",
    )
}
