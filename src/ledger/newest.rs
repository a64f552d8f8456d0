//! The newest deployments of a stream, without reading the rest of it.
//!
//! The stream is read from its head backwards, each event proven by the hash that the one behind it
//! names, until enough is known. What it costs does not grow with the history.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Entry, entry};
use crate::event::Event;
use crate::journal::{Journal, JournalError};
use crate::names::{DeploymentNumber, StreamName};
use crate::plan::Intent;
use crate::projection::{self, Recorded};

/// Deployments that are kept whole wherever a search goes back further.
const ALWAYS_KEPT: usize = 32;

/// The newest part of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Newest {
    /// The events, oldest first. Deployments may be missing between them, none is there in part.
    pub records: Vec<Recorded>,
    /// How many deployments came before the oldest of those that were asked for.
    pub older: u64,
}

/// The events from the plan of one deployment to the plan of the next.
struct Chapter {
    /// Its deployment; none for what came before the first.
    number: Option<DeploymentNumber>,
    /// Its events, oldest first.
    records: Vec<Recorded>,
}

impl Chapter {
    /// Of events in the order of the way back. An event of another deployment says something about
    /// it, and is no part of it: its beginning is not here.
    fn of(mut entries: Vec<Entry>) -> Self {
        entries.reverse();
        let planned = |entry: &Entry| {
            matches!(entry.event, Ok(Event::DeploymentPlanned(_))).then_some(entry.deployment)
        };
        let number = entries.first().and_then(planned).flatten();
        let mut records: Vec<Recorded> = entries.iter().map(Entry::recorded).collect();
        for record in &mut records {
            record.deployment = record.deployment.filter(|own| Some(*own) == number);
        }
        Self { number, records }
    }

    /// What it says about other deployments, where it says anything.
    fn said_of_others(self) -> Option<Self> {
        let mut records = self.records;
        records.retain(|record| matches!(record.event, Ok(Event::ReleaseMarked { .. })));
        for record in &mut records {
            record.deployment = None;
        }
        (!records.is_empty()).then_some(Self { number: None, records })
    }

    fn succeeded(&self) -> bool {
        self.records.iter().any(|record| matches!(record.event, Ok(Event::DeploymentSucceeded)))
    }

    fn row(&self) -> Option<projection::Row> {
        let number = self.number?;
        projection::history(&self.records).into_iter().find(|row| row.number == number)
    }

    /// The deployment whose release this one goes back to.
    fn goes_back_to(&self) -> Option<DeploymentNumber> {
        let first = self.records.first()?.event.as_ref().ok()?;
        let Event::DeploymentPlanned(plan) = first else { return None };
        match plan.intent {
            Intent::Rollback { to, .. } => Some(to),
            Intent::Deploy { .. } => None,
        }
    }
}

/// The newest `count` deployments, all where it is 0.
pub fn deployments(
    journal: &dyn Journal,
    stream: &StreamName,
    count: usize,
) -> Result<Newest, JournalError> {
    let mut kept = Vec::new();
    chapters(journal, stream, &mut |chapter| {
        kept.push(chapter);
        let numbered = kept.iter().filter(|chapter| chapter.number.is_some()).count();
        if count > 0 && numbered >= count {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    whole(journal, stream, kept)
}

/// As much as tells where the service stands: the newest deployments, the one that is live, and the
/// good one before it.
pub fn standing(journal: &dyn Journal, stream: &StreamName) -> Result<Newest, JournalError> {
    let mut kept: Vec<Chapter> = Vec::new();
    let mut search = Search::default();
    chapters(journal, stream, &mut |chapter| {
        let found = search.look(&chapter);
        if found || kept.len() < ALWAYS_KEPT {
            kept.push(chapter);
        } else {
            kept.extend(chapter.said_of_others());
        }
        if search.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    whole(journal, stream, kept)
}

/// Looks for the live deployment and the good one before it, newest first.
#[derive(Default)]
struct Search {
    live: Option<projection::Row>,
    before: bool,
    /// Whether a rollback stands behind: it left the release that was live before it.
    left: bool,
    /// The newest word on each release, which stands behind its deployment.
    good: BTreeMap<DeploymentNumber, bool>,
}

impl Search {
    /// Whether this deployment is one of the two.
    fn look(&mut self, chapter: &Chapter) -> bool {
        for record in chapter.records.iter().rev() {
            if let Ok(Event::ReleaseMarked { deployment, good, .. }) = &record.event {
                self.good.entry(*deployment).or_insert(*good);
            }
        }
        let Some(row) = chapter.row().filter(|_| chapter.succeeded()) else { return false };
        let left = std::mem::replace(&mut self.left, chapter.goes_back_to().is_some());
        let Some(live) = &self.live else {
            self.live = Some(row);
            return true;
        };
        let bad = !self.good.get(&row.number).copied().unwrap_or(!left);
        self.before = !bad && row.digest != live.digest;
        self.before
    }

    fn is_over(&self) -> bool {
        self.before
    }
}

/// The chapters as one history, with the deployments that their rollbacks name.
fn whole(
    journal: &dyn Journal,
    stream: &StreamName,
    mut kept: Vec<Chapter>,
) -> Result<Newest, JournalError> {
    let begun = |chapter: &Chapter| Some((chapter.records.first()?.sequence, chapter.number?.0));
    let oldest = kept.iter().filter_map(begun).min();
    let mut wanted: Vec<DeploymentNumber> = kept.iter().filter_map(Chapter::goes_back_to).collect();
    // What is gone back to may be a rollback itself.
    while let (Some(number), Some(oldest)) = (wanted.pop(), oldest) {
        if kept.iter().any(|chapter| chapter.number == Some(number)) {
            continue;
        }
        let found = deployment(journal, stream, number, oldest)?;
        wanted.extend(found.as_ref().and_then(Chapter::goes_back_to));
        kept.extend(found);
    }
    kept.sort_by_key(|chapter| chapter.records.first().map(|record| record.sequence));
    let older = oldest.map_or(0, |(_, number)| number.saturating_sub(1));
    Ok(Newest { records: kept.into_iter().flat_map(|chapter| chapter.records).collect(), older })
}

/// Shows the deployments, newest first, each whole.
fn chapters(
    journal: &dyn Journal,
    stream: &StreamName,
    each: &mut dyn FnMut(Chapter) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let mut entries = Vec::new();
    journal.visit_back(stream, &mut |stored| {
        let entry = entry(&stored);
        let begins = matches!(entry.event, Ok(Event::DeploymentPlanned(_)));
        let first = entry.sequence == 1;
        entries.push(entry);
        if begins || first {
            each(Chapter::of(std::mem::take(&mut entries)))
        } else {
            ControlFlow::Continue(())
        }
    })
}

/// Where a deployment's plan may be: behind a place whose deployment is older, before one whose
/// deployment is not.
struct Bounds {
    low: (u64, u64),
    high: (u64, u64),
}

impl Bounds {
    /// A guess at the place: deployments take about the same number of events each. Every second
    /// guess is the middle, so that a history of any shape is searched in few steps.
    fn guess(&self, number: DeploymentNumber, round: u32) -> u64 {
        let (room, numbers) = (self.high.0 - self.low.0, self.high.1 - self.low.1);
        let middle = self.low.0 + room / 2;
        if round % 2 == 1 || numbers == 0 {
            return middle.max(self.low.0 + 1);
        }
        let share = room.saturating_mul(number.0.saturating_sub(self.low.1)) / numbers;
        (self.low.0 + share).clamp(self.low.0 + 1, self.high.0 - 1)
    }
}

/// One deployment, found by its number before the place and number of a later one; none where there
/// is none.
fn deployment(
    journal: &dyn Journal,
    stream: &StreamName,
    number: DeploymentNumber,
    later: (u64, u64),
) -> Result<Option<Chapter>, JournalError> {
    let mut bounds = Bounds { low: (0, 0), high: later };
    for round in 1.. {
        if bounds.high.0 - bounds.low.0 <= 1 {
            return Ok(None);
        }
        let from = bounds.guess(number, round);
        match next_plan(journal, stream, from, bounds.high.0)? {
            Some((place, found)) if found == number => return chapter_at(journal, stream, place),
            Some((place, found)) if found < number => bounds.low = (place, found.0),
            Some((_, found)) => bounds.high = (from, found.0),
            None => bounds.high = (from, bounds.high.1),
        }
    }
    Ok(None)
}

/// The first plan at `from` or behind it, before `end`.
fn next_plan(
    journal: &dyn Journal,
    stream: &StreamName,
    from: u64,
    end: u64,
) -> Result<Option<(u64, DeploymentNumber)>, JournalError> {
    let mut found = None;
    journal.visit(stream, from - 1, &mut |stored| {
        if stored.sequence() >= end {
            return ControlFlow::Break(());
        }
        found = stored
            .envelope()
            .filter(|envelope| envelope.type_name == "DeploymentPlanned")
            .and_then(|envelope| Some((envelope.sequence, envelope.deployment?)));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

fn chapter_at(
    journal: &dyn Journal,
    stream: &StreamName,
    plan: u64,
) -> Result<Option<Chapter>, JournalError> {
    let mut entries: Vec<Entry> = Vec::new();
    journal.visit(stream, plan - 1, &mut |stored| {
        let entry = entry(&stored);
        if !entries.is_empty() && matches!(entry.event, Ok(Event::DeploymentPlanned(_))) {
            return ControlFlow::Break(());
        }
        entries.push(entry);
        ControlFlow::Continue(())
    })?;
    entries.reverse();
    Ok(Some(Chapter::of(entries)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::envelope::{Actor, Draft, EventId};
    use crate::journal::memory::MemoryJournal;
    use crate::projection::examples;
    use crate::projection::{history, status};

    /// The runs of the examples over and over, each with the next number, and marks in between.
    fn long(deployments: u64) -> (Arc<MemoryJournal>, StreamName) {
        let stream: StreamName = "123456789012/eu-central-1/shop".parse().unwrap();
        let journal = Arc::new(MemoryJournal::new());
        let runs: Vec<_> = examples::every().into_iter().map(|(_, run)| run).collect();
        let (mut sequence, mut drafts) = (0, Vec::new());
        for number in 1..=deployments {
            let run = &runs[usize::try_from(number * 7).unwrap() % runs.len()];
            let mut events: Vec<Event> =
                run.records.iter().map(|record| record.event.clone().unwrap()).collect();
            if let Event::DeploymentPlanned(plan) = &mut events[0] {
                plan.number = DeploymentNumber(number);
                plan.stream = stream.clone();
                if let Intent::Rollback { to, .. } = &mut plan.intent {
                    *to = DeploymentNumber(number / 2 + 1);
                }
            }
            if number % 5 == 0 {
                let deployment = DeploymentNumber(number / 2 + 1);
                let reason = "tried".to_owned();
                events.push(Event::ReleaseMarked { deployment, good: number % 2 == 0, reason });
            }
            for event in events {
                sequence += 1;
                drafts.push(draft(number, sequence, &event));
            }
        }
        journal.append(&stream, 0, &drafts).unwrap();
        (journal, stream)
    }

    fn draft(number: u64, sequence: u128, event: &Event) -> Draft {
        Draft {
            id: EventId::from_parts(1, sequence),
            deployment: Some(DeploymentNumber(number)),
            type_name: event.type_name(),
            type_version: 1,
            settles: None,
            at: examples::morning(),
            actor: Actor { user: "ada".into(), host: "laptop".into(), ci_run: None },
            data: event.data(),
        }
    }

    fn everything(journal: &dyn Journal, stream: &StreamName) -> Vec<Recorded> {
        journal.read(stream, 0).unwrap().iter().map(|stored| entry(stored).recorded()).collect()
    }

    #[test]
    fn the_newest_rows_are_those_of_the_whole_history() {
        for deployments_in_all in [1, 2, 7, 40, 90] {
            let (journal, stream) = long(deployments_in_all);
            let rows = history(&everything(journal.as_ref(), &stream));
            for count in [1, 2, 5, 20, 100] {
                let newest = deployments(journal.as_ref(), &stream, count).unwrap();
                let mut shown = history(&newest.records);
                let all = rows.len();
                shown.drain(..shown.len().saturating_sub(count.min(all)));
                assert_eq!(shown, rows[all.saturating_sub(count)..], "{count} of {all}");
                assert_eq!(newest.older, all.saturating_sub(count) as u64);
            }
        }
    }

    #[test]
    fn the_standing_is_that_of_the_whole_history() {
        for deployments_in_all in 1..=60 {
            let (journal, stream) = long(deployments_in_all);
            let whole = status(&everything(journal.as_ref(), &stream));
            let newest = standing(journal.as_ref(), &stream).unwrap();
            assert_eq!(status(&newest.records), whole, "{deployments_in_all}");
        }
    }

    #[test]
    fn every_deployment_is_found_by_its_number_and_no_other() {
        for deployments_in_all in [1, 2, 33, 64] {
            let (journal, stream) = long(deployments_in_all);
            let end = journal.head(&stream).unwrap().unwrap().sequence + 1;
            let find = |number| {
                deployment(journal.as_ref(), &stream, number, (end, deployments_in_all + 1))
                    .unwrap()
            };
            for number in 1..=deployments_in_all {
                let number = DeploymentNumber(number);
                let chapter = find(number).unwrap();
                assert_eq!(chapter.number, Some(number));
                let begun =
                    |record: &Recorded| matches!(record.event, Ok(Event::DeploymentPlanned(_)));
                assert_eq!(chapter.records.iter().filter(|record| begun(record)).count(), 1);
            }
            let missing = DeploymentNumber(deployments_in_all + 1);
            assert!(find(missing).is_none());
        }
    }
}
