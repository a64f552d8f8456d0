//! Runs a deployment that was planned or taken up, and says how it ended.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::arguments::Waiting;
use super::setup::Setup;
use super::{here, stream, trouble};
use crate::engine::Engine;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::journal::Journal;
use crate::journal::archive::{self, Archived};
use crate::journal::redb::RedbJournal;
use crate::ledger::{Ledger, LedgerError};
use crate::lock::{self, Lock, LockError, Owner};
use crate::names::{DeploymentId, DeploymentNumber, StreamName, ValueHash};
use crate::plan::identity::Facts;
use crate::plan::inventory::Inventory;
use crate::plan::{Plan, TargetOrigin};
use crate::problem::{ExitCode, Problem};
use crate::projection::{in_the_way, problem_of, standing, summary};
use crate::world::World;
use crate::world::clock::{Clock as _, SystemClock};

/// How a deployment is run.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// What planning saw.
    pub inventory: Option<Inventory>,
    /// Whether the application's log is shown.
    pub tail: bool,
}

/// How long `--lock-wait` sleeps between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// A lock, for as long as this lives.
pub(super) struct Held {
    lock: Lock,
    /// Whether somebody else had it before: what was seen until then may be gone.
    pub(super) waited: bool,
}

/// Takes the lock of the service, or says who has it. Where it was asked for, waits until it is free.
pub(super) async fn lock(
    setup: &Setup,
    stream: &StreamName,
    waiting: &Waiting,
) -> Result<Held, Problem> {
    let patience = patience(waiting)?;
    let (clock, mut waited) = (SystemClock::start(), Duration::ZERO);
    let mut told = None;
    loop {
        let held = match attempt(setup, stream) {
            Err(LockError::Held(owner)) if waited < patience => owner,
            other => {
                let lock = other.map_err(|error| could_wait(trouble::lock(&error, stream)))?;
                return Ok(Held { lock, waited: told.is_some() });
            }
        };
        if told.as_ref() != Some(&held) {
            setup.view.say(&trouble::waiting(held.as_deref(), stream));
            told = Some(held);
        }
        tokio::select! {
            () = setup.stop.wait() => return Err(trouble::stopped_waiting()),
            () = clock.sleep(LOCK_PAUSE) => waited += LOCK_PAUSE,
        }
    }
}

/// Only commands that wait for a lock offer to.
fn could_wait(locked: Problem) -> Problem {
    if locked.exit != ExitCode::Locked {
        return locked;
    }
    locked.hint("or let it wait for that: the same command with `--lock-wait`")
}

/// A bare number would more likely be a deployment's than a time.
fn patience(waiting: &Waiting) -> Result<Duration, Problem> {
    let Some(text) = &waiting.lock_wait else { return Ok(Duration::ZERO) };
    let parsed = match text.parse::<u64>() {
        Ok(_) => Err("a number needs a unit".to_owned()),
        Err(_) => crate::config::units::parse_duration(text),
    };
    parsed.map_err(|why| {
        let text = crate::text::printable(text, 80);
        trouble::usage(
            format!("`--lock-wait {text}`: {why}"),
            "write it with its unit, such as `--lock-wait 10m`, and last on the line without one",
        )
    })
}

/// Takes the lock of the service now, or says who has it.
pub(super) fn lock_now(setup: &Setup, stream: &StreamName) -> Result<Lock, Problem> {
    attempt(setup, stream).map_err(|error| trouble::lock(&error, stream))
}

/// Who deploys the service on this machine now, in words.
pub(super) fn at_work(
    setup: &Setup,
    stream: &StreamName,
    endpoint: Option<&str>,
) -> Option<String> {
    lock::holder(&locks(setup), stream, endpoint.unwrap_or_default()).as_ref().map(trouble::held_by)
}

fn locks(setup: &Setup) -> PathBuf {
    here::state_directory(&setup.environment).join("locks")
}

fn attempt(setup: &Setup, stream: &StreamName) -> Result<Lock, LockError> {
    let directory = locks(setup);
    let world = setup.endpoint().unwrap_or_default();
    let since = SystemClock::start().now();
    let owner = Owner {
        user: setup.actor.user.clone(),
        host: setup.actor.host.clone(),
        pid: std::process::id(),
        command: std::env::args().take(2).collect::<Vec<_>>().join(" "),
        ci_run: setup.actor.ci_run.clone(),
        since: since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        journals: vec![
            std::path::absolute(&setup.history).unwrap_or_else(|_| setup.history.clone()),
        ],
    };
    lock::take(&directory, stream, &world, &owner)
}

/// The newest deployment, if it is not over.
pub(super) fn pending(ledger: &Ledger) -> Result<Option<Deployment>, LedgerError> {
    let last = ledger.next_number().0 - 1;
    if last == 0 {
        return Ok(None);
    }
    let deployment = ledger.deployment(DeploymentNumber(last))?;
    Ok((!deployment.is_over()).then_some(deployment))
}

/// A second deployment is not begun beside an unfinished one.
pub(super) fn refuse_pending(ledger: &Ledger, setup: &Setup) -> Result<(), Problem> {
    let pending = pending(ledger).map_err(|error| trouble::reading(&error, &setup.history))?;
    pending.map_or(Ok(()), |deployment| Err(in_the_way(&deployment)))
}

/// Another clone on this machine has a journal of its own: what it left unfinished is in the way, too.
pub(super) fn refuse_pending_elsewhere(
    held: Option<&Held>,
    stream: &StreamName,
    setup: &Setup,
) -> Result<(), Problem> {
    let others = held.into_iter().flat_map(|held| held.lock.journals.iter().skip(1));
    for directory in others {
        // What cannot be read there is no reason to stop here.
        let Ok(journal) = RedbJournal::open(directory) else { continue };
        let Ok(ledger) = setup.ledger(Arc::new(journal), stream.clone()) else { continue };
        if let Ok(Some(deployment)) = pending(&ledger) {
            return Err(trouble::elsewhere(in_the_way(&deployment), directory));
        }
    }
    Ok(())
}

/// AWS cannot be reached: where the journal knows of an unfinished deployment, that comes first.
pub(super) fn pending_before(unreachable: Problem, setup: &Setup) -> Problem {
    let unfinished = || -> Option<Problem> {
        let journal = setup.remembered()?;
        let stream = stream::choose(journal.as_ref(), setup).ok()??;
        refuse_pending(&setup.ledger(journal, stream).ok()?, setup).err()
    };
    if unreachable.code != "aws-unreachable" {
        return unreachable;
    }
    match unfinished().filter(|problem| problem.exit == ExitCode::Pending) {
        Some(pending) => pending.because(format!("besides, surefoot {}", unreachable.what)),
        None => unreachable,
    }
}

/// The sandbox and AWS never share a stream.
pub(super) fn refuse_mixed_worlds(ledger: &Ledger, setup: &Setup) -> Result<(), Problem> {
    let recorded = ledger.entries().iter().rev().find_map(|entry| match &entry.event {
        Ok(Event::DeploymentPlanned(plan)) => Some(plan.endpoint.clone()),
        Ok(Event::RecordRecovered { endpoint, .. }) => Some(endpoint.clone()),
        _ => None,
    });
    let Some(before) = recorded else { return Ok(()) };
    refuse_other_world(before.as_ref(), ledger.stream(), setup)
}

/// What was written against one world says nothing of another.
pub(super) fn refuse_other_world(
    before: Option<&String>,
    stream: &StreamName,
    setup: &Setup,
) -> Result<(), Problem> {
    let now = setup.endpoint();
    if before == now.as_ref() {
        return Ok(());
    }
    let name = |world: Option<&String>| world.cloned().unwrap_or_else(|| "AWS".into());
    let what = format!("the journal of `{}` belongs to another world", stream.service);
    Err(Problem::new(ExitCode::Journal, "mixed-worlds", what)
        .because(format!("it was written against {}, this is {}", name(before), name(now.as_ref())))
        .hint("name another journal: `--history-dir DIR`"))
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
    };
    let ended = engine.run(deployment).await;
    if ended.is_ok() {
        export(ledger.journal(), ledger.stream(), setup);
    }
    match ended {
        Ok(deployment) => {
            let now = world.clock.now();
            setup.view.summary(&summary(&deployment, started.unwrap_or(now), now));
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
            setup.view.say(&format!("note: an export of another history is kept in {place}"));
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

/// The journal failed in the middle: what is known is what it holds.
fn journal_failed(
    error: &LedgerError,
    setup: &Setup,
    ledger: &Ledger,
    number: DeploymentNumber,
) -> Problem {
    let known = ledger.deployment(number).ok();
    let leaves = known.as_ref().map_or_else(|| "Nothing was changed.".into(), standing);
    let resume = "when the journal can be written again: `surefoot resume`".to_owned();
    trouble::ledger(error, &setup.history, leaves, resume)
}
