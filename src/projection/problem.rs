//! A deployment that did not end well, as one thing a person can act on.

use crate::event::deployment::{Deployment, Phase};
use crate::event::{Failure, Interruption};
use crate::problem::{ExitCode, Problem};
use crate::world::{Obstacle, Place};

use super::history::interruption_words;
use super::standing::{advice, standing};

/// What went wrong, why, where that leaves the service, what next; nothing for a deployment that
/// went well, was closed, or is on its way.
pub fn problem_of(state: &Deployment) -> Option<Problem> {
    let mut problem = match &state.phase {
        Phase::Succeeded | Phase::Abandoned { .. } => return None,
        Phase::RolledBack { because } | Phase::Failed { because } => of_failure(state, because),
        Phase::RollbackFailed { because, failure } => of_both(because, failure),
        Phase::Attention { evidence } => of_doubt(state, evidence),
        Phase::Forward
        | Phase::Failing { .. }
        | Phase::RollingBack { .. }
        | Phase::RollbackFailing { .. } => of_interruption(state, state.interrupted.as_ref()?),
    };
    // Where the diagnosis is what the health gate found out itself, it is a reason once.
    problem.because.dedup();
    Some(with_advice(problem.leaves(standing(state)), state))
}

/// Why nothing else is begun beside a deployment that is not over, and how to bring it to its end.
pub fn in_the_way(state: &Deployment) -> Problem {
    let (number, service) = (state.plan.number, &state.plan.stream.service);
    let what = format!("deployment {number} of `{service}` is unfinished");
    let problem =
        Problem::new(ExitCode::Pending, "pending", what).leaves(standing(state)).hint(format!(
            "close it as it is, without touching AWS: \
             `surefoot resume --abandon --reason WHY --service-name {service}`"
        ));
    with_advice(problem, state)
}

fn of_failure(state: &Deployment, because: &Failure) -> Problem {
    let mut problem = Problem::from(because);
    let line = state.done.cause.as_ref().and_then(|cause| cause.line.clone());
    if let Some(line) = line.filter(|line| !problem.because.contains(line)) {
        problem = problem.because(format!("App Runner's log: {line}"));
    }
    if state.deadline_passed && because.exit == ExitCode::Timeout {
        problem = problem.because("the deadline had passed before App Runner let go");
    }
    problem
}

/// The way back failed: that is the problem now, and what came first explains it.
fn of_both(because: &Failure, failure: &Failure) -> Problem {
    let mut problem = Problem::from(failure);
    problem.exit = ExitCode::RollbackFailed;
    problem.what = format!("the way back failed: {}", failure.what);
    problem.because.push(format!("it was needed because {}", because.what));
    problem.because.extend(because.because.iter().cloned());
    problem.details.extend(because.details.iter().cloned());
    problem
}

fn of_doubt(state: &Deployment, evidence: &[String]) -> Problem {
    let service = &state.plan.stream.service;
    let what = format!("what became of `{service}` cannot be known from here");
    let mut problem = Problem::new(ExitCode::Attention, "attention", what);
    problem.because = evidence.to_vec();
    problem
}

fn of_interruption(state: &Deployment, interruption: &Interruption) -> Problem {
    let exit = state.exit_code();
    let problem = Problem::new(exit, code(interruption), interruption_words(interruption));
    match interruption {
        Interruption::Unreachable { obstacle, .. } => match obstacle {
            Obstacle::NoCredentials
            | Obstacle::ExpiredCredentials
            | Obstacle::InvalidCredentials => {
                problem.hint("sign in again, for example `aws sso login`, then go on")
            }
            _ => problem,
        },
        Interruption::Signal { .. } => problem,
        Interruption::StillBusy { .. } => {
            problem.because("an operation of App Runner cannot be cancelled")
        }
    }
}

fn code(interruption: &Interruption) -> &'static str {
    match interruption {
        Interruption::Signal { .. } => "interrupted",
        Interruption::StillBusy { .. } => "still-busy",
        Interruption::Unreachable { place, obstacle, .. } => match (place, obstacle) {
            (_, Obstacle::NoCredentials) => "credentials-missing",
            (_, Obstacle::ExpiredCredentials) => "credentials-expired",
            (_, Obstacle::InvalidCredentials) => "credentials-invalid",
            (_, Obstacle::Throttled) => "throttled",
            (Place::Docker, Obstacle::NotRunning) => "docker-not-running",
            _ => "unreachable",
        },
    }
}

fn with_advice(mut problem: Problem, state: &Deployment) -> Problem {
    let advice = advice(state);
    // The same command with the service's name is the better one.
    let bare = |command: &str| command.split(" --service-name").next().map(|it| format!("`{it}`"));
    let better: Vec<String> = advice.iter().filter_map(|one| bare(&one.command)).collect();
    problem.next.retain(|line| !better.iter().any(|command| line.contains(command)));
    let lines = advice
        .into_iter()
        .map(|advice| format!("{}: `{}`", advice.purpose, advice.command))
        .filter(|line| !problem.next.contains(line))
        .collect::<Vec<_>>();
    problem.next.extend(lines);
    problem
}
