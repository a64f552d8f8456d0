//! `surefoot journal import`: the events of an export, judged as a whole before any is written.

use std::path::Path;

use crate::command::arguments::JournalImport;
use crate::command::setup::Setup;
use crate::command::{run, trouble};
use crate::journal::import;
use crate::problem::{ExitCode, Problem};
use crate::view::documents::ImportReport;

/// Imports.
pub(super) fn import(arguments: &JournalImport, setup: &Setup) -> Result<ExitCode, Problem> {
    refuse_standard_input(&arguments.file)?;
    let refused = |error| trouble::import(&error, &setup.history);
    let files = import::files(&arguments.file).map_err(refused)?;
    // A journal that is made for an export that is then refused would be one of nothing.
    if setup.unchecked_journal().is_none() {
        import::judge_a_beginning(&files).map_err(refused)?;
    }
    let journal = setup.journal()?;
    let streams = import::import(journal.as_ref(), &files).map_err(refused)?;
    for stream in streams.iter().filter(|one| one.added > 0) {
        run::export(journal.as_ref(), &stream.stream, setup);
    }
    setup.view.data(&ImportReport { from: arguments.file.clone(), streams });
    Ok(ExitCode::Success)
}

/// An export is judged as a whole before anything of it is written: it is read more than once.
fn refuse_standard_input(file: &Path) -> Result<(), Problem> {
    if file != Path::new("-") {
        return Ok(());
    }
    let what = "an export is read more than once, and standard input cannot be";
    Err(trouble::usage(what, "save it into a file, then: `surefoot journal import FILE`"))
}
