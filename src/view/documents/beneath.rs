//! What stands beneath a history: the last prunes of its repository, and that the journal was restored.

use chrono::{DateTime, Utc};

use crate::projection::{Prune, PruneOutcome, Restoration};
use crate::text::counted;
use crate::view::look::{Accent, harmless};
use crate::view::{Look, measure};

/// As many as a person reads beneath a history.
const MOST: usize = 3;

/// The newest ones of each, oldest last; nothing where there are none.
pub(super) fn lines(
    look: Look,
    prunes: &[Prune],
    restorations: &[Restoration],
    now: DateTime<Utc>,
) -> String {
    let images = prunes.iter().rev().take(MOST).map(|prune| {
        let label = format!("pruned {}: ", measure::age(prune.started_at, now));
        let accent = if prune.outcome.is_none() { Accent::Warning } else { Accent::Dim };
        look.hanging(&label, accent, &words(prune))
    });
    let journals = restorations.iter().rev().take(MOST).map(|one| {
        let label = format!("restored {}: ", measure::age(one.at, now));
        look.hanging(&label, Accent::Warning, &restored(one))
    });
    let lines: String = images.chain(journals).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn restored(restoration: &Restoration) -> String {
    let saved = match restoration.saved {
        0 => String::new(),
        more => format!(", {more} more saved"),
    };
    let place = restoration.moved_to.as_ref().map(|place| format!(", kept in {}", harmless(place)));
    format!(
        "the journal was damaged; {} from its export{saved}, by {}{}",
        counted(usize::try_from(restoration.from_export).unwrap_or(usize::MAX), "event"),
        harmless(&restoration.by),
        place.unwrap_or_default()
    )
}

fn words(prune: &Prune) -> String {
    let by = harmless(&prune.by);
    let intended = prune.intended.len();
    let of = prune.repository.as_ref().map(|name| match prune.asked {
        Some(_) => format!(" of this service in `{name}`"),
        None => format!(" of `{name}`"),
    });
    let of = of.unwrap_or_default();
    let Some(outcome) = &prune.outcome else {
        let named = prune.repository.as_ref().map(|name| format!(" --ecr-repo {name}"));
        return format!(
            "{}{of} meant to go, by {by}; it did not say how it ended: `surefoot prune{}` looks",
            counted(intended, "image"),
            named.unwrap_or_default()
        );
    };
    let gone = outcome.deleted.len();
    let gone = if intended == 0 {
        counted(gone, "image")
    } else {
        format!("{gone} of {}", counted(intended, "image"))
    };
    if outcome.found {
        // Nobody saw who deleted them.
        return format!(
            "gone, as was found out afterwards: {gone}{of}; the prune that {by} began did not say how it ended"
        );
    }
    format!("{gone}{of} deleted by {by}{}{}", before(outcome), failed(outcome))
}

/// What somebody else deleted before it could be.
fn before(outcome: &PruneOutcome) -> String {
    match outcome.not_there.len() {
        0 => String::new(),
        1 => ", 1 was gone before".into(),
        more => format!(", {more} were gone before"),
    }
}

fn failed(outcome: &PruneOutcome) -> String {
    let Some(first) = outcome.failures.first() else { return String::new() };
    let failures = counted(outcome.failures.len(), "failure");
    format!("; {failures}, the first: {}", harmless(first))
}
