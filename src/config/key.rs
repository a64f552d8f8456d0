//! Every key there is: name, kind, flag, variables, default, example, meaning. One table that the
//! file reader, the precedence and the document share.

use std::time::Duration;

use super::times;
use super::units::{format_duration, parse_cpu, parse_duration, parse_memory};
use super::value::{AutoDeployments, HealthFrom, RepositoryChoice, RoleChoice};
use crate::names::{Region, ServiceName};

/// One setting that has a single value.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands in the file, such as `health.path`.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Its command line option, if it has one.
    pub flag: Option<&'static str>,
    /// Variables that set it beside its own `SUREFOOT_…`, the stronger first.
    pub aliases: &'static [&'static str],
    /// Its value where nothing sets it.
    pub default: Fallback,
    /// Two valid values, different from each other; the document shows the first.
    pub examples: [&'static str; 2],
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

/// What holds where nothing is set.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// This value.
    Value(&'static str),
    /// This time.
    Time(Duration),
    /// Nothing: what lives is kept, or what is detected is taken. In words.
    Absent(&'static str),
}

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

impl Key {
    /// The key of this path.
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Its own variable: `SUREFOOT_` and the path.
    pub fn variable(&self) -> String {
        format!("SUREFOOT_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// All variables that set it, the stronger first.
    pub fn variables(&self) -> Vec<String> {
        std::iter::once(self.variable())
            .chain(self.aliases.iter().map(|&name| name.into()))
            .collect()
    }

    /// Its default in canonical form.
    pub fn default_text(&self) -> Option<String> {
        match self.default {
            Fallback::Value(text) => Some(text.into()),
            Fallback::Time(duration) => Some(format_duration(duration)),
            Fallback::Absent(_) => None,
        }
    }
}

const KEEPS: Fallback = Fallback::Absent("what the service has is kept");
const TWENTY: Kind = Kind::Count(1, 20);

const fn key(
    path: &'static str,
    kind: Kind,
    default: Fallback,
    examples: [&'static str; 2],
    meaning: &'static str,
) -> Key {
    Key { path, kind, flag: None, aliases: &[], default, examples, meaning }
}

impl Key {
    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// Every setting with a single value, in the order of the document.
pub const KEYS: &[Key] = &[
    key(
        "service_name",
        Kind::ServiceName,
        Fallback::Absent("the directory's name, where App Runner would accept it"),
        ["shop", "shop-staging"],
        "The App Runner service, created when it does not exist.",
    )
    .flag("--service-name")
    .aliases(&["SERVICE_NAME"]),
    key(
        "region",
        Kind::Region,
        Fallback::Absent("the region of the AWS profile"),
        ["eu-central-1", "us-east-1"],
        "The AWS region of service and repository.",
    )
    .flag("--region")
    .aliases(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
    key(
        "ecr_repository",
        Kind::Repository,
        Fallback::Absent(
            "the one that the journal knows of the service, else the directory's name, where ECR would \
             accept it",
        ),
        ["shop", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/shop"],
        "The ECR repository by name or URI, created when it does not exist.",
    )
    .flag("--ecr-repo")
    .aliases(&["ECR_REPOSITORY"]),
    key(
        "auto_deployments",
        Kind::AutoDeployments,
        Fallback::Value("keep"),
        ["restore", "off"],
        "What becomes of App Runner's automatic deployments: `keep` leaves the switch alone, \
         `restore` turns it off while we work and back on after success, `off` turns it off.",
    ),
    key(
        "latest",
        Kind::Boolean,
        Fallback::Value("true"),
        ["false", "true"],
        "Whether the tag `latest` follows a deployment that succeeded.",
    ),
    key(
        "history_dir",
        Kind::Path,
        Fallback::Absent("`.deploy-history` at the root of the git tree"),
        ["ops/history", "/var/lib/surefoot"],
        "Where the journal is. Relative to the file, or to the current directory where a flag or \
         variable names it.",
    )
    .flag("--history-dir"),
    key(
        "build.context",
        Kind::Path,
        Fallback::Value("."),
        ["backend", "services/shop"],
        "The directory that is built. Relative to the file.",
    ),
    key(
        "build.dockerfile",
        Kind::Text,
        Fallback::Value("Dockerfile"),
        ["docker/Dockerfile.production", "Containerfile"],
        "The Dockerfile. Relative to the context.",
    ),
    key(
        "build.target",
        Kind::Text,
        Fallback::Absent("the last stage"),
        ["production", "runtime"],
        "The stage of the Dockerfile to stop at.",
    ),
    key(
        "service.port",
        Kind::Port,
        KEEPS,
        ["8000", "3000"],
        "The port the application listens on; App Runner hands it over as `PORT`.",
    ),
    key(
        "service.start_command",
        Kind::Command,
        KEEPS,
        ["gunicorn shop:app", "./serve --quiet"],
        "The command that replaces the image's own. An empty text is sent as one.",
    ),
    key(
        "service.cpu",
        Kind::Cpu,
        KEEPS,
        ["1 vCPU", "2048"],
        "The CPU of one instance: 0.25, 0.5, 1, 2 or 4 vCPU.",
    ),
    key(
        "service.memory",
        Kind::Memory,
        KEEPS,
        ["2 GB", "4096"],
        "The memory of one instance: 0.5, 1, 2, 3, 4, 6, 8, 10 or 12 GB. AWS decides which pairs \
         of CPU and memory it accepts.",
    ),
    key(
        "service.access_role",
        Kind::Role,
        KEEPS,
        ["AppRunnerECRAccessRole", "arn:aws:iam::123456789012:role/pull"],
        "The role with which App Runner pulls from ECR, by ARN or name.",
    ),
    key(
        "service.instance_role",
        Kind::Role,
        KEEPS,
        ["AppRunnerInstanceRole", "arn:aws:iam::123456789012:role/shop"],
        "The role of the running application, by ARN or name.",
    ),
    key(
        "app_runner_health_check.protocol",
        Kind::Protocol,
        KEEPS,
        ["HTTP", "TCP"],
        "How App Runner itself checks an instance.",
    ),
    key(
        "app_runner_health_check.path",
        Kind::UrlPath,
        KEEPS,
        ["/healthz", "/ready"],
        "The path App Runner asks, for `HTTP`.",
    ),
    key(
        "app_runner_health_check.interval",
        TWENTY,
        KEEPS,
        ["10", "20"],
        "Seconds between two of App Runner's checks.",
    ),
    key(
        "app_runner_health_check.timeout",
        TWENTY,
        KEEPS,
        ["5", "20"],
        "Seconds App Runner waits for an answer.",
    ),
    key(
        "app_runner_health_check.healthy_threshold",
        TWENTY,
        KEEPS,
        ["1", "3"],
        "Passes in a row that make an instance healthy.",
    ),
    key(
        "app_runner_health_check.unhealthy_threshold",
        TWENTY,
        KEEPS,
        ["5", "20"],
        "Failures in a row that make an instance unhealthy.",
    ),
    key(
        "health.path",
        Kind::UrlPath,
        Fallback::Value("/healthz"),
        ["/health", "/api/health?full=1"],
        "The path surefoot asks after a deployment.",
    ),
    key(
        "health.retries",
        Kind::Count(1, 1000),
        Fallback::Value("12"),
        ["30", "60"],
        "How often surefoot asks, at most.",
    )
    .flag("--health-retries"),
    key(
        "health.timeout",
        Kind::Duration,
        Fallback::Time(times::HEALTH_TIMEOUT),
        ["20s", "1m"],
        "How long one request may take.",
    )
    .flag("--health-timeout"),
    key(
        "health.interval",
        Kind::Duration,
        Fallback::Time(times::HEALTH_INTERVAL),
        ["10s", "2s"],
        "The pause between two requests.",
    ),
    key(
        "health.passes",
        Kind::Count(1, 100),
        Fallback::Value("2"),
        ["1", "5"],
        "Passes in a row that prove the release; not more than `health.retries`.",
    ),
    key(
        "health.from",
        Kind::HealthFrom,
        Fallback::Absent("the service's own URL"),
        ["https://shop.internal.example", "none"],
        "Where to ask instead of the service's own URL, for private services; `none` leaves the \
         release unproven by its own answer, and says so.",
    ),
    key(
        "health.version",
        Kind::JsonPath,
        Fallback::Absent("the version is not asked for"),
        ["version", "build.commit"],
        "The JSON value in the answer that must be the deployed commit or tag.",
    ),
    key(
        "health.allow_missing_dependencies",
        Kind::Boolean,
        Fallback::Value("false"),
        ["true", "false"],
        "Whether assertions below `dependencies.` warn instead of failing.",
    )
    .flag("--allow-missing-deps")
    .aliases(&["ALLOW_MISSING_DEPS"]),
    key(
        "times.deploy_timeout",
        Kind::Duration,
        Fallback::Time(times::DEPLOY_TIMEOUT),
        ["1h30m", "20m"],
        "The deadline of a deployment. A bad access role takes App Runner about 40 minutes to \
         report.",
    )
    .flag("--deploy-timeout"),
    key(
        "times.release_wait",
        Kind::Duration,
        Fallback::Time(times::RELEASE_WAIT),
        ["45m", "1h"],
        "After the deadline, how long to wait for App Runner to let go of its operation.",
    ),
    key(
        "times.settle",
        Kind::Duration,
        Fallback::Time(times::SETTLE),
        ["2m", "3m"],
        "After an unclear answer, how long to look before believing that nothing was started. \
         Longer than App Runner's list can lag (1m).",
    ),
    key(
        "times.poll",
        Kind::Pause,
        Fallback::Time(times::POLL),
        ["5s", "10s"],
        "The pause between two looks at an operation; at least 1s.",
    ),
    key(
        "times.busy_wait",
        Kind::Duration,
        Fallback::Time(times::BUSY_WAIT),
        ["20m", "5m"],
        "How long to wait for somebody else's operation before starting ours.",
    ),
    key(
        "times.role_wait",
        Kind::Duration,
        Fallback::Time(times::ROLE_WAIT),
        ["1m", "5m"],
        "How long a role that was just created may be refused before it counts as wrong.",
    ),
    key(
        "times.log_lag",
        Kind::Duration,
        Fallback::Time(times::LOG_LAG),
        ["20s", "30s"],
        "How late a log line may arrive in CloudWatch.",
    ),
    key(
        "times.log_poll",
        Kind::Pause,
        Fallback::Time(times::LOG_POLL),
        ["2s", "10s"],
        "The pause between two reads of a log that is followed; at least 1s.",
    ),
    key(
        "times.interrupt_grace",
        Kind::Duration,
        Fallback::Time(times::INTERRUPT_GRACE),
        ["2s", "10s"],
        "After Ctrl-C, how long the call in flight may take to end.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_valid_default_and_two_valid_examples() {
        for key in KEYS {
            for text in key.examples.map(String::from).into_iter().chain(key.default_text()) {
                assert!(key.kind.check(&text).is_ok(), "{}: {text}", key.path);
            }
            let canonical = key.examples.map(|text| key.kind.check(text).unwrap());
            assert_ne!(canonical[0], canonical[1], "{}", key.path);
        }
    }

    #[test]
    fn no_two_keys_share_a_path_a_flag_or_a_variable() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.path.to_owned()), "{}", key.path);
            for name in key.variables().into_iter().chain(key.flag.map(Into::into)) {
                assert!(seen.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn numbers_out_of_app_runners_limits_are_refused_with_the_limit() {
        for (path, bad, limit) in [
            ("app_runner_health_check.interval", "0", "1 to 20"),
            ("app_runner_health_check.timeout", "21", "1 to 20"),
            ("app_runner_health_check.healthy_threshold", "-1", "1 to 20"),
            ("app_runner_health_check.unhealthy_threshold", "1e3", "1 to 20"),
            ("service.port", "0", "1 to 65535"),
            ("service.port", "65536", "1 to 65535"),
            ("health.retries", "0", "1 to 1000"),
            ("health.passes", "101", "1 to 100"),
        ] {
            let reason = Key::find(path).unwrap().kind.check(bad).unwrap_err();
            assert!(reason.contains(limit), "{path} = {bad}: {reason}");
        }
    }

    #[test]
    fn no_value_with_a_nul_is_valid() {
        for key in KEYS {
            assert!(key.kind.check(&format!("{}\0", key.examples[0])).is_err(), "{}", key.path);
        }
    }

    #[test]
    fn a_url_path_stays_on_its_host() {
        for bad in ["", "healthz", "//evil.example", "/a b", "/a#b", "/a\\b", "/a\nb"] {
            assert!(Kind::UrlPath.check(bad).is_err(), "{bad:?}");
        }
    }
}
