//! The commands: one file each. Two levels: what was typed, what is meant.

pub mod arguments;
mod deploy;
pub mod here;
mod logs;
mod preflight;
mod record;
mod resume;
mod run;
mod setup;
mod sheet;
pub mod signals;
mod stream;
mod trouble;

use std::sync::Arc;

use clap::CommandFactory as _;

use arguments::{Arguments, Command, Deploy};
use setup::Setup;

use crate::problem::{ExitCode, Problem};
use crate::stop::Stop;
use crate::view::{View, Wish, choose};
use crate::world::clock::SystemClock;

/// Runs what was typed, shows how it ended, and says how the process ends.
pub async fn run(arguments: Arguments) -> ExitCode {
    let wish = Wish { json: arguments.everywhere.json, narrate: false };
    let view: Arc<dyn View> = choose(wish, Arc::new(SystemClock::start())).into();
    let exit = match meant(arguments, view.clone()).await {
        Ok(exit) => exit,
        Err(problem) => {
            view.problem(&problem);
            problem.exit
        }
    };
    view.finish(exit);
    exit
}

async fn meant(arguments: Arguments, view: Arc<dyn View>) -> Result<ExitCode, Problem> {
    let stop = signals::listen().map_err(|error| trouble::directory(&error))?;
    let setup = async |deploy: &Deploy, stop: Stop| {
        Setup::new(&arguments.everywhere, deploy, view.clone(), stop).await
    };
    let plain = Deploy::default();
    match &arguments.command {
        Command::Deploy(deploy) => deploy::deploy(deploy, &setup(deploy, stop).await?).await,
        Command::Resume(resume) => resume::resume(resume, &setup(&plain, stop).await?).await,
        Command::Status(status) => record::status(status, &setup(&plain, stop).await?).await,
        Command::History(history) => record::history(history, &setup(&plain, stop).await?),
        Command::Show(show) => record::show(show, &setup(&plain, stop).await?),
        Command::Logs(logs) => logs::logs(logs, &setup(&plain, stop).await?).await,
        Command::Preflight(preflight) => {
            preflight::preflight(preflight, &setup(&plain, stop).await?).await
        }
        Command::Sandbox(_) | Command::Demo(_) => Err(trouble::not_yet("the sandbox")),
        Command::Completions { shell } => {
            completions(*shell);
            Ok(ExitCode::Success)
        }
    }
}

fn completions(shell: clap_complete::Shell) {
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "surefoot", &mut std::io::stdout());
}
