//! Random lives of services and repositories, for the tests of what is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Limits, Memory, Picture, Running, remember};
use crate::event::{Event, HealthOutcome, RolledBackBy};
use crate::names::{DeploymentId, DeploymentNumber, Digest, StreamName};
use crate::plan::Plan;
use crate::projection::examples::{
    self, BACK, Run, UPDATE, captured, digest, health, issue, prepared, proof, release, succeeded,
    unfit,
};
use crate::projection::{Recorded, candidates};
use crate::world::registry::{Held, Image};
use crate::world::service::ServiceStatus;

/// How many different images there are.
pub(in crate::projection) const IMAGES: usize = 12;

/// What happens to a service.
#[derive(Debug, Clone)]
pub(in crate::projection) enum Act {
    /// A deployment of this image goes well.
    Good(usize),
    /// A deployment of this image is taken back.
    Unhealthy(usize),
    /// A rollback to one of the targets.
    Back(usize),
    /// A person judges one of the deployments.
    Mark { number: usize, good: bool },
}

/// One service.
#[derive(Debug, Clone)]
pub(in crate::projection) struct Life {
    pub(in crate::projection) acts: Vec<Act>,
    /// A deployment of this image has begun and is not over.
    pub(in crate::projection) unfinished: Option<usize>,
    /// Somebody deployed this image without surefoot.
    pub(in crate::projection) drift: Option<usize>,
}

/// One image of the repository; those with the first numbers are deployed.
#[derive(Debug, Clone)]
pub(in crate::projection) struct Thing {
    pub(in crate::projection) there: bool,
    pub(in crate::projection) hours: i64,
    pub(in crate::projection) parts: Vec<usize>,
    pub(in crate::projection) tag: Option<&'static str>,
    pub(in crate::projection) about: Option<usize>,
}

/// Everything.
#[derive(Debug, Clone)]
pub(in crate::projection) struct Scene {
    pub(in crate::projection) lives: Vec<Life>,
    pub(in crate::projection) things: Vec<Thing>,
    pub(in crate::projection) keep: u32,
    pub(in crate::projection) grace_hours: u64,
}

/// Any scene.
pub(in crate::projection) fn scenes() -> impl Strategy<Value = Scene> {
    (vec(life(), 1..4), vec(thing(), IMAGES + 12), 1..4_u32, 0..6_u64)
        .prop_map(|(lives, things, keep, grace_hours)| Scene { lives, things, keep, grace_hours })
}

fn life() -> impl Strategy<Value = Life> {
    let act = prop_oneof![
        6 => (0..IMAGES).prop_map(Act::Good),
        2 => (0..IMAGES).prop_map(Act::Unhealthy),
        1 => (0..4_usize).prop_map(Act::Back),
        1 => (1..8_usize, any::<bool>()).prop_map(|(number, good)| Act::Mark { number, good }),
    ];
    let maybe = || prop::option::weighted(0.2, 0..IMAGES);
    (vec(act, 0..9), maybe(), maybe()).prop_map(|(acts, unfinished, drift)| Life {
        acts,
        unfinished,
        drift,
    })
}

fn thing() -> impl Strategy<Value = Thing> {
    let parts = prop_oneof![2 => Just(vec![]), 1 => vec(IMAGES..IMAGES + 12, 1..4)];
    let tag = prop::option::weighted(0.1, Just("stable"));
    let about = prop::option::weighted(0.1, 0..IMAGES);
    (prop::bool::weighted(0.9), 0..100_i64, parts, tag, about)
        .prop_map(|(there, hours, parts, tag, about)| Thing { there, hours, parts, tag, about })
}

/// The tag and the name of an image.
pub(in crate::projection) fn tag_of(image: usize) -> String {
    format!("{image:012x}")
}

/// Its digest.
pub(in crate::projection) fn digest_of(image: usize) -> Digest {
    digest(&tag_of(image))
}

/// The name of a service.
pub(in crate::projection) fn stream(place: usize) -> StreamName {
    format!("123456789012/eu-central-1/shop-{place}").parse().unwrap()
}

fn now() -> DateTime<Utc> {
    examples::morning()
}

impl Life {
    /// The journal of this life.
    pub(in crate::projection) fn records(&self, place: usize) -> Vec<Recorded> {
        let mut records = Vec::new();
        let mut live = "v0".to_owned();
        let mut number = 0;
        for act in &self.acts {
            match act {
                Act::Mark { number, good } => records.push(mark(*number as u64, *good)),
                Act::Good(image) => {
                    number += 1;
                    let tag = tag_of(*image);
                    let run = updated(place, number, &tag, &live);
                    records.extend(ends_well(run, &tag).records);
                    live = tag;
                }
                Act::Unhealthy(image) => {
                    number += 1;
                    let run = updated(place, number, &tag_of(*image), &live);
                    records.extend(taken_back(run, &tag_of(*image), &live).records);
                }
                Act::Back(which) => {
                    let targets = candidates(&records);
                    let Some(target) = targets.get(which % targets.len().max(1)) else { continue };
                    number += 1;
                    let tag = target.row.tag.clone().unwrap().to_string();
                    let to = target.row.number.0;
                    records.extend(gone_back(place, number, to, &tag, &live).records);
                    live = tag;
                }
            }
        }
        if let Some(image) = self.unfinished {
            records.extend(updated(place, number + 1, &tag_of(image), &live).records);
        }
        records
    }
}

fn mark(number: u64, good: bool) -> Recorded {
    let event =
        Event::ReleaseMarked { deployment: DeploymentNumber(number), good, reason: "so".into() };
    Recorded {
        sequence: 0,
        at: now(),
        deployment: None,
        actor: "ada@laptop".into(),
        event: Ok(event),
        ci_run: None,
    }
}

fn of(plan: Plan, place: usize) -> Plan {
    let id = DeploymentId::derived_from(&[&place.to_string(), &plan.number.to_string()]);
    Plan { stream: stream(place), id, ..plan }
}

fn updated(place: usize, number: u64, tag: &str, live: &str) -> Run {
    let plan = of(examples::plan(number, tag), place);
    prepared(plan, Some(captured(live)), now()).then(2, Event::UpdateIssued(issue(tag, UPDATE)))
}

fn ends_well(run: Run, tag: &str) -> Run {
    run.then(9, succeeded(UPDATE))
        .then(1, Event::ReleaseVerified { proof: proof(tag, UPDATE) })
        .then(1, Event::HealthPassed { health: health(HealthOutcome::Passed, 200, &[]) })
        .announced()
}

fn taken_back(run: Run, tag: &str, live: &str) -> Run {
    let verified = Event::RollbackVerified {
        by: RolledBackBy::Surefoot,
        proof: proof(live, BACK),
        health: None,
    };
    run.then(9, succeeded(UPDATE))
        .then(1, Event::ReleaseVerified { proof: proof(tag, UPDATE) })
        .then(1, unfit(503, "answered 503"))
        .announced()
        .then(2, Event::RollbackIssued(issue(live, BACK)))
        .then(9, succeeded(BACK))
        .then(1, verified)
        .announced()
}

fn gone_back(place: usize, number: u64, to: u64, tag: &str, live: &str) -> Run {
    let plan = of(examples::rollback_plan(number, to, tag), place);
    let run = Run::begin(plan, now())
        .then(1, Event::PreflightPassed { warnings: vec![] })
        .then(1, Event::PreviousCaptured { previous: Some(Box::new(captured(live))) })
        .then(2, Event::UpdateIssued(issue(tag, UPDATE)));
    ends_well(run, tag)
}

impl Scene {
    /// The journals.
    pub(in crate::projection) fn journals(&self) -> Vec<Vec<Recorded>> {
        self.lives.iter().enumerate().map(|(place, life)| life.records(place)).collect()
    }

    /// What surefoot sees.
    pub(in crate::projection) fn picture(&self, journals: &[Vec<Recorded>]) -> Picture {
        self.seen(journals, self.parts())
    }

    /// What it would see if it did not look into the indexes.
    pub(in crate::projection) fn blind(&self, journals: &[Vec<Recorded>]) -> Picture {
        self.seen(journals, BTreeMap::new())
    }

    fn seen(&self, journals: &[Vec<Recorded>], parts: BTreeMap<Digest, Vec<Digest>>) -> Picture {
        let memories: Vec<Memory> =
            journals.iter().enumerate().map(|(place, it)| remember(&stream(place), it)).collect();
        let services = memories.iter().zip(&self.lives).map(|(memory, life)| Running {
            name: memory.stream.service.clone(),
            status: ServiceStatus::Running,
            image: match life.drift {
                Some(image) => Some(release(&tag_of(image)).image),
                None => memory.live.as_ref().and_then(|live| live.image.clone()),
            },
            mark: None,
        });
        let services = services.collect();
        Picture::new("shop".parse().unwrap(), self.images(), parts, services, memories, now())
    }

    /// The parts of the indexes that are there.
    fn parts(&self) -> BTreeMap<Digest, Vec<Digest>> {
        let all = self.things.iter().enumerate().filter(|(_, thing)| thing.there);
        all.map(|(number, thing)| {
            // Content cannot name itself, nor what names it: only later numbers are parts.
            let parts = thing.parts.iter().filter(|part| **part > number);
            (digest_of(number), parts.map(|part| digest_of(*part)).collect())
        })
        .collect()
    }

    fn images(&self) -> Vec<Held> {
        let all = self.things.iter().enumerate().filter(|(_, thing)| thing.there);
        all.map(|(number, thing)| Held {
            image: Image {
                digest: digest_of(number),
                tags: thing
                    .tag
                    .map(str::to_owned)
                    .into_iter()
                    .chain((number < IMAGES).then(|| tag_of(number)))
                    .collect(),
                size: 1_000,
                pushed_at: Some(now() - TimeDelta::hours(thing.hours)),
                media_type: None,
            },
            subject: thing.about.map(digest_of),
        })
        .collect()
    }

    /// How much is kept.
    pub(in crate::projection) fn limits(&self) -> Limits {
        Limits {
            keep: self.keep,
            older_than: None,
            grace: Duration::from_secs(self.grace_hours * 3_600),
            own_tags: Vec::new(),
        }
    }
}
