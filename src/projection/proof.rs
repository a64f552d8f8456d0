//! What is proven of a release, in the two levels that may be claimed, and not one word more.

use crate::event::HealthReport;
use crate::event::deployment::Deployment;
use crate::event::{Proof, commit_of};

/// What is proven, a sentence per level.
///
/// The first level never says that App Runner reports a digest: its API has no digest anywhere
/// (service model), so it is the identifier that carries the proof.
pub fn proof_words(state: &Deployment) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(state.done.proof.as_ref().map(first_level));
    if state.done.proof.is_none() && state.done.already_live.is_some() {
        words.push("live already, by identifier and configuration; nothing was asked for".into());
    }
    words.extend(state.done.health.as_ref().and_then(|health| second_level(state, health)));
    words
}

/// The proof of the release that came back.
pub(super) fn brought_back(proof: &Proof) -> String {
    format!("the release before is back, {}", first_level(proof))
}

fn first_level(proof: &Proof) -> String {
    let how = match (&proof.image.digest(), &proof.operation) {
        (Some(_), Some(_)) => "verified by identifier and operation",
        (Some(_), None) => "verified by identifier",
        (None, Some(_)) => "verified by identifier (a tag) and operation",
        (None, None) => "verified by identifier (a tag)",
    };
    how.into()
}

/// The application's own word counts only where it names what we deployed.
fn second_level(state: &Deployment, health: &HealthReport) -> Option<String> {
    let version = health.version.as_deref()?;
    if names_the_release(state, version) {
        return Some("and by the application's own answer".into());
    }
    Some(format!("the application says it is `{version}`, which is neither tag nor commit"))
}

fn names_the_release(state: &Deployment, version: &str) -> bool {
    let tag = state.plan.target().is_some_and(|target| target.tag.as_str() == version);
    let commit = commit_of(&state.plan)
        .is_some_and(|commit| version.len() >= 7 && commit.as_str().starts_with(version));
    let digest =
        super::history::target_digest(state).is_some_and(|digest| digest.as_str() == version);
    tag || commit || digest
}
