//! Two hundred kills of the real binary, in six ways of deploying: at every journalled event, between
//! every intention and its outcome, and at random moments; resumed each time, asked for its status all
//! along.
//!
//! Where a kill fell is read from the journal afterwards, never assumed: the histogram is printed, and a
//! cell that stayed empty fails the test. Each way has cells of its own.

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
use super::support::{Ended, Project, Run, World, say};

/// So many kills there are at least.
const KILLS: u32 = 200;
/// No more than this, whatever cell is still empty.
const MOST: u32 = 400;
/// Services that are deployed side by side.
const SIDE_BY_SIDE: usize = 3;
/// Services one after the other, each with a creation of its own.
const SERVICES: usize = 12;
/// A deployment that was killed so often is left to end.
const LIVES: u32 = 16;
/// Answers of what changes the world, and of the look before it, are so slow that a kill can fall before
/// them.
const GAP: u64 = 120;
/// App Runner's answer to a change comes so late.
const ANSWERS_AFTER: u64 = 8 * GAP;
/// A random kill falls within this time.
const RANDOM: u64 = 2_500;
/// One kill of so many is at random.
const RANDOM_SHARE: u64 = 10;
/// The gate of every release.
const ASSERTS: &str = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
/// The second process asks again after this.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(300);

/// A way of deploying, and where its process can be killed: after an event, after the intention of a
/// step, or when App Runner was asked and nobody was told.
struct Flow {
    name: &'static str,
    /// What begins it, and what takes it up.
    commands: [&'static [&'static str]; 2],
    cells: &'static [&'static str],
    /// Whether the release answers badly.
    sick: bool,
    /// How it ends, and how many operations it asked for.
    ends: (&'static str, usize),
}

const DEPLOY: [&[&str]; 2] = [&["deploy", "--json"], &["resume", "--json"]];

/// What every service lives through, in this order.
const FLOWS: [Flow; 6] = [
    Flow {
        name: "creation",
        commands: DEPLOY,
        cells: &[
            "DeploymentPlanned",
            "PreflightPassed",
            "ensure_repository intended",
            "RepositoryEnsured",
            "ImageBuilt",
            "push_image intended",
            "DigestPushed",
            "change_service intended",
            "change_service asked for",
            "CreateIssued",
            "OperationSucceeded",
            "ReleaseVerified",
            "HealthPassed",
            "tag_latest intended",
            "LatestTagged",
        ],
        sick: false,
        ends: ("DeploymentSucceeded", 1),
    },
    Flow {
        name: "update",
        commands: DEPLOY,
        cells: &[
            "DeploymentPlanned",
            "PreflightPassed",
            "RepositoryEnsured",
            "ImageBuilt",
            "push_image intended",
            "DigestPushed",
            "PreviousCaptured",
            "change_service intended",
            "change_service asked for",
            "UpdateIssued",
            "OperationSucceeded",
            "ReleaseVerified",
            "HealthPassed",
            "tag_latest intended",
            "LatestTagged",
        ],
        sick: false,
        ends: ("DeploymentSucceeded", 1),
    },
    Flow {
        name: "gate",
        commands: DEPLOY,
        cells: &[
            "PreviousCaptured",
            "change_service intended",
            "change_service asked for",
            "UpdateIssued",
            "OperationSucceeded",
            "ReleaseVerified",
            "HealthFailed",
            "RollbackStarted",
            "roll_back intended",
            "roll_back asked for",
            "RollbackIssued",
            "OperationSucceeded on the way back",
            "RollbackVerified",
        ],
        sick: true,
        ends: ("DeploymentRolledBack", 2),
    },
    Flow {
        name: "rollback",
        commands: [&["rollback", "--json"], &["resume", "--json"]],
        cells: &[
            "DeploymentPlanned",
            "PreviousCaptured",
            "change_service intended",
            "change_service asked for",
            "UpdateIssued",
            "OperationSucceeded",
            "ReleaseVerified",
            "HealthPassed",
        ],
        sick: false,
        ends: ("DeploymentSucceeded", 1),
    },
    Flow {
        name: "taken back",
        commands: [&["deploy", "--json"], &["resume", "--rollback", "--json"]],
        cells: &[
            "UpdateIssued",
            "OperationSucceeded",
            "RollbackStarted",
            "roll_back intended",
            "roll_back asked for",
            "RollbackIssued",
            "OperationSucceeded on the way back",
            "RollbackVerified",
        ],
        sick: false,
        ends: ("DeploymentRolledBack", 2),
    },
    Flow {
        name: "restore",
        commands: DEPLOY,
        cells: &[
            "HealthPassed",
            "restore_auto_deployments intended",
            "restore_auto_deployments asked for",
            "AutoDeploymentsRestored",
        ],
        sick: false,
        ends: ("DeploymentSucceeded", 2),
    },
];

/// The steps that ask App Runner for an operation.
const ASKING: [&str; 3] = ["change_service", "roll_back", "restore_auto_deployments"];
/// How a cell between an intention and its call ends, and one between the call and its answer.
const INTENDED: &str = " intended";
const ASKED: &str = " asked for";
/// How often the operations are looked at until one was asked for.
const LOOKS: u32 = 600;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Met by chance, in whatever way of deploying: a resumed process killed before it did anything.
const RESUMED: &str = "Resumed";

impl Flow {
    fn key(&self, cell: &str) -> String {
        if cell == RESUMED {
            return format!("any: {cell}");
        }
        format!("{}: {cell}", self.name)
    }

    /// Whether its first process must live until App Runner was asked: before, nothing can be taken back.
    fn must_ask_first(&self) -> bool {
        self.name == "taken back"
    }
}

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
        let cells = all_cells().map(|name| (name, 0)).collect();
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
    fn target(&self, flow: &Flow, after: &str) -> Option<&'static str> {
        let behind = flow.cells.iter().position(|cell| *cell == after).map_or(0, |at| at + 1);
        let cells = self.cells();
        flow.cells[behind..].iter().copied().min_by_key(|cell| cells[&flow.key(cell)])
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
        let lines = cells.iter().map(|(cell, count)| format!("\n  {cell:<48}{count:>4}"));
        std::iter::once(head).chain(lines).collect()
    }
}

fn all_cells() -> impl Iterator<Item = String> {
    FLOWS.iter().flat_map(|flow| {
        let cells = flow.cells.iter().chain([&RESUMED]);
        cells.map(|cell| flow.key(cell)).collect::<Vec<_>>()
    })
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

/// Operations that the journal knows of.
fn issued(entries: &[Entry]) -> usize {
    count(entries, |event| {
        matches!(
            event,
            Event::CreateIssued(_)
                | Event::UpdateIssued(_)
                | Event::RollbackIssued(_)
                | Event::AutoDeploymentsRestored { operation: Some(_), .. }
        )
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
    /// Operations that somebody else asked for.
    foreign: usize,
}

impl Victim<'_, '_> {
    fn live(&mut self, dice: &mut Dice) {
        let mut serves = String::new();
        for (number, flow) in FLOWS.iter().enumerate() {
            if self.tally.is_enough() {
                return;
            }
            if flow.name == "restore" {
                self.turn_auto_deployments_on();
            }
            let page = format!("{} release {number}", self.name);
            if flow.name != "rollback" {
                self.project.answers_with_label("state", if flow.sick { "sick" } else { "well" });
                self.project.release(&page);
            }
            let before = history(self.project);
            self.deploy(planned(&before), flow, dice);
            // What was live before is good: the creation's release, once the update is gone back from.
            serves = match (flow.name, flow.ends.0) {
                ("rollback", _) => format!("{} release 0", self.name),
                (_, "DeploymentSucceeded") => page,
                _ => serves,
            };
            self.judge(&before, flow, &serves);
            self.tally.deployments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody wants pushed tags deployed by themselves; surefoot is to give that back.
    fn turn_auto_deployments_on(&mut self) {
        let arn = self.world.arn(&self.name);
        let mut source = self.world.describe(&self.name)["SourceConfiguration"].clone();
        source["AutoDeploymentsEnabled"] = json!(true);
        let body = json!({"ServiceArn": arn, "SourceConfiguration": source});
        self.world.app_runner("UpdateService", &body);
        self.world.idle(&self.name);
        self.foreign += 1;
        self.project.write("surefoot.toml", &format!("auto_deployments = \"restore\"\n{ASSERTS}"));
    }

    /// Deploys, is killed, resumes, is killed again, until it is over.
    fn deploy(&self, before: usize, flow: &Flow, dice: &mut Dice) {
        for life in 0.. {
            let entries = history(self.project);
            let is_new = planned(&entries) == before;
            if !is_new && is_over(&entries) {
                return;
            }
            let run = self.project.start(flow.commands[usize::from(!is_new)]);
            let stands = if is_new { String::new() } else { self.stands(up_to_progress(&entries)) };
            let target = match self.tally.target(flow, &stands) {
                Some(_) if is_new && flow.must_ask_first() => Some(flow.cells[0]),
                target => target,
            };
            let by_chance = dice.roll(RANDOM_SHARE) == 0 && !(is_new && flow.must_ask_first());
            let ended = match target {
                _ if life >= LIVES => run.end(),
                _ if by_chance => {
                    self.tally.at_random.fetch_add(1, Ordering::Relaxed);
                    self.world.pause(Duration::from_millis(dice.roll(RANDOM)));
                    run.kill()
                }
                None => run.end(),
                Some(target) => {
                    self.wait_for(&run, target, stands == intention_of(target));
                    if target.ends_with("intended") && dice.roll(2) == 0 {
                        self.world.pause(Duration::from_millis(dice.roll(GAP)));
                    }
                    run.kill()
                }
            };
            self.take_stock(before, flow, &ended);
        }
    }

    /// Waits until a cell is reached.
    fn wait_for(&self, run: &Run, target: &str, is_intended: bool) {
        let intention = intention_of(target);
        if !is_intended {
            run.shows(|shown| reached(shown, &intention));
        }
        if intention == target {
            return;
        }
        let known = issued(&history(self.project)) + self.foreign;
        for _ in 0..LOOKS {
            if self.asked() > known {
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Operations that App Runner was asked for.
    fn asked(&self) -> usize {
        let there = self.world.has(&self.name);
        if there { self.world.operations(&self.name).len() } else { 0 }
    }

    /// Where a deployment stands: the cell of its newest event, and whether App Runner was asked.
    fn stands(&self, entries: &[Entry]) -> String {
        let cell = cell(entries);
        let asks = ASKING.iter().any(|step| cell == format!("{step} intended"));
        if asks && self.asked() > issued(entries) + self.foreign {
            return cell.replace(INTENDED, ASKED);
        }
        cell
    }

    /// Notes where the kill fell, and asks what a person would ask then.
    fn take_stock(&self, before: usize, flow: &Flow, ended: &Ended) {
        if ended.code != 137 {
            // A deployment that a person takes back ends as he wanted, and says so by its code.
            assert!(matches!(ended.code, 0 | 1 | 13), "{ended:?}");
            return;
        }
        let entries = history(self.project);
        let is_planned = planned(&entries) > before;
        let fell = if is_planned { self.stands(&entries) } else { "before anything".into() };
        self.tally.fell(flow.key(&fell));
        let status = self.project.run(&["status"]).exits(0);
        if is_planned && !is_over(&entries) {
            let status = status.says("surefoot resume");
            // Nobody else was there, but where somebody turned auto-deployments on.
            if self.foreign == 0 {
                status.does_not_say("outside surefoot");
            }
        }
    }

    /// It ended as an undisturbed run ends, and nothing was done twice.
    fn judge(&self, before: &[Entry], flow: &Flow, page: &str) {
        let entries = history(self.project);
        let (what, (end, asked)) = (format!("{}, {}", self.name, flow.name), flow.ends);
        assert_eq!(entries.last().unwrap().type_name, end, "{what}");
        assert_eq!(planned(&entries), planned(before) + 1, "{what}");
        assert_eq!(issued(&entries), issued(before) + asked, "{what}");
        let operations = self.world.operations(&self.name);
        let all = issued(&entries) + self.foreign;
        assert_eq!(operations.len(), all, "{what}: one for each mark: {operations:?}");
        assert!(operations.iter().all(|(_, status)| status == "SUCCEEDED"), "{operations:?}");
        assert!(self.world.serves(&self.name, page), "{what}: {page} does not serve");
        self.project.run(&["resume"]).exits(0).says("nothing to resume");
    }
}

/// The events up to the newest that is more than a resumption.
fn up_to_progress(entries: &[Entry]) -> &[Entry] {
    let last = entries.iter().rposition(|entry| {
        !matches!(entry.type_name.as_str(), "Resumed" | "AnswerLost" | "Interrupted")
    });
    &entries[..last.map_or(0, |at| at + 1)]
}

/// The cell that comes before App Runner is asked; any other is itself.
fn intention_of(cell: &str) -> String {
    cell.replace(ASKED, INTENDED)
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

/// What is slow enough to be killed in: what changes the world, and the last look before it. Whether App
/// Runner was asked is itself found out by looks.
fn slow_down(world: &World) {
    for (operation, milliseconds) in [
        ("CreateRepository", GAP),
        ("PutImage", GAP),
        ("ListServices", GAP),
        ("CreateService", ANSWERS_AFTER),
        ("UpdateService", ANSWERS_AFTER),
    ] {
        world.fault(&json!({"operation": operation, "kind": "slow-answer",
            "milliseconds": milliseconds, "times": null}));
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
        project.write("surefoot.toml", ASSERTS);
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
                        Victim { world, project, name, tally, foreign: 0 }.live(&mut dice);
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
