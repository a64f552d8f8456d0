//! Takes out of foreign texts what must not be shown or stored.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::names::printable;
use crate::release::Values;

/// Shorter values (`1`, `on`, `dev`) are no secrets, and hiding them would make any text unreadable.
const SHORTEST_HIDDEN: usize = 4;
/// A value that AWS cut off at the end of its text is recognised by this much of its beginning.
const SHORTEST_BEGINNING: usize = 6;
/// App Runner's messages have at most 600 characters. Source: service model.
const LONGEST_TEXT: usize = 1000;
const HIDDEN: &str = "(hidden)";

/// A foreign text fit to be shown and stored: without the values, tokens and key ids that AWS may
/// echo, without control characters, and not too long.
pub fn scrub(text: &str, secrets: &Values) -> String {
    let mut clean = text.to_owned();
    for form in forms(secrets) {
        clean = clean.replace(&form, HIDDEN);
        clean = without_cut_off(clean, &form);
    }
    clean = hide_tokens(&clean);
    let one_line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&one_line, LONGEST_TEXT)
}

/// The values and the shapes they take inside other texts, longest first, so that no part of a
/// longer one is left over when a shorter one is hidden.
fn forms(secrets: &Values) -> Vec<String> {
    let mut forms: Vec<String> = secrets.iter().flat_map(|(_, value)| shapes(value)).collect();
    forms.retain(|form| form.chars().count() >= SHORTEST_HIDDEN);
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// As it is; escaped as in JSON, in a URL, in XML; line by line.
fn shapes(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let url: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut shapes = vec![value.to_owned(), json[1..json.len() - 1].to_owned(), xml];
    shapes.push(url.replace('+', "%20"));
    shapes.push(url);
    shapes.extend(value.lines().map(|line| line.trim().to_owned()));
    shapes
}

/// Hides the beginning of a value at the very end of a text: AWS cuts its texts.
fn without_cut_off(text: String, value: &str) -> String {
    let bare = text.trim_end_matches(['.', '…', '\'', '"', ' ']);
    let longest = value
        .char_indices()
        .map(|(at, _)| at)
        .rfind(|at| *at >= SHORTEST_BEGINNING && bare.ends_with(&value[..*at]));
    match longest {
        Some(length) => format!("{}{HIDDEN}", &bare[..bare.len() - length]),
        None => text,
    }
}

/// What gives itself away by its shape, wherever it comes from.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i:(?P<kept>x-amz-security-token\W{1,3}|\b(?:bearer|basic)\s+|signature=|",
        r"\b(?:password|passwd|secret|token|secretkey|secretaccesskey)\W?\s*[:=]\s*\W?)(?P<value>[^\s,;]{6,}))",
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b",
        r"|(?P<scheme>://)[^/\s@]+@",
        r"|[A-Za-z0-9+/=_]{120,}",
    ))
    .expect("a constant pattern")
});

fn hide_tokens(text: &str) -> String {
    let replace = |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        if part("kept").to_lowercase().starts_with("token") && is_a_word(part("value")) {
            return found[0].to_owned();
        }
        let at = if found.name("scheme").is_some() { "@" } else { "" };
        format!("{}{}{HIDDEN}{at}", part("kept"), part("scheme"))
    };
    TOKENS.replace_all(text, replace).into_owned()
}

/// Chains of causes read "… session token: service error": that is no token.
fn is_a_word(text: &str) -> bool {
    text.trim_end_matches(':').bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[&str]) -> Values {
        let named = values.iter().enumerate();
        Values::new(
            named.map(|(n, v)| (format!("V{n}").parse().unwrap(), (*v).to_owned())).collect(),
        )
    }

    #[test]
    fn values_are_hidden_in_every_shape_they_take() {
        let secrets = values(&["pa\"ss&w<rd 1", "two\nlines here"]);
        for text in [
            "value 'pa\"ss&w<rd 1' is bad",
            r#"value 'pa\"ss&w<rd 1' is bad"#,
            "value 'pa&\u{0}' pa\"ss&amp;w&lt;rd 1 is bad",
            "value pa%22ss%26w%3Crd+1 is bad",
            "value pa%22ss%26w%3Crd%201 is bad",
            "first two then lines here is bad",
            "two\nlines here is bad",
        ] {
            let clean = scrub(text, &secrets);
            assert!(clean.contains("(hidden)") && clean.ends_with("is bad"), "{clean}");
            assert!(
                !clean.contains("ss&") && !clean.contains("ss%") && !clean.contains("lines here"),
                "{clean}"
            );
        }
    }

    #[test]
    fn a_longer_value_leaves_no_rest_behind_a_shorter_one() {
        assert_eq!(
            scrub("x hunter2-extra y", &values(&["hunter2", "hunter2-extra"])),
            "x (hidden) y"
        );
    }

    #[test]
    fn a_value_cut_off_at_the_end_is_hidden_too() {
        let secrets = values(&["a-very-long-secret-value"]);
        assert_eq!(scrub("bad: 'a-very-long-sec...", &secrets), "bad: '(hidden)");
        assert_eq!(scrub("nothing about a", &secrets), "nothing about a");
    }

    #[test]
    fn short_values_stay_so_that_the_text_stays_readable() {
        assert_eq!(scrub("1 of 20", &values(&["1", "on"])), "1 of 20");
    }

    #[test]
    fn tokens_and_key_ids_are_recognised_by_their_shape() {
        let long = "A1b2".repeat(40);
        for (text, clean) in [
            ("key AKIAIOSFODNN7EXAMPLE is unknown", "key (hidden) is unknown"),
            ("Authorization: Basic QVdTOnBhc3N3b3Jk", "Authorization: Basic (hidden)"),
            ("x-amz-security-token:IQoJb3JpZ2lu next", "x-amz-security-token:(hidden) next"),
            ("GET https://AWS:abc@host/v2/", "GET https://(hidden)@host/v2/"),
            ("password: hunter2hunter2", "password: (hidden)"),
            ("token: f00dfaceb00c", "token: (hidden)"),
            (long.as_str(), "(hidden)"),
        ] {
            assert_eq!(scrub(text, &Values::default()), clean);
        }
    }

    #[test]
    fn what_a_person_needs_is_kept() {
        for text in [
            "Your authorization token has expired. Reauthenticate and try again.",
            "Error in assuming access role arn:aws:iam::123456789012:role/service-role/Access",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/shop@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
            "The security token included in the request is expired",
            "failed to load IMDS session token: dispatch failure",
        ] {
            assert_eq!(scrub(text, &Values::default()), text);
        }
    }

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(scrub("a\u{1b}[2Jb\nc", &Values::default()), "a\u{fffd}[2Jb c");
        assert!(scrub(&"word ".repeat(1000), &Values::default()).chars().count() <= 1001);
    }
}
