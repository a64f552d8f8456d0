//! What we send: complete structures, whatever App Runner would keep of the old ones.
//!
//! Members we leave out (network, observability, auto scaling, encryption, tags) are kept by
//! App Runner. Source: App Runner API reference, UpdateService; AWS's `CloudFormation` handler.

use std::collections::HashMap;

use aws_sdk_apprunner::types::{
    AuthenticationConfiguration, HealthCheckConfiguration, HealthCheckProtocol, ImageConfiguration,
    ImageRepository, ImageRepositoryType, InstanceConfiguration, SourceConfiguration,
};

use super::PLACE;
use super::answer::PUBLIC_REGISTRY;
use crate::names::{ValueHash, VariableName};
use crate::release::{MARK, Protocol};
use crate::world::WorldError;
use crate::world::service::Change;

/// Image, environment, secrets, port, start command, access role and auto-deployments.
pub(super) fn source(change: &Change<'_>) -> Result<SourceConfiguration, WorldError> {
    let configuration = &change.release.configuration;
    let access = configuration
        .access_role
        .as_ref()
        .map(|role| AuthenticationConfiguration::builder().access_role_arn(role.as_str()).build());
    Ok(SourceConfiguration::builder()
        .image_repository(repository(change)?)
        .set_authentication_configuration(access)
        .auto_deployments_enabled(configuration.auto_deployments)
        .build())
}

fn repository(change: &Change<'_>) -> Result<ImageRepository, WorldError> {
    let image = &change.release.image;
    let kind = if image.registry == PUBLIC_REGISTRY {
        ImageRepositoryType::EcrPublic
    } else {
        ImageRepositoryType::Ecr
    };
    Ok(ImageRepository::builder()
        .image_identifier(image.to_string())
        .image_repository_type(kind)
        .image_configuration(image_configuration(change)?)
        .build()
        .expect("identifier and type are set"))
}

/// Both maps are always sent, also empty: a map that is sent replaces the old one whole, a map
/// left out would bring back what was removed. Source: incident reports of users, both ways.
fn image_configuration(change: &Change<'_>) -> Result<ImageConfiguration, WorldError> {
    let configuration = &change.release.configuration;
    let secrets = configuration.secrets.iter().map(|(name, arn)| (name.to_string(), arn.clone()));
    Ok(ImageConfiguration::builder()
        .set_port(configuration.port.clone())
        .set_start_command(configuration.start_command.clone())
        .set_runtime_environment_variables(Some(environment(change)?))
        .set_runtime_environment_secrets(Some(secrets.collect()))
        .build())
}

/// The plain values behind the hashes, and our mark.
fn environment(change: &Change<'_>) -> Result<HashMap<String, String>, WorldError> {
    let mut environment = HashMap::new();
    for (name, hash) in &change.release.configuration.environment {
        environment.insert(name.to_string(), checked_value(change, name, hash)?.to_owned());
    }
    if environment.insert(MARK.to_owned(), change.mark.to_string()).is_some() {
        let message = format!("the variable `{MARK}` belongs to surefoot");
        return Err(WorldError::refused(PLACE, "mark-taken", message));
    }
    Ok(environment)
}

fn checked_value<'a>(
    change: &Change<'a>,
    name: &VariableName,
    hash: &ValueHash,
) -> Result<&'a str, WorldError> {
    let missing = |why: &str| {
        WorldError::refused(PLACE, "value-missing", format!("the value of `{name}` {why}"))
    };
    let value = change.values.get(name).ok_or_else(|| missing("is not known here"))?;
    if &ValueHash::of(name, value) != hash {
        return Err(missing("is not the one that was planned"));
    }
    Ok(value)
}

/// CPU, memory and the instance role; left out where nothing of it is known.
pub(super) fn instance(change: &Change<'_>) -> Option<InstanceConfiguration> {
    let configuration = &change.release.configuration;
    let role = configuration.instance_role.as_ref().map(ToString::to_string);
    if configuration.cpu.is_none() && configuration.memory.is_none() && role.is_none() {
        return None;
    }
    Some(
        InstanceConfiguration::builder()
            .set_cpu(configuration.cpu.clone())
            .set_memory(configuration.memory.clone())
            .set_instance_role_arn(role)
            .build(),
    )
}

/// All six values: what a partial one does to the others is documented nowhere.
pub(super) fn health_check(change: &Change<'_>) -> HealthCheckConfiguration {
    let check = &change.release.configuration.health_check;
    HealthCheckConfiguration::builder()
        .protocol(match check.protocol {
            Protocol::Tcp => HealthCheckProtocol::Tcp,
            Protocol::Http => HealthCheckProtocol::Http,
        })
        .path(&check.path)
        .interval(check.interval)
        .timeout(check.timeout)
        .healthy_threshold(check.healthy_threshold)
        .unhealthy_threshold(check.unhealthy_threshold)
        .build()
}
