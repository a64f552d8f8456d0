//! Runs the simulation: `cargo run --release --example simulate -- --seeds 10000`.
//!
//! `--seed S` runs one seed and says what was wrong; `--policy blind-retry` takes away looking before
//! acting; `--without GUARD` takes away another guard (look, settle, mark, durable-first).

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use surefoot::sandbox::simulation::{Figures, Guard, run_seed};

/// What was asked for.
struct Wish {
    first: u64,
    seeds: u64,
    without: Option<Guard>,
    single: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let wish = read(std::env::args().skip(1))?;
    let mut out = std::io::stdout().lock();
    #[expect(clippy::disallowed_methods, reason = "the speed of the simulation itself")]
    let started = Instant::now();
    let mut figures = Figures::default();
    for seed in wish.first..wish.first + wish.seeds {
        let report = run_seed(seed, wish.without);
        if wish.single {
            writeln!(out, "{report:#?}")?;
        }
        figures.add(&report);
    }
    let seconds = started.elapsed().as_secs_f64();
    write!(out, "{figures}")?;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = figures.seeds as f64 / seconds;
    writeln!(out, "speed            {rate:.0} seeds a second on one core, {seconds:.1} s")?;
    for seed in &figures.failing {
        let without = wish.without.map(|guard| format!(" --without {}", guard.name()));
        let without = without.unwrap_or_default();
        writeln!(out, "failing: cargo run --release --example simulate -- --seed {seed}{without}")?;
    }
    Ok(if figures.broken() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let mut wish = Wish { first: 0, seeds: 1_000, without: None, single: false };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seeds" => wish.seeds = value.parse()?,
            "--from" => wish.first = value.parse()?,
            "--seed" => (wish.first, wish.seeds, wish.single) = (value.parse()?, 1, true),
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
