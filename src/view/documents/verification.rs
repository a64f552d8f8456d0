//! Whether the proof of the live release still holds.

use serde_json::{Value, json};

use super::findings::tree;
use super::heading;
use super::status::next_lines;
use crate::names::{DeploymentNumber, StreamName};
use crate::plan::findings::{Finding, Outcome};
use crate::view::{Document, Look, to_json};

/// Every check of the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The deployment whose release is live by the log.
    pub number: DeploymentNumber,
    /// What its image is called.
    pub image: String,
    /// The checks.
    pub findings: Vec<Finding>,
}

impl Verification {
    fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }

    fn holds(&self) -> bool {
        self.count(Outcome::Failed) + self.count(Outcome::CannotTell) == 0
    }

    fn words(&self) -> String {
        match (self.count(Outcome::Failed), self.count(Outcome::CannotTell)) {
            (0, 0) => "The proof holds.".into(),
            (0, silent) => format!("Nothing contradicts the proof; {silent} cannot be told."),
            (failed, _) => format!("The proof does not hold: {failed} not as proven."),
        }
    }
}

impl Document for Verification {
    fn name(&self) -> &'static str {
        "verification"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let service = &self.service.service;
        let mut shown = format!(
            "{}   {} {}\n\n{}\n{}\n",
            heading(look, service.as_str(), &self.service),
            self.number,
            self.image,
            tree(look, &self.findings),
            self.words()
        );
        if self.holds() {
            let next = format!("surefoot show {} --service-name {service}", self.number.0);
            shown.push_str(&next_lines(look, &[next]));
        }
        shown
    }

    fn json(&self) -> Value {
        json!({
            "service": self.service,
            "endpoint": self.endpoint,
            "number": self.number,
            "image": self.image,
            "holds": self.holds(),
            "checks": to_json(&self.findings),
        })
    }
}
