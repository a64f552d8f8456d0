//! `surefoot resume`: go on, go back, or close an unfinished deployment. The same engine, the same
//! steps: nothing here knows how far it came.

use std::collections::BTreeMap;

use super::arguments::Resume;
use super::run::{self, Options};
use super::setup::Setup;
use super::{guard, holding, mark, show, trouble};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::ledger::Ledger;
use crate::names::StreamName;
use crate::plan::Intent;
use crate::problem::{ExitCode, Problem};
use crate::projection::{RECOVERED, standing};
use crate::world::World;

/// Goes on.
pub(super) async fn resume(arguments: &Resume, setup: &Setup) -> Result<ExitCode, Problem> {
    let reason = arguments.reason.as_deref().map(mark::reason).transpose()?;
    let Some((lock, mut ledger)) = holding::claim(setup, &arguments.waiting).await? else {
        return nothing_here(setup).await;
    };
    let Some(deployment) = unfinished(arguments, setup, &ledger)? else {
        guard::refuse_pending_elsewhere(ledger.stream(), setup)?;
        return Ok(nothing(setup));
    };
    guard::refuse_mixed_worlds(&ledger, setup)?;
    refuse_to_take_a_rollback_back(arguments, &deployment)?;
    let world = setup.world_at(ledger.stream());
    let event = match reason {
        Some(reason) if arguments.abandon => Event::DeploymentAbandoned { reason },
        _ => Event::Resumed {
            backwards: arguments.rollback || deployment.backwards,
            proves_again: true,
        },
    };
    if matches!(event, Event::Resumed { .. }) {
        let ours = guard::refuse_another_account(&world, ledger.stream(), setup).await;
        ours.map_err(|problem| still_unfinished(problem, &deployment))?;
    }
    let deployment = record(deployment, &event, setup, &world, &mut ledger)?;
    let ended = run::go_on(deployment, setup, &world, ledger, Options::default()).await;
    drop(lock);
    ended
}

/// Who cannot be told that he is in the right place does not go on: all is as it was.
fn still_unfinished(mut problem: Problem, deployment: &Deployment) -> Problem {
    if problem.exit == ExitCode::Credentials || problem.code == "aws-unreachable" {
        problem.exit = ExitCode::Paused;
        problem = problem.hint("then go on where it stopped: `surefoot resume`");
    }
    problem.leaves(standing(deployment))
}

fn refuse_to_take_a_rollback_back(
    arguments: &Resume,
    deployment: &Deployment,
) -> Result<(), Problem> {
    if !arguments.rollback || matches!(deployment.plan.intent, Intent::Deploy { .. }) {
        return Ok(());
    }
    let what = format!("{} is a rollback itself, and is not taken back", deployment.plan.number);
    Err(trouble::usage(what, "go on with it: `surefoot resume`"))
}

/// Safe to run blindly in CI.
fn nothing(setup: &Setup) -> ExitCode {
    setup.view.say("nothing to resume");
    ExitCode::Success
}

/// The journal of this clone knows nothing. Another clone's on this machine may, and lies elsewhere: as
/// far as it can be told whose service is meant.
async fn nothing_here(setup: &Setup) -> Result<ExitCode, Problem> {
    let (Ok(service), Ok(region)) = (setup.settings.service_name(), setup.region()) else {
        return Ok(nothing(setup));
    };
    if let Ok(caller) = setup.world().identity.caller().await {
        let (service, region) = (service.clone(), region.clone());
        let stream = StreamName { account: caller.account, region, service };
        // What somebody is at work on needs nobody to go on with it.
        if holding::lock_now(setup, &stream).is_ok() {
            guard::refuse_pending_elsewhere(&stream, setup)?;
        }
    }
    Ok(nothing(setup))
}

fn unfinished(
    arguments: &Resume,
    setup: &Setup,
    ledger: &Ledger,
) -> Result<Option<Deployment>, Problem> {
    let reading = |error| trouble::reading(&error, &setup.history);
    let Some(text) = &arguments.number else { return guard::pending(ledger).map_err(reading) };
    let number = show::number(text)?;
    if number == RECOVERED {
        let what = format!("{number} is no deployment: it ran before this journal began");
        return Err(trouble::usage(what, "see what can be resumed: `surefoot status`"));
    }
    if number >= ledger.next_number() {
        return Err(show::unknown(number));
    }
    let deployment = ledger.deployment(number).map_err(reading)?;
    Ok((!deployment.is_over()).then_some(deployment))
}

fn record(
    deployment: Deployment,
    event: &Event,
    setup: &Setup,
    world: &World,
    ledger: &mut Ledger,
) -> Result<Deployment, Problem> {
    let number = deployment.plan.number;
    let after = deployment.evolve(event).map_err(|error| trouble::illegal(&error))?;
    let at = world.clock.now();
    ledger
        .append(number, event, &BTreeMap::new(), at)
        .map_err(|error| trouble::reading(&error, &setup.history))?;
    setup.view.event(event, &after, at, world.clock.elapsed());
    Ok(after)
}
