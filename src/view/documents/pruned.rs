//! What a prune did delete.

use serde_json::{Value, json};

use super::prune::{MOST_ROWS, with_parts};
use crate::names::StreamName;
use crate::projection::{Deletions, Stopped};
use crate::view::look::Accent;
use crate::view::{Document, Look, measure, to_json};

/// What came of a prune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneOutcomeSheet {
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// What became of each image.
    pub deletions: Deletions,
    /// What the deleted images took, in bytes.
    pub bytes: u64,
    /// How many of them are parts of indexes.
    pub parts: usize,
    /// How many more there are than one run deletes.
    pub left: usize,
    /// What to type for these.
    pub again: String,
    /// The service that was asked about.
    pub service: StreamName,
}

impl PruneOutcomeSheet {
    /// How many were deleted, counted as they were announced.
    pub fn deleted_words(&self) -> String {
        with_parts(self.deletions.deleted.len() - self.parts, self.parts)
    }

    fn headline(&self) -> String {
        match self.deletions.deleted.len() {
            0 => "Nothing was deleted.".into(),
            _ => format!("Deleted: {}, up to {}", self.deleted_words(), measure::size(self.bytes)),
        }
    }

    /// What to type for what one run does not delete, and to see what can still be gone back to.
    fn next(&self, look: Look) -> String {
        let service = &self.service.service;
        let list = format!("surefoot rollback --list --service-name {service}");
        let more = Some(&self.again).filter(|_| self.left > 0);
        let next = more.into_iter().chain([&list]);
        next.map(|line| look.to_type("next: ", Accent::None, line)).collect()
    }
}

impl Document for PruneOutcomeSheet {
    fn name(&self) -> &'static str {
        "pruned"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let deletions = &self.deletions;
        let mut shown = format!("\n{}\n", self.headline());
        let left = if deletions.stopped.is_none() { self.left } else { 0 };
        let others = [
            ("Gone before", deletions.not_there.len()),
            ("Spared, needed by now", deletions.spared.len()),
            ("Left for the next run", left),
        ];
        for (words, number) in others.iter().filter(|(_, number)| *number > 0) {
            shown.push_str(&format!("{words}: {number}\n"));
        }
        if !deletions.failed.is_empty() {
            shown.push_str(&format!("Not deleted: {}\n", deletions.failed.len()));
        }
        for failed in deletions.failed.iter().take(MOST_ROWS) {
            let label = format!("  {}  ", failed.digest.short());
            let why = format!("{}: {}", failed.code, failed.reason);
            shown.push_str(&look.hanging(&label, Accent::Bad, &why));
        }
        if deletions.stopped.is_none() && deletions.failed.is_empty() {
            shown.push('\n');
            shown.push_str(&self.next(look));
        }
        shown
    }

    fn json(&self) -> Value {
        let deletions = &self.deletions;
        json!({
            "endpoint": self.endpoint,
            "deleted": deletions.deleted,
            "bytes": self.bytes,
            "not_there": deletions.not_there,
            "failed": to_json(&deletions.failed),
            "spared": deletions.spared,
            "left": self.left,
            "complete": deletions.stopped.is_none(),
            "known": !matches!(deletions.stopped, Some(Stopped::Unknown(_))),
        })
    }
}
