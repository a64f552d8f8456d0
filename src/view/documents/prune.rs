//! What a prune would delete, and why.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::heading;
use crate::names::{Digest, RepositoryName, StreamName};
use crate::projection::{Choice, Fate, Gone, Kept, LARGEST_RUN, Missing};
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

/// As many rows of a table as a person reads.
pub(super) const MOST_ROWS: usize = 20;

impl PruneSheet {
    /// What these images take, in bytes, and how many of them are parts of indexes.
    pub fn measure(&self, digests: &[Digest]) -> (u64, usize) {
        let digests: BTreeSet<&Digest> = digests.iter().collect();
        let choices = self.choices.iter();
        let these = || choices.clone().filter(|one| digests.contains(&one.held.image.digest));
        let bytes = these().map(|choice| choice.held.image.size).sum();
        (bytes, these().filter(|choice| is_part(choice)).count())
    }

    /// How many more are to go than one run deletes.
    pub fn left(&self) -> usize {
        let going = self.choices.iter().filter(|choice| choice.goes()).count();
        going.saturating_sub(LARGEST_RUN)
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

    /// What is true of what goes, also where the refusal is read elsewhere.
    fn title(&self) -> &'static str {
        match (self.missing.is_empty(), self.apply) {
            (false, _) => "Would be deleted if enough were known",
            (true, true) => "To be deleted",
            (true, false) => "Would be deleted",
        }
    }

    /// That one run does not delete all of it.
    fn one_run(&self, look: Look) -> String {
        match self.left() {
            0 => String::new(),
            left => {
                let most = format!("{LARGEST_RUN} at a time: {left} more with the next run");
                look.hanging("  ", Accent::None, &most)
            }
        }
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
        // A line that says that one is left out would take the place of that one.
        let rows = if part.whole.len() == MOST_ROWS + 1 { MOST_ROWS + 1 } else { MOST_ROWS };
        let cells = part.whole.iter().take(rows).map(|choice| self.cells(look, choice));
        let mut shown = table(look, &cells.collect::<Vec<_>>());
        if part.whole.len() > rows {
            let more = &part.whole[rows..];
            let why = counts(more).map(|counts| format!(" ({counts})")).unwrap_or_default();
            let line = format!("and {} more{why}: --report FILE has all", more.len());
            shown.push_str(&look.hanging("  ", Accent::None, &line));
        }
        shown
    }

    fn cells(&self, look: Look, choice: &Choice) -> [String; 5] {
        let image = &choice.held.image;
        let age = image.pushed_at.map(|at| measure::age(at, self.now));
        let why = match &choice.fate {
            Fate::Keep(Kept::ForeignTag { tag }) => {
                Kept::ForeignTag { tag: shorten(tag, tag_room(look)) }.to_string()
            }
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
        with_parts(self.whole.len(), self.parts)
    }
}

/// Images and parts of indexes, apart.
pub(super) fn with_parts(whole: usize, parts: usize) -> String {
    let images = || counted(whole, "image");
    match (whole, parts) {
        (_, 0) => images(),
        (0, parts) => format!("{} of indexes", counted(parts, "part")),
        (_, parts) => format!("{} and {} of indexes", images(), counted(parts, "part")),
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
        Kept::RunsNow { .. } => "running",
        Kept::Live(_) => "live by the journal",
        Kept::RollbackTarget(_) => "for a rollback",
        Kept::Unsettled(_) => "for a deployment",
        Kept::MarkedGood(_) => "marked good",
        Kept::Latest => "named `latest`",
        Kept::ForeignTag { .. } => "with somebody else's tag",
        Kept::Young => "within the grace period",
        Kept::NotOldEnough => "not old enough",
        Kept::PartOf { .. } | Kept::About { .. } => "belonging to others",
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
            shown.push_str(&format!("{}: {}, up to {size}\n", self.title(), goes.words()));
            shown.push_str(&self.one_run(look));
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
            "left": self.left(),
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

/// How wide a tag may be here.
fn tag_room(look: Look) -> usize {
    if look.width < 100 { 14 } else { WIDEST_TAG }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::examples::{digest, morning};
    use crate::projection::{Deletions, Deployed};
    use crate::view::documents::PruneOutcomeSheet;
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

    fn going(count: usize) -> Vec<Choice> {
        let of = |number| Choice {
            fate: Fate::Delete(Gone::Undeployed),
            ..choice(number, Kept::Latest)
        };
        (0..count).map(of).collect()
    }

    fn outcome(sheet: &PruneSheet, deletions: Deletions) -> PruneOutcomeSheet {
        let (bytes, parts) = sheet.measure(&deletions.deleted);
        PruneOutcomeSheet {
            endpoint: None,
            deletions,
            bytes,
            parts,
            left: sheet.left(),
            again: "surefoot prune --service-name shop --keep 2 --apply".into(),
            service: sheet.service.clone(),
        }
    }

    #[test]
    fn what_one_run_does_not_delete_is_said_before_and_after_it() {
        let sheet = sheet(going(LARGEST_RUN + 101));
        let shown = sheet.text(Look::PLAIN);
        assert!(shown.contains("Would be deleted: 10101 images"), "{shown}");
        assert!(shown.contains("10000 at a time: 101 more with the next run\n"), "{shown}");
        let deleted = sheet.choices[..LARGEST_RUN].iter();
        let deleted = deleted.map(|choice| choice.held.image.digest.clone()).collect();
        let done = outcome(&sheet, Deletions { deleted, ..Deletions::default() });
        let shown = done.text(Look::PLAIN);
        assert!(shown.contains("Deleted: 10000 images"), "{shown}");
        assert!(shown.contains("Left for the next run: 101\n"), "{shown}");
        assert!(shown.contains("next: surefoot prune --service-name shop --keep 2 --apply\n"));
        assert_eq!(done.json()["left"], 101);
        let whole = PruneSheet { choices: going(3), ..sheet };
        assert!(!whole.text(Look::PLAIN).contains("at a time"));
        let done = outcome(&whole, Deletions::default()).text(Look::PLAIN);
        assert!(!done.contains("Left") && done.contains("Nothing was deleted.\n"), "{done}");
    }

    #[test]
    fn what_was_announced_and_what_was_deleted_is_counted_in_one_way() {
        let mut choices = going(3);
        for part in &mut choices[1..] {
            part.fate = Fate::Delete(Gone::PartOf { index: digest("0") });
        }
        let sheet = PruneSheet { apply: true, ..sheet(choices) };
        let words = "1 image and 2 parts of indexes, up to 21 B";
        let announced = sheet.text(Look::PLAIN);
        assert!(announced.contains(&format!("To be deleted: {words}\n")), "{announced}");
        let deleted: Vec<Digest> = (0..3).map(|number| digest(&number.to_string())).collect();
        let of = |deleted| outcome(&sheet, Deletions { deleted, ..Deletions::default() });
        let done = of(deleted.clone()).text(Look::PLAIN);
        assert!(done.contains(&format!("Deleted: {words}\n")), "{done}");
        assert_eq!(of(deleted[1..].to_vec()).deleted_words(), "2 parts of indexes");
    }

    #[test]
    fn what_is_refused_reads_as_not_done_on_standard_output_alone() {
        let missing = vec![Missing::Busy { service: "shop".parse().unwrap() }];
        for apply in [true, false] {
            let sheet = PruneSheet { apply, missing: missing.clone(), ..sheet(going(9)) };
            let shown = sheet.text(Look::PLAIN);
            assert!(shown.contains("Would be deleted if enough were known: 9 images"), "{shown}");
        }
    }

    #[test]
    fn a_row_is_never_cut_for_a_line_that_says_that_it_is() {
        let rows = |count: usize| {
            let parts = (0..count).map(|number| choice(number, Kept::About { image: digest("x") }));
            sheet(parts.collect()).text(Look::PLAIN)
        };
        let whole = rows(MOST_ROWS + 1);
        assert!(!whole.contains("more") && whole.contains("tag-20"), "{whole}");
        assert!(rows(MOST_ROWS + 2).contains("and 2 more (2 belonging to others): --report"));
    }

    #[test]
    fn a_long_tag_of_others_stays_within_the_table() {
        let tag = format!("sha256-{}.sig", "0123456789abcdef".repeat(4));
        let mut long = choice(1, Kept::ForeignTag { tag: tag.clone() });
        long.held.image.tags = vec![tag.clone()];
        for width in [80, 100, 140] {
            let shown = sheet(vec![long.clone()]).text(Look { width, colour: false });
            assert!(shown.lines().all(|line| width_of(line) <= width), "{shown}");
            assert!(shown.contains("`sha256-"), "{shown}");
        }
        assert!(sheet(vec![long]).json().to_string().contains(&tag), "whole for programs");
    }

    #[test]
    fn beside_a_deployment_nothing_to_delete_is_one_line() {
        let shown = PruneSheet { brief: true, ..sheet(many()) }.text(Look::PLAIN);
        assert_eq!(shown, "pruning: Nothing to delete in `shop`: 32 images kept\n");
    }
}
