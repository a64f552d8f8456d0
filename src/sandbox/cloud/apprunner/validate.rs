//! What the service model and the service itself refuse.
//!
//! Constraints: service model 2020-05-15. Pairs of CPU and memory: App Runner developer guide,
//! architecture. Messages of roles and authentication: as users quote them.

use std::sync::LazyLock;

use regex::Regex;

use super::super::configuration::{
    HealthCheckConfiguration, ImageConfiguration, InstanceConfiguration, Names, SourceConfiguration,
};
use super::super::refusal::{constraint, invalid_request, missing};
use crate::sandbox::ApiError;

const NAME: &str = "[A-Za-z0-9][A-Za-z0-9-_]{3,39}";
const REPOSITORY: &str = r"((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)";
const REFERENCE: &str = r"(:([\w+\-=._:/@])+|@([\w:]+))?";
const ROLE: &str = r"arn:(aws|aws-us-gov|aws-cn|aws-iso|aws-iso-b):iam::[0-9]{12}:(role|role/service-role)/[\w+=,.@\-/]{1,1000}";
const ARN: &str =
    r"arn:aws(-[\w]+)*:[a-z0-9-\\.]{0,63}:[a-z0-9-\\.]{0,63}:[0-9]{12}:(\w|/|-){1,1011}";
const CPU: &str = "256|512|1024|2048|4096|(0.25|0.5|1|2|4) vCPU";
const MEMORY: &str = "512|1024|2048|3072|4096|6144|8192|10240|12288|(0.5|1|2|3|4|6|8|10|12) GB";

/// CPU units, and the memory each may have.
const PAIRS: [(&str, &[&str]); 5] = [
    ("256", &["512", "1024"]),
    ("512", &["1024"]),
    ("1024", &["2048", "3072", "4096"]),
    ("2048", &["4096", "6144"]),
    ("4096", &["8192", "10240", "12288"]),
];

/// Long counted repetitions make a regex of megabytes: length is checked apart.
fn uncounted(pattern: &str) -> String {
    pattern.replace("{1,1000}", "+").replace("{1,1011}", "+")
}

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("the patterns of the model are valid")
}

static NAME_FORM: LazyLock<Regex> = LazyLock::new(|| whole(NAME));
static ROLE_FORM: LazyLock<Regex> = LazyLock::new(|| whole(&uncounted(ROLE)));
static ARN_FORM: LazyLock<Regex> = LazyLock::new(|| whole(&uncounted(ARN)));
static CPU_FORM: LazyLock<Regex> = LazyLock::new(|| whole(CPU));
static MEMORY_FORM: LazyLock<Regex> = LazyLock::new(|| whole(MEMORY));
static PRIVATE_IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    whole(&format!(
        r"[0-9]{{12}}.dkr.ecr.[a-z\-]+-[0-9]{{1}}.amazonaws.com/{REPOSITORY}{REFERENCE}"
    ))
});
static PUBLIC_IMAGE: LazyLock<Regex> =
    LazyLock::new(|| whole(&format!(r"public\.ecr\.aws/.+/{REPOSITORY}{REFERENCE}")));
/// The one exception of the sandbox: its registry is on loopback.
static LOOPBACK_IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    whole(&format!(r"(127\.0\.0\.1|localhost):[0-9]{{1,5}}/{REPOSITORY}{REFERENCE}"))
});

fn pattern(form: &Regex, text: &str, member: &str, shown: &str) -> Result<(), ApiError> {
    if form.is_match(text) {
        return Ok(());
    }
    let rule = format!("Member must satisfy regular expression pattern: {shown}");
    Err(constraint(text, member, &rule))
}

pub(super) fn arn(text: &str, member: &str) -> Result<(), ApiError> {
    length(text, member, 1..=1_011)?;
    pattern(&ARN_FORM, text, member, ARN)
}

fn role_arn(text: &str, member: &str) -> Result<(), ApiError> {
    length(text, member, 29..=1_024)?;
    pattern(&ROLE_FORM, text, member, ROLE)
}

pub(super) fn name(text: Option<&str>) -> Result<&str, ApiError> {
    let text = text.ok_or_else(|| missing("serviceName"))?;
    pattern(&NAME_FORM, text, "serviceName", NAME)?;
    Ok(text)
}

fn member(owner: &str, name: &str) -> String {
    format!("sourceConfiguration.{owner}{name}")
}

fn one_of(text: &str, member: &str, allowed: &[&str]) -> Result<(), ApiError> {
    if allowed.contains(&text) {
        return Ok(());
    }
    let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
    Err(constraint(text, member, &rule))
}

fn length(text: &str, at: &str, range: std::ops::RangeInclusive<usize>) -> Result<(), ApiError> {
    let count = text.chars().count();
    if count < *range.start() {
        let rule = format!("Member must have length greater than or equal to {}", range.start());
        return Err(constraint(text, at, &rule));
    }
    if count > *range.end() {
        // The value itself is left out: it is long, and it may be a secret.
        let rule = format!("Member must have length less than or equal to {}", range.end());
        return Err(constraint("…", at, &rule));
    }
    Ok(())
}

/// Shapes of `SourceConfiguration`.
pub(super) fn source(source: &SourceConfiguration) -> Result<(), ApiError> {
    match (&source.image_repository, &source.code_repository) {
        (None, None) | (Some(_), Some(_)) => {
            return Err(invalid_request(
                "Source configuration is invalid. Exactly one of CodeRepository and ImageRepository must be provided.",
            ));
        }
        (None, Some(_)) => return Ok(()),
        (Some(_), None) => {}
    }
    let Some(image) = &source.image_repository else { return Ok(()) };
    let at = |name: &str| member("imageRepository.", name);
    one_of(&image.image_repository_type, &at("imageRepositoryType"), &["ECR", "ECR_PUBLIC"])?;
    length(&image.image_identifier, &at("imageIdentifier"), 1..=1024)?;
    let form: &[&Regex] = match image.image_repository_type.as_str() {
        "ECR" => &[&PRIVATE_IMAGE, &LOOPBACK_IMAGE],
        _ => &[&PUBLIC_IMAGE],
    };
    if !form.iter().any(|form| form.is_match(&image.image_identifier)) {
        let shown = format!(
            "([0-9]{{12}}.dkr.ecr.[a-z\\-]+-[0-9]{{1}}.amazonaws.com\\/{REPOSITORY}{REFERENCE})|(^public\\.ecr\\.aws\\/.+\\/{REPOSITORY}{REFERENCE})"
        );
        let rule = format!("Member must satisfy regular expression pattern: {shown}");
        return Err(constraint(&image.image_identifier, &at("imageIdentifier"), &rule));
    }
    image.image_configuration.as_ref().map_or(Ok(()), image_configuration)?;
    authentication(source, &image.image_repository_type)
}

fn image_configuration(image: &ImageConfiguration) -> Result<(), ApiError> {
    let at = |name: &str| member("imageRepository.imageConfiguration.", name);
    if let Some(command) = &image.start_command
        && command.contains(['\n', '\r'])
    {
        let rule = "Member must satisfy regular expression pattern: [^\\x0a\\x0d]+";
        return Err(constraint("…", &at("startCommand"), rule));
    }
    if let Some(port) = &image.port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(invalid_request(format!(
            "Port is invalid: {port}. It must be a number from 1 to 65535."
        )));
    }
    let none = Names::new();
    let variables = image.runtime_environment_variables.as_ref().unwrap_or(&none);
    for (name, value) in variables {
        length(name, &at("runtimeEnvironmentVariables"), 1..=51_200)?;
        length(value, &at("runtimeEnvironmentVariables"), 0..=51_200)?;
    }
    let secrets = image.runtime_environment_secrets.as_ref().unwrap_or(&none);
    for (name, reference) in secrets {
        length(name, &at("runtimeEnvironmentSecrets"), 1..=2_048)?;
        length(reference, &at("runtimeEnvironmentSecrets"), 1..=2_048)?;
        if variables.contains_key(name) {
            return Err(invalid_request(format!(
                "Environment variable {name} is defined both as a variable and as a secret."
            )));
        }
    }
    Ok(())
}

/// A private image needs an access role, a public one must have none.
fn authentication(source: &SourceConfiguration, kind: &str) -> Result<(), ApiError> {
    let role =
        source.authentication_configuration.as_ref().and_then(|a| a.access_role_arn.as_ref());
    match (kind, role) {
        ("ECR", None) | ("ECR_PUBLIC", Some(_)) => {
            Err(invalid_request("Authentication configuration is invalid."))
        }
        (_, Some(role)) => {
            let at = member("authenticationConfiguration.", "accessRoleArn");
            role_arn(role, &at)
        }
        (_, None) => Ok(()),
    }
}

/// CPU and memory as the caller wrote them.
pub(super) fn sizes(cpu: Option<&str>, memory: Option<&str>) -> Result<(), ApiError> {
    if let Some(cpu) = cpu {
        pattern(&CPU_FORM, cpu, "instanceConfiguration.cpu", CPU)?;
    }
    if let Some(memory) = memory {
        pattern(&MEMORY_FORM, memory, "instanceConfiguration.memory", MEMORY)?;
    }
    Ok(())
}

/// The whole instance configuration, in units.
pub(super) fn instance(instance: &InstanceConfiguration) -> Result<(), ApiError> {
    if let Some(role) = &instance.instance_role_arn {
        role_arn(role, "instanceConfiguration.instanceRoleArn")?;
    }
    let fits = PAIRS.iter().any(|(cpu, memories)| {
        *cpu == instance.cpu && memories.contains(&instance.memory.as_str())
    });
    if fits {
        return Ok(());
    }
    Err(invalid_request(format!(
        "Instance configuration is invalid. CPU {} and memory {} are not a supported combination.",
        instance.cpu, instance.memory
    )))
}

pub(super) fn health_check(check: &HealthCheckConfiguration) -> Result<(), ApiError> {
    one_of(&check.protocol, "healthCheckConfiguration.protocol", &["TCP", "HTTP"])?;
    length(&check.path, "healthCheckConfiguration.path", 1..=usize::MAX)?;
    for (name, number) in [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("healthyThreshold", check.healthy_threshold),
        ("unhealthyThreshold", check.unhealthy_threshold),
    ] {
        let at = format!("healthCheckConfiguration.{name}");
        if number < 1 {
            let rule = "Member must have value greater than or equal to 1";
            return Err(constraint(&number.to_string(), &at, rule));
        }
        if number > 20 {
            let rule = "Member must have value less than or equal to 20";
            return Err(constraint(&number.to_string(), &at, rule));
        }
    }
    Ok(())
}

pub(super) fn tag_key(key: &str) -> Result<(), ApiError> {
    length(key, "tags.key", 1..=128)?;
    if key.starts_with("aws:") {
        let rule = "Member must satisfy regular expression pattern: ^(?!aws:).+";
        return Err(constraint(key, "tags.key", rule));
    }
    Ok(())
}

pub(super) fn tag_value(value: &str) -> Result<(), ApiError> {
    length(value, "tags.value", 0..=256)
}
