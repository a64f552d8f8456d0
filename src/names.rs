//! Names and identifiers: parsed once at the edge, valid inside.
//!
//! Every type here is a checked string. There is nothing to check again further in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::text::{canonical_json, printable};

/// Why a text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}: {reason}")]
pub struct NameError {
    /// What was given, shortened and without control characters.
    pub text: String,
    /// What it should have been, with its article.
    pub expected: &'static str,
    /// The rule that it breaks.
    pub reason: String,
}

impl NameError {
    fn new(text: &str, expected: &'static str, reason: impl Into<String>) -> Self {
        Self { text: printable(text, 80), expected, reason: reason.into() }
    }
}

/// What an error may repeat: nothing of a text that may be a secret pasted into the wrong place.
fn shown<'a>(text: &'a str, expected: &str) -> &'a str {
    if expected == "a secret reference" { "(hidden)" } else { text }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map_err(|reason| NameError::new(shown(text, $expected), $expected, reason))?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

names! {
    /// An App Runner service name: 4 to 40 of letters, digits, `-`, `_`. Source: service model.
    ServiceName, "a service name", service_name;
    /// An AWS region, such as `eu-central-1`.
    Region, "an AWS region", region;
    /// A twelve-digit AWS account number.
    AccountId, "an AWS account number", account;
    /// A container image tag, as the OCI distribution specification allows it.
    Tag, "an image tag", tag;
    /// An image manifest digest, `sha256:` and 64 lowercase hexadecimal digits.
    Digest, "an image digest", digest;
    /// The name of an ECR repository, without registry and account. Source: ECR service model.
    RepositoryName, "an ECR repository name", repository_name;
    /// An App Runner operation id. Opaque: the recorded reality (32 hexadecimal digits) contradicts
    /// the pattern in the service model (dashed UUID).
    OperationId, "an operation id", opaque;
    /// The ARN of an App Runner service.
    ServiceArn, "a service ARN", |text| arn(text, "apprunner");
    /// The ARN of an IAM role. Source: App Runner service model, `RoleArn`.
    RoleArn, "an IAM role ARN", role_arn;
    /// A reference to a secret: a Secrets Manager ARN (with its optional `:json-key:stage:version`)
    /// or an SSM parameter ARN or name. Never a value.
    SecretReference, "a secret reference", secret_reference;
    /// The name of an environment variable.
    VariableName, "an environment variable name", variable_name;
    /// The identity of one deployment attempt, planted in the service as our mark.
    DeploymentId, "a deployment id", deployment_id;
    /// A hash of a plain environment value, lowercase hexadecimal SHA-256.
    ValueHash, "a value hash", |text| hexadecimal(text, 64);
    /// A hash of a request body in canonical JSON, lowercase hexadecimal SHA-256.
    PayloadHash, "a payload hash", |text| hexadecimal(text, 64);
    /// A git commit, full or abbreviated, lowercase hexadecimal.
    Commit, "a git commit", commit;
}

fn service_name(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if !(4..=40).contains(&length) {
        return Err(format!("a service name has 4 to 40 characters, this one has {length}"));
    }
    only(text, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_', "letters, digits, `-`, `_`")?;
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("it starts with a letter or a digit".into());
    }
    Ok(())
}

fn region(text: &str) -> Result<(), String> {
    only(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-', "a-z, 0-9, `-`")?;
    let parts: Vec<&str> = text.split('-').collect();
    let ends_in_number = parts.last().is_some_and(|last| last.parse::<u8>().is_ok());
    if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) || !ends_in_number {
        return Err("it looks like `eu-central-1`".into());
    }
    Ok(())
}

fn account(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err("it has twelve digits".into())
}

fn tag(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 128 {
        return Err(format!("a tag has 1 to 128 characters, this one has {}", text.len()));
    }
    only(
        text,
        |c| c.is_ascii_alphanumeric() || "_.-".contains(c),
        "letters, digits, `_`, `.`, `-`",
    )?;
    if text.starts_with(['.', '-']) {
        return Err("it starts with a letter, a digit or `_`".into());
    }
    Ok(())
}

fn digest(text: &str) -> Result<(), String> {
    let hexadecimal_part = text.strip_prefix("sha256:").ok_or("it starts with `sha256:`")?;
    hexadecimal(hexadecimal_part, 64)
}

fn repository_name(text: &str) -> Result<(), String> {
    if !(2..=256).contains(&text.len()) {
        return Err(format!("it has 2 to 256 characters, this one has {}", text.len()));
    }
    let good = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge)
            && part.ends_with(edge)
            && part.chars().all(|c| edge(c) || "._-".contains(c))
    };
    if text.split('/').all(good) {
        return Ok(());
    }
    Err("parts of lowercase letters, digits, `.`, `_`, `-`, separated by `/`".into())
}

fn opaque(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 128 {
        return Err("it has 1 to 128 characters".into());
    }
    only(text, |c| c.is_ascii_graphic(), "visible ASCII")
}

fn arn(text: &str, service: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if parts.len() == 6 && parts[0] == "arn" && parts[2] == service && !parts[5].is_empty() {
        return only(text, |c| c.is_ascii_graphic(), "visible ASCII");
    }
    Err(format!("it starts with `arn:aws:{service}:`"))
}

fn role_arn(text: &str) -> Result<(), String> {
    arn(text, "iam")?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if account(parts[4]).is_ok() && parts[5].starts_with("role/") {
        return Ok(());
    }
    Err("it looks like `arn:aws:iam::123456789012:role/NAME`".into())
}

fn secret_reference(text: &str) -> Result<(), String> {
    let secret = arn(text, "secretsmanager").is_ok() && text.contains(":secret:");
    let parameter = arn(text, "ssm").is_ok() && text.contains(":parameter/");
    if secret || parameter {
        return Ok(());
    }
    // The text may be the secret itself, pasted into the wrong place: it is not repeated in full.
    Err("it is an ARN such as `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-AbCdEf`, \
         never the value itself"
        .into())
}

fn variable_name(text: &str) -> Result<(), String> {
    // App Runner itself allows nearly anything here (service model); what lives must survive us.
    if text.is_empty() || text.len() > 51_200 {
        return Err("it has 1 to 51200 characters".into());
    }
    if text.contains(['=', '\0']) {
        return Err("no `=` and no NUL".into());
    }
    Ok(())
}

fn deployment_id(text: &str) -> Result<(), String> {
    if text.len() == 26 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Ok(());
    }
    Err("it has 26 lowercase letters and digits".into())
}

fn hexadecimal(text: &str, length: usize) -> Result<(), String> {
    if text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(format!("{length} lowercase hexadecimal digits"))
}

fn commit(text: &str) -> Result<(), String> {
    if !(4..=64).contains(&text.len()) {
        return Err("it has 4 to 64 hexadecimal digits".into());
    }
    hexadecimal(text, text.len())
}

fn only(text: &str, allowed: fn(char) -> bool, words: &str) -> Result<(), String> {
    match text.chars().find(|c| !allowed(*c)) {
        None if !text.is_empty() => Ok(()),
        None => Err("it is empty".into()),
        Some(c) => Err(format!("only {words}; found {c:?}")),
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The first eight hexadecimal digits: enough for a person.
    pub fn short(&self) -> &str {
        &self.0[7..15]
    }
}

impl DeploymentId {
    /// The id that follows from these facts: the same facts give the same id, so that a dry run and
    /// the run after it send the same bytes.
    pub fn derived_from(facts: &[&str]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut hash = Sha256::new();
        for fact in facts {
            hash.update((fact.len() as u64).to_be_bytes());
            hash.update(fact.as_bytes());
        }
        let text = hash
            .finalize()
            .iter()
            .take(26)
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect();
        Self(text)
    }
}

impl ValueHash {
    /// The hash of one environment value, bound to its variable's name so that equal values of
    /// different variables do not show as equal.
    pub fn of(name: &VariableName, value: &str) -> Self {
        let text = format!("surefoot environment value\n{name}\n{value}");
        Self(hex::encode(Sha256::digest(text.as_bytes())))
    }

    /// The first eight hexadecimal digits.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl PayloadHash {
    /// The hash of a request body: SHA-256 over JSON with sorted keys and no white space.
    pub fn of(body: &serde_json::Value) -> Self {
        Self(hex::encode(Sha256::digest(canonical_json(body).as_bytes())))
    }
}

impl Commit {
    /// The first seven digits, as git shortens.
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(7)]
    }
}

impl RoleArn {
    /// The role's own name: the last part of the path.
    pub fn role_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl SecretReference {
    /// The ARN without the `:json-key:stage:version` suffix that App Runner allows behind it.
    /// Source: App Runner developer guide, environment variables.
    pub fn secret_arn(&self) -> String {
        let parts: Vec<&str> = self.0.split(':').collect();
        if self.is_parameter() { self.0.clone() } else { parts[..parts.len().min(7)].join(":") }
    }

    /// Whether an SSM parameter is meant, not a Secrets Manager secret.
    pub fn is_parameter(&self) -> bool {
        self.0.split(':').nth(2) == Some("ssm")
    }
}

/// An image as App Runner is told of it: `registry/repository@sha256:…` or `registry/repository:tag`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageIdentifier {
    /// Host, and port where there is one.
    pub registry: String,
    /// The repository's name.
    pub repository: RepositoryName,
    /// Which image of it.
    pub reference: Reference,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A name that can move.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl ImageIdentifier {
    /// The identifier of this image by content.
    pub fn by_digest(repository_uri: &str, digest: &Digest) -> Result<Self, NameError> {
        format!("{repository_uri}@{digest}").parse()
    }

    /// The digest, when the identifier carries the proof itself.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.reference {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(_) => None,
        }
    }

    /// The tag, when it is named by one.
    pub fn tag(&self) -> Option<&Tag> {
        match &self.reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        }
    }

    /// Registry and repository, without the reference.
    pub fn repository_uri(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Repository and a reference short enough for a person.
    pub fn short(&self) -> String {
        match &self.reference {
            Reference::Tag(tag) => format!("{}:{tag}", self.repository),
            Reference::Digest(digest) => format!("{}@{}", self.repository, digest.short()),
        }
    }
}

impl FromStr for ImageIdentifier {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |reason: &str| NameError::new(text, "an image identifier", reason);
        let (registry, rest) =
            text.split_once('/').ok_or_else(|| wrong("REGISTRY/REPOSITORY:TAG or …@sha256:…"))?;
        only(registry, |c| c.is_ascii_alphanumeric() || ".-:".contains(c), "a host name")
            .map_err(|reason| wrong(&reason))?;
        let (repository, reference) = match rest.split_once('@') {
            Some((repository, digest)) => (repository, Reference::Digest(digest.parse()?)),
            None => match rest.rsplit_once(':') {
                Some((repository, tag)) => (repository, Reference::Tag(tag.parse()?)),
                None => (rest, Reference::Tag(Tag("latest".into()))),
            },
        };
        Ok(Self { registry: registry.to_owned(), repository: repository.parse()?, reference })
    }
}

impl TryFrom<String> for ImageIdentifier {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ImageIdentifier> for String {
    fn from(identifier: ImageIdentifier) -> String {
        identifier.to_string()
    }
}

impl fmt::Display for ImageIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}/{}:{tag}", self.registry, self.repository),
            Reference::Digest(digest) => {
                write!(f, "{}/{}@{digest}", self.registry, self.repository)
            }
        }
    }
}

/// The address of a service as it is asked: https always, http only for a loopback address of an
/// overridden endpoint (the sandbox).
pub fn service_address(host: &str, endpoint: Option<&str>) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<std::net::IpAddr>();
    let loopback = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let scheme = if loopback && endpoint.is_some() { "http" } else { "https" };
    format!("{scheme}://{host}")
}

/// The name of a journal stream: one service of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName {
    /// The account that owns the service.
    pub account: AccountId,
    /// The region it runs in.
    pub region: Region,
    /// Its name.
    pub service: ServiceName,
}

impl FromStr for StreamName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [account, region, service] = parts[..] else {
            return Err(NameError::new(text, "a stream name", "ACCOUNT/REGION/SERVICE"));
        };
        Ok(Self { account: account.parse()?, region: region.parse()?, service: service.parse()? })
    }
}

impl TryFrom<String> for StreamName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> String {
        name.to_string()
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.region, self.service)
    }
}

/// The number of a deployment of one service, from 1: `#17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentNumber(pub u64);

impl fmt::Display for DeploymentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("#{}", self.0))
    }
}

impl FromStr for DeploymentNumber {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let number = text.strip_prefix('#').unwrap_or(text).parse();
        let wrong = |_| NameError::new(text, "a deployment number", "a number, such as 17");
        number.map(Self).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_speak_http_only_on_loopback_of_an_overridden_endpoint() {
        let sandbox = Some("http://127.0.0.1:4566");
        assert_eq!(service_address("127.0.0.1:8001", sandbox), "http://127.0.0.1:8001");
        assert_eq!(service_address("127.0.0.1:8001", None), "https://127.0.0.1:8001");
        assert_eq!(service_address("[::1]:8001", sandbox), "http://[::1]:8001");
        assert_eq!(service_address("x.awsapprunner.com", sandbox), "https://x.awsapprunner.com");
        assert_eq!(service_address("127.evil.example", sandbox), "https://127.evil.example");
    }

    #[test]
    fn names_app_runner_would_refuse_are_refused() {
        for bad in ["abc", "a b c d", "-abcd", "äbcd", "x".repeat(41).as_str(), "web/app", ""] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
        for good in ["shop", "Shop_1-a", "x".repeat(40).as_str(), "1abc"] {
            assert!(good.parse::<ServiceName>().is_ok(), "{good}");
        }
    }

    #[test]
    fn identifiers_survive_a_round_trip() {
        let digest = Digest::of(b"x");
        for text in [
            format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/shop@{digest}"),
            "127.0.0.1:5000/shop:v1".to_owned(),
        ] {
            assert_eq!(text.parse::<ImageIdentifier>().unwrap().to_string(), text);
        }
        let plain: ImageIdentifier = "localhost:5000/shop".parse().unwrap();
        assert_eq!(plain.tag().unwrap().as_str(), "latest");
        assert!("shop:v1".parse::<ImageIdentifier>().is_err());
        assert!("h/shop@sha256:12".parse::<ImageIdentifier>().is_err());
    }

    #[test]
    fn a_pasted_secret_is_refused_where_an_arn_belongs() {
        assert!("hunter2".parse::<SecretReference>().is_err());
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:password::";
        let secret: SecretReference = arn.parse().unwrap();
        assert_eq!(secret.secret_arn(), arn.trim_end_matches(":password::"));
    }

    #[test]
    fn derived_ids_depend_on_every_fact_and_on_their_borders() {
        let id = |facts: &[&str]| DeploymentId::derived_from(facts);
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["a", "b"]), id(&["ab", ""]));
        assert!(id(&["a"]).as_str().parse::<DeploymentId>().is_ok());
    }
}
