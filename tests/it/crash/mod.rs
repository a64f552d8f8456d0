//! The crash matrix and a share of the simulation. The whole matrix and as many seeds as one likes:
//! `cargo run --release --example simulate`.

use surefoot::problem::ExitCode;
use surefoot::sandbox::simulation::matrix::{Depth, Sweep, name, trial};
use surefoot::sandbox::simulation::{Figures, Guard, Situation, run_seed};

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
    let shown: Vec<_> = sweep.complaints.iter().take(20).collect();
    assert!(
        sweep.complaints.is_empty(),
        "{} of {}: {shown:#?}",
        sweep.complaints.len(),
        sweep.trials
    );
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

#[test]
fn the_power_can_go_twice_in_a_creation() {
    assert_nothing_stands_against(&Sweep::of(Situation::Create, Depth::TwoCuts, false));
}

#[test]
fn the_power_can_go_twice_in_an_update() {
    assert_nothing_stands_against(&Sweep::of(Situation::Update, Depth::TwoCuts, false));
}

fn figures(seeds: std::ops::Range<u64>, without: Option<Guard>) -> Figures {
    let mut figures = Figures::default();
    for seed in seeds {
        figures.add(&run_seed(seed, without));
    }
    figures
}

#[test]
fn a_fixed_share_of_seeds_breaks_no_rule() {
    let figures = figures(0..200, None);
    assert_eq!(figures.broken(), 0, "{figures}{:?}", figures.failing);
    assert!(figures.cuts > 100 && figures.faults > 200, "{figures}");
}

#[test]
fn the_same_seed_writes_the_same_journal() {
    for seed in 0..20 {
        assert_eq!(run_seed(seed, None).heads, run_seed(seed, None).heads, "{seed}");
    }
}

/// A harness that cannot see proves nothing.
#[test]
fn every_guard_that_is_taken_away_is_missed() {
    for guard in Guard::ALL {
        let missed = (0..3_000).find(|seed| !run_seed(*seed, Some(guard)).violations.is_empty());
        assert!(missed.is_some(), "nobody misses {}", guard.name());
    }
}
