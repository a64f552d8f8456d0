//! The crash matrix and a share of the simulation. The whole matrix and as many seeds as one likes:
//! `cargo run --profile proof --example simulate`.

mod endings;
mod guards;
mod seeds;

use surefoot::problem::ExitCode;
use surefoot::sandbox::cloud::switches::{Accepted, Pull, Switches};
use surefoot::sandbox::door::ports::{Kind, Mishap};
use surefoot::sandbox::simulation::matrix::{
    Depth, Meddling, Sweep, Terrain, Trial, name, trial, trial_asleep, trial_on, trial_slow,
};
use surefoot::sandbox::simulation::{Guard, Situation};

/// How each situation ends when nothing strikes.
const UNDISTURBED: [(Situation, &str, ExitCode); 12] = [
    (Situation::Create, "succeeded", ExitCode::Success),
    (Situation::CreateUnhealthy, "failed", ExitCode::Health),
    (Situation::CreateFails, "failed", ExitCode::Update),
    (Situation::Rebuild, "succeeded", ExitCode::Success),
    (Situation::Update, "succeeded", ExitCode::Success),
    (Situation::AppRunnerTakesBack, "rolled back", ExitCode::Update),
    (Situation::Unhealthy, "rolled back", ExitCode::Health),
    (Situation::UnhealthyAfterTag, "rolled back", ExitCode::Health),
    (Situation::Late, "succeeded", ExitCode::Success),
    (Situation::Rollback, "succeeded", ExitCode::Success),
    (Situation::NothingToChange, "succeeded", ExitCode::Success),
    (Situation::Restore, "succeeded", ExitCode::Success),
];

#[test]
fn undisturbed_situations_end_as_they_should() {
    assert_eq!(UNDISTURBED.len(), Situation::ALL.len());
    for (situation, end, code) in UNDISTURBED {
        let trial = trial(situation, &[]);
        assert_eq!(name(trial.end.as_ref()), (end, Some(code)), "{situation:?}");
        assert!(trial.violations.is_empty(), "{situation:?}: {:?}", trial.violations);
    }
}

fn assert_nothing_stands_against(sweep: &Sweep) {
    let told = sweep.complaints.iter().take(20);
    let told = told.map(|one| format!("{}: {}\n  {}\n", one.at, one.what, one.script.command()));
    let (shown, count) = (told.collect::<String>(), sweep.complaints.len());
    assert!(sweep.complaints.is_empty(), "{count} of {}:\n{shown}", sweep.trials);
    assert!(sweep.trials > 100, "{} trials are too few", sweep.trials);
}

macro_rules! strike_every_moment {
    ($($name:ident: $situation:ident;)*) => {$(
        #[test]
        fn $name() {
            assert_nothing_stands_against(&Sweep::of(Situation::$situation, Depth::Once, false));
        }
    )*};
}

// Of equal looks in a row, as waiting makes them, two and the last are struck here; the example
// strikes them all.
strike_every_moment! {
    a_creation_survives_every_strike: Create;
    an_unhealthy_creation_survives_every_strike: CreateUnhealthy;
    a_failing_creation_survives_every_strike: CreateFails;
    a_rebuild_survives_every_strike: Rebuild;
    an_update_survives_every_strike: Update;
    app_runners_rollback_survives_every_strike: AppRunnerTakesBack;
    our_rollback_survives_every_strike: Unhealthy;
    our_rollback_to_a_tag_survives_every_strike: UnhealthyAfterTag;
    a_late_operation_survives_every_strike: Late;
    a_manual_rollback_survives_every_strike: Rollback;
    nothing_to_change_survives_every_strike: NothingToChange;
    restored_auto_deployments_survive_every_strike: Restore;
}

macro_rules! strike_while_everything_lags {
    ($($name:ident: $situation:ident;)*) => {$(
        #[test]
        fn $name() {
            let terrain = Terrain::lagging();
            let sweep = Sweep::on(&terrain, Situation::$situation, Depth::Once, false);
            assert_nothing_stands_against(&sweep);
        }
    )*};
}

// The list lags 60 s, the service 30 s: only the settle window lies between that and a wrong end.
strike_while_everything_lags! {
    a_creation_survives_every_strike_while_everything_lags: Create;
    an_update_survives_every_strike_while_everything_lags: Update;
    our_rollback_survives_every_strike_while_everything_lags: Unhealthy;
    a_manual_rollback_survives_every_strike_while_everything_lags: Rollback;
    restored_auto_deployments_survive_every_strike_while_everything_lags: Restore;
}

macro_rules! strike_twice {
    ($($name:ident: $situation:ident, $depth:ident;)*) => {$(
        #[test]
        fn $name() {
            assert_nothing_stands_against(&Sweep::of(Situation::$situation, Depth::$depth, false));
        }
    )*};
}

// A deployment, a creation, a rollback by hand, a rollback by our gate. "In a row" strikes in every
// way at every moment and in every way at the next one; "in the resume" strikes in every way at
// every moment that follows a power cut.
strike_twice! {
    the_power_can_go_twice_in_a_creation: Create, TwoCuts;
    the_power_can_go_twice_in_an_update: Update, TwoCuts;
    the_power_can_go_twice_in_a_manual_rollback: Rollback, TwoCuts;
    the_power_can_go_twice_in_our_rollback: Unhealthy, TwoCuts;
    a_creation_survives_two_strikes_in_a_row: Create, InARow;
    an_update_survives_two_strikes_in_a_row: Update, InARow;
    a_manual_rollback_survives_two_strikes_in_a_row: Rollback, InARow;
    our_rollback_survives_two_strikes_in_a_row: Unhealthy, InARow;
    a_resumed_creation_survives_every_strike: Create, Resume;
    a_resumed_update_survives_every_strike: Update, Resume;
    a_resumed_manual_rollback_survives_every_strike: Rollback, Resume;
    a_resumed_rollback_of_ours_survives_every_strike: Unhealthy, Resume;
}

/// Without the settle window one stale look decides whether a call took effect, and what it came to.
#[test]
fn the_settle_window_is_missed_where_answers_lag() {
    let situation = Situation::Unhealthy;
    let undisturbed = trial_on(&Terrain::lagging(), situation, &[]);
    let calls = undisturbed.moments.iter().filter(|moment| moment.call == "UpdateService");
    let calls: Vec<u64> = calls.map(|moment| moment.number).collect();
    assert_eq!(calls.len(), 2, "the update, and the way back");
    for call in calls {
        let sound = |without: Option<Guard>| {
            let terrain = Terrain { without, ..Terrain::lagging() };
            let trial = trial_on(&terrain, situation, &[(call, Mishap::LostAfter)]);
            let is_back = name(trial.end.as_ref()) == ("rolled back", Some(ExitCode::Health));
            is_back && trial.violations.is_empty()
        };
        assert!(sound(None));
        assert!(!sound(Some(Guard::Settle)));
    }
}

/// A call that took effect is found, its operation too, however late the world shows it.
#[test]
fn an_update_nobody_answered_is_found_while_everything_lags() {
    let undisturbed = trial(Situation::Update, &[]);
    let call = undisturbed.moments.iter().find(|moment| moment.call == "UpdateService").unwrap();
    for (operations_lag_seconds, service_lag_seconds) in [(60, 0), (0, 30), (60, 30)] {
        let switches =
            Switches { operations_lag_seconds, service_lag_seconds, ..Switches::default() };
        let terrain = Terrain { switches, ..Terrain::default() };
        for mishap in [Mishap::CutAfter, Mishap::LostAfter, Mishap::BrokenAfter] {
            let trial = trial_on(&terrain, Situation::Update, &[(call.number, mishap)]);
            let what = format!("{mishap:?} {operations_lag_seconds} {service_lag_seconds}");
            let end = trial.end.as_ref();
            assert_eq!(name(end), ("succeeded", Some(ExitCode::Success)), "{what}");
            assert!(trial.violations.is_empty(), "{what}: {:?}", trial.violations);
            let issued = end.and_then(|end| end.done.issued.as_ref()).unwrap();
            assert!(issued.operation.is_some(), "{what}: its operation was never found");
        }
    }
}

/// What was there before is never taken for ours, however much of it there is.
#[test]
fn an_update_nobody_answered_is_found_after_a_hundred_deployments() {
    let terrain = Terrain { past: 100, ..Terrain::default() };
    let undisturbed = trial_on(&terrain, Situation::Update, &[]);
    let call = undisturbed.moments.iter().find(|moment| moment.call == "UpdateService").unwrap();
    for mishap in [Mishap::CutAfter, Mishap::CutBefore, Mishap::LostAfter, Mishap::LostBefore] {
        let trial = trial_on(&terrain, Situation::Update, &[(call.number, mishap)]);
        let end = name(trial.end.as_ref());
        assert_eq!(end, ("succeeded", Some(ExitCode::Success)), "{mishap:?}");
        assert!(trial.violations.is_empty(), "{mishap:?}: {:?}", trial.violations);
    }
}

/// The power goes at a write of ours, and a stranger changes the service before the resume.
fn overtaken(situation: Situation, before: &str, nth: usize) -> Trial {
    let calm = trial(situation, &[]);
    let calls: Vec<_> = calm.moments.iter().filter(|moment| moment.call == before).collect();
    let earlier = calm.moments.iter().rev().filter(|moment| moment.kind == Kind::Append);
    // Not the intention, which would put the call in doubt: the write before it.
    let write = earlier.filter(|moment| moment.number < calls[nth].number).nth(1);
    let write = write.expect("a write before it");
    let terrain = Terrain { stranger: Meddling::Variable, ..Terrain::default() };
    trial_on(&terrain, situation, &[(write.number, Mishap::CutAfter)])
}

#[test]
fn what_a_stranger_changed_before_our_call_is_not_overwritten() {
    let trial = overtaken(Situation::Update, "UpdateService", 0);
    assert_eq!(name(trial.end.as_ref()), ("failed", Some(ExitCode::Update)));
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

#[test]
fn what_a_stranger_changed_before_the_proof_is_not_our_success() {
    let trial = overtaken(Situation::Update, "GET", 0);
    assert_eq!(name(trial.end.as_ref()), ("attention", Some(ExitCode::Attention)));
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

/// The gates were passed before the power went, and somebody deployed before the resume.
#[test]
fn what_a_stranger_changed_after_the_gates_is_neither_our_success_nor_overwritten() {
    for (situation, courtesy) in
        [(Situation::Update, "PutImage"), (Situation::Restore, "UpdateService")]
    {
        let nth = usize::from(situation == Situation::Restore);
        let trial = overtaken(situation, courtesy, nth);
        let what = format!("{situation:?}: {:?}", trial.violations);
        assert_eq!(name(trial.end.as_ref()), ("attention", Some(ExitCode::Attention)), "{what}");
        assert!(trial.violations.is_empty(), "{what}");
    }
}

#[test]
fn what_a_stranger_changed_after_our_call_is_not_rolled_back() {
    let trial = overtaken(Situation::Unhealthy, "UpdateService", 1);
    assert_eq!(name(trial.end.as_ref()), ("attention", Some(ExitCode::Attention)));
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

/// A laptop that was closed, a machine that was suspended: whatever was seen before is old.
#[test]
fn what_a_stranger_changed_while_the_machine_slept_is_neither_undone_nor_our_success() {
    // Where a digest is refused every change is asked for twice, and slept between the two.
    let tags_only = Switches { digest_identifier: Pull::Refused, ..Switches::default() };
    // Where auto-deployments beside a digest are, so is the update that gives them back.
    let by_hand =
        Switches { auto_deployments_with_digest: Accepted::Refused, ..Switches::default() };
    let usual =
        [Situation::Update, Situation::Unhealthy, Situation::Rollback, Situation::NothingToChange];
    for (switches, situations) in [
        (Switches::default(), &usual[..]),
        (tags_only, &[Situation::UnhealthyAfterTag]),
        (by_hand, &[Situation::Restore]),
    ] {
        let terrain = Terrain { switches, ..Terrain::default() };
        for &situation in situations {
            let calm = trial_on(&terrain, situation, &[]);
            for moment in &calm.moments {
                for late in [trial_asleep, trial_slow] {
                    let trial = late(&terrain, situation, moment);
                    let end = name(trial.end.as_ref());
                    let what = format!("{situation:?} asleep at {moment:?}: {end:?}");
                    assert!(trial.violations.is_empty(), "{what}: {:?}", trial.violations);
                }
            }
        }
    }
}

/// Without the mark somebody else's operation passes for ours.
#[test]
fn the_mark_is_missed_where_somebody_else_came_first() {
    let undisturbed = trial(Situation::Update, &[]);
    let call = undisturbed.moments.iter().find(|moment| moment.call == "UpdateService").unwrap();
    let cut = [(call.number, Mishap::CutBefore)];
    let terrain = Terrain { stranger: Meddling::Variable, ..Terrain::default() };
    let kept = trial_on(&terrain, Situation::Update, &cut);
    assert_eq!(name(kept.end.as_ref()), ("attention", Some(ExitCode::Attention)));
    assert!(kept.violations.is_empty(), "{:?}", kept.violations);
    let terrain = Terrain { without: Some(Guard::Mark), ..terrain };
    let taken = trial_on(&terrain, Situation::Update, &cut);
    assert!(!taken.violations.is_empty(), "{:?}", name(taken.end.as_ref()));
}
