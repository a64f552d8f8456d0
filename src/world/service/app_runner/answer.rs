//! What App Runner answers, in our words.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use aws_sdk_apprunner::types as theirs;
use serde_json::{Value, json};

use super::PLACE;
use crate::names::{NameError, RoleArn, ServiceArn, VariableName};
use crate::release::{Configuration, HealthCheck, MARK, Protocol, Values};
use crate::world::aws::{Effect, garbled, moment};
use crate::world::service::{Operation, OperationStatus, Origin, Service, ServiceStatus};
use crate::world::{Place, WorldError};

/// Where images of ECR Public live.
pub(super) const PUBLIC_REGISTRY: &str = "public.ecr.aws";

/// An ARN out of an answer.
pub(super) fn arn(text: &str, effect: Effect) -> Result<ServiceArn, WorldError> {
    text.parse().map_err(|error: NameError| garbled(PLACE, effect, &error.to_string()))
}

/// A service out of DescribeService's answer.
pub(super) fn described(service: Option<theirs::Service>) -> Result<Service, WorldError> {
    let service = service.ok_or_else(|| garbled(PLACE, Effect::Reading, "no service in it"))?;
    let arn = arn(&service.service_arn, Effect::Reading)?;
    let (variables, mark) = variables(&service)?;
    Ok(Service {
        id: arn.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
        name: read(&service.service_name)?,
        url: service.service_url.clone().unwrap_or_default(),
        status: status(&service.status),
        origin: origin(&service)?,
        configuration: configuration(&service, &variables)?,
        values: variables,
        mark,
        public: is_public(&service),
        kept_as_is: kept_as_is(&service),
        // The SDK fills a missing moment with the epoch.
        updated_at: moment(&service.updated_at).filter(|at| at.timestamp() != 0),
        arn,
    })
}

/// A name out of a service that lives. One that we cannot hold is no reason to guess: the service
/// could not be brought back as it was.
fn read<T: FromStr<Err = NameError>>(text: &str) -> Result<T, WorldError> {
    text.parse().map_err(|error: NameError| unreadable(&error.to_string()))
}

fn unreadable(what: &str) -> WorldError {
    WorldError::refused(
        Place::AppRunner,
        "cannot-represent",
        format!("this version of surefoot cannot hold what the service has: {what}"),
    )
}

fn image_repository(service: &theirs::Service) -> Option<&theirs::ImageRepository> {
    service.source_configuration.as_ref()?.image_repository.as_ref()
}

fn image_configuration(service: &theirs::Service) -> Option<&theirs::ImageConfiguration> {
    image_repository(service)?.image_configuration.as_ref()
}

/// Plain variables, and our mark taken out of them.
fn variables(service: &theirs::Service) -> Result<(Values, Option<String>), WorldError> {
    let found = image_configuration(service).and_then(|c| c.runtime_environment_variables.as_ref());
    let mut variables = named(found)?;
    let mark = read(MARK).map(|mark: VariableName| variables.remove(&mark))?;
    Ok((Values::new(variables), mark))
}

fn named(
    map: Option<&HashMap<String, String>>,
) -> Result<BTreeMap<VariableName, String>, WorldError> {
    let entries = map.into_iter().flatten();
    entries.map(|(name, value)| Ok((read(name)?, value.clone()))).collect()
}

fn origin(service: &theirs::Service) -> Result<Origin, WorldError> {
    let source = service.source_configuration.as_ref();
    if let Some(code) = source.and_then(|source| source.code_repository.as_ref()) {
        return Ok(Origin::Code(code.repository_url.clone()));
    }
    let image = image_repository(service).ok_or_else(|| unreadable("neither image nor code"))?;
    match &image.image_repository_type {
        theirs::ImageRepositoryType::Ecr => Ok(Origin::Ecr(read(&image.image_identifier)?)),
        theirs::ImageRepositoryType::EcrPublic => {
            Ok(Origin::EcrPublic(image.image_identifier.clone()))
        }
        other => Err(unreadable(&format!("the image repository type {other}"))),
    }
}

fn configuration(
    service: &theirs::Service,
    variables: &Values,
) -> Result<Configuration, WorldError> {
    let source = service.source_configuration.as_ref();
    let image = image_configuration(service);
    let instance = service.instance_configuration.as_ref();
    let access = source.and_then(|source| source.authentication_configuration.as_ref());
    Ok(Configuration {
        port: image.and_then(|image| image.port.clone()),
        start_command: image.and_then(|image| image.start_command.clone()),
        environment: variables.hashed(),
        secrets: named(image.and_then(|image| image.runtime_environment_secrets.as_ref()))?,
        access_role: role(access.and_then(|access| access.access_role_arn.as_deref()))?,
        instance_role: role(instance.and_then(|instance| instance.instance_role_arn.as_deref()))?,
        cpu: instance.and_then(|instance| instance.cpu.clone()),
        memory: instance.and_then(|instance| instance.memory.clone()),
        health_check: health_check(service.health_check_configuration.as_ref())?,
        auto_deployments: source.and_then(|s| s.auto_deployments_enabled).unwrap_or(false),
    })
}

fn role(arn: Option<&str>) -> Result<Option<RoleArn>, WorldError> {
    arn.filter(|arn| !arn.is_empty()).map(read).transpose()
}

fn health_check(
    check: Option<&theirs::HealthCheckConfiguration>,
) -> Result<HealthCheck, WorldError> {
    let defaults = HealthCheck::default();
    let Some(check) = check else { return Ok(defaults) };
    let protocol = match &check.protocol {
        None => defaults.protocol,
        Some(theirs::HealthCheckProtocol::Tcp) => Protocol::Tcp,
        Some(theirs::HealthCheckProtocol::Http) => Protocol::Http,
        Some(other) => return Err(unreadable(&format!("the health check protocol {other}"))),
    };
    Ok(HealthCheck {
        protocol,
        path: check.path.clone().unwrap_or(defaults.path),
        interval: check.interval.unwrap_or(defaults.interval),
        timeout: check.timeout.unwrap_or(defaults.timeout),
        healthy_threshold: check.healthy_threshold.unwrap_or(defaults.healthy_threshold),
        unhealthy_threshold: check.unhealthy_threshold.unwrap_or(defaults.unhealthy_threshold),
    })
}

fn is_public(service: &theirs::Service) -> bool {
    let ingress = service.network_configuration.as_ref().and_then(|n| n.ingress_configuration());
    ingress.is_none_or(theirs::IngressConfiguration::is_publicly_accessible)
}

/// The parts we never send, as they are on the wire.
fn kept_as_is(service: &theirs::Service) -> BTreeMap<String, Value> {
    let parts = [
        ("NetworkConfiguration", service.network_configuration.as_ref().map(network)),
        ("ObservabilityConfiguration", service.observability_configuration.as_ref().map(observed)),
        (
            "AutoScalingConfigurationArn",
            service
                .auto_scaling_configuration_summary
                .as_ref()
                .and_then(|scaling| scaling.auto_scaling_configuration_arn())
                .map(|arn| json!(arn)),
        ),
        (
            "EncryptionConfiguration",
            service.encryption_configuration.as_ref().map(|e| json!({ "KmsKey": e.kms_key })),
        ),
    ];
    parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))).collect()
}

fn network(network: &theirs::NetworkConfiguration) -> Value {
    let egress = network.egress_configuration.as_ref().map(|egress| {
        present(&[
            ("EgressType", egress.egress_type.as_ref().map(|kind| json!(kind.as_str()))),
            ("VpcConnectorArn", egress.vpc_connector_arn.as_ref().map(|arn| json!(arn))),
        ])
    });
    let ingress = network
        .ingress_configuration
        .as_ref()
        .map(|ingress| json!({ "IsPubliclyAccessible": ingress.is_publicly_accessible }));
    present(&[
        ("EgressConfiguration", egress),
        ("IngressConfiguration", ingress),
        ("IpAddressType", network.ip_address_type.as_ref().map(|kind| json!(kind.as_str()))),
    ])
}

fn observed(observability: &theirs::ServiceObservabilityConfiguration) -> Value {
    let arn = observability.observability_configuration_arn.as_ref();
    present(&[
        ("ObservabilityEnabled", Some(json!(observability.observability_enabled))),
        ("ObservabilityConfigurationArn", arn.map(|arn| json!(arn))),
    ])
}

fn present(members: &[(&str, Option<Value>)]) -> Value {
    let there = members.iter().filter_map(|(name, value)| Some(((*name).into(), value.clone()?)));
    Value::Object(there.collect())
}

fn status(word: &theirs::ServiceStatus) -> ServiceStatus {
    match word {
        theirs::ServiceStatus::Running => ServiceStatus::Running,
        theirs::ServiceStatus::Paused => ServiceStatus::Paused,
        theirs::ServiceStatus::OperationInProgress => ServiceStatus::OperationInProgress,
        theirs::ServiceStatus::CreateFailed => ServiceStatus::CreateFailed,
        theirs::ServiceStatus::Deleted => ServiceStatus::Deleted,
        theirs::ServiceStatus::DeleteFailed => ServiceStatus::DeleteFailed,
        other => ServiceStatus::Unknown(other.as_str().to_owned()),
    }
}

/// An operation out of ListOperations' answer.
pub(super) fn operation(summary: &theirs::OperationSummary) -> Result<Operation, WorldError> {
    let id = summary.id.as_deref().unwrap_or_default();
    Ok(Operation {
        id: id
            .parse()
            .map_err(|error: NameError| garbled(PLACE, Effect::Reading, &error.to_string()))?,
        kind: summary.r#type.as_ref().map_or("UNKNOWN", |kind| kind.as_str()).to_owned(),
        status: operation_status(summary.status.as_ref()),
        started_at: summary.started_at.as_ref().and_then(moment),
        ended_at: summary.ended_at.as_ref().and_then(moment),
    })
}

fn operation_status(word: Option<&theirs::OperationStatus>) -> OperationStatus {
    match word {
        Some(theirs::OperationStatus::Pending) => OperationStatus::Pending,
        Some(theirs::OperationStatus::InProgress) => OperationStatus::InProgress,
        Some(theirs::OperationStatus::Failed) => OperationStatus::Failed,
        Some(theirs::OperationStatus::Succeeded) => OperationStatus::Succeeded,
        Some(theirs::OperationStatus::RollbackInProgress) => OperationStatus::RollbackInProgress,
        Some(theirs::OperationStatus::RollbackFailed) => OperationStatus::RollbackFailed,
        Some(theirs::OperationStatus::RollbackSucceeded) => OperationStatus::RollbackSucceeded,
        Some(other) => OperationStatus::Unknown(other.as_str().to_owned()),
        None => OperationStatus::Unknown("(none)".to_owned()),
    }
}
