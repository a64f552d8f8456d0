//! A journal that begins on a service which surefoot deployed before: a fresh CI runner, a fresh
//! clone. AWS still tells what runs and whose mark it carries; that is recorded before anything else.

use super::setup::Setup;
use super::trouble;
use crate::event::{Captured, Event, PreviousDigest};
use crate::ledger::Ledger;
use crate::plan::inventory::Inventory;
use crate::problem::Problem;
use crate::world::World;
use crate::world::service::Service;

/// Records what AWS tells, where the journal knows nothing of a service that carries our mark.
/// Whether it did.
pub(super) fn recover(
    setup: &Setup,
    world: &World,
    seen: &Inventory,
    ledger: &mut Ledger,
) -> Result<bool, Problem> {
    let marked = seen.service.as_ref().filter(|service| service.mark.is_some());
    let Some(service) = marked.filter(|_| ledger.entries().is_empty()) else { return Ok(false) };
    let event = Event::RecordRecovered {
        stream: ledger.stream().clone(),
        endpoint: seen.endpoint.clone(),
        found: Box::new(found(service, seen)),
        operations: seen.operations.iter().map(|operation| operation.id.clone()).collect(),
    };
    ledger
        .append_beside(&event, &service.values.by_hash(), world.clock.now())
        .map_err(|error| trouble::reading(&error, &setup.history))?;
    let name = &service.name;
    setup.view.say(&format!(
        "`{name}` was deployed by surefoot before, and its history is not here: what AWS tells is \
         recorded"
    ));
    setup.view.say("an export of it can be imported before the first deployment of a clone: `surefoot journal import FILE`");
    Ok(true)
}

fn found(service: &Service, seen: &Inventory) -> Captured {
    let release = service.release();
    let digest = release.as_ref().and_then(|release| release.image.digest()).cloned();
    let digest = digest
        .map(|digest| PreviousDigest::Proven { digest, in_registry: seen.previous_in_registry });
    Captured::of(service, digest)
}
