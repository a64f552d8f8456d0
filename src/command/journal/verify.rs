//! `surefoot journal verify`: every hash, every chain, every index.

use crate::command::arguments::JournalVerify;
use crate::command::setup::Setup;
use crate::command::trouble;
use crate::event::envelope::EventHash;
use crate::journal::redb::RedbJournal;
use crate::journal::{Journal as _, StreamHead};
use crate::problem::{ExitCode, Problem};
use crate::view::documents::JournalCheck;

/// Checks the journal, and that it still contains what was printed of it elsewhere.
pub(super) fn verify(arguments: &JournalVerify, setup: &Setup) -> Result<ExitCode, Problem> {
    let anchors: Vec<StreamHead> =
        arguments.anchor.iter().map(|line| anchor(line)).collect::<Result<_, _>>()?;
    let journal = setup.stored_journal()?;
    let checked = journal.check().map_err(|error| trouble::journal(&error, &setup.history))?;
    for anchor in &anchors {
        compare(&journal, anchor, setup)?;
    }
    let place = setup.history.clone();
    setup.view.data(&JournalCheck { place, checked, anchors: anchors.len() });
    Ok(ExitCode::Success)
}

/// A line of `journal head`: stream, sequence, hash.
fn anchor(line: &str) -> Result<StreamHead, Problem> {
    let parsed = || {
        let [stream, sequence, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        let hash = EventHash::try_from(hash.to_owned()).ok()?;
        Some(StreamHead { stream: stream.parse().ok()?, sequence: sequence.parse().ok()?, hash })
    };
    parsed().ok_or_else(|| {
        let line = crate::text::printable(line, 200);
        trouble::usage(
            format!("`{line}` is no anchor"),
            "give a line of `surefoot journal head`, in quotes: stream, number, hash",
        )
    })
}

fn compare(journal: &RedbJournal, anchor: &StreamHead, setup: &Setup) -> Result<(), Problem> {
    let event = journal.event(&anchor.stream, anchor.sequence);
    let event = event.map_err(|error| trouble::journal(&error, &setup.history))?;
    let (sequence, stream) = (anchor.sequence, &anchor.stream);
    let (what, because) = match event {
        Some(event) if event.hash() == anchor.hash => return Ok(()),
        Some(event) => (
            format!("event {sequence} of {stream} is not what it was"),
            format!("its hash was {}, it is {}", anchor.hash, event.hash()),
        ),
        None => (
            format!("the journal ends before event {sequence} of {stream}"),
            format!("the anchor says that it was there, with the hash {}", anchor.hash),
        ),
    };
    Err(Problem::new(ExitCode::Journal, "anchor-mismatch", what)
        .because(because)
        .leaves("The journal holds together by itself, and is not the one that printed the anchor.")
        .hint("keep it, and import the export of the machine that printed the anchor elsewhere: `surefoot journal import FILE --history-dir DIR`"))
}
