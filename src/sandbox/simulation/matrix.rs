//! The crash matrix: every moment of a situation is struck, in every way it can be.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::Timestamp;
use super::super::cloud::switches::Switches;
use super::super::door::ports::{
    Application, Calm, Kind, Mishap, Moment, Process, Shelf, Task, Weather, run_all, run_one,
};
use super::invariants::{Contender, Violation, check, idle, misbehaves};
use super::mutant::Guard;
use super::process::Life;
use super::script::Script;
use super::situation::{Ground, Situation, Twist, prepare};
pub use super::stranger::Meddling;
use super::stranger::{a_past, intrude, meddle};
use crate::config::Times;
use crate::event::deployment::{Deployment, Phase};
use crate::problem::ExitCode;
use crate::world::Obstacle;

/// After so many processes a deployment must be over.
const LIVES: usize = 12;
/// Between two processes a person takes this long.
const BETWEEN: i64 = 20_000;
/// What a stranger starts is over after this, even where App Runner takes it back.
const AFTER_A_STRANGER: i64 = 1_200_000;

/// What one run of a situation came to.
pub struct Trial {
    /// The deployment at last.
    pub end: Option<Deployment>,
    /// Every moment there was.
    pub moments: Vec<Moment>,
    /// Processes it took.
    pub lives: usize,
    /// What is wrong.
    pub violations: Vec<Violation>,
}

/// Times for the matrix: as in real life, but looking less often.
pub fn times() -> Times {
    Times { poll: Duration::from_secs(30), ..Times::default() }
}

/// The ground of a trial, where it is not the usual one.
#[derive(Debug, Clone, Default)]
pub struct Terrain {
    /// Facts of AWS.
    pub switches: Switches,
    /// A guard that is taken away.
    pub without: Option<Guard>,
    /// What somebody else does after the first process.
    pub stranger: Meddling,
    /// How many times the service was deployed before.
    pub past: u32,
    /// Whether whoever takes up the deployment wants the way back.
    pub backwards: bool,
    /// How long nobody takes it up, where that is not the usual time.
    pub between: Option<Timestamp>,
    /// How what is deployed answers, where the situation says nothing else.
    pub target: Application,
    /// Whether what is deployed has a start command, which App Runner keeps once it knows one.
    pub start_command: bool,
}

impl Terrain {
    /// Where every answer lags as long as the settle window allows for.
    pub fn lagging() -> Self {
        let switches = Switches {
            operations_lag_seconds: LIST_LAG,
            service_lag_seconds: SERVICE_LAG,
            ..Switches::default()
        };
        Self { switches, ..Self::default() }
    }

    fn shape(&self, ground: &mut Ground) {
        if self.target != Application::Well {
            let target = Shelf::digest_of(Situation::CONTEXT).to_string();
            ground.door.state().applications.insert(target, self.target);
        }
        if self.start_command {
            ground.wish.overlay.start_command = Some("serve".into());
        }
    }
}

/// How long ListOperations lags there, in seconds.
const LIST_LAG: u32 = 60;
/// How long `DescribeService` and `ListServices` do, in seconds.
const SERVICE_LAG: u32 = 30;

/// Runs a situation under these strikes until it is over, and judges it.
pub fn trial(situation: Situation, at: &[(u64, Mishap)]) -> Trial {
    trial_on(&Terrain::default(), situation, at)
}

/// The same on other ground.
pub fn trial_on(terrain: &Terrain, situation: Situation, at: &[(u64, Mishap)]) -> Trial {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let weather = recorded(at.to_vec(), Arc::clone(&moments));
    let times = terrain.without.map_or_else(times, |guard| guard.defeat_times(times()));
    let mut ground =
        prepare(situation, 7, (terrain.switches.clone(), Twist::default()), times, weather);
    ground.session = ground.session.without(terrain.without);
    a_past(&ground.door, terrain.past);
    terrain.shape(&mut ground);
    let (lives, mut violations) = live(terrain, &ground);
    violations.extend(idle(&ground.session));
    violations.extend(check(&ground.door, &[Contender::of(&ground.session)]));
    let end = ground.session.newest();
    let moments = moments.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Trial { end, moments, lives, violations }
}

/// Runs the first process of a situation in a weather of its own, and no other.
pub fn first_life(situation: Situation, weather: impl Weather + 'static) -> Trial {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (mut weather, into) = (weather, Arc::clone(&moments));
    let recorded = Box::new(move |moment: &Moment| {
        into.lock().unwrap_or_else(PoisonError::into_inner).push(*moment);
        weather.strike(moment)
    });
    let ground_is = (Switches::default(), Twist::default());
    let ground = prepare(situation, 7, ground_is, times(), recorded);
    let ended: Life = run_one(&ground.session.machine, ground.session.deploy(&ground.wish));
    let violations = misbehaves(&ended).into_iter().collect();
    let moments = moments.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Trial { end: ground.session.newest(), moments, lives: 1, violations }
}

/// So long a machine sleeps: longer than anything that was seen before is true.
const SLEEP: i64 = 1_800_000;
/// So long after the machine fell asleep a stranger comes.
const ASLEEP: i64 = 60_000;

/// A request may be under way for so long and is accepted all the same.
const SLOW: i64 = 295_000;

/// The machine falls asleep at one moment of a situation, and a stranger changes the service before it
/// wakes up.
pub fn trial_asleep(terrain: &Terrain, situation: Situation, at: &Moment) -> Trial {
    trial_late(terrain, situation, at, SLEEP)
}

/// The same where only the request is under way for long: its signature is still good.
pub fn trial_slow(terrain: &Terrain, situation: Situation, at: &Moment) -> Trial {
    trial_late(terrain, situation, at, SLOW)
}

fn trial_late(terrain: &Terrain, situation: Situation, at: &Moment, sleep: Timestamp) -> Trial {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let weather = recorded(vec![(at.number, Mishap::Late(sleep))], Arc::clone(&moments));
    let ground =
        prepare(situation, 7, (terrain.switches.clone(), Twist::default()), times(), weather);
    let session = &ground.session;
    let stranger = ground.door.machine(Box::new(Calm));
    let comes = at.at + ASLEEP - ground.door.now();
    let mut processes: [Option<Process<'_, ()>>; 2] = [
        Some(Box::pin(async { drop(session.deploy(&ground.wish).await) })),
        Some(Box::pin(intrude(&stranger, comes))),
    ];
    let machines = [&session.machine, &stranger];
    let tasks = machines.into_iter().zip(&mut processes);
    let tasks = tasks.map(|(machine, process)| Task::new(machine, Box::new(|_| process.take())));
    run_all(&ground.door, tasks.collect());
    let (lives, mut violations) = live(&Terrain::default(), &ground);
    violations.extend(check(&ground.door, &[Contender::of(session)]));
    let moments = moments.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Trial { end: session.newest(), moments, lives, violations }
}

fn recorded(at: Vec<(u64, Mishap)>, into: Arc<Mutex<Vec<Moment>>>) -> Box<dyn Weather> {
    Box::new(move |moment: &Moment| {
        into.lock().unwrap_or_else(PoisonError::into_inner).push(*moment);
        at.iter().find(|(number, _)| *number == moment.number).map(|(_, mishap)| *mishap)
    })
}

/// One process after the other.
fn live(terrain: &Terrain, ground: &Ground) -> (usize, Vec<Violation>) {
    let session = &ground.session;
    let mut violations = Vec::new();
    for life in 0..LIVES {
        let ended: Life = match session.newest() {
            None => run_one(&session.machine, session.deploy(&ground.wish)),
            Some(deployment) if deployment.is_over() => return (life, violations),
            Some(_) => run_one(&session.machine, session.resume(terrain.backwards)),
        };
        violations.extend(misbehaves(&ended));
        if life == 0 && terrain.stranger != Meddling::Nobody {
            meddle(&ground.door, terrain.stranger);
            ground.door.pass(AFTER_A_STRANGER);
        }
        ground.door.pass(terrain.between.unwrap_or(BETWEEN));
    }
    (LIVES, violations)
}

/// AWS maintains a service for minutes, which is longer than anything lags.
const MAINTENANCE: Mishap = Mishap::Maintenance(300_000);

/// The calls that look at the service.
pub(super) const LOOKS: [&str; 3] = ["ListServices", "DescribeService", "ListOperations"];

/// Every way in which a moment can be struck.
pub fn mishaps(moment: &Moment) -> Vec<Mishap> {
    let kind = moment.kind;
    let hindered = [Obstacle::Network, Obstacle::Throttled, Obstacle::ExpiredCredentials];
    let mut all = vec![Mishap::CutBefore, Mishap::CutAfter];
    match kind {
        Kind::Append => all.extend([Mishap::Full, Mishap::Signal]),
        Kind::Read | Kind::Change => {
            all.extend([
                Mishap::Refused,
                Mishap::LostBefore,
                Mishap::LostAfter,
                Mishap::BrokenBefore,
                Mishap::BrokenAfter,
                Mishap::Signal,
            ]);
            all.extend(hindered.map(Mishap::Unreachable));
            all.extend(LOOKS.contains(&moment.call).then_some(MAINTENANCE));
        }
    }
    all
}

/// The same, without those that are one and the same for a look: it has no effect that an answer
/// could be lost before or after, and no answer is how the network is missed.
fn distinct(moment: &Moment) -> Vec<Mishap> {
    let mut all = mishaps(moment);
    if moment.kind == Kind::Read {
        let same = [
            Mishap::CutAfter,
            Mishap::LostAfter,
            Mishap::BrokenAfter,
            Mishap::Unreachable(Obstacle::Network),
        ];
        all.retain(|mishap| !same.contains(mishap));
    }
    all
}

/// How an end is told from others: the phase and the exit code.
pub fn name(end: Option<&Deployment>) -> (&'static str, Option<ExitCode>) {
    let Some(end) = end else { return ("nothing", None) };
    let phase = match &end.phase {
        Phase::Succeeded => "succeeded",
        Phase::RolledBack { .. } => "rolled back",
        Phase::Failed { .. } => "failed",
        Phase::RollbackFailed { .. } => "rollback failed",
        Phase::Attention { .. } => "attention",
        Phase::Abandoned { .. } => "abandoned",
        Phase::Forward
        | Phase::Failing { .. }
        | Phase::RollingBack { .. }
        | Phase::RollbackFailing { .. } => "unfinished",
    };
    (phase, Some(end.exit_code()))
}

/// What many trials came to.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// Trials.
    pub trials: u64,
    /// Each trial that broke a rule or ended otherwise than undisturbed.
    pub complaints: Vec<Complaint>,
}

/// A trial that broke a rule or ended otherwise than undisturbed.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// Which.
    pub script: Script,
    /// What struck where, for people.
    pub at: String,
    /// What stands against it.
    pub what: String,
}

/// What is struck besides every single moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every moment, once.
    Once,
    /// After a power cut at each write or change: another at each later write or change.
    TwoCuts,
    /// After a power cut at each write or change: every mishap at every moment of the resume.
    Resume,
    /// Two in a row: every mishap at every moment, and every mishap at the very next one.
    InARow,
    /// Every mishap at every moment, and every mishap at every later one.
    Pairs,
}

/// One situation on one terrain, struck over and over.
struct Bout<'a> {
    terrain: &'a Terrain,
    situation: Situation,
    calm: Trial,
    sweep: Sweep,
}

impl Sweep {
    /// Strikes a situation. `every` looks at all moments; else equal looks in a row are thinned.
    pub fn of(situation: Situation, depth: Depth, every: bool) -> Self {
        Self::on(&Terrain::default(), situation, depth, every)
    }

    /// The same on other ground.
    pub fn on(terrain: &Terrain, situation: Situation, depth: Depth, every: bool) -> Self {
        let calm = trial_on(terrain, situation, &[]);
        let moments = if every { calm.moments.clone() } else { thinned(&calm.moments) };
        let mut bout = Bout { terrain, situation, calm, sweep: Self::default() };
        match depth {
            Depth::Once => {
                for moment in &moments {
                    for mishap in mishaps(moment) {
                        bout.strike(&[(moment, mishap)]);
                    }
                }
            }
            Depth::TwoCuts | Depth::Resume => bout.strike_twice(depth, every),
            Depth::InARow | Depth::Pairs => bout.strike_pairs(&moments, depth),
        }
        bout.sweep
    }
}

impl Bout<'_> {
    fn strike_twice(&mut self, depth: Depth, every: bool) {
        let changing = self.calm.moments.iter().filter(|moment| moment.kind != Kind::Read);
        let firsts: Vec<Moment> = changing.copied().collect();
        for (first, one) in firsts.iter().flat_map(|moment| CUTS.map(|cut| (moment, cut))) {
            let later = self.after(first, one);
            let later = if every { later } else { thinned(&later) };
            for second in &later {
                let twos = match depth {
                    Depth::Resume => distinct(second),
                    _ if second.kind == Kind::Read => Vec::new(),
                    _ => CUTS.to_vec(),
                };
                for two in twos {
                    self.strike(&[(first, one), (second, two)]);
                }
            }
        }
    }

    fn strike_pairs(&mut self, moments: &[Moment], depth: Depth) {
        for first in moments {
            for one in distinct(first) {
                let later = self.after(first, one);
                let later = match depth {
                    Depth::InARow => later.into_iter().take(1).collect(),
                    _ => thinned(&later),
                };
                for second in &later {
                    for two in distinct(second) {
                        self.strike(&[(first, one), (second, two)]);
                    }
                }
            }
        }
    }

    /// The moments that follow a strike.
    fn after(&self, first: &Moment, one: Mishap) -> Vec<Moment> {
        let struck = trial_on(self.terrain, self.situation, &[(first.number, one)]);
        struck.moments.into_iter().filter(|next| next.number > first.number).collect()
    }

    fn strike(&mut self, at: &[(&Moment, Mishap)]) {
        let strikes: Vec<_> = at.iter().map(|(moment, mishap)| (moment.number, *mishap)).collect();
        let struck = trial_on(self.terrain, self.situation, &strikes);
        self.sweep.trials += 1;
        if let Some(what) = self.complaint(&struck, at) {
            let lags = self.terrain.switches.operations_lag_seconds > 0;
            let script = Script { situation: self.situation, lags, strikes };
            let at = at.iter().map(|(moment, mishap)| format!("{mishap:?} at {}", moment.call));
            let at = at.collect::<Vec<_>>().join(", ");
            self.sweep.complaints.push(Complaint { script, at, what });
        }
    }

    /// What stands against a struck run: broken rules, or another end than the undisturbed one.
    fn complaint(&self, struck: &Trial, at: &[(&Moment, Mishap)]) -> Option<String> {
        if !struck.violations.is_empty() {
            return Some(format!("{:?}", struck.violations));
        }
        let (calm, end) = (name(self.calm.end.as_ref()), name(struck.end.as_ref()));
        let excused = wears_out(at, struck)
            || at.iter().any(|(moment, mishap)| may_differ(moment, *mishap, struck));
        (calm != end && !excused).then(|| format!("{end:?} instead of {calm:?}"))
    }
}

/// Whether a strike may lead to another end. A change that is refused may: what follows from it is
/// judged by the rules. A look that is refused may only before anything was asked for, and then the
/// deployment fails with nothing changed; so it does where the engine does not answer, which preflight
/// takes for one that does not run.
fn may_differ(moment: &Moment, mishap: Mishap, struck: &Trial) -> bool {
    let unasked = struck
        .end
        .as_ref()
        .is_some_and(|end| end.done.issued.is_none() && matches!(end.phase, Phase::Failed { .. }));
    match moment.kind {
        Kind::Change => mishap == Mishap::Refused,
        Kind::Read => unasked && (mishap == Mishap::Refused || moment.call == "engine"),
        Kind::Append => false,
    }
}

/// Whether two strikes use up what has patience for one: a health gate that wants two good answers in a
/// row out of five, and a login that is renewed once for a push. What follows is judged by the rules.
fn wears_out(at: &[(&Moment, Mishap)], struck: &Trial) -> bool {
    let by = |call: &str| at.len() > 1 && at.iter().all(|(moment, _)| moment.call == call);
    let exit = struck.end.as_ref().map(Deployment::exit_code);
    // Past the deadline that is what the process ends with, whatever the gate heard.
    let unheard = [ExitCode::Health, ExitCode::Timeout, ExitCode::RollbackFailed].map(Some);
    by("GET") && unheard.contains(&exit) || by("push") && exit == Some(ExitCode::Push)
}

const CUTS: [Mishap; 2] = [Mishap::CutBefore, Mishap::CutAfter];

/// Of equal looks between two writes, as waiting makes them, the first two and the last.
fn thinned(moments: &[Moment]) -> Vec<Moment> {
    let mut kept = Vec::new();
    for span in moments.split_inclusive(|moment| moment.kind != Kind::Read) {
        for (at, moment) in span.iter().enumerate() {
            let same = |other: &&Moment| other.call == moment.call;
            let before = span[..at].iter().filter(same).count();
            let after = span[at + 1..].iter().filter(same).count();
            if before < 2 || after == 0 {
                kept.push(*moment);
            }
        }
    }
    kept
}
