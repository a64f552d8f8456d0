//! Takes out of foreign texts what must not be shown or stored: known values, and what gives itself
//! away as a credential by its shape.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::release::Values;

/// Shorter values (`true`, `info`) are no secrets in a log: lines without them would say nothing.
pub const SHORTEST_IN_LOGS: usize = 6;

/// A value that was cut off at the end of a text is recognised by this much of its beginning.
const SHORTEST_BEGINNING: usize = 6;
const HIDDEN: &str = "(hidden)";

/// What is to be taken out of texts.
pub struct Redaction {
    forms: Vec<String>,
}

impl Redaction {
    /// Takes out these values, in any of the shapes they take, and credentials. Values shorter than
    /// `shortest` are no secrets, and hiding them would make any text unreadable.
    pub fn of(secrets: &Values, shortest: usize) -> Self {
        Self::of_all(&[secrets], shortest)
    }

    /// The same for values that come from several places: one name may have several.
    pub fn of_all(secrets: &[&Values], shortest: usize) -> Self {
        Self { forms: forms(secrets, shortest) }
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            if clean.contains(form) {
                clean = clean.replace(form, HIDDEN);
            }
            clean = without_cut_off(clean, form);
        }
        hide_credentials(&clean)
    }
}

/// Without the values: they are what must not be printed.
impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").finish_non_exhaustive()
    }
}

/// The values and the shapes they take inside other texts, longest first, so that no part of a
/// longer one is left over when a shorter one is hidden.
fn forms(secrets: &[&Values], shortest: usize) -> Vec<String> {
    let values = secrets.iter().flat_map(|values| values.iter());
    let mut forms: Vec<String> = values.flat_map(|(_, value)| shapes(value)).collect();
    forms.retain(|form| form.chars().count() >= shortest);
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// As it is; escaped as in JSON, in a URL, in XML, as shells quote it under `set -x`; line by line.
fn shapes(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let url: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut shapes = vec![value.to_owned(), json[1..json.len() - 1].to_owned(), xml];
    shapes.push(url.replace('+', "%20"));
    shapes.push(url);
    shapes.extend([r"'\''", r#"'"'"'"#].map(|quote| value.replace('\'', quote)));
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
static CREDENTIALS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i:(?P<kept>x-amz-security-token\W{1,3}|\b(?:bearer|basic)\s+|signature=)",
        r"(?P<value>[^\s,;]{6,}))",
        r"|(?i:(?P<named>(?:password|passwd|pwd|secret|token|api_?key|access_?key|private_?key)",
        r#"\w*["']?\s*[:=]\s*["']?)(?P<worth>[^\s,;"']{4,}))"#,
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b",
        r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_live_|sk-)[A-Za-z0-9_-]{16,}",
        r"|(?P<scheme>://)[^/\s@]+@",
        r"|[A-Za-z0-9+/=_]{120,}",
    ))
    .expect("a constant pattern")
});

fn hide_credentials(text: &str) -> String {
    let replace = |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        if !part("named").is_empty() && is_no_secret(part("named"), part("worth")) {
            return found[0].to_owned();
        }
        let at = if found.name("scheme").is_some() { "@" } else { "" };
        format!("{}{}{}{HIDDEN}{at}", part("kept"), part("named"), part("scheme"))
    };
    CREDENTIALS.replace_all(text, replace).into_owned()
}

/// Chains of causes read "… session token: service error", reports "secrets.readable = true": that
/// is no secret. A password may well be a word.
fn is_no_secret(name: &str, value: &str) -> bool {
    let name = name.to_lowercase();
    let password = ["password", "passwd", "pwd"].iter().any(|word| name.starts_with(word));
    let word = value.trim_end_matches([':', '.', ')']);
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (is_word && !password) || value.starts_with("arn:") || value.starts_with("(hidden)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_the_lines_of_an_application_are_hidden() {
        for (line, clean) in [
            ("connecting with DB_PASSWORD=hunter2 now", "connecting with DB_PASSWORD=(hidden) now"),
            ("{\"password\": \"correct horse\"}", "{\"password\": \"(hidden) horse\"}"),
            ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = (hidden)"),
            ("api_key: 'abcd-1234'", "api_key: '(hidden)'"),
            ("postgres://app:s3cret@db:5432/shop", "postgres://(hidden)@db:5432/shop"),
            ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM", "jwt (hidden)"),
            ("using ghp_0123456789abcdef0123", "using (hidden)"),
            ("AKIAIOSFODNN7EXAMPLE", "(hidden)"),
        ] {
            assert_eq!(Redaction::of(&Values::default(), 6).hide(line), clean);
        }
    }

    #[test]
    fn what_explains_a_failure_is_kept() {
        for line in [
            "failed to load IMDS session token: dispatch failure",
            "secrets.proxy_config_readable = true",
            "cannot read secret: arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop",
            "ModuleNotFoundError: No module named 'tokenizers'",
            "listening on 0.0.0.0:8080",
        ] {
            assert_eq!(Redaction::of(&Values::default(), 6).hide(line), line);
        }
    }

    #[test]
    fn known_values_are_hidden_from_the_shortest_length_on() {
        let values = [("A", "prod"), ("B", "s3cr3tive")];
        let named = values.iter().map(|(n, v)| (n.parse().unwrap(), (*v).to_owned()));
        let values = Values::new(named.collect());
        let redaction = Redaction::of(&values, 6);
        assert_eq!(redaction.hide("in prod with s3cr3tive"), "in prod with (hidden)");
        assert!(!format!("{redaction:?}").contains("s3cr3tive"));
    }

    #[test]
    fn a_value_is_hidden_as_a_shell_repeats_it() {
        let values = Values::new([("A".parse().unwrap(), "it's secret".to_owned())].into());
        let redaction = Redaction::of(&values, 6);
        for line in [r"+ echo 'it'\''s secret'", r#"+ echo 'it'"'"'s secret'"#] {
            assert_eq!(redaction.hide(line), "+ echo '(hidden)'");
        }
    }
}
