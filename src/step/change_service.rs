//! Creates the service, or asks it for the new release.
//!
//! Leaves behind: an operation of App Runner. Undo: `roll_back`.

use super::issuing::{self, Request};
use super::patience::Patience;
use super::readiness::{busy_after_doubt, idle, is_busy, unfit_instead};
use super::settling::{self, Answer, Call, did_it_happen};
use super::{Bench, Outcome, StepError, asked, observe_service};
use crate::event::{Captured, Event, Failure, Issue, Observation};
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
        super::refuse_bad(plan, &desired(bench))?;
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
        // It was so at the capture, which may be long ago.
        last_look(bench).await?;
        return Ok(Some(event.into()));
    }
    if !bench.in_doubt {
        return Ok(None);
    }
    let observed = bench.observed();
    let existed = bench.deployment.done.captured.is_some();
    let call = Call { mark: &bench.deployment.plan.id, image: &desired(bench).image, observed };
    match did_it_happen(bench, call).await? {
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
    let issue = match issue(bench, service.as_ref()).await {
        Err(busy) if is_busy(&busy) && bench.in_doubt => {
            return Err(busy_after_doubt(bench, busy).await);
        }
        Err(busy) if is_busy(&busy) => once_idle(bench, busy).await?,
        issued => issued?,
    };
    if issue.operation.is_none() {
        // Our mark alone changes something, so there must be one: go and look.
        return Err(StepError::Unanswered { reason: "App Runner named no operation".into() });
    }
    Ok(issuing::issued(existed, issue).into())
}

/// Asks again once App Runner has let go. Answers may lag: what looks idle may be busy still.
async fn once_idle(bench: &Bench<'_>, mut busy: StepError) -> Result<Issue, StepError> {
    let patience = Patience::begin(bench.world.clock.as_ref(), bench.times.busy_wait);
    while is_busy(&busy) && !patience.is_over() {
        let idle = idle(bench).await?;
        unchanged_since_capture(bench, idle.as_ref())?;
        busy = match issue(bench, idle.as_ref()).await {
            Ok(issue) => return Ok(issue),
            Err(error) => error,
        };
        if idle.is_none_or(|service| service.status != ServiceStatus::Running) {
            // A state that no waiting ends.
            break;
        }
        bench.world.clock.sleep(bench.times.poll).await;
    }
    Err(busy)
}

async fn issue(bench: &Bench<'_>, service: Option<&Service>) -> Result<Issue, StepError> {
    let look = async || last_look(bench).await.map(drop);
    let issue = issuing::issue(bench, request(bench, service), look).await;
    issue.map_err(|error| match service {
        Some(service) => unfit_instead(error, service),
        None => error,
    })
}

/// The service as it is, if nobody changed it since it was captured.
async fn last_look(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await?;
    unchanged_since_capture(bench, service.as_ref())?;
    Ok(service)
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

/// What was read is what is written back: whoever changed it in between would be overwritten.
fn unchanged_since_capture(bench: &Bench<'_>, now: Option<&Service>) -> Result<(), StepError> {
    let captured = bench.deployment.done.captured.as_ref();
    let before = captured.map(|captured| (captured.mark.as_ref(), captured.release.as_ref()));
    let release = now.and_then(Service::release);
    settling::surfaced(now, &bench.deployment.plan.id)?;
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
