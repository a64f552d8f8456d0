//! The end of a deployment.

use serde_json::Value;

use super::status::next_lines;
use crate::projection::Summary;
use crate::view::look::Accent;
use crate::view::{Document, Look, measure, to_json};

impl Document for Summary {
    fn name(&self) -> &'static str {
        "summary"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let accent = if self.succeeded { Accent::Good } else { Accent::Strong };
        let mut shown = look.block(0, accent, &self.headline);
        let digest = self.digest.as_ref().map(|digest| look.digest(digest, 14)).unwrap_or_default();
        let elapsed = self.elapsed.map(|elapsed| format!(", {}", measure::duration(elapsed)));
        let mut pairs = vec![
            ("url", self.url.clone().unwrap_or_default()),
            ("tag", self.tag.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("digest", digest),
            ("before", self.previous.clone().unwrap_or_default()),
            ("health", self.health.clone().unwrap_or_default()),
            ("proof", self.proof.join(", ")),
            (
                "deployment",
                format!("{} {}{}", self.number, self.verdict, elapsed.unwrap_or_default()),
            ),
        ];
        pairs.extend(self.notes.iter().map(|note| ("note", note.clone())));
        shown.push_str(&look.pairs(2, &pairs));
        // After a failure the problem beneath says what to type.
        if self.exit_code == 0 {
            shown.push_str(&next_lines(look, &self.next));
        }
        shown
    }

    fn json(&self) -> Value {
        to_json(self)
    }
}
