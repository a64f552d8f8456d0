//! git, asked by its own program.

use std::path::Path;
use std::process::{Output, Stdio};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::process::Command;

use super::{Checkout, Source};
use crate::names::Commit;
use crate::text::printable;
use crate::world::{Place, WorldError};

/// Longest subject kept.
const SUBJECT_LENGTH: usize = 200;
/// The directory of surefoot's own journal: it never makes a tree dirty.
const HISTORY: &str = ".deploy-history";

/// Variables that point git at another repository than the one in the directory. A hook or an IDE
/// that starts surefoot may have set them. Source: git, `local_repo_env`.
const MISLEADING: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_EXTERNAL_DIFF",
];

/// git, asked by its own program.
#[derive(Debug, Clone)]
pub struct GitSource {
    program: std::ffi::OsString,
}

impl Default for GitSource {
    fn default() -> Self {
        Self { program: "git".into() }
    }
}

impl GitSource {
    /// A source that runs another program than the `git` in the path.
    pub fn with_program(program: impl Into<std::ffi::OsString>) -> Self {
        Self { program: program.into() }
    }

    /// Runs git; `None` where there is no git.
    async fn git(
        &self,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Option<Output>, WorldError> {
        let mut command = Command::new(&self.program);
        command
            // A status must not take the lock that the person's own git may be waiting for, must
            // not start a program that the repository names, and must not ask questions.
            .args(["--no-optional-locks", "-c", "core.fsmonitor=false"])
            .args(["-c", "i18n.logOutputEncoding=UTF-8", "-C"])
            .arg(directory)
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_PAGER", "cat")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in MISLEADING {
            command.env_remove(name);
        }
        match command.output().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(format!("git cannot be run: {error}"), Vec::new())),
        }
    }

    /// Runs git for its output; a failure of git is `None`.
    async fn ask(
        &self,
        directory: &Path,
        arguments: &[&str],
    ) -> Result<Option<String>, WorldError> {
        let output = self.git(directory, arguments).await?.filter(|output| output.status.success());
        Ok(output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    async fn is_dirty(&self, directory: &Path) -> Result<bool, WorldError> {
        const STATUS: &[&str] = &[
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=normal",
            "--ignore-submodules=none",
            "--no-renames",
        ];
        match self.git(directory, STATUS).await? {
            Some(output) if output.status.success() => Ok(is_dirty(&output.stdout)),
            // A tree whose state git cannot tell must not borrow the commit's name.
            Some(output) => Err(refusal(&output)),
            None => Ok(true),
        }
    }
}

#[async_trait]
impl Source for GitSource {
    async fn checkout(&self, directory: &Path) -> Result<Option<Checkout>, WorldError> {
        const SUBJECT: &[&str] = &["log", "-1", "--no-show-signature", "--format=%H%n%cI%n%s"];
        let Some(output) = self.git(directory, SUBJECT).await? else { return Ok(None) };
        if !output.status.success() {
            return if is_absence(&output) { Ok(None) } else { Err(refusal(&output)) };
        }
        let (commit, committed_at, subject) = head(&output.stdout)?;
        let branch = self.ask(directory, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
        let branch = branch.map(|branch| branch.trim().to_owned()).filter(|name| !name.is_empty());
        let dirty = self.is_dirty(directory).await?;
        Ok(Some(Checkout { commit, branch, subject, dirty, committed_at }))
    }

    async fn is_ancestor(&self, directory: &Path, older: &Commit, newer: &Commit) -> Option<bool> {
        let full = |commit: &Commit| format!("{commit}^{{commit}}");
        let (older, newer) = (full(older), full(newer));
        let names = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
        let name = async |commit: &str| {
            let arguments: Vec<&str> = names.iter().copied().chain([commit]).collect();
            self.ask(directory, &arguments).await.ok().flatten()
        };
        let (older, newer) = (name(&older).await?, name(&newer).await?);
        if older == newer {
            return Some(false);
        }
        let arguments = ["merge-base", "--is-ancestor", older.trim(), newer.trim()];
        let output = self.git(directory, &arguments).await.ok()??;
        match output.status.code() {
            Some(0) => Some(true),
            // A shallow clone has lost the ancestors that would say otherwise.
            Some(1) if !self.is_shallow(directory).await => Some(false),
            _ => None,
        }
    }
}

impl GitSource {
    async fn is_shallow(&self, directory: &Path) -> bool {
        let answer = self.ask(directory, &["rev-parse", "--is-shallow-repository"]).await;
        !matches!(answer, Ok(Some(answer)) if answer.trim() == "false")
    }
}

/// Commit, its moment and subject. The subject is whatever somebody wrote: kept as harmless text.
fn head(output: &[u8]) -> Result<(Commit, Option<DateTime<Utc>>, String), WorldError> {
    let text = String::from_utf8_lossy(output);
    let (commit, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let (moment, subject) = rest.split_once('\n').unwrap_or((rest, ""));
    let commit = commit
        .parse()
        .map_err(|error| refused(format!("git answered something odd: {error}"), Vec::new()))?;
    // A moment that makes no sense (a year beyond reason) is no reason to refuse the commit.
    let moment = DateTime::parse_from_rfc3339(moment).ok().map(|moment| moment.to_utc());
    Ok((commit, moment, printable(subject.trim_end_matches('\n'), SUBJECT_LENGTH)))
}

/// Whether a porcelain status names anything but our own journal.
fn is_dirty(status: &[u8]) -> bool {
    status.split(|byte| *byte == 0).filter(|entry| entry.len() > 3).any(|entry| {
        let path = &entry[3..];
        !path.split(|byte| *byte == b'/').any(|part| part == HISTORY.as_bytes())
    })
}

/// There is nothing to say: no repository here, or no commit in it yet.
fn is_absence(output: &Output) -> bool {
    let words = String::from_utf8_lossy(&output.stderr);
    [
        "not a git repository",
        "does not have any commits yet",
        "unknown revision",
        "bad default revision",
    ]
    .iter()
    .any(|sign| words.contains(sign))
}

/// git said no, such as to a repository that belongs to somebody else; its own advice is the best.
fn refusal(output: &Output) -> WorldError {
    let words = String::from_utf8_lossy(&output.stderr);
    let mut lines = words.lines().map(|line| printable(line, 500)).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_else(|| format!("git failed: {}", output.status));
    refused(first.trim_start_matches("fatal: ").to_owned(), lines.collect())
}

fn refused(message: String, details: Vec<String>) -> WorldError {
    WorldError::Refused { place: Place::Source, code: "git-refused".into(), message, details }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    struct Repository(TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(TempDir::new().unwrap());
            repository.git(&["init", "--quiet", "-b", "main"]);
            repository
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn git(&self, arguments: &[&str]) -> String {
            let identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"];
            let output = Command::new("git")
                .args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"])
                .args(identity)
                .args(arguments)
                .current_dir(self.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn commit(&self, message: &str) -> Commit {
            self.git(&["add", "-A"]);
            self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
            self.git(&["rev-parse", "HEAD"]).parse().unwrap()
        }

        async fn checkout(&self) -> Checkout {
            GitSource::default().checkout(self.path()).await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn a_clean_tree_is_told_as_it_is() {
        let repository = Repository::new();
        repository.write("sub/a", "1");
        let commit = repository.commit("First: a line\n\nand a body");
        let expected = Checkout {
            commit,
            branch: Some("main".into()),
            subject: "First: a line".into(),
            dirty: false,
            committed_at: Some(repository.git(&["log", "-1", "--format=%cI"]).parse().unwrap()),
        };
        assert_eq!(repository.checkout().await, expected);
        let below = GitSource::default().checkout(&repository.path().join("sub")).await;
        assert_eq!(below.unwrap(), Some(expected));
        repository.git(&["checkout", "--quiet", "--detach"]);
        assert_eq!(repository.checkout().await.branch, None);
    }

    #[tokio::test]
    async fn every_change_makes_the_tree_dirty_but_ignored_files_and_the_journal() {
        let repository = Repository::new();
        repository.write("a", "1");
        repository.write(".gitignore", "ignored\n");
        repository.commit("x");
        repository.write("ignored", "1");
        repository.write(".deploy-history/journal.redb", "1");
        assert!(!repository.checkout().await.dirty);
        repository.write("untracked name\nwith newline", "1");
        assert!(repository.checkout().await.dirty, "untracked");
        fs::remove_file(repository.path().join("untracked name\nwith newline")).unwrap();
        repository.write("a", "2");
        assert!(repository.checkout().await.dirty, "changed");
        repository.git(&["add", "a"]);
        assert!(repository.checkout().await.dirty, "staged");
        repository.git(&["reset", "--quiet", "--hard"]);
        assert!(!repository.checkout().await.dirty);
        fs::remove_file(repository.path().join("a")).unwrap();
        assert!(repository.checkout().await.dirty, "deleted");
    }

    #[tokio::test]
    async fn a_change_in_a_submodule_counts() {
        let inner = Repository::new();
        inner.write("a", "1");
        inner.commit("inner");
        let outer = Repository::new();
        outer.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "inner"]);
        outer.commit("outer");
        outer.git(&["config", "status.submoduleSummary", "false"]);
        outer.git(&["config", "diff.ignoreSubmodules", "all"]);
        assert!(!outer.checkout().await.dirty);
        outer.write("inner/a", "2");
        assert!(outer.checkout().await.dirty);
    }

    #[tokio::test]
    async fn a_hostile_subject_is_only_text() {
        let repository = Repository::new();
        repository.commit("\u{1b}[2J\u{202e}$(rm -rf /) `x` %s");
        let subject = repository.checkout().await.subject;
        assert_eq!(subject, "\u{fffd}[2J\u{fffd}$(rm -rf /) `x` %s");
    }

    #[tokio::test]
    async fn without_git_a_repository_or_a_commit_there_is_nothing_to_say() {
        let plain = TempDir::new().unwrap();
        let git = GitSource::default();
        assert_eq!(git.checkout(plain.path()).await.unwrap(), None);
        let empty = Repository::new();
        assert_eq!(git.checkout(empty.path()).await.unwrap(), None);
        let none = GitSource::with_program("/nowhere/git");
        assert_eq!(none.checkout(empty.path()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_refusal_of_git_carries_its_advice() {
        let program = TempDir::new().unwrap();
        let script = program.path().join("git");
        let words = "fatal: detected dubious ownership in repository at '/x'\n\
                     To add an exception for this directory, call:\n\n\
                     \tgit config --global --add safe.directory /x\n";
        fs::write(&script, format!("#!/bin/sh\ncat >&2 <<'END'\n{words}END\nexit 128\n")).unwrap();
        let run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&script, run).unwrap();
        let error = GitSource::with_program(&script).checkout(program.path()).await.unwrap_err();
        let WorldError::Refused { code, message, details, .. } = error else { panic!() };
        assert_eq!(code, "git-refused");
        assert_eq!(message, "detected dubious ownership in repository at '/x'");
        assert!(details[1].ends_with("git config --global --add safe.directory /x"), "{details:?}");
    }

    #[tokio::test]
    async fn ancestry_is_told_or_not_guessed() {
        let repository = Repository::new();
        let (one, two) = (repository.commit("1"), repository.commit("2"));
        repository.git(&["checkout", "--quiet", "-b", "side", one.as_str()]);
        let side = repository.commit("side");
        let git = GitSource::default();
        let ancestor =
            async |a: &Commit, b: &Commit| git.is_ancestor(repository.path(), a, b).await;
        assert_eq!(ancestor(&one, &two).await, Some(true));
        assert_eq!(ancestor(&two, &one).await, Some(false));
        assert_eq!(ancestor(&two, &side).await, Some(false));
        assert_eq!(ancestor(&one, &one).await, Some(false));
        assert_eq!(ancestor(&one.short().parse().unwrap(), &one).await, Some(false));
        let absent: Commit = "1234567890123456789012345678901234567890".parse().unwrap();
        assert_eq!(ancestor(&absent, &two).await, None);

        let clone = TempDir::new().unwrap();
        let url = format!("file://{}", repository.path().display());
        let target = clone.path().to_str().unwrap();
        repository.git(&["clone", "--quiet", "--depth", "1", "-b", "main", &url, target]);
        assert_eq!(git.is_ancestor(clone.path(), &one, &two).await, None);
    }
}
