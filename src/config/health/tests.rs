use proptest::prelude::*;
use serde_json::json;

use super::*;

fn gate(assertions: &[(&str, Value)]) -> HealthGate {
    HealthGate {
        path: "/healthz".into(),
        retries: 12,
        timeout: Duration::from_secs(10),
        interval: Duration::from_secs(5),
        passes: 2,
        from: HealthFrom::Service,
        assertions: assertions
            .iter()
            .map(|(path, expected)| Assertion::new(path, expected.clone()))
            .collect(),
        version: None,
        allow_missing_dependencies: false,
    }
}

fn ffmpeg() -> HealthGate {
    gate(&[("dependencies.ffmpeg.available", json!(true)), ("status", json!("ok"))])
}

fn answer(gate: &HealthGate, status: u16, body: &str) -> HealthJudgement {
    judge(gate, status, body.as_bytes(), false, Some("application/json"))
}

fn failure(judgement: HealthJudgement) -> HealthFailure {
    match judgement {
        HealthJudgement::Failed(failure) => failure,
        HealthJudgement::Passed { .. } => panic!("it passed"),
    }
}

fn passed(judgement: HealthJudgement) -> (Vec<Finding>, Option<String>) {
    match judgement {
        HealthJudgement::Passed { warnings, version } => (warnings, version),
        HealthJudgement::Failed(failure) => panic!("{failure}"),
    }
}

const GOOD: &str = r#"{"status":"ok","dependencies":{"ffmpeg":{"available":true}}}"#;
const LACKING: &str = r#"{"status":"ok","dependencies":{"ffmpeg":{"available":false}}}"#;

#[test]
fn a_good_answer_passes_and_without_assertions_any_body_does() {
    assert_eq!(passed(answer(&ffmpeg(), 200, GOOD)), (vec![], None));
    assert_eq!(passed(answer(&ffmpeg(), 200, &format!("\u{feff}{GOOD}"))), (vec![], None));
    for body in ["", "OK", "<html>", GOOD] {
        assert_eq!(passed(answer(&gate(&[]), 200, body)), (vec![], None));
    }
    assert_eq!(passed(judge(&gate(&[]), 204, b"", false, None)), (vec![], None));
    assert_eq!(passed(judge(&gate(&[]), 200, b"\xff", true, None)), (vec![], None));
}

#[test]
fn every_status_has_its_own_meaning() {
    for status in 100..=999 {
        let judgement = answer(&gate(&[]), status, GOOD);
        let kind = match judgement {
            HealthJudgement::Passed { .. } => "passed",
            HealthJudgement::Failed(HealthFailure::NoSuchPath { .. }) => "path",
            HealthJudgement::Failed(HealthFailure::Locked { .. }) => "locked",
            HealthJudgement::Failed(HealthFailure::Redirected { .. }) => "redirected",
            HealthJudgement::Failed(HealthFailure::ServerError { .. }) => "error",
            HealthJudgement::Failed(HealthFailure::OtherStatus { .. }) => "other",
            HealthJudgement::Failed(other) => panic!("{other}"),
        };
        let expected = match status {
            200..=299 => "passed",
            300..=399 => "redirected",
            401 | 403 | 407 => "locked",
            404 | 410 => "path",
            500..=599 => "error",
            _ => "other",
        };
        assert_eq!(kind, expected, "{status}");
    }
}

#[test]
fn wrong_content_names_path_expected_and_found() {
    let HealthFailure::WrongContent { findings } = failure(answer(&ffmpeg(), 200, LACKING)) else {
        panic!("another failure")
    };
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].to_string(), "`dependencies.ffmpeg.available` is false, expected true");
    let missing = failure(answer(&ffmpeg(), 200, r#"{"status":"ok"}"#)).to_string();
    assert_eq!(missing, "`dependencies.ffmpeg.available` is missing, expected true");
}

#[test]
fn an_error_says_what_its_body_says() {
    let told = failure(answer(&ffmpeg(), 503, LACKING)).to_string();
    assert!(
        told.contains("503") && told.contains("`dependencies.ffmpeg.available` is false"),
        "{told}"
    );
    let untold = failure(answer(&ffmpeg(), 503, "upstream down")).to_string();
    assert!(untold.contains("503") && !untold.contains("ffmpeg"), "{untold}");
}

#[test]
fn allowed_missing_dependencies_warn_and_nothing_else_is_forgiven() {
    let lenient = HealthGate { allow_missing_dependencies: true, ..ffmpeg() };
    let (warnings, _) = passed(answer(&lenient, 200, LACKING));
    assert_eq!(warnings.len(), 1);
    assert_eq!(passed(answer(&lenient, 200, r#"{"status":"ok"}"#)).0.len(), 1);
    assert_eq!(passed(answer(&lenient, 200, GOOD)).0, []);
    failure(answer(&lenient, 200, r#"{"status":"bad"}"#));
    failure(answer(&lenient, 200, "not json"));
    failure(answer(&lenient, 503, GOOD));
    let only = HealthGate {
        allow_missing_dependencies: true,
        ..gate(&[("dependencies.ffmpeg", json!(1))])
    };
    assert_eq!(passed(answer(&only, 200, "not json")).0.len(), 1);
    // A name that only begins so is no dependency, and neither is the table itself.
    assert!(!Assertion::new("dependencies_count", json!(1)).dependency);
    assert!(!Assertion::new("dependencies", json!(1)).dependency);
    assert!(!Assertion::new(r"dependencies\.x", json!(1)).dependency);
}

#[test]
fn the_version_proves_the_release_by_its_own_answer() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let asked = HealthGate { version: Some(VersionCheck::at("version".into())), ..gate(&[]) };
    assert_eq!(passed(answer(&asked, 200, "no json")), (vec![], None), "nobody to compare with");
    let expecting = asked.expecting([commit.to_owned(), "v1.4.2".to_owned()]);
    for right in [commit, &commit[..7], &commit[..12], "v1.4.2"] {
        let body = json!({ "version": right }).to_string();
        assert_eq!(passed(answer(&expecting, 200, &body)).1.as_deref(), Some(right));
    }
    for wrong in ["", "012345", "v1.4.", "v1.4.1", "1234567", "v1.4.20"] {
        let body = json!({ "version": wrong }).to_string();
        failure(answer(&expecting, 200, &body));
    }
    for body in ["{}", r#"{"version":null}"#, r#"{"version":["v1.4.2"]}"#, "v1.4.2"] {
        failure(answer(&expecting, 200, body));
    }
}

#[test]
fn numbers_are_equal_by_value_and_texts_are_no_numbers() {
    for (expected, body, same) in [
        (json!(1), "1.0", true),
        (json!(1.0), "1", true),
        (json!(1), r#""1""#, false),
        (json!("1"), "1", false),
        (json!(9_007_199_254_740_993_i64), "9007199254740992", false),
        (json!(0), "-0.0", true),
        (json!(null), "null", true),
        (json!([1, 2]), "[1.0, 2]", true),
        (json!([1, 2]), "[2, 1]", false),
        (json!({"a": 1}), r#"{"a":1.0}"#, true),
        (json!({"a": 1}), r#"{"a":1,"b":2}"#, false),
        (json!(true), r#""true""#, false),
    ] {
        let judgement =
            answer(&gate(&[("x", expected.clone())]), 200, &format!("{{\"x\":{body}}}"));
        assert_eq!(matches!(judgement, HealthJudgement::Passed { .. }), same, "{expected} {body}");
    }
}

#[test]
fn hostile_bodies_are_judged_and_shown_short_and_harmless() {
    let bombs: Vec<Vec<u8>> = vec![
        vec![b'['; 1_000_000],
        br#"{"a":"#.repeat(100_000),
        b"\xff\xfe\x00".to_vec(),
        b"".to_vec(),
        b"1e999999".to_vec(),
        b"NaN".to_vec(),
        b"{\"status\":\"ok\"".to_vec(),
        "\u{1b}]0;title\u{7}\u{202e}".repeat(1000).into_bytes(),
        vec![0; 1_000_000],
    ];
    for body in bombs {
        let failed = failure(judge(&ffmpeg(), 200, &body, false, Some("text/html\u{1b}[31m")));
        let HealthFailure::NotJson { detail, beginning } = &failed else { panic!("{failed}") };
        assert!(beginning.chars().count() <= SHOWN_LIMIT + 1 && detail.len() < 300);
        assert!(!failed.to_string().contains(crate::text::is_hostile), "{failed:?}");
    }
    let long = json!({"status": "x".repeat(1_000_000), "dependencies": {"ffmpeg": {"available": "\u{1b}[31m"}}});
    let shown = failure(answer(&ffmpeg(), 200, &long.to_string())).to_string();
    assert!(shown.chars().count() < 500 && !shown.contains('\u{1b}'), "{shown}");
    let huge = format!(r#"{{"status":{}}}"#, "9".repeat(300));
    failure(answer(&ffmpeg(), 200, &huge));
}

#[test]
fn a_body_that_goes_on_is_no_answer_where_its_content_counts() {
    let failed = failure(judge(&ffmpeg(), 200, GOOD.as_bytes(), true, None));
    assert!(matches!(failed, HealthFailure::TooLong { .. }));
}

#[test]
fn of_a_key_named_twice_the_last_counts() {
    let gate = gate(&[("a", json!(1))]);
    passed(answer(&gate, 200, r#"{"a":2,"a":1}"#));
    failure(answer(&gate, 200, r#"{"a":1,"a":2}"#));
}

#[test]
fn the_content_type_explains_and_does_not_decide() {
    passed(judge(&ffmpeg(), 200, GOOD.as_bytes(), false, Some("text/plain")));
    let failed = failure(judge(&ffmpeg(), 200, b"<html>", false, Some("text/html")));
    assert!(failed.to_string().contains("content type `text/html`; it begins: <html>"), "{failed}");
}

#[test]
fn every_failure_has_words_and_a_likely_cause() {
    for failure in [
        HealthFailure::NoSuchPath { status: 404, path: "/healthz".into() },
        HealthFailure::Locked { status: 401 },
        HealthFailure::Redirected { status: 302 },
        HealthFailure::ServerError { status: 503, findings: vec![] },
        HealthFailure::OtherStatus { status: 400 },
        HealthFailure::OtherStatus { status: 429 },
        HealthFailure::OtherStatus { status: 418 },
        HealthFailure::NotJson { detail: "x".into(), beginning: "y".into() },
        HealthFailure::TooLong { read: 1_000_000 },
        HealthFailure::WrongContent { findings: vec![] },
    ] {
        assert!(!failure.likely_cause().is_empty());
        let judgement = HealthJudgement::Failed(failure);
        let text = serde_json::to_string(&judgement).unwrap();
        assert_eq!(serde_json::from_str::<HealthJudgement>(&text).unwrap(), judgement);
    }
}

#[test]
fn the_address_is_the_services_or_another_or_none() {
    let service: Url = "https://abc.eu-central-1.awsapprunner.com".parse().unwrap();
    let target = |from: &str, path: &str| {
        let gate = HealthGate { from: from.parse().unwrap(), path: path.into(), ..gate(&[]) };
        gate.target(&service).map(String::from)
    };
    let own = "https://abc.eu-central-1.awsapprunner.com/healthz";
    assert_eq!(target("service", "/healthz").as_deref(), Some(own));
    let queried = target("service", "/healthz?full=1");
    assert_eq!(queried, Some(format!("{own}?full=1")));
    let inside = target("http://10.0.0.1:8080/base/", "/healthz");
    assert_eq!(inside.as_deref(), Some("http://10.0.0.1:8080/base/healthz"));
    assert_eq!(target("none", "/healthz"), None);
}

#[test]
fn a_gate_survives_the_journal() {
    let gate = HealthGate {
        from: "https://shop.internal.example/".parse().unwrap(),
        version: Some(VersionCheck::at("version".into())),
        ..ffmpeg()
    };
    let text = serde_json::to_string(&gate).unwrap();
    assert_eq!(serde_json::from_str::<HealthGate>(&text).unwrap(), gate);
}

proptest! {
    #[test]
    fn no_answer_makes_the_judge_panic(
        status: u16, body: Vec<u8>, truncated: bool, content_type: Option<String>,
    ) {
        let _judgement = judge(&ffmpeg(), status, &body, truncated, content_type.as_deref());
    }
}
