//! `surefoot mark`: a person's word on a release.

use std::collections::BTreeMap;

use super::arguments::{Mark, Verdict};
use super::setup::Setup;
use super::{holding, record, run, show, trouble};
use crate::event::Event;
use crate::names::Digest;
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, RECOVERED, Recorded, Row};
use crate::text::printable;
use crate::view::documents::{MarkedRelease, Whereabouts};
use crate::world::clock::{Clock as _, SystemClock};

/// Longer reasons are cut.
const LONGEST_REASON: usize = 500;

/// Marks.
pub(super) async fn mark(arguments: &Mark, setup: &Setup) -> Result<ExitCode, Problem> {
    let number = show::number(&arguments.number)?;
    let reason = reason(&arguments.reason)?;
    let Some((lock, mut ledger)) = holding::claim(setup, &arguments.waiting).await? else {
        return Err(show::unknown(number));
    };
    let records = record::records(&ledger);
    let rows = projection::history(&records);
    let live = rows.iter().rfind(|row| row.verdict == projection::Verdict::Live);
    let live = live.and_then(|row| row.digest.clone());
    let row =
        rows.into_iter().find(|row| row.number == number).ok_or_else(|| show::unknown(number))?;
    refuse_nonsense(&row)?;
    let image = whereabouts(&row, live.as_ref(), &records);
    let good = arguments.verdict == Verdict::Good;
    let event = Event::ReleaseMarked { deployment: number, good, reason: reason.clone() };
    let at = SystemClock::start().now();
    // What ran before the first deployment is none: its events stand beside all of them.
    let written = if number == RECOVERED {
        ledger.append_beside(&event, &BTreeMap::new(), at)
    } else {
        ledger.append(number, &event, &BTreeMap::new(), at)
    };
    written.map_err(|error| trouble::reading(&error, &setup.history))?;
    run::export(ledger.journal(), ledger.stream(), setup);
    drop(lock);
    let (service, endpoint) = (ledger.stream().clone(), setup.endpoint());
    setup.view.data(&MarkedRelease { service, endpoint, row, image, good, reason });
    Ok(ExitCode::Success)
}

fn whereabouts(row: &Row, live: Option<&Digest>, records: &[Recorded]) -> Whereabouts {
    let serves = live.is_some() && row.digest.as_ref() == live;
    let pruned = projection::pruned(records);
    let is_pruned = row.digest.as_ref().is_some_and(|digest| pruned.contains(digest));
    match row.verdict {
        _ if serves => Whereabouts::Live,
        _ if is_pruned => Whereabouts::Pruned,
        verdict if verdict.is_good() || verdict == projection::Verdict::Bad => Whereabouts::Proven,
        _ => Whereabouts::Unproven,
    }
}

/// A reason on one line, not without end, and not empty.
pub(super) fn reason(text: &str) -> Result<String, Problem> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        let hint = "say it in a few words: `--reason \"memory grows without end\"`";
        return Err(trouble::usage("the reason is empty", hint));
    }
    Ok(printable(&words, LONGEST_REASON))
}

/// Only what could have run can be judged.
fn refuse_nonsense(row: &Row) -> Result<(), Problem> {
    let number = row.number;
    if number == RECOVERED {
        return refuse_what_never_ran(row);
    }
    if row.verdict == projection::Verdict::Unknown {
        let what = format!("{number} was written by a newer surefoot and cannot be judged here");
        return Err(usage(&what));
    }
    if row.ended_at.is_none() {
        let what = format!("{number} has no end yet: its release cannot be judged");
        return Err(trouble::usage(what, "bring it to its end: `surefoot resume`"));
    }
    if row.digest.is_none() {
        return Err(usage(&format!("{number} never had a release: it ended before the push")));
    }
    Ok(())
}

/// Of what ran before the journal began, only its content can be judged.
fn refuse_what_never_ran(row: &Row) -> Result<(), Problem> {
    if row.verdict == projection::Verdict::Unknown {
        return Err(usage(&format!("{} was not running when this journal began", row.number)));
    }
    if row.digest.is_none() {
        let what = format!("{} was configured by a tag: which image ran is not known", row.number);
        return Err(usage(&what));
    }
    Ok(())
}

fn usage(what: &str) -> Problem {
    trouble::usage(what, "see the numbers: `surefoot history`")
}
