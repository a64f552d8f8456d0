//! `FORMAT`: a text beside the database that says, before the database is opened, who can read it.
//! Pure.
//!
//! The database's own format is tied to a version of redb; this text is not.

use std::fmt;

/// The format of the journals that this version makes, and the newest that it reads.
pub(crate) const JOURNAL_FORMAT: u32 = 1;

const FIRST_LINE: &str = "surefoot journal";

/// The identity of a journal: it tells a journal from another one in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalId(
    /// Random; it comes from the caller.
    pub u128,
);

impl JournalId {
    /// Reads the 32 hexadecimal digits of an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if all { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What `FORMAT` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) format: u32,
    pub(crate) minimum_reader: u32,
    pub(crate) id: JournalId,
}

impl Marker {
    /// What this version writes for a new journal.
    pub(crate) fn new(id: JournalId) -> Self {
        Self { format: JOURNAL_FORMAT, minimum_reader: JOURNAL_FORMAT, id }
    }

    /// Reads the text; lines that are not known belong to newer versions.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return None;
        }
        let find = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
        };
        Some(Self {
            format: find("format")?.parse().ok()?,
            minimum_reader: find("minimum-reader")?.parse().ok()?,
            id: JournalId::parse(find("id")?)?,
        })
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "format {}", self.format)?;
        writeln!(f, "minimum-reader {}", self.minimum_reader)?;
        writeln!(f, "id {}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_as_it_was_written() {
        let marker = Marker::new(JournalId(0xab));
        let text = marker.to_string();
        let id = "000000000000000000000000000000ab";
        assert_eq!(text, format!("surefoot journal\nformat 1\nminimum-reader 1\nid {id}\n"));
        assert_eq!(Marker::parse(&text), Some(marker));
        assert_eq!(Marker::parse(&format!("{text}colour blue\n")), Some(marker));
    }

    #[test]
    fn anything_else_is_no_marker() {
        for text in ["", "surefoot journal", "1", "format 1\nminimum-reader 1\nid 0\n"] {
            assert_eq!(Marker::parse(text), None, "{text:?}");
        }
        let whole = Marker::new(JournalId(7)).to_string();
        for length in 0..whole.len() - 1 {
            assert_eq!(Marker::parse(&whole[..length]), None, "{length}");
        }
    }
}
