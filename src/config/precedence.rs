//! Decides between the sources of a setting: flag, environment, file, detected, default.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::decided::Decided;
use super::file::{File, Located, Section};
use super::key::{KEYS, Key};
use super::settings::{Origin, Settings};
use super::suggest::nearest;
use super::times::Speed;
use super::units::format_duration;
use crate::names::{RepositoryName, ServiceName};
use crate::problem::{ExitCode, Problem};
use crate::text::printable;

/// The variable that names the `[env.NAME]` section, as `--env` does.
pub const ENVIRONMENT_VARIABLE: &str = "SUREFOOT_ENV";

/// The variable by which a sandbox says how much faster than real life it is.
pub const SPEED_VARIABLE: &str = "SUREFOOT_SPEED";

/// Variables that point an AWS SDK elsewhere than to AWS. Source: AWS SDKs and tools reference.
pub const ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_APPRUNNER"];

/// What the command line says, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// `--service-name`.
    pub service_name: Option<String>,
    /// `--region`.
    pub region: Option<String>,
    /// `--ecr-repo`.
    pub ecr_repo: Option<String>,
    /// `--env`: the `[env.NAME]` section.
    pub env: Option<String>,
    /// `--history-dir`.
    pub history_dir: Option<String>,
    /// `--deploy-timeout`.
    pub deploy_timeout: Option<String>,
    /// `--health-timeout`.
    pub health_timeout: Option<String>,
    /// `--health-retries`.
    pub health_retries: Option<String>,
    /// `--allow-missing-deps`.
    pub allow_missing_deps: bool,
    /// `--force-latest`.
    pub force_latest: bool,
    /// `--force-restart`.
    pub force_restart: bool,
}

impl Flags {
    fn text(&self, path: &str) -> Option<&str> {
        match path {
            "service_name" => self.service_name.as_deref(),
            "region" => self.region.as_deref(),
            "ecr_repository" => self.ecr_repo.as_deref(),
            "history_dir" => self.history_dir.as_deref(),
            "times.deploy_timeout" => self.deploy_timeout.as_deref(),
            "health.timeout" => self.health_timeout.as_deref(),
            "health.retries" => self.health_retries.as_deref(),
            "health.allow_missing_dependencies" => self.allow_missing_deps.then_some("true"),
            _ => None,
        }
    }
}

/// The environment variables of the process. An empty one counts as not set.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    /// The value of a variable that is set and not blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What nobody said and the surroundings tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detected {
    /// The project's directory: its name is a guess for service and repository.
    pub project: PathBuf,
    /// The current directory: what flags and variables name is relative to it.
    pub current: PathBuf,
    /// The region the AWS SDK finds in the profile.
    pub region: Option<String>,
    /// The repository that the journal remembers of the service.
    pub repository: Option<RepositoryName>,
}

/// Everything settings are made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// The process's environment.
    pub environment: Environment,
    /// The configuration file, if there is one.
    pub file: Option<File>,
    /// The surroundings.
    pub detected: Detected,
    /// Whether every service may be meant, so that of several none need be named.
    pub every_service: bool,
}

/// Decides every setting.
pub fn resolve(sources: &Sources) -> Result<Settings, Problem> {
    let environment_name = sources.environment_name()?;
    let service = sources.service(environment_name.as_deref())?;
    let section = sources.section(service.as_ref(), environment_name.as_deref());
    let mut decided = Decided::new(sources, &section)?;
    if let Some((name, origin)) = service {
        decided.values.insert("service_name", (name.to_string(), origin));
    }
    let speed = sources.speed()?;
    let times = decided.times(speed);
    let mut settings = decided.settings(sources, &section, times, speed);
    settings.environment_name = environment_name;
    check(&settings)?;
    settings.warnings.extend(sources.warnings(&settings));
    Ok(settings)
}

impl Sources {
    fn environment_name(&self) -> Result<Option<String>, Problem> {
        let named = match (&self.flags.env, self.environment.get(ENVIRONMENT_VARIABLE)) {
            (Some(name), _) => Some((name.clone(), Origin::Flag("--env".into()))),
            (None, Some(name)) => {
                Some((name.into(), Origin::Environment(ENVIRONMENT_VARIABLE.into())))
            }
            (None, None) => None,
        };
        let Some((name, origin)) = named else { return Ok(None) };
        let known = self.file.as_ref().map(File::environment_names).unwrap_or_default();
        if known.contains(name.as_str()) {
            return Ok(Some(name));
        }
        Err(unknown_environment(&name, &origin, &known))
    }

    /// The service's name, which decides which section holds.
    fn service(&self, environment: Option<&str>) -> Result<Option<(ServiceName, Origin)>, Problem> {
        let key = Key::find("service_name").expect("the table has it");
        let shared = self.section(None, environment);
        if let Some((text, origin)) = self.said(key, &shared)? {
            return Ok(text.parse().ok().map(|name| (name, origin)));
        }
        let sections: Vec<&ServiceName> =
            self.file.iter().flat_map(|file| file.services.keys()).collect();
        match sections[..] {
            [] => {
                Ok(self.guessed(key).and_then(|(text, origin)| Some((text.parse().ok()?, origin))))
            }
            [only] => {
                let how = format!("the only service in {}", super::FILE_NAME);
                Ok(Some((only.clone(), Origin::Detected(how))))
            }
            _ if self.every_service => Ok(None),
            _ => Err(several_services(&sections)),
        }
    }

    fn section(
        &self,
        service: Option<&(ServiceName, Origin)>,
        environment: Option<&str>,
    ) -> Section {
        self.file
            .as_ref()
            .map(|file| file.settings_for(service.map(|(name, _)| name), environment))
            .unwrap_or_default()
    }

    /// What somebody said of a setting, the strongest voice first.
    pub(super) fn said(
        &self,
        key: &Key,
        section: &Section,
    ) -> Result<Option<(String, Origin)>, Problem> {
        if let Some(text) = self.flags.text(key.path) {
            let origin = Origin::Flag(key.flag.unwrap_or(key.path).into());
            return checked(key, text, origin).map(Some);
        }
        for name in key.variables() {
            if let Some(text) = self.environment.get(&name) {
                return checked(key, text, Origin::Environment(name)).map(Some);
            }
        }
        let located = section.scalars.get(key.path);
        Ok(located.map(|Located { value, place }| (value.clone(), self.in_file(place.line))))
    }

    pub(super) fn in_file(&self, line: usize) -> Origin {
        let path = self.file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
        Origin::File { path, line }
    }

    /// What the surroundings tell of a setting. A guess that is not valid is no guess.
    pub(super) fn guessed(&self, key: &Key) -> Option<(String, Origin)> {
        let (text, how) = match key.path {
            "ecr_repository" if self.detected.repository.is_some() => {
                (self.detected.repository.as_ref()?.to_string(), "what was deployed before")
            }
            "service_name" | "ecr_repository" => {
                let name = self.detected.project.file_name()?.to_str()?;
                (name.to_owned(), "the directory's name")
            }
            "region" => (self.detected.region.clone()?, "the AWS profile"),
            _ => return None,
        };
        Some((key.kind.check(&text).ok()?, Origin::Detected(how.into())))
    }

    /// How fast the world is. Faster than real life only where the world is not AWS: settle windows
    /// shortened against AWS itself would repeat updates.
    fn speed(&self) -> Result<Speed, Problem> {
        let Some(text) = self.environment.get(SPEED_VARIABLE) else { return Ok(Speed::REAL) };
        let origin = Origin::Environment(SPEED_VARIABLE.into());
        let speed: Speed = text.parse().map_err(|reason: String| invalid(&origin, &reason))?;
        let elsewhere = ENDPOINT_VARIABLES.iter().any(|name| self.environment.get(name).is_some());
        if speed != Speed::REAL && !elsewhere {
            return Err(invalid(&origin, "it shortens waits that AWS itself needs")
                .hint("for AWS, remove it: `unset SUREFOOT_SPEED`")
                .hint("for the sandbox, take the variables it prints: `surefoot sandbox`"));
        }
        Ok(speed)
    }

    fn warnings(&self, settings: &Settings) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.file.iter().flat_map(|file| file.warnings.clone()).collect();
        if let Some(ignored) =
            settings.repository.as_ref().and_then(|choice| choice.ignored.as_ref())
        {
            let ignored = printable(ignored, 80);
            warnings.push(format!(
                "`{ignored}` in the repository is ignored: surefoot chooses the tag"
            ));
        }
        warnings.extend(self.stranger_warning(settings));
        warnings.extend(self.misspelt_variables());
        warnings
    }

    /// A name without a section beside sections with names is often a slip of the hand.
    fn stranger_warning(&self, settings: &Settings) -> Option<String> {
        let sections = &self.file.as_ref()?.services;
        let name = settings.service_name.as_ref()?;
        if sections.is_empty() || sections.contains_key(name) {
            return None;
        }
        let known = sections.keys().map(ServiceName::as_str);
        let near = nearest(name.as_str(), known).map(|near| format!("; did you mean `{near}`?"));
        Some(format!("the file has no `[service.{name}]`{}", near.unwrap_or_default()))
    }

    fn misspelt_variables(&self) -> Vec<String> {
        let known: Vec<String> = KEYS
            .iter()
            .map(Key::variable)
            .chain([ENVIRONMENT_VARIABLE.into(), SPEED_VARIABLE.into()])
            .collect();
        let tail = |name: &str| name.strip_prefix("SUREFOOT_").map(ToOwned::to_owned);
        let tails: Vec<String> = known.iter().filter_map(|name| tail(name)).collect();
        self.environment
            .0
            .keys()
            .filter(|name| !known.contains(name))
            .filter_map(|name| {
                let near = nearest(&tail(name)?, tails.iter().map(String::as_str))?;
                let name = printable(name, 80);
                Some(format!("`{name}` means nothing; did you mean `SUREFOOT_{near}`?"))
            })
            .collect()
    }
}

fn checked(key: &Key, text: &str, origin: Origin) -> Result<(String, Origin), Problem> {
    match key.kind.check(text) {
        Ok(canonical) => Ok((canonical, origin)),
        Err(reason) => {
            let expected = key.kind.expected();
            let because = if reason == expected { String::new() } else { format!(": {reason}") };
            Err(invalid(&origin, &format!("it should be {expected}{because}"))
                .hint(format!("for example `{}`", example(key, &origin))))
        }
    }
}

fn example(key: &Key, origin: &Origin) -> String {
    match origin {
        Origin::Flag(_) if key.path == "health.allow_missing_dependencies" => {
            "--allow-missing-deps".into()
        }
        Origin::Flag(name) => format!("{name} {}", key.examples[0]),
        Origin::Environment(name) => format!("{name}={}", key.examples[0]),
        _ => format!("{} = {:?}", key.path, key.examples[0]),
    }
}

fn invalid(origin: &Origin, reason: &str) -> Problem {
    Problem::new(ExitCode::Usage, "bad-setting", format!("cannot use the value of `{origin}`"))
        .because(reason)
}

/// What no single setting can be wrong about alone.
fn check(settings: &Settings) -> Result<(), Problem> {
    let (health, times) = (&settings.health, &settings.times);
    let origin = |key: &str| settings.origin(key).unwrap_or(&Origin::Default).clone();
    if health.passes > health.retries {
        return Err(invalid(
            &origin("health.passes"),
            &format!(
                "{} passes in a row cannot be reached in {} requests (`health.retries`, from {})",
                health.passes,
                health.retries,
                origin("health.retries")
            ),
        )
        .hint(format!("ask more often: `--health-retries {}`", health.passes))
        .hint("or ask for fewer passes: `health.passes`"));
    }
    if times.settle <= times.list_lag {
        return Err(invalid(&origin("times.settle"), &format!(
            "{} is not longer than App Runner's list of operations can lag, {}: updates could be \
             repeated",
            format_duration(times.settle), format_duration(times.list_lag)
        ))
        .hint("leave `times.settle` away, or make it longer"));
    }
    Ok(())
}

fn unknown_environment<'a>(
    name: &'a str,
    origin: &Origin,
    known: &std::collections::BTreeSet<&'a str>,
) -> Problem {
    let shown = printable(name, 80);
    let what = format!("there is no environment `{shown}` ({origin})");
    let problem = Problem::new(ExitCode::Usage, "unknown-environment", what);
    if known.is_empty() {
        return problem
            .because(format!("{} has no `[env.NAME]` section", super::FILE_NAME))
            .hint(format!("add a section `[env.{shown}]`, or leave `--env` away"));
    }
    let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let near = nearest(name, known.iter().copied());
    let problem = problem.because(format!("{} has {}", super::FILE_NAME, listed.join(", ")));
    match near {
        Some(near) => problem.hint(format!("did you mean `--env {near}`?")),
        None => problem.hint(format!("add a section `[env.{shown}]`, or name one that is there")),
    }
}

fn several_services(sections: &[&ServiceName]) -> Problem {
    let listed: Vec<String> = sections.iter().map(|name| format!("`{name}`")).collect();
    Problem::new(ExitCode::Usage, "no-service-name", "which service is not known")
        .because(format!("{} has {}", super::FILE_NAME, listed.join(", ")))
        .hint(format!("name one: `--service-name {}`", sections[0]))
}

#[cfg(test)]
mod tests;
