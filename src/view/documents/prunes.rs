//! The last prunes of a service's repository, beneath its history.

use chrono::{DateTime, Utc};

use crate::projection::Prune;
use crate::view::look::{Accent, harmless};
use crate::view::{Look, measure};

/// As many as a person reads beneath a history.
const MOST: usize = 3;

/// The newest ones, oldest last; nothing where there are none.
pub(super) fn lines(look: Look, prunes: &[Prune], now: DateTime<Utc>) -> String {
    let newest = prunes.iter().rev().take(MOST);
    let lines = newest.map(|prune| {
        let label = format!("pruned {}: ", measure::age(prune.started_at, now));
        let accent = if prune.outcome.is_none() { Accent::Warning } else { Accent::Dim };
        look.hanging(&label, accent, &words(prune))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
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
        failures => {
            format!("; {failures} failures, the first: {}", harmless(&outcome.failures[0]))
        }
    };
    format!("{gone}{of} images deleted by {by}{found}{failed}")
}
