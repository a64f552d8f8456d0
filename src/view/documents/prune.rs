//! What a prune would delete and why, and what it did delete.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::heading;
use crate::names::{Digest, RepositoryName, StreamName};
use crate::projection::{Choice, Deletions, Fate, Gone, Kept, Missing, Stopped};
use crate::text::counted;
use crate::view::look::{Accent, harmless, pad, pad_left, shorten, width_of};
use crate::view::{Document, Look, measure, to_json};

/// A fate for every image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneSheet {
    /// The repository.
    pub repository: RepositoryName,
    /// The service that was asked about.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Whether it is about to be done.
    pub apply: bool,
    /// Whether it is shown beside a deployment: in one line where nothing goes.
    pub brief: bool,
    /// Every image, newest first.
    pub choices: Vec<Choice>,
    /// What is missing before anything may be deleted.
    pub missing: Vec<Missing>,
    /// What else deserves a look.
    pub warnings: Vec<String>,
    /// Earlier prunes that could not say how they ended.
    pub unsettled: Vec<String>,
    /// What to type to do it.
    pub next: Option<String>,
    /// The moment that ages count from.
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneOutcomeSheet {
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// What became of each image.
    pub deletions: Deletions,
    /// What the deleted images took, in bytes.
    pub bytes: u64,
    /// The service that was asked about.
    pub service: StreamName,
}

/// As many rows of a table as a person reads.
const MOST_ROWS: usize = 20;

impl PruneSheet {
    /// What these images take.
    pub fn bytes_of(&self, digests: &[Digest]) -> u64 {
        let digests: std::collections::BTreeSet<&Digest> = digests.iter().collect();
        let images = self.choices.iter().map(|choice| &choice.held.image);
        images.filter(|image| digests.contains(&image.digest)).map(|image| image.size).sum()
    }

    fn part(&self, goes: bool) -> Part<'_> {
        let all = self.choices.iter().filter(|choice| choice.goes() == goes);
        let (parts, mut whole): (Vec<&Choice>, Vec<&Choice>) =
            all.partition(|choice| is_part(choice));
        // What is needed most first, whatever its age; of one reason the newest.
        whole.sort_by_key(|choice| rank(choice));
        let bytes = parts.iter().chain(&whole).map(|choice| choice.held.image.size).sum();
        Part { whole, parts: parts.len(), bytes }
    }

    fn in_one_line(&self, look: Look) -> String {
        let kept = self.part(false).words();
        let line = format!("Nothing to delete in `{}`: {kept} kept", self.repository);
        let mut shown = look.hanging("pruning: ", Accent::Dim, &line);
        for warning in &self.warnings {
            shown.push_str(&look.hanging("warning: ", Accent::Warning, warning));
        }
        shown
    }

    fn rows(&self, look: Look, part: &Part<'_>) -> String {
        let cells = part.whole.iter().take(MOST_ROWS).map(|choice| self.cells(choice));
        let mut shown = table(look, &cells.collect::<Vec<_>>());
        if part.whole.len() > MOST_ROWS {
            let more = &part.whole[MOST_ROWS..];
            let why = counts(more).map(|counts| format!(" ({counts})")).unwrap_or_default();
            let line = format!("and {} more{why}: --report FILE has all", more.len());
            shown.push_str(&look.hanging("  ", Accent::None, &line));
        }
        shown
    }

    fn cells(&self, choice: &Choice) -> [String; 5] {
        let image = &choice.held.image;
        let age = image.pushed_at.map(|at| measure::age(at, self.now));
        let why = match &choice.fate {
            Fate::Keep(reason) => reason.to_string(),
            Fate::Delete(reason) => reason.to_string(),
        };
        [
            image.digest.short().to_owned(),
            image.tags.first().map_or_else(|| "untagged".into(), |tag| harmless(tag)),
            age.map_or_else(|| "unknown".into(), |age| age.trim_end_matches(" ago").to_owned()),
            measure::size(image.size),
            harmless(&why),
        ]
    }
}

/// The images of one fate; what is a part of an index is only counted.
struct Part<'a> {
    whole: Vec<&'a Choice>,
    parts: usize,
    bytes: u64,
}

impl Part<'_> {
    fn words(&self) -> String {
        let images = counted(self.whole.len(), "image");
        match self.parts {
            0 => images,
            parts => format!("{images} and {} of indexes", counted(parts, "part")),
        }
    }
}

/// The strongest reason first; of what goes, all the same.
fn rank(choice: &Choice) -> u8 {
    match &choice.fate {
        Fate::Keep(reason) => reason.rank(),
        Fate::Delete(_) => 0,
    }
}

/// How many are kept for which reason; nothing for what goes.
fn counts(choices: &[&Choice]) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for choice in choices {
        let Fate::Keep(reason) = &choice.fate else { return None };
        let words = kind(reason);
        match counts.last_mut().filter(|(last, _)| *last == words) {
            Some((_, count)) => *count += 1,
            None => counts.push((words, 1)),
        }
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(words, count)| format!("{count} {words}")).collect();
    Some(counts.join(", "))
}

/// A reason without what it is about.
fn kind(reason: &Kept) -> &'static str {
    match reason {
        Kept::RunsNow { .. } => "that run",
        Kept::Live(_) => "live by the journal",
        Kept::RollbackTarget(_) => "for a rollback",
        Kept::Unsettled(_) => "that deployments may need",
        Kept::MarkedGood(_) => "marked good",
        Kept::Latest => "named `latest`",
        Kept::ForeignTag { .. } => "with somebody else's tag",
        Kept::Young => "within the grace period",
        Kept::NotOldEnough => "not old enough",
        Kept::PartOf { .. } | Kept::About { .. } => "that belong to others",
    }
}

fn is_part(choice: &Choice) -> bool {
    matches!(choice.fate, Fate::Keep(Kept::PartOf { .. }) | Fate::Delete(Gone::PartOf { .. }))
}

impl Document for PruneSheet {
    fn name(&self) -> &'static str {
        "prune"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        if self.brief && self.missing.is_empty() && !self.choices.iter().any(Choice::goes) {
            return self.in_one_line(look);
        }
        let heading = heading(look, self.repository.as_str(), &self.service);
        let mut shown = format!("repository {heading}\n\n");
        for line in &self.unsettled {
            shown.push_str(&look.hanging("note: ", Accent::Warning, line));
        }
        let (goes, stays) = (self.part(true), self.part(false));
        if goes.whole.is_empty() && goes.parts == 0 {
            shown.push_str("Nothing to delete.\n");
        } else {
            // Layers that a kept image shares stay: it is never more than this.
            let size = measure::size(goes.bytes);
            let words = if self.apply { "To be deleted" } else { "Would be deleted" };
            shown.push_str(&format!("{words}: {}, up to {size}\n", goes.words()));
            shown.push_str(&self.rows(look, &goes));
        }
        shown.push_str(&format!("\nKept: {}\n", stays.words()));
        shown.push_str(&self.rows(look, &stays));
        for warning in &self.warnings {
            shown.push('\n');
            shown.push_str(&look.hanging("warning: ", Accent::Warning, warning));
        }
        if goes.whole.len() + goes.parts > 0
            && let Some(next) = &self.next
        {
            shown.push('\n');
            shown.push_str(&look.to_type("next: ", Accent::None, next));
        }
        shown
    }

    fn json(&self) -> Value {
        let (goes, stays) = (self.part(true), self.part(false));
        let count = |part: &Part<'_>| {
            json!({
                "images": part.whole.len() + part.parts, "bytes": part.bytes,
            })
        };
        json!({
            "repository": self.repository,
            "service": self.service,
            "endpoint": self.endpoint,
            "apply": self.apply,
            "delete": count(&goes),
            "keep": count(&stays),
            "images": self.choices.iter().map(image).collect::<Vec<_>>(),
            "missing": to_json(&self.missing),
            "warnings": self.warnings,
            "unsettled": self.unsettled,
        })
    }
}

fn image(choice: &Choice) -> Value {
    let image = &choice.held.image;
    let words = match &choice.fate {
        Fate::Keep(reason) => reason.to_string(),
        Fate::Delete(reason) => reason.to_string(),
    };
    let fate = to_json(&choice.fate);
    json!({
        "digest": image.digest,
        "tags": image.tags,
        "bytes": image.size,
        "pushed_at": image.pushed_at,
        "media_type": image.media_type,
        "fate": fate["fate"],
        "reason": fate["reason"],
        "words": words,
    })
}

/// The widest a tag may be.
const WIDEST_TAG: usize = 28;

fn table(look: Look, rows: &[[String; 5]]) -> String {
    let widest = |column: usize| rows.iter().map(|row| width_of(&row[column])).max().unwrap_or(0);
    let widths = [widest(0), widest(1).min(tag_room(look)), widest(2), widest(3)];
    let mut shown = String::new();
    for row in rows {
        let line = format!(
            "  {}  {}  {}  {}  ",
            pad(&row[0], widths[0]),
            pad(&shorten(&row[1], widths[1]), widths[1]),
            pad_left(&row[2], widths[2]),
            pad_left(&row[3], widths[3]),
        );
        shown.push_str(&look.hanging(&line, Accent::None, &row[4]));
    }
    shown
}

fn tag_room(look: Look) -> usize {
    if look.width < 100 { 14 } else { WIDEST_TAG }
}

impl Document for PruneOutcomeSheet {
    fn name(&self) -> &'static str {
        "pruned"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let deletions = &self.deletions;
        let deleted = counted(deletions.deleted.len(), "image");
        let size = measure::size(self.bytes);
        let mut shown = format!("\nDeleted: {deleted}, up to {size}\n");
        let others = [
            ("Gone before", deletions.not_there.len()),
            ("Spared, needed by now", deletions.spared.len()),
        ];
        for (words, number) in others.iter().filter(|(_, number)| *number > 0) {
            shown.push_str(&format!("{words}: {number}\n"));
        }
        if !deletions.failed.is_empty() {
            shown.push_str(&format!("Not deleted: {}\n", deletions.failed.len()));
        }
        for failed in deletions.failed.iter().take(MOST_ROWS) {
            let label = format!("  {}  ", failed.digest.short());
            let why = format!("{}: {}", failed.code, failed.reason);
            shown.push_str(&look.hanging(&label, Accent::Bad, &why));
        }
        if deletions.stopped.is_none() && deletions.failed.is_empty() {
            let service = &self.service.service;
            let next = format!("surefoot rollback --list --service-name {service}");
            shown.push('\n');
            shown.push_str(&look.to_type("next: ", Accent::None, &next));
        }
        shown
    }

    fn json(&self) -> Value {
        let deletions = &self.deletions;
        json!({
            "endpoint": self.endpoint,
            "deleted": deletions.deleted,
            "bytes": self.bytes,
            "not_there": deletions.not_there,
            "failed": to_json(&deletions.failed),
            "spared": deletions.spared,
            "complete": deletions.stopped.is_none(),
            "known": !matches!(deletions.stopped, Some(Stopped::Unknown(_))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::Deployed;
    use crate::projection::examples::{digest, morning};
    use crate::world::registry::{Held, Image};

    fn choice(number: usize, reason: Kept) -> Choice {
        let image = Image {
            digest: digest(&number.to_string()),
            tags: vec![format!("tag-{number}")],
            size: 7,
            pushed_at: Some(morning()),
            media_type: None,
        };
        Choice { held: Held { image, subject: None }, fate: Fate::Keep(reason) }
    }

    fn sheet(choices: Vec<Choice>) -> PruneSheet {
        PruneSheet {
            repository: "shop".parse().unwrap(),
            service: "123456789012/eu-central-1/shop".parse().unwrap(),
            endpoint: None,
            apply: false,
            brief: false,
            choices,
            missing: Vec::new(),
            warnings: Vec::new(),
            unsettled: Vec::new(),
            next: None,
            now: morning(),
        }
    }

    /// Thirty that nobody asked about, and the two that matter last.
    fn many() -> Vec<Choice> {
        let service = || "shop".parse().unwrap();
        let number = crate::names::DeploymentNumber(3);
        let deployed = Deployed { service: service(), number, in_another_clone: false };
        let young = (0..25).map(|number| choice(number, Kept::Young));
        let tags = (25..30).map(|number| choice(number, Kept::ForeignTag { tag: "v1".into() }));
        let needed = [
            choice(30, Kept::RollbackTarget(deployed)),
            choice(31, Kept::RunsNow { service: service() }),
        ];
        young.chain(tags).chain(needed).collect()
    }

    #[test]
    fn what_is_needed_most_stands_first_and_what_is_cut_is_counted_by_its_reason() {
        let shown = sheet(many()).text(Look::PLAIN);
        let (_, kept) = shown.split_once("Kept: 32 images\n").unwrap();
        let lines: Vec<&str> = kept.lines().collect();
        assert!(lines[0].contains("tag-31") && lines[0].ends_with("shop runs it"), "{kept}");
        assert!(lines[1].contains("tag-30") && lines[1].ends_with("for a rollback"), "{kept}");
        assert!(lines[2].ends_with("somebody else's tag `v1`"), "{kept}");
        assert!(kept.contains("and 12 more (12 within the grace period): --report FILE"), "{kept}");
    }

    #[test]
    fn beside_a_deployment_nothing_to_delete_is_one_line() {
        let shown = PruneSheet { brief: true, ..sheet(many()) }.text(Look::PLAIN);
        assert_eq!(shown, "pruning: Nothing to delete in `shop`: 32 images kept\n");
    }
}
