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

/// The first variable that counts here, and is no text.
pub fn variable_that_is_no_text(counts: impl Fn(&str) -> bool) -> Option<String> {
    std::env::vars_os().find_map(|(name, value)| {
        let name = name.into_string().ok()?;
        (counts(&name) && value.to_str().is_none()).then_some(name)
    })
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
    named.cloned().or_else(|| account().map(|one| one.name)).unwrap_or_else(|| "unknown".into())
}

/// An account of this machine.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    name: String,
    home: String,
}

/// The account that owns this process, where the machine tells.
fn account() -> Option<Account> {
    account_in(&std::fs::read_to_string("/etc/passwd").ok()?, &own_id()?)
}

/// The number of the account that owns this process.
fn own_id() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().next().map(str::to_owned)
}

/// The account with this number. Source: passwd(5).
fn account_in(accounts: &str, id: &str) -> Option<Account> {
    let mut accounts = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = accounts.find(|fields| fields.get(2) == Some(&id))?;
    Some(Account { name: (*fields.first()?).into(), home: (*fields.get(5)?).into() })
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
    // What is empty or relative counts as unset: it would be another place in every directory.
    // Source: XDG base directory specification.
    let whole = |name: &str| environment.get(name).filter(|path| path.starts_with('/'));
    if let Some(state) = whole("XDG_STATE_HOME") {
        return PathBuf::from(state).join("surefoot");
    }
    let account = account();
    let home = whole("HOME").cloned().or_else(|| account.as_ref().map(|one| one.home.clone()));
    match home.filter(|home| home.starts_with('/')) {
        Some(home) => PathBuf::from(home).join(".local/state/surefoot"),
        None => std::env::temp_dir().join(format!("surefoot-{}", own_id().unwrap_or_default())),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn state(variables: &[(&str, &str)]) -> PathBuf {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        state_directory(&variables.iter().map(pair).collect())
    }

    #[test]
    fn the_state_directory_is_never_relative_to_where_we_are() {
        assert_eq!(state(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Path::new("/s/surefoot"));
        let of_home = Path::new("/h/.local/state/surefoot");
        for xdg in ["", "relative", "./x"] {
            assert_eq!(state(&[("XDG_STATE_HOME", xdg), ("HOME", "/h")]), of_home);
        }
        for home in ["", "relative", "."] {
            assert!(state(&[("HOME", home)]).is_absolute());
            assert_eq!(state(&[("HOME", home)]), state(&[]));
        }
    }

    #[test]
    fn an_account_is_read_as_the_system_writes_it() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nada:x:7:7::/home/ada:/bin/sh\nodd:x:8\n";
        let ada = Account { name: "ada".into(), home: "/home/ada".into() };
        assert_eq!(account_in(accounts, "7"), Some(ada));
        assert_eq!((account_in(accounts, "8"), account_in(accounts, "9")), (None, None));
    }
}
