//! A failure as a person reads it: what, why, where that leaves you, what next.

use serde_json::Value;

use crate::problem::Problem;
use crate::view::look::{Accent, harmless};
use crate::view::{Document, Look, to_json};

/// Lines of a log that help; more are in `show N`.
const MOST_DETAILS: usize = 20;

impl Document for Problem {
    fn name(&self) -> &'static str {
        "problem"
    }

    fn text(&self, look: Look) -> String {
        text(look, self)
    }

    fn json(&self) -> Value {
        to_json(self)
    }
}

/// `error[code]: what`, `because: why`, details, standing, hints.
pub(super) fn text(look: Look, problem: &Problem) -> String {
    let label = format!("error[{}]: ", harmless(&problem.code));
    let mut shown = look.hanging(&label, Accent::Bad, &problem.what);
    for cause in &problem.because {
        for (index, line) in cause.lines().take(MOST_DETAILS).enumerate() {
            let label = if index == 0 { "  because: " } else { "           " };
            shown.push_str(&look.hanging(label, Accent::Dim, line));
        }
    }
    let skipped = problem.details.len().saturating_sub(MOST_DETAILS);
    for line in problem.details.iter().skip(skipped) {
        shown.push_str(&look.block(4, Accent::Dim, line));
    }
    shown.push_str(&format!("\n{}", look.block(0, Accent::Strong, &problem.leaves)));
    if !problem.next.is_empty() {
        shown.push('\n');
    }
    for hint in &problem.next {
        shown.push_str(&look.hanging("hint: ", Accent::Good, hint));
    }
    shown
}
