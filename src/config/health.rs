//! The health gate: what a new release has to answer, and what its answer means.
//!
//! [`judge`] is pure: it sees a status and bytes, and never fails, whatever the bytes are.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::json_path;
use super::value::HealthFrom;
use crate::text::printable;

/// Assertions below this are about what the application depends on.
pub const DEPENDENCIES: &str = "dependencies";

/// At most so many characters of an answer are shown or stored.
const SHOWN_LIMIT: usize = 120;

/// The fewest hexadecimal digits that may stand for a commit: as git shortens.
const SHORTEST_COMMIT: usize = 7;

/// What a new release has to pass. It is journalled with the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthGate {
    /// The path that is asked.
    pub path: String,
    /// How often it is asked, at most.
    pub retries: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// The pause between two requests.
    pub interval: Duration,
    /// Passes in a row that prove the release.
    pub passes: u32,
    /// Where it is asked.
    pub from: HealthFrom,
    /// What the answer must say.
    pub assertions: Vec<Assertion>,
    /// Which version the answer must name.
    pub version: Option<VersionCheck>,
    /// Whether assertions about dependencies only warn.
    pub allow_missing_dependencies: bool,
}

/// One value the answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assertion {
    /// Its place in the answer.
    pub path: String,
    /// What must stand there.
    pub expected: Value,
    /// Whether it is about a dependency.
    pub dependency: bool,
}

impl Assertion {
    /// The assertion that this stands there.
    pub fn new(path: &str, expected: Value) -> Self {
        let parts = json_path::segments(path);
        let dependency = parts.len() > 1 && parts[0] == DEPENDENCIES;
        Self { path: path.into(), expected, dependency }
    }
}

/// Where the answer names its version, and which versions are the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionCheck {
    /// Its place in the answer.
    pub path: String,
    /// The names of the release, such as its commit and tag. None yet: the version is not judged.
    pub accepted: Vec<String>,
}

impl VersionCheck {
    /// The check of the version at this place, before a release is known.
    pub fn at(path: String) -> Self {
        Self { path, accepted: Vec::new() }
    }

    /// Whether this is the release. A shortened commit names the commit.
    fn accepts(&self, version: &str) -> bool {
        self.accepted.iter().any(|accepted| {
            let shortened = version.len() >= SHORTEST_COMMIT
                && accepted.starts_with(version)
                && accepted.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            accepted == version || shortened
        })
    }
}

impl HealthGate {
    /// The gate for a release that goes by these names (commit, tag).
    #[must_use]
    pub fn expecting(mut self, versions: impl IntoIterator<Item = String>) -> Self {
        if let Some(check) = &mut self.version {
            check.accepted = versions.into_iter().collect();
        }
        self
    }

    /// The address that is asked; `service` is the service's own. Nothing where nothing is asked.
    pub fn target(&self, service: &Url) -> Option<Url> {
        let base = match &self.from {
            HealthFrom::Service => service,
            HealthFrom::Address(address) => address,
            HealthFrom::Nowhere => return None,
        };
        let (path, query) = match self.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.path.as_str(), None),
        };
        let mut target = base.clone();
        target.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
        target.set_query(query);
        Some(target)
    }

    /// Whether a failure of this assertion is let pass.
    fn forgives(&self, assertion: &Assertion) -> bool {
        assertion.dependency && self.allow_missing_dependencies
    }

    /// Whether the verdict depends on what the body says.
    fn needs_body(&self) -> bool {
        self.judges_version().is_some() || self.assertions.iter().any(|it| !self.forgives(it))
    }

    fn judges_version(&self) -> Option<&VersionCheck> {
        self.version.as_ref().filter(|check| !check.accepted.is_empty())
    }
}

/// What one answer means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthJudgement {
    /// It is as it should be.
    Passed {
        /// What is missing and let pass.
        warnings: Vec<Finding>,
        /// The version it named, where it was asked and is right: the release's own proof.
        version: Option<String>,
    },
    /// It is not.
    Failed(HealthFailure),
}

/// Why an answer is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthFailure {
    /// 404 or 410: the path is wrong.
    NoSuchPath {
        /// The status.
        status: u16,
        /// The path.
        path: String,
    },
    /// 401, 403 or 407: the path wants a login.
    Locked {
        /// The status.
        status: u16,
    },
    /// 3xx: it points elsewhere.
    Redirected {
        /// The status.
        status: u16,
    },
    /// 5xx: the application is unwell.
    ServerError {
        /// The status.
        status: u16,
        /// What its body says about the assertions, where it says anything.
        findings: Vec<Finding>,
    },
    /// Another status that is no success.
    OtherStatus {
        /// The status.
        status: u16,
    },
    /// 2xx, but the body is no JSON, and assertions need it.
    NotJson {
        /// Why it is none, with its content type.
        detail: String,
        /// How it begins, made printable.
        beginning: String,
    },
    /// 2xx, but the body is longer than is read.
    TooLong {
        /// How much was read, in bytes.
        read: u64,
    },
    /// 2xx and JSON, but it says the wrong thing.
    WrongContent {
        /// Each assertion that fails.
        findings: Vec<Finding>,
    },
}

/// One assertion that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The place in the answer.
    pub path: String,
    /// What should stand there.
    pub expected: String,
    /// What stands there, made printable; nothing where the place does not exist.
    pub found: Option<String>,
}

/// Judges one answer.
pub fn judge(
    gate: &HealthGate,
    status: u16,
    body: &[u8],
    truncated: bool,
    content_type: Option<&str>,
) -> HealthJudgement {
    if !(200..300).contains(&status) {
        return HealthJudgement::Failed(judge_status(gate, status, body));
    }
    match read_body(body, truncated, content_type) {
        Ok(document) => judge_content(gate, &document),
        Err(failure) if gate.needs_body() => HealthJudgement::Failed(failure),
        Err(_) => HealthJudgement::Passed { warnings: unheard(gate), version: None },
    }
}

fn judge_status(gate: &HealthGate, status: u16, body: &[u8]) -> HealthFailure {
    match status {
        404 | 410 => HealthFailure::NoSuchPath { status, path: gate.path.clone() },
        401 | 403 | 407 => HealthFailure::Locked { status },
        300..=399 => HealthFailure::Redirected { status },
        500..=599 => {
            // Many applications say what is wrong in the body of their 503.
            let document = serde_json::from_slice(body).ok();
            let findings = document.map(|document| failures(gate, &document)).unwrap_or_default();
            HealthFailure::ServerError { status, findings }
        }
        _ => HealthFailure::OtherStatus { status },
    }
}

fn read_body(
    body: &[u8],
    truncated: bool,
    content_type: Option<&str>,
) -> Result<Value, HealthFailure> {
    if truncated {
        return Err(HealthFailure::TooLong { read: body.len() as u64 });
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(text).map_err(|error| {
        let reason = match std::str::from_utf8(text) {
            _ if text.is_empty() => "the body is empty".to_owned(),
            Err(broken) => format!("not UTF-8 from byte {}", broken.valid_up_to()),
            Ok(_) => error.to_string(),
        };
        let named = content_type.map(|name| format!(", content type `{}`", printable(name, 60)));
        HealthFailure::NotJson {
            detail: format!("{reason}{}", named.unwrap_or_default()),
            beginning: excerpt(text),
        }
    })
}

/// The first characters of a body. Only they are decoded, however long it is.
fn excerpt(body: &[u8]) -> String {
    let start = &body[..body.len().min(4 * SHOWN_LIMIT)];
    printable(&String::from_utf8_lossy(start), SHOWN_LIMIT)
}

fn judge_content(gate: &HealthGate, document: &Value) -> HealthJudgement {
    let findings = failures(gate, document);
    if !findings.is_empty() {
        return HealthJudgement::Failed(HealthFailure::WrongContent { findings });
    }
    let forgiven = gate.assertions.iter().filter(|assertion| gate.forgives(assertion));
    HealthJudgement::Passed {
        warnings: forgiven.filter_map(|assertion| unmet(assertion, document)).collect(),
        version: gate.judges_version().and_then(|check| version(document, &check.path)),
    }
}

/// What is not let pass and does not hold.
fn failures(gate: &HealthGate, document: &Value) -> Vec<Finding> {
    let strict = gate.assertions.iter().filter(|assertion| !gate.forgives(assertion));
    let unmet = strict.filter_map(|assertion| unmet(assertion, document));
    unmet.chain(wrong_version(gate, document)).collect()
}

/// Nobody said anything about what is let pass anyway.
fn unheard(gate: &HealthGate) -> Vec<Finding> {
    let finding = |assertion: &Assertion| Finding {
        path: assertion.path.clone(),
        expected: shown(&assertion.expected),
        found: None,
    };
    gate.assertions.iter().map(finding).collect()
}

fn unmet(assertion: &Assertion, document: &Value) -> Option<Finding> {
    let found = json_path::find(document, &assertion.path);
    if found.is_some_and(|found| same(found, &assertion.expected)) {
        return None;
    }
    Some(Finding {
        path: assertion.path.clone(),
        expected: shown(&assertion.expected),
        found: found.map(shown),
    })
}

fn wrong_version(gate: &HealthGate, document: &Value) -> Option<Finding> {
    let check = gate.judges_version()?;
    let found = version(document, &check.path);
    if found.as_deref().is_some_and(|version| check.accepts(version)) {
        return None;
    }
    Some(Finding {
        path: check.path.clone(),
        expected: check.accepted.join(" or "),
        found: json_path::find(document, &check.path).map(shown),
    })
}

fn version(document: &Value, path: &str) -> Option<String> {
    match json_path::find(document, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether two values say the same. `1` and `1.0` do; `1` and `"1"` do not.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            found == expected || found.as_f64() == expected.as_f64() && is_exact(found, expected)
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| same(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected.iter().all(|(name, expected)| {
                    found.get(name).is_some_and(|found| same(found, expected))
                })
        }
        _ => found == expected,
    }
}

/// Two whole numbers are compared as such: as floating point, large neighbours are equal.
fn is_exact(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    one.is_f64() || other.is_f64()
}

/// A value short enough and harmless enough to be shown and stored.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        Value::String(text) => format!("\"{}\"", printable(text, SHOWN_LIMIT)),
        plain => printable(&plain.to_string(), SHOWN_LIMIT),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, expected) = (printable(&self.path, SHOWN_LIMIT), &self.expected);
        match &self.found {
            Some(found) => write!(f, "`{path}` is {found}, expected {expected}"),
            None => write!(f, "`{path}` is missing, expected {expected}"),
        }
    }
}

impl fmt::Display for HealthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPath { status, path } => write!(f, "{status}: there is no `{path}`"),
            Self::Locked { status } => write!(f, "{status}: the path wants a login"),
            Self::Redirected { status } => write!(f, "{status}: it points elsewhere"),
            Self::ServerError { status, findings } => {
                write!(f, "{status}: the application reports an error")?;
                findings.iter().try_for_each(|finding| write!(f, "; {finding}"))
            }
            Self::OtherStatus { status } => write!(f, "{status} where 200 was expected"),
            Self::NotJson { detail, beginning } => {
                write!(f, "the answer is not JSON: {detail}; it begins: {beginning}")
            }
            Self::TooLong { read } => {
                write!(f, "the answer goes on after {}", super::units::format_bytes(*read))
            }
            Self::WrongContent { findings } => {
                let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("; "))
            }
        }
    }
}

impl HealthFailure {
    /// What to look at first.
    pub fn likely_cause(&self) -> &'static str {
        match self {
            Self::NoSuchPath { .. } => {
                "the release has no such path, or `health.path` in surefoot.toml is wrong: it must answer 200"
            }
            Self::Locked { .. } => {
                "the health path is behind a login: let it answer without one, or name another"
            }
            Self::Redirected { .. } => {
                "the health path redirects, to a login or to https: name the path that answers itself"
            }
            Self::ServerError { .. } => "the application fails: read its log",
            Self::OtherStatus { status: 400 } => {
                "the application refuses the host name: allow the service's own (Django: ALLOWED_HOSTS)"
            }
            Self::OtherStatus { status: 429 } => "the application limits how often it may be asked",
            Self::OtherStatus { .. } => "the health path is not meant for GET",
            Self::NotJson { .. } => {
                "`[health.assert]` and `health.version` need JSON: name the path that answers it"
            }
            Self::TooLong { .. } => "the path serves something larger than a health answer",
            Self::WrongContent { .. } => "the release runs, and something it needs is not there",
        }
    }
}

#[cfg(test)]
mod tests;
