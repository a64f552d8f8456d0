//! `surefoot deploy`: look, plan, write it down, do it, say how it ended.

mod refusal;
mod target;

pub(super) use refusal::of_a_repository_elsewhere as refuse_a_repository_elsewhere;

use std::sync::Arc;

use super::arguments::Deploy;
use super::setup::Setup;
use super::{guard, holding, prune, record, recover, run, sheet};
use crate::config::Overlay;
use crate::journal::Journal;
use crate::journal::memory::MemoryJournal;
use crate::ledger::Ledger;
use crate::lock::Lock;
use crate::look::Questions;
use crate::names::{RoleArn, StreamName};
use crate::plan::inventory::{Inventory, Seen};
use crate::plan::preflight::Checks;
use crate::plan::target::Wish;
use crate::plan::{Intent, Plan, Target, steps};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::world::World;
use crate::world::identity::Caller;

/// Deploys.
pub(super) async fn deploy(arguments: &Deploy, setup: &Setup) -> Result<ExitCode, Problem> {
    refusal::of_what_is_not_there_yet(arguments)?;
    let world = setup.world();
    let asked = questions(arguments, setup)?;
    let before = |problem| guard::pending_before(problem, setup);
    let caller = setup.caller(&world, &asked.region).await.map_err(before)?;
    refusal::of_a_repository_elsewhere(setup, &caller.account, &asked.region)?;
    let stream = stream(&caller, &asked);
    let lock = hold(arguments, setup, &stream).await?;
    // Who has the lock is the only one at work: what is seen before may be gone by then.
    let inventory = setup.look_as(&world, caller, &asked).await.map_err(before)?;
    let mut ledger = setup.ledger(journal(arguments, setup)?, stream.clone())?;
    guard::refuse_pending(&ledger, setup)?;
    if lock.is_some() {
        guard::refuse_pending_elsewhere(&stream, setup)?;
        recover::recover(setup, &world, &inventory, &mut ledger)?;
    }
    guard::refuse_mixed_worlds(&ledger, setup)?;
    let plan = plan(arguments, setup, &world, &inventory, &ledger).await?;
    if arguments.dry_run {
        return sheet::print(&world, setup, &inventory, &ledger, plan).await;
    }
    let options = run::Options { inventory: Some(inventory), tail: arguments.tail };
    let ended = run::begin(plan, setup, &world, ledger, options).await;
    if let (Some(keep), Ok(ExitCode::Success)) = (arguments.prune_images, &ended) {
        prune::after_deployment(keep, setup, &world, &stream).await;
    }
    drop(lock);
    ended
}

/// What will be done, where nothing speaks against it.
async fn plan(
    arguments: &Deploy,
    setup: &Setup,
    world: &World,
    seen: &Inventory,
    ledger: &Ledger,
) -> Result<Plan, Problem> {
    let records = record::records(ledger);
    refusal::of_an_older_commit(arguments, setup, seen, &records, world).await?;
    refusal::of_the_image_of_another(arguments, setup, seen, ledger, &records)?;
    let target = target::target(arguments, setup, world, seen, &records).await?;
    let mut plan = composed(setup, seen, ledger, &records, target);
    if !arguments.allow_bad {
        plan.bad = projection::bad_releases(&records);
    }
    refusal::of_a_bad_release(arguments, &plan)?;
    Ok(plan)
}

/// A dry run is in nobody's way, and waits for nobody.
async fn hold(
    arguments: &Deploy,
    setup: &Setup,
    stream: &StreamName,
) -> Result<Option<Lock>, Problem> {
    if arguments.dry_run {
        return Ok(None);
    }
    holding::lock(setup, stream, &arguments.waiting).await.map(Some)
}

/// A dry run leaves no trace, not even an empty journal.
fn journal(arguments: &Deploy, setup: &Setup) -> Result<Arc<dyn Journal>, Problem> {
    if !arguments.dry_run {
        return setup.journal_or_its_export();
    }
    let existing = setup.existing_journal()?;
    Ok(existing.unwrap_or_else(|| Arc::new(MemoryJournal::new())))
}

/// What is to be looked at for a deployment.
pub(super) fn questions(arguments: &Deploy, setup: &Setup) -> Result<Questions, Problem> {
    let settings = &setup.settings;
    let repository = settings.repository()?.name.clone();
    let wish = target::wish(arguments, setup, &repository)?;
    let role = |choice: &Option<crate::config::value::RoleChoice>| {
        choice.as_ref().map(|choice| match choice {
            crate::config::value::RoleChoice::Arn(arn) => arn.role_name().to_owned(),
            crate::config::value::RoleChoice::Name(name) => name.clone(),
        })
    };
    Ok(Questions {
        region: setup.region()?.clone(),
        endpoint: setup.endpoint(),
        service: settings.service_name()?.clone(),
        repository: Some(match &wish {
            Wish::Reference { repository, .. } => repository.clone(),
            Wish::Build(_) => repository,
        }),
        wish: Some(wish),
        directory: setup.project.clone(),
        access_role: role(&settings.service.access_role),
        instance_role: role(&settings.service.instance_role),
    })
}

/// The stream of what is asked about, in the account of the caller.
pub(super) fn stream(caller: &Caller, asked: &Questions) -> StreamName {
    StreamName {
        account: caller.account.clone(),
        region: asked.region.clone(),
        service: asked.service.clone(),
    }
}

fn composed(
    setup: &Setup,
    seen: &Inventory,
    ledger: &Ledger,
    records: &[Recorded],
    target: Target,
) -> Plan {
    let settings = &setup.settings;
    let health = settings.health.clone().expecting(versions(&target));
    let default_access_role = found(&seen.access_role);
    let intent = Intent::Deploy { target, overlay: overlay(setup, seen), default_access_role };
    Plan {
        id: run::identity(setup, seen, ledger),
        number: ledger.next_number(),
        stream: ledger.stream().clone(),
        endpoint: seen.endpoint.clone(),
        steps: steps::of(&intent, settings.auto_deployments),
        intent,
        auto_deployments: settings.auto_deployments,
        force_restart: settings.force_restart,
        health,
        bad: Vec::new(),
        previous_path: projection::expectation(records).map(|live| live.gate.path),
    }
}

/// The names by which an application may call this release.
fn versions(target: &Target) -> Vec<String> {
    let commit = target.checkout.as_ref().map(|checkout| checkout.commit.to_string());
    commit.into_iter().chain([target.tag.to_string()]).collect()
}

fn found(seen: &Seen) -> Option<RoleArn> {
    seen.role().map(|role| role.arn.clone())
}

/// The changes asked for, with roles that were given by name.
fn overlay(setup: &Setup, seen: &Inventory) -> Overlay {
    let mut overlay = setup.settings.overlay();
    if setup.settings.service.access_role.is_some() {
        overlay.access_role = overlay.access_role.or_else(|| found(&seen.access_role));
    }
    overlay.instance_role = overlay.instance_role.or_else(|| found(&seen.instance_role));
    overlay
}

/// What preflight checks, from the settings.
pub(super) fn checks(setup: &Setup) -> Checks<'_> {
    Checks {
        service: setup.settings.service_name.as_ref().expect("asked for before"),
        repository: setup.settings.repository.as_ref().map(|choice| &choice.name),
        health: &setup.settings.health,
        port: setup.settings.service.port.as_deref(),
    }
}
