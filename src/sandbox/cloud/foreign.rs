//! Other people: somebody else who works on the same services, and tags that are pushed.

use serde_json::{Value, json};

use super::image::{Form, Images, form_of};
use super::service::{OperationType, ServiceStatus};
use super::{Cloud, Due, fault::ForeignAct, pace};
use crate::sandbox::{ApiError, Timestamp};

impl Cloud {
    /// Acts as somebody else; if the service is busy, tries again later.
    pub(super) fn act_foreign(
        &mut self,
        name: &str,
        act: &ForeignAct,
        at: Timestamp,
        images: &dyn Images,
    ) {
        let Some(service) = self.service(name) else { return };
        let arn = service.arn.clone();
        let body = match act {
            ForeignAct::Update { image } => self.foreign_update(name, &arn, image.as_deref()),
            ForeignAct::ReplaceEnvironment => self.foreign_environment(name, &arn),
            _ => json!({"ServiceArn": arn}),
        };
        let done = self.foreign_call(act, &body, images);
        let busy = done.is_err_and(|error| {
            error.code == "InvalidStateException" || error.message.contains("RUNNING state")
        });
        if busy {
            let due = Due::Foreign { service: name.to_owned(), act: act.clone() };
            self.plan(at + self.pace.scale(pace::FOREIGN_PATIENCE), due);
        }
    }

    fn foreign_call(
        &mut self,
        act: &ForeignAct,
        body: &Value,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        match act {
            ForeignAct::Update { .. } | ForeignAct::ReplaceEnvironment => {
                self.update_service(body, super::call::Touch::default(), images)
            }
            ForeignAct::Deploy => {
                self.start_deployment(body, super::call::Touch::default(), images)
            }
            ForeignAct::Pause => self.pause_service(body, super::call::Touch::default(), images),
            ForeignAct::Delete => self.delete_service(body, super::call::Touch::default(), images),
        }
    }

    fn foreign_update(&mut self, name: &str, arn: &str, image: Option<&str>) -> Value {
        let mark = self.chance.hexadecimal();
        let Some(service) = self.service(name) else { return Value::Null };
        let mut source = json!(service.configuration.source);
        match image {
            Some(image) => source["ImageRepository"]["ImageIdentifier"] = json!(image),
            None => {
                source["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"]["SOMEBODY_ELSE"] =
                    json!(mark);
            }
        }
        json!({"ServiceArn": arn, "SourceConfiguration": source})
    }

    fn foreign_environment(&mut self, name: &str, arn: &str) -> Value {
        let mark = self.chance.hexadecimal();
        let Some(service) = self.service(name) else { return Value::Null };
        let mut source = json!(service.configuration.source);
        source["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"] =
            json!({"SOMEBODY_ELSE": mark});
        json!({"ServiceArn": arn, "SourceConfiguration": source})
    }

    /// A tracked tag that names another image starts a deployment by itself.
    pub(super) fn deploy_pushed_tags(&mut self, images: &dyn Images) {
        let waiting: Vec<String> = self
            .services
            .values()
            .filter(|service| {
                service.status == ServiceStatus::Running
                    && service.work.is_none()
                    && service.configuration.auto_deploys()
                    && matches!(
                        form_of(service.configuration.image_identifier()),
                        Form::Tag | Form::Bare
                    )
            })
            .filter(|service| {
                let pushed = images.resolve(service.configuration.image_identifier());
                pushed.is_some_and(|image| Some(&image.digest) != service.tracked.as_ref())
            })
            .map(|service| service.id.clone())
            .collect();
        for id in waiting {
            self.launch_operation(
                &id,
                OperationType::StartDeployment,
                true,
                super::call::Touch::default(),
                images,
            );
        }
    }
}
