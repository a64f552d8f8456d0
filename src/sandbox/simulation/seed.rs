//! One seed: a situation, a world, weather, strangers and contenders, and what became of it all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::super::cloud::chance::Chance;
use super::super::cloud::fault::{Fault, FaultKind, PullFault};
use super::super::cloud::service::OperationStatus;
use super::super::cloud::switches::{Switches, TABLE};
use super::super::door::ports::{
    BEGINNING, Calm, Door, Ended, Process, Task, Tree, Truth, run_all,
};
use super::SERVICE;
use super::invariants::{Contender, STALE, Violation, check, duplicates, idle, lonely, misbehaves};
use super::matrix;
use super::mutant::Guard;
use super::process::{Session, Stopped};
use super::prune::Pruner;
use super::situation::{Situation, Twist, prepare, session};
use super::stranger::wander;
use super::weather::{Patience, Storm, Strikes, pick, span};
use super::wish::{Wish, WishedImage, series};
use crate::config::Times;
use crate::config::times::SETTLE;
use crate::event::deployment::Deployment;
use crate::ledger::Entry;
use crate::names::DeploymentNumber;

/// After so many processes on one machine each of its deployments must be over.
const LIVES: usize = 60;

/// The longest lag of ListOperations that is drawn, in seconds: the settle window outlasts it.
pub(super) const LONGEST_LAG: u64 = 60;

/// What became of a seed.
#[derive(Debug, Clone)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// The situation.
    pub situation: Situation,
    /// What went wrong, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Processes.
    pub lives: u64,
    /// Power cuts.
    pub cuts: u64,
    /// How each deployment ended.
    pub ends: Vec<&'static str>,
    /// Virtual milliseconds.
    pub simulated: i64,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// Calls of one mark that App Runner accepted more than once.
    pub duplicates: u64,
    /// Those where a request was delivered later than anybody looks for it.
    pub beyond_settling: u64,
    /// Deployments that ended in attention although nobody else did anything.
    pub lonely: u64,
    /// What each machine wrote: the same seed writes the same.
    pub journals: Vec<Vec<Entry>>,
    /// What was true of the service in the end, and every operation it ever had.
    pub truth: Truth,
}

impl fmt::Display for SeedReport {
    /// The story of a failing seed, for whoever looks for the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {:?}", self.seed, self.situation)?;
        for (machine, entries) in self.journals.iter().enumerate() {
            writeln!(f, "machine {machine} wrote")?;
            for Entry { at, type_name, event, .. } in entries {
                let said =
                    event.as_ref().map_or_else(ToString::to_string, |event| format!("{event:?}"));
                writeln!(f, "  {} {type_name:<22} {said}", at.format("%T%.3f"))?;
            }
        }
        writeln!(f, "App Runner did, newest first")?;
        for operation in &self.truth.operations {
            writeln!(f, "  {operation:?}")?;
        }
        writeln!(f, "in the end {:?}, and {:?} serves", self.truth.service, self.truth.serving)?;
        for Violation { rule, what } in &self.violations {
            writeln!(f, "violated: {rule} ({what})")?;
        }
        Ok(())
    }
}

/// Runs one seed, with one guard taken away where one is named.
pub fn run_seed(seed: u64, without: Option<Guard>) -> SeedReport {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let strikes = Strikes::default();
    let situation = Situation::ALL[pick(&mut chance, Situation::ALL.len())];
    let times = times(&mut chance, without);
    let switches = switches(&mut chance);
    let patience = patience(&switches);
    let fresh = Chance::new(chance.draw());
    let storm = Storm::brew(fresh, BEGINNING, patience, strikes.clone());
    let twist = Twist::draw(&mut chance);
    let ground = prepare(situation, seed, (switches, twist), times, Box::new(storm));
    let dooms = doom(&ground.door, &mut chance);
    let wishes = series(&ground.wish, &mut chance);
    let mut sessions = vec![(ground.session.without(without), wishes)];
    let crowded = chance.draw().is_multiple_of(3);
    if crowded && chance.draw().is_multiple_of(3) {
        let fresh = Chance::new(chance.draw());
        let storm = Storm::brew(fresh, ground.door.now(), patience, strikes.clone());
        strikes.add("a second machine deploys");
        let other = session(&ground.door, seed ^ 0xff, times, Box::new(storm));
        sessions.push(contender(other.without(without), &sessions[0].1[0], &mut chance));
    }
    let strangers = crowded && (sessions.len() == 1 || chance.draw().is_multiple_of(3));
    let strikes_of_strangers = strangers.then_some(&strikes);
    let play = Play { seed, sessions: &sessions, strikes: &strikes };
    let counts = run(&ground.door, &play, strikes_of_strangers, &mut chance);
    count_what_struck(&ground.door, &dooms, &strikes);
    report((seed, situation), &ground.door, &play, counts)
}

fn report(
    (seed, situation): (u64, Situation),
    door: &Door,
    play: &Play<'_>,
    counts: Counts,
) -> SeedReport {
    let mut violations = counts.nonsense;
    violations.extend(play.sessions.iter().filter_map(|(session, _)| idle(session)));
    let contenders: Vec<_> =
        play.sessions.iter().map(|(session, _)| Contender::of(session)).collect();
    violations.extend(check(door, &contenders));
    let sessions = play.sessions.iter();
    let (duplicates, beyond_settling) = duplicates(door);
    SeedReport {
        seed,
        situation,
        faults: play.strikes.all(),
        lives: counts.lives,
        cuts: counts.cuts,
        ends: sessions.flat_map(|(session, _)| ends(session)).collect(),
        simulated: door.now() - BEGINNING,
        duplicates,
        beyond_settling,
        violations,
        lonely: lonely(door, &contenders),
        truth: Truth::of(&door.state(), SERVICE),
        journals: contenders
            .iter()
            .filter_map(|c| Some(c.ledger.as_ref()?.entries().to_vec()))
            .collect(),
    }
}

/// How each deployment of a machine ended.
fn ends(session: &Session) -> Vec<&'static str> {
    let Ok(ledger) = session.ledger() else { return vec![matrix::name(None).0] };
    let numbers = (1..ledger.next_number().0).map(DeploymentNumber);
    let ends: Vec<_> =
        numbers.map(|number| matrix::name(ledger.deployment(number).ok().as_ref()).0).collect();
    if ends.is_empty() { vec![matrix::name(None).0] } else { ends }
}

/// How late a request may arrive so that the settle window still sees it: answers may lag, and a single
/// one may be staler than that.
fn patience(switches: &Switches) -> Patience {
    let lag = switches.operations_lag_seconds.max(switches.service_lag_seconds);
    let settle = i64::try_from(SETTLE.as_millis()).unwrap_or(i64::MAX);
    Patience { within: settle - i64::from(lag) * 1_000 - STALE }
}

fn times(chance: &mut Chance, without: Option<Guard>) -> Times {
    let poll = Duration::from_secs([10, 15, 30][pick(chance, 3)]);
    let times = Times { poll, ..Times::default() };
    without.map_or(times, |guard| guard.defeat_times(times))
}

/// Every switch has its chance; the lags stay within what the settle window outlasts.
fn switches(chance: &mut Chance) -> Switches {
    let (mut switches, mut drawn) = (Switches::default(), Vec::new());
    for row in TABLE {
        let rare = matches!(row.name, "new-services" | "service-quota" | "digest-identifier");
        if chance.draw().is_multiple_of(if rare { 20 } else { 4 }) {
            let position = row.positions[pick(chance, row.positions.len())];
            drawn.push((row.name, position));
        }
    }
    switches.set_all(&drawn).expect("the table has every position");
    if chance.draw().is_multiple_of(2) {
        switches.operations_lag_seconds = u32::try_from(span(chance, LONGEST_LAG + 1)).unwrap_or(0);
    }
    if chance.draw().is_multiple_of(4) {
        switches.service_lag_seconds = u32::try_from(span(chance, 31)).unwrap_or(0);
    }
    switches
}

/// App Runner's own work goes wrong: what is to strike, by the names it is counted under.
fn doom(door: &Door, chance: &mut Chance) -> Vec<(&'static str, FaultKind)> {
    if !chance.draw().is_multiple_of(4) {
        return Vec::new();
    }
    let slow =
        FaultKind::SlowOperation { factor: 2 + u32::try_from(span(chance, 30)).unwrap_or(0) };
    let failures = [
        FaultKind::FailPull { reason: PullFault::Copy },
        FaultKind::FailPull { reason: PullFault::Role },
        FaultKind::FailHealth,
        FaultKind::ExitContainer { code: 137 },
    ];
    let failure = ("App Runner gives a release up", failures[pick(chance, failures.len())].clone());
    let dooms = match chance.draw() % 7 {
        0 => vec![("slow operation", slow)],
        1 | 2 => vec![failure, ("App Runner's rollback fails", FaultKind::RollbackFailed)],
        _ => vec![failure],
    };
    let skip = u32::try_from(span(chance, 3)).unwrap_or(0);
    let operation = if chance.draw().is_multiple_of(4) { "CreateService" } else { "UpdateService" };
    for (_, kind) in &dooms {
        let fault = Fault { skip, ..Fault::once(operation, kind.clone()) };
        door.state().cloud.add_fault(fault);
    }
    dooms
}

/// What was drawn and never came is not counted; a rollback fails only where there is one.
fn count_what_struck(door: &Door, dooms: &[(&'static str, FaultKind)], strikes: &Strikes) {
    let state = door.state();
    let broken = state.cloud.services().flat_map(|service| &service.operations);
    let broken = broken.filter(|operation| operation.status() == OperationStatus::RollbackFailed);
    let broke = broken.count() > 0;
    for (name, kind) in dooms {
        let waits = state.cloud.faults().iter().any(|fault| fault.kind == *kind);
        if !waits && (broke || *kind != FaultKind::RollbackFailed) {
            strikes.add(name);
        }
    }
    for _ in 0..state.chronicle.maintained {
        strikes.add("maintenance by AWS");
    }
}

/// Another machine with a journal of its own, that wants something else.
fn contender(session: Session, first: &Wish, chance: &mut Chance) -> (Session, Vec<Wish>) {
    let context = "4".repeat(64);
    let same = chance.draw().is_multiple_of(4);
    let tag = "4444444".parse().expect("a tag");
    let image = if same { first.image.clone() } else { WishedImage::Built { context, tag } };
    let wish = Wish { image, place: "there".into(), ..first.clone() };
    (session, vec![wish])
}

/// What is counted while machines run.
#[derive(Default)]
struct Counts {
    lives: u64,
    cuts: u64,
    nonsense: Vec<Violation>,
}

/// Who plays.
struct Play<'a> {
    seed: u64,
    sessions: &'a [(Session, Vec<Wish>)],
    strikes: &'a Strikes,
}

type Left = Result<Option<Deployment>, Stopped>;

/// All machines side by side. Counts processes and power cuts.
fn run(door: &Door, play: &Play<'_>, strangers: Option<&Strikes>, chance: &mut Chance) -> Counts {
    let counts = RefCell::new(Counts::default());
    let mut tasks: Vec<Task<'_, Left>> = Vec::new();
    for (session, wishes) in play.sessions {
        let fortune = Chance::new(chance.draw());
        tasks.push(machine((session, wishes), play, fortune, &counts));
    }
    let stranger = door.machine(Box::new(Calm));
    if let Some(strikes) = strangers {
        let fortune = Chance::new(chance.draw());
        let walker = stranger.clone();
        let mut day: Option<Process<'_, Left>> = Some(Box::pin(async move {
            wander(&walker, fortune, strikes).await;
            Ok(None)
        }));
        tasks.push(Task::new(&stranger, Box::new(move |_| day.take())));
    }
    run_all(door, tasks);
    counts.into_inner()
}

/// One process after the other, until every deployment that is wanted is over; somebody may prune in
/// between.
fn machine<'a>(
    (session, wishes): (&'a Session, &'a [Wish]),
    play: &Play<'a>,
    mut fortune: Chance,
    counts: &'a RefCell<Counts>,
) -> Task<'a, Left> {
    let (mut lives, mut is_pruned) = (0, false);
    let strikes = play.strikes;
    let mut pruner = Pruner::of(play.seed, session.machine.number());
    let spawn = move |ended: Option<Ended<Left>>| {
        counts.borrow_mut().nonsense.extend(ended.as_ref().and_then(misbehaves));
        if matches!(ended, Some(Ended::PowerCut)) {
            counts.borrow_mut().cuts += 1;
            session.lose_power();
        }
        let newest = session.newest();
        let over = newest.as_ref().is_some_and(Deployment::is_over);
        let done = usize::try_from(session.planned()).unwrap_or(usize::MAX);
        let next = wishes.get(done).filter(|_| over || newest.is_none());
        let last = over && next.is_none();
        // Now and then before the end, and once behind it.
        if lives < LIVES * wishes.len() && !is_pruned && pruner.is_due(last) {
            is_pruned = last;
            let grace = pruner.grace();
            let process: Process<'a, Left> =
                Box::pin(async move { session.prune(grace, strikes).await.map(|()| None) });
            return Some(process);
        }
        if lives >= LIVES * wishes.len() || last {
            return None;
        }
        let first = lives == 0;
        lives += 1;
        counts.borrow_mut().lives += 1;
        let pause = if first { span(&mut fortune, 1_000) } else { span(&mut fortune, 900_000) };
        let backwards = fortune.draw().is_multiple_of(24);
        let process: Process<'a, Left> = Box::pin(async move {
            session.machine.rest(pause).await;
            match next {
                Some(wish) => {
                    check_out(session, wish);
                    session.deploy(wish).await
                }
                None => session.resume(backwards).await,
            }
        });
        Some(process)
    };
    Task::new(&session.machine, Box::new(spawn))
}

/// The tree that is to be deployed.
fn check_out(session: &Session, wish: &Wish) {
    if let Some(context) = wish.context() {
        session.machine.check_out(Tree { context: context.to_owned(), commit: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_of_every_switch_is_drawn() {
        let drawn: Vec<_> = (0..4_000)
            .map(|seed| serde_json::to_value(switches(&mut Chance::new(seed))).unwrap())
            .collect();
        for row in TABLE {
            for position in row.positions {
                let met = drawn
                    .iter()
                    .any(|all| all[row.name].to_string().trim_matches('"') == *position);
                assert!(met, "{} is never {position}", row.name);
            }
        }
    }

    #[test]
    fn the_lists_never_lag_longer_than_the_settle_window_looks() {
        let settle = Times::default().settle.as_secs();
        for seed in 0..4_000 {
            let switches = switches(&mut Chance::new(seed));
            let lag = switches.operations_lag_seconds.max(switches.service_lag_seconds);
            assert!(u64::from(lag) <= LONGEST_LAG && settle >= LONGEST_LAG * 3 / 2, "{lag}");
        }
    }
}
