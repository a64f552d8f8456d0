//! Two hundred kills of the real binary: at every journalled event, between every intention and its
//! outcome, and at random moments; resumed each time, asked for its status all along.
//!
//! Where a kill fell is read from the journal afterwards, never assumed: the histogram is printed,
//! and a cell that stayed empty fails the test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use surefoot::event::Event;
use surefoot::journal::Journal as _;
use surefoot::journal::redb::RedbJournal;
use surefoot::ledger::{Entry, entry};

use super::docker::Images;
use super::support::{Ended, Project, World, say};

/// So many kills there are at least.
const KILLS: u32 = 200;
/// No more than this, whatever cell is still empty.
const MOST: u32 = 400;
/// Services that are deployed side by side.
const SIDE_BY_SIDE: usize = 3;
/// Services one after the other, each with a creation of its own.
const SERVICES: usize = 12;
/// Each service: its creation, and what follows.
const RELEASES: usize = 4;
/// A deployment that was killed so often is left to end.
const LIVES: u32 = 16;
/// Answers of what changes the world are so slow that a kill can fall before them.
const GAP: u64 = 120;
/// A random kill falls within this time.
const RANDOM: u64 = 2_500;
/// The second process asks again after this.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(300);

/// Where a process can be killed: after an event, or after the intention of a step.
const CREATION: &[&str] = &[
    "DeploymentPlanned",
    "PreflightPassed",
    "ensure_repository intended",
    "RepositoryEnsured",
    "ImageBuilt",
    "push_image intended",
    "DigestPushed",
    "change_service intended",
    "CreateIssued",
    "OperationSucceeded",
    "ReleaseVerified",
    "HealthPassed",
    "tag_latest intended",
    "LatestTagged",
];

/// The same for an update.
const UPDATE: &[&str] = &[
    "DeploymentPlanned",
    "PreflightPassed",
    "RepositoryEnsured",
    "ImageBuilt",
    "push_image intended",
    "DigestPushed",
    "PreviousCaptured",
    "change_service intended",
    "UpdateIssued",
    "OperationSucceeded",
    "ReleaseVerified",
    "HealthPassed",
    "tag_latest intended",
    "LatestTagged",
];

/// The same for an update that is taken back.
const ROLLBACK: &[&str] = &[
    "PreviousCaptured",
    "change_service intended",
    "UpdateIssued",
    "OperationSucceeded",
    "ReleaseVerified",
    "HealthFailed",
    "RollbackStarted",
    "roll_back intended",
    "RollbackIssued",
    "OperationSucceeded on the way back",
    "RollbackVerified",
];

/// Met by chance, and often: a resumed process killed before it did anything; App Runner asked, and
/// nobody told.
const BESIDES: &[&str] = &["Resumed", "change_service asked for", "roll_back asked for"];

/// xorshift64: the moments of the random kills.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What all services share.
struct Tally {
    cells: Mutex<BTreeMap<String, u32>>,
    kills: AtomicU32,
    at_random: AtomicU32,
    deployments: AtomicU32,
    answers: AtomicU32,
    over: AtomicBool,
}

impl Tally {
    fn new() -> Self {
        let cells = all_cells().map(|name| (name.to_owned(), 0)).collect();
        Self {
            cells: Mutex::new(cells),
            kills: AtomicU32::new(0),
            at_random: AtomicU32::new(0),
            deployments: AtomicU32::new(0),
            answers: AtomicU32::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn cells(&self) -> BTreeMap<String, u32> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fell(&self, cell: String) {
        *self.cells.lock().unwrap_or_else(PoisonError::into_inner).entry(cell).or_default() += 1;
        self.kills.fetch_add(1, Ordering::Relaxed);
    }

    fn empty(&self) -> Vec<String> {
        self.cells().into_iter().filter(|(_, count)| *count == 0).map(|(cell, _)| cell).collect()
    }

    fn is_enough(&self) -> bool {
        let kills = self.kills.load(Ordering::Relaxed);
        kills >= MOST || kills >= KILLS && self.empty().is_empty()
    }

    /// Of what lies ahead the cell with the fewest kills.
    fn target(&self, flow: &[&'static str], after: &str) -> Option<&'static str> {
        let behind = flow.iter().position(|cell| *cell == after).map_or(0, |at| at + 1);
        let cells = self.cells();
        flow[behind..].iter().copied().min_by_key(|cell| cells[*cell])
    }

    fn histogram(&self, engine: &str) -> String {
        let head = format!(
            "{} kills of a real process ({engine}), {} at random moments; {} deployments, {} answers of \
             status beside them",
            self.kills.load(Ordering::Relaxed),
            self.at_random.load(Ordering::Relaxed),
            self.deployments.load(Ordering::Relaxed),
            self.answers.load(Ordering::Relaxed),
        );
        let cells = self.cells();
        let lines = cells.iter().map(|(cell, count)| format!("\n  {cell:<36}{count:>4}"));
        std::iter::once(head).chain(lines).collect()
    }
}

fn all_cells() -> impl Iterator<Item = &'static str> {
    [CREATION, UPDATE, ROLLBACK, BESIDES].into_iter().flatten().copied()
}

/// The whole history of a project's service, as it is on disk.
fn history(project: &Project<'_>) -> Vec<Entry> {
    let Ok(journal) = RedbJournal::open(project.history()) else { return Vec::new() };
    let streams = journal.streams().unwrap();
    let Some(head) = streams.first() else { return Vec::new() };
    journal.read(&head.stream, 0).unwrap().iter().map(entry).collect()
}

fn events(entries: &[Entry]) -> impl DoubleEndedIterator<Item = &Event> {
    entries.iter().map(|entry| entry.event.as_ref().expect("an event of this version"))
}

fn count(entries: &[Entry], so: impl Fn(&Event) -> bool) -> usize {
    events(entries).filter(|event| so(event)).count()
}

fn planned(entries: &[Entry]) -> usize {
    count(entries, |event| matches!(event, Event::DeploymentPlanned(_)))
}

fn issued(entries: &[Entry]) -> usize {
    count(entries, |event| {
        matches!(event, Event::CreateIssued(_) | Event::UpdateIssued(_) | Event::RollbackIssued(_))
    })
}

fn is_over(entries: &[Entry]) -> bool {
    entries.last().is_none_or(|last| {
        matches!(last.type_name.as_str(), "DeploymentSucceeded" | "DeploymentRolledBack")
    })
}

/// Where a deployment stands: the cell of its newest event.
fn cell(entries: &[Entry]) -> String {
    let Some(last) = entries.last() else { return "before anything".into() };
    let since = entries.iter().rposition(|entry| entry.type_name == "DeploymentPlanned");
    let of_it = &entries[since.unwrap_or(0)..];
    let back = count(of_it, |event| matches!(event, Event::RollbackStarted { .. })) > 0;
    match last.event.as_ref().expect("an event of this version") {
        Event::StepStarted { step, .. } => {
            let step = serde_json::to_value(step).unwrap();
            format!("{} intended", step.as_str().unwrap())
        }
        Event::OperationSucceeded { .. } if back => "OperationSucceeded on the way back".into(),
        _ => last.type_name.clone(),
    }
}

/// Whether standard output shows that this cell was reached.
fn reached(shown: &str, target: &str) -> bool {
    let on_the_way_back = target.strip_suffix(" on the way back");
    let event = on_the_way_back.unwrap_or(target);
    let wanted = match event.strip_suffix(" intended") {
        Some(step) => ("\"event\":\"StepStarted\"".to_owned(), format!("\"step\":\"{step}\"")),
        None => (format!("\"event\":\"{event}\""), String::new()),
    };
    // A resumed process may not have shown how the way back began.
    let from = on_the_way_back.and_then(|_| shown.find("Rollback")).unwrap_or(0);
    shown[from..].lines().any(|line| line.contains(&wanted.0) && line.contains(&wanted.1))
}

/// One service: released, killed, resumed, released again.
struct Victim<'a, 'b> {
    world: &'a World,
    project: &'a Project<'a>,
    name: String,
    tally: &'b Tally,
}

impl Victim<'_, '_> {
    fn live(&self, dice: &mut Dice) {
        for release in 0..RELEASES {
            if self.tally.is_enough() {
                return;
            }
            let sick = release == 2;
            let page = format!("{} release {release}", self.name);
            self.project.answers_with_label("state", if sick { "sick" } else { "well" });
            self.project.release(&page);
            let before = history(self.project);
            let flow = match release {
                0 => CREATION,
                2 => ROLLBACK,
                _ => UPDATE,
            };
            self.deploy(planned(&before), flow, dice);
            self.judge(&before, sick, &page);
            self.tally.deployments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Deploys, is killed, resumes, is killed again, until it is over.
    fn deploy(&self, before: usize, flow: &[&'static str], dice: &mut Dice) {
        for life in 0.. {
            let entries = history(self.project);
            let is_new = planned(&entries) == before;
            if !is_new && is_over(&entries) {
                return;
            }
            let run = self.project.start(&[if is_new { "deploy" } else { "resume" }, "--json"]);
            let stands = if is_new { String::new() } else { position(&entries) };
            let target = self.tally.target(flow, &stands);
            let ended = match target {
                _ if life >= LIVES => run.end(),
                _ if dice.roll(4) == 0 => {
                    self.tally.at_random.fetch_add(1, Ordering::Relaxed);
                    self.world.pause(Duration::from_millis(dice.roll(RANDOM)));
                    run.kill()
                }
                None => run.end(),
                Some(target) => {
                    run.shows(|shown| reached(shown, target));
                    if target.ends_with("intended") {
                        self.world.pause(Duration::from_millis(dice.roll(GAP)));
                    }
                    run.kill()
                }
            };
            self.take_stock(before, &ended);
        }
    }

    /// Notes where the kill fell, and asks what a person would ask then.
    fn take_stock(&self, before: usize, ended: &Ended) {
        if ended.code != 137 {
            assert!(matches!(ended.code, 0 | 13), "{ended:?}");
            return;
        }
        let entries = history(self.project);
        let mut fell = cell(&entries);
        if planned(&entries) == before {
            fell = "before anything".into();
        } else if fell.ends_with("_service intended") || fell.ends_with("roll_back intended") {
            let there = self.world.has(&self.name);
            let asked = if there { self.world.operations(&self.name).len() } else { 0 };
            if asked > issued(&entries) {
                fell = fell.replace("intended", "asked for");
            }
        }
        self.tally.fell(fell);
        let status = self.project.run(&["status"]).exits(0);
        if planned(&entries) > before && !is_over(&entries) {
            status.says("surefoot resume");
        }
    }

    /// It ended as an undisturbed run ends, and nothing was done twice.
    fn judge(&self, before: &[Entry], sick: bool, page: &str) {
        let entries = history(self.project);
        let end = if sick { "DeploymentRolledBack" } else { "DeploymentSucceeded" };
        assert_eq!(entries.last().unwrap().type_name, end, "{page}");
        assert_eq!(planned(&entries), planned(before) + 1, "{page}");
        let asked = issued(before) + if sick { 2 } else { 1 };
        assert_eq!(issued(&entries), asked, "{page}");
        let operations = self.world.operations(&self.name);
        assert_eq!(operations.len(), asked, "{page}: one for each mark: {operations:?}");
        assert!(operations.iter().all(|(_, status)| status == "SUCCEEDED"), "{operations:?}");
        if sick {
            assert!(!self.world.serves(&self.name, page), "{page} still serves");
        } else {
            assert!(self.world.serves(&self.name, page), "{page} does not serve");
        }
        self.project.run(&["resume"]).exits(0).says("nothing to resume");
    }
}

/// The newest cell of the flow, looking through what was only resumed.
fn position(entries: &[Entry]) -> String {
    let last = entries.iter().rposition(|entry| {
        !matches!(entry.type_name.as_str(), "Resumed" | "AnswerLost" | "Interrupted")
    });
    cell(&entries[..last.map_or(0, |at| at + 1)])
}

/// Asks for the status of every service, over and over.
fn ask(projects: &[Project<'_>], names: &[String], tally: &Tally) {
    loop {
        // Before the first deployment there is nothing to ask about.
        std::thread::sleep(BETWEEN_QUESTIONS);
        for (project, name) in projects.iter().zip(names) {
            if tally.over.load(Ordering::Relaxed) {
                return;
            }
            if !project.history().exists() {
                continue;
            }
            // Killed before its plan was durable, nothing was deployed: the answer says so.
            let is_planned = planned(&history(project)) > 0;
            let status = project.run(&["status"]).exits(0);
            if is_planned {
                status.says(name);
            }
            tally.answers.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(BETWEEN_QUESTIONS);
        }
    }
}

/// Ends the status loop, however the kills end.
struct Bell<'a>(&'a AtomicBool);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open() -> (World, &'static str) {
    if let Some(world) = World::docker(&[]) {
        return (world, "real containers");
    }
    say("NO DOCKER: the two hundred kills fall on the EMBEDDED engine");
    (World::open(), "the embedded engine")
}

/// What is slow enough to be killed in.
fn slow_down(world: &World) {
    for operation in ["CreateRepository", "CreateService", "UpdateService", "PutImage"] {
        world.fault(&json!({"operation": operation, "kind": "slow-answer",
            "milliseconds": GAP, "times": null}));
    }
}

#[test]
fn two_hundred_kills_lose_nothing_and_do_nothing_twice() {
    let _images = Images("killed-");
    let (world, engine) = open();
    slow_down(&world);
    let names: Vec<String> = (0..SERVICES).map(|number| format!("killed-{number}")).collect();
    let projects: Vec<_> = names.iter().map(|name| Project::new(&world, name)).collect();
    for project in &projects {
        let asserts = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
        project.write("surefoot.toml", asserts);
    }
    let tally = Tally::new();
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| ask(&projects, &names, &tally));
        let bell = Bell(&tally.over);
        let workers: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|worker| {
                let (world, projects, names, tally, next) =
                    (&world, &projects, &names, &tally, &next);
                scope.spawn(move || {
                    let mut dice = Dice(0x9e37_79b9 + worker as u64);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed) as usize;
                        if number >= SERVICES || tally.is_enough() {
                            return;
                        }
                        let (project, name) = (&projects[number], names[number].clone());
                        Victim { world, project, name, tally }.live(&mut dice);
                    }
                })
            })
            .collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
        drop(bell);
    });
    say(&tally.histogram(engine));
    world.nothing_was_done_twice();
    assert_eq!(tally.empty(), Vec::<String>::new(), "cells without a kill");
    assert!(tally.kills.load(Ordering::Relaxed) >= KILLS, "{}", tally.histogram(engine));
    assert!(tally.answers.load(Ordering::Relaxed) > 20, "status answered too rarely");
}
