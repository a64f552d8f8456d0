//! `surefoot journal`: the journal's own commands.

mod export;
mod head;
mod import;
mod repair;
mod verify;

use super::arguments::JournalCommand;
use super::setup::Setup;
use crate::problem::{ExitCode, Problem};

/// Does what is asked for. None of it asks AWS anything.
pub(super) fn journal(command: &JournalCommand, setup: &Setup) -> Result<ExitCode, Problem> {
    match command {
        JournalCommand::Verify(verify) => verify::verify(verify, setup),
        JournalCommand::Export(export) => export::export(export, setup),
        JournalCommand::Import(import) => import::import(import, setup),
        JournalCommand::Head => head::head(setup),
        JournalCommand::Repair => repair::repair(setup),
    }
}
