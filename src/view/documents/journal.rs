//! What the journal's own commands found and did.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::journal::StreamHead;
use crate::journal::import::Imported;
use crate::journal::redb::{Checked, Repair, RestoredStream};
use crate::view::look::{Accent, harmless, pad, pad_left, width_of};
use crate::view::{Document, Look};

/// A journal in which everything agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalCheck {
    /// Its directory.
    pub place: PathBuf,
    /// What was read.
    pub checked: Checked,
    /// How many anchors it was compared with.
    pub anchors: usize,
}

impl Document for JournalCheck {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn text(&self, look: Look) -> String {
        let Checked { events, bytes, streams } = &self.checked;
        let mut shown = title(look, "sound", &self.place);
        let what = format!(
            "{} in {}, {}: every hash, every chain and every index agrees.",
            count(*events, "event"),
            count(streams.len() as u64, "stream"),
            size(*bytes),
        );
        shown.push_str(&look.hanging("", Accent::None, &what));
        shown.push_str(&ends(streams.iter().map(|head| (head, head.sequence))));
        if self.anchors > 0 {
            let anchors = count(self.anchors as u64, "anchor");
            shown.push_str(&format!("\nIt still contains what {anchors} named.\n"));
        } else {
            let what = "An edit of everything at once agrees with itself, too: only a head that was \
                        printed elsewhere before tells.";
            shown.push('\n');
            shown.push_str(&look.hanging("", Accent::None, what));
        }
        shown + "\nnext: surefoot journal head\n"
    }

    fn json(&self) -> Value {
        let Checked { events, bytes, streams } = &self.checked;
        let heads = heads(streams);
        json!({ "sound": true, "events": events, "bytes": bytes, "heads": heads, "anchors": self.anchors })
    }
}

/// Where every stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHeads {
    /// The ends, by name.
    pub heads: Vec<StreamHead>,
}

impl Document for JournalHeads {
    fn name(&self) -> &'static str {
        "journal"
    }

    /// Lines to keep: not aligned, not wrapped, nothing beside them.
    fn text(&self, _look: Look) -> String {
        let line = |head: &StreamHead| format!("{} {} {}\n", head.stream, head.sequence, head.hash);
        self.heads.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        json!({ "heads": heads(&self.heads) })
    }
}

/// An export that was written to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub file: PathBuf,
    /// How many events it holds.
    pub events: u64,
    /// How large it is.
    pub bytes: u64,
    /// Where its streams end.
    pub heads: Vec<StreamHead>,
}

impl Document for Exported {
    fn name(&self) -> &'static str {
        "export"
    }

    fn text(&self, look: Look) -> String {
        let mut shown = title(look, "exported", &self.file);
        let what = format!(
            "{} in {}, {}. No environment value is in it.",
            count(self.events, "event"),
            count(self.heads.len() as u64, "stream"),
            size(self.bytes),
        );
        shown.push_str(&look.hanging("", Accent::None, &what));
        let file = self.file.display().to_string();
        if self.file.extension().is_some_and(|ending| ending == "csv") {
            return shown;
        }
        shown.push('\n');
        let elsewhere = format!("surefoot journal import {file}");
        shown + &look.to_type("in another clone: ", Accent::None, &elsewhere)
    }

    fn json(&self) -> Value {
        let (file, heads) = (self.file.display().to_string(), heads(&self.heads));
        json!({ "file": file, "events": self.events, "bytes": self.bytes, "heads": heads })
    }
}

/// What an import brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// The export.
    pub from: PathBuf,
    /// Its streams.
    pub streams: Vec<Imported>,
}

impl Document for ImportReport {
    fn name(&self) -> &'static str {
        "import"
    }

    fn text(&self, look: Look) -> String {
        let mut shown = title(look, "imported", &self.from);
        let widest = self.streams.iter().map(|one| width_of(&one.stream.to_string())).max();
        for one in &self.streams {
            let name = pad(&one.stream.to_string(), widest.unwrap_or(0));
            let known = match one.known {
                0 => String::new(),
                known => format!(", {known} here already"),
            };
            shown.push_str(&format!("  {name}  {} new{known}\n", count(one.added, "event")));
        }
        let what = "Environment values are in no export: a rollback takes them from the service \
                    where they are the same, and names those that it cannot bring back.";
        shown.push('\n');
        shown.push_str(&look.hanging("", Accent::None, what));
        shown + "\nnext: surefoot history\n"
    }

    fn json(&self) -> Value {
        let stream = |one: &Imported| json!({ "stream": one.stream, "added": one.added, "known": one.known, "sequence": one.sequence });
        json!({ "streams": self.streams.iter().map(stream).collect::<Value>() })
    }
}

/// A journal that needs no repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Its directory.
    pub place: PathBuf,
}

impl Document for Sound {
    fn name(&self) -> &'static str {
        "repair"
    }

    fn text(&self, look: Look) -> String {
        title(look, "sound", &self.place)
            + "Every hash, every chain and every index agrees: there is nothing to repair.\n\
               \nnext: surefoot history\n"
    }

    fn json(&self) -> Value {
        json!({ "sound": true })
    }
}

fn saved(values: usize) -> String {
    let were = if values == 1 { "was" } else { "were" };
    format!("{} {were} saved from the damaged file", count(values as u64, "environment value"))
}

/// A journal that came back.
#[derive(Debug)]
pub struct RepairReport {
    /// Its directory.
    pub place: PathBuf,
    /// How it went.
    pub repair: Repair,
}

impl Document for RepairReport {
    fn name(&self) -> &'static str {
        "repair"
    }

    fn text(&self, look: Look) -> String {
        let word = if self.repair.is_partial() { "restored in part" } else { "restored" };
        let mut shown = title(look, word, &self.place);
        let Repair { damage, moved_to, streams, values, refused } = &self.repair;
        let moved = moved_to.as_ref().map(|path| harmless(&path.display().to_string()));
        shown.push_str(&look.pairs(
            2,
            &[
                ("it was", harmless(&damage.to_string())),
                ("kept in", moved.unwrap_or_default()),
                ("values", saved(*values)),
            ],
        ));
        shown.push('\n');
        let widest = streams.iter().map(|one| width_of(&one.stream.to_string())).max();
        for one in streams {
            let name = pad(&one.stream.to_string(), widest.unwrap_or(0));
            shown.push_str(&look.hanging(&format!("  {name}  "), Accent::None, &origin(one)));
        }
        for refused in refused {
            let refused = harmless(&refused.to_string());
            shown.push_str(&look.hanging("  damaged export: ", Accent::Warning, &refused));
        }
        if self.repair.is_partial() {
            let what = "The newest events are missing: a deployment may look unfinished that is not. Look at \
                        AWS (`surefoot status`) before you resume anything, or import a better export.";
            shown.push('\n');
            shown.push_str(&look.hanging("", Accent::Warning, what));
        }
        let what = "What was written after the last event here, if anything was, is lost: compare \
                    with the heads in your CI logs.";
        shown.push('\n');
        shown.push_str(&look.hanging("", Accent::None, what));
        shown + "\nnext: surefoot history\n"
    }

    fn json(&self) -> Value {
        let Repair { damage, moved_to, streams, values, refused } = &self.repair;
        let stream = |one: &RestoredStream| json!({ "stream": one.stream, "from_export": one.from_export, "saved": one.saved, "of": one.of, "lost": one.lost() });
        json!({
            "sound": false,
            "damage": damage.to_string(),
            "moved_to": moved_to.as_ref().map(|path| path.display().to_string()),
            "streams": streams.iter().map(stream).collect::<Value>(),
            "values": values,
            "refused": refused.iter().map(ToString::to_string).collect::<Value>(),
        })
    }
}

fn origin(one: &RestoredStream) -> String {
    let export = format!("{} from the export", count(one.from_export, "event"));
    let lost = match one.lost() {
        0 => String::new(),
        lost => format!("; {lost} lost"),
    };
    match one.saved {
        0 => export + &lost,
        saved => format!("{export}, {saved} more proven by the damaged file{lost}"),
    }
}

fn title(look: Look, word: &str, place: &Path) -> String {
    let place = harmless(&place.display().to_string());
    format!("{}   {place}\n\n", look.paint(Accent::Strong, word))
}

/// Streams and where they end, with as much of the hash as a person compares.
fn ends<'a>(heads: impl Iterator<Item = (&'a StreamHead, u64)> + Clone) -> String {
    let widest = heads.clone().map(|(head, _)| width_of(&head.stream.to_string())).max();
    let digits = heads.clone().map(|(_, sequence)| sequence.to_string().len()).max();
    let line = |(head, sequence): (&StreamHead, u64)| {
        let name = pad(&head.stream.to_string(), widest.unwrap_or(0));
        let sequence = pad_left(&sequence.to_string(), digits.unwrap_or(0));
        format!("  {name}  {sequence}  {}\n", &head.hash.to_string()[..16])
    };
    let lines: String = heads.map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn heads(heads: &[StreamHead]) -> Value {
    let head = |head: &StreamHead| json!({ "stream": head.stream, "sequence": head.sequence, "hash": head.hash });
    heads.iter().map(head).collect()
}

fn count(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn size(bytes: u64) -> String {
    crate::view::measure::size(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_counted_as_one_says_it() {
        assert_eq!(saved(0), "0 environment values were saved from the damaged file");
        assert_eq!(saved(1), "1 environment value was saved from the damaged file");
        assert_eq!(saved(2), "2 environment values were saved from the damaged file");
    }
}
