//! Which releases are good or bad: by what became of them, and by what people said since.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::fold::{Folded, fold};
use super::history::target_digest;
use super::{RECOVERED, Recorded, recovered};
use crate::event::Event;
use crate::event::deployment::{Deployment, Phase};
use crate::names::{Commit, DeploymentNumber, Digest};
use crate::plan::{BadRelease, Circumstances, Intent};

/// What is said of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whether it is good.
    pub good: bool,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What it rests on.
    pub from: Source,
}

/// What a judgement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A person marked it.
    Mark,
    /// A person went back from it.
    RolledBackFrom,
    /// Its own deployment was rolled back.
    Failure,
}

impl Judgement {
    /// The judgement as a note; nothing where the deployment's own verdict says it already.
    pub(super) fn note(&self) -> Option<String> {
        let word = if self.good { "good" } else { "bad" };
        match self.from {
            Source::Mark => Some(format!("marked {word}: {}", self.reason)),
            Source::RolledBackFrom => Some(self.reason.clone()),
            Source::Failure => None,
        }
    }
}

/// Failures that say nothing of the image: what was asked of App Runner could not be done, or was
/// taken back by a person.
const NOT_OF_THE_IMAGE: [&str; 12] = [
    "access-denied",
    "access-role",
    "closed-to-new-accounts",
    "image-missing",
    "image-pull",
    "instance-role",
    "never-started",
    "pass-role",
    "quota",
    "release-not-live",
    "service-linked-role",
    "taken-back",
];

/// One judgement, with its place in the stream.
struct Word {
    sequence: u64,
    of: DeploymentNumber,
    judgement: Judgement,
    /// The image that it condemns or clears.
    digest: Option<Digest>,
    /// The commit that the image was built from, where the tree was clean and a person judges.
    commit: Option<Commit>,
    /// What the image failed under, where it is condemned only together with that.
    under: Option<Circumstances>,
}

/// The newest word on each deployment's release; what a person marked bad stays in their words.
pub(super) fn judgements(
    records: &[Recorded],
    folded: &[Folded<'_>],
) -> BTreeMap<DeploymentNumber, Judgement> {
    let mut judgements: BTreeMap<DeploymentNumber, Judgement> = BTreeMap::new();
    for Word { of, judgement, .. } in words(records, folded) {
        let marked = |said: &Judgement| said.from == Source::Mark && !said.good;
        if judgement.from == Source::Mark || !judgements.get(&of).is_some_and(marked) {
            judgements.insert(of, judgement);
        }
    }
    judgements
}

/// The images that are not to be deployed again unasked, oldest word first. What a person said, by a mark
/// or by going back, stands until the next mark; what a failure said is outlived by the next success.
pub fn bad_releases(records: &[Recorded]) -> Vec<BadRelease> {
    let folded = fold(records);
    let mut words = words(records, &folded);
    let mut successes = successes(&folded);
    let mut bad: Vec<(BadRelease, Source)> = Vec::new();
    while let Some(word) = (!words.is_empty()).then(|| words.remove(0)) {
        let proven = successes.iter().take_while(|(sequence, _)| *sequence < word.sequence).count();
        for (_, digest) in successes.drain(..proven) {
            outlive(&mut bad, &digest);
        }
        hear(&mut bad, word);
    }
    for (_, digest) in successes {
        outlive(&mut bad, &digest);
    }
    let mut bad: Vec<BadRelease> = bad.into_iter().map(|(release, _)| release).collect();
    spare_commits(&mut bad, &folded);
    bad
}

/// Where another build of the commit was proven and nothing is said against it, the commit is not what was
/// wrong.
fn spare_commits(bad: &mut [BadRelease], folded: &[Folded<'_>]) {
    for one in folded {
        let Some(state) = one.state.as_ref().ok().filter(|it| it.phase == Phase::Succeeded) else {
            continue;
        };
        let (commit, digest) = (clean_commit(state), target_digest(state));
        let is_bad = bad.iter().any(|bad| Some(&bad.digest) == digest);
        if commit.is_some() && digest.is_some() && !is_bad {
            let of_it = bad.iter_mut().filter(|bad| bad.commit == commit);
            of_it.for_each(|bad| bad.commit = None);
        }
    }
}

fn outlive(bad: &mut Vec<(BadRelease, Source)>, digest: &Digest) {
    bad.retain(|(release, from)| release.digest != *digest || *from != Source::Failure);
}

fn hear(bad: &mut Vec<(BadRelease, Source)>, word: Word) {
    let Some(digest) = word.digest else { return };
    let Judgement { good, reason, by, at, from } = word.judgement;
    let marked =
        |(release, from): &(BadRelease, Source)| release.digest == digest && *from == Source::Mark;
    if from != Source::Mark && bad.iter().any(marked) {
        return;
    }
    bad.retain(|(release, _)| release.digest != digest);
    let (deployment, commit, under) = (word.of, word.commit, word.under);
    if !good {
        bad.push((BadRelease { digest, commit, under, deployment, by, at, reason }, from));
    }
}

/// Everything that was said, in the order of the stream.
fn words(records: &[Recorded], folded: &[Folded<'_>]) -> Vec<Word> {
    let mut words: Vec<Word> = folded.iter().filter_map(failure).collect();
    words.extend(left(folded));
    words.extend(records.iter().filter_map(|record| mark(record, records, folded)));
    words.sort_by_key(|word| word.sequence);
    words
}

fn mark(record: &Recorded, records: &[Recorded], folded: &[Folded<'_>]) -> Option<Word> {
    let Ok(Event::ReleaseMarked { deployment, good, reason }) = &record.event else { return None };
    let judgement = Judgement {
        good: *good,
        reason: reason.clone(),
        by: record.actor.clone(),
        at: record.at,
        from: Source::Mark,
    };
    let state = state(folded, *deployment);
    let digest = match *deployment {
        RECOVERED => recovered::digest(records),
        _ => state.and_then(target_digest),
    };
    Some(Word {
        sequence: record.sequence,
        of: *deployment,
        judgement,
        digest: digest.cloned(),
        commit: state.and_then(clean_commit),
        under: None,
    })
}

/// A deployment that was rolled back found its own release bad: its image, with what it ran under.
fn failure(one: &Folded<'_>) -> Option<Word> {
    let state = one.state.as_ref().ok()?;
    let (Phase::RolledBack { because } | Phase::RollbackFailed { because, .. }) = &state.phase
    else {
        return None;
    };
    if NOT_OF_THE_IMAGE.contains(&because.code.as_str()) {
        return None;
    }
    let why = because.because.first().map(|why| format!(": {why}")).unwrap_or_default();
    let reason = format!("{}{why}", because.what);
    let issued = state.done.issued.as_ref();
    let under = issued.map(|issued| Circumstances::of(&issued.release, &state.plan.health));
    let word = word(one, one.number, reason, Source::Failure, target_digest(state));
    Some(Word { under, ..word })
}

/// A release that a person went back from.
fn left(folded: &[Folded<'_>]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut live: Option<(&Folded<'_>, &Deployment)> = None;
    for one in folded {
        let Ok(state) = &one.state else { continue };
        if state.phase != Phase::Succeeded {
            // Where nobody knows what serves, nobody knows what was gone back from.
            let proven = matches!(state.phase, Phase::RolledBack { .. });
            live = live.filter(|_| proven || state.done.issued.is_none());
            continue;
        }
        if let (Intent::Rollback { to, reason, .. }, Some((before, left))) =
            (&state.plan.intent, live)
            && origin(folded, *to) < origin(folded, before.number)
            && state.done.already_live.is_none()
        {
            let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let why = format!("rolled back by {}{why}", one.number);
            // Where both have the same image, the image is not what was wrong.
            let digest = target_digest(left).filter(|left| Some(*left) != target_digest(state));
            let word = word(one, before.number, why, Source::RolledBackFrom, digest);
            words.push(Word { commit: clean_commit(left), ..word });
        }
        live = Some((one, state));
    }
    words
}

fn word(
    one: &Folded<'_>,
    of: DeploymentNumber,
    reason: String,
    from: Source,
    digest: Option<&Digest>,
) -> Word {
    let end = one.end();
    let judgement = Judgement { good: false, reason, by: end.actor.clone(), at: end.at, from };
    let digest = digest.cloned();
    Word { sequence: end.sequence, of, judgement, digest, commit: None, under: None }
}

/// The commit that alone makes the image.
fn clean_commit(state: &Deployment) -> Option<Commit> {
    state.plan.target()?.checkout.as_ref()?.clean_commit().cloned()
}

/// The deployment that first brought the release of this one.
fn origin(folded: &[Folded<'_>], number: DeploymentNumber) -> DeploymentNumber {
    match state(folded, number).map(|state| &state.plan.intent) {
        Some(Intent::Rollback { to, .. }) if *to < number => origin(folded, *to),
        _ => number,
    }
}

fn successes(folded: &[Folded<'_>]) -> Vec<(u64, Digest)> {
    let proven = folded.iter().filter_map(|one| {
        let state = one.state.as_ref().ok()?;
        let new = state.phase == Phase::Succeeded && state.done.already_live.is_none();
        new.then(|| Some((one.end().sequence, target_digest(state)?.clone())))?
    });
    let mut proven: Vec<(u64, Digest)> = proven.collect();
    proven.sort_by_key(|(sequence, _)| *sequence);
    proven
}

fn state<'a>(folded: &'a [Folded<'_>], number: DeploymentNumber) -> Option<&'a Deployment> {
    folded.iter().find(|one| one.number == number)?.state.as_ref().ok()
}
