//! What can be gone back to, with ages, and whether ECR still holds it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::status::next_lines;
use super::{heading, image_words};
use crate::names::{DeploymentNumber, StreamName};
use crate::projection::Row;
use crate::view::look::{Accent, shorten};
use crate::view::{Document, Look, measure, to_json};

/// So much of a person's reason is shown of each: `show` and JSON have it whole.
const REASON: usize = 120;

/// What can be gone back to.
#[derive(Debug, Clone, PartialEq)]
pub struct RollbackTargets {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Newest first.
    pub targets: Vec<RollbackTarget>,
    /// Where `rollback` goes without argument, if ECR still holds it.
    pub usual: Option<DeploymentNumber>,
    /// What to type next.
    pub next: Vec<String>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// One release that can be gone back to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollbackTarget {
    /// The deployment that brought it.
    #[serde(flatten)]
    pub row: Row,
    /// Whether ECR still holds its image; none where it did not say.
    pub in_registry: Option<bool>,
}

impl Document for RollbackTargets {
    fn name(&self) -> &'static str {
        "rollback_targets"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let service = &self.service.service;
        let mut shown = heading(look, service.as_str(), &self.service) + "\n\n";
        if self.targets.is_empty() {
            shown.push_str("There is no other good release to go back to.\n");
            return shown + &next_lines(look, &self.next);
        }
        let age = |target: &RollbackTarget| measure::age(target.row.started_at, self.now);
        let widest = self.targets.iter().map(|target| age(target).len()).max().unwrap_or(0);
        for target in &self.targets {
            let image = image_words(target.row.tag.as_ref(), target.row.digest.as_ref());
            let held = match target.in_registry {
                Some(true) => "in ECR",
                Some(false) => "gone from ECR",
                None => "ECR did not say",
            };
            let said = target.row.judgement.as_ref().map(|said| {
                let word = if said.good { "good" } else { "bad" };
                format!("  {word}: {}", shorten(&said.reason, REASON))
            });
            let said = said.unwrap_or_default();
            let number = target.row.number;
            let label = format!("{:<widest$}  {number:>4}  ", age(target));
            shown.push_str(&look.hanging(&label, Accent::None, &format!("{image}  {held}{said}")));
        }
        shown + &next_lines(look, &self.next)
    }

    fn json(&self) -> Value {
        json!({
            "service": self.service,
            "endpoint": self.endpoint,
            "targets": to_json(&self.targets),
            "usual": self.usual,
        })
    }
}
