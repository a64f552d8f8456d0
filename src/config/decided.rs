//! Every setting as it was decided, and the settings that follow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::file::Section;
use super::health::{Assertion, HealthGate, VersionCheck};
use super::key::KEYS;
use super::overlay::HealthCheckOverlay;
use super::precedence::Sources;
use super::settings::{Build, Origin, Service, Settings, Shown, shown_variable};
use super::times::{Speed, Times};
use super::units::{format_duration, parse_duration};
use super::value::RepositoryChoice;
use crate::problem::Problem;
use crate::release::{Protocol, Values};

/// Every key with its canonical value and origin, where it has one.
pub(super) struct Decided {
    pub(super) values: BTreeMap<&'static str, (String, Origin)>,
}

impl Decided {
    pub(super) fn new(sources: &Sources, section: &Section) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        // The service is decided before: it chooses among the sections.
        for key in KEYS.iter().filter(|key| key.path != "service_name") {
            let decided = sources
                .said(key, section)?
                .or_else(|| sources.guessed(key))
                .or_else(|| Some((key.default_text()?, Origin::Default)));
            values.extend(decided.map(|decided| (key.path, decided)));
        }
        Ok(Self { values })
    }

    fn text(&self, path: &str) -> Option<String> {
        self.values.get(path).map(|(text, _)| text.clone())
    }

    fn parsed<T: FromStr>(&self, path: &str) -> Option<T> {
        let text = self.text(path)?;
        let parsed = text.parse().ok();
        Some(parsed.expect("its kind has checked it"))
    }

    fn duration(&self, path: &str) -> Option<(Duration, &Origin)> {
        let (text, origin) = self.values.get(path)?;
        Some((parse_duration(text).expect("its kind has checked it"), origin))
    }

    /// Times of file and defaults are written for real life and scaled; flags and variables are
    /// meant as they stand.
    pub(super) fn times(&self, speed: Speed) -> Times {
        let mut times = Times::default();
        self.set_times(&mut times, |origin| !is_literal(origin));
        let mut times = times.scaled(speed);
        self.set_times(&mut times, is_literal);
        times
    }

    fn set_times(&self, times: &mut Times, wanted: fn(&Origin) -> bool) {
        for (path, field) in TIMES {
            if let Some((duration, origin)) = self.duration(path)
                && wanted(origin)
            {
                *field(times) = duration;
            }
        }
    }

    /// A path relative to whoever named it.
    fn path(&self, path: &str, sources: &Sources) -> Option<PathBuf> {
        let (text, origin) = self.values.get(path)?;
        let base = match (origin, &sources.file) {
            (Origin::File { path, .. }, _) => parent(path),
            (Origin::Default | Origin::Detected(_), Some(file)) => parent(&file.path),
            (Origin::Default | Origin::Detected(_), None) => sources.detected.project.as_path(),
            _ => sources.detected.current.as_path(),
        };
        Some(if text == "." { base.to_owned() } else { base.join(text) })
    }

    pub(super) fn settings(
        self,
        sources: &Sources,
        section: &Section,
        times: Times,
        speed: Speed,
    ) -> Settings {
        Settings {
            service_name: self.parsed("service_name"),
            region: self.parsed("region"),
            repository: self
                .text("ecr_repository")
                .map(|text| RepositoryChoice::parse(&text).expect("its kind has checked it")),
            environment_name: None,
            auto_deployments: self.parsed("auto_deployments").unwrap_or_default(),
            latest: self.parsed("latest").unwrap_or(true),
            history_dir: self.path("history_dir", sources),
            build: self.build(sources, section),
            service: self.service(),
            variables: section
                .variables
                .iter()
                .map(|(name, located)| (name.clone(), located.value.clone()))
                .collect(),
            health_check: self.health_check(),
            health: self.health(section, &times),
            times,
            speed,
            force_latest: sources.flags.force_latest,
            force_restart: sources.flags.force_restart,
            warnings: Vec::new(),
            shown: self.shown(sources, section, times),
        }
    }

    fn build(&self, sources: &Sources, section: &Section) -> Build {
        let arguments = section.arguments.iter();
        Build {
            context: self.path("build.context", sources).unwrap_or_default(),
            dockerfile: self.text("build.dockerfile").unwrap_or_default(),
            target: self.text("build.target"),
            arguments: Values::new(
                arguments.map(|(name, it)| (name.clone(), it.value.0.clone())).collect(),
            ),
        }
    }

    fn service(&self) -> Service {
        Service {
            port: self.text("service.port"),
            start_command: self.text("service.start_command"),
            cpu: self.text("service.cpu"),
            memory: self.text("service.memory"),
            access_role: self.parsed("service.access_role"),
            instance_role: self.parsed("service.instance_role"),
        }
    }

    fn health_check(&self) -> HealthCheckOverlay {
        let protocol = self.text("app_runner_health_check.protocol");
        HealthCheckOverlay {
            protocol: protocol.map(|word| match word.as_str() {
                "HTTP" => Protocol::Http,
                _ => Protocol::Tcp,
            }),
            path: self.text("app_runner_health_check.path"),
            interval: self.parsed("app_runner_health_check.interval"),
            timeout: self.parsed("app_runner_health_check.timeout"),
            healthy_threshold: self.parsed("app_runner_health_check.healthy_threshold"),
            unhealthy_threshold: self.parsed("app_runner_health_check.unhealthy_threshold"),
        }
    }

    fn health(&self, section: &Section, times: &Times) -> HealthGate {
        let assertions = section.assertions.iter();
        HealthGate {
            path: self.text("health.path").unwrap_or_default(),
            retries: self.parsed("health.retries").unwrap_or(1),
            timeout: times.health_timeout,
            interval: times.health_interval,
            passes: self.parsed("health.passes").unwrap_or(1),
            from: self.parsed("health.from").unwrap_or_default(),
            assertions: assertions
                .map(|(path, located)| Assertion::new(path, located.value.clone()))
                .collect(),
            version: self.text("health.version").map(VersionCheck::at),
            allow_missing_dependencies: self
                .parsed("health.allow_missing_dependencies")
                .unwrap_or(false),
        }
    }

    fn shown(&self, sources: &Sources, section: &Section, mut times: Times) -> Vec<Shown> {
        let scaled: BTreeMap<&str, String> = TIMES
            .iter()
            .map(|(path, field)| (*path, format_duration(*field(&mut times))))
            .collect();
        let scalars = KEYS.iter().filter_map(|key| {
            let (text, origin) = self.values.get(key.path)?;
            let value = scaled.get(key.path).unwrap_or(text).clone();
            Some(Shown { key: key.path.into(), value, origin: origin.clone() })
        });
        let variables = section.variables.iter().map(|(name, located)| {
            let (key, value) = shown_variable(name, &located.value);
            Shown { key, value, origin: sources.in_file(located.place.line) }
        });
        let arguments = section.arguments.iter().map(|(name, located)| Shown {
            key: format!("build.arguments.{name}"),
            value: "(set)".into(),
            origin: sources.in_file(located.place.line),
        });
        let assertions = section.assertions.iter().map(|(path, located)| Shown {
            key: format!("health.assert.{path}"),
            value: located.value.to_string(),
            origin: sources.in_file(located.place.line),
        });
        scalars.chain(variables).chain(arguments).chain(assertions).collect()
    }
}

/// Which setting is which time.
#[expect(clippy::type_complexity, reason = "a table of names and fields, read once")]
const TIMES: [(&str, fn(&mut Times) -> &mut Duration); 11] = [
    ("times.deploy_timeout", |times| &mut times.deploy_timeout),
    ("times.release_wait", |times| &mut times.release_wait),
    ("times.settle", |times| &mut times.settle),
    ("times.poll", |times| &mut times.poll),
    ("times.busy_wait", |times| &mut times.busy_wait),
    ("times.role_wait", |times| &mut times.role_wait),
    ("times.log_lag", |times| &mut times.log_lag),
    ("times.log_poll", |times| &mut times.log_poll),
    ("times.interrupt_grace", |times| &mut times.interrupt_grace),
    ("health.timeout", |times| &mut times.health_timeout),
    ("health.interval", |times| &mut times.health_interval),
];

fn is_literal(origin: &Origin) -> bool {
    matches!(origin, Origin::Flag(_) | Origin::Environment(_))
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
