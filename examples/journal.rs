//! Makes a large journal, and measures what an append costs.
//!
//!     cargo run --release --example journal -- generate DIR --events 1000000 --services 40
//!     cargo run --release --example journal -- append DIR
//!
//! `generate` makes deployments over years: most succeed, some fail and are rolled back, some are
//! rolled back by hand. `append` compares the append of one event with a bare write and `fdatasync`
//! of the same bytes, in turns.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use surefoot::event::Event;
use surefoot::event::envelope::{Actor, Draft, EventHash, EventId, StoredEvent};
use surefoot::journal::Journal as _;
use surefoot::journal::redb::{JournalId, RedbJournal};
use surefoot::names::{DeploymentNumber, Digest, StreamName};

/// Events written in one transaction.
const AT_ONCE: usize = 5_000;

/// One deployment as it was recorded once, with the places that differ from one to the next.
const TEMPLATE: &str = include_str!("journal/deployment.jsonl");

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["generate", directory, "--events", events, "--services", services] => {
            generate(Path::new(directory), events.parse()?, services.parse()?)
        }
        ["append", directory] => append(Path::new(directory)),
        _ => Err("see the first lines of examples/journal.rs".into()),
    }
}

/// One service and where its stream ends.
struct Service {
    stream: StreamName,
    number: u64,
    sequence: u64,
    hash: EventHash,
    waiting: Vec<StoredEvent>,
}

fn generate(directory: &Path, events: u64, services: u64) -> Outcome<()> {
    let journal = RedbJournal::create(directory, JournalId(1))?;
    let template: Vec<(String, Value)> = template()?;
    let mut streams = Vec::new();
    for number in 0..services {
        let stream = format!("123456789012/eu-central-1/service-{number:03}").parse()?;
        let hash = EventHash::NONE;
        streams.push(Service { stream, number: 0, sequence: 0, hash, waiting: Vec::new() });
    }
    let (mut written, mut id) = (0, 0);
    for turn in 0.. {
        if written >= events {
            break;
        }
        let service = &mut streams[usize::try_from(turn % services)?];
        written += deployment(service, &template, &mut id, events - written)?;
        if service.waiting.len() >= AT_ONCE {
            flush(&journal, service)?;
        }
    }
    for service in &mut streams {
        flush(&journal, service)?;
    }
    let size = fs::metadata(directory.join("journal.redb"))?.len();
    writeln!(std::io::stdout(), "{written} events of {services} services, {size} bytes")?;
    Ok(())
}

fn template() -> Outcome<Vec<(String, Value)>> {
    TEMPLATE
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line)?;
            let name = event["type"].as_str().ok_or("a template without a type")?.to_owned();
            Ok((name, event["data"].clone()))
        })
        .collect()
}

/// Writes one deployment, or as much of it as there is room for.
fn deployment(
    service: &mut Service,
    template: &[(String, Value)],
    id: &mut u128,
    room: u64,
) -> Outcome<u64> {
    service.number += 1;
    let fails = service.number % 9 == 4 && room > template.len() as u64;
    let begun: DateTime<Utc> = "2019-01-01T08:00:00Z".parse()?;
    let begun = begun + TimeDelta::minutes(i64::try_from(service.number)? * 47);
    let mut number = 0;
    for (name, data) in template {
        if number == room {
            break;
        }
        let at = begun + TimeDelta::seconds(i64::try_from(number)? * 9);
        let stop = fails && name == "HealthPassed";
        let filled = filled(data, service);
        let event = if stop { failure() } else { Event::parse(name, &filled)? };
        number += store(service, &event, id, at)?;
        if stop {
            break;
        }
    }
    Ok(number)
}

/// A person closes what hangs.
fn failure() -> Event {
    Event::DeploymentAbandoned { reason: "the release was wrong; a newer one is on its way".into() }
}

fn store(service: &mut Service, event: &Event, id: &mut u128, at: DateTime<Utc>) -> Outcome<u64> {
    *id += 1;
    let milliseconds = u64::try_from(at.timestamp_millis())?;
    let draft = Draft {
        id: EventId::from_parts(milliseconds, *id),
        deployment: Some(DeploymentNumber(service.number)),
        type_name: event.type_name(),
        type_version: 1,
        settles: None,
        at,
        actor: Actor { user: "ci".into(), host: "runner-7".into(), ci_run: None },
        data: event.data(),
    };
    let stored = draft.store(&service.stream, service.sequence + 1, service.hash)?;
    service.sequence += 1;
    service.hash = stored.hash();
    service.waiting.push(stored);
    Ok(1)
}

/// The template with the numbers, digests and marks of this deployment.
fn filled(data: &Value, service: &Service) -> Value {
    let number = service.number;
    let text = data.to_string();
    let digest =
        |number: u64| Digest::of(format!("{}{number}", service.stream).as_bytes()).to_string();
    let operation = |which: u64| {
        let digits = digest(number * 10 + which);
        digits["sha256:".len().."sha256:".len() + 32].to_owned()
    };
    let text = text
        .replace("SERVICE", service.stream.service.as_str())
        .replace("\"NUMBER\"", &number.to_string())
        .replace("MARK", &operation(2)[..26])
        .replace("OPERATION", &operation(3))
        .replace("COMMIT", &(operation(4) + "01234567"))
        .replace("NEWDIGEST", &digest(number))
        .replace("OLDDIGEST", &digest(number - 1));
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn flush(journal: &RedbJournal, service: &mut Service) -> Outcome<()> {
    let Some(first) = service.waiting.first() else { return Ok(()) };
    journal.append_stored(&service.stream, first.sequence() - 1, &service.waiting)?;
    service.waiting.clear();
    Ok(())
}

/// Appends of one event, opening and closing included, held open, and bare, in turns.
fn append(directory: &Path) -> Outcome<()> {
    let (rounds, template) = (300, template()?);
    let journal = RedbJournal::create(directory, JournalId(1))?;
    let mut bare = File::create(directory.join("bare"))?;
    let mut service = Service {
        stream: "123456789012/eu-central-1/measured".parse()?,
        number: 7,
        sequence: 0,
        hash: EventHash::NONE,
        waiting: Vec::new(),
    };
    let mut id = u128::from(u64::MAX);
    let (name, data) =
        template.iter().find(|(name, _)| name == "UpdateIssued").ok_or("no issue")?;
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..rounds {
        let event = Event::parse(name, &filled(data, &service))?;
        store(&mut service, &event, &mut id, "2026-01-01T00:00:00Z".parse()?)?;
        let bytes = service.waiting[0].bytes().to_vec();
        times[0].push(time(|| Ok(bare.write_all(&bytes).and_then(|()| bare.sync_data())?))?);
        times[1].push(time(|| flush(&journal, &mut service))?);
    }
    let held = journal.hold_open()?;
    for _ in 0..rounds {
        let event = Event::parse(name, &filled(data, &service))?;
        store(&mut service, &event, &mut id, "2026-01-01T00:00:00Z".parse()?)?;
        let bytes = service.waiting[0].bytes().to_vec();
        times[2].push(time(|| Ok(bare.write_all(&bytes).and_then(|()| bare.sync_data())?))?);
        let events = std::mem::take(&mut service.waiting);
        let before = events[0].sequence() - 1;
        times[3].push(time(|| Ok(held.append_stored(&service.stream, before, &events)?))?);
    }
    fs::remove_file(directory.join("bare"))?;
    let [bare, closed, bare_beside, open] = times.map(median);
    told("open, append, close", closed, bare)?;
    told("append, held open", open, bare_beside)
}

fn told(what: &str, taken: Duration, bare: Duration) -> Outcome<()> {
    let ratio = taken.as_secs_f64() / bare.as_secs_f64();
    let line = format!("{what:<28} {taken:>10.1?} = {ratio:.1} x a bare {bare:.1?}");
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn time(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
