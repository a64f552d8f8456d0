//! The lock of a service: taken, waited for, or found in other hands.

use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory as _;

use super::arguments::{Arguments, Waiting};
use super::setup::Setup;
use super::{guard, here, stream, trouble};
use crate::ledger::Ledger;
use crate::lock::{self, Lock, LockError, Owner};
use crate::names::StreamName;
use crate::problem::{ExitCode, Problem};
use crate::world::clock::{Clock as _, SystemClock};

/// How long `--lock-wait` sleeps between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Takes the lock of the service, or says who has it. Where it was asked for, waits until it is free.
pub(super) async fn lock(
    setup: &Setup,
    stream: &StreamName,
    waiting: &Waiting,
) -> Result<Lock, Problem> {
    let patience = patience(waiting)?;
    let (clock, mut waited) = (SystemClock::start(), Duration::ZERO);
    let mut told = None;
    loop {
        let held = match attempt(setup, stream) {
            Err(LockError::Held(owner)) if waited < patience => owner,
            other => {
                return other.map_err(|error| could_wait(trouble::lock(&error, stream)));
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

/// A service that is held, with its journal to write into; nothing where the journal knows none.
pub(super) async fn claim(
    setup: &Setup,
    waiting: &Waiting,
) -> Result<Option<(Lock, Ledger)>, Problem> {
    let Some(journal) = setup.kept_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    guard::refuse_another_region(&stream, setup)?;
    let held = lock(setup, &stream, waiting).await?;
    Ok(Some((held, setup.ledger(journal, stream)?)))
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
    holder(setup, stream, endpoint).as_ref().map(trouble::held_by)
}

/// Whether a prune holds the service on this machine now.
pub(super) fn prune_at_work(setup: &Setup, stream: &StreamName, endpoint: Option<&str>) -> bool {
    holder(setup, stream, endpoint).as_ref().is_some_and(trouble::is_a_prune)
}

fn holder(setup: &Setup, stream: &StreamName, endpoint: Option<&str>) -> Option<Owner> {
    lock::holder(&locks(setup), stream, endpoint.unwrap_or_default())
}

/// The directories of the journals that other clones on this machine have of a service.
pub(super) fn clones(setup: &Setup, stream: &StreamName, endpoint: Option<&str>) -> Vec<PathBuf> {
    let mut journals = lock::journals(&locks(setup), stream, endpoint.unwrap_or_default());
    let ours = own_journal(setup);
    journals.retain(|journal| *journal != ours);
    journals
}

fn own_journal(setup: &Setup) -> PathBuf {
    std::path::absolute(&setup.history).unwrap_or_else(|_| setup.history.clone())
}

fn locks(setup: &Setup) -> PathBuf {
    here::state_directory(&setup.environment).join("locks")
}

/// The command of this process, without its options: they are nobody else's business.
fn command() -> String {
    let known = Arguments::command();
    let is_command = |word: &String| known.get_subcommands().any(|one| one.get_name() == word);
    let words = || std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let command = words().skip(1).find(is_command);
    words().take(1).chain(command).collect::<Vec<_>>().join(" ")
}

fn attempt(setup: &Setup, stream: &StreamName) -> Result<Lock, LockError> {
    let directory = locks(setup);
    let world = setup.endpoint().unwrap_or_default();
    let since = SystemClock::start().now();
    let owner = Owner {
        user: setup.actor.user.clone(),
        host: setup.actor.host.clone(),
        pid: std::process::id(),
        command: command(),
        ci_run: setup.actor.ci_run.clone(),
        since: since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        journals: vec![own_journal(setup)],
    };
    lock::take(&directory, stream, &world, &owner)
}
