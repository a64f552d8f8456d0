//! Measures how long it takes to decide what may go, without network and disk:
//! `cargo run --release --example prune_plan -- 10000 50`: so many images, so many services.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use surefoot::names::{DeploymentNumber, Digest, ImageIdentifier, StreamName};
use surefoot::projection::{
    Limits, Memory, Named, Picture, Running, Verdict, calls, choose, missing,
};
use surefoot::world::registry::{Held, Image};
use surefoot::world::service::ServiceStatus;

/// Deployments in each journal.
const DEPLOYMENTS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let images = arguments.next().transpose()?.unwrap_or(10_000);
    let services = arguments.next().transpose()?.unwrap_or(50);
    let picture = picture(images, services)?;
    let limits =
        Limits { keep: 10, older_than: None, grace: Duration::from_hours(2), own_tags: Vec::new() };
    #[expect(clippy::disallowed_methods, reason = "the speed of the decision itself")]
    let started = Instant::now();
    let choices = choose(&picture, &limits);
    let missing = missing(&picture, limits.keep, &[]);
    let calls = calls(&picture, &choices);
    let took = started.elapsed();
    let going: usize = calls.iter().map(Vec::len).sum();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{images} images, {services} services of {DEPLOYMENTS} deployments")?;
    writeln!(out, "{going} go in {} calls, {} missing", calls.len(), missing.len())?;
    writeln!(out, "decided in {} ms", took.as_millis())?;
    Ok(())
}

fn digest(number: usize) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// Of three images one is an index of the other two.
fn picture(images: usize, services: usize) -> Result<Picture, Box<dyn Error>> {
    let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse()?;
    let held = |number: usize| Held {
        image: Image {
            digest: digest(number),
            tags: if number.is_multiple_of(3) {
                vec![format!("{number:012x}")]
            } else {
                Vec::new()
            },
            size: 50_000_000,
            pushed_at: Some(now - TimeDelta::minutes(i64::try_from(images - number).unwrap_or(0))),
            media_type: None,
        },
        subject: None,
    };
    let parts = |number: usize| match number % 3 {
        0 => vec![digest(number + 1), digest(number + 2)],
        _ => Vec::new(),
    };
    let all_parts: BTreeMap<_, _> =
        (0..images).map(|number| (digest(number), parts(number))).collect();
    let memories = (0..services).map(|place| memory(place, images)).collect::<Result<_, _>>()?;
    let running = (0..services).map(|place| running(place, images)).collect::<Result<_, _>>()?;
    let held = (0..images).map(held).collect();
    Ok(Picture::new("shop".parse()?, held, all_parts, running, memories, now))
}

fn image(number: usize) -> Result<ImageIdentifier, Box<dyn Error>> {
    let uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";
    Ok(ImageIdentifier::by_digest(uri, &digest(number))?)
}

/// The image that a deployment of a service brought: always an index.
fn brought(place: usize, deployment: usize, images: usize) -> usize {
    (place * DEPLOYMENTS + deployment) * 3 % (images - images % 3)
}

fn running(place: usize, images: usize) -> Result<Running, Box<dyn Error>> {
    Ok(Running {
        name: format!("shop-{place}").parse()?,
        status: ServiceStatus::Running,
        image: Some(image(brought(place, DEPLOYMENTS - 1, images))?),
        mark: None,
    })
}

fn memory(place: usize, images: usize) -> Result<Memory, Box<dyn Error>> {
    let stream: StreamName = format!("123456789012/eu-central-1/shop-{place}").parse()?;
    let named = |deployment: usize| -> Result<Named, Box<dyn Error>> {
        let number = brought(place, deployment, images);
        Ok(Named {
            number: DeploymentNumber(deployment as u64 + 1),
            verdict: Verdict::Superseded,
            digest: Some(digest(number)),
            image: Some(image(number)?),
        })
    };
    let named: Vec<Named> = (0..DEPLOYMENTS).map(named).collect::<Result<_, _>>()?;
    Ok(Memory {
        in_another_clone: false,
        stream,
        endpoint: None,
        repositories: BTreeSet::from(["shop".parse()?]),
        targets: named.iter().rev().skip(1).cloned().collect(),
        live: named.last().cloned(),
        good: Vec::new(),
        unsettled: Vec::new(),
        named,
        marks: BTreeSet::new(),
        unfinished: None,
        unreadable: Vec::new(),
        found: Vec::new(),
    })
}
