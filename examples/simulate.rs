//! Runs the simulation: `cargo run --profile proof --example simulate -- --seeds 10000`.
//!
//! `--seed S` runs one seed and says what was wrong; `--policy blind-retry` takes away looking before
//! acting; `--without GUARD` takes away another guard (look, settle, mark, durable-first, keep).
//! `--matrix once|in-a-row|two-cuts|resume|pairs` runs the exhaustive crash matrix instead.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use surefoot::sandbox::simulation::matrix::{Depth, Sweep};
use surefoot::sandbox::simulation::{Figures, Guard, Situation, run_seed};

/// A seed allocates and frees whole worlds: the system's allocator would take a quarter of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for.
struct Wish {
    first: u64,
    seeds: u64,
    without: Option<Guard>,
    single: bool,
    matrix: Option<Depth>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let wish = read(std::env::args().skip(1))?;
    if let Some(depth) = wish.matrix {
        return matrix(depth);
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
    Ok(if figures.broken() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn matrix(depth: Depth) -> Result<ExitCode, Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let (mut trials, mut complaints) = (0, 0);
    for situation in Situation::ALL {
        let sweep = Sweep::of(situation, depth, depth == Depth::Once);
        let name = format!("{situation:?}");
        writeln!(
            out,
            "{name:<20}{:>8} trials, {} complaints",
            sweep.trials,
            sweep.complaints.len()
        )?;
        for complaint in sweep.complaints.iter().take(3) {
            writeln!(out, "    {complaint}")?;
        }
        trials += sweep.trials;
        complaints += sweep.complaints.len();
    }
    writeln!(out, "{trials} trials, {complaints} complaints")?;
    Ok(if complaints == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let mut wish = Wish { first: 0, seeds: 1_000, without: None, single: false, matrix: None };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => wish.seeds = value.parse()?,
            "--from" => wish.first = value.parse()?,
            "--seed" => (wish.first, wish.seeds, wish.single) = (value.parse()?, 1, true),
            "--matrix" => {
                wish.matrix = Some(match value.as_str() {
                    "once" => Depth::Once,
                    "two-cuts" => Depth::TwoCuts,
                    "resume" => Depth::Resume,
                    "in-a-row" => Depth::InARow,
                    "pairs" => Depth::Pairs,
                    _ => return Err(format!("no matrix is named {value}").into()),
                });
            }
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
