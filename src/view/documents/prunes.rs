//! The last prunes of a service's repository, beneath its history.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::projection::Prune;
use crate::view::look::{Accent, harmless};
use crate::view::{Document, Look, measure, to_json};

/// The prunes that the journal knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneHistory {
    /// Oldest first.
    pub prunes: Vec<Prune>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// As many as a person reads beneath a history.
const MOST: usize = 3;

impl Document for PruneHistory {
    fn name(&self) -> &'static str {
        "prunes"
    }

    fn text(&self, look: Look) -> String {
        let newest = self.prunes.iter().rev().take(MOST);
        let lines = newest.map(|prune| {
            let label = format!("pruned {}: ", measure::age(prune.started_at, self.now));
            let accent = if prune.outcome.is_none() { Accent::Warning } else { Accent::Dim };
            look.hanging(&label, accent, &words(prune))
        });
        let lines: String = lines.collect();
        if lines.is_empty() { lines } else { format!("\n{lines}") }
    }

    fn json(&self) -> Value {
        to_json(&self.prunes)
    }
}

fn words(prune: &Prune) -> String {
    let by = harmless(&prune.by);
    let intended = prune.intended.len();
    let Some(outcome) = &prune.outcome else {
        return format!(
            "{intended} images were to go, by {by}; it did not say how it ended: `surefoot prune` looks"
        );
    };
    let gone = outcome.deleted.len();
    let of = if intended == 0 { String::new() } else { format!(" of {intended}") };
    let found = if outcome.found { ", found out afterwards" } else { "" };
    let failed = match outcome.failures.len() {
        0 => String::new(),
        failures => format!("; {failures} failures, the first: {}", outcome.failures[0]),
    };
    format!("{gone}{of} images deleted by {by}{found}{failed}")
}
