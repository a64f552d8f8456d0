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

/// Every deployment that left a release live, the one that is live among them, newest first, but those
/// whose images were pruned. What is bad says so by its verdict.
pub fn once_live(records: &[Recorded]) -> Vec<Candidate> {
    let (folded, bad, pruned) = (fold(records), bad_releases(records), pruned(records));
    let mut found = Vec::new();
    for row in history(records).into_iter().rev().filter(was_live) {
        let release = release_of(&folded, row.number).or_else(|| recovered::release(records, &row));
        let Some(release) = release else { continue };
        let digest = release.image.digest().or(row.digest.as_ref());
        if !digest.is_some_and(|digest| pruned.contains(digest)) {
            found.push(Candidate { row: judged(row, &release, &bad), release });
        }
    }
    found
}

/// What `rollback --list` shows, newest first: each release once, by its newest deployment, and never
/// the one that is live, where that is proven.
pub fn ways_back(records: &[Recorded]) -> Vec<Candidate> {
    let status = status(records);
    let live = status.live.filter(|_| status.doubt.is_none()).map(|live| live.number);
    let all = once_live(records);
    let now = all.iter().find(|one| Some(one.row.number) == live).map(|one| one.release.clone());
    let mut found: Vec<Candidate> = Vec::new();
    for one in all.into_iter().filter(|one| Some(&one.release) != now.as_ref()) {
        if found.iter().all(|candidate| candidate.release != one.release) {
            found.push(one);
        }
    }
    found
}

/// What can be gone back to.
pub fn candidates(records: &[Recorded]) -> Vec<Candidate> {
    let mut found = ways_back(records);
    found.retain(|candidate| candidate.row.verdict.is_good());
    found
}

/// Where `rollback` goes without argument: the newest good release before the live one that is
/// another.
pub fn last_good(records: &[Recorded]) -> Option<Candidate> {
    let status = status(records);
    // What serves is not what the log calls live: that one can be gone back to, too.
    if status.doubt.is_some() {
        return once_live(records).into_iter().find(|one| one.row.verdict.is_good());
    }
    let live = status.live;
    let before =
        |candidate: &Candidate| live.as_ref().is_none_or(|live| candidate.row.number < live.number);
    let now = live.as_ref().and_then(|live| release_of(&fold(records), live.number));
    let mut candidates = candidates(records).into_iter();
    candidates.find(|candidate| before(candidate) && Some(&candidate.release) != now.as_ref())
}

fn was_live(row: &Row) -> bool {
    row.verdict.is_good() || row.verdict == Verdict::Bad
}

/// A release is as bad as its image, whichever deployment that was said of. What failed under other
/// circumstances says nothing against one that was proven.
fn judged(mut row: Row, release: &Release, bad: &[BadRelease]) -> Row {
    let mut of_images = bad.iter().filter(|bad| bad.under.is_none());
    let said = of_images.find(|bad| release.image.digest() == Some(&bad.digest));
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
