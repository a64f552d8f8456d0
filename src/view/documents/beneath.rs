//! What stands beneath a history: the last prunes of its repository, and that the journal was restored.

use chrono::{DateTime, Utc};

use crate::projection::{Prune, PruneOutcome, Restoration};
use crate::text::counted;
use crate::view::look::{Accent, harmless};
use crate::view::{Look, measure};

/// As many as a person reads beneath a history.
const MOST: usize = 3;

/// The newest ones of each, oldest last; nothing where there are none. Where a prune is at work, the newest is it.
pub(super) fn lines(
    look: Look,
    (prunes, at_work): (&[Prune], bool),
    restorations: &[Restoration],
    now: DateTime<Utc>,
) -> String {
    let newest = prunes.iter().rev().take(MOST).enumerate();
    let images = newest.map(|(at, prune)| told(look, prune, at == 0 && at_work, now));
    let journals = restorations.iter().rev().take(MOST).map(|one| {
        let label = format!("restored {}: ", measure::age(one.at, now));
        look.hanging(&label, Accent::Warning, &restored(one))
    });
    let lines: String = images.chain(journals).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn told(look: Look, prune: &Prune, is_under_way: bool, now: DateTime<Utc>) -> String {
    let label = format!("pruned {}: ", measure::age(prune.started_at, now));
    match (&prune.outcome, is_under_way) {
        (Some(_), _) => look.hanging(&label, Accent::Dim, &words(prune)),
        (None, true) => {
            let meant = counted(prune.intended.len(), "image");
            let by = harmless(&prune.by);
            look.hanging(&label, Accent::None, &format!("{meant} to go, by {by}, who is at it now"))
        }
        (None, false) => {
            let said = look.hanging(&label, Accent::Warning, &words(prune));
            said + &look.block(label.len(), Accent::None, &looks(prune))
        }
    }
}

fn restored(restoration: &Restoration) -> String {
    let saved = match restoration.saved {
        0 => String::new(),
        more => format!(", {more} more saved"),
    };
    let lost = match restoration.lost {
        0 => String::new(),
        lost => format!(", {lost} lost"),
    };
    let place = restoration.moved_to.as_ref().map(|place| format!(", kept in {}", harmless(place)));
    format!(
        "the journal was damaged; {} from its export{saved}{lost}, by {}{}",
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
        let meant = counted(intended, "image");
        return format!(
            "{meant}{of} meant to go, by {by}; it did not say how it ended; to see what is gone:"
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
        let gone = format!("{gone}{of} gone, found out afterwards");
        return format!("{gone}; the prune that {by} began did not say how it ended");
    }
    format!("{gone}{of} deleted by {by}{}{}", before(outcome), failed(outcome))
}

/// What to type to see what came of it, on a line of its own: flags are added to it.
fn looks(prune: &Prune) -> String {
    let named = prune.repository.as_ref().map(|name| format!(" --ecr-repo {name}"));
    format!("`surefoot prune{}`", named.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::examples::{digest, morning};
    use crate::view::look::width_of;

    fn prune(outcome: Option<PruneOutcome>) -> Prune {
        Prune {
            started_at: morning(),
            by: "ada@laptop".into(),
            repository: Some("shop".parse().unwrap()),
            asked: None,
            intended: (0..9).map(|number| digest(&number.to_string())).collect(),
            outcome,
        }
    }

    fn ended(found: bool) -> PruneOutcome {
        let images = |count: usize| (0..count).map(|number| digest(&number.to_string())).collect();
        let (deleted, not_there) = (images(4), images(5));
        PruneOutcome { deleted, not_there, failures: Vec::new(), bytes: 7, found }
    }

    #[test]
    fn nobody_is_said_to_have_deleted_what_nobody_saw_them_delete() {
        let told = words(&prune(Some(ended(false))));
        assert_eq!(told, "4 of 9 images of `shop` deleted by ada@laptop, 5 were gone before");
        let told = words(&prune(Some(ended(true))));
        assert!(told.starts_with("4 of 9 images of `shop` gone, found out afterwards; the prune"));
        assert!(!told.contains("deleted"), "{told}");
        let share = Prune { asked: Some("stall".parse().unwrap()), ..prune(Some(ended(false))) };
        assert!(words(&share).starts_with("4 of 9 images of this service in `shop` deleted"));
    }

    #[test]
    fn a_prune_that_is_at_work_is_not_said_to_have_ended() {
        let at_work = lines(Look::PLAIN, (&[prune(None), prune(None)], true), &[], morning());
        assert_eq!(at_work.matches("who is at it now").count(), 1, "{at_work}");
        assert_eq!(at_work.matches("did not say").count(), 1, "{at_work}");
    }

    #[test]
    fn what_to_type_after_a_prune_that_was_killed_stands_alone() {
        let shown = lines(Look::PLAIN, (&[prune(None)], false), &[], morning());
        assert!(shown.lines().all(|line| width_of(line) <= 80), "{shown}");
        let last = shown.lines().last().unwrap();
        assert_eq!(last.trim(), "`surefoot prune --ecr-repo shop`", "{shown}");
    }
}
