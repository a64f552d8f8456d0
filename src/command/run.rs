//! Runs a deployment that was planned or taken up, and says how it ended.

use std::collections::BTreeMap;
use std::error::Error as _;

use super::setup::Setup;
use super::{here, trouble};
use crate::engine::Engine;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::journal::Journal;
use crate::journal::archive::{self, Archived};
use crate::ledger::{Ledger, LedgerError};
use crate::names::{DeploymentId, DeploymentNumber, StreamName, ValueHash};
use crate::plan::identity::Facts;
use crate::plan::inventory::Inventory;
use crate::plan::{Plan, TargetOrigin};
use crate::problem::{ExitCode, Problem};
use crate::projection::{problem_of, standing, summary};
use crate::step::Told;
use crate::world::World;

/// How a deployment is run.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// What planning saw.
    pub inventory: Option<Inventory>,
    /// Whether the application's log is shown.
    pub tail: bool,
}

/// Who the next deployment is: its identity follows from what was seen.
pub(super) fn identity(setup: &Setup, seen: &Inventory, ledger: &Ledger) -> DeploymentId {
    let facts = Facts {
        stream: ledger.stream(),
        number: ledger.next_number(),
        head: ledger.head(),
        newest_operation: seen.operations.first().map(|operation| &operation.id),
        place: &here::place(&setup.actor, &setup.history),
    };
    facts.deployment()
}

/// Begins a deployment: the plan is durable before the first effect.
pub(super) async fn begin(
    plan: Plan,
    setup: &Setup,
    world: &World,
    mut ledger: Ledger,
    options: Options,
) -> Result<ExitCode, Problem> {
    let values = values(&plan, setup);
    let deployment = Deployment::begin(plan.clone());
    let (number, event) = (plan.number, Event::DeploymentPlanned(Box::new(plan)));
    let at = world.clock.now();
    ledger
        .append(number, &event, &values, at)
        .map_err(|error| trouble::reading(&error, &setup.history))?;
    setup.view.event(&event, &deployment, at, world.clock.elapsed());
    go_on(deployment, setup, world, ledger, options).await
}

/// The plain values that a plan refers to by their hashes.
fn values(plan: &Plan, setup: &Setup) -> BTreeMap<ValueHash, String> {
    let mut values = setup.values().by_hash();
    if plan.target().is_some_and(|target| matches!(target.origin, TargetOrigin::Build { .. })) {
        values.extend(setup.settings.build.arguments.by_hash());
    }
    values
}

/// Brings a deployment to its end, and says how it ended.
pub(super) async fn go_on(
    deployment: Deployment,
    setup: &Setup,
    world: &World,
    mut ledger: Ledger,
    options: Options,
) -> Result<ExitCode, Problem> {
    let number = deployment.plan.number;
    let started = started(&ledger, number);
    let mut engine = Engine {
        world,
        ledger: &mut ledger,
        view: setup.view.as_ref(),
        times: setup.settings.times,
        stop: setup.stop.clone(),
        inventory: options.inventory,
        tail: options.tail,
        told: Told::default(),
    };
    let ended = engine.run(deployment).await;
    if ended.is_ok() {
        export(ledger.journal(), ledger.stream(), setup);
    }
    match ended {
        Ok(deployment) => {
            // As the journal has it: what `history` says of it later.
            let ended = last_word(&ledger, number).unwrap_or_else(|| world.clock.now());
            setup.view.summary(&summary(&deployment, started.unwrap_or(ended), ended));
            match problem_of(&deployment) {
                Some(problem) => Err(problem),
                None => Ok(deployment.exit_code()),
            }
        }
        Err(error) => Err(journal_failed(&error, setup, &ledger, number)),
    }
}

/// Brings the export up to the journal. It is no part of a deployment: where it cannot be written,
/// that is said, and nothing else changes.
pub(super) fn export(journal: &dyn Journal, stream: &StreamName, setup: &Setup) {
    match archive::update(journal, &setup.history, stream) {
        Ok(Some(Archived { parted: Some(parted), .. })) => {
            let place = parted.display();
            let what = "an export that the journal does not contain is kept in";
            setup.view.say(&format!("note: {what} {place}"));
        }
        Ok(_) => {}
        Err(error) => {
            let because = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            setup.view.say(&format!("warning: the export could not be written: {error}{because}"));
        }
    }
}

fn started(ledger: &Ledger, number: DeploymentNumber) -> Option<chrono::DateTime<chrono::Utc>> {
    ledger.entries().iter().find(|entry| entry.deployment == Some(number)).map(|entry| entry.at)
}

fn last_word(ledger: &Ledger, number: DeploymentNumber) -> Option<chrono::DateTime<chrono::Utc>> {
    ledger.entries().iter().rfind(|entry| entry.deployment == Some(number)).map(|entry| entry.at)
}

/// The journal failed in the middle: what is known is what it holds, and what could not be written.
fn journal_failed(
    error: &LedgerError,
    setup: &Setup,
    ledger: &Ledger,
    number: DeploymentNumber,
) -> Problem {
    let known = ledger.deployment(number).ok();
    let leaves = known.as_ref().map_or_else(|| "Nothing was changed.".into(), standing);
    let resume = "when the journal can be written again: `surefoot resume`".to_owned();
    let problem = trouble::ledger(error, &setup.history, leaves, resume);
    match error.unwritten_operation() {
        Some(operation) => problem.because(format!(
            "App Runner works on operation {operation}, or did: that could not be written down"
        )),
        None => problem,
    }
}
