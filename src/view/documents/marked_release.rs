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
    /// What is known of its image.
    pub image: Whereabouts,
    /// Whether it is good.
    pub good: bool,
    /// Why.
    pub reason: String,
}

/// What the journal knows of the image of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It is what is live, under whatever number.
    Live,
    /// A prune deleted it, or found it gone.
    Pruned,
    /// It was proven live once.
    Proven,
    /// It never was.
    Unproven,
}

impl MarkedRelease {
    fn next(&self) -> Vec<String> {
        let serves_badly = self.image == Whereabouts::Live && !self.good;
        let command = if serves_badly { "rollback" } else { "history" };
        vec![format!("surefoot {command} --service-name {}", self.service.service)]
    }

    /// What follows from it.
    fn meaning(&self) -> &'static str {
        match (self.good, self.image) {
            (true, Whereabouts::Pruned) => {
                "Its image is gone: it can be deployed again, and not be gone back to."
            }
            (true, Whereabouts::Unproven) => {
                "It can be deployed again, and its image is kept. It was never proven live, so nobody \
                 goes back to it."
            }
            (true, _) => "It can be gone back to and deployed again, and its image is kept.",
            (false, Whereabouts::Live) => {
                "By the journal it is what serves. It is not deployed again unasked."
            }
            (false, _) => "It is neither gone back to nor deployed again unasked.",
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
