//! One row per deployment: what became of it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::fold::{Folded, fold};
use super::judgement::{Judgement, judgements};
use super::live::left_live;
use super::{Recorded, as_seconds, between, recovered};
use crate::event::deployment::{Deployment, Phase};
use crate::event::{Interruption, commit_of};
use crate::names::{Commit, DeploymentNumber, Digest, ImageIdentifier, RepositoryName, Tag};
use crate::plan::{Intent, TargetOrigin};
use crate::release::Release;
use crate::world::Obstacle;
use crate::world::source::Checkout;

/// What became of a deployment, seen from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The newest that succeeded: what serves, by the log.
    Live,
    /// It succeeded, was replaced, and a person marked it good.
    Good,
    /// It succeeded and was replaced.
    Superseded,
    /// It failed.
    Failed,
    /// It failed and the old release serves.
    RolledBack,
    /// The way back failed.
    RollbackFailed,
    /// It was marked bad.
    Bad,
    /// What is true could not be known; a person must look.
    Attention,
    /// This version cannot read its events.
    Unknown,
    /// It has no end yet.
    InProgress,
    /// Its process stopped before the end and said so; it can be resumed.
    Interrupted,
    /// A person closed it.
    Abandoned,
}

impl Verdict {
    /// The words a person reads.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Good => "good",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::RollbackFailed => "rollback failed",
            Self::Bad => "bad",
            Self::Attention => "attention",
            Self::Unknown => "unknown",
            Self::InProgress => "in progress",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
        }
    }

    /// Every verdict there is.
    pub const ALL: [Self; 12] = [
        Self::Live,
        Self::Good,
        Self::Superseded,
        Self::Failed,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::Bad,
        Self::Attention,
        Self::Unknown,
        Self::InProgress,
        Self::Interrupted,
        Self::Abandoned,
    ];

    /// Whether its release was live and nobody called it bad.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Live | Self::Good | Self::Superseded)
    }
}

impl FromStr for Verdict {
    type Err = String;
    /// Reads the words, with blanks, dashes or underscores between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.trim().to_lowercase().replace(['-', '_'], " ");
        let found = Self::ALL.into_iter().find(|verdict| verdict.words() == wanted);
        found.ok_or_else(|| {
            let words: Vec<String> =
                Self::ALL.iter().map(|verdict| verdict.words().replace(' ', "-")).collect();
            format!("one of {}", words.join(", "))
        })
    }
}

/// One deployment in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its number.
    pub number: DeploymentNumber,
    /// What became of it.
    pub verdict: Verdict,
    /// The commit it came from.
    pub commit: Option<Commit>,
    /// Whether files differed from that commit.
    pub dirty: bool,
    /// The branch that was checked out.
    pub branch: Option<String>,
    /// The first line of the commit's message.
    pub subject: Option<String>,
    /// When the commit was made, by its committer's clock.
    pub committed_at: Option<DateTime<Utc>>,
    /// The repository of its image.
    pub repository: Option<RepositoryName>,
    /// The tag of its image.
    pub tag: Option<Tag>,
    /// The digest of its image.
    pub digest: Option<Digest>,
    /// The deployment whose release it went back to, for a rollback.
    pub rollback_to: Option<DeploymentNumber>,
    /// Who began it.
    pub by: String,
    /// The address of the CI run that began it.
    pub ci_run: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, if it has.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it took, in seconds.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub took: Option<Duration>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// The code of what went wrong.
    pub code: Option<String>,
    /// How the process ended, if the deployment has.
    pub exit_code: Option<u8>,
    /// What is said of its release, by its own end or by people since.
    pub judgement: Option<Judgement>,
}

/// Every deployment of the stream, oldest first.
pub fn history(records: &[Recorded]) -> Vec<Row> {
    let folded = fold(records);
    let judgements = judgements(records, &folded);
    let live = live(&folded);
    let mut rows: Vec<Row> =
        folded.iter().map(|one| row(one, live, judgements.get(&one.number))).collect();
    // What ran before is live where no deployment is, and none left another image.
    let now = left(&folded).map(|release| release.image);
    let serves = |image: Option<&ImageIdentifier>| {
        live.is_none() && now.as_ref().is_none_or(|now| Some(now) == image)
    };
    rows.splice(0..0, recovered::row(records, &serves, &judgements));
    name_rollbacks(&mut rows);
    rows
}

/// The newest deployment that succeeded, unless a later one was taken back to another image: then what
/// serves is nobody's here.
pub(super) fn live(folded: &[Folded<'_>]) -> Option<DeploymentNumber> {
    let succeeded =
        |one: &&Folded<'_>| matches!(&one.state, Ok(state) if state.phase == Phase::Succeeded);
    let newest = folded.iter().rev().find(succeeded)?;
    let its = left(std::slice::from_ref(newest))?;
    (left(folded)?.image == its.image).then_some(newest.number)
}

/// The release that the newest deployment with a proven end left.
fn left(folded: &[Folded<'_>]) -> Option<Release> {
    folded.iter().rev().find_map(|one| left_live(one.state.as_ref().ok()?))
}

/// A rollback carries no tag and no commit of its own: it is shown by those of what it went back to,
/// which may be a rollback itself.
fn name_rollbacks(rows: &mut [Row]) {
    let mut names = BTreeMap::new();
    for row in rows {
        if let Some((tag, commit, dirty)) = row.rollback_to.and_then(|to| names.get(&to)).cloned() {
            row.tag = row.tag.take().or(tag);
            // Whether the tree was dirty is said of the commit, and goes with it.
            row.dirty |= row.commit.is_none() && dirty;
            row.commit = row.commit.take().or(commit);
        }
        names.insert(row.number, (row.tag.clone(), row.commit.clone(), row.dirty));
    }
}

fn row(one: &Folded<'_>, live: Option<DeploymentNumber>, judgement: Option<&Judgement>) -> Row {
    let is_live = live == Some(one.number);
    let state = one.state.as_ref();
    let (first, last) = (one.events[0], one.end());
    let over = state.is_ok_and(Deployment::is_over);
    let ended_at = over.then_some(last.at);
    let readable = state.ok();
    let checkout = readable.and_then(checkout);
    Row {
        number: one.number,
        verdict: verdict(state.ok(), is_live, judgement),
        commit: readable.and_then(|state| commit_of(&state.plan)).cloned(),
        dirty: checkout.is_some_and(|checkout| checkout.dirty),
        branch: checkout.and_then(|checkout| checkout.branch.clone()),
        subject: checkout.map(|checkout| checkout.subject.clone()),
        committed_at: checkout.and_then(|checkout| checkout.committed_at),
        repository: readable.map(repository).cloned(),
        tag: readable.and_then(target_tag).cloned(),
        digest: readable.and_then(target_digest).cloned(),
        rollback_to: readable.and_then(rollback_to),
        by: first.actor.clone(),
        ci_run: first.ci_run.clone(),
        started_at: first.at,
        ended_at,
        took: ended_at.and_then(|end| between(first.at, end)),
        note: state.map_or_else(|error| Some(error.clone()), |state| note(state, judgement)),
        code: readable.and_then(code),
        exit_code: readable.filter(|_| over).map(|state| state.exit_code().number()),
        judgement: judgement.cloned(),
    }
}

fn verdict(state: Option<&Deployment>, live: bool, judgement: Option<&Judgement>) -> Verdict {
    let Some(state) = state else { return Verdict::Unknown };
    match &state.phase {
        Phase::Succeeded if live => Verdict::Live,
        Phase::Succeeded => match judgement {
            Some(Judgement { good: true, .. }) => Verdict::Good,
            Some(_) => Verdict::Bad,
            None => Verdict::Superseded,
        },
        Phase::RolledBack { .. } => Verdict::RolledBack,
        Phase::Failed { .. } => Verdict::Failed,
        Phase::RollbackFailed { .. } => Verdict::RollbackFailed,
        Phase::Attention { .. } => Verdict::Attention,
        Phase::Abandoned { .. } => Verdict::Abandoned,
        Phase::Forward
        | Phase::Failing { .. }
        | Phase::RollingBack { .. }
        | Phase::RollbackFailing { .. } => {
            if state.interrupted.is_some() {
                Verdict::Interrupted
            } else {
                Verdict::InProgress
            }
        }
    }
}

fn checkout(state: &Deployment) -> Option<&Checkout> {
    state.plan.target()?.checkout.as_ref()
}

fn repository(state: &Deployment) -> &RepositoryName {
    match &state.plan.intent {
        Intent::Deploy { target, .. } => &target.repository,
        Intent::Rollback { release, .. } => &release.image.repository,
    }
}

/// The tag of the image that is, or was to be, deployed.
pub(super) fn target_tag(state: &Deployment) -> Option<&Tag> {
    match &state.plan.intent {
        Intent::Deploy { target, .. } => Some(&target.tag),
        Intent::Rollback { release, .. } => release.image.tag(),
    }
}

/// The digest of the image that is, or was to be, deployed, as far as it is known.
pub(super) fn target_digest(state: &Deployment) -> Option<&Digest> {
    let pushed = state.done.pushed.as_ref().map(|(digest, _)| digest);
    let planned = match &state.plan.intent {
        Intent::Rollback { release, .. } => release.image.digest(),
        Intent::Deploy { target, .. } => match &target.origin {
            TargetOrigin::Registry { image } => image.digest(),
            TargetOrigin::Build { .. } => None,
        },
    };
    let live = state.done.already_live.as_ref().and_then(|(_, release)| release.image.digest());
    let proven = state.done.proof.as_ref().and_then(|proof| proof.digest.as_ref());
    proven.or(pushed).or(live).or(planned)
}

fn rollback_to(state: &Deployment) -> Option<DeploymentNumber> {
    match state.plan.intent {
        Intent::Rollback { to, .. } => Some(to),
        Intent::Deploy { .. } => None,
    }
}

fn note(state: &Deployment, judgement: Option<&Judgement>) -> Option<String> {
    // What it is held for is worth more than what it was begun for, where there is little room.
    let mut notes: Vec<String> = judgement.and_then(Judgement::note).into_iter().collect();
    if let Intent::Rollback { to, reason, image_only, .. } = &state.plan.intent {
        let why = reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let alone = if *image_only { ", image only" } else { "" };
        notes.push(format!("rollback to {to}{alone}{why}"));
    }
    notes.extend(end_note(state));
    if state.phase == Phase::Succeeded && state.done.already_live.is_some() {
        notes.push("already live, nothing changed".into());
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn end_note(state: &Deployment) -> Option<String> {
    match &state.phase {
        Phase::RolledBack { because } | Phase::Failed { because } => Some(because.code.clone()),
        Phase::RollbackFailed { because, failure } => {
            Some(format!("{}, then {}", because.code, failure.code))
        }
        Phase::Abandoned { reason } => Some(reason.clone()),
        Phase::Attention { evidence } => evidence.first().cloned(),
        Phase::Succeeded => None,
        _ => state.interrupted.as_ref().map(interruption_words),
    }
}

/// Why a process stopped, in words.
pub(super) fn interruption_words(interruption: &Interruption) -> String {
    match interruption {
        Interruption::Signal { name } => format!("interrupted by {name}"),
        Interruption::Unreachable { place, obstacle, reason } => {
            let what = match obstacle {
                Obstacle::Network | Obstacle::NotRunning => "could not be reached",
                Obstacle::NoCredentials
                | Obstacle::ExpiredCredentials
                | Obstacle::InvalidCredentials => "did not accept the credentials",
                Obstacle::Throttled => "asked for patience",
                Obstacle::Broken => "did not answer as it should",
            };
            format!("{place} {what}: {reason}")
        }
        Interruption::StillBusy { operation: Some(operation) } => {
            format!("App Runner is still busy with operation {operation}")
        }
        Interruption::StillBusy { operation: None } => "App Runner is still busy".into(),
    }
}

fn code(state: &Deployment) -> Option<String> {
    match &state.phase {
        Phase::Failing { failure: because }
        | Phase::RollingBack { because, .. }
        | Phase::RolledBack { because }
        | Phase::Failed { because }
        | Phase::RollbackFailing { because, .. }
        | Phase::RollbackFailed { because, .. } => Some(because.code.clone()),
        Phase::Attention { .. } => Some("attention".into()),
        _ => None,
    }
}
