//! The crash matrix: every moment of a deployment is struck, in every way it can be.

use std::collections::BTreeMap;

use surefoot::problem::ExitCode;
use surefoot::sandbox::door::ports::{Kind, Mishap, Moment};
use surefoot::sandbox::simulation::matrix::{Trial, mishaps, name, trial};
use surefoot::sandbox::simulation::{Figures, Situation, run_seed};

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
    for (situation, end, code) in UNDISTURBED {
        let trial = trial(situation, &[]);
        assert_eq!(name(trial.end.as_ref()), (end, Some(code)), "{situation:?}");
        assert!(trial.violations.is_empty(), "{situation:?}: {:?}", trial.violations);
    }
}

/// What stands against a struck run: broken rules, or another end than the undisturbed one.
fn complaint(calm: &Trial, struck: &Trial, may_differ: bool) -> Option<String> {
    if !struck.violations.is_empty() {
        return Some(format!("{:?}", struck.violations));
    }
    let (calm, struck) = (name(calm.end.as_ref()), name(struck.end.as_ref()));
    (calm != struck && !may_differ).then(|| format!("{struck:?} instead of {calm:?}"))
}

/// A refusal, and a person's wish to stop, may lead elsewhere; nothing else may.
fn may_differ(mishap: Mishap) -> bool {
    matches!(mishap, Mishap::Refused)
}

fn strike_every_moment(situation: Situation) -> (usize, Vec<String>) {
    let calm = trial(situation, &[]);
    let mut complaints = Vec::new();
    let mut count = 0;
    for moment in thinned(&calm.moments) {
        for mishap in mishaps(moment.kind) {
            let struck = trial(situation, &[(moment.number, mishap)]);
            count += 1;
            if let Some(what) = complaint(&calm, &struck, may_differ(mishap)) {
                complaints.push(format!("{situation:?} {moment:?} {mishap:?}: {what}"));
            }
        }
    }
    (count, complaints)
}

/// Of equal looks in a row, as waiting makes them, the first two and the last.
fn thinned(moments: &[Moment]) -> Vec<Moment> {
    let mut seen: BTreeMap<(u64, &str), u32> = BTreeMap::new();
    let mut writes = 0;
    let mut kept = Vec::new();
    for (at, moment) in moments.iter().enumerate() {
        if moment.kind != Kind::Read {
            writes += 1;
            kept.push(*moment);
            continue;
        }
        let count = seen.entry((writes, moment.call)).or_default();
        *count += 1;
        let last = !moments[at + 1..]
            .iter()
            .take_while(|next| next.kind == Kind::Read)
            .any(|next| next.call == moment.call);
        if *count <= 2 || last {
            kept.push(*moment);
        }
    }
    kept
}

fn assert_no_complaints(complaints: &[String]) {
    let shown: Vec<_> = complaints.iter().take(20).collect();
    assert!(complaints.is_empty(), "{} complaints: {shown:#?}", complaints.len());
}

#[test]
fn every_single_moment_can_be_struck_in_every_way() {
    let mut all = Vec::new();
    for (situation, _, _) in UNDISTURBED {
        let (count, complaints) = strike_every_moment(situation);
        println!("{situation:?}: {count} runs, {} complaints", complaints.len());
        for line in complaints.iter().take(40) {
            println!("  {line}");
        }
        all.extend(complaints);
    }
    assert_no_complaints(&all);
}

#[test]
fn the_power_can_go_twice() {
    let mut all = Vec::new();
    for situation in [Situation::Create, Situation::Update, Situation::Unhealthy] {
        let calm = trial(situation, &[]);
        let cuts = [Mishap::CutBefore, Mishap::CutAfter];
        let mut count = 0;
        for first in calm.moments.iter().filter(|moment| moment.kind != Kind::Read) {
            for one in cuts {
                let once = trial(situation, &[(first.number, one)]);
                let later = once
                    .moments
                    .iter()
                    .filter(|moment| moment.kind != Kind::Read && moment.number > first.number);
                for second in later {
                    for two in cuts {
                        let at = [(first.number, one), (second.number, two)];
                        let struck = trial(situation, &at);
                        count += 1;
                        if let Some(what) = complaint(&calm, &struck, false) {
                            all.push(format!(
                                "{situation:?} {first:?} {one:?} {second:?} {two:?}: {what}"
                            ));
                        }
                    }
                }
            }
        }
        println!("{situation:?}: {count} pairs");
    }
    for line in all.iter().take(40) {
        println!("  {line}");
    }
    assert_no_complaints(&all);
}

#[test]
fn a_fixed_share_of_seeds_breaks_no_rule() {
    let mut figures = Figures::default();
    for seed in 0..600 {
        let report = run_seed(seed, None);
        for violation in &report.violations {
            println!("{seed} {:?} {:?} {violation:?}", report.situation, report.ends);
        }
        figures.add(&report);
    }
    println!("{figures}");
    assert_eq!(figures.broken(), 0, "{figures}{:?}", figures.failing);
}

#[test]
fn the_same_seed_writes_the_same_journal() {
    for seed in 0..20 {
        assert_eq!(run_seed(seed, None).heads, run_seed(seed, None).heads, "{seed}");
    }
}
