//! CreateService.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::Touch;
use super::super::configuration::{
    Configuration, HealthCheckConfiguration, HealthCheckWish, InstanceConfiguration, InstanceWish,
    SourceConfiguration,
};
use super::super::image::Images;
use super::super::refusal::{invalid_request, missing, refuse};
use super::super::service::{Birth, OperationType, Service, ServiceStatus};
use super::super::switches::{Accepted, NameReuse, Texts};
use super::super::{ACCOUNT, Cloud};
use super::{default_auto_scaling, read, source, tag, validate};
use crate::sandbox::ApiError;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    service_name: Option<String>,
    source_configuration: Option<SourceConfiguration>,
    instance_configuration: InstanceWish,
    tags: Vec<tag::Tag>,
    encryption_configuration: Option<Value>,
    health_check_configuration: HealthCheckWish,
    auto_scaling_configuration_arn: Option<String>,
    network_configuration: Option<Value>,
    observability_configuration: Option<Value>,
}

impl Cloud {
    pub(super) fn create_service(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let request: Request = read(body)?;
        let name = validate::name(request.service_name.as_deref())?.to_owned();
        let tags = tag::collect(&request.tags)?;
        let encryption = request.encryption_configuration.clone();
        let configuration = self.first_configuration(request)?;
        self.check(&configuration, images)?;
        self.check_room(&name)?;
        let id = self.chance.hexadecimal();
        let birth = Birth {
            arn: format!("arn:aws:apprunner:{}:{ACCOUNT}:service/{name}/{id}", self.region),
            url: format!("{}.{}.awsapprunner.com", self.chance.address(), self.region),
            name,
            id: id.clone(),
            at: self.now,
            configuration,
            encryption,
            tags,
        };
        self.services.insert(id.clone(), Service::new(birth));
        let operation =
            self.launch_operation(&id, OperationType::CreateService, true, touch, images);
        Ok(json!({"Service": self.service_at(&id)?.describe(), "OperationId": operation}))
    }

    fn first_configuration(&self, request: Request) -> Result<Configuration, ApiError> {
        let sent = request.source_configuration.ok_or_else(|| missing("sourceConfiguration"))?;
        let wish = &request.instance_configuration;
        validate::sizes(wish.cpu.as_deref(), wish.memory.as_deref())?;
        let arn = request.auto_scaling_configuration_arn;
        Ok(Configuration {
            source: source::complete(sent),
            instance: request.instance_configuration.over(InstanceConfiguration::default()),
            health_check: request
                .health_check_configuration
                .over(HealthCheckConfiguration::default()),
            network: network(request.network_configuration.as_ref(), &default_network()),
            observability: request.observability_configuration,
            auto_scaling_arn: arn.unwrap_or_else(|| default_auto_scaling(&self.region)),
        })
    }

    /// The name is free, the quota is not used up, the account is open.
    fn check_room(&self, name: &str) -> Result<(), ApiError> {
        let taken = self.services.values().any(|service| {
            let gone = service.status == ServiceStatus::Deleted;
            service.name == name && !(gone && self.switches.name_reuse == NameReuse::AtOnce)
        });
        if taken {
            return Err(invalid_request(format!(
                "Service with the provided name already exists: {name}."
            )));
        }
        if self.switches.new_services == Accepted::Refused {
            let message = match self.switches.texts {
                Texts::Analogous => "AWS App Runner is no longer open to new customers.",
                Texts::Terse => "Account not eligible",
            };
            return Err(refuse("AccessDeniedException", message));
        }
        let used = self.services.values().filter(|s| s.status != ServiceStatus::Deleted).count();
        if used >= usize::try_from(self.switches.service_quota).unwrap_or(usize::MAX) {
            let quota = self.switches.service_quota;
            let message = match self.switches.texts {
                Texts::Analogous => {
                    format!("You've reached the quota of {quota} services in this region.")
                }
                Texts::Terse => "Limit exceeded".to_owned(),
            };
            return Err(refuse("ServiceQuotaExceededException", message));
        }
        Ok(())
    }
}

pub(super) fn default_network() -> Value {
    json!({
        "EgressConfiguration": {"EgressType": "DEFAULT"},
        "IngressConfiguration": {"IsPubliclyAccessible": true},
        "IpAddressType": "IPV4",
    })
}

/// Member by member, as everywhere.
pub(super) fn network(sent: Option<&Value>, current: &Value) -> Value {
    let mut merged = current.clone();
    for name in ["EgressConfiguration", "IngressConfiguration", "IpAddressType"] {
        if let Some(part) = sent.and_then(|sent| sent.get(name)).filter(|part| !part.is_null()) {
            merged[name] = part.clone();
        }
    }
    merged
}

pub(super) type Tags = BTreeMap<String, String>;
