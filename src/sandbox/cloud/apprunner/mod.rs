//! The App Runner API: what each call checks, changes and answers.
//!
//! Shapes, limits and exceptions: service model 2020-05-15. Texts: as users quote them from the
//! real service; where none is known, the switch `texts` chooses between two inventions.

mod create;
mod operate;
mod read;
mod source;
mod tag;
#[cfg(test)]
mod tests;
mod update;
mod validate;

use serde::Deserialize;
use serde_json::Value;

use super::call::Touch;
use super::image::Images;
use super::refusal::{missing, not_found, unreadable};
use super::service::{Service, ServiceStatus};
use super::switches::Texts;
use super::{Cloud, unknown_operation};
use crate::sandbox::ApiError;

/// The auto scaling configuration that every account has (recorded answers).
pub(crate) fn default_auto_scaling(region: &str) -> String {
    format!(
        "arn:aws:apprunner:{region}:{}:autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001",
        super::ACCOUNT
    )
}

fn read<'a, T: Deserialize<'a>>(body: &'a Value) -> Result<T, ApiError> {
    T::deserialize(body).map_err(|error| unreadable(&error))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ByArn {
    service_arn: Option<String>,
}

impl Cloud {
    pub(super) fn answer_app_runner(
        &mut self,
        operation: &str,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        match operation {
            "CreateService" => self.create_service(body, touch, images),
            "UpdateService" => self.update_service(body, touch, images),
            "StartDeployment" => self.start_deployment(body, touch, images),
            "PauseService" => self.pause_service(body, touch, images),
            "ResumeService" => self.resume_service(body, touch, images),
            "DeleteService" => self.delete_service(body, touch, images),
            "DescribeService" => self.describe_service(body, touch),
            "ListServices" => self.list_services(body, touch),
            "ListOperations" => self.list_operations(body, touch),
            "TagResource" => self.tag_resource(body),
            "UntagResource" => self.untag_resource(body),
            "ListTagsForResource" => self.list_tags(body),
            "DescribeAutoScalingConfiguration" => self.describe_auto_scaling(body),
            _ => Err(unknown_operation()),
        }
    }

    /// The id of the service with the ARN in the body.
    fn find(&self, body: &Value) -> Result<String, ApiError> {
        let request: ByArn = read(body)?;
        self.find_arn(&request.service_arn.ok_or_else(|| missing("serviceArn"))?)
    }

    fn find_arn(&self, arn: &str) -> Result<String, ApiError> {
        validate::arn(arn, "serviceArn")?;
        let id = arn.rsplit('/').next().unwrap_or("");
        match self.services.get(id).filter(|service| service.arn == arn) {
            Some(service) => Ok(service.id.clone()),
            None => Err(self.no_service(arn)),
        }
    }

    fn service_at(&self, id: &str) -> Result<&Service, ApiError> {
        self.services.get(id).ok_or_else(|| self.no_service(id))
    }

    fn no_service(&self, arn: &str) -> ApiError {
        not_found(match self.switches.texts {
            Texts::Analogous => format!("Service with the provided ARN does not exist: {arn}."),
            Texts::Terse => "No such resource".to_owned(),
        })
    }

    /// Sentences of one family: "Service cannot be updated in the current state: …".
    fn wrong_state(&self, verb: &str, status: ServiceStatus) -> ApiError {
        let recorded = verb == "updated";
        super::refusal::invalid_state(match self.switches.texts {
            Texts::Terse if !recorded => format!("Invalid state {}", status.word()),
            _ => format!("Service cannot be {verb} in the current state: {}.", status.word()),
        })
    }
}
