//! What a deployment is going to do, on one sheet. `--dry-run` prints it whole and stops.

use serde::Serialize;
use serde_json::Value;

use super::documents::image_words;
use super::look::{Accent, pad, width_of};
use super::redact::redact;
use super::{Document, Look, to_json};
use crate::names::{DeploymentNumber, Digest, PayloadHash, StreamName, Tag};
use crate::plan::Step;
use crate::release::Difference;

/// What a deployment is going to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanSheet {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The number the deployment will have.
    pub number: DeploymentNumber,
    /// What runs now; none where there is no service or no release yet.
    pub from: Option<Side>,
    /// What is to run.
    pub to: Side,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What will change in the service.
    pub differences: Vec<Difference>,
    /// The requests that change the service, redacted.
    pub payloads: Vec<Payload>,
    /// Where the settings came from.
    pub origins: Vec<Origin>,
    /// What is doubtful.
    pub warnings: Vec<String>,
}

/// A release in two words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Side {
    /// The tag.
    pub tag: Option<Tag>,
    /// The digest; none while the image is not built.
    pub digest: Option<Digest>,
}

/// A step with a word on what it will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// Such as `already there` or `1 change: image`.
    pub words: String,
}

/// A request that changes the service. It holds the redacted body only: the values never get here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Payload {
    /// The call, such as `UpdateService`.
    pub call: String,
    /// The hash of the request as it is sent, values included.
    pub sha256: PayloadHash,
    /// Whether the digest in it stands for an image that is not built yet, so that body and hash
    /// will change.
    pub placeholder: bool,
    /// The body, redacted.
    pub body: Value,
}

impl Payload {
    /// This request, hashed as it is and redacted at once.
    pub fn new(call: impl Into<String>, body: &Value, placeholder: bool) -> Self {
        let sha256 = PayloadHash::of(body);
        Self { call: call.into(), sha256, placeholder, body: redact(body) }
    }
}

/// A setting with where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The setting.
    pub key: String,
    /// Its value, as it may be shown.
    pub value: String,
    /// Such as `--region`, `AWS_REGION`, `surefoot.toml` or `detected`.
    pub from: String,
}

impl PlanSheet {
    /// Service, steps, differences, warnings.
    fn brief(&self, look: Look) -> String {
        let mut shown = self.headline(look);
        shown.push('\n');
        shown.push_str(&self.step_lines(look));
        if !self.differences.is_empty() {
            shown.push_str(&format!("\n{}\n", look.paint(Accent::Strong, "changes")));
            shown.push_str(&differences(look, &self.differences));
        }
        if !self.warnings.is_empty() {
            shown.push('\n');
        }
        for warning in &self.warnings {
            shown.push_str(&look.hanging("warning: ", Accent::Warning, warning));
        }
        shown
    }

    fn headline(&self, look: Look) -> String {
        let StreamName { account, region, service } = &self.service;
        let side = |side: &Side| image_words(side.tag.as_ref(), side.digest.as_ref());
        let change = match &self.from {
            Some(from) => format!("{} -> {}", side(from), side(&self.to)),
            None => format!("{}, a new service", side(&self.to)),
        };
        let first = format!("{service}  {}   {change}", self.number);
        let place = format!("App Runner, {region}, account {account}");
        let room = look.width.saturating_sub(width_of(&first) + 3);
        let first = look.paint(Accent::Strong, &first);
        if width_of(&place) <= room {
            format!("{first}   {place}\n")
        } else {
            format!("{first}\n{place}\n")
        }
    }

    fn step_lines(&self, look: Look) -> String {
        let widest = self.steps.iter().map(|s| width_of(s.step.words())).max().unwrap_or(0);
        let line = |(index, planned): (usize, &PlannedStep)| {
            let label = format!("  {:>2} {}  ", index + 1, pad(planned.step.words(), widest));
            look.hanging(&label, Accent::None, &planned.words)
        };
        self.steps.iter().enumerate().map(line).collect()
    }

    fn payload_lines(&self, look: Look) -> String {
        let mut shown = String::new();
        for payload in &self.payloads {
            let title = look.paint(Accent::Strong, &payload.call);
            shown.push_str(&format!("\n{title}  sha256 {}\n", payload.sha256));
            if payload.placeholder {
                let text = "the image is not built yet: its digest is a placeholder, and the hash \
                            will be another";
                shown.push_str(&look.block(2, Accent::Warning, text));
            }
            let body = serde_json::to_string_pretty(&payload.body).unwrap_or_default();
            // Never wrapped: who copies it wants JSON. Its strings escape what could do harm, but
            // for the marks that reorder text.
            let body = body.lines().map(|line| format!("  {}\n", super::look::harmless(line)));
            shown.extend(body);
        }
        shown
    }

    fn origin_lines(&self, look: Look) -> String {
        let key = |origin: &Origin| super::look::harmless(&origin.key);
        let widest = self.origins.iter().map(|o| width_of(&key(o))).max().unwrap_or(0);
        let line = |origin: &Origin| {
            let label = format!("  {}  ", pad(&key(origin), widest));
            look.hanging(&label, Accent::Dim, &format!("{}   ({})", origin.value, origin.from))
        };
        self.origins.iter().map(line).collect()
    }
}

impl Document for PlanSheet {
    fn name(&self) -> &'static str {
        "plan"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let mut shown = self.brief(look);
        if !self.origins.is_empty() {
            shown.push_str(&format!("\n{}\n", look.paint(Accent::Strong, "settings")));
            shown.push_str(&self.origin_lines(look));
        }
        shown.push_str(&self.payload_lines(look));
        shown.push_str("\nNothing was changed.\n");
        shown
    }

    fn json(&self) -> Value {
        to_json(self)
    }
}

/// Differences, a line each: `port  8080 -> 3000`.
pub(super) fn differences(look: Look, differences: &[Difference]) -> String {
    let widest = differences.iter().map(|d| width_of(&d.field)).max().unwrap_or(0).min(32);
    let line = |difference: &Difference| {
        let value = |value: &Option<String>| match value {
            Some(value) => super::documents::short_image(value),
            None => "(none)".into(),
        };
        let field = super::look::shorten(&difference.field, widest);
        let label = format!("  {}  ", pad(&field, widest));
        let change = format!("{} -> {}", value(&difference.before), value(&difference.after));
        look.hanging(&label, Accent::None, &change)
    };
    differences.iter().map(line).collect()
}
