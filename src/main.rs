//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use surefoot::command::{self, arguments::Arguments};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    // Before anything is started: `--version` and `--help` cost nothing.
    let arguments = Arguments::parse();
    begin(arguments)
}

/// Threads for commands that serve or build; what only asks starts faster without.
fn begin(arguments: Arguments) -> ExitCode {
    let mut builder = if arguments.command.asks_only() {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let runtime = builder.enable_all().build().expect("a process can start its own threads");
    ExitCode::from(runtime.block_on(command::run(arguments)))
}
