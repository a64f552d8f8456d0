//! What preflight found: a word, the check, the reason, and what to do.

use serde_json::{Value, json};

use crate::plan::findings::{Finding, Outcome};
use crate::view::look::{Accent, pad, width_of, wrap};
use crate::view::{Document, Look, to_json};

/// What preflight found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Every check.
    pub findings: Vec<Finding>,
}

impl Document for Findings {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let failed = count(&self.findings, Outcome::Failed);
        let verdict = match (failed, count(&self.findings, Outcome::Warned)) {
            (0, 0) => "\nNothing stands in the way.\n".into(),
            (0, warned) => format!("\nNothing stands in the way; {warned} to look at.\n"),
            (failed, _) => format!("\n{failed} to fix before anything can be deployed.\n"),
        };
        tree(look, &self.findings) + &verdict
    }

    fn json(&self) -> Value {
        let ready = count(&self.findings, Outcome::Failed) == 0;
        json!({ "endpoint": self.endpoint, "ready": ready, "checks": to_json(&self.findings) })
    }
}

fn count(findings: &[Finding], outcome: Outcome) -> usize {
    findings.iter().filter(|finding| finding.outcome == outcome).count()
}

/// A check a line, its reason beside it, its fixes beneath.
pub(in crate::view) fn tree(look: Look, findings: &[Finding]) -> String {
    let widest = findings.iter().map(|f| width_of(&f.check)).max().unwrap_or(0).min(32);
    findings.iter().map(|finding| branch(look, widest, finding)).collect()
}

fn branch(look: Look, widest: usize, finding: &Finding) -> String {
    let (word, accent) = match finding.outcome {
        Outcome::Passed => ("ok  ", Accent::Good),
        Outcome::Warned => ("warn", Accent::Warning),
        Outcome::Failed => ("fail", Accent::Bad),
        Outcome::CannotTell => ("?   ", Accent::Warning),
        Outcome::Skipped => ("skip", Accent::Dim),
    };
    let check = pad(&crate::view::look::shorten(&finding.check, widest), widest);
    let indent = 2 + 4 + 2 + widest + 2;
    let room = look.width.saturating_sub(indent).max(20);
    let mut reasons = wrap(&finding.reason, room).into_iter();
    let first = reasons.next().unwrap_or_default();
    let mut shown = format!("  {}  {check}  {first}\n", look.paint(accent, word));
    let margin = " ".repeat(indent);
    reasons.for_each(|line| shown.push_str(&format!("{margin}{line}\n")));
    for fix in &finding.fix {
        shown.push_str(&look.advice(&format!("{margin}fix: "), Accent::None, fix));
    }
    shown
}
