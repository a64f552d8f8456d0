//! The rules by which images stay, the strongest first.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Deployed, Gone, Kept, Limits, Memory, Named, Picture};
use crate::names::Digest;
use crate::world::registry::{Held, matches_wildcard};

/// Names images that must stay.
pub(super) type Rule = fn(&Picture, &Limits) -> Vec<(Digest, Kept)>;

/// All of them.
pub(super) const RULES: [Rule; 9] = [
    runs_now,
    live,
    rollback_targets,
    unsettled,
    marked_good,
    latest,
    foreign_tags,
    young,
    not_old_enough,
];

/// What any service of the account and region is configured with.
pub(super) fn runs_now(picture: &Picture, _: &Limits) -> Vec<(Digest, Kept)> {
    let mut found = Vec::new();
    for service in &picture.services {
        let meant = service.image.iter().flat_map(|image| picture.meant(image));
        let because = Kept::RunsNow { service: service.name.clone() };
        found.extend(meant.map(|digest| (digest.clone(), because.clone())));
    }
    found
}

/// What is live by the journal: App Runner itself may go back to it.
pub(super) fn live(picture: &Picture, _: &Limits) -> Vec<(Digest, Kept)> {
    of_memories(picture, |memory| memory.live.iter().collect(), Kept::Live)
}

/// The images of the last good releases of each service, of those that are there, by the list of
/// `rollback`. The image that is live is kept besides, and takes no place of theirs.
pub(super) fn rollback_targets(picture: &Picture, limits: &Limits) -> Vec<(Digest, Kept)> {
    of_memories(picture, |memory| last_targets(picture, memory, limits.keep), Kept::RollbackTarget)
}

fn last_targets<'a>(picture: &'a Picture, memory: &'a Memory, keep: u32) -> Vec<&'a Named> {
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let live = memory.live.iter().flat_map(|live| digests(picture, live)).collect::<BTreeSet<_>>();
    let mut images: BTreeSet<&Digest> = BTreeSet::new();
    let mut found = Vec::new();
    for target in &memory.targets {
        let its = digests(picture, target);
        let is_there = its.iter().any(|digest| picture.holds(digest));
        let is_another = !its.iter().any(|digest| live.contains(digest) || images.contains(digest));
        if is_there && is_another && found.len() < keep {
            images.extend(its);
            found.push(target);
        }
    }
    found
}

/// What deployments need that are not over, or whose end is not known.
pub(super) fn unsettled(picture: &Picture, _: &Limits) -> Vec<(Digest, Kept)> {
    of_memories(picture, |memory| memory.unsettled.iter().collect(), Kept::Unsettled)
}

/// What a person marked good.
pub(super) fn marked_good(picture: &Picture, _: &Limits) -> Vec<(Digest, Kept)> {
    of_memories(picture, |memory| memory.good.iter().collect(), Kept::MarkedGood)
}

/// What `deploy --force-latest` would deploy.
fn latest(picture: &Picture, _: &Limits) -> Vec<(Digest, Kept)> {
    images(picture, |held| held.image.tags.iter().any(|tag| tag == LATEST).then_some(Kept::Latest))
}

/// What somebody else named.
pub(super) fn foreign_tags(picture: &Picture, limits: &Limits) -> Vec<(Digest, Kept)> {
    images(picture, |held| {
        let foreign = held.image.tags.iter().find(|tag| !is_own(tag, limits))?;
        Some(Kept::ForeignTag { tag: foreign.clone() })
    })
}

/// What may have been pushed for a deployment to come.
pub(super) fn young(picture: &Picture, limits: &Limits) -> Vec<(Digest, Kept)> {
    images(picture, |held| {
        age(picture, held).is_none_or(|age| age < limits.grace).then_some(Kept::Young)
    })
}

/// What is not as old as was asked for.
fn not_old_enough(picture: &Picture, limits: &Limits) -> Vec<(Digest, Kept)> {
    let Some(limit) = limits.older_than else { return Vec::new() };
    images(picture, |held| {
        age(picture, held).is_none_or(|age| age < limit).then_some(Kept::NotOldEnough)
    })
}

/// Why an image that no rule names may go.
pub(super) fn gone(picture: &Picture, held: &Held) -> Gone {
    let digest = &held.image.digest;
    if let Some((memory, named)) = picture.named(digest) {
        return Gone::Deployed { by: deployed(memory, named), verdict: named.verdict };
    }
    if let Some(index) = picture.holders_of(digest).first() {
        return Gone::PartOf { index: index.clone() };
    }
    if held.image.tags.is_empty() { Gone::Untagged } else { Gone::Undeployed }
}

const LATEST: &str = "latest";

/// Whether surefoot may have made this tag: a commit, a dirty commit with its context, a time,
/// `latest`; or one of a form that was named on the command line.
fn is_own(tag: &str, limits: &Limits) -> bool {
    let (commit, context) = tag.split_once("-dirty-").unwrap_or((tag, ""));
    let hexadecimal = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_commit = commit.len() == 12 && hexadecimal(commit);
    let is_context = context.is_empty() && commit == tag || context.len() == 8;
    is_commit && is_context && hexadecimal(context)
        || is_time(tag)
        || tag == LATEST
        || limits.own_tags.iter().any(|pattern| matches_wildcard(pattern, tag))
}

/// `20261123T120000Z`
fn is_time(tag: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts = tag.strip_suffix('Z').and_then(|tag| tag.split_once('T'));
    parts
        .is_some_and(|(day, time)| day.len() == 8 && time.len() == 6 && digits(day) && digits(time))
}

/// How old it is; nothing where ECR does not say, or where a clock is wrong.
fn age(picture: &Picture, held: &Held) -> Option<Duration> {
    (picture.now - held.image.pushed_at?).to_std().ok()
}

fn images(picture: &Picture, reason: impl Fn(&Held) -> Option<Kept>) -> Vec<(Digest, Kept)> {
    let named = |held: &Held| Some((held.image.digest.clone(), reason(held)?));
    picture.images().filter_map(named).collect()
}

fn digests<'a>(picture: &'a Picture, named: &'a Named) -> Vec<&'a Digest> {
    let meant = named.image.iter().flat_map(|image| picture.meant(image));
    named.digest.iter().chain(meant).collect()
}

fn of_memories<'a>(
    picture: &'a Picture,
    needed: impl Fn(&'a Memory) -> Vec<&'a Named>,
    reason: fn(Deployed) -> Kept,
) -> Vec<(Digest, Kept)> {
    let mut found = Vec::new();
    for memory in &picture.memories {
        for named in needed(memory) {
            for digest in digests(picture, named) {
                found.push((digest.clone(), reason(deployed(memory, named))));
            }
        }
    }
    found
}

fn deployed(memory: &Memory, named: &Named) -> Deployed {
    Deployed {
        service: memory.stream.service.clone(),
        number: named.number,
        in_another_clone: memory.in_another_clone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_surefoot_are_told_from_those_of_other_people() {
        let limits = |patterns: &[&str]| Limits {
            keep: 1,
            older_than: None,
            grace: Duration::ZERO,
            own_tags: patterns.iter().map(|&pattern| pattern.to_owned()).collect(),
        };
        for own in ["0123456789ab", "0123456789ab-dirty-00ff00ff", "20261123T120000Z", "latest"] {
            assert!(is_own(own, &limits(&[])), "{own}");
        }
        for foreign in [
            "v1",
            "0123456789a",
            "0123456789abc",
            "0123456789AB",
            "0123456789ab-dirty-",
            "0123456789ab-dirty-00ff00f",
            "0123456789ab-dirty",
            "20261123T12000Z",
            "stable",
            "20261123120000",
            "latest-1",
            "0123456789ab-extra",
        ] {
            assert!(!is_own(foreign, &limits(&[])), "{foreign}");
        }
        assert!(is_own("build-17", &limits(&["v*", "build-*"])));
        assert!(!is_own("rebuild-17", &limits(&["v*", "build-*"])));
    }
}
