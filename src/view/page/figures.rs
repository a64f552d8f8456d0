//! The figures of the page and its course over time: of every deployment, also where the page lists
//! only some of them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::projection::{RECOVERED, Story, Verdict, spread};

/// Columns of the course.
const COLUMNS: i64 = 60;

/// The figures, counted as those of `stats` are.
pub(super) fn figures(all: &[&Story]) -> Value {
    let begun = begun(all);
    let changes = begun.iter().filter(|story| story.effect.change);
    let failed = changes.clone().filter(|story| story.effect.failed).count();
    let live = begun.iter().filter(|story| story.effect.went_live);
    let usual = spread(live.filter_map(|story| story.row.took).collect()).median;
    json!({
        "deployments": begun.len(),
        "since": moments(&begun).min(),
        "changes": changes.count(),
        "failed": failed,
        "usual": usual.map(|usual| usual.as_secs_f64()),
    })
}

/// What lives of one service.
pub(super) fn live(stories: &[Story]) -> Value {
    let live = stories.iter().rfind(|story| story.row.verdict == Verdict::Live);
    let told = |Story { row, .. }: &Story| {
        json!({
            "number": row.number,
            "tag": row.tag,
            "commit": row.commit.as_ref().map(crate::names::Commit::short),
            "short": row.digest.as_ref().map(crate::names::Digest::short),
            "at": row.started_at.timestamp_millis(),
        })
    };
    live.map_or(Value::Null, told)
}

/// How many came to which end in each part of the time; one deployment alone makes no course.
pub(super) fn course(all: &[&Story], now: DateTime<Utc>) -> Value {
    let begun = begun(all);
    let (Some(from), Some(last)) = (moments(&begun).min(), moments(&begun).max()) else {
        return Value::Null;
    };
    if begun.len() < 2 {
        return Value::Null;
    }
    let to = now.timestamp_millis().max(last + 1);
    let mut columns = vec![Column::default(); usize::try_from(COLUMNS).unwrap_or_default()];
    for story in begun {
        let at = COLUMNS * (story.row.started_at.timestamp_millis() - from) / (to - from);
        let at = usize::try_from(at.min(COLUMNS - 1)).unwrap_or_default();
        columns[at].count(story);
    }
    let columns: Vec<Value> = columns.iter().map(Column::told).collect();
    json!({ "from": from, "to": to, "columns": columns })
}

#[derive(Debug, Clone, Default)]
struct Column {
    fine: usize,
    bad: usize,
    other: usize,
}

impl Column {
    fn count(&mut self, story: &Story) {
        let kind = match (story.effect.failed, story.effect.went_live) {
            (true, _) => &mut self.bad,
            (false, true) => &mut self.fine,
            (false, false) => &mut self.other,
        };
        *kind += 1;
    }

    fn told(&self) -> Value {
        json!({ "fine": self.fine, "bad": self.bad, "other": self.other })
    }
}

/// What ran before the journal began is no deployment.
fn begun<'a>(all: &[&'a Story]) -> Vec<&'a Story> {
    all.iter().copied().filter(|story| story.row.number != RECOVERED).collect()
}

fn moments(stories: &[&Story]) -> impl Iterator<Item = i64> {
    stories.iter().map(|story| story.row.started_at.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{examples, statistics, stories};

    #[test]
    fn the_page_counts_as_the_figures_do() {
        let records = examples::several();
        let now = examples::morning() + chrono::TimeDelta::hours(2);
        let told = stories(&records);
        let counted = figures(&told.iter().collect::<Vec<_>>());
        let expected = statistics(&records, None, now);
        assert_eq!(counted["deployments"], expected.deployments);
        assert_eq!(counted["since"], expected.from.timestamp_millis());
        assert_eq!(counted["changes"], expected.changes);
        assert_eq!(counted["failed"], expected.failed_changes);
        assert_eq!(counted["usual"], expected.duration.median.unwrap().as_secs_f64());
    }

    #[test]
    fn the_course_has_every_deployment_once_whatever_the_clock_said() {
        let mut told = stories(&examples::several());
        let now = examples::morning() + chrono::TimeDelta::hours(2);
        for _ in 0..2 {
            let course = course(&told.iter().collect::<Vec<_>>(), now);
            let columns = course["columns"].as_array().unwrap().clone();
            let count = |kind: &str| columns.iter().filter_map(|one| one[kind].as_u64()).sum();
            let counts: [u64; 3] = ["fine", "bad", "other"].map(count);
            assert_eq!(counts, [3, 1, 0]);
            // A clock that was ahead, and one that stood still.
            for story in &mut told {
                story.row.started_at = DateTime::<Utc>::MAX_UTC;
            }
        }
        assert!(course(&[&told[0]], now).is_null());
    }
}
