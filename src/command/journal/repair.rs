//! `surefoot journal repair`: a damaged journal moved aside, and brought back.

use std::collections::BTreeMap;
use std::fs;

use crate::command::setup::Setup;
use crate::command::{holding, run, trouble};
use crate::event::Event;
use crate::journal::Journal as _;
use crate::journal::archive::EXPORTS;
use crate::journal::redb::{Repair, RestoredStream};
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
    let repaired = setup.repaired_journal().map_err(|error| trouble::repair(&error, setup))?;
    let Some(repair) = repaired else {
        setup.view.data(&Sound { place: setup.history.clone() });
        return Ok(ExitCode::Success);
    };
    for stream in &repair.streams {
        record(setup, &repair, stream)?;
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

fn record(setup: &Setup, repair: &Repair, stream: &RestoredStream) -> Result<(), Problem> {
    let moved_to = repair.moved_to.as_ref().and_then(|path| path.file_name());
    let event = Event::JournalRestored {
        damage: repair.damage.to_string(),
        moved_to: moved_to.map(|name| name.to_string_lossy().into_owned()),
        from_export: stream.from_export,
        saved: stream.saved,
    };
    let journal = setup.journal()?;
    let mut ledger = setup.ledger(journal.clone(), stream.stream.clone())?;
    let at = SystemClock::start().now();
    ledger
        .append_beside(&event, &BTreeMap::new(), at)
        .map_err(|error| trouble::reading(&error, &setup.history))?;
    run::export(journal.as_ref(), &stream.stream, setup);
    Ok(())
}
