//! Values with a meaning of their own: repositories, roles, switches, where health is asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::names::{AccountId, Region, RepositoryName, RoleArn};

/// An ECR repository as it was named, with what its URI tells beside the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryChoice {
    /// Its name.
    pub name: RepositoryName,
    /// The account in the URI: to be compared with ours, never used instead of asking.
    pub account_hint: Option<AccountId>,
    /// The region in the URI, likewise.
    pub region_hint: Option<Region>,
    /// A tag or digest in the URI, which is not used.
    pub ignored: Option<String>,
}

impl RepositoryChoice {
    /// Reads `shop`, `team/shop` or `ACCOUNT.dkr.ecr.REGION.amazonaws.com/team/shop[:tag]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = text.strip_prefix("https://").unwrap_or(text);
        match text.split_once('/') {
            Some((host, rest)) if is_registry(host) => Self::behind(host, rest),
            _ => Self::named(text),
        }
    }

    fn named(text: &str) -> Result<Self, String> {
        if text.contains([':', '@']) {
            return Err("the name without a tag: surefoot chooses the tag".into());
        }
        let name = text.parse().map_err(|error: crate::names::NameError| error.reason)?;
        Ok(Self { name, account_hint: None, region_hint: None, ignored: None })
    }

    fn behind(host: &str, rest: &str) -> Result<Self, String> {
        if host == "public.ecr.aws" {
            return Err(
                "a private repository: images cannot be deployed by way of ECR Public".into()
            );
        }
        let (name, ignored) = match rest.split_once(['@', ':']) {
            Some((name, reference)) => (name, Some(reference.to_owned())),
            None => (rest, None),
        };
        let (account_hint, region_hint) = hints(host);
        Ok(Self { account_hint, region_hint, ignored, ..Self::named(name)? })
    }
}

/// Whether the part before the first `/` is a registry and not the start of a repository's name.
/// A name may hold dots, so a dot alone says nothing.
fn is_registry(host: &str) -> bool {
    host.contains(':')
        || host == "localhost"
        || host.ends_with(".amazonaws.com")
        || host.ends_with(".amazonaws.com.cn")
        || host.ends_with(".on.aws")
        || host == "public.ecr.aws"
        || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Account and region of `ACCOUNT.dkr.ecr.REGION.amazonaws.com` or `ACCOUNT.dkr-ecr.REGION.on.aws`.
fn hints(host: &str) -> (Option<AccountId>, Option<Region>) {
    let host = host.replacen(".dkr-ecr", ".dkr.ecr", 1);
    let parts: Vec<&str> = host.split('.').collect();
    match parts[..] {
        [account, "dkr", "ecr" | "ecr-fips", region, _, ..] => {
            (account.parse().ok(), region.parse().ok())
        }
        _ => (None, None),
    }
}

/// A role by its ARN, or by its name alone (looked up before it is used).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleChoice {
    /// The role itself.
    Arn(RoleArn),
    /// A name in the account we deploy to.
    Name(String),
}

impl RoleChoice {
    /// The ARN, where it was given.
    pub fn arn(&self) -> Option<&RoleArn> {
        match self {
            Self::Arn(arn) => Some(arn),
            Self::Name(_) => None,
        }
    }

    /// The name to look up, where no ARN was given.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Arn(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}

impl FromStr for RoleChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return text
                .parse()
                .map(Self::Arn)
                .map_err(|error: crate::names::NameError| error.reason);
        }
        // IAM: names have up to 64 of letters, digits and `+=,.@_-`. Source: IAM service model.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(Self::Name(text.into()));
        }
        Err("an ARN such as `arn:aws:iam::123456789012:role/NAME`, or the name alone".into())
    }
}

impl fmt::Display for RoleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => arn.fmt(f),
            Self::Name(name) => f.pad(name),
        }
    }
}

/// A plain environment value in memory. It is not shown: people keep secrets there.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What becomes of App Runner's automatic deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoDeployments {
    /// The switch goes unchanged into our one update: harmless beside a digest.
    #[default]
    Keep,
    /// Off while we work, then what it was, by a second update after success.
    Restore,
    /// Off, and it stays off.
    Off,
}

impl FromStr for AutoDeployments {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "restore" => Ok(Self::Restore),
            "off" => Ok(Self::Off),
            _ => Err("one of `keep`, `restore`, `off`".into()),
        }
    }
}

impl fmt::Display for AutoDeployments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Keep => "keep",
            Self::Restore => "restore",
            Self::Off => "off",
        })
    }
}

/// Where the health gate asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HealthFrom {
    /// The service's own URL.
    #[default]
    Service,
    /// Another address that leads to the service, for private ingress.
    Address(Url),
    /// Nowhere: the release stays unproven by its own answer.
    Nowhere,
}

impl FromStr for HealthFrom {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nowhere),
            "service" => Ok(Self::Service),
            address => Ok(Self::Address(parse_address(address)?)),
        }
    }
}

fn parse_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
        return Err("it starts with `https://` or `http://`".into());
    }
    // The address is journalled and shown: whatever could carry a credential has no place in it.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no user name and no password in it: it is stored and shown".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("no query and no fragment: they belong into `health.path`".into());
    }
    Ok(url)
}

impl TryFrom<String> for HealthFrom {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HealthFrom> for String {
    fn from(from: HealthFrom) -> String {
        from.to_string()
    }
}

impl fmt::Display for HealthFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.pad("service"),
            Self::Address(url) => url.fmt(f),
            Self::Nowhere => f.pad("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_or_located() {
        let named = RepositoryChoice::parse("my.team/shop").unwrap();
        assert_eq!((named.name.as_str(), named.region_hint), ("my.team/shop", None));
        for host in [
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            "123456789012.dkr.ecr-fips.eu-central-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-central-1.on.aws",
        ] {
            for suffix in ["", ":v1", "@sha256:00"] {
                let found = RepositoryChoice::parse(&format!("{host}/team/shop{suffix}")).unwrap();
                assert_eq!(found.name.as_str(), "team/shop");
                assert_eq!(found.account_hint.unwrap().as_str(), "123456789012");
                assert_eq!(found.region_hint.unwrap().as_str(), "eu-central-1");
                assert_eq!(found.ignored.is_some(), !suffix.is_empty());
            }
        }
        let sandbox = RepositoryChoice::parse("127.0.0.1:5000/shop:v1").unwrap();
        assert_eq!((sandbox.name.as_str(), sandbox.account_hint), ("shop", None));
    }

    #[test]
    fn what_is_no_private_repository_is_refused() {
        for bad in ["", "Shop", "shop:v1", "public.ecr.aws/x/shop", "localhost/", "a//b", "shop@x"]
        {
            assert!(RepositoryChoice::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_role_is_an_arn_or_a_name() {
        let arn = "arn:aws:iam::123456789012:role/service-role/pull";
        assert_eq!(arn.parse::<RoleChoice>().unwrap().arn().unwrap().role_name(), "pull");
        assert_eq!("pull".parse::<RoleChoice>().unwrap().name(), Some("pull"));
        for bad in
            ["", "role/pull", "arn:aws:iam::1:role/x", "arn:aws:s3:::x", "a b", &"x".repeat(65)]
        {
            assert!(bad.parse::<RoleChoice>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_for_health_carries_no_credential() {
        for bad in [
            "https://user:pass@host/",
            "https://user@host/",
            "https://host/?token=x",
            "https://host/#x",
            "ftp://host/",
            "host",
            "",
            "file:///etc/passwd",
            "None",
        ] {
            assert!(bad.parse::<HealthFrom>().is_err(), "{bad}");
        }
        for good in ["none", "service", "https://shop.internal.example/", "http://127.0.0.1:8080/x"]
        {
            assert_eq!(good.parse::<HealthFrom>().unwrap().to_string(), good);
        }
    }
}
