//! UpdateService, and the checks it shares with CreateService.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::Touch;
use super::super::configuration::{
    Configuration, HealthCheckConfiguration, HealthCheckWish, InstanceWish, SourceConfiguration,
};
use super::super::image::{Form, Images, ResolvedImage, form_of};
use super::super::refusal::{invalid_request, refuse};
use super::super::service::{Service, ServiceStatus};
use super::super::switches::{Accepted, Omitted, Pull, SecretWithoutRole, Texts};
use super::super::{Cloud, identity};
use super::{create, read, source, validate};
use crate::sandbox::ApiError;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    source_configuration: Option<SourceConfiguration>,
    instance_configuration: Option<InstanceWish>,
    auto_scaling_configuration_arn: Option<String>,
    health_check_configuration: Option<HealthCheckWish>,
    network_configuration: Option<Value>,
    observability_configuration: Option<Value>,
}

impl Cloud {
    pub(in crate::sandbox::cloud) fn update_service(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let request: Request = read(body)?;
        let id = self.find(body)?;
        let service = self.service_at(&id)?;
        self.check_updatable(service)?;
        let wanted = self.merged(service, request)?;
        self.check(&wanted, images)?;
        let current = &service.configuration;
        let rebuilds = service.status == ServiceStatus::CreateFailed;
        if wanted == *current && !rebuilds {
            // AWS: no operation, no OperationId (App Runner roadmap issue 139).
            return Ok(json!({"Service": service.describe()}));
        }
        if service.status == ServiceStatus::Paused {
            return self.update_paused(&id, wanted);
        }
        let new_image = wanted.source.image_repository.as_ref().map(|i| &i.image_identifier)
            != current.source.image_repository.as_ref().map(|i| &i.image_identifier);
        // Where nothing serves (after ROLLBACK_FAILED), what is configured was never pulled.
        let pulls = new_image || rebuilds || service.live.is_none();
        let operation = self.launch_update(&id, wanted, pulls, touch, images);
        Ok(json!({"Service": self.service_at(&id)?.describe(), "OperationId": operation}))
    }

    /// Under the switch that allows it: the configuration changes, nothing is deployed.
    fn update_paused(&mut self, id: &str, wanted: Configuration) -> Result<Value, ApiError> {
        let now = self.now;
        if let Some(service) = self.services.get_mut(id) {
            service.configuration = wanted;
            service.updated_at = now;
            service.remember(now);
        }
        Ok(json!({"Service": self.service_at(id)?.describe()}))
    }

    fn check_updatable(&self, service: &Service) -> Result<(), ApiError> {
        let allowed = match service.status {
            ServiceStatus::Running => true,
            ServiceStatus::CreateFailed => self.switches.update_create_failed == Accepted::Accepted,
            ServiceStatus::Paused => self.switches.update_paused == Accepted::Accepted,
            _ => false,
        };
        if allowed { Ok(()) } else { Err(self.wrong_state("updated", service.status)) }
    }

    fn merged(&self, service: &Service, request: Request) -> Result<Configuration, ApiError> {
        let current = &service.configuration;
        if let Some(sent) = &request.source_configuration {
            let turns = (sent.code_repository.is_some()
                && current.source.image_repository.is_some())
                || (sent.image_repository.is_some() && current.source.code_repository.is_some());
            if turns {
                return Err(invalid_request("The source type of a service cannot be changed."));
            }
        }
        let wish = request.instance_configuration.unwrap_or_default();
        validate::sizes(wish.cpu.as_deref(), wish.memory.as_deref())?;
        let base = match self.switches.health_check {
            Omitted::Kept => current.health_check.clone(),
            Omitted::Replaced => HealthCheckConfiguration::default(),
        };
        let checks = request.health_check_configuration.map(|wish| wish.over(base));
        let arn = request.auto_scaling_configuration_arn;
        Ok(Configuration {
            source: match request.source_configuration {
                None => current.source.clone(),
                Some(sent) => {
                    source::merge(&current.source, sent, self.switches.source_configuration)
                }
            },
            instance: wish.over(current.instance.clone()),
            health_check: checks.unwrap_or_else(|| current.health_check.clone()),
            network: create::network(request.network_configuration.as_ref(), &current.network),
            observability: request
                .observability_configuration
                .or_else(|| current.observability.clone()),
            auto_scaling_arn: arn.unwrap_or_else(|| current.auto_scaling_arn.clone()),
        })
    }

    /// Everything that is refused at once, for a creation and an update alike.
    pub(super) fn check(
        &self,
        configuration: &Configuration,
        images: &dyn Images,
    ) -> Result<(), ApiError> {
        validate::source(&configuration.source)?;
        validate::instance(&configuration.instance)?;
        validate::health_check(&configuration.health_check)?;
        validate::arn(&configuration.auto_scaling_arn, "autoScalingConfigurationArn")?;
        self.check_image(configuration, images)?;
        self.check_environment(configuration)?;
        self.check_roles(configuration)
    }

    fn check_image(
        &self,
        configuration: &Configuration,
        images: &dyn Images,
    ) -> Result<(), ApiError> {
        let identifier = configuration.image_identifier();
        let form = form_of(identifier);
        let refused = match form {
            Form::Digest => self.switches.digest_identifier == Pull::Refused,
            Form::TagAndDigest => self.switches.tag_and_digest == Pull::Refused,
            Form::Bare | Form::Tag => false,
        };
        let refused = refused
            || (self.switches.index_image == Pull::Refused
                && images.resolve(identifier).is_some_and(|image| is_index(&image)));
        if refused {
            return Err(invalid_request(format!("Image identifier is invalid: {identifier}.")));
        }
        let by_digest = matches!(form, Form::Digest | Form::TagAndDigest);
        if by_digest
            && configuration.auto_deploys()
            && self.switches.auto_deployments_with_digest == Accepted::Refused
        {
            return Err(invalid_request(
                "Automatic deployments are not supported for an image identifier with a digest.",
            ));
        }
        Ok(())
    }

    /// What the switches say of the pull itself.
    pub(in crate::sandbox::cloud) fn pull_of(
        &self,
        identifier: &str,
        image: &ResolvedImage,
    ) -> Pull {
        let by_form = match form_of(identifier) {
            Form::Digest => self.switches.digest_identifier,
            Form::TagAndDigest => self.switches.tag_and_digest,
            Form::Bare | Form::Tag => Pull::Works,
        };
        if by_form == Pull::Fails || !is_index(image) { by_form } else { self.switches.index_image }
    }

    fn check_environment(&self, configuration: &Configuration) -> Result<(), ApiError> {
        let Some(image) = configuration.image() else { return Ok(()) };
        let has_port = [&image.runtime_environment_variables, &image.runtime_environment_secrets]
            .into_iter()
            .flatten()
            .any(|names| names.contains_key("PORT"));
        if has_port && self.switches.port_variable == Accepted::Refused {
            return Err(invalid_request(match self.switches.texts {
                Texts::Analogous => "PORT is a reserved environment variable name.",
                Texts::Terse => "Invalid environment",
            }));
        }
        let lacks_role = image.runtime_environment_secrets.is_some()
            && configuration.instance.instance_role_arn.is_none();
        if lacks_role && self.switches.secret_without_role == SecretWithoutRole::Refused {
            return Err(invalid_request(match self.switches.texts {
                Texts::Analogous => "An instance role is required to use environment secrets.",
                Texts::Terse => "Missing role",
            }));
        }
        Ok(())
    }

    /// Roles are looked at in every call: they may have changed since the last one.
    fn check_roles(&self, configuration: &Configuration) -> Result<(), ApiError> {
        let propagated =
            self.now - self.pace.scale(i64::from(self.switches.role_lag_seconds) * 1_000);
        let roles = [
            ("access", configuration.access_role(), identity::BUILD_SERVICE),
            (
                "instance",
                configuration.instance.instance_role_arn.as_deref(),
                identity::TASKS_SERVICE,
            ),
        ];
        for (word, role, service) in roles {
            let Some(role) = role else { continue };
            self.identity
                .check_user("iam:PassRole", role)
                .map_err(|message| refuse("AccessDeniedException", message))?;
            if !self.identity.assumable(role, service, propagated) {
                return Err(invalid_request(format!("Error in assuming {word} role {role}")));
            }
        }
        Ok(())
    }
}

fn is_index(image: &ResolvedImage) -> bool {
    image.digest != image.platform_digest
}
