//! This machine, this user, this CI run: asked for once, at the edge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::event::envelope::Actor;

/// The environment variables of the process.
pub type Environment = BTreeMap<String, String>;

/// The environment, without what is not text.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What was typed behind the program's name.
pub fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Who runs us.
pub fn actor(environment: &Environment) -> Actor {
    Actor { user: user(environment), host: host(environment), ci_run: ci_run(environment) }
}

fn user(environment: &Environment) -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| environment.get(*name));
    named.cloned().or_else(account_name).unwrap_or_else(|| "unknown".into())
}

/// The name of the account that owns this process, where the machine tells.
fn account_name() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let id =
        status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let mut accounts = accounts.lines().map(fields);
    accounts.find(|fields| fields.get(2).is_some_and(|uid| uid == id))?.into_iter().next()
}

fn host(environment: &Environment) -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = kernel.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    named.or_else(|| environment.get("HOSTNAME").cloned()).unwrap_or_else(|| "unknown".into())
}

/// The address of the CI run, as GitHub, GitLab, Buildkite, `CircleCI` and Jenkins name it.
fn ci_run(environment: &Environment) -> Option<String> {
    let get = |name: &str| environment.get(name);
    if let (Some(server), Some(repository), Some(run)) =
        (get("GITHUB_SERVER_URL"), get("GITHUB_REPOSITORY"), get("GITHUB_RUN_ID"))
    {
        return Some(format!("{server}/{repository}/actions/runs/{run}"));
    }
    let named = ["CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"];
    named.iter().find_map(|name| get(name)).cloned()
}

/// Where locks live: the user's state directory, the same for all clones of a repository.
pub fn state_directory(environment: &Environment) -> PathBuf {
    let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let named = environment.get("XDG_STATE_HOME").filter(|path| path.starts_with('/'));
    let base = named.map(PathBuf::from).or_else(home).unwrap_or_else(std::env::temp_dir);
    base.join("surefoot")
}

/// What tells this clone on this machine since its start from every other contender.
pub fn place(actor: &Actor, history: &Path) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let history = std::path::absolute(history).unwrap_or_else(|_| history.to_owned());
    format!("{}\n{}\n{}\n{}", boot.trim(), actor.host, actor.user, history.display())
}

/// The root of the git tree around a directory: the first ancestor that holds `.git`.
pub fn project_root(directory: &Path) -> PathBuf {
    let root = directory.ancestors().find(|ancestor| ancestor.join(".git").exists());
    root.unwrap_or(directory).to_owned()
}
