//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use surefoot::command::{self, arguments::Arguments};

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(command::run(Arguments::parse()).await)
}
