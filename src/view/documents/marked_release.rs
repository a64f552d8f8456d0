//! What was just said of a release.

use serde_json::{Value, json};

use super::image_words;
use super::status::next_lines;
use crate::names::StreamName;
use crate::projection::Row;
use crate::view::look::{Accent, harmless};
use crate::view::{Document, Look};

/// What was just said of a release.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkedRelease {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Its deployment, as it was before.
    pub row: Row,
    /// Whether its image is what is live, under whatever number.
    pub serves: bool,
    /// Whether a prune deleted its image.
    pub pruned: bool,
    /// Whether it is good.
    pub good: bool,
    /// Why.
    pub reason: String,
}

impl MarkedRelease {
    fn next(&self) -> Vec<String> {
        let command = if self.serves && !self.good { "rollback" } else { "history" };
        vec![format!("surefoot {command} --service-name {}", self.service.service)]
    }

    /// What follows from it.
    fn meaning(&self) -> &'static str {
        match (self.good, self.serves) {
            (true, _) if self.pruned => {
                "A prune deleted its image: it can be deployed again, and not be gone back to."
            }
            (true, _) => "It can be gone back to and deployed again, and its image is kept.",
            (false, true) => "It still serves. It is not deployed again unasked.",
            (false, false) => "It is neither gone back to nor deployed again unasked.",
        }
    }
}

impl Document for MarkedRelease {
    fn name(&self) -> &'static str {
        "mark"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let image = image_words(self.row.tag.as_ref(), self.row.digest.as_ref());
        let word = if self.good { "good" } else { "bad" };
        let number = self.row.number;
        let line = format!("{number}, {image}, is {word}: {}", harmless(&self.reason));
        let mut shown = look.block(0, Accent::None, &line);
        shown.push_str(&look.block(0, Accent::None, self.meaning()));
        shown.push_str(&next_lines(look, &self.next()));
        shown
    }

    fn json(&self) -> Value {
        json!({
            "service": self.service,
            "deployment": self.row.number,
            "digest": self.row.digest,
            "good": self.good,
            "reason": self.reason,
            "next": self.next(),
        })
    }
}
