//! The crash matrix: every moment of a situation is struck, in every way it can be.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::cloud::switches::Switches;
use super::super::door::ports::{Kind, Mishap, Moment, Weather, run_one};
use super::invariants::{Contender, Violation, check};
use super::process::Life;
use super::seed::idle;
use super::situation::{Ground, Situation, prepare};
use crate::config::Times;
use crate::event::deployment::{Deployment, Phase};
use crate::problem::ExitCode;
use crate::world::Obstacle;

/// After so many processes a deployment must be over.
const LIVES: usize = 12;
/// Between two processes a person takes this long.
const BETWEEN: i64 = 20_000;

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

/// Runs a situation under these strikes until it is over, and judges it.
pub fn trial(situation: Situation, at: &[(u64, Mishap)]) -> Trial {
    trial_in(situation, at, Switches::default(), times())
}

/// The same in another world.
pub fn trial_in(
    situation: Situation,
    at: &[(u64, Mishap)],
    switches: Switches,
    times: Times,
) -> Trial {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let weather = recorded(at.to_vec(), Arc::clone(&moments));
    let ground = prepare(situation, 7, switches, times, weather);
    let lives = live(&ground);
    let mut violations = Vec::from_iter(idle(&ground.session));
    violations.extend(check(&ground.door, &[Contender::of(&ground.session)]));
    let end = ground.session.newest();
    let moments = moments.lock().expect("nobody panics while recording").clone();
    Trial { end, moments, lives, violations }
}

fn recorded(at: Vec<(u64, Mishap)>, into: Arc<Mutex<Vec<Moment>>>) -> Box<dyn Weather> {
    Box::new(move |moment: &Moment| {
        into.lock().expect("nobody panics while recording").push(*moment);
        at.iter().find(|(number, _)| *number == moment.number).map(|(_, mishap)| *mishap)
    })
}

/// One process after the other.
fn live(ground: &Ground) -> usize {
    let session = &ground.session;
    for life in 0..LIVES {
        let ended: Life = match session.newest() {
            None => run_one(&session.machine, session.deploy(&ground.wish)),
            Some(deployment) if deployment.is_over() => return life,
            Some(_) => run_one(&session.machine, session.resume(false)),
        };
        drop(ended);
        ground.door.pass(BETWEEN);
    }
    LIVES
}

/// Every way in which a moment of this kind can be struck.
pub fn mishaps(kind: Kind) -> Vec<Mishap> {
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
        }
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
        Phase::Forward | Phase::Failing { .. } | Phase::RollingBack { .. } => "unfinished",
    };
    (phase, Some(end.exit_code()))
}
