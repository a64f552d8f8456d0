//! Runs the simulation: `cargo run --profile proof --example simulate -- --seeds 10000`.
//!
//! `--seed S` runs one seed and says what was wrong; `--policy blind-retry` takes away looking before
//! acting; `--without GUARD` takes away another guard (look, settle, mark, durable-first, keep).
//! `--matrix once|lagging|in-a-row|two-cuts|resume|pairs` runs the exhaustive crash matrix instead, and
//! `--trial TRIAL` one trial of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use surefoot::sandbox::simulation::matrix::{Complaint, Depth, Sweep, Terrain, name};
use surefoot::sandbox::simulation::{Figures, Guard, Script, Situation, run_seed};

/// A seed allocates and frees whole worlds: the system's allocator would take a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for.
struct Wish {
    first: u64,
    seeds: u64,
    without: Option<Guard>,
    single: bool,
    matrix: Option<(Depth, bool)>,
    trial: Option<Script>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let wish = read(std::env::args().skip(1))?;
    if let Some((depth, lags)) = wish.matrix {
        return matrix(depth, lags);
    }
    if let Some(script) = wish.trial {
        return trial(&script);
    }
    let mut out = std::io::stdout().lock();
    #[expect(clippy::disallowed_methods, reason = "the speed of the simulation itself")]
    let started = Instant::now();
    let mut figures = Figures::default();
    for seed in wish.first..wish.first + wish.seeds {
        let report = run_seed(seed, wish.without);
        if wish.single {
            write!(out, "{report}")?;
        }
        figures.add(&report);
    }
    let seconds = started.elapsed().as_secs_f64();
    write!(out, "{figures}")?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = figures.seeds as f64 / seconds;
    writeln!(out, "speed            {rate:.0} seeds a second on one core, {seconds:.1} s")?;
    for command in figures.commands(wish.without) {
        writeln!(out, "failing: {command}")?;
    }
    let broken = figures.broken() > 0 || figures.is_too_lonely() && !wish.single;
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn matrix(depth: Depth, lags: bool) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let (mut trials, mut complaints) = (0, 0);
    let terrain = if lags { Terrain::lagging() } else { Terrain::default() };
    for situation in Situation::ALL {
        let sweep = Sweep::on(&terrain, situation, depth, depth == Depth::Once);
        let count = sweep.complaints.len();
        let name = format!("{situation:?}");
        writeln!(out, "{name:<20}{:>8} trials, {count} complaints", sweep.trials)?;
        for (what, of_it) in by_reason(&sweep.complaints) {
            writeln!(out, "    {} times {what}", of_it.len())?;
            for Complaint { at, script, .. } in of_it.iter().take(SHOWN) {
                writeln!(out, "        {at}\n        {}", script.command())?;
            }
        }
        trials += sweep.trials;
        complaints += count;
    }
    writeln!(out, "{trials} trials, {complaints} complaints")?;
    Ok(if complaints == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// So many trials of one reason are shown.
const SHOWN: usize = 20;

/// Equal calls and equal reasons together, whatever their moments.
fn by_reason(complaints: &[Complaint]) -> BTreeMap<String, Vec<&Complaint>> {
    let mut groups: BTreeMap<String, Vec<&Complaint>> = BTreeMap::new();
    for complaint in complaints {
        groups.entry(format!("{}: {}", complaint.what, complaint.at)).or_default().push(complaint);
    }
    groups
}

/// One trial, in full.
fn trial(script: &Script) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let trial = script.run();
    for moment in &trial.moments {
        writeln!(out, "{:>5} {:?} {}", moment.number, moment.kind, moment.call)?;
    }
    writeln!(out, "{:#?}", trial.end)?;
    writeln!(out, "ended {:?} after {} processes", name(trial.end.as_ref()), trial.lives)?;
    for violation in &trial.violations {
        writeln!(out, "violated: {} ({})", violation.rule, violation.what)?;
    }
    let broken = !trial.violations.is_empty();
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let (without, matrix, trial) = (None, None, None);
    let mut wish = Wish { first: 0, seeds: 1_000, without, single: false, matrix, trial };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => wish.seeds = value.parse()?,
            "--from" => wish.first = value.parse()?,
            "--seed" => (wish.first, wish.seeds, wish.single) = (value.parse()?, 1, true),
            "--matrix" => {
                wish.matrix = Some(match value.as_str() {
                    "once" => (Depth::Once, false),
                    "lagging" => (Depth::Once, true),
                    "two-cuts" => (Depth::TwoCuts, false),
                    "resume" => (Depth::Resume, false),
                    "in-a-row" => (Depth::InARow, false),
                    "pairs" => (Depth::Pairs, false),
                    _ => return Err(format!("no matrix is named {value}").into()),
                });
            }
            "--trial" => wish.trial = Some(value.parse()?),
            "--policy" if value == "blind-retry" => wish.without = Some(Guard::Look),
            "--without" => {
                let guard = Guard::ALL.into_iter().find(|guard| guard.name() == value);
                wish.without = Some(guard.ok_or_else(|| format!("no guard is named {value}"))?);
            }
            _ => return Err(format!("{name} {value} is not understood").into()),
        }
    }
    Ok(wish)
}
