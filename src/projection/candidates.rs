//! What can be gone back to: the good releases of the log, whole.

use super::fold::fold;
use super::history::{Row, Verdict, history};
use super::judgement::{Judgement, Source, bad_releases};
use super::keep::pruned;
use super::live::left_live;
use super::{Recorded, recovered, status};
use crate::names::DeploymentNumber;
use crate::plan::BadRelease;
use crate::release::Release;

/// A release that was live once.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The deployment that brought it.
    pub row: Row,
    /// The release, whole.
    pub release: Release,
}

/// Every release that was proven live, but the live one and those whose images were pruned, newest
/// first; of several deployments of the very same release the newest. What is bad says so by its
/// verdict.
pub fn once_live(records: &[Recorded]) -> Vec<Candidate> {
    let live = status(records).live;
    let (folded, bad) = (fold(records), bad_releases(records));
    let pruned = pruned(records);
    let mut found: Vec<Candidate> = Vec::new();
    for row in history(records).into_iter().rev().filter(was_live) {
        let is_live = live.as_ref().is_some_and(|live| live.number == row.number);
        let release = release_of(&folded, row.number).or_else(|| recovered::release(records, &row));
        let Some(release) = release.filter(|_| !is_live) else { continue };
        let digest = release.image.digest().or(row.digest.as_ref());
        if digest.is_some_and(|digest| pruned.contains(digest)) {
            continue;
        }
        if found.iter().all(|candidate| candidate.release != release) {
            found.push(Candidate { row: judged(row, &release, &bad), release });
        }
    }
    found
}

/// What can be gone back to.
pub fn candidates(records: &[Recorded]) -> Vec<Candidate> {
    let mut found = once_live(records);
    found.retain(|candidate| candidate.row.verdict.is_good());
    found
}

/// Where `rollback` goes without argument: the newest good release before the live one that is
/// another.
pub fn last_good(records: &[Recorded]) -> Option<Candidate> {
    let live = status(records).live;
    let before =
        |candidate: &Candidate| live.as_ref().is_none_or(|live| candidate.row.number < live.number);
    let now = live.as_ref().and_then(|live| release_of(&fold(records), live.number));
    let mut candidates = candidates(records).into_iter();
    candidates.find(|candidate| before(candidate) && Some(&candidate.release) != now.as_ref())
}

fn was_live(row: &Row) -> bool {
    row.verdict.is_good() || row.verdict == Verdict::Bad
}

/// A release is as bad as its image, whichever deployment that was said of.
fn judged(mut row: Row, release: &Release, bad: &[BadRelease]) -> Row {
    let said = bad.iter().find(|bad| release.image.digest() == Some(&bad.digest));
    if let Some(BadRelease { by, at, reason, .. }) = said.filter(|_| row.verdict.is_good()) {
        let (by, at, reason) = (by.clone(), *at, reason.clone());
        row.verdict = Verdict::Bad;
        row.judgement = Some(Judgement { good: false, reason, by, at, from: Source::Mark });
    }
    row
}

fn release_of(folded: &[super::fold::Folded<'_>], number: DeploymentNumber) -> Option<Release> {
    let one = folded.iter().find(|one| one.number == number)?;
    left_live(one.state.as_ref().ok()?)
}
