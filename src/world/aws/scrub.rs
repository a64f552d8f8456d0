//! Foreign texts made fit to be shown and stored.

use crate::redaction::Redaction;
use crate::release::Values;
use crate::text::printable;

/// Shorter values (`1`, `on`, `dev`) are no secrets, and hiding them would make any text unreadable.
const SHORTEST_HIDDEN: usize = 4;
/// App Runner's messages have at most 600 characters. Source: service model.
const LONGEST_TEXT: usize = 1000;

/// A foreign text fit to be shown and stored: without the values, tokens and key ids that AWS may
/// echo, without control characters, and not too long.
pub fn scrub(text: &str, secrets: &Values) -> String {
    let clean = Redaction::of(secrets, SHORTEST_HIDDEN).hide(text);
    let one_line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&one_line, LONGEST_TEXT)
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
