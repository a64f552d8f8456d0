//! How deploying goes: the four DORA measures, and how long each step takes.
//!
//! What each figure counts is written in `docs/output.md`; no figure is made up where the log does
//! not know enough.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::effect::{Effect, effect};
use super::fold::{Folded, fold};
use super::history::{Row, history};
use super::{RECOVERED, Recorded, Tone, as_seconds, between, stories};
use crate::event::Event;
use crate::event::deployment::{Deployment, Phase};
use crate::plan::Step;
use crate::world::service::OperationStatus;

/// The columns of the course over time, at most.
const BUCKETS: i64 = 40;

/// How deploying went from one moment to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// The first moment that counts.
    pub from: DateTime<Utc>,
    /// The last.
    pub to: DateTime<Utc>,
    /// Deployments that began, rollbacks by hand among them.
    pub deployments: usize,
    /// Those that brought a release live.
    pub live: usize,
    /// Those by week; a span under a week counts as one.
    pub live_per_week: f64,
    /// New releases that App Runner was asked for; rollbacks are none.
    pub changes: usize,
    /// Those of them that failed, were taken back, or were called bad later.
    pub failed_changes: usize,
    /// The share of changes that failed.
    pub change_failure_rate: Option<f64>,
    /// From a failure to a good release that is proven live.
    pub time_to_restore: Spread,
    /// Failed changes after which no good release is proven yet.
    pub unrestored: usize,
    /// From a commit to its release live, for the first time it was.
    pub lead_time: Spread,
    /// Changes that went live from a commit whose time is not known, or from none.
    pub undated: usize,
    /// From the beginning of a deployment to its release live.
    pub duration: Spread,
    /// How long each step took where it came out well.
    pub steps: Vec<StepTime>,
    /// The course over time, oldest first.
    pub course: Vec<Bucket>,
}

/// Durations as two figures: nearest rank, so that each is one that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spread {
    /// How many there were.
    pub count: usize,
    /// Half took no longer, in seconds.
    #[serde(rename = "median_seconds", serialize_with = "as_seconds")]
    pub median: Option<Duration>,
    /// 95 of 100 took no longer, in seconds.
    #[serde(rename = "p95_seconds", serialize_with = "as_seconds")]
    pub p95: Option<Duration>,
}

/// How long a step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: Step,
    /// Its durations.
    #[serde(flatten)]
    pub spread: Spread,
}

/// A span of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its first moment.
    pub from: DateTime<Utc>,
    /// Deployments that brought a release live.
    pub live: usize,
    /// Changes that failed, as the change failure rate counts them.
    pub failed: usize,
}

/// How it went since a moment, or since the first deployment.
pub fn statistics(
    records: &[Recorded],
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Statistics {
    // What ran before the journal began was no deployment of its.
    let mut rows = history(records);
    rows.retain(|row| row.number != RECOVERED);
    let folded = fold(records);
    let all: Vec<One<'_>> = folded.iter().zip(&rows).filter_map(One::readable).collect();
    let from = since.or_else(|| Some(rows.first()?.started_at)).unwrap_or(now).min(now);
    let counted = || all.iter().filter(move |one| one.row.started_at >= from);
    let live = counted().filter(|one| one.effect.went_live).count();
    let failed: Vec<&One<'_>> = counted().filter(|one| one.effect.failed).collect();
    let changes = counted().filter(|one| one.effect.change).count();
    let restored: Vec<Option<Duration>> =
        failed.iter().map(|one| time_to_restore(one, &all)).collect();
    let (leads, undated) = lead_times(&all, from);
    Statistics {
        from,
        to: now,
        deployments: rows.iter().filter(|row| row.started_at >= from).count(),
        live,
        live_per_week: per_week(live, now - from),
        changes,
        failed_changes: failed.len(),
        change_failure_rate: share(failed.len(), changes),
        unrestored: restored.iter().filter(|time| time.is_none()).count(),
        time_to_restore: spread(restored.into_iter().flatten().collect()),
        lead_time: spread(leads),
        undated,
        duration: spread(
            counted().filter(|one| one.effect.went_live).filter_map(|one| one.row.took).collect(),
        ),
        steps: step_times(records, from),
        course: course(counted(), from, now),
    }
}

/// A deployment that can be read.
struct One<'a> {
    folded: &'a Folded<'a>,
    state: &'a Deployment,
    row: &'a Row,
    effect: Effect,
}

impl<'a> One<'a> {
    fn readable((folded, row): (&'a Folded<'a>, &'a Row)) -> Option<Self> {
        let state = folded.state.as_ref().ok()?;
        Some(Self { folded, state, row, effect: effect(state, row) })
    }

    /// When it was known to be bad; of a release that was called bad later, when it went live. Where App
    /// Runner went back by itself it says so only when it is back, so that the moment counts from which
    /// the release may have done harm: when it was asked for.
    fn failed_at(&self) -> Option<DateTime<Utc>> {
        if self.effect.went_live {
            return self.row.ended_at;
        }
        let bad = |record: &&&Recorded| {
            matches!(
                record.event,
                Ok(Event::OperationFailed { .. }
                    | Event::HealthFailed { .. }
                    | Event::StepFailed { .. }
                    | Event::RollbackStarted { .. }
                    | Event::AttentionNeeded { .. })
            )
        };
        let bad = self.folded.events.iter().find(bad)?;
        let asked = |record: &&&Recorded| {
            matches!(record.event, Ok(Event::CreateIssued(_) | Event::UpdateIssued(_)))
        };
        let asked = self.folded.events.iter().filter(|_| went_back_by_itself(bad)).find(asked);
        Some(asked.unwrap_or(bad).at)
    }
}

fn went_back_by_itself(bad: &Recorded) -> bool {
    use OperationStatus::{RollbackFailed, RollbackSucceeded};
    let Ok(Event::OperationFailed { status, .. }) = &bad.event else { return false };
    matches!(status, RollbackSucceeded | RollbackFailed)
}

fn time_to_restore(failed: &One<'_>, all: &[One<'_>]) -> Option<Duration> {
    let since = failed.failed_at()?;
    let restored_at = if matches!(failed.state.phase, Phase::RolledBack { .. }) {
        failed.row.ended_at?
    } else {
        let later = |one: &&One<'_>| one.row.number > failed.row.number;
        let good = |one: &&One<'_>| one.effect.went_live && !one.effect.failed;
        all.iter().filter(later).find(good)?.row.ended_at?
    };
    between(since, restored_at)
}

/// The lead times that are known, and how many are not. Of a dirty tree the commit tells nothing.
fn lead_times(all: &[One<'_>], from: DateTime<Utc>) -> (Vec<Duration>, usize) {
    let (mut known, mut times, mut undated) = (BTreeSet::new(), Vec::new(), 0);
    for one in all.iter().filter(|one| one.effect.went_live && one.effect.change) {
        let first = match &one.row.commit {
            _ if one.row.dirty => false,
            Some(commit) => known.insert(commit.as_str()),
            None => true,
        };
        if !first || one.row.started_at < from {
            continue;
        }
        let moments = one.row.committed_at.zip(one.row.ended_at);
        match moments.and_then(|(committed, live)| between(committed, live)) {
            Some(time) => times.push(time),
            None => undated += 1,
        }
    }
    (times, undated)
}

fn step_times(records: &[Recorded], from: DateTime<Utc>) -> Vec<StepTime> {
    let mut times: BTreeMap<Step, Vec<Duration>> = BTreeMap::new();
    for story in stories(records).iter().filter(|story| story.row.started_at >= from) {
        for step in story.steps.iter().filter(|step| step.outcome != Tone::Bad) {
            times.entry(step.step).or_default().extend(step.took);
        }
    }
    times.into_iter().map(|(step, times)| StepTime { step, spread: spread(times) }).collect()
}

/// Times in order, and what is usual among them.
pub fn spread(mut times: Vec<Duration>) -> Spread {
    times.sort_unstable();
    let at = |percent: usize| {
        // Nearest rank: the smallest that this share does not exceed.
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied()
    };
    Spread { count: times.len(), median: at(50), p95: at(95) }
}

#[expect(clippy::cast_precision_loss, reason = "nobody deploys 2^52 times")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(clippy::cast_precision_loss, reason = "nobody deploys 2^52 times")]
fn per_week(count: usize, span: TimeDelta) -> f64 {
    let weeks = span.num_seconds() as f64 / TimeDelta::weeks(1).num_seconds() as f64;
    count as f64 / weeks.max(1.0)
}

/// Whole days a bucket, so that the columns mean something; at least one bucket.
fn course<'a>(
    all: impl Iterator<Item = &'a One<'a>>,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Bucket> {
    let days = (now - from).num_days() / BUCKETS + 1;
    let width = TimeDelta::days(days);
    let count = (now - from).num_days() / days + 1;
    let mut course: Vec<Bucket> = (0..count)
        .map(|index| Bucket { from: from + TimeDelta::days(days * index), live: 0, failed: 0 })
        .collect();
    for one in all {
        let index = (one.row.started_at - from).num_seconds() / width.num_seconds();
        let Some(bucket) = usize::try_from(index).ok().and_then(|index| course.get_mut(index))
        else {
            continue;
        };
        bucket.live += usize::from(one.effect.went_live);
        bucket.failed += usize::from(one.effect.failed);
    }
    course
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::examples::{self, morning};

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with is optional")]
    fn seconds(count: u64) -> Option<Duration> {
        Some(Duration::from_secs(count))
    }

    /// Sixteen and seventeen good, eighteen taken back, nineteen a rollback by hand.
    fn several() -> Statistics {
        statistics(&examples::several(), None, morning() + TimeDelta::hours(2))
    }

    #[test]
    fn the_four_measures_of_several_deployments() {
        let found = several();
        assert_eq!((found.deployments, found.live), (4, 3));
        assert!((found.live_per_week - 3.0).abs() < 1e-9, "{}", found.live_per_week);
        assert_eq!((found.changes, found.failed_changes, found.unrestored), (3, 1, 0));
        assert!((found.change_failure_rate.unwrap() - 1.0 / 3.0).abs() < 1e-9);
        // From the failed health check to the proof that the old release is back.
        assert_eq!(
            found.time_to_restore,
            Spread { count: 1, median: seconds(145), p95: seconds(145) }
        );
    }

    #[test]
    fn a_commit_leads_once_however_often_it_is_deployed() {
        // All of the examples are of one commit, made four days before the morning.
        let found = several();
        assert_eq!(found.lead_time.count, 1);
        assert_eq!(found.lead_time.median, seconds(86_400 + 207));
    }

    #[test]
    fn a_dirty_tree_leads_nothing_and_a_commit_without_a_time_is_counted() {
        let mut dirty = examples::plan(17, "v1.4.2");
        checkout(&mut dirty).dirty = true;
        let run = examples::good_by(dirty, "v1.4.1", morning()).announced();
        let found = statistics(&run.records, None, run.ended());
        assert_eq!((found.live, found.lead_time.count, found.undated), (1, 0, 0));
        let mut undated = examples::plan(17, "v1.4.2");
        checkout(&mut undated).committed_at = None;
        let run = examples::good_by(undated, "v1.4.1", morning()).announced();
        let found = statistics(&run.records, None, run.ended());
        assert_eq!((found.live, found.lead_time.count, found.undated), (1, 0, 1));
    }

    fn checkout(plan: &mut crate::plan::Plan) -> &mut crate::world::source::Checkout {
        let crate::plan::Intent::Deploy { target, .. } = &mut plan.intent else { unreachable!() };
        target.checkout.as_mut().unwrap()
    }

    #[test]
    fn what_app_runner_took_back_counts_from_when_it_was_asked_for() {
        let run = examples::taken_back();
        let asked = |record: &&Recorded| matches!(record.event, Ok(Event::UpdateIssued(_)));
        let asked = run.records.iter().find(asked).unwrap().at;
        let found = statistics(&run.records, None, run.ended());
        assert_eq!(found.time_to_restore.median, between(asked, run.ended()));
        assert!(found.time_to_restore.median > seconds(420), "longer than proving it took");
    }

    #[test]
    fn the_course_counts_what_the_rates_count() {
        for (name, run) in examples::every() {
            let found = statistics(&run.records, None, run.ended());
            let failed: usize = found.course.iter().map(|bucket| bucket.failed).sum();
            let live: usize = found.course.iter().map(|bucket| bucket.live).sum();
            assert_eq!((live, failed), (found.live, found.failed_changes), "{name}");
        }
    }

    #[test]
    fn steps_are_timed_where_they_came_out_well() {
        let found = several();
        let of = |step| found.steps.iter().find(|time| time.step == step).unwrap().spread;
        assert_eq!(of(Step::AwaitOperation).count, 4);
        assert_eq!(of(Step::AwaitOperation).median, seconds(150));
        assert_eq!(of(Step::AwaitOperation).p95, seconds(171));
        assert_eq!(of(Step::CheckHealth).count, 3);
    }

    #[test]
    fn only_what_began_since_counts() {
        let now = morning() + TimeDelta::hours(2);
        let found = statistics(&examples::several(), Some(morning()), now);
        assert_eq!((found.deployments, found.live, found.changes), (2, 1, 1));
        assert_eq!(found.lead_time.count, 0, "its commit was live before");
        assert_eq!(found.course.len(), 1);
        assert_eq!((found.course[0].live, found.course[0].failed), (1, 1));
    }

    #[test]
    fn a_release_called_bad_fails_and_the_next_good_one_restores() {
        let mut records = examples::good(17, "v1.4.2", "v1.4.1", morning()).records;
        records.push(Recorded {
            deployment: None,
            event: Ok(Event::ReleaseMarked {
                deployment: records[0].deployment.unwrap(),
                good: false,
                reason: "slow".into(),
            }),
            ..records[0].clone()
        });
        let later = morning() + TimeDelta::hours(1);
        let open = statistics(&records, None, later);
        assert_eq!((open.failed_changes, open.unrestored), (1, 1));
        records.extend(examples::good(18, "v1.4.3", "v1.4.2", later).records);
        let closed = statistics(&records, None, later + TimeDelta::hours(1));
        assert_eq!((closed.failed_changes, closed.unrestored), (1, 0));
        assert_eq!(closed.time_to_restore.median, seconds(3_600));
    }

    #[test]
    fn what_never_reached_the_service_is_no_change() {
        let found = statistics(&examples::build_fails().records, None, morning());
        assert_eq!((found.deployments, found.changes, found.failed_changes), (1, 0, 0));
        assert_eq!(found.change_failure_rate, None);
        let live = statistics(&examples::already_live().records, None, morning());
        assert_eq!((live.deployments, live.live, live.changes), (1, 0, 0));
    }

    #[test]
    fn nothing_at_all_is_told_without_a_figure() {
        let found = statistics(&[], None, morning());
        assert_eq!((found.deployments, found.live, found.changes), (0, 0, 0));
        assert_eq!(found.lead_time, Spread::default());
        assert_eq!(found.change_failure_rate, None);
    }

    #[test]
    fn a_spread_is_made_of_times_that_happened() {
        let of = |times: &[u64]| spread(times.iter().map(|t| Duration::from_secs(*t)).collect());
        assert_eq!(of(&[]), Spread::default());
        assert_eq!(of(&[7]), Spread { count: 1, median: seconds(7), p95: seconds(7) });
        assert_eq!(of(&[3, 1, 2]).median, seconds(2));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(of(&hundred), Spread { count: 100, median: seconds(50), p95: seconds(95) });
    }

    #[test]
    fn years_fit_into_the_course() {
        let now = morning();
        for days in [0, 1, 39, 40, 41, 400, 4_000] {
            let from = now - TimeDelta::days(days);
            let course = course(std::iter::empty(), from, now);
            assert!(!course.is_empty() && course.len() <= 41, "{days}: {}", course.len());
            assert!(course.last().unwrap().from <= now);
        }
    }
}
