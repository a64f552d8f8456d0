//! Where a service stands: the log's view, and AWS's beside it where it was asked.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{image_words, short_image};
use crate::names::OperationId;
use crate::projection::{Row, Status};
use crate::release::Difference;
use crate::view::look::Accent;
use crate::view::plan_sheet::differences;
use crate::view::{Document, Look, measure, to_json};
use crate::world::service::{Operation, ServiceStatus};

/// Where a service stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusSheet {
    /// By the log.
    pub log: Status,
    /// By AWS, where it was asked.
    pub aws: Option<Seen>,
    /// Why AWS could not be asked, where it should have been.
    pub aws_silent: Option<String>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// What AWS says of a service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Its status; none where there is no such service.
    pub status: Option<ServiceStatus>,
    /// Its address.
    pub url: Option<String>,
    /// The image it is configured with.
    pub image: Option<String>,
    /// The mark it carries.
    pub mark: Option<String>,
    /// The newest operation.
    pub operation: Option<Operation>,
    /// Whether that operation is known to the log.
    pub operation_is_ours: Option<OperationId>,
    /// What differs from the release that the log calls live.
    pub drift: Vec<Difference>,
}

impl Document for StatusSheet {
    fn name(&self) -> &'static str {
        "status"
    }

    fn endpoint(&self) -> Option<&str> {
        self.log.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let Some(service) = &self.log.service else {
            return "Nothing was deployed yet.\n\nnext: surefoot deploy\n".into();
        };
        let title = look.paint(Accent::Strong, service.service.as_str());
        let mut shown = format!("{title}   {}, account {}\n\n", service.region, service.account);
        shown.push_str(&look.pairs(2, &self.log_pairs()));
        shown.push_str(&self.unfinished(look));
        shown.push_str(&self.aws_lines(look));
        shown.push_str(&next_lines(look, &self.log.next));
        shown
    }

    fn json(&self) -> Value {
        json!({
            "log": to_json(&self.log),
            "aws": to_json(&self.aws),
            "aws_silent": self.aws_silent,
        })
    }
}

impl StatusSheet {
    fn log_pairs(&self) -> Vec<(&'static str, String)> {
        let row = |row: &Option<Row>| row.as_ref().map(|row| self.words(row));
        let mut pairs = vec![
            (
                "live",
                row(&self.log.live).unwrap_or_else(|| "nothing that surefoot knows of".into()),
            ),
            ("before", row(&self.log.previous_good).unwrap_or_default()),
        ];
        let newest_is_live = self.log.last.as_ref().map(|row| row.number)
            == self.log.live.as_ref().map(|row| row.number);
        if !newest_is_live && self.log.unfinished.is_none() {
            pairs.push(("last", row(&self.log.last).unwrap_or_default()));
        }
        pairs.push(("doubt", self.log.doubt.clone().unwrap_or_default()));
        pairs.push(("url", self.log.url.clone().unwrap_or_default()));
        pairs
    }

    fn words(&self, row: &Row) -> String {
        let image = image_words(row.tag.as_ref(), row.digest.as_ref());
        let age = measure::age(row.started_at, self.now);
        let note = row.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}  {image}  {}, {age} by {}{note}", row.number, row.verdict.words(), row.by)
    }

    fn unfinished(&self, look: Look) -> String {
        let Some(unfinished) = &self.log.unfinished else { return String::new() };
        let row = &unfinished.row;
        let image = image_words(row.tag.as_ref(), row.digest.as_ref());
        let age = measure::age(row.started_at, self.now);
        let title = format!("{} {image} is unfinished, begun {age} by {}", row.number, row.by);
        format!(
            "\n{}{}",
            look.block(0, Accent::Warning, &title),
            look.block(2, Accent::None, &unfinished.standing)
        )
    }

    fn aws_lines(&self, look: Look) -> String {
        if let Some(why) = &self.aws_silent {
            return format!("\n{}", look.hanging("AWS could not be asked: ", Accent::Warning, why));
        }
        let Some(aws) = &self.aws else { return String::new() };
        let status =
            aws.status.as_ref().map_or_else(|| "no such service".into(), ToString::to_string);
        let operation = aws
            .operation
            .as_ref()
            .map(|operation| format!("{} {} {}", operation.kind, operation.id, operation.status));
        let pairs = [
            ("status", status),
            ("image", aws.image.as_deref().map(short_image).unwrap_or_default()),
            ("newest operation", operation.unwrap_or_default()),
        ];
        let mut shown = format!("\nby AWS\n{}", look.pairs(2, &pairs));
        if !aws.drift.is_empty() {
            let title = "somebody changed the service outside surefoot:";
            shown.push_str(&look.block(0, Accent::Warning, title));
            shown.push_str(&differences(look, &aws.drift));
        }
        shown
    }
}

/// What to type next, a command a line.
pub(in crate::view) fn next_lines(look: Look, commands: &[String]) -> String {
    let mut shown = String::new();
    for (index, command) in commands.iter().enumerate() {
        let label = if index == 0 { "\nnext: " } else { "      " };
        // Never wrapped: a command is there to be copied.
        shown.push_str(&format!(
            "{}{}\n",
            look.paint(Accent::Dim, label),
            crate::view::look::harmless(command)
        ));
    }
    shown
}
