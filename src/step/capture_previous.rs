//! Records what runs now, whole, before anything is changed.
//!
//! Leaves behind: the release to go back to. Undo: none; it only reads.

use std::time::Duration;

use super::operation::told;
use super::{Bench, Outcome, StepError, asked};
use crate::event::{Captured, Event, Failure, PreviousDigest};
use crate::names::Reference;
use crate::plan::Intent;
use crate::problem::ExitCode;
use crate::world::Progress;
use crate::world::registry::Registry;
use crate::world::service::{Service, ServiceStatus};

/// Nothing but a fresh look tells what runs now.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Waits until nobody else is at work, then records everything.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let Some(service) = idle(bench).await? else {
        refuse_to_go_back_on_nothing(bench)?;
        return Ok(Event::PreviousCaptured { previous: None }.into());
    };
    refuse_unfit(&service)?;
    let captured = capture(bench, &service).await?;
    let values = service.values.by_hash();
    Ok(Outcome { event: Event::PreviousCaptured { previous: Some(Box::new(captured)) }, values })
}

/// The service once App Runner has let go of it. AWS also works on services by itself
/// (maintenance), without any operation in the list.
pub(super) async fn idle(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let name = &bench.deployment.plan.stream.service;
    let mut waited = Duration::ZERO;
    loop {
        let found = asked(bench.world.services.find(name).await)?;
        let Some(service) = found else { return Ok(None) };
        if service.status != ServiceStatus::OperationInProgress {
            return Ok(Some(service));
        }
        if waited >= bench.times.busy_wait {
            return Err(busy(&service, work(bench, &service).await).into());
        }
        let what = match work(bench, &service).await {
            Some(theirs) => format!("{name}, busy with {theirs}"),
            None => format!("{name}, busy with an operation that AWS does not list"),
        };
        bench.progress.report(Progress::Waiting { what });
        bench.world.clock.sleep(bench.times.poll).await;
        waited += bench.times.poll;
    }
}

/// What App Runner is at work on, as far as it tells.
async fn work(bench: &Bench<'_>, service: &Service) -> Option<String> {
    let listed = bench.world.services.operations(&service.arn, Some(1)).await.ok()?;
    let newest = listed.into_iter().next().filter(|newest| !newest.status.is_terminal())?;
    let ours = bench.journalled_operations.contains(&newest.id);
    let whose = if ours { "ours" } else { "not from this journal" };
    Some(format!("{}, {whose}", told(&newest)))
}

async fn capture(bench: &Bench<'_>, service: &Service) -> Result<Captured, StepError> {
    let release = service.release();
    let ran = release.as_ref().filter(|_| service.status != ServiceStatus::CreateFailed);
    let digest = match ran {
        Some(release) => Some(digest(bench.world.registry.as_ref(), &release.image).await?),
        None => None,
    };
    Ok(Captured::of(service, digest))
}

/// The digest behind an identifier, and how well it is known.
pub(super) async fn digest(
    registry: &dyn Registry,
    image: &crate::names::ImageIdentifier,
) -> Result<PreviousDigest, StepError> {
    // A registry of another account or region may not answer us: then it is not known.
    let found = registry.image(&image.repository, &image.reference).await;
    Ok(match (&image.reference, found) {
        (Reference::Digest(digest), found) => PreviousDigest::Proven {
            digest: digest.clone(),
            in_registry: found.ok().map(|found| found.is_some()),
        },
        (Reference::Tag(_), found) => match found? {
            Some(today) => PreviousDigest::ResolvedToday { digest: today.digest },
            None => PreviousDigest::Gone,
        },
    })
}

/// The states and kinds of service that cannot be deployed to, each with its way on.
pub(super) fn refuse_unfit(service: &Service) -> Result<(), Failure> {
    let finding = crate::plan::inventory::unfit(service);
    match finding {
        None => Ok(()),
        Some(finding) => {
            let mut failure = Failure::new(finding.exit, &finding.code, finding.reason);
            failure.hints = finding.fix;
            Err(failure)
        }
    }
}

/// App Runner says to a service in such a state only that it cannot be updated now: what it is, and
/// the way on, instead.
pub(super) fn unfit_instead(error: StepError, service: &Service) -> StepError {
    match (&error, refuse_unfit(service)) {
        (StepError::Refused(refused), Err(mut unfit)) if refused.code == "service-busy" => {
            unfit.exit = refused.exit;
            unfit.because.clone_from(&refused.because);
            unfit.into()
        }
        _ => error,
    }
}

/// A rollback brings back what its journal knows of a release, and a service is more than that: its
/// network, its scaling, its address. Who wants it anew says so.
fn refuse_to_go_back_on_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    let plan = &bench.deployment.plan;
    match &plan.intent {
        Intent::Rollback { release, .. } => {
            Err(crate::plan::inventory::nothing_to_go_back_on(&plan.stream.service, &release.image))
        }
        Intent::Deploy { .. } => Ok(()),
    }
}

fn busy(service: &Service, work: Option<String>) -> Failure {
    let at_work = work.unwrap_or_else(|| "AWS lists no operation: it may be maintenance".into());
    Failure::new(
        ExitCode::Update,
        "service-busy",
        format!("`{}` is busy with an operation that is not ours", service.name),
    )
    .because(format!("{at_work}; AWS does not say who asked for it"))
    .because("App Runner allows one operation at a time, and none can be cancelled")
    .hint(format!("watch it: `surefoot status --service-name {}`", service.name))
    .hint("then deploy again: `surefoot deploy`")
}
