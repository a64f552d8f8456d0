//! One deployment as a story.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::status::next_lines;
use super::{image_words, problem};
use crate::event::{HealthOutcome, HealthReport, RolledBackBy};
use crate::projection::{Moment, RECOVERED, Sent, Story, StoryStep, Tone, WayBack, health_words};
use crate::view::look::{Accent, pad, width_of};
use crate::view::plan_sheet::differences;
use crate::view::{Document, Look, measure, to_json};

/// One deployment as a story.
#[derive(Debug, Clone, PartialEq)]
pub struct StorySheet {
    /// The story.
    pub story: Story,
}

impl Document for StorySheet {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn endpoint(&self) -> Option<&str> {
        self.story.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let story = &self.story;
        let mut shown = self.title(look);
        shown.push_str(&look.pairs(2, &self.facts()));
        let course = self.course(look);
        if !course.is_empty() {
            shown.push_str(&format!("\n{course}"));
        }
        for sent in story.steps.iter().filter_map(|step| step.sent.as_ref()) {
            shown.push_str(&sent_lines(look, sent));
        }
        if !story.log.is_empty() {
            shown.push_str("\nthe application's last lines\n");
            story.log.iter().for_each(|l| shown.push_str(&look.block(2, Accent::Dim, l)));
        }
        match &story.problem {
            Some(told) => {
                shown.push_str(&format!("\n{}", problem::text(look, &self.without_log(told))));
            }
            None => shown.push_str(&next_lines(look, &story.next)),
        }
        shown
    }

    fn json(&self) -> Value {
        to_json(&self.story)
    }
}

impl StorySheet {
    fn title(&self, look: Look) -> String {
        let row = &self.story.row;
        let service = self.story.service.as_ref().map(|s| s.service.to_string());
        let image = image_words(row.tag.as_ref(), row.digest.as_ref());
        let title = format!("{} {}", service.unwrap_or_default(), row.number);
        format!(
            "{}   {image}   {}\n\n",
            look.paint(Accent::Strong, title.trim()),
            row.verdict.words()
        )
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (story, row, record) = (&self.story, &self.story.row, &self.story.record);
        let previous = record.previous_tag.is_some() || record.previous_digest.is_some();
        let previous = previous
            .then(|| image_words(record.previous_tag.as_ref(), record.previous_digest.as_ref()));
        let took = row.took.map(|took| format!(", took {}", measure::duration(took)));
        let commit = row.commit.as_ref().map(|commit| {
            let dirty = if row.dirty { ", with uncommitted changes" } else { "" };
            let branch = row.branch.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
            let subject = row.subject.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("{}{branch}{dirty}{subject}", commit.short())
        });
        let operation = story.evidence.as_ref().and_then(|proof| proof.operation.as_ref());
        let begun = measure::moment(row.started_at);
        // When it began is not known of what ran before the journal did.
        let recorded = row.number == RECOVERED;
        vec![
            (
                if recorded { "recorded" } else { "begun" },
                format!("{begun} by {}{}", row.by, took.unwrap_or_default()),
            ),
            ("commit", commit.unwrap_or_default()),
            ("CI run", row.ci_run.clone().unwrap_or_default()),
            ("digest", row.digest.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("before", previous.unwrap_or_default()),
            ("url", story.url.clone().unwrap_or_default()),
            ("operation", operation.map(ToString::to_string).unwrap_or_default()),
            ("health", story.health.as_ref().map(health_line).unwrap_or_default()),
            ("proof", story.proof.join(", ")),
            ("back", story.way_back.as_ref().map(back_line).unwrap_or_default()),
            ("note", row.note.clone().unwrap_or_default()),
        ]
    }

    /// Steps and moments, in the order of time.
    fn course(&self, look: Look) -> String {
        let story = &self.story;
        let widest = story.steps.iter().map(|s| width_of(s.step.words())).max().unwrap_or(0);
        let steps = story.steps.iter().map(|step| (step.sequence, step_line(look, widest, step)));
        let moments = story.moments.iter().map(|m| (m.sequence, moment_line(look, m)));
        let mut lines: Vec<(u64, String)> = moments.chain(steps).collect();
        lines.sort_by_key(|(sequence, _)| *sequence);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The log lines are shown once.
    fn without_log(&self, problem: &crate::problem::Problem) -> crate::problem::Problem {
        let mut problem = problem.clone();
        problem.details.retain(|line| !self.story.log.contains(line));
        // This is the whole story already.
        let this = format!("`surefoot show {}", self.story.row.number.0);
        problem.next.retain(|hint| !hint.contains(&this));
        problem
    }
}

fn health_line(health: &HealthReport) -> String {
    match health.outcome {
        HealthOutcome::Unproven => "not asked".into(),
        _ => format!("{} at {}", health_words(health), health.url),
    }
}

/// Who brought the old release back, by which operation, and what it answers.
fn back_line(back: &WayBack) -> String {
    let by = match back.by {
        RolledBackBy::AppRunner => "by App Runner itself",
        RolledBackBy::Surefoot => "by surefoot",
    };
    let operation = back.proof.operation.as_ref().map(|id| format!(", operation {id}"));
    let health = back.health.as_ref().map(|health| format!(", {}", health_words(health)));
    format!("{by}{}{}", operation.unwrap_or_default(), health.unwrap_or_default())
}

fn step_line(look: Look, widest: usize, step: &StoryStep) -> String {
    let took = step.took.map(measure::duration).unwrap_or_default();
    let label = format!(" {}  {took:>8}  ", pad(step.step.words(), widest));
    let narrow = Look { width: look.width.saturating_sub(12), ..look };
    let text = format!("{}{}", word(step.outcome), step.text);
    under(ended(step), &narrow.hanging(&label, accent(step.outcome), &text))
}

fn moment_line(look: Look, moment: &Moment) -> String {
    let narrow = Look { width: look.width.saturating_sub(12), ..look };
    under(moment.at, &narrow.hanging(" - ", accent(moment.tone), &moment.text))
}

fn ended(step: &StoryStep) -> DateTime<Utc> {
    let took = step.took.and_then(|took| chrono::TimeDelta::from_std(took).ok());
    step.started_at + took.unwrap_or_default()
}

/// The time, and beside it the text, also where it has several lines.
fn under(at: DateTime<Utc>, text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    format!("  {} {}\n", measure::clock(at), lines.join(&format!("\n{}", " ".repeat(12))))
}

fn accent(tone: Tone) -> Accent {
    match tone {
        Tone::Good | Tone::Note => Accent::None,
        Tone::Bad => Accent::Bad,
    }
}

fn word(tone: Tone) -> &'static str {
    if tone == Tone::Bad { "failed: " } else { "" }
}

fn sent_lines(look: Look, sent: &Sent) -> String {
    let hash = sent.payload.as_ref().map(|hash| format!("  sha256 {hash}")).unwrap_or_default();
    let names: Vec<String> =
        sent.environment.iter().map(|(name, hash)| format!("{name} ({})", hash.short())).collect();
    let secrets: Vec<String> = sent.secrets.keys().map(ToString::to_string).collect();
    let pairs = [
        ("image", sent.image.short()),
        ("environment", names.join(", ")),
        ("secrets", secrets.join(", ")),
    ];
    let mut shown = format!("\nsent{hash}\n{}", look.pairs(2, &pairs));
    if !sent.differences.is_empty() {
        shown.push_str(&format!("changed\n{}", differences(look, &sent.differences)));
    }
    shown
}
