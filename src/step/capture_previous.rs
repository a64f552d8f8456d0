//! Records what runs now, whole, before anything is changed.
//!
//! Leaves behind: the release to go back to. Undo: none; it only reads.

use super::readiness::{idle, refuse_unfit};
use super::{Bench, Outcome, StepError};
use crate::event::{Captured, Event, Failure, PreviousDigest};
use crate::names::Reference;
use crate::plan::Intent;
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
