//! The kinds of values: what each should be, how it is written, how it is checked.

use std::time::Duration;

use super::times;
use super::units::{format_duration, parse_cpu, parse_duration, parse_memory};
use super::value::{AutoDeployments, HealthFrom, RepositoryChoice, RoleChoice};
use crate::names::{Region, ServiceName};

/// What a value is, and so how it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The name of an App Runner service.
    ServiceName,
    /// An AWS region.
    Region,
    /// An ECR repository by name or URI.
    Repository,
    /// What becomes of auto-deployments.
    AutoDeployments,
    /// Yes or no.
    Boolean,
    /// A path of the file system.
    Path,
    /// Any text that is not empty.
    Text,
    /// Any text.
    Command,
    /// A TCP port.
    Port,
    /// An instance's CPU.
    Cpu,
    /// An instance's memory.
    Memory,
    /// A role by ARN or name.
    Role,
    /// The path of a URL.
    UrlPath,
    /// A whole number, both ends included.
    Count(u32, u32),
    /// How App Runner checks health.
    Protocol,
    /// A span of time above zero.
    Duration,
    /// A span of time of at least a second: between two questions to AWS.
    Pause,
    /// Where the health gate asks.
    HealthFrom,
    /// The place of a value in a JSON document.
    JsonPath,
}

/// Which TOML types a kind may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A string.
    Text,
    /// A whole number or a string.
    Number,
    /// A boolean.
    Boolean,
}

impl Kind {
    /// What a value should be, with its article.
    pub fn expected(self) -> String {
        match self {
            Self::ServiceName => "a service name",
            Self::Region => "an AWS region such as `eu-central-1`",
            Self::Repository => "the name or the URI of an ECR repository",
            Self::AutoDeployments => "`keep`, `restore` or `off`",
            Self::Boolean => "`true` or `false`",
            Self::Path => "a path",
            Self::Text => "a text that is not empty",
            Self::Command => "a text",
            Self::Port => "a port from 1 to 65535",
            Self::Cpu => "an amount of CPU such as `1 vCPU` or `1024`",
            Self::Memory => "an amount of memory such as `2 GB` or `2048`",
            Self::Role => "the ARN or the name of an IAM role",
            Self::UrlPath => "a path that starts with `/`",
            Self::Count(least, most) => return format!("a whole number from {least} to {most}"),
            Self::Protocol => "`TCP` or `HTTP`",
            Self::Duration => "a duration such as `90s`, `45m` or `1h30m`",
            Self::Pause => "a duration of at least `1s`",
            Self::HealthFrom => "an http or https address, or `none`",
            Self::JsonPath => "the path of a JSON value such as `build.version`",
        }
        .into()
    }

    /// The unit of a number without one, for the document.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Duration | Self::Pause => "seconds",
            Self::Cpu => "CPU units",
            Self::Memory => "megabytes",
            _ => "",
        }
    }

    /// The value in its one canonical form, or why it is none.
    pub fn check(self, text: &str) -> Result<String, String> {
        if text.contains('\0') {
            return Err("it contains a NUL character".into());
        }
        match self {
            Self::ServiceName => reason(text.parse::<ServiceName>().map(|name| name.to_string())),
            Self::Region => reason(text.parse::<Region>().map(|name| name.to_string())),
            Self::Repository => RepositoryChoice::parse(text).map(|_| text.into()),
            Self::AutoDeployments => text.parse::<AutoDeployments>().map(|word| word.to_string()),
            Self::Boolean => parse_boolean(text).map(|yes| yes.to_string()),
            Self::Path | Self::Text if text.trim().is_empty() => Err("it is empty".into()),
            Self::Path | Self::Text => Ok(text.into()),
            Self::Command => short_enough(text).map(Into::into),
            Self::Port => check_count(text, 1, 65535),
            Self::Cpu => parse_cpu(text),
            Self::Memory => parse_memory(text),
            Self::Role => text.parse::<RoleChoice>().map(|role| role.to_string()),
            Self::UrlPath => check_url_path(text),
            Self::Count(least, most) => check_count(text, least, most),
            Self::Protocol => check_protocol(text),
            Self::Duration => check_duration(text, Duration::from_millis(1)),
            Self::Pause => check_duration(text, times::POLL_FLOOR),
            Self::HealthFrom => text.parse::<HealthFrom>().map(|from| from.to_string()),
            Self::JsonPath => check_json_path(text),
        }
    }

    pub(super) fn form(self) -> Form {
        match self {
            Self::Boolean => Form::Boolean,
            Self::Port
            | Self::Cpu
            | Self::Memory
            | Self::Count(..)
            | Self::Duration
            | Self::Pause => Form::Number,
            _ => Form::Text,
        }
    }
}

/// The rule that was broken, without the text: what was written may be a secret in the wrong place.
fn reason<T>(result: Result<T, crate::names::NameError>) -> Result<T, String> {
    result.map_err(|error| error.reason)
}

/// `true`, `1`, `yes`, `false`, `0`, `no`, in any case.
pub(super) fn parse_boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("one of `true`, `1`, `yes`, `false`, `0`, `no`".into()),
    }
}

/// App Runner's own limit for a start command. Source: service model.
fn short_enough(text: &str) -> Result<&str, String> {
    const MOST: usize = 51_200;
    let length = text.chars().count();
    if length > MOST {
        return Err(format!("at most {MOST} characters, this one has {length}"));
    }
    Ok(text)
}

fn check_count(text: &str, least: u32, most: u32) -> Result<String, String> {
    match text.trim().parse::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
        _ => Err(format!("a whole number from {least} to {most}")),
    }
}

fn check_duration(text: &str, least: Duration) -> Result<String, String> {
    let duration = parse_duration(text)?;
    if duration < least {
        return Err(format!("at least {}", format_duration(least)));
    }
    Ok(format_duration(duration))
}

fn check_protocol(text: &str) -> Result<String, String> {
    let upper = text.trim().to_ascii_uppercase();
    if ["TCP", "HTTP"].contains(&upper.as_str()) {
        Ok(upper)
    } else {
        Err("`TCP` or `HTTP`".into())
    }
}

fn check_url_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.starts_with("//") {
        return Err("it starts with one `/`".into());
    }
    if let Some(c) = text.chars().find(|c| c.is_whitespace() || crate::text::is_hostile(*c)) {
        return Err(format!("no white space and no control characters, found {c:?}"));
    }
    if text.contains(['#', '\\']) {
        return Err("no `#` and no `\\`".into());
    }
    if text.len() > 51_200 { Err("at most 51200 characters".into()) } else { Ok(text.into()) }
}

fn check_json_path(text: &str) -> Result<String, String> {
    if text.contains(crate::text::is_hostile) {
        return Err("no control characters".into());
    }
    if super::json_path::segments(text).iter().any(String::is_empty) {
        return Err("names separated by `.`, none of them empty".into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_path_stays_on_its_host() {
        for bad in ["", "healthz", "//evil.example", "/a b", "/a#b", "/a\\b", "/a\nb"] {
            assert!(Kind::UrlPath.check(bad).is_err(), "{bad:?}");
        }
    }
}
