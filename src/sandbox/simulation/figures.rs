//! What many seeds came to.

use std::collections::BTreeMap;
use std::fmt;

use super::mutant::Guard;
use super::seed::{LONGEST_LAG, SeedReport};
use crate::config::Times;

/// Sums over seeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Seeds.
    pub seeds: u64,
    /// What went wrong, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Processes.
    pub lives: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Deployments.
    pub deployments: u64,
    /// Virtual milliseconds.
    pub simulated: i64,
    /// Calls of one mark that were accepted more than once.
    pub duplicates: u64,
    /// Those where a request was delivered after the settle window.
    pub beyond_settling: u64,
    /// Broken rules, by rule.
    pub violations: BTreeMap<&'static str, u64>,
    /// Deployments by their end.
    pub ends: BTreeMap<&'static str, u64>,
    /// Deployments that ended in attention although nobody else was about.
    pub lonely_attention: u64,
    /// The first seeds that broke a rule.
    pub failing: Vec<u64>,
}

/// Of so many deployments at most one may end in attention although nobody else did anything.
const LONELY_AT_MOST_ONE_OF: u64 = 1_000;

/// So many failing seeds are kept.
const KEPT: usize = 10;

impl Figures {
    /// Adds one seed.
    pub fn add(&mut self, report: &SeedReport) {
        self.seeds += 1;
        for (kind, count) in &report.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.lives += report.lives;
        self.cuts += report.cuts;
        self.simulated += report.simulated;
        self.duplicates += report.duplicates;
        self.beyond_settling += report.beyond_settling;
        for end in &report.ends {
            self.deployments += 1;
            *self.ends.entry(end).or_default() += 1;
        }
        self.lonely_attention += report.lonely;
        for violation in &report.violations {
            *self.violations.entry(violation.rule).or_default() += 1;
        }
        if !report.violations.is_empty() && self.failing.len() < KEPT {
            self.failing.push(report.seed);
        }
    }

    /// The failing seeds, each as the command that runs it alone.
    pub fn commands(&self, without: Option<Guard>) -> Vec<String> {
        let without = without.map(|guard| format!(" --without {}", guard.name()));
        let without = without.unwrap_or_default();
        let command = "cargo run --profile proof --example simulate -- --seed";
        self.failing.iter().map(|seed| format!("{command} {seed}{without}")).collect()
    }

    /// What went wrong, in all.
    pub fn injected(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Whether weather alone sends a person to look too often.
    pub fn is_too_lonely(&self) -> bool {
        self.lonely_attention * LONELY_AT_MOST_ONE_OF > self.deployments
    }

    /// Broken rules in all.
    pub fn broken(&self) -> u64 {
        self.violations.values().sum()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.simulated / 86_400_000;
        writeln!(f, "seeds            {}", self.seeds)?;
        writeln!(f, "deployments      {} in {} processes", self.deployments, self.lives)?;
        writeln!(f, "power cuts       {}", self.cuts)?;
        writeln!(f, "faults           {}", self.injected())?;
        for (kind, count) in &self.faults {
            writeln!(f, "  {count:>8} {kind}")?;
        }
        writeln!(f, "simulated        {days} days")?;
        for (end, count) in &self.ends {
            writeln!(f, "  {count:>8} {end}")?;
        }
        let (lonely, most) = (self.lonely_attention, LONELY_AT_MOST_ONE_OF);
        writeln!(f, "lonely attention {lonely}, at most one of {most} deployments")?;
        let settle = Times::default().settle.as_secs();
        writeln!(f, "settle : lag     {settle} s : at most {LONGEST_LAG} s")?;
        writeln!(f, "duplicates       {}", self.duplicates)?;
        let beyond = self.beyond_settling;
        writeln!(f, "  {beyond:>8} more, of requests delivered after the settle window")?;
        writeln!(f, "violations       {}", self.broken())?;
        for (rule, count) in &self.violations {
            writeln!(f, "  {count:>8} {rule}")?;
        }
        Ok(())
    }
}
