//! Where a service stands: the log's view, and AWS's beside it where it was asked.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::nothing::nothing_deployed;
use super::{heading, image_words, short_image};
use crate::names::{DeploymentNumber, OperationId, ServiceName};
use crate::projection::{Compared, RECOVERED, Row, Status, Unfinished};
use crate::release::Difference;
use crate::view::look::{Accent, pad, shorten, width_of};
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
    /// The services that the journal has, where one was named that it has not.
    pub known: Vec<ServiceName>,
    /// Who is at work on the unfinished deployment now, in words, as far as this machine knows.
    pub at_work: Option<String>,
    /// What another clone on this machine left unfinished.
    pub elsewhere: Option<Elsewhere>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// A deployment that another clone on this machine began, and that has no end yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Elsewhere {
    /// Its number in the journal there.
    pub number: DeploymentNumber,
    /// Where that journal is.
    pub journal: PathBuf,
    /// What to type to go on with it.
    pub next: String,
}

impl Elsewhere {
    fn words(&self) -> String {
        let (number, journal) = (self.number, self.journal.display());
        format!("another clone on this machine left {number} unfinished; its journal is {journal}")
    }
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
    /// The operation that an unfinished deployment waits for, as it stands now.
    #[serde(skip)]
    pub awaited: Option<Operation>,
    /// Whether a deployment of this log planted the mark.
    #[serde(skip)]
    pub mark_is_ours: bool,
    /// The log's view and AWS's, side by side.
    pub compared: Vec<Compared>,
    /// What differs from the release that the log calls live.
    pub drift: Vec<Difference>,
}

/// What changed of a service that is watched, where nothing is ever taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusChange {
    /// The whole of it now.
    pub sheet: StatusSheet,
    /// What is not as it was before, a line each; all of it at first.
    pub changes: Vec<(&'static str, String)>,
}

impl Document for StatusChange {
    fn name(&self) -> &'static str {
        "status"
    }

    fn endpoint(&self) -> Option<&str> {
        self.sheet.endpoint()
    }

    fn text(&self, look: Look) -> String {
        let at = measure::clock(self.sheet.now);
        let line = |(label, text): &(&str, String)| {
            let text = if text.is_empty() { "(nothing)" } else { text };
            look.hanging(&format!("{at}  {}  ", pad(label, 10)), Accent::None, text)
        };
        self.changes.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        self.sheet.json()
    }
}

impl Document for StatusSheet {
    fn name(&self) -> &'static str {
        "status"
    }

    fn endpoint(&self) -> Option<&str> {
        self.log.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let Some(service) = &self.log.service else { return self.unknown(look) };
        let mut shown = heading(look, service.service.as_str(), service) + "\n\n";
        shown.push_str(&look.pairs(2, &self.log_pairs()));
        shown.push_str(&self.unfinished(look));
        shown.push_str(&self.left_elsewhere(look));
        shown.push_str(&self.aws_lines(look));
        shown.push_str(&next_lines(look, &self.next()));
        shown
    }

    fn json(&self) -> Value {
        json!({
            "log": to_json(&self.log),
            "aws": to_json(&self.aws),
            "aws_silent": self.aws_silent,
            "known_services": self.known,
            "at_work": self.at_work,
            "elsewhere": to_json(&self.elsewhere),
        })
    }
}

impl StatusSheet {
    /// Whether the log's view and AWS's contradict each other.
    pub fn has_drifted(&self) -> bool {
        self.aws.as_ref().is_some_and(|aws| !aws.drift.is_empty())
    }

    /// Whether another journal has the history of the service, and this one nothing.
    pub fn is_from_elsewhere(&self) -> bool {
        self.log.service.is_none() && self.aws.as_ref().is_some_and(|aws| aws.mark.is_some())
    }

    /// Whether it carries a mark of surefoot, and not the one that the log expects.
    fn has_another_mark(&self) -> bool {
        let compared = self.aws.iter().flat_map(|aws| &aws.compared);
        let marks = compared.filter(|one| one.field == "mark");
        marks.into_iter().any(|mark| mark.agrees == Some(false) && mark.aws.is_some())
    }

    /// Where the sides differ, the first thing to type is what looks closer.
    fn next(&self) -> Vec<String> {
        if let (Some(_), Some(stream)) = (&self.at_work, &self.log.service) {
            return vec![format!("surefoot status --watch --service-name {}", stream.service)];
        }
        // Whatever else changes the service is refused until then.
        if let (Some(left), Some(stream)) = (&self.elsewhere, &self.log.service) {
            let history = format!("surefoot history --service-name {}", stream.service);
            return vec![left.next.clone(), history];
        }
        let closer = self
            .log
            .service
            .as_ref()
            .filter(|_| self.has_drifted())
            .map(|stream| format!("surefoot verify --service-name {}", stream.service));
        closer.into_iter().chain(self.log.next.iter().cloned()).collect()
    }

    /// The journal knows nothing of the service, and AWS may.
    fn unknown(&self, look: Look) -> String {
        let mut shown = nothing_deployed(look, &self.known) + &self.aws_lines(look);
        if let Some(who) = &self.at_work {
            let text = format!("Another deployment of it is under way: {who}");
            shown.push_str(&format!("\n{}", look.block(0, Accent::Strong, &text)));
            return shown + &next_lines(look, &["surefoot status --watch".to_owned()]);
        }
        let mut next = vec!["surefoot deploy".to_owned()];
        if self.is_from_elsewhere() {
            let text = "It carries the mark of surefoot: another journal has its history. A deployment from \
                        here begins a new one with what AWS tells.";
            shown.push_str(&format!("\n{}", look.block(0, Accent::None, text)));
            next.insert(0, "surefoot journal import FILE".to_owned());
        }
        if let Some(elsewhere) = &self.elsewhere {
            shown.push_str(&self.left_elsewhere(look));
            next = vec![elsewhere.next.clone()];
        }
        shown + &next_lines(look, &next)
    }

    fn left_elsewhere(&self, look: Look) -> String {
        let words = self.elsewhere.as_ref().map(Elsewhere::words);
        words.map_or(String::new(), |words| format!("\n{}", look.block(0, Accent::Warning, &words)))
    }

    /// What is watched for a change: everything but ages.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let row = |row: &Option<Row>| {
            row.as_ref().map_or(String::new(), |row| {
                let image = image_words(row.tag.as_ref(), row.digest.as_ref());
                format!("{} {image} {}", row.number, row.verdict.words())
            })
        };
        let mut facts = vec![
            ("live", row(&self.log.live)),
            ("last", row(&self.log.last)),
            (
                "unfinished",
                self.log.unfinished.as_ref().map_or(String::new(), |u| u.standing.clone()),
            ),
            ("doubt", self.log.doubt.clone().unwrap_or_default()),
            ("elsewhere", self.elsewhere.as_ref().map(Elsewhere::words).unwrap_or_default()),
            ("AWS", self.aws_silent.clone().unwrap_or_default()),
        ];
        let aws = self.aws.as_ref();
        let word = |field: &str| {
            let found = aws.and_then(|aws| aws.compared.iter().find(|one| one.field == field));
            found.and_then(|one| one.aws.as_deref()).map(short_image).unwrap_or_default()
        };
        facts.push(("service", word("status")));
        facts.push(("image", word("image")));
        facts.push(("operation", word("operation")));
        let drift: Vec<&str> = aws
            .iter()
            .flat_map(|aws| &aws.drift)
            .map(|difference| difference.field.as_str())
            .collect();
        facts.push(("drift", drift.join(", ")));
        facts
    }

    /// The facts that are not as they were; at first those that say something.
    pub fn changes_since(&self, before: Option<&Self>) -> Vec<(&'static str, String)> {
        let old = before.map(Self::facts).unwrap_or_default();
        let mut changes = self.facts();
        changes.retain(|fact| !old.contains(fact) && (before.is_some() || !fact.1.is_empty()));
        changes
    }

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
        // Nobody deployed it then: it was found.
        let found = if row.number == RECOVERED { "found " } else { "" };
        let (number, verdict) = (row.number, row.verdict.words());
        format!("{number}  {image}  {verdict}, {found}{age} by {}{note}", row.by)
    }

    fn unfinished(&self, look: Look) -> String {
        let Some(unfinished) = &self.log.unfinished else { return String::new() };
        let row = &unfinished.row;
        let image = image_words(row.tag.as_ref(), row.digest.as_ref());
        let age = measure::age(row.started_at, self.now);
        let standing = format!("{}{}", unfinished.standing, self.by_now(unfinished));
        let stands = look.block(2, Accent::None, &standing);
        if let Some(who) = &self.at_work {
            let title = format!("{} {image} is under way, begun {age}: {who}", row.number);
            return format!("\n{}{stands}", look.block(0, Accent::Strong, &title));
        }
        let back = row.rollback_to.map(|to| format!(", a rollback to {to},")).unwrap_or_default();
        let title =
            format!("{} {image}{back} is unfinished, begun {age} by {}", row.number, row.by);
        format!("\n{}{stands}", look.block(0, Accent::Warning, &title))
    }

    /// What AWS says of the operation that goes on, as far as the log knows.
    fn by_now(&self, unfinished: &Unfinished) -> String {
        let Some(aws) = self.aws.as_ref().filter(|_| unfinished.goes_on) else {
            return String::new();
        };
        let ended = aws.awaited.as_ref().filter(|it| it.status.is_terminal());
        let ended = ended.map(|it| format!(" By now it has ended: {}.", it.status));
        let gone = aws.status.is_none().then_some(" By now there is no such service.");
        ended.unwrap_or_default() + gone.unwrap_or_default()
    }

    fn aws_lines(&self, look: Look) -> String {
        if let Some(why) = &self.aws_silent {
            return format!("\n{}", look.hanging("AWS could not be asked: ", Accent::Warning, why));
        }
        let Some(aws) = &self.aws else { return String::new() };
        let mut shown = format!("\n{}", sides(look, &aws.compared));
        let differs = aws.compared.iter().any(|compared| compared.agrees == Some(false));
        if let Some(unfinished) = self.log.unfinished.as_ref().filter(|_| differs)
            && aws.drift.is_empty()
        {
            let title = format!("what differs is the doing of {} so far", unfinished.row.number);
            shown.push_str(&look.block(0, Accent::Dim, &title));
        }
        if !aws.drift.is_empty() {
            // Nobody outside is blamed for what an operation of ours did last.
            let title = match &aws.operation_is_ours {
                Some(_) => "what AWS shows is not what the log calls live:",
                None if self.has_another_mark() && !aws.mark_is_ours => {
                    "surefoot changed the service from another journal:"
                }
                None => "somebody changed the service outside surefoot:",
            };
            shown.push_str(&format!("\n{}", look.block(0, Accent::Warning, title)));
            shown.push_str(&differences(look, &aws.drift));
        }
        shown
    }
}

/// Two columns, and a word where they differ.
fn sides(look: Look, compared: &[Compared]) -> String {
    let label = compared.iter().map(|one| width_of(&one.field)).max().unwrap_or(0);
    // Two blanks before and between, and the word behind.
    let room = (look.width.saturating_sub(label + 6 + 9) / 2).clamp(16, 72);
    let cell = |text: &Option<String>| text.as_ref().map_or("-".into(), |text| brief(text, room));
    let cells: Vec<[String; 2]> =
        compared.iter().map(|one| [cell(&one.log), cell(&one.aws)]).collect();
    let widest = |side: usize| cells.iter().map(|row| width_of(&row[side])).max().unwrap_or(0);
    let (left, right) = (widest(0).max(10), widest(1).max(6));
    let head = format!("  {}  {}  by AWS", pad("", label), pad("by the log", left));
    let mut shown = format!("{}\n", look.paint(Accent::Dim, &head));
    for (one, [log, aws]) in compared.iter().zip(&cells) {
        let (log, aws) = (pad(log, left), pad(aws, right));
        let line = format!("  {}  {log}  {aws}", pad(&one.field, label));
        if one.agrees == Some(false) {
            let word = look.paint(Accent::Warning, "differs");
            shown.push_str(&format!("{line}  {word}\n"));
        } else {
            shown.push_str(&format!("{}\n", line.trim_end()));
        }
    }
    shown
}

/// The text in so much room: identifiers are cut first, since their first digits tell them apart.
fn brief(text: &str, room: usize) -> String {
    let text = short_image(text);
    if width_of(&text) <= room {
        return shorten(&text, room);
    }
    let is_identifier =
        |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let word =
        |word: &str| if is_identifier(word) { word[..8].to_owned() } else { word.to_owned() };
    let words: Vec<String> = text.split(' ').map(word).collect();
    shorten(&words.join(" "), room)
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
