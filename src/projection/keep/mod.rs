//! Which images of a repository are needed, and which may go: a reason for each.
//!
//! What is needed is what runs, and what `rollback` can offer: by the same code as its list.

mod deletions;
mod lifecycle;
mod memory;
mod missing;
mod order;
mod past;
mod picture;
#[cfg(test)]
mod property;
mod reason;
mod rules;
#[cfg(test)]
pub(super) mod scene;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

pub use deletions::{Deletions, Failed, Stopped};
pub use lifecycle::lifecycle_warnings;
pub use memory::{Memory, Named, remember};
pub use missing::{Missing, missing};
pub use order::{LARGEST_RUN, calls};
pub use past::{Prune, PruneOutcome, pruned, prunes};
pub use picture::{Picture, Running};
pub use reason::{Deployed, Gone, Kept};

use crate::names::Digest;
use crate::world::registry::Held;
use rules::{RULES, Rule};

/// How much is kept beyond what is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many rollback targets of each service.
    pub keep: u32,
    /// Nothing younger than this goes, where it is said.
    pub older_than: Option<Duration>,
    /// Nothing younger than this goes, ever: it may be pushed for a deployment to come.
    pub grace: Duration,
    /// Tags of this form count as surefoot's own (`*` is the wildcard).
    pub own_tags: Vec<String>,
}

/// What is to become of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "fate", content = "reason")]
pub enum Fate {
    /// It stays.
    Keep(Kept),
    /// Nothing needs it.
    Delete(Gone),
}

/// One image with what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The image.
    #[serde(flatten)]
    pub held: Held,
    /// What is to become of it.
    #[serde(flatten)]
    pub fate: Fate,
}

impl Choice {
    /// Whether it is to be deleted.
    pub fn goes(&self) -> bool {
        matches!(self.fate, Fate::Delete(_))
    }
}

/// A fate for every image, newest first.
pub fn choose(picture: &Picture, limits: &Limits) -> Vec<Choice> {
    choose_by(&RULES, picture, limits)
}

fn choose_by(rules: &[Rule], picture: &Picture, limits: &Limits) -> Vec<Choice> {
    let kept = kept(rules, picture, limits);
    let mut choices: Vec<Choice> = picture
        .images()
        .map(|held| {
            let fate = match kept.get(&held.image.digest) {
                Some(reason) => Fate::Keep(reason.clone()),
                None => Fate::Delete(rules::gone(picture, held)),
            };
            Choice { held: held.clone(), fate }
        })
        .collect();
    choices.sort_by_key(|choice| std::cmp::Reverse(choice.held.image.pushed_at));
    choices
}

/// What must stay and why: what a rule names, its parts, and what is about it. The first reason
/// counts.
fn kept(rules: &[Rule], picture: &Picture, limits: &Limits) -> BTreeMap<Digest, Kept> {
    let mut kept: BTreeMap<Digest, Kept> = BTreeMap::new();
    let mut fresh = VecDeque::new();
    for rule in rules {
        for (digest, reason) in rule(picture, limits) {
            if picture.holds(&digest) && !kept.contains_key(&digest) {
                kept.insert(digest.clone(), reason);
                fresh.push_back(digest);
            }
        }
    }
    while let Some(digest) = fresh.pop_front() {
        let parts = picture.parts_of(&digest).iter();
        let parts = parts.map(|part| (part, Kept::PartOf { index: digest.clone() }));
        let about = picture.about(&digest).iter();
        let about = about.map(|one| (one, Kept::About { image: digest.clone() }));
        for (needed, reason) in parts.chain(about) {
            if picture.holds(needed) && !kept.contains_key(needed) {
                kept.insert(needed.clone(), reason);
                fresh.push_back(needed.clone());
            }
        }
    }
    kept
}
