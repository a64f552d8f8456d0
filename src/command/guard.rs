//! What a command refuses before it begins anything: a deployment that is not over, another world,
//! another region, another account.

use std::path::PathBuf;
use std::sync::Arc;

use super::setup::Setup;
use super::{addressed, here, holding, stream, trouble};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::journal::redb::RedbJournal;
use crate::ledger::{Ledger, LedgerError};
use crate::names::{DeploymentNumber, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::in_the_way;
use crate::world::World;
use crate::world::identity::Caller;

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
pub(super) fn refuse_pending_elsewhere(stream: &StreamName, setup: &Setup) -> Result<(), Problem> {
    match left_elsewhere(stream, setup, setup.endpoint().as_deref()) {
        Some((left, journal)) => Err(trouble::elsewhere(in_the_way(&left), &journal)),
        None => Ok(()),
    }
}

/// What another clone on this machine left unfinished, and where its journal is.
pub(super) fn left_elsewhere(
    stream: &StreamName,
    setup: &Setup,
    endpoint: Option<&str>,
) -> Option<(Deployment, PathBuf)> {
    holding::clones(setup, stream, endpoint).into_iter().find_map(|directory| {
        // What cannot be read there is no reason to stop here.
        let journal = RedbJournal::open(&directory).ok()?;
        let ledger = setup.unchecked_ledger(Arc::new(journal), stream.clone()).ok()?;
        Some((pending(&ledger).ok()??, directory))
    })
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

/// The service of a stream is in one region. Where a person named another, neither is quietly taken
/// for the other; what is only a guess gives way.
pub(super) fn refuse_another_region(stream: &StreamName, setup: &Setup) -> Result<(), Problem> {
    let Some((named, origin)) = setup.named_region() else { return Ok(()) };
    let StreamName { region, service, .. } = stream;
    if named == region {
        return Ok(());
    }
    let what = format!("`{service}` of this journal is in {region}, and not in {named}");
    let there = addressed::in_region(&here::typed(), region);
    Err(Problem::new(ExitCode::Preflight, "service-elsewhere", what)
        .because(format!("{named} comes from {origin}"))
        .hint(format!("do the same where the service is: `{there}`")))
}

/// The world and the account that the journal of a service was written against, or none.
pub(super) async fn refuse_another_place(
    world: &World,
    ledger: &Ledger,
    setup: &Setup,
) -> Result<Caller, Problem> {
    refuse_mixed_worlds(ledger, setup)?;
    refuse_another_account(world, ledger.stream(), setup).await
}

/// What another account holds says nothing of this service. Asked before anything is concluded or
/// written.
pub(super) async fn refuse_another_account(
    world: &World,
    stream: &StreamName,
    setup: &Setup,
) -> Result<Caller, Problem> {
    let caller = setup.caller(world, &stream.region).await?;
    let StreamName { account, service, .. } = stream;
    if caller.account == *account {
        return Ok(caller);
    }
    let what = format!(
        "`{service}` of this journal is in account {account}, and these credentials are of {}",
        caller.account
    );
    let typed: Vec<String> = here::typed().iter().map(|word| addressed::quoted(word)).collect();
    Err(Problem::new(ExitCode::Preflight, "service-elsewhere", what)
        .because(format!("AWS takes us for {}", caller.arn))
        .hint(format!(
            "use credentials of account {account}: `AWS_PROFILE=NAME surefoot {}`",
            typed.join(" ")
        )))
}
