//! A git project with the demo's web application.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::World;
use super::process::{Ended, Run, shell};

/// What every project is built from.
const DOCKERFILE: &str = "FROM scratch\n\
    COPY app /app\n\
    COPY index.html health.json app.conf /\n\
    ENTRYPOINT [\"/app\"]\n";

/// A project and its history.
pub(in crate::command) struct Project<'a> {
    world: &'a World,
    directory: TempDir,
    history: PathBuf,
    service: String,
    variables: BTreeMap<String, String>,
}

impl<'a> Project<'a> {
    /// A project whose service and repository have this name, with one commit.
    pub(in crate::command) fn new(world: &'a World, service: &str) -> Self {
        let project = Self {
            world,
            directory: TempDir::new().unwrap(),
            history: world.folder("histories").join(service),
            service: service.to_owned(),
            variables: BTreeMap::new(),
        };
        project.write("Dockerfile", DOCKERFILE);
        fs::write(project.path().join("app"), application()).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(project.path().join("app"), mode).unwrap();
        project.write("index.html", "release one\n");
        project.write("health.json", "{\"status\": \"ok\"}\n");
        project.write("app.conf", "\n");
        project.git("init --quiet");
        project.commit("release one");
        project
    }

    /// The same project with its own history: another machine, or another clone.
    pub(in crate::command) fn cloned(&self, history: &str) -> Self {
        let directory = TempDir::new().unwrap();
        shell(&format!("cp -a {}/. {}", self.path().display(), directory.path().display()));
        Self {
            world: self.world,
            directory,
            history: self.world.folder("histories").join(history),
            service: self.service.clone(),
            variables: self.variables.clone(),
        }
    }

    pub(in crate::command) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where its journal is.
    pub(in crate::command) fn history(&self) -> &Path {
        &self.history
    }

    /// One more variable for every process.
    pub(in crate::command) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// No such variable for any process: an empty one counts as none.
    pub(in crate::command) fn unset(&mut self, name: &str) {
        self.set(name, "");
    }

    pub(in crate::command) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The next release answers its health check with this label; so does a stand-in for it.
    pub(in crate::command) fn answers_with_label(&self, name: &str, word: &str) {
        self.write("Dockerfile", &format!("{DOCKERFILE}LABEL {name}=\"{word}\"\n"));
        let answer = json!({"status": "ok", "labels": {name: word}});
        self.write("health.json", &format!("{answer}\n"));
    }

    /// Everything as one commit.
    pub(in crate::command) fn commit(&self, subject: &str) {
        self.git("add --all");
        let who = "-c user.name=T -c user.email=t@example.com -c commit.gpgsign=false";
        self.git(&format!("{who} commit --quiet --allow-empty -m '{subject}'"));
    }

    /// Another page, committed.
    pub(in crate::command) fn release(&self, page: &str) {
        self.write("index.html", &format!("{page}\n"));
        self.commit(page);
    }

    pub(in crate::command) fn git(&self, line: &str) -> String {
        shell(&format!("git -C '{}' {line}", self.path().display()))
    }

    /// The tag a clean tree gets.
    pub(in crate::command) fn tag(&self) -> String {
        self.git("rev-parse HEAD")[..12].to_owned()
    }

    /// The binary with these arguments, in this directory, with the sandbox's variables alone.
    pub(in crate::command) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_surefoot"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(&self.world.variables)
            .env("SUREFOOT_HISTORY_DIR", &self.history)
            .env("SERVICE_NAME", &self.service)
            .env("ECR_REPOSITORY", &self.service)
            .envs(&self.variables);
        command
    }

    /// The same, started by somebody who wants hang-ups treated so (`default`, `ignore`), whatever the
    /// tests themselves were started with.
    pub(in crate::command) fn hanging_up(&self, so: &str, arguments: &[&str]) -> Command {
        let inner = self.command(arguments);
        let variables = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut command = Command::new("/usr/bin/env");
        command.env_clear().envs(variables).current_dir(self.path());
        command.arg(format!("--{so}-signal=HUP")).arg(inner.get_program()).args(inner.get_args());
        command
    }

    /// Starts the binary.
    pub(in crate::command) fn start(&self, arguments: &[&str]) -> Run {
        Run::start(self.command(arguments))
    }

    /// Runs the binary to its end.
    pub(in crate::command) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// `surefoot deploy`, which must work.
    #[track_caller]
    pub(in crate::command) fn deploy(&self) -> Ended {
        self.run(&["deploy"]).exits(0)
    }

    /// `surefoot deploy --json`, whatever comes of it.
    pub(in crate::command) fn deploy_json(&self) -> Ended {
        self.run(&["deploy", "--json"])
    }
}

/// The demo's web application.
fn application() -> &'static [u8] {
    let application = surefoot::demo::APPLICATION;
    assert!(!application.is_empty(), "this machine cannot link the application statically");
    application
}
