//! A failure as a person reads it: what, why, where that leaves you, what next.

use serde_json::Value;

use crate::problem::Problem;
use crate::view::look::{Accent, harmless, wrap};
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
    labelled(look, &format!("error[{}]: ", harmless(&problem.code)), Accent::Bad, problem)
}

/// The same of what went wrong beside what was asked for: nothing of that is an error.
pub(in crate::view) fn warning(look: Look, problem: &Problem) -> String {
    format!("\n{}", labelled(look, "warning: ", Accent::Warning, problem))
}

fn labelled(look: Look, label: &str, accent: Accent, problem: &Problem) -> String {
    // Wrapped as a whole: a long code would leave too little room beside it.
    let whole = format!("{label}{}", harmless(&problem.what));
    let mut lines = wrap(&whole, look.width).into_iter();
    let first = lines.next().unwrap_or_default();
    let said = first.strip_prefix(label).unwrap_or_default();
    let mut shown = format!("{}{said}\n", look.paint(accent, label));
    lines.for_each(|line| shown.push_str(&look.block(2, Accent::None, &line)));
    for cause in &problem.because {
        // On one line, whoever wrote it: a line of its own could look like one of ours.
        let lines: Vec<&str> = cause.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        shown.push_str(&look.hanging("  because: ", Accent::Dim, &lines.join(" ")));
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
        shown.push_str(&look.advice("hint: ", Accent::Good, hint));
    }
    shown
}
