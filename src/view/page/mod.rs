//! The history as one self-contained page: nothing is fetched, and nothing that somebody wrote into
//! a commit message can become part of it.
//!
//! What is told stands in the page as data; the page's own script writes it as text, never as HTML.
//! The page forbids every script and style but its own, by their hashes.

mod figures;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::figures::{course, figures, live};
use super::look::shorten;
use super::measure;
use crate::names::{DeploymentNumber, StreamName};
use crate::projection::{RECOVERED, Selection, Story, StoryStep, Tone, Verdict};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const FRAME: &str = include_str!("frame.html");

/// Columns of a foreign text on the page: a megabyte in a commit message is not shown.
const LONGEST: usize = 300;

/// Columns of a commit's subject, which the page tells whole: longer ones were not written by people.
const LONGEST_SUBJECT: usize = 1000;

/// What the page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Each service with all its deployments, oldest first: the figures count them all.
    pub services: Vec<(StreamName, Vec<Story>)>,
    /// Which of them are listed.
    pub selection: Selection,
    /// The selection as it was typed.
    pub typed: String,
    /// The moment it was made.
    pub now: DateTime<Utc>,
}

impl Page {
    /// How many deployments it lists; what ran before the journal began is none.
    pub fn deployments(&self) -> usize {
        let listed = self.services.iter().flat_map(|(_, stories)| self.listed(stories));
        listed.filter(|story| story.row.number != RECOVERED).count()
    }

    /// Those of one service that were chosen, oldest first.
    fn listed<'a>(&self, stories: &'a [Story]) -> impl Iterator<Item = &'a Story> {
        let wanted: Vec<&Story> =
            stories.iter().filter(|story| self.selection.takes(&story.row)).collect();
        let surplus = self.selection.limit.map_or(0, |limit| wanted.len().saturating_sub(limit));
        wanted.into_iter().skip(surplus)
    }

    fn title(&self) -> String {
        let names: BTreeSet<&str> =
            self.services.iter().map(|(stream, _)| stream.service.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        if names.is_empty() { "nothing yet".into() } else { names.join(", ") }
    }

    /// The whole page.
    pub fn html(&self) -> String {
        let parts = [
            ("{{policy}}", policy()),
            ("{{title}}", escaped(&self.title())),
            ("{{made}}", escaped(&measure::moment(self.now))),
            ("{{style}}", STYLE.to_owned()),
            ("{{data}}", data(&self.data())),
            ("{{script}}", SCRIPT.to_owned()),
        ];
        // One pass: what is put in is never looked at again for another place.
        let mut page = String::new();
        let mut rest = FRAME;
        for (place, part) in parts {
            let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
            page.push_str(before);
            page.push_str(&part);
            rest = after;
        }
        page + rest
    }

    fn data(&self) -> Value {
        let service = |(stream, stories): &(StreamName, Vec<Story>)| {
            let endpoint = stories.iter().find_map(|story| story.endpoint.as_deref());
            json!({
                "key": stream,
                "name": stream.service,
                "region": stream.region,
                "account": stream.account,
                "endpoint": endpoint,
                "live": live(stories),
                "deployments": self.listed(stories).map(|story| deployment(story, stories)).collect::<Vec<_>>(),
            })
        };
        let all: Vec<&Story> = self.services.iter().flat_map(|(_, stories)| stories).collect();
        let figures = figures(&all);
        json!({
            "now": self.now.timestamp_millis(),
            // Longest first: `rollback failed` is not `failed`.
            "verdicts": verdicts(),
            "services": self.services.iter().map(service).collect::<Vec<_>>(),
            "listed": self.part(&figures["deployments"]),
            "figures": figures,
            "course": course(&all, self.now),
        })
    }

    /// What part of all deployments the page lists; nothing where it lists them all.
    fn part(&self, of: &Value) -> Option<Value> {
        let shown = self.deployments();
        (*of != shown).then(|| json!({ "shown": shown, "of": of, "typed": self.typed }))
    }
}

fn deployment(story: &Story, all: &[Story]) -> Value {
    let row = &story.row;
    let text = |text: &Option<String>| text.as_deref().map(|text| shorten(text, LONGEST));
    json!({
        "number": row.number,
        "verdict": row.verdict.words(),
        "kind": kind(row.verdict),
        "tag": row.tag,
        "commit": row.commit.as_ref().map(crate::names::Commit::short),
        "dirty": row.dirty,
        "branch": text(&row.branch),
        "subject": row.subject.as_deref().map(|subject| shorten(subject, LONGEST_SUBJECT)),
        "digest": row.digest,
        "short": row.digest.as_ref().map(crate::names::Digest::short),
        "by": shorten(&row.by, LONGEST),
        "run": text(&row.ci_run),
        "at": row.started_at.timestamp_millis(),
        "took": row.took.map(|took| took.as_secs_f64()),
        "note": text(&row.note),
        "back": back_to(story, all),
        "asked": row.rollback_to.is_some(),
        "steps": story.steps.iter().map(step).collect::<Vec<_>>(),
        "proof": story.proof,
        "problem": story.problem.as_ref().map(|problem| shorten(&problem.what, LONGEST)),
    })
}

fn verdicts() -> Vec<&'static str> {
    let mut words = Verdict::ALL.map(Verdict::words);
    words.sort_by_key(|words| std::cmp::Reverse(words.len()));
    words.into()
}

fn step(step: &StoryStep) -> Value {
    json!({
        "step": step.step,
        "words": step.step.words(),
        "took": step.took.map(|took| took.as_secs_f64()),
        "bad": step.outcome == Tone::Bad,
        "text": shorten(&step.text, LONGEST),
    })
}

/// Where a rollback went: as it was asked for, or to the release that ran before.
fn back_to(story: &Story, all: &[Story]) -> Option<DeploymentNumber> {
    if let Some(number) = story.row.rollback_to {
        return Some(number);
    }
    let digest = story.record.previous_digest.as_ref();
    let digest = digest.filter(|_| story.row.verdict == Verdict::RolledBack)?;
    let before = |other: &&Story| other.row.number < story.row.number;
    let at = all.partition_point(|other| before(&other));
    let same = |other: &&Story| other.row.digest.as_ref() == Some(digest) && was_live(other);
    all[..at].iter().rev().take(NEAR).find(same).map(|other| other.row.number)
}

/// How far back the release that ran before is looked for.
const NEAR: usize = 500;

fn was_live(story: &Story) -> bool {
    story.row.verdict.is_good() || story.row.verdict == Verdict::Bad
}

fn kind(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Live => "live",
        Verdict::Good | Verdict::Superseded => "good",
        Verdict::Failed | Verdict::RolledBack | Verdict::RollbackFailed | Verdict::Bad => "bad",
        Verdict::Attention | Verdict::Unknown | Verdict::InProgress | Verdict::Interrupted => {
            "open"
        }
        Verdict::Abandoned => "quiet",
    }
}

/// Only this page's own script and style run, whatever else gets into it.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// Text between tags, or in an attribute between double quotes.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c => shown.push(c),
        }
    }
    shown
}

/// JSON that cannot end the element it stands in: no `<` is in it, and no `&`.
/// Source: WHATWG HTML, "Restrictions for contents of script elements".
fn data(value: &Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
