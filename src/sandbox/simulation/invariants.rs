//! What must be true, whatever happened. The matrix and the simulation are judged by this file and the
//! two below it alone: `verdict.rs` holds each end against the truth, `cause.rs` asks whether a bad one
//! has a cause that is true. One rule is judged where it is broken, since the truth is gone a moment
//! later: what a prune deletes (`Session::prune`, and `BatchDeleteImage` of the door).
//!
//! The truth is the simulated cloud's own state, taken at the very moment at which the journal said
//! something about it; never what surefoot was shown of it.

mod cause;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use super::super::Timestamp;
use super::super::cloud::switches::Accepted;
use super::super::door::ports::{
    Application, Chronicle, Door, Effect, Ended, Shelf, Written, run_one,
};
use super::CANARY;
use super::process::{Life, Session, Stopped};
use crate::config::times::SETTLE;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::ledger::{Entry, Ledger, LedgerError};
use crate::names::{DeploymentId, DeploymentNumber, OperationId, ServiceArn};
use verdict::Judge;

/// The rules, by name: every [`Violation`] names one.
pub const RULES: &[&str] = &[
    ONE_EFFECT,
    INTENDED,
    QUIET,
    CONTIGUOUS,
    ONE_ACTIVE,
    ENDS,
    SUCCEEDED,
    ROLLED_BACK,
    FAILED,
    ROLLBACK_FAILED,
    ATTENTION,
    CAUSE,
    TRAMPLED,
    PROVEN,
    EXIT,
    SECRET,
    PRUNED,
    IDLE,
    SENSE,
    HANGS,
];

const ONE_EFFECT: &str = "at most one effect per intention";
const INTENDED: &str = "no effect without a durable intention";
const QUIET: &str = "no effect after the end";
const CONTIGUOUS: &str = "the journal is contiguous and folds";
const ONE_ACTIVE: &str = "one deployment at a time";
const ENDS: &str = "every deployment ends once the weather is calm";
const SUCCEEDED: &str = "succeeded: the new release is live, and is ours";
const ROLLED_BACK: &str = "rolled back: the captured release is live, whole";
const FAILED: &str = "failed: nothing of ours is left, but for a first deployment";
const ROLLBACK_FAILED: &str =
    "rollback failed: the captured release is not back, or does not answer";
const ATTENTION: &str = "attention: with evidence that is true";
const CAUSE: &str = "a bad end has a cause that is true";
const TRAMPLED: &str = "nobody else's change is overwritten";
const PROVEN: &str = "what passed its gates is not taken back unasked";
const EXIT: &str = "the exit code says how it ended";
const SECRET: &str = "no value in the journal";
const PRUNED: &str = "pruning deletes nothing that is needed";
const IDLE: &str = "resume of a finished deployment does nothing";
const SENSE: &str = "no process writes what cannot follow";
const HANGS: &str = "no process waits for ever";

/// A call may be under way for so long after the look that allowed it; App Runner compares nothing.
const UNDERWAY: Timestamp = 10_000;

/// A single answer may be older than the lists' usual lag by so much.
pub(super) const STALE: Timestamp = 30_000;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

/// A machine and its journal, as the judge sees them.
pub struct Contender {
    /// The machine's number.
    pub machine: usize,
    /// Its journal.
    pub ledger: Option<Ledger>,
    /// What became durable when, and what was true then.
    pub written: Vec<Written>,
    /// Whether its deployments must be over.
    pub must_be_over: bool,
}

impl Contender {
    /// The contender of a session.
    pub fn of(session: &Session) -> Self {
        Self {
            machine: session.machine.number(),
            ledger: session.ledger().ok(),
            written: session.journal.written(),
            must_be_over: true,
        }
    }
}

/// Everything that is wrong.
pub fn check(door: &Door, contenders: &[Contender]) -> Vec<Violation> {
    let world = World::of(door);
    let mut found = Findings::default();
    effects_are_sound(&world, &mut found);
    for call in &world.unintended {
        found.add(INTENDED, format!("{call} without one"));
    }
    for what in &world.pruned_in_need {
        found.add(PRUNED, what);
    }
    for contender in contenders {
        let Some(ledger) = &contender.ledger else {
            found.add(CONTIGUOUS, "the journal cannot be read");
            continue;
        };
        journal_is_sound(ledger, &mut found);
        for deployment in deployments(ledger, &mut found) {
            Judge { contender, ledger, world: &world, deployment }.judge(&mut found);
        }
    }
    found.0
}

/// Deployments that ended in attention although nobody else did anything: weather alone. No rule
/// forbids them; the figures and a test bound them.
pub(super) fn lonely(door: &Door, contenders: &[Contender]) -> u64 {
    let (world, mut count) = (World::of(door), 0);
    for contender in contenders {
        let Some(ledger) = &contender.ledger else { continue };
        for deployment in deployments(ledger, &mut Findings::default()) {
            let judge = Judge { contender, ledger, world: &world, deployment };
            count += u64::from(judge.is_lonely());
        }
    }
    count
}

/// What stands against how a process ended: an event that the state refuses is a mistake of the
/// engine, never of the world, and nothing is ever waited for without end.
pub(super) fn misbehaves(ended: &Life) -> Option<Violation> {
    match ended {
        Ended::With(Err(Stopped::Ledger(LedgerError::Illegal(what)))) => {
            Some(Violation { rule: SENSE, what: what.to_string() })
        }
        Ended::Stuck => Some(Violation { rule: HANGS, what: "it waits for nothing".into() }),
        _ => None,
    }
}

/// A finished deployment is left alone.
pub(super) fn idle(session: &Session) -> Option<Violation> {
    if session.is_pending() {
        return None;
    }
    let before = (session.machine.moments(), session.journal.writes());
    drop(run_one(&session.machine, session.resume(false)));
    let after = (session.machine.moments(), session.journal.writes());
    let what = format!("{before:?} became {after:?}");
    (before != after).then_some(Violation { rule: IDLE, what })
}

/// What is true of the world, beside what the journals bear witness of.
struct World {
    effects: Vec<Effect>,
    unintended: Vec<&'static str>,
    pruned_in_need: Vec<String>,
    chronicle: Chronicle,
    applications: BTreeMap<String, Application>,
    shelf: Shelf,
    /// How long the world may hide what happens: nobody can be blamed for not seeing it.
    blind: Timestamp,
    /// Whether AWS refuses auto-deployments beside a digest.
    no_automation: bool,
}

impl World {
    fn of(door: &Door) -> Self {
        let state = door.state();
        let switches = state.cloud.switches();
        let lag = switches.operations_lag_seconds.max(switches.service_lag_seconds);
        Self {
            effects: state.effects.clone(),
            unintended: state.unintended.clone(),
            pruned_in_need: state.pruned_in_need.clone(),
            chronicle: state.chronicle.clone(),
            applications: state.applications.clone(),
            shelf: state.shelf.clone(),
            blind: i64::from(lag) * 1_000 + STALE,
            no_automation: switches.auto_deployments_with_digest == Accepted::Refused,
        }
    }

    /// Whether a request of this mark arrived later than the settle window looks: nobody can tell then.
    fn is_beyond_settling(&self, mark: &DeploymentId) -> bool {
        let settle = i64::try_from(SETTLE.as_millis()).unwrap_or(i64::MAX);
        let mut of_it = self.effects.iter().filter(|effect| effect.mark == *mark);
        of_it.any(|effect| effect.late > 0 && effect.late + self.blind >= settle)
    }

    fn operations_of(&self, machine: usize) -> BTreeSet<&OperationId> {
        let ours = self.effects.iter().filter(|effect| effect.machine == machine);
        ours.filter_map(|effect| effect.operation.as_ref()).collect()
    }
}

/// How many calls of one mark were accepted again; and how many more of those whose request was
/// delivered later than anybody looks for it.
pub(super) fn duplicates(door: &Door) -> (u64, u64) {
    let world = World::of(door);
    let mut seen = BTreeSet::new();
    let again = world.effects.iter().filter(|effect| !seen.insert((&effect.mark, &effect.service)));
    let (beyond, within): (Vec<_>, Vec<_>) =
        again.partition(|effect| world.is_beyond_settling(&effect.mark));
    (within.len() as u64, beyond.len() as u64)
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: &'static str, what: impl Into<String>) {
        self.0.push(Violation { rule, what: what.into() });
    }
}

fn effects_are_sound(world: &World, found: &mut Findings) {
    // Nobody can tell a creation that never arrived from one whose service was deleted since.
    let mut accepted: BTreeMap<(&DeploymentId, &ServiceArn), usize> = BTreeMap::new();
    for effect in &world.effects {
        *accepted.entry((&effect.mark, &effect.service)).or_default() += 1;
        if !effect.intended {
            found.add(INTENDED, format!("mark {} at {}", effect.mark, effect.at));
        }
        if effect.over {
            found.add(QUIET, format!("mark {} at {}", effect.mark, effect.at));
        }
    }
    let twice = accepted.into_iter().filter(|(_, count)| *count > 1);
    for ((mark, _), count) in twice.filter(|((mark, _), _)| !world.is_beyond_settling(mark)) {
        found.add(ONE_EFFECT, format!("mark {mark} was accepted {count} times"));
    }
}

fn journal_is_sound(ledger: &Ledger, found: &mut Findings) {
    let mut active: Option<DeploymentNumber> = None;
    for (expected, entry) in (1..).zip(ledger.entries()) {
        if entry.sequence != expected {
            found.add(CONTIGUOUS, format!("{} stands at {expected}", entry.sequence));
        }
        if leaks(entry) {
            found.add(SECRET, format!("{} holds a value", entry.type_name));
        }
        let Ok(event) = &entry.event else {
            found.add(CONTIGUOUS, format!("{} cannot be read", entry.type_name));
            continue;
        };
        match event {
            Event::DeploymentPlanned(_) if active.is_some() => {
                found.add(ONE_ACTIVE, format!("{:?} begins beside {active:?}", entry.deployment));
            }
            Event::DeploymentPlanned(_) => active = entry.deployment,
            _ if ends(ledger, entry) => active = None,
            _ => {}
        }
    }
}

fn leaks(entry: &Entry) -> bool {
    let text = match &entry.event {
        Ok(event) => serde_json::to_string(event),
        Err(data) => serde_json::to_string(data),
    };
    // What cannot be looked through is not let through.
    text.map_or(true, |text| text.contains(CANARY))
}

/// Whether this is the last event of a deployment that is over.
fn ends(ledger: &Ledger, entry: &Entry) -> bool {
    let Some(number) = entry.deployment else { return false };
    let last = ledger.entries().iter().rev().find(|other| other.deployment == Some(number));
    last.is_some_and(|last| last.sequence == entry.sequence)
        && ledger.deployment(number).is_ok_and(|deployment| deployment.is_over())
}

fn deployments(ledger: &Ledger, found: &mut Findings) -> Vec<Deployment> {
    let mut all = Vec::new();
    for number in 1..ledger.next_number().0 {
        match ledger.deployment(DeploymentNumber(number)) {
            Ok(deployment) => all.push(deployment),
            Err(error) => found.add(CONTIGUOUS, format!("#{number} does not fold: {error}")),
        }
    }
    all
}
