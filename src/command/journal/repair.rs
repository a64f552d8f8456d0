//! `surefoot journal repair`: a damaged journal moved aside, and brought back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::command::setup::Setup;
use crate::command::{holding, run, trouble};
use crate::event::Event;
use crate::journal::archive::{self, EXPORTS};
use crate::journal::import::ImportError;
use crate::journal::redb::{Repair, RestoredStream};
use crate::journal::{Journal, JournalError};
use crate::ledger::LedgerError;
use crate::names::StreamName;
use crate::problem::{ExitCode, Problem};
use crate::view::documents::{RepairReport, Sound};
use crate::world::clock::{Clock as _, SystemClock};

/// Repairs, and records that it did.
pub(super) fn repair(setup: &Setup) -> Result<ExitCode, Problem> {
    // Nobody deploys a service while its journal is replaced.
    let locks: Vec<_> = streams(setup)
        .iter()
        .map(|stream| holding::lock_now(setup, stream))
        .collect::<Result<_, _>>()?;
    let repaired = setup.repaired_journal(&mut |journal, repair| record(setup, &journal, repair));
    let Some(repair) = repaired.map_err(|error| trouble::repair(&error, setup))? else {
        return sound(setup);
    };
    let journal = setup.journal()?;
    for RestoredStream { stream, .. } in &repair.streams {
        let place = archive::directory(&setup.history, stream);
        let is_damaged =
            |refused: &ImportError| refused.path().is_some_and(|it| it.starts_with(&place));
        if repair.refused.iter().any(is_damaged) {
            put_aside(setup, &place)?;
        }
        run::export(journal.as_ref(), stream, setup);
    }
    drop(locks);
    let exit = if repair.is_partial() { ExitCode::Journal } else { ExitCode::Success };
    setup.view.data(&RepairReport { place: setup.history.clone(), repair });
    Ok(exit)
}

/// The streams that a repair may touch, as far as the names are readable.
fn streams(setup: &Setup) -> Vec<StreamName> {
    let stored = setup.unchecked_journal().and_then(|journal| journal.streams().ok());
    let mut streams: Vec<StreamName> =
        stored.unwrap_or_default().into_iter().map(|head| head.stream).collect();
    let exports = fs::read_dir(setup.history.join(EXPORTS)).into_iter().flatten().flatten();
    for entry in exports {
        let name = entry.file_name().to_string_lossy().replace('.', "/");
        streams.extend(name.parse::<StreamName>().ok());
    }
    streams.sort();
    streams.dedup();
    streams
}

/// A damaged export is kept: what it has beyond its damage may be worth something to somebody.
fn put_aside(setup: &Setup, place: &Path) -> Result<(), Problem> {
    let to = archive::put_aside(&setup.history, place)
        .map_err(|error| trouble::journal(&error, &setup.history))?;
    setup.view.say(&format!("note: the damaged export is kept in {}", to.display()));
    Ok(())
}

/// There is nothing to repair, unless the journal is older than its own export.
fn sound(setup: &Setup) -> Result<ExitCode, Problem> {
    setup.stored_journal()?;
    setup.view.data(&Sound { place: setup.history.clone() });
    Ok(ExitCode::Success)
}

fn record(setup: &Setup, journal: &Arc<dyn Journal>, repair: &Repair) -> Result<(), JournalError> {
    let moved_to = repair.moved_to.as_ref().and_then(|path| path.file_name());
    for stream in &repair.streams {
        let event = Event::JournalRestored {
            damage: repair.damage.to_string(),
            moved_to: moved_to.map(|name| name.to_string_lossy().into_owned()),
            from_export: stream.from_export,
            saved: stream.saved,
            lost: stream.lost(),
        };
        let mut ledger = setup.unchecked_ledger(journal.clone(), stream.stream.clone())?;
        let at = SystemClock::start().now();
        ledger.append_beside(&event, &BTreeMap::new(), at).map_err(|error| match error {
            LedgerError::Journal(error) | LedgerError::Unwritten { source: error, .. } => error,
            other => JournalError::Unreadable { detail: other.to_string() },
        })?;
    }
    Ok(())
}
