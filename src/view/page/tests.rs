//! What the page tells, and what its script makes of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::projection::{examples, stories};
use crate::text::is_hostile;

fn page(stories: Vec<Story>) -> Page {
    let now = examples::morning() + chrono::TimeDelta::hours(2);
    let stream = "123456789012/eu-central-1/shop".parse().unwrap();
    Page { services: vec![(stream, stories)], now, ..Page::default() }
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
fn a_page_of_a_selection_says_so_and_its_figures_are_those_of_all() {
    let whole = page(stories(&examples::several()));
    let verdict = Some(Verdict::RolledBack);
    let later = Some(whole.now + chrono::TimeDelta::days(1));
    let chosen = [
        (Selection { verdict, ..Selection::default() }, vec![18]),
        (Selection { limit: Some(2), ..Selection::default() }, vec![18, 19]),
        (Selection { since: later, ..Selection::default() }, vec![]),
    ];
    let all = read(&whole.html());
    assert!(all["listed"].is_null());
    assert_eq!(all["services"][0]["live"]["number"], 19);
    for (selection, expected) in chosen {
        let some = Page { selection, typed: "--as typed".into(), ..whole.clone() };
        assert_eq!(some.deployments(), expected.len());
        let data = read(&some.html());
        let shown = json!({ "shown": expected.len(), "of": 4, "typed": "--as typed" });
        assert_eq!(data["listed"], shown);
        let rows = data["services"][0]["deployments"].as_array().unwrap();
        let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
        assert_eq!(numbers, expected);
        let of_all = |member: &str| (data[member].clone(), all[member].clone());
        for (some, all) in ["figures", "course"].map(of_all) {
            assert_eq!(some, all);
        }
        for member in ["live", "endpoint"] {
            assert_eq!(data["services"][0][member], all["services"][0][member]);
        }
    }
}

#[test]
fn services_of_one_name_are_told_apart_by_the_whole_name() {
    let one = page(stories(&examples::several()));
    let other = "123456789012/us-east-1/shop".parse().unwrap();
    let services = vec![one.services[0].clone(), (other, one.services[0].1.clone())];
    let both = Page { services, ..one };
    let html = both.html();
    assert!(html.contains("<title>shop · deployments</title>"), "once");
    let data = read(&html);
    let keys = [0, 1].map(|at| data["services"][at]["key"].clone());
    assert_eq!(keys, ["123456789012/eu-central-1/shop", "123456789012/us-east-1/shop"]);
    assert_eq!(data["figures"]["deployments"], 8);
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let html = Page::default().html();
    assert!(html.contains("<title>nothing yet · deployments</title>"));
    assert_eq!(read(&html)["services"], json!([]));
}

#[test]
fn a_release_without_a_tag_is_named_by_its_digest_and_a_long_subject_is_told_whole() {
    let mut told = stories(&examples::several());
    let long = "a subject that does not fit ".repeat(20);
    told[0].row.subject = Some(long.clone());
    let data = read(&page(told).html());
    let row = &data["services"][0]["deployments"][0];
    assert_eq!(row["short"], examples::digest("v1.4.1").short());
    assert_eq!(row["subject"], long);
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

/// What a browser of this width shows of a page, and lists for each of these filters: by the page's
/// own script, in a stand-in for a browser.
fn browsed(page: &Page, width: usize, filters: &[&str]) -> Value {
    let node = Command::new("node")
        .args(["-e", include_str!("browser.js"), &width.to_string()])
        .args(filters)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut node = node.expect("Node.js is installed");
    node.stdin.take().unwrap().write_all(page.html().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_a_number_in_the_filter_means_the_deployment_and_no_other_that_speaks_of_it() {
    let mut told = stories(&examples::several());
    told[0].row.note = Some("much like #1, and #17".into());
    let filters = ["", "#17", "#1", "17", "rolled-back", "like", "#99"];
    let shown = browsed(&page(told), 1280, &filters);
    let expected = json!([
        ["#19", "#18", "#17", "#16"],
        ["#17"],
        [],
        ["#19", "#17", "#16"],
        ["#18"],
        ["#16"],
        [],
    ]);
    assert_eq!(shown["lists"], expected);
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_a_subject_is_whole_in_the_details() {
    let mut told = stories(&examples::several());
    let long = "word ".repeat(100) + "end";
    told[3].row.subject = Some(long.clone());
    let shown = browsed(&page(told), 1280, &[""]);
    assert!(shown["details"].as_str().unwrap().contains(&long), "{shown}");
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_no_figure_stands_alone_beneath_many_where_it_can_be_helped() {
    let one = page(stories(&examples::several()));
    let several = |count: usize| {
        let stream = |at| format!("123456789012/eu-central-1/shop-{at}").parse().unwrap();
        let services = (0..count).map(|at| (stream(at), one.services[0].1.clone())).collect();
        Page { services, ..one.clone() }
    };
    for (services, width, columns) in
        [(1, 944, 4), (2, 944, 5), (3, 944, 3), (4, 944, 4), (5, 944, 4), (1, 361, 2), (1, 100, 1)]
    {
        let shown = browsed(&several(services), width, &[""]);
        let expected = format!("repeat({columns}, minmax(0, 1fr))");
        assert_eq!(shown["columns"], expected, "{services} in {width}");
    }
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_each_region_has_its_line_and_a_name_that_repeats_its_region() {
    let one = page(stories(&examples::several()));
    let stream = |text: &str| text.parse().unwrap();
    let names =
        ["1/eu-central-1/shop", "1/us-east-1/shop", "2/us-east-1/shop", "2/us-east-1/stall"];
    let whole = |name: &str| stream(&format!("12345678901{name}"));
    let services = names.map(|name| (whole(name), one.services[0].1.clone())).into();
    let shown = browsed(&Page { services, ..one }, 1280, &[""]);
    let head = shown["head"].as_str().unwrap();
    assert!(
        head.starts_with("shop · stall|eu-central-1, account 123456789011|us-east-1, "),
        "{head}"
    );
    assert_eq!(head.matches("account").count(), 3, "{head}");
    let figures = shown["figures"].as_str().unwrap();
    for label in [
        "shop eu-central-1 runs",
        "shop us-east-1 123456789011 runs",
        "shop us-east-1 123456789012 runs",
        "stall runs",
    ] {
        assert_eq!(figures.matches(label).count(), 1, "{label} in {figures}");
    }
    assert_eq!(shown["lists"][0].as_array().unwrap().len(), 16);
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_a_page_of_nothing_says_so_and_offers_no_filter() {
    let shown = browsed(&Page::default(), 1280, &[]);
    assert!(shown["head"].as_str().unwrap().starts_with("Nothing was deployed from here yet|"));
    assert_eq!((&shown["figures"], &shown["searchable"]), (&json!(""), &json!(false)));
}

#[test]
#[ignore = "needs Node.js"]
fn browsed_a_selection_is_named_above_the_list() {
    let selection = Selection { verdict: Some(Verdict::RolledBack), ..Selection::default() };
    let typed = "--status rolled-back".into();
    let page = Page { selection, typed, ..page(stories(&examples::several())) };
    let shown = browsed(&page, 1280, &[""]);
    assert_eq!(shown["selection"], "1 of 4 deployments listed: --status rolled-back");
    assert!(shown["figures"].as_str().unwrap().contains("|#19, "), "{shown}");
    assert_eq!(shown["lists"], json!([["#18"]]));
}
