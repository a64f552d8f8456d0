//! `surefoot journal head`: where every stream ends.

use crate::command::setup::Setup;
use crate::command::trouble;
use crate::journal::Journal as _;
use crate::problem::{ExitCode, Problem};
use crate::view::documents::JournalHeads;

/// Prints the anchors.
pub(super) fn head(setup: &Setup) -> Result<ExitCode, Problem> {
    let heads = setup.stored_journal()?.streams();
    let heads = heads.map_err(|error| trouble::journal(&error, &setup.history))?;
    setup.view.data(&JournalHeads { heads });
    Ok(ExitCode::Success)
}
