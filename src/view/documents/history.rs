//! The history of a service as a table.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::names::StreamName;
use crate::projection::{Row, Verdict};
use crate::view::look::{Accent, harmless, pad, pad_left, shorten, width_of};
use crate::view::{Document, Look, measure, to_json};

/// The deployments of a service, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryTable {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The rows, newest first.
    pub rows: Vec<Row>,
    /// How many older ones are not shown.
    pub older: usize,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

impl Document for HistoryTable {
    fn name(&self) -> &'static str {
        "history"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let StreamName { account, region, service } = &self.service;
        let title = look.paint(Accent::Strong, service.as_str());
        let mut shown = format!("{title}   {region}, account {account}\n\n");
        if self.rows.is_empty() {
            shown.push_str("Nothing was deployed yet.\n");
            return shown;
        }
        shown.push_str(&table(look, &self.rows, self.now));
        if self.older > 0 {
            shown.push_str(&format!(
                "\n{} older: `surefoot history -n 0 --service-name {service}`\n",
                self.older
            ));
        }
        shown
    }

    fn json(&self) -> Value {
        json!({
            "service": self.service,
            "endpoint": self.endpoint,
            "older": self.older,
            "deployments": to_json(&self.rows),
        })
    }
}

const TITLES: [&str; 8] = ["", "verdict", "tag", "digest", "when", "took", "by", "note"];

/// The widest a column may be, where it is not the last.
const WIDEST: [usize; 7] = [8, 15, 20, 8, 15, 10, 16];

fn table(look: Look, rows: &[Row], now: DateTime<Utc>) -> String {
    let cells: Vec<[String; 8]> = rows.iter().map(|row| cells(row, now)).collect();
    // On a narrow terminal the columns that say least go first.
    let shown: &[usize] = match look.width {
        ..72 => &[0, 1, 2, 4, 7],
        72..110 => &[0, 1, 2, 3, 4, 5, 7],
        _ => &[0, 1, 2, 3, 4, 5, 6, 7],
    };
    let width = |column: usize| {
        let texts = cells.iter().map(|row| width_of(&row[column]));
        texts.chain([TITLES[column].len()]).max().unwrap_or(0).min(WIDEST[column])
    };
    let widths: Vec<usize> = shown.iter().filter(|c| **c < 7).map(|c| width(*c)).collect();
    let mut text = look.paint(Accent::Dim, &line(look, shown, &widths, &TITLES.map(String::from)));
    text.push('\n');
    for (row, cells) in rows.iter().zip(&cells) {
        let plain = line(look, shown, &widths, cells);
        text.push_str(&accented(look, row.verdict, &plain));
        text.push('\n');
    }
    text
}

fn cells(row: &Row, now: DateTime<Utc>) -> [String; 8] {
    let tag = row.tag.as_ref().map(ToString::to_string);
    let commit = row.commit.as_ref().map(|commit| commit.short().to_owned());
    [
        row.number.to_string(),
        row.verdict.words().into(),
        tag.or(commit).unwrap_or_default(),
        row.digest.as_ref().map(|digest| digest.short().to_owned()).unwrap_or_default(),
        measure::age(row.started_at, now),
        row.took.map(measure::duration).unwrap_or_default(),
        harmless(&row.by),
        row.note.as_deref().map(harmless).unwrap_or_default(),
    ]
}

fn line(look: Look, shown: &[usize], widths: &[usize], cells: &[String; 8]) -> String {
    let mut text = String::new();
    for (column, width) in shown.iter().zip(widths) {
        let cell = shorten(&cells[*column], *width);
        let cell =
            if matches!(column, 0 | 5) { pad_left(&cell, *width) } else { pad(&cell, *width) };
        text.push_str(&cell);
        text.push_str("  ");
    }
    let room = look.width.saturating_sub(width_of(&text)).max(8);
    text.push_str(&shorten(&cells[7], room));
    text.trim_end().to_owned()
}

/// The verdict's word is painted where it stands.
fn accented(look: Look, verdict: Verdict, line: &str) -> String {
    let accent = match verdict {
        Verdict::Live => Accent::Good,
        Verdict::Failed | Verdict::RolledBack | Verdict::RollbackFailed | Verdict::Bad => {
            Accent::Bad
        }
        Verdict::Attention | Verdict::Unknown | Verdict::Interrupted | Verdict::InProgress => {
            Accent::Warning
        }
        Verdict::Good | Verdict::Superseded | Verdict::Abandoned => Accent::None,
    };
    line.replacen(verdict.words(), &look.paint(accent, verdict.words()), 1)
}
