//! The history as one self-contained page: nothing is fetched, and nothing that somebody wrote into
//! a commit message can become part of it.
//!
//! What is told stands in the page as data; the page's own script writes it as text, never as HTML.
//! The page forbids every script and style but its own, by their hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::look::shorten;
use super::measure;
use crate::names::{DeploymentNumber, StreamName};
use crate::projection::{RECOVERED, Story, StoryStep, Tone, Verdict};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const FRAME: &str = include_str!("frame.html");

/// Columns of a foreign text on the page: a megabyte in a commit message is not shown.
const LONGEST: usize = 300;

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Each service with its deployments, oldest first.
    pub services: Vec<(StreamName, Vec<Story>)>,
    /// The moment it was made.
    pub now: DateTime<Utc>,
}

impl Page {
    /// How many deployments it shows; what ran before the journal began is none.
    pub fn deployments(&self) -> usize {
        let stories = self.services.iter().flat_map(|(_, stories)| stories);
        stories.filter(|story| story.row.number != RECOVERED).count()
    }

    /// The whole page.
    pub fn html(&self) -> String {
        let names: Vec<&str> =
            self.services.iter().map(|(stream, _)| stream.service.as_str()).collect();
        let parts = [
            ("{{policy}}", policy()),
            ("{{title}}", escaped(&names.join(", "))),
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
                "name": stream.service,
                "region": stream.region,
                "account": stream.account,
                "endpoint": endpoint,
                "deployments": stories.iter().map(|story| deployment(story, stories)).collect::<Vec<_>>(),
            })
        };
        json!({
            "now": self.now.timestamp_millis(),
            // Longest first: `rollback failed` is not `failed`.
            "verdicts": verdicts(),
            "services": self.services.iter().map(service).collect::<Vec<_>>(),
        })
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
        "subject": text(&row.subject),
        "digest": row.digest,
        "short": row.digest.as_ref().map(crate::names::Digest::short),
        "went": story.effect.went_live,
        "change": story.effect.change,
        "failed": story.effect.failed,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{examples, stories};
    use crate::text::is_hostile;

    fn page(stories: Vec<Story>) -> Page {
        let now = examples::morning() + chrono::TimeDelta::hours(2);
        let stream = "123456789012/eu-central-1/shop".parse().unwrap();
        Page { services: vec![(stream, stories)], now }
    }

    /// The data of a page, as the browser reads it.
    fn read(html: &str) -> Value {
        let (_, rest) = html.split_once(r#"<script type="application/json" id="data">"#).unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn the_data_of_the_page_tells_each_deployment() {
        let html = page(stories(&examples::several())).html();
        let data = read(&html);
        let rows = data["services"][0]["deployments"].as_array().unwrap().clone();
        let told: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} back to {}", row["number"], row["verdict"], row["back"]))
            .collect();
        insta::assert_debug_snapshot!(told, @r#"
        [
            "16 \"good\" back to null",
            "17 \"superseded\" back to null",
            "18 \"rolled back\" back to 17",
            "19 \"live\" back to 17",
        ]
        "#);
        assert_eq!(rows[2]["steps"].as_array().unwrap().len(), 12);
    }

    #[test]
    fn the_page_counts_as_the_figures_do() {
        let records = examples::several();
        let now = examples::morning() + chrono::TimeDelta::hours(2);
        let figures = crate::projection::statistics(&records, None, now);
        let data = read(&page(stories(&records)).html());
        let rows = data["services"][0]["deployments"].as_array().unwrap().clone();
        let count = |member: &str| rows.iter().filter(|row| row[member] == true).count();
        assert_eq!(
            (count("went"), count("change"), count("failed")),
            (figures.live, figures.changes, figures.failed_changes)
        );
        assert_eq!(rows[0]["short"], examples::digest("v1.4.1").short(), "for one without a tag");
    }

    #[test]
    fn the_page_fetches_nothing_and_names_its_own_script_and_style() {
        let html = page(stories(&examples::several())).html();
        for sign in ["src=", "href=", "@import", "{{", "innerHTML", "eval("] {
            assert!(!html.contains(sign), "{sign}");
        }
        assert!(!STYLE.contains("url("));
        let hash = STANDARD.encode(Sha256::digest(SCRIPT));
        assert!(html.contains(&format!("script-src 'sha256-{hash}'")));
        assert!(html.contains(&format!("<script>{SCRIPT}</script>")));
        assert!(html.contains(&format!("<style>{STYLE}</style>")));
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let mut told = stories(&examples::several());
        let hostile = "</script><script>alert(1)</script><!-- \" ' & \u{202e}\u{1b}[2J {{script}}";
        for story in &mut told {
            story.row.subject = Some(hostile.into());
            story.row.branch = Some(hostile.into());
            story.row.by = hostile.into();
            story.row.note = Some(hostile.into());
            story.steps[0].text = hostile.into();
        }
        let html = page(told).html();
        assert_eq!(html.matches("<script").count(), 2, "the data and the page's own");
        assert_eq!(html.matches("</script").count(), 2);
        assert!(!html.contains("<!-- \""));
        let others = |c: char| is_hostile(c) && c != '\n';
        assert!(!html.chars().any(others), "control characters and reordering marks");
        let row = &read(&html)["services"][0]["deployments"][0];
        assert!(row["subject"].as_str().unwrap().starts_with("</script><script>alert(1)"));
    }

    #[test]
    fn text_between_tags_is_escaped() {
        assert_eq!(escaped("<a b='c' d=\"e\">&"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
    }

    #[test]
    fn a_megabyte_in_a_message_is_cut() {
        let mut told = stories(&examples::several());
        for story in &mut told {
            story.row.subject = Some("x".repeat(1_000_000));
        }
        assert!(page(told).html().len() < 100_000);
    }
}
