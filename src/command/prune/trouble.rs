//! What can be wrong with a prune, as problems a person can act on.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::addressed::quoted;
use crate::command::target::TargetError;
use crate::command::trouble::{self, usage};
use crate::names::{NameError, Region, RepositoryName, ServiceName, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::{Missing, Picture, Stopped};
use crate::text::printable;
use crate::view::documents::PruneOutcomeSheet;
use crate::world::WorldError;

/// The picture is not complete, so that nothing is deleted.
fn refused(what: impl Into<String>) -> Problem {
    Problem::new(ExitCode::Guard, "prune-incomplete", what).leaves("Nothing was deleted.")
}

/// Who works on a service on this machine now, in words.
pub(super) type AtWork = BTreeMap<ServiceName, String>;

/// Something must be known, or over, first.
/// `again` is the command that was typed, whose limits are part of what to type next.
pub(super) fn incomplete(
    repository: &RepositoryName,
    missing: &[Missing],
    at_work: &AtWork,
    again: &str,
) -> Problem {
    let what = format!("not enough is known to prune `{repository}`");
    let mut problem = refused(what);
    let worker = |one: &Missing| match one {
        Missing::Unfinished { service, .. } => at_work.get(service),
        _ => None,
    };
    for one in missing {
        problem = problem.because(match worker(one) {
            Some(who) => format!("{}: {who}", one.words()),
            None => one.words(),
        });
    }
    let typed = |hint: String| hint.replace("`surefoot prune ", &format!("`{again} "));
    let all = missing.iter().filter_map(Missing::acceptable);
    let all: Vec<String> = all.map(|name| format!("--without-history {name}")).collect();
    let hint = |one: &Missing| match one.acceptable() {
        // Each alone would be refused for the others.
        Some(name) => {
            let alone = format!("--without-history {name}`");
            typed(one.hint()).replace(&alone, &format!("{}`", all.join(" ")))
        }
        None if worker(one).is_some() => "wait until it is over, then type the same again".into(),
        None => typed(one.hint()),
    };
    let mut hints: Vec<String> = missing.iter().map(hint).collect();
    hints.sort();
    hints.dedup();
    problem.next = hints;
    problem
}

/// The journal knows nothing: neither would it know what a rollback needs.
pub(super) fn no_history(service: Option<&ServiceName>) -> Problem {
    let of = service.map(|service| format!(" of `{service}`")).unwrap_or_default();
    refused(format!("the journal knows no deployment{of}, so it cannot say what a rollback needs"))
        .hint("prune where its journal is: `--history-dir DIR`")
}

/// Nobody here uses the repository: neither would the journal know what its images are for.
pub(super) fn unused(picture: &Picture, main: &StreamName) -> Problem {
    let repository = &picture.repository;
    let what = format!(
        "no deployment of this journal used the repository `{repository}`, and no service runs an image of it"
    );
    let mut problem = refused(what)
        .because("none of its images is known here: what they are for, nobody could say");
    let mut own = picture.memories.iter().filter(|memory| memory.stream == *main);
    for name in own.next().into_iter().flat_map(|memory| &memory.repositories) {
        let service = &main.service;
        problem = problem.hint(format!(
            "prune the one of `{service}`: `surefoot prune --service-name {service} --ecr-repo {name}`"
        ));
    }
    problem.hint("or prune where the journal is that knows it: `--history-dir DIR`")
}

/// Another clone has a journal of the service that cannot be read: what it needs is not known.
pub(super) fn unreadable_clone(problem: &Problem, directory: &Path) -> Problem {
    let place = directory.display();
    let refusal = refused(format!("the journal of another clone cannot be read: {place}"));
    let quoted = quoted(&place.to_string());
    problem
        .because
        .iter()
        .fold(refusal, Problem::because)
        .hint(format!(
            "see what is wrong with it: `surefoot journal verify --history-dir {quoted}`"
        ))
        .hint("or, where nothing of it is needed any more, move it away")
}

/// There is no such repository.
pub(super) fn no_repository(repository: &RepositoryName) -> Problem {
    let what = format!("there is no ECR repository `{repository}` here");
    Problem::new(ExitCode::Preflight, "no-repository", what)
        .hint("name the right one: `surefoot prune --ecr-repo NAME`")
}

/// The first look failed.
pub(super) fn look(error: &WorldError, region: Option<&Region>) -> Problem {
    match error {
        WorldError::Unreachable { .. } => {
            trouble::world(error, region).leaves("Nothing was deleted.")
        }
        WorldError::Refused { .. } | WorldError::Unanswered { .. } => untold(error),
    }
}

/// Who was asked did not tell what is needed.
fn untold(error: &WorldError) -> Problem {
    let what = match error {
        WorldError::Unreachable { place, .. }
        | WorldError::Refused { place, .. }
        | WorldError::Unanswered { place, .. } => {
            format!("{place} did not tell what is needed to prune")
        }
    };
    refused(what)
        .because(error)
        .hint("allow it to whoever prunes: docs/guides/pruning.md has the policy")
}

/// An age that is none.
pub(super) fn bad_age(option: &str, text: &str, reason: &str) -> Problem {
    let text = printable(text, 80);
    usage(format!("`{option} {text}`: {reason}"), "write an age such as `2h` or `30d`")
}

/// A pattern that fits no tag.
pub(super) fn empty_pattern() -> Problem {
    let what = "`--tag-pattern` is empty: no tag is of this form";
    usage(what, "write the form of the tags, such as `--tag-pattern 'build-*'`, or leave it away")
}

/// A service name that is none.
pub(super) fn bad_name(error: &NameError) -> Problem {
    usage(error.to_string(), "see the names: `surefoot prune`")
}

/// A service without history that there is none of.
pub(super) fn no_such_service(name: &ServiceName) -> Problem {
    let what = format!("`--without-history {name}`: there is no service of this name");
    usage(what, "see what stays, and for whom: `surefoot prune`")
}

/// The report cannot be written.
pub(super) fn report(path: &Path, error: &TargetError) -> Problem {
    let what = format!("cannot write the report {}", path.display());
    Problem::new(ExitCode::General, "report-unwritable", what)
        .because(error.reason())
        .leaves("What was deleted, if anything, is in the journal.")
        .hint("name another file: `--report FILE`")
}

/// Why a prune ended before its time, in a line.
pub(super) fn stopped_words(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Signal(name) => format!("stopped by {name}"),
        Stopped::World(error) | Stopped::Blind(error) | Stopped::Unknown(error) => {
            format!("stopped: {error}")
        }
        Stopped::RepositoryGone => "stopped: the repository is gone".into(),
        Stopped::Incomplete(missing) => {
            let words: Vec<String> = missing.iter().map(Missing::words).collect();
            format!("stopped: {}", words.join("; "))
        }
    }
}

/// What went wrong while it deleted, if anything did.
pub(super) fn of_deletions(
    repository: &RepositoryName,
    outcome: &PruneOutcomeSheet,
    again: &str,
) -> Option<Problem> {
    let deletions = &outcome.deletions;
    let leaves = leaves(outcome);
    let failed = |what: String| Problem::new(ExitCode::General, "prune-failed", what);
    let look = format!("see what is left: `{}`", again.trim_end_matches(" --apply"));
    let problem = match &deletions.stopped {
        None if deletions.failed.is_empty() => return None,
        None => {
            let count = deletions.failed.len();
            let first = &deletions.failed[0];
            failed(format!("ECR did not delete {count} of the images of `{repository}`"))
                .because(format!("{}: {}", first.code, first.reason))
        }
        Some(Stopped::Signal(name)) => {
            Problem::new(ExitCode::Interrupted, "interrupted", "pruning was interrupted")
                .because(format!("{name} came"))
        }
        Some(Stopped::Incomplete(missing)) => {
            let nobody = AtWork::new();
            return Some(incomplete(repository, missing, &nobody, again).leaves(leaves));
        }
        Some(Stopped::RepositoryGone) => {
            let service = &outcome.service.service;
            return Some(
                failed(format!("the repository `{repository}` went away while it was pruned"))
                    .leaves(leaves)
                    .hint(format!("see what runs: `surefoot status --service-name {service}`"))
                    .hint(format!(
                        "bring an image back: `surefoot deploy --service-name {service}`"
                    )),
            );
        }
        Some(Stopped::Unknown(error)) => {
            return Some(
                failed(format!("what was deleted from `{repository}` is not known"))
                    .because(error)
                    .leaves(leaves)
                    .hint(look.replace("see what is left", "find it out")),
            );
        }
        Some(Stopped::Blind(error)) if !matches!(error, WorldError::Unreachable { .. }) => {
            return Some(untold(error).leaves(leaves));
        }
        Some(Stopped::World(error) | Stopped::Blind(error)) => {
            failed(format!("pruning `{repository}` ended before its time")).because(error)
        }
    };
    Some(problem.leaves(leaves).hint(look))
}

/// What was deleted, and what is true of the rest.
fn leaves(outcome: &PruneOutcomeSheet) -> String {
    let gone = outcome.deleted_words();
    match &outcome.deletions.stopped {
        Some(Stopped::Unknown(_)) => {
            let unknown = "At least these were deleted; the last call was not answered.";
            return format!("Known to be gone: {gone}. {unknown}");
        }
        Some(Stopped::Incomplete(_) | Stopped::Blind(_))
            if outcome.deletions.deleted.is_empty() =>
        {
            return "Nothing was deleted.".into();
        }
        _ => {}
    }
    let deleted = match outcome.deletions.deleted.len() {
        0 => "Nothing was deleted".into(),
        _ => format!("Deleted: {gone}"),
    };
    format!("{deleted}. {}", left(outcome.deletions.stopped.as_ref()))
}

/// What is true of the images that were not deleted.
fn left(stopped: Option<&Stopped>) -> &'static str {
    match stopped {
        Some(Stopped::RepositoryGone) => {
            "With the repository every image of it went, also those that were needed: somebody else deleted it."
        }
        Some(Stopped::Incomplete(_) | Stopped::Blind(_)) => {
            "What was deleted nothing needed then; what is needed now is not known any more, so nothing more was deleted."
        }
        _ => "Every image that is needed is still there.",
    }
}
