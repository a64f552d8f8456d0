//! The text of an export: an opening line, the events as they are stored, a line each, and for every
//! stream a line that says where it ends.
//!
//! The lines of the events are the very bytes that are hashed, so an export verifies by itself: each
//! event names the hash of the one before it, and the last is named by the line of its stream's end.
//! Environment values are in no event, hence in no export.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::StreamHead;
use crate::event::envelope::{EventHash, StoredEvent, TOOL_VERSION};
use crate::names::StreamName;
use crate::text::is_hostile;

/// The format of the exports that this version writes, and the newest that it reads.
pub const EXPORT_FORMAT: u32 = 1;

/// A line of an export that is no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The first line.
    SurefootExport {
        /// The format of the lines.
        format: u32,
        /// The tool that wrote them.
        tool: String,
    },
    /// Here a stream ends, as far as this export goes.
    End {
        /// The stream.
        stream: StreamName,
        /// The number of its last event.
        sequence: u64,
        /// The hash of its last event.
        hash: EventHash,
    },
}

impl Note {
    /// The first line of every export.
    pub fn opening() -> Self {
        Self::SurefootExport { format: EXPORT_FORMAT, tool: TOOL_VERSION.to_owned() }
    }

    /// Where a stream ends.
    pub fn end(head: &StreamHead) -> Self {
        let StreamHead { stream, sequence, hash } = head.clone();
        Self::End { stream, sequence, hash }
    }

    /// Writes it as a line.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// Writes an event as a line: the bytes as they are stored.
pub fn write_event(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.write_all(b"\n")
}

/// The first line of an export for spreadsheets.
pub const CSV_TITLES: &str =
    "stream,sequence,at,deployment,event,user,host,ci_run,tool,id,settles,data,hash\r\n";

/// Writes an event as a row for spreadsheets (RFC 4180). It is to be looked at: it cannot be
/// imported again.
pub fn write_csv(out: &mut impl Write, event: &StoredEvent) -> io::Result<()> {
    let sequence = event.sequence().to_string();
    let (id, hash) = (event.id().to_string(), event.hash().to_string());
    let stream = event.stream().to_string();
    let Some(envelope) = event.envelope() else {
        let newer = "(written by a newer version)";
        return row(out, &[&stream, &sequence, "", "", newer, "", "", "", "", &id, "", "", &hash]);
    };
    let number = envelope.deployment.map(|number| number.0.to_string()).unwrap_or_default();
    let settles = envelope.settles.map(|id| id.to_string()).unwrap_or_default();
    row(
        out,
        &[
            &stream,
            &sequence,
            &moment(envelope.at),
            &number,
            &envelope.type_name,
            &envelope.actor.user,
            &envelope.actor.host,
            envelope.actor.ci_run.as_deref().unwrap_or_default(),
            &envelope.tool,
            &id,
            &settles,
            &envelope.data.to_string(),
            &hash,
        ],
    )
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn row(out: &mut impl Write, cells: &[&str]) -> io::Result<()> {
    let line = cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",");
    out.write_all(line.as_bytes())?;
    out.write_all(b"\r\n")
}

/// A cell. A spreadsheet takes text that begins like a formula for one: it gets an apostrophe. What
/// would move a terminal's cursor is replaced.
fn quoted(cell: &str) -> String {
    let harmless = |c: char| if is_hostile(c) && !c.is_ascii_whitespace() { '\u{fffd}' } else { c };
    let cell: String = cell.chars().map(harmless).collect();
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell };
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_breaks_its_row() {
        for (cell, shown) in [
            ("ev\u{1b}[5mil", "ev\u{fffd}[5mil"),
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("-1,\"x\"", "\"'-1,\"\"x\"\"\""),
        ] {
            assert_eq!(quoted(cell), shown);
        }
    }

    #[test]
    fn a_note_reads_as_it_was_written() {
        let stream: StreamName = "123456789012/eu-central-1/shop".parse().unwrap();
        let head = StreamHead { stream, sequence: 3, hash: EventHash::of(b"x") };
        for note in [Note::opening(), Note::end(&head)] {
            let mut line = Vec::new();
            note.write(&mut line).unwrap();
            assert_eq!(line.pop(), Some(b'\n'));
            assert_eq!(serde_json::from_slice::<Note>(&line).unwrap(), note);
        }
    }
}
