//! What can be gone back to: the good releases of the log, whole.

use super::fold::fold;
use super::history::{Row, history};
use super::live::left_live;
use super::{Recorded, recovered, status};
use crate::names::DeploymentNumber;
use crate::release::Release;

/// A release that can be gone back to.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The deployment that brought it.
    pub row: Row,
    /// The release, whole.
    pub release: Release,
}

/// Every good release but the live one, newest first; of several deployments of the very same
/// release the newest.
pub fn candidates(records: &[Recorded]) -> Vec<Candidate> {
    let live = status(records).live;
    let folded = fold(records);
    let mut found: Vec<Candidate> = Vec::new();
    for row in history(records).into_iter().rev().filter(|row| row.verdict.is_good()) {
        let is_live = live.as_ref().is_some_and(|live| live.number == row.number);
        let release = release_of(&folded, row.number).or_else(|| recovered::release(records, &row));
        let Some(release) = release.filter(|_| !is_live) else { continue };
        if found.iter().all(|candidate| candidate.release != release) {
            found.push(Candidate { row, release });
        }
    }
    found
}

/// Where `rollback` goes without argument: the newest good release before the live one.
pub fn last_good(records: &[Recorded]) -> Option<Candidate> {
    let live = status(records).live;
    let before =
        |candidate: &Candidate| live.as_ref().is_none_or(|live| candidate.row.number < live.number);
    candidates(records).into_iter().find(before)
}

fn release_of(folded: &[super::fold::Folded<'_>], number: DeploymentNumber) -> Option<Release> {
    let one = folded.iter().find(|one| one.number == number)?;
    left_live(one.state.as_ref().ok()?)
}
