//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use surefoot::command::{self, arguments::Arguments};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    // Before anything is started: `--version` and `--help` cost nothing.
    match Arguments::try_parse() {
        Ok(arguments) => begin(arguments),
        Err(error) => misread(&error),
    }
}

/// Help and version too are no arguments to begin with. Whoever reads JSON is told in JSON.
fn misread(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        return ExitCode::from(command::misread(&error.to_string()));
    }
    error.exit()
}

/// Threads for commands that serve or build; what only asks starts faster without.
fn begin(arguments: Arguments) -> ExitCode {
    let mut builder = if arguments.command.runs_on_one_thread() {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let runtime = builder.enable_all().build().expect("a process can start its own threads");
    ExitCode::from(runtime.block_on(command::run(arguments)))
}
