//! The errors of the lower floors as problems a person can act on. The wording of the whole tool in
//! one place.

use std::io;
use std::path::Path;

use super::addressed::quoted;
use super::setup::Setup;
use crate::event::deployment::IllegalEvent;
use crate::journal::import::ImportError;
use crate::journal::redb::{RedbJournal, RepairError};
use crate::journal::{JournalError, archive};
use crate::ledger::LedgerError;
use crate::lock::{LockError, Owner};
use crate::names::{Region, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::world::{Obstacle, Place, WorldError};

/// Where all releases that can be gone back to are shown.
pub(super) const LIST_HINT: &str = "see what there is: `surefoot rollback --list`";

/// What brings a damaged journal back.
const REPAIR_HINT: &str =
    "move it aside and bring it back from its export: `surefoot journal repair`";

/// The current directory is gone or unreadable.
pub(super) fn directory(error: &std::io::Error) -> Problem {
    Problem::new(ExitCode::General, "no-directory", "cannot read the current directory")
        .caused_by(error)
        .hint("go to the project's directory and run the same command again")
}

/// An endpoint that could not be asked anything.
pub(super) fn endpoint(url: &str) -> Problem {
    let url = crate::text::printable(url, 200);
    let what = format!("`{url}` is no endpoint that AWS could be asked at");
    Problem::new(ExitCode::Usage, "bad-setting", what)
        .because("it comes from AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_…, or the AWS profile")
        .hint("write it as `http://127.0.0.1:4566`, or unset it to ask AWS itself")
}

/// Standard output does not take what it is for.
pub(super) fn output(error: &std::io::Error) -> Problem {
    Problem::new(ExitCode::General, "output-unwritable", "cannot write to standard output")
        .caused_by(error)
        .hint("make room where it goes to, then run the same command again")
}

/// The journal cannot be used.
pub(super) fn journal(error: &JournalError, path: &Path) -> Problem {
    let exported = archive::exists(path);
    let place = path.display();
    let (code, hint) = match error {
        JournalError::Missing { .. } if exported => {
            let export = quoted(&path.join(archive::EXPORTS).display().to_string());
            (
                "no-journal",
                format!("bring it back from its export: `surefoot journal import {export}`"),
            )
        }
        JournalError::Missing { .. } => ("no-journal", "deploy once: `surefoot deploy`".to_owned()),
        JournalError::Inaccessible { path, source } => {
            let verb = match source.kind() {
                io::ErrorKind::PermissionDenied => "let this user read",
                _ => "put right what is at",
            };
            let path = path.display();
            ("journal-unreadable", format!("{verb} {path}, or name another with --history-dir"))
        }
        JournalError::Io(_) => (
            "journal-unreadable",
            "see what the system says of the disk, then run the same command again".to_owned(),
        ),
        JournalError::Foreign { .. } => {
            ("journal-foreign", format!("move {place} aside, or name another with --history-dir"))
        }
        JournalError::NewerFormat { .. } => {
            ("journal-newer", "install the newer surefoot that wrote it".to_owned())
        }
        JournalError::Full => {
            ("disk-full", "make room, then run the same command again".to_owned())
        }
        JournalError::Unwritable { .. } => (
            "journal-unwritable",
            format!("let this user write {place}, or name another with --history-dir"),
        ),
        JournalError::Behind { .. } => {
            let export = quoted(&path.join(archive::EXPORTS).display().to_string());
            (
                "journal-behind",
                format!("bring it up to its export: `surefoot journal import {export}`"),
            )
        }
        JournalError::Busy { .. } | JournalError::Conflict { .. } => {
            ("journal-busy", "run the same command again".to_owned())
        }
        _ => ("journal-damaged", REPAIR_HINT.to_owned()),
    };
    let problem = Problem::new(ExitCode::Journal, code, "the journal cannot be used");
    // What is ours is damaged beyond recognition then: who moved it by hand would move its export, too.
    let damaged =
        matches!(error, JournalError::Foreign { .. }) && (exported || RedbJournal::is_ours(path));
    problem.caused_by(error).hint(if damaged { REPAIR_HINT.to_owned() } else { hint })
}

/// An export that is not imported. Nothing was written.
pub(super) fn import(error: &ImportError, path: &Path) -> Problem {
    let (code, what, hint) = match error {
        ImportError::Journal(error) => return journal(error, path),
        ImportError::File { .. } => {
            let what = "the export cannot be read";
            return usage(what, "name an export: `surefoot journal import FILE`").caused_by(error);
        }
        ImportError::Foreign { .. } => (
            "export-foreign",
            "this is not an export of surefoot",
            "write one on the machine that has the journal, with its `journal export FILE`",
        ),
        ImportError::Newer { .. } => (
            "journal-newer",
            "a newer surefoot wrote this export",
            "install the version that wrote it, then import",
        ),
        ImportError::Damaged { .. } => (
            "export-damaged",
            "the export is not as it was written",
            "write it again on the machine that has the journal, with its `journal export FILE`",
        ),
        ImportError::Fork { .. } => (
            "journal-fork",
            "journal and export are two histories of one service",
            "look at the other one beside this: `surefoot journal import FILE --history-dir DIR`",
        ),
    };
    Problem::new(ExitCode::Journal, code, what)
        .caused_by(error)
        .leaves("Nothing was imported.")
        .hint(hint)
}

/// The journal is lost, and the export that should bring it back does not.
pub(super) fn own_export(error: &ImportError, path: &Path) -> Problem {
    let mut problem = import(error, path);
    if matches!(error, ImportError::Journal(_) | ImportError::Newer { .. }) {
        return problem;
    }
    let export = path.join(archive::EXPORTS);
    let aside = path.join(format!("{}.aside", archive::EXPORTS));
    let (from, to) = (export.display().to_string(), aside.display().to_string());
    problem.what =
        format!("there is no journal here, and its export is of no use: {}", problem.what);
    problem.next = vec![
        format!("put another export of this service in the place of {from}"),
        format!(
            "or go on without its history, from what AWS tells: `mv {} {}`",
            quoted(&from),
            quoted(&to)
        ),
    ];
    problem
}

/// A journal that is not repaired. Nothing was moved.
pub(super) fn repair(error: &RepairError, setup: &Setup) -> Problem {
    let (damage, refused) = match error {
        RepairError::Journal(error) => return journal(error, &setup.history),
        RepairError::NoExport { damage, refused } => (damage, refused),
    };
    let what = "the journal is damaged, and there is nothing to bring it back from";
    let problem = Problem::new(ExitCode::Journal, "no-export", what).caused_by(damage);
    refused
        .iter()
        .fold(problem, Problem::because)
        .leaves("Nothing was moved, and nothing was deleted.")
        .hint("an export of another machine brings it back, too: put it into the directory `export` of the journal's own, then `surefoot journal repair`")
        .hint(format!("without one, move {} aside; the next deployment begins with what AWS tells", setup.history.display()))
}

/// The journal failed in the middle of a deployment: what may go on in AWS is said.
pub(super) fn ledger(error: &LedgerError, path: &Path, leaves: String, resume: String) -> Problem {
    let problem = match error {
        LedgerError::Journal(error) | LedgerError::Unwritten { source: error, .. } => {
            journal(error, path)
        }
        LedgerError::Illegal(error) => illegal(error),
        LedgerError::Newer(_) => newer(error),
    };
    problem.leaves(leaves).hint(resume)
}

/// A history that makes no sense.
pub(super) fn illegal(error: &IllegalEvent) -> Problem {
    let what = "the journal holds a history that makes no sense";
    Problem::new(ExitCode::Journal, "journal-illegal", what)
        .caused_by(error)
        .hint("see it: `surefoot history`")
}

fn newer(error: &LedgerError) -> Problem {
    let what = "this deployment was begun by a newer surefoot";
    Problem::new(ExitCode::Journal, "journal-newer", what)
        .because(error)
        .hint("install the version that began it, then `surefoot resume`")
}

/// The history of a service cannot be read.
pub(super) fn reading(error: &LedgerError, path: &Path) -> Problem {
    match error {
        LedgerError::Journal(error) | LedgerError::Unwritten { source: error, .. } => {
            journal(error, path)
        }
        LedgerError::Illegal(error) => illegal(error),
        LedgerError::Newer(_) => newer(error),
    }
}

/// The first look at the world failed: nothing is journalled, and nothing was changed.
pub(super) fn world(error: &WorldError, region: Option<&Region>) -> Problem {
    match error {
        WorldError::Unreachable { obstacle, reason, place } => {
            unreachable(*place, *obstacle, reason, region)
        }
        WorldError::Refused { place, .. } => {
            let what = format!("{place} refused a question that preflight asks");
            Problem::new(ExitCode::Preflight, "preflight-refused", what)
                .because(error)
                .leaves("Nothing was changed, and nothing was written into the journal.")
                .hint("allow it to whoever deploys: docs/guides/security.md has the policy")
        }
        WorldError::Unanswered { place, .. } => {
            let what = format!("{place} did not answer");
            Problem::new(ExitCode::Preflight, "aws-unreachable", what).because(error)
        }
    }
}

fn unreachable(place: Place, obstacle: Obstacle, reason: &str, region: Option<&Region>) -> Problem {
    let nothing = "Nothing was changed, and nothing was written into the journal.";
    let credentials = |code: &str, what: &str| {
        Problem::new(ExitCode::Credentials, code, what).because(reason).leaves(nothing)
    };
    match obstacle {
        Obstacle::NoCredentials => credentials("no-credentials", "there are no AWS credentials")
            .hint("in CI: give the job a role (docs/guides/ci.md)")
            .hint("on a laptop: `aws configure sso`, then `aws sso login`")
            .hint("without an account: `surefoot demo`"),
        Obstacle::ExpiredCredentials => {
            credentials("credentials-expired", "AWS no longer accepts these credentials")
                .hint("sign in again: `aws sso login`")
        }
        Obstacle::InvalidCredentials => {
            credentials("credentials-invalid", "AWS does not accept these credentials")
                .hint("see which are used: `aws configure list`")
        }
        Obstacle::Network | Obstacle::NotRunning | Obstacle::Broken | Obstacle::Throttled => {
            let region = region.map(|region| format!(" in {region}")).unwrap_or_default();
            let (what, hint) = without_answer(&format!("{place}{region}"), obstacle);
            Problem::new(ExitCode::Preflight, "aws-unreachable", what)
                .because(reason)
                .leaves(nothing)
                .hint(hint)
        }
    }
}

/// What stood between us and an answer, and what helps: who answered was reached.
fn without_answer(place: &str, obstacle: Obstacle) -> (String, &'static str) {
    match obstacle {
        Obstacle::Broken => (
            format!("{place} did not answer as it should"),
            "try again later; if it goes on, look at AWS's health page and any proxy",
        ),
        Obstacle::Throttled => (
            format!("{place} asks for fewer calls"),
            "wait a minute, then run the same command again",
        ),
        _ => (
            format!("could not reach {place}"),
            "check the network, the region's name and any proxy, then try again",
        ),
    }
}

/// What is in the way is in the journal of another clone: its commands name that.
pub(super) fn elsewhere(mut problem: Problem, directory: &Path) -> Problem {
    let place = directory.display().to_string();
    let named = format!(" --history-dir {}`", quoted(&place));
    for hint in problem.next.iter_mut().filter(|hint| hint.ends_with('`')) {
        hint.pop();
        hint.push_str(&named);
    }
    problem.because(format!("another clone on this machine began it: its journal is {place}"))
}

/// Something else holds the service.
pub(super) fn lock(error: &LockError, stream: &StreamName) -> Problem {
    let name = &stream.service;
    match error {
        LockError::Held(owner) => {
            let holder = holder(owner.as_deref());
            let what = format!("{holder} holds `{name}`");
            let mut problem = Problem::new(ExitCode::Locked, "locked", what);
            problem.because.extend(owner.as_deref().map(held_by));
            if holder == DEPLOYMENT {
                problem =
                    problem.hint(format!("watch it: `surefoot status --service-name {name}`"));
            }
            problem.hint("run this again when it has ended")
        }
        LockError::Unusable { .. } => {
            Problem::new(ExitCode::General, "lock-unusable", "cannot use the lock")
                .caused_by(error)
                .hint("set XDG_STATE_HOME to a directory that this user can write")
        }
    }
}

/// What holds a service most of the time, and where nobody says what it is.
const DEPLOYMENT: &str = "another deployment";
const PRUNE: &str = "a prune";

/// What holds a service, by its command.
fn holder(owner: Option<&Owner>) -> &'static str {
    match owner.and_then(|owner| owner.command.rsplit(' ').next()) {
        Some("prune") => PRUNE,
        Some("mark" | "journal") => "another surefoot",
        _ => DEPLOYMENT,
    }
}

/// Whether what holds a service is a prune.
pub(super) fn is_a_prune(owner: &Owner) -> bool {
    holder(Some(owner)) == PRUNE
}

/// Said once while another deployment is waited for.
pub(super) fn waiting(owner: Option<&Owner>, stream: &StreamName) -> String {
    let who = owner.map_or_else(|| "another deployment holds it".into(), held_by);
    format!("waiting for `{}`: {who}", stream.service)
}

/// Ctrl-C while waiting for another deployment.
pub(super) fn stopped_waiting() -> Problem {
    Problem::new(ExitCode::Interrupted, "interrupted", "stopped while waiting for the service")
        .leaves("Nothing was changed.")
        .hint("run the same command again")
}

/// Who holds a service, and since when.
pub(super) fn held_by(owner: &Owner) -> String {
    let run = owner.ci_run.as_ref().map(|run| format!(", {run}")).unwrap_or_default();
    format!(
        "{} on {} runs `{}` (process {}) since {}{run}",
        owner.user, owner.host, owner.command, owner.pid, owner.since
    )
}

/// A wrong word on the command line.
pub(super) fn usage(what: impl Into<String>, hint: &str) -> Problem {
    Problem::new(ExitCode::Usage, "usage", what).hint(hint)
}

/// Something that this version does not do yet.
pub(super) fn not_yet(what: &str) -> Problem {
    Problem::new(ExitCode::General, "not-yet", format!("{what} does not work yet"))
        .hint("run the same command without it")
}
