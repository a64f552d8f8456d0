//! What the journal of one service remembers of images.

use std::collections::BTreeSet;

use crate::event::Event;
use crate::event::deployment::{Deployment, Phase};
use crate::names::{DeploymentNumber, Digest, ImageIdentifier, RepositoryName, StreamName};
use crate::plan::identity;
use crate::plan::{Intent, TargetOrigin};
use crate::projection::fold::{Folded, fold};
use crate::projection::history::target_digest;
use crate::projection::live::left_live;
use crate::projection::{Candidate, RECOVERED, Recorded, Row, Verdict, candidates, history};
use crate::release::Release;

/// What the journal of one service remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// The service.
    pub stream: StreamName,
    /// Whether it is that of another clone on this machine.
    pub in_another_clone: bool,
    /// The endpoint of its newest deployment.
    pub endpoint: Option<String>,
    /// The repositories that its deployments used.
    pub repositories: BTreeSet<RepositoryName>,
    /// What `rollback --list` offers, in its order.
    pub targets: Vec<Named>,
    /// What is live by the journal.
    pub live: Option<Named>,
    /// What a person marked good.
    pub good: Vec<Named>,
    /// What deployments need that are not over, or whose end is not known.
    pub unsettled: Vec<Named>,
    /// Every image that it names, oldest deployment first.
    pub named: Vec<Named>,
    /// Every mark that its deployments may have planted.
    pub marks: BTreeSet<String>,
    /// The deployment that is not over.
    pub unfinished: Option<DeploymentNumber>,
    /// Deployments that cannot be read.
    pub unreadable: Vec<DeploymentNumber>,
    /// The marks that the service was found with, each where it was found first: before these
    /// deployments, or where the journal began anew on a service that surefoot had deployed before.
    pub found: Vec<(DeploymentNumber, String)>,
}

/// An image as a deployment names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The deployment.
    pub number: DeploymentNumber,
    /// What became of it.
    pub verdict: Verdict,
    /// Its digest, as far as it is known.
    pub digest: Option<Digest>,
    /// The image that the service was configured with.
    pub image: Option<ImageIdentifier>,
}

impl Named {
    /// The digests that it names itself; a tag needs the registry's word.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        let configured = self.image.as_ref().and_then(ImageIdentifier::digest);
        self.digest.iter().chain(configured)
    }
}

/// What these records say about images.
pub fn remember(stream: &StreamName, records: &[Recorded]) -> Memory {
    let folded = fold(records);
    let rows = history(records);
    let states: Vec<&Deployment> =
        folded.iter().filter_map(|one| one.state.as_ref().ok()).collect();
    let last = folded.last().and_then(|one| one.state.as_ref().ok());
    Memory {
        stream: stream.clone(),
        in_another_clone: false,
        endpoint: states.last().and_then(|state| state.plan.endpoint.clone()),
        repositories: states.iter().flat_map(|state| repositories(state)).collect(),
        targets: candidates(records).into_iter().map(target).collect(),
        live: live(&folded, &rows),
        good: rows.iter().filter(|row| is_good(row)).map(|row| named(row, &folded)).collect(),
        unsettled: unsettled(&folded, &rows),
        named: rows.iter().map(|row| named(row, &folded)).collect(),
        marks: marks(&states),
        unfinished: last.filter(|state| !state.is_over()).map(|state| state.plan.number),
        unreadable: folded.iter().filter(|one| one.state.is_err()).map(|one| one.number).collect(),
        found: found(records, &states),
    }
}

fn is_good(row: &Row) -> bool {
    row.judgement.as_ref().is_some_and(|judgement| judgement.good)
}

fn target(candidate: Candidate) -> Named {
    Named {
        number: candidate.row.number,
        verdict: candidate.row.verdict,
        digest: candidate.row.digest,
        image: Some(candidate.release.image),
    }
}

fn named(row: &Row, folded: &[Folded<'_>]) -> Named {
    let place = folded.binary_search_by_key(&row.number, |one| one.number).ok();
    let state = place.and_then(|place| folded[place].state.as_ref().ok());
    let asked = state.and_then(|state| state.done.issued.as_ref());
    let image = asked.map(|issue| issue.release.image.clone());
    Named { number: row.number, verdict: row.verdict, digest: row.digest.clone(), image }
}

fn live(folded: &[Folded<'_>], rows: &[Row]) -> Option<Named> {
    let mut state = folded.iter().rev().filter_map(|one| one.state.as_ref().ok());
    let (state, release) = state.find_map(|state| Some((state, left_live(state)?)))?;
    let row = rows.iter().find(|row| row.number == state.plan.number)?;
    let digest = matches!(state.phase, Phase::Succeeded).then(|| row.digest.clone()).flatten();
    // After a way back the deployment that went back is not the one whose image is live.
    let its = digest.as_ref().or(release.image.digest());
    let row = rows.iter().rfind(|row| is_proven(row) && row.digest.as_ref() == its).unwrap_or(row);
    Some(Named { number: row.number, verdict: row.verdict, digest, image: Some(release.image) })
}

fn is_proven(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Live | Verdict::Good | Verdict::Superseded)
}

/// The newest deployment keeps its own image and the one before it, unless its end is proven.
fn unsettled(folded: &[Folded<'_>], rows: &[Row]) -> Vec<Named> {
    let (Some(last), Some(row)) = (folded.last(), rows.last()) else { return Vec::new() };
    let Ok(state) = &last.state else { return Vec::new() };
    let proven = matches!(state.phase, Phase::Succeeded | Phase::RolledBack { .. });
    if proven || matches!(state.phase, Phase::Failed { .. }) && state.done.issued.is_none() {
        return Vec::new();
    }
    let of = |digest: Option<&Digest>, release: Option<&Release>| Named {
        number: row.number,
        verdict: row.verdict,
        digest: digest.cloned(),
        image: release.map(|release| release.image.clone()),
    };
    let asked = state.done.issued.as_ref().map(|issue| &issue.release);
    let planned = match &state.plan.intent {
        Intent::Rollback { release, .. } => Some(release),
        Intent::Deploy { .. } => None,
    };
    let mut needed = vec![of(target_digest(state), asked.or(planned)), of(None, state.previous())];
    if let Intent::Deploy { target, .. } = &state.plan.intent
        && let TargetOrigin::Registry { image } = &target.origin
    {
        needed.push(Named { image: Some(image.clone()), ..of(None, None) });
    }
    needed
}

fn repositories(state: &Deployment) -> Vec<RepositoryName> {
    let planned = match &state.plan.intent {
        Intent::Deploy { target, .. } => target.repository.clone(),
        Intent::Rollback { release, .. } => release.image.repository.clone(),
    };
    let previous = state.previous().map(|release| release.image.repository.clone());
    previous.into_iter().chain([planned]).collect()
}

fn marks(states: &[&Deployment]) -> BTreeSet<String> {
    let ids = states.iter().map(|state| &state.plan.id);
    ids.flat_map(identity::marks).map(|mark| mark.to_string()).collect()
}

fn found(records: &[Recorded], states: &[&Deployment]) -> Vec<(DeploymentNumber, String)> {
    let anew = records.iter().filter_map(|record| match &record.event {
        Ok(Event::RecordRecovered { found, .. }) => {
            Some((RECOVERED, found.mark.clone().unwrap_or_default()))
        }
        _ => None,
    });
    let before = states
        .iter()
        .filter_map(|state| Some((state.plan.number, state.done.captured.as_ref()?.mark.clone()?)));
    let mut first: Vec<(DeploymentNumber, String)> = Vec::new();
    for (number, mark) in anew.chain(before) {
        if !first.iter().any(|(_, known)| *known == mark) {
            first.push((number, mark));
        }
    }
    first
}

/// Every digest that an event of these records names as deployed or pushed again.
pub(in crate::projection) fn proven_again(event: &Event) -> Option<&Digest> {
    match event {
        Event::DigestPushed { digest, .. } => Some(digest),
        Event::ReleaseVerified { proof } | Event::RollbackVerified { proof, .. } => {
            proof.digest.as_ref()
        }
        _ => None,
    }
}
