//! The history of a service as a table.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::status::next_lines;
use super::{beneath, heading};
use crate::names::StreamName;
use crate::projection::{Prune, Restoration, Row, Verdict};
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
    pub rows: Vec<HistoryRow>,
    /// How many older ones are not shown.
    pub older: usize,
    /// The prunes of its repository, oldest first.
    pub prunes: Vec<Prune>,
    /// Whether a prune holds the service now: then the newest of them is under way.
    pub prune_at_work: bool,
    /// When its journal came back from damage, oldest first.
    pub restorations: Vec<Restoration>,
    /// Whether ECR was to be asked what it still holds.
    pub asked: bool,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// One deployment, and what the registry says of its image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryRow {
    /// The deployment.
    #[serde(flatten)]
    pub row: Row,
    /// Whether ECR still holds its image; none where it was not asked or did not say.
    pub in_registry: Option<bool>,
}

/// The histories of several services, one table each.
#[derive(Debug, Clone, PartialEq)]
pub struct Histories {
    /// By service.
    pub tables: Vec<HistoryTable>,
}

impl Document for Histories {
    fn name(&self) -> &'static str {
        "histories"
    }

    fn endpoint(&self) -> Option<&str> {
        self.tables.iter().find_map(Document::endpoint)
    }

    fn text(&self, look: Look) -> String {
        let tables: Vec<String> = self.tables.iter().map(|table| table.body(look)).collect();
        let one = self.tables.first().map(|table| &table.service.service);
        let next = one.map(|name| format!("surefoot history --service-name {name}"));
        tables.join("\n") + &next_lines(look, &next.into_iter().collect::<Vec<_>>())
    }

    fn json(&self) -> Value {
        self.tables.iter().map(Document::json).collect()
    }
}

impl Document for HistoryTable {
    fn name(&self) -> &'static str {
        "history"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        self.body(look) + &next_lines(look, &self.next())
    }

    fn json(&self) -> Value {
        json!({
            "service": self.service,
            "endpoint": self.endpoint,
            "older": self.older,
            "deployments": to_json(&self.rows),
            "prunes": to_json(&self.prunes),
            "restorations": to_json(&self.restorations),
        })
    }
}

impl HistoryTable {
    fn body(&self, look: Look) -> String {
        let service = &self.service.service;
        let mut shown = heading(look, service.as_str(), &self.service) + "\n\n";
        if self.rows.is_empty() {
            shown.push_str("No deployment matches.\n");
            return shown;
        }
        shown.push_str(&self.table(look));
        if self.older > 0 {
            shown.push_str(&format!("\n{} older: `-n 0` shows all\n", self.older));
        }
        shown
            + &beneath::lines(
                look,
                (&self.prunes, self.prune_at_work),
                &self.restorations,
                self.now,
            )
    }

    fn next(&self) -> Vec<String> {
        let service = &self.service.service;
        match self.rows.first() {
            Some(HistoryRow { row, .. }) => {
                vec![format!("surefoot show {} --service-name {service}", row.number.0)]
            }
            None => vec![format!("surefoot history --service-name {service}")],
        }
    }

    fn table(&self, look: Look) -> String {
        let cells: Vec<[String; COLUMNS]> =
            self.rows.iter().map(|row| cells(row, self.now, look.width < ROOMY)).collect();
        let width = |column: usize| {
            let texts = cells.iter().map(|row| width_of(&row[column]));
            texts.chain([TITLES[column].len()]).max().unwrap_or(0).min(WIDEST[column])
        };
        // A column without a word in it says nothing.
        let says = |column: &usize| cells.iter().any(|row| !row[*column].is_empty());
        let columns = (0..NOTE).filter(|column| self.asked || *column != ECR).filter(says);
        let shown = fitting(columns.map(|column| (column, width(column))).collect(), look.width);
        let (shown, widths): (Vec<usize>, Vec<usize>) = shown.into_iter().unzip();
        let titles = line(look, &shown, &widths, &TITLES.map(String::from));
        let mut text = format!("{}\n", look.paint(Accent::Dim, &titles));
        for (row, cells) in self.rows.iter().zip(&cells) {
            let plain = line(look, &shown, &widths, cells);
            text.push_str(&accented(look, row.row.verdict, &plain));
            text.push('\n');
        }
        text
    }
}

const COLUMNS: usize = 10;

/// From this width on every column has its room.
const ROOMY: usize = 110;

/// Whether ECR still holds the image.
const ECR: usize = 5;

/// Tag, duration, person, digest, ECR: the order in which columns make room.
const LEAST_FIRST: [usize; 5] = [3, 7, 8, 4, ECR];

/// What a note needs to say something.
const NOTE_ROOM: usize = 16;

/// The note is the last, and takes what is left.
const NOTE: usize = COLUMNS - 1;

const TITLES: [&str; COLUMNS] =
    ["", "verdict", "commit", "tag", "digest", "ECR", "age", "took", "by", "note"];

/// The widest a column may be, where it is not the last.
const WIDEST: [usize; NOTE] = [8, 15, 9, 21, 8, 4, 14, 10, 20];

/// The columns that fit, with their widths: where there is no room, those that say least go first.
fn fitting(mut columns: Vec<(usize, usize)>, width: usize) -> Vec<(usize, usize)> {
    for least in LEAST_FIRST {
        let taken: usize = columns.iter().map(|(_, width)| width + 2).sum();
        if taken + NOTE_ROOM <= width {
            break;
        }
        columns.retain(|(column, _)| *column != least);
    }
    columns
}

fn cells(row: &HistoryRow, now: DateTime<Utc>, narrow: bool) -> [String; COLUMNS] {
    let HistoryRow { row, in_registry } = row;
    let tag = row.tag.as_ref().map(ToString::to_string);
    let dirty = if row.dirty { "+" } else { "" };
    let commit = row.commit.as_ref().map(|commit| format!("{}{dirty}", commit.short()));
    // The first digits of the commit beside it say it again.
    let again = |tag: &String| {
        let whole = row.commit.as_ref().map(crate::names::Commit::as_str);
        narrow && whole.is_some_and(|commit| commit.starts_with(tag.as_str()))
    };
    let held = match (&row.digest, in_registry) {
        (None, _) => "",
        (_, Some(true)) => "yes",
        (_, Some(false)) => "gone",
        (_, None) => "?",
    };
    [
        row.number.to_string(),
        row.verdict.words().into(),
        commit.or_else(|| tag.clone()).unwrap_or_default(),
        tag.filter(|tag| !again(tag)).unwrap_or_default(),
        row.digest.as_ref().map(|digest| digest.short().to_owned()).unwrap_or_default(),
        held.into(),
        if narrow {
            measure::short_age(row.started_at, now)
        } else {
            measure::age(row.started_at, now)
        },
        row.took.map(measure::duration).unwrap_or_default(),
        // On a narrow terminal the person; the machine is in `show`.
        harmless(row.by.split('@').next().filter(|_| narrow).unwrap_or(&row.by)),
        row.note.as_deref().map(harmless).unwrap_or_default(),
    ]
}

fn line(look: Look, shown: &[usize], widths: &[usize], cells: &[String; COLUMNS]) -> String {
    let mut text = String::new();
    for (column, width) in shown.iter().zip(widths) {
        let cell = shorten(&cells[*column], *width);
        let cell =
            if matches!(column, 0 | 7) { pad_left(&cell, *width) } else { pad(&cell, *width) };
        text.push_str(&cell);
        text.push_str("  ");
    }
    let room = look.width.saturating_sub(width_of(&text)).max(8);
    text.push_str(&shorten(&cells[NOTE], room));
    text.trim_end().to_owned()
}

/// The verdict's word is painted where it stands.
fn accented(look: Look, verdict: Verdict, line: &str) -> String {
    line.replacen(verdict.words(), &look.paint(accent(verdict), verdict.words()), 1)
}

pub(super) fn accent(verdict: Verdict) -> Accent {
    match verdict {
        Verdict::Live => Accent::Good,
        Verdict::Failed | Verdict::RolledBack | Verdict::RollbackFailed | Verdict::Bad => {
            Accent::Bad
        }
        Verdict::Attention | Verdict::Unknown | Verdict::Interrupted | Verdict::InProgress => {
            Accent::Warning
        }
        Verdict::Good | Verdict::Superseded | Verdict::Abandoned => Accent::None,
    }
}
