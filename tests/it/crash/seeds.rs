//! A share of the simulation in every test run.

use surefoot::sandbox::simulation::{Figures, Guard, run_seed};

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
    assert!(!figures.is_too_lonely(), "weather alone sends people to look: {figures}");
    for kind in KINDS {
        assert!(figures.faults.contains_key(kind), "never {kind}: {figures}");
    }
}

/// Everything that must go wrong in the fixed share.
const KINDS: [&str; 22] = [
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
    "machine that woke up late",
    "request that arrives after its sender gave it up",
    "maintenance by AWS",
    "App Runner gives a release up",
    "App Runner's rollback fails",
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

/// A harness that cannot see proves nothing: of a hundred deployments at least this many are asked for
/// twice where unclear calls are blindly repeated.
const BLIND_DUPLICATES: u64 = 5;

#[test]
fn with_blind_retry_duplicates_abound() {
    let blind = figures(0..300, Some(Guard::Look));
    let share = blind.duplicates * 100 / blind.deployments;
    assert!(share >= BLIND_DUPLICATES, "the harness sees few duplicates: {blind}");
}

/// Each in the first three hundred of the seeds that every test run has.
#[test]
fn every_guard_is_missed_by_the_seeds() {
    for guard in [Guard::Look, Guard::Settle, Guard::Mark, Guard::DurableFirst] {
        // Without the settle window most give up where nobody else is about, which is noticed, too.
        let is_missed = |seed: &u64| {
            let report = run_seed(*seed, Some(guard));
            !report.violations.is_empty() || guard == Guard::Settle && report.lonely > 0
        };
        let missed = (0..300).filter(is_missed);
        assert!(missed.take(10).count() == 10, "hardly anybody misses {}", guard.name());
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
