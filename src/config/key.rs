//! Every key there is: name, kind, flag, variables, default, example, meaning. One table that the
//! file reader, the precedence and the document share.

use std::time::Duration;

use super::kind::Kind;
use super::times;
use super::units::format_duration;

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
}
