//! Which deployments of a history are wanted.

use chrono::{DateTime, Utc};

use super::history::{Row, Verdict};

/// Which deployments are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only those with this verdict.
    pub verdict: Option<Verdict>,
    /// Only those that began at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// At most so many, the newest; all where none is named.
    pub limit: Option<usize>,
}

impl Selection {
    /// Whether this one is wanted, whatever the limit.
    pub fn takes(&self, row: &Row) -> bool {
        self.verdict.is_none_or(|verdict| row.verdict == verdict)
            && self.since.is_none_or(|since| row.started_at >= since)
    }
}

/// The rows that are wanted, newest first, and how many more there would be without the limit.
pub fn select(rows: Vec<Row>, selection: &Selection) -> (Vec<Row>, usize) {
    let mut wanted: Vec<Row> = rows.into_iter().rev().filter(|row| selection.takes(row)).collect();
    let shown = selection.limit.unwrap_or(wanted.len());
    let older = wanted.len().saturating_sub(shown);
    wanted.truncate(shown);
    (wanted, older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{examples, history};

    fn numbers(selection: Selection) -> (Vec<u64>, usize) {
        let (rows, older) = select(history(&examples::several()), &selection);
        (rows.iter().map(|row| row.number.0).collect(), older)
    }

    #[test]
    fn newest_first_and_the_rest_is_counted() {
        assert_eq!(numbers(Selection::default()), (vec![19, 18, 17, 16], 0));
        let limit = Some(1);
        assert_eq!(numbers(Selection { limit, ..Selection::default() }), (vec![19], 3));
    }

    #[test]
    fn the_limit_counts_what_is_wanted_and_nothing_else() {
        let verdict = Some(Verdict::Good);
        assert_eq!(numbers(Selection { verdict, limit: Some(1), since: None }), (vec![16], 0));
        let since = Some(examples::morning());
        assert_eq!(numbers(Selection { since, ..Selection::default() }), (vec![19, 18], 0));
        let later = Some(examples::morning() + chrono::TimeDelta::seconds(1));
        assert_eq!(numbers(Selection { since: later, ..Selection::default() }), (vec![19], 0));
    }

    #[test]
    fn a_verdict_is_read_as_it_is_written_and_as_it_is_typed() {
        for verdict in Verdict::ALL {
            for between in [" ", "-", "_"] {
                let text = verdict.words().replace(' ', between);
                assert_eq!(text.parse(), Ok(verdict));
            }
        }
        assert!("fine".parse::<Verdict>().unwrap_err().contains("rolled-back"));
    }
}
