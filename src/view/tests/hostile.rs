//! Ten thousand deployments whose authors mean no good: neither terminal nor page is fooled.

use chrono::TimeDelta;

use super::*;
use crate::names::DeploymentNumber;
use crate::plan::Intent;
use crate::projection::{Selection, select, statistics, stories};
use crate::view::documents::StatisticsSheet;
use crate::view::look::width_of;
use crate::view::page::Page;

const DEPLOYMENTS: u64 = 10_000;

/// What people write who want a reader to believe something else.
fn malice(number: u64) -> String {
    match number % 8 {
        0 => "\u{1b}[2J\u{1b}[1;1Hall is well\u{7}".into(),
        1 => "</script><script>alert(document.domain)</script>".into(),
        2 => "fine\n#9999  live  everything".into(),
        3 => "\u{202e}dab si siht\u{202c}".into(),
        4 => "<img src=x onerror=alert(1)> & \"quoted\" 'text'".into(),
        5 => "\u{9b}31m\u{200b}\u{feff}\r".into(),
        6 if number == 6 => "x".repeat(1024 * 1024),
        6 => "{{script}} ${alert(1)} ` \\u003cscript\\u003e".into(),
        _ => "日本語のとても長い題名です".repeat(9),
    }
}

fn hostile_records() -> Vec<Recorded> {
    let pattern = examples::good(1, "v1.4.2", "v1.4.1", morning()).records;
    let mut records = Vec::new();
    for number in 1..=DEPLOYMENTS {
        let later = TimeDelta::minutes(i64::try_from(number).unwrap());
        for record in &pattern {
            let mut record = record.clone();
            record.at += later;
            record.deployment = Some(DeploymentNumber(number));
            record.actor = malice(number + 1);
            if let Ok(Event::DeploymentPlanned(plan)) = &mut record.event {
                plan.number = DeploymentNumber(number);
                let Intent::Deploy { target, .. } = &mut plan.intent else { unreachable!() };
                let checkout = target.checkout.as_mut().unwrap();
                checkout.subject = malice(number);
                checkout.branch = Some(malice(number + 2));
            }
            records.push(record);
        }
    }
    records
}

/// Nothing moves the cursor, reorders or hides; no line is wider than it may be.
#[track_caller]
fn harmless(text: &str, width: usize, wrapped: bool) {
    for line in text.lines() {
        assert!(!line.chars().any(is_hostile), "{line:?}");
        assert!(!wrapped || width_of(line) <= width, "{} > {width}: {line}", width_of(line));
    }
}

#[test]
fn ten_thousand_hostile_deployments_fool_neither_terminal_nor_page() {
    let records = hostile_records();
    let now = morning() + TimeDelta::days(30);
    let (rows, older) = select(history(&records), &Selection::default());
    assert_eq!((rows.len(), older), (10_000, 0));
    let rows = rows.into_iter().map(|row| HistoryRow { row, in_registry: None }).collect();
    let sheet = HistoryTable { rows, ..table(&examples::several()) };
    for width in [80, 160] {
        let text = sheet.text(at(width));
        harmless(&text, width, true);
        let numbered = text.lines().filter(|line| line.trim_start().starts_with('#')).count();
        assert_eq!(numbered, 10_000, "a line for each, and no line more");
    }
    let told = stories(&records);
    for story in told.iter().take(16) {
        harmless(&StorySheet { story: story.clone() }.text(at(80)), 80, false);
    }
    harmless(&status_sheet(&records).text(at(80)), 80, false);
    let figures = StatisticsSheet {
        service: sheet.service.clone(),
        endpoint: None,
        statistics: statistics(&records[..5_000], None, now),
    };
    harmless(&figures.text(at(80)), 80, true);
    let services = vec![(sheet.service.clone(), told)];
    let page = Page { services, now, ..Page::default() };
    let html = page.html();
    assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (2, 2));
    assert!(!html.contains("<img"));
    assert!(!html.chars().any(|c| is_hostile(c) && c != '\n'));
    assert!(html.len() < 40_000_000, "{}", html.len());
    if let Some(file) = std::env::var_os("SUREFOOT_TEST_PAGE") {
        std::fs::write(file, html).unwrap();
    }
}
