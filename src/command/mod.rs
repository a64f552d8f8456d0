//! The commands: one file each. Two levels: what was typed, what is meant.

mod addressed;
pub mod arguments;
mod demo;
mod deploy;
mod guard;
pub mod here;
mod history;
mod holding;
mod journal;
mod logs;
mod mark;
mod moment;
mod newest;
mod picker;
mod preflight;
mod prune;
mod record;
mod recover;
mod resume;
mod rollback;
mod run;
mod sandbox;
mod setup;
mod shared_image;
mod sheet;
mod show;
pub mod signals;
mod stats;
mod status;
mod stream;
mod target;
mod text_only;
mod trouble;
mod verify;

use std::io::Write as _;
use std::sync::Arc;

use clap::CommandFactory as _;

use arguments::{Arguments, Command, Deploy};
use setup::{Need, Reach, Setup};
use signals::First;

use crate::problem::{ExitCode, Problem};
use crate::stop::Stop;
use crate::view::{View, Wish, choose, raw_output};
use crate::world::clock::SystemClock;

/// Runs what was typed, shows how it ended, and says how the process ends.
pub async fn run(arguments: Arguments) -> u8 {
    let wish = Wish { json: arguments.everywhere.json, narrate: false };
    let view = choose(wish, Arc::new(SystemClock::start()));
    let view: Arc<dyn View> = addressed::addressed(view, &arguments.everywhere);
    let ended = match signals::listen(first_signal(&arguments.command)) {
        Ok(stop) => meant(&arguments, view.clone(), stop).await,
        Err(error) => Err(trouble::directory(&error)),
    };
    let (exit, number) = match ended {
        Ok(Ended::Ours(exit)) => (exit, exit.number()),
        Ok(Ended::Theirs(number)) => (ExitCode::Success, number),
        Err(problem) => {
            view.problem(&problem);
            (problem.exit, problem.exit.number())
        }
    };
    view.finish(exit);
    number
}

/// Says in JSON what was wrong with the command line, and how the process ends.
pub fn misread(text: &str) -> u8 {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let because: Vec<String> = lines.map(str::to_owned).collect();
    let problem = trouble::usage(what, "see what there is: `surefoot --help`");
    let problem = because.into_iter().fold(problem, Problem::because);
    let view = choose(Wish { json: true, narrate: false }, Arc::new(SystemClock::start()));
    view.problem(&problem);
    view.finish(problem.exit);
    problem.exit.number()
}

/// How a command ended.
enum Ended {
    /// With an exit code of ours.
    Ours(ExitCode),
    /// With the exit code of a command that was run inside the sandbox.
    Theirs(u8),
}

async fn meant(arguments: &Arguments, view: Arc<dyn View>, stop: Stop) -> Result<Ended, Problem> {
    let exit = match &arguments.command {
        Command::Sandbox(sandbox) => {
            return sandbox::sandbox(sandbox, view.as_ref(), stop).await.map(Ended::Theirs);
        }
        Command::Completions { shell } => {
            return completions(*shell).map(Ended::Ours);
        }
        Command::Demo(demo) => demo::demo(demo, view.as_ref(), stop).await?,
        about_a_service => {
            let deploy = match about_a_service {
                Command::Deploy(deploy) => deploy.clone(),
                _ => Deploy::default(),
            };
            let need = Need {
                reach: reach(about_a_service),
                every_service: matches!(about_a_service, Command::Journal(_) | Command::History(_)),
                goes_by_the_journal: goes_by_the_journal(about_a_service),
            };
            let setup = Setup::new(need, &arguments.everywhere, &deploy, view, stop).await?;
            with_setup(about_a_service, &setup).await?
        }
    };
    Ok(Ended::Ours(exit))
}

/// Who only looks, once, has nothing to bring to an end.
fn first_signal(command: &Command) -> First {
    if command.asks_only() { First::Ends } else { First::Asks }
}

/// What answers from the journal alone starts faster, and works without an AWS configuration.
fn reach(command: &Command) -> Reach {
    match command {
        Command::Status(status) if status.offline => Reach::Journal,
        Command::History(history) if history.offline || history.html.is_some() => Reach::Journal,
        // A repair takes the locks of the services, which know where AWS is.
        Command::Journal(journal) if !journal.command.repairs() => Reach::Journal,
        Command::Show(_) | Command::Stats(_) => Reach::Journal,
        Command::Deploy(_) | Command::Preflight(_) | Command::Prune(_) => Reach::Repository,
        _ => Reach::Aws,
    }
}

/// What goes on, or tells, from the journal alone.
const fn goes_by_the_journal(command: &Command) -> bool {
    matches!(
        command,
        Command::Resume(_)
            | Command::Status(_)
            | Command::History(_)
            | Command::Show(_)
            | Command::Stats(_)
            | Command::Journal(_)
    )
}

async fn with_setup(command: &Command, setup: &Setup) -> Result<ExitCode, Problem> {
    match command {
        Command::Deploy(deploy) => deploy::deploy(deploy, setup).await,
        Command::Resume(resume) => resume::resume(resume, setup).await,
        Command::Rollback(rollback) => rollback::rollback(rollback, setup).await,
        Command::Mark(mark) => mark::mark(mark, setup).await,
        Command::Status(status) => status::status(status, setup).await,
        Command::History(history) => history::history(history, setup).await,
        Command::Show(show) => show::show(show, setup),
        Command::Stats(stats) => stats::stats(stats, setup),
        Command::Verify(_) => verify::verify(setup).await,
        Command::Logs(logs) => logs::logs(logs, setup).await,
        Command::Prune(prune) => prune::prune(prune, setup).await,
        Command::Journal(journal) => journal::journal(&journal.command, setup),
        Command::Preflight(preflight) => preflight::preflight(preflight, setup).await,
        Command::Sandbox(_) | Command::Demo(_) | Command::Completions { .. } => {
            unreachable!("these need no service")
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Problem> {
    let (mut command, mut script) = (Arguments::command(), Vec::new());
    // In memory first: the generator takes no failure for an answer.
    clap_complete::generate(shell, &mut command, "surefoot", &mut script);
    let mut out = raw_output();
    match out.write_all(&script).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(trouble::output(&error))
        }
        _ => Ok(ExitCode::Success),
    }
}
