//! The crash matrix and a share of the simulation. The whole matrix and as many seeds as one likes:
//! `cargo run --profile proof --example simulate`.

mod endings;

use surefoot::problem::ExitCode;
use surefoot::sandbox::cloud::switches::{Pull, Switches};
use surefoot::sandbox::door::ports::{Kind, Mishap};
use surefoot::sandbox::simulation::matrix::{
    Depth, Sweep, Terrain, Trial, name, trial, trial_asleep, trial_on,
};
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

fn figures(seeds: std::ops::Range<u64>, without: Option<Guard>) -> Figures {
    let mut figures = Figures::default();
    for seed in seeds {
        figures.add(&run_seed(seed, without));
    }
    figures
}

#[test]
fn a_fixed_share_of_seeds_breaks_no_rule() {
    let figures = figures(0..1_000, None);
    let commands = figures.commands(None).join("\n");
    assert_eq!((figures.broken(), figures.duplicates), (0, 0), "{figures}{commands}");
    assert!(figures.cuts > 500, "{figures}");
    for kind in KINDS {
        assert!(figures.faults.contains_key(kind), "never {kind}: {figures}");
    }
}

/// Everything that must go wrong in the fixed share.
const KINDS: [&str; 18] = [
    "throttled",
    "5xx, no effect",
    "5xx after the effect",
    "answer lost, no effect",
    "answer lost after the effect",
    "stale answer",
    "slow operation",
    "stranger changes the service",
    "lifecycle rule deletes an image",
    "credentials expired",
    "clock jump",
    "a second machine deploys",
    "zombie that woke up late",
    "power cut before",
    "power cut after",
    "full disk",
    "signal",
    "pruned between two processes",
];

/// Other seeds at every commit and on every day; a failing one is printed as one command.
#[test]
fn a_fresh_share_of_seeds_breaks_no_rule() {
    let first = fresh();
    say(&format!("fresh seeds {first}..{}", first + 300));
    let figures = figures(first..first + 300, None);
    let commands = figures.commands(None).join("\n");
    assert_eq!(figures.broken(), 0, "{figures}{commands}");
}

/// A seed from the date and the commit.
fn fresh() -> u64 {
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output();
        output.map(|output| output.stdout).unwrap_or_default()
    };
    let mut text = run("date", &["-u", "+%F"]);
    text.extend(run("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD"]));
    let digest = surefoot::names::Digest::of(&text);
    u64::from_str_radix(digest.short(), 16).unwrap_or_default() * 1_000
}

/// Past the test harness, which keeps what passing tests say to itself.
fn say(line: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("stderr");
}

#[test]
fn the_same_seed_writes_the_same_journal() {
    for seed in 0..20 {
        assert_eq!(run_seed(seed, None).journals, run_seed(seed, None).journals, "{seed}");
    }
}

/// A harness that cannot see proves nothing.
#[test]
fn with_blind_retry_duplicates_appear() {
    let blind = (0..2_000).find(|seed| run_seed(*seed, Some(Guard::Look)).duplicates > 0);
    assert!(blind.is_some(), "the harness does not see a duplicate");
}

#[test]
fn blind_retry_and_a_journal_that_tells_too_early_are_missed_by_the_seeds() {
    for guard in [Guard::Look, Guard::DurableFirst] {
        let missed = (0..2_000).find(|seed| !run_seed(*seed, Some(guard)).violations.is_empty());
        assert!(missed.is_some(), "nobody misses {}", guard.name());
    }
}

/// Without the keep-set a prune deletes what runs.
#[test]
fn the_keep_set_is_missed_by_the_seeds() {
    let broken = |seed| {
        let report = run_seed(seed, Some(Guard::Keep));
        report.violations.iter().any(|broken| broken.rule.starts_with("pruning"))
    };
    assert!((0..2_000).any(broken), "nobody misses the keep-set");
}

/// Without the settle window one stale look decides whether a call took effect.
#[test]
fn the_settle_window_is_missed_where_answers_lag() {
    let undisturbed = trial(Situation::Update, &[]);
    let call = undisturbed.moments.iter().find(|moment| moment.call == "UpdateService").unwrap();
    let strikes = [(call.number, Mishap::LostAfter)];
    let switches =
        Switches { operations_lag_seconds: 60, service_lag_seconds: 30, ..Switches::default() };
    let terrain = Terrain { switches, ..Terrain::default() };
    let sound = |terrain: &Terrain| {
        let trial = trial_on(terrain, Situation::Update, &strikes);
        let succeeded = name(trial.end.as_ref()) == ("succeeded", Some(ExitCode::Success));
        succeeded && trial.violations.is_empty()
    };
    assert!(sound(&terrain));
    assert!(!sound(&Terrain { without: Some(Guard::Settle), ..terrain }));
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
    let terrain = Terrain { stranger: true, ..Terrain::default() };
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
    let usual = [Situation::Update, Situation::Unhealthy, Situation::Rollback];
    for (switches, situations) in
        [(Switches::default(), &usual[..]), (tags_only, &[Situation::UnhealthyAfterTag])]
    {
        let terrain = Terrain { switches, ..Terrain::default() };
        for &situation in situations {
            let calm = trial_on(&terrain, situation, &[]);
            for moment in &calm.moments {
                let trial = trial_asleep(&terrain, situation, moment);
                let end = name(trial.end.as_ref());
                let what = format!("{situation:?} asleep at {moment:?}: {end:?}");
                assert!(trial.violations.is_empty(), "{what}: {:?}", trial.violations);
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
    let terrain = Terrain { stranger: true, ..Terrain::default() };
    let kept = trial_on(&terrain, Situation::Update, &cut);
    assert_eq!(name(kept.end.as_ref()), ("attention", Some(ExitCode::Attention)));
    assert!(kept.violations.is_empty(), "{:?}", kept.violations);
    let terrain = Terrain { without: Some(Guard::Mark), ..terrain };
    let taken = trial_on(&terrain, Situation::Update, &cut);
    assert!(!taken.violations.is_empty(), "{:?}", name(taken.end.as_ref()));
}
