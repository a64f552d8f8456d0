//! `surefoot sandbox`: an App Runner on this machine, for a shell or for one command.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use super::arguments;
use super::trouble;
use crate::problem::{ExitCode, Problem};
use crate::sandbox::Clock;
use crate::sandbox::cloud::switches::Switches;
use crate::sandbox::session::{Engine, LEAKS, OpenError, Options, Sandbox};
use crate::stop::Stop;
use crate::view::{Document, Look, View};
use crate::world::clock::{Clock as _, SystemClock};

/// Opens it, and ends it with the command, or when asked to. The number is the command's own.
pub(super) async fn sandbox(
    arguments: &arguments::Sandbox,
    view: &dyn View,
    stop: Stop,
) -> Result<u8, Problem> {
    let scratch = scratch()?;
    let options = Options {
        speed: arguments.speed,
        state: absolute(arguments.state.as_deref())?,
        engine: engine(&arguments.engine),
        switches: switches(&arguments.switch)?,
        scratch: scratch.path().to_owned(),
    };
    let sandbox = open(options).await?;
    let ended = if let Some((program, rest)) = arguments.command.split_first() {
        inside(&sandbox, program, rest, &stop).await
    } else {
        introduce(&sandbox, view);
        stop.wait().await;
        Ok(ExitCode::Success.number())
    };
    sandbox.close().await;
    ended
}

/// Opens a sandbox, or says why there is none.
pub(super) async fn open(options: Options) -> Result<Sandbox, Problem> {
    Sandbox::open(options, clock()).await.map_err(|error| match &error {
        OpenError::NoDocker(_) => {
            Problem::new(ExitCode::Docker, "docker-not-running", "Docker does not answer")
                .because(&error)
                .hint("start Docker (`sudo systemctl start docker`, or Docker Desktop)")
                .hint("or do without: `surefoot sandbox --engine embedded`")
        }
        OpenError::Io(_) => {
            Problem::new(ExitCode::General, "sandbox-unopened", "the sandbox cannot be opened")
                .caused_by(&error)
                .hint("name a folder that this user can write with --state, or none")
        }
    })
}

/// Milliseconds of the machine's own clock.
fn clock() -> Clock {
    let system = SystemClock::start();
    Arc::new(move || system.now().timestamp_millis())
}

/// A folder that goes with the sandbox.
pub(super) fn scratch() -> Result<tempfile::TempDir, Problem> {
    let made = tempfile::Builder::new().prefix("surefoot-sandbox-").tempdir();
    made.map_err(|error| {
        Problem::new(ExitCode::General, "no-scratch", "cannot make a temporary folder")
            .caused_by(&error)
            .hint("set TMPDIR to a folder that this user can write")
    })
}

fn absolute(folder: Option<&std::path::Path>) -> Result<Option<std::path::PathBuf>, Problem> {
    let absolute = folder.map(std::path::absolute).transpose();
    absolute.map_err(|error| trouble::directory(&error))
}

/// The engine of this name; clap lets no other through.
pub(super) fn engine(name: &str) -> Engine {
    match name {
        "docker" => Engine::Docker,
        "embedded" => Engine::Embedded,
        _ => Engine::Auto,
    }
}

fn switches(pairs: &[String]) -> Result<Switches, Problem> {
    let mut switches = Switches::default();
    for pair in pairs {
        switches
            .set_pair(pair)
            .map_err(|error| trouble::usage(error, "see docs/sandbox.md for every switch"))?;
    }
    Ok(switches)
}

fn introduce(sandbox: &Sandbox, view: &dyn View) {
    view.say(&format!("sandbox  {}", sandbox.endpoint));
    view.say(&sandbox.engine);
    view.say("");
    view.say("In another terminal:");
    view.stream(&Variables(&sandbox.variables));
    view.say("");
    view.say("next: surefoot deploy   (Ctrl-C here ends the sandbox)");
}

/// What a process inside must have in its environment, as lines for a shell.
struct Variables<'a>(&'a BTreeMap<String, String>);

impl Document for Variables<'_> {
    fn name(&self) -> &'static str {
        "variables"
    }

    fn text(&self, _look: Look) -> String {
        let quoted = |value: &str| value.replace('\'', r"'\''");
        let unset = format!("unset {}\n", LEAKS.join(" "));
        let set = self.0.iter().map(|(name, value)| format!("export {name}='{}'\n", quoted(value)));
        std::iter::once(unset).chain(set).collect()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "unset": LEAKS, "export": self.0 })
    }
}

/// Runs a command with the sandbox's environment. Signals reach it too: it is in our group.
async fn inside(
    sandbox: &Sandbox,
    program: &str,
    rest: &[String],
    stop: &Stop,
) -> Result<u8, Problem> {
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::inherit()).envs(&sandbox.variables);
    for name in LEAKS {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| {
        Problem::new(ExitCode::General, "no-command", format!("cannot run `{program}`"))
            .caused_by(&error)
    })?;
    let waited = tokio::select! {
        status = child.wait() => status,
        // It heard the signal as well, and may want to say something before it ends.
        () = stop.wait() => child.wait().await,
    };
    Ok(waited.map_or(ExitCode::General.number(), exit_number))
}

/// As a shell says it: 128 and the signal's number where one ended it.
pub(super) fn exit_number(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
