//! StartDeployment, `PauseService`, `ResumeService`, `DeleteService`, and how any operation begins.

use serde_json::{Value, json};

use super::super::Cloud;
use super::super::call::Touch;
use super::super::configuration::Configuration;
use super::super::image::Images;
use super::super::refusal::{invalid_request, invalid_state};
use super::super::service::{OperationType, Revision, ServiceStatus, Stage, Work};
use super::super::switches::StartDeploymentRefusal;
use crate::sandbox::ApiError;

impl Cloud {
    pub(in crate::sandbox::cloud) fn start_deployment(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let id = self.find(body)?;
        if self.service_at(&id)?.status != ServiceStatus::Running {
            let text = "Can't start a deployment on the specified service, because it isn't in RUNNING state.";
            return Err(match self.switches.start_deployment_refusal {
                StartDeploymentRefusal::InvalidRequest => invalid_request(text),
                StartDeploymentRefusal::InvalidState => invalid_state(text),
            });
        }
        let operation =
            self.launch_operation(&id, OperationType::StartDeployment, true, touch, images);
        Ok(json!({"OperationId": operation}))
    }

    pub(in crate::sandbox::cloud) fn pause_service(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let wishes = (ServiceStatus::Running, ServiceStatus::Paused);
        self.turn(body, wishes, OperationType::PauseService, "paused", (touch, images))
    }

    pub(super) fn resume_service(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let wishes = (ServiceStatus::Paused, ServiceStatus::Running);
        self.turn(body, wishes, OperationType::ResumeService, "resumed", (touch, images))
    }

    /// From one status to the other; where it is already, 200 without an operation (as Copilot found).
    fn turn(
        &mut self,
        body: &Value,
        (from, to): (ServiceStatus, ServiceStatus),
        kind: OperationType,
        verb: &str,
        (touch, images): (Touch, &dyn Images),
    ) -> Result<Value, ApiError> {
        let id = self.find(body)?;
        let status = self.service_at(&id)?.status;
        if status == to {
            return Ok(json!({"Service": self.service_at(&id)?.describe()}));
        }
        if status != from {
            return Err(self.wrong_state(verb, status));
        }
        let operation = self.launch_operation(&id, kind, false, touch, images);
        Ok(json!({"Service": self.service_at(&id)?.describe(), "OperationId": operation}))
    }

    pub(in crate::sandbox::cloud) fn delete_service(
        &mut self,
        body: &Value,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let id = self.find(body)?;
        let status = self.service_at(&id)?.status;
        if matches!(status, ServiceStatus::OperationInProgress | ServiceStatus::Deleted) {
            return Err(self.wrong_state("deleted", status));
        }
        let operation =
            self.launch_operation(&id, OperationType::DeleteService, false, touch, images);
        Ok(json!({"Service": self.service_at(&id)?.describe(), "OperationId": operation}))
    }

    pub(super) fn launch_update(
        &mut self,
        id: &str,
        wanted: Configuration,
        pulls: bool,
        touch: Touch,
        images: &dyn Images,
    ) -> String {
        let now = self.now;
        let previous = self.revision(id);
        if let Some(service) = self.services.get_mut(id) {
            service.configuration = wanted;
            service.updated_at = now;
        }
        self.launch_with(id, OperationType::UpdateService, pulls, previous, (touch, images))
    }

    pub(in crate::sandbox::cloud) fn launch_operation(
        &mut self,
        id: &str,
        kind: OperationType,
        pulls: bool,
        touch: Touch,
        images: &dyn Images,
    ) -> String {
        let previous = match kind {
            OperationType::StartDeployment => self.revision(id),
            _ => None,
        };
        self.launch_with(id, kind, pulls, previous, (touch, images))
    }

    /// What there is to go back to: nothing, where the service never lived.
    fn revision(&self, id: &str) -> Option<Revision> {
        let service = self.services.get(id)?;
        (service.status == ServiceStatus::Running).then(|| Revision {
            configuration: service.configuration.clone(),
            image: service.image.clone(),
        })
    }

    fn launch_with(
        &mut self,
        id: &str,
        kind: OperationType,
        pulls: bool,
        previous: Option<Revision>,
        (touch, images): (Touch, &dyn Images),
    ) -> String {
        let operation = self.chance.hexadecimal();
        let now = self.now;
        let work = Work {
            operation: operation.clone(),
            kind,
            stage: Stage::Pending,
            due: now,
            pulls,
            previous,
            image: None,
            instance: None,
            instance_since: now,
            outcome: None,
            moved: false,
            doom: touch.doom,
        };
        self.begin(id, work, now, images);
        operation
    }
}
