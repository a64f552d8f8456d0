//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use surefoot::command::{self, arguments::Arguments};

fn main() -> ExitCode {
    // Before anything is started: `--version` and `--help` cost nothing.
    let arguments = Arguments::parse();
    begin(arguments)
}

#[tokio::main]
async fn begin(arguments: Arguments) -> ExitCode {
    ExitCode::from(command::run(arguments).await)
}
