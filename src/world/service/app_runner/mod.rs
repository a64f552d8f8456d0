//! App Runner through its SDK.
//!
//! Reads are retried by the SDK; `create` and `update` are sent once.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_sdk_apprunner::Client;
use aws_sdk_apprunner::config::Builder;
use aws_sdk_apprunner::error::SdkError;
use aws_sdk_apprunner::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_apprunner::operation::describe_service::DescribeServiceError;
use aws_sdk_apprunner::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_apprunner::types::{ServiceStatus as Word, ServiceSummary};
use aws_smithy_types::retry::RetryConfig;

use super::{Change, Issued, Operation, Service, ServiceStatus, Services};
use crate::names::{OperationId, ServiceArn, ServiceName};
use crate::release::Values;
use crate::world::aws::{Connection, Effect, Preview, Promised, garbled, translate};
use crate::world::{Place, WorldError};

/// The most that App Runner lists at a time. Source: service model.
const PAGE: i32 = 20;
/// A list that goes on for longer than this is no list.
const LONGEST_LIST: usize = 1000;

/// App Runner of one account and region.
#[derive(Debug, Clone)]
pub struct AppRunner {
    client: Client,
}

impl AppRunner {
    /// App Runner behind this connection.
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.sdk()) }
    }

    /// The summaries of all services that are not deleted.
    async fn summaries(&self) -> Result<Vec<ServiceSummary>, WorldError> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..LONGEST_LIST {
            let call = self.client.list_services().max_results(PAGE).set_next_token(token);
            let call = call.customize().interceptor(Promised::Member("ServiceSummaryList"));
            let page = call.send().await.map_err(|error| read_error(&error))?;
            found.extend(page.service_summary_list.into_iter().filter(is_there));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(garbled(PLACE, Effect::Reading, "the list of services has no end"))
    }

    async fn describe_summary(
        &self,
        summary: &ServiceSummary,
    ) -> Result<Option<Service>, WorldError> {
        let arn = answer::arn(summary.service_arn().unwrap_or_default(), Effect::Reading)?;
        let service = self.describe(&arn).await?;
        Ok(service.filter(|service| service.status != ServiceStatus::Deleted))
    }

    fn creation(
        &self,
        name: &ServiceName,
        change: &Change<'_>,
    ) -> Result<CreateServiceFluentBuilder, WorldError> {
        Ok(self
            .client
            .create_service()
            .service_name(name.as_str())
            .source_configuration(request::source(change)?)
            .set_instance_configuration(request::instance(change))
            .health_check_configuration(request::health_check(change)))
    }

    fn updating(
        &self,
        arn: &ServiceArn,
        change: &Change<'_>,
    ) -> Result<UpdateServiceFluentBuilder, WorldError> {
        Ok(self
            .client
            .update_service()
            .service_arn(arn.as_str())
            .source_configuration(request::source(change)?)
            .set_instance_configuration(request::instance(change))
            .health_check_configuration(request::health_check(change)))
    }
}

#[async_trait]
impl Services for AppRunner {
    async fn find(&self, name: &ServiceName) -> Result<Option<Service>, WorldError> {
        let mut named = self.summaries().await?;
        named.retain(|summary| summary.service_name() == Some(name.as_str()));
        named.sort_by_key(|summary| liveliness(summary.status()));
        for summary in &named {
            if let Some(service) = self.describe_summary(summary).await? {
                return Ok(Some(service));
            }
        }
        Ok(None)
    }

    async fn describe(&self, arn: &ServiceArn) -> Result<Option<Service>, WorldError> {
        let call = self.client.describe_service().service_arn(arn.as_str());
        match call.send().await {
            Ok(output) => answer::described(output.service).map(Some),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), DescribeServiceError::ResourceNotFoundException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(read_error(&error)),
        }
    }

    async fn all(&self) -> Result<Vec<Service>, WorldError> {
        let mut services = Vec::new();
        for summary in self.summaries().await? {
            services.extend(self.describe_summary(&summary).await?);
        }
        Ok(services)
    }

    async fn operations(
        &self,
        arn: &ServiceArn,
        limit: Option<usize>,
    ) -> Result<Vec<Operation>, WorldError> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..LONGEST_LIST {
            if found.len() >= limit {
                break;
            }
            let call = self.client.list_operations().service_arn(arn.as_str());
            let call = call.max_results(PAGE).set_next_token(token);
            let call = call.customize().interceptor(Promised::Object);
            let page = call.send().await.map_err(|error| read_error(&error))?;
            for summary in page.operation_summary_list() {
                found.push(answer::operation(summary)?);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn create(&self, name: &ServiceName, change: &Change<'_>) -> Result<Issued, WorldError> {
        let call = self.creation(name, change)?.customize().config_override(once());
        // A creation always starts work; an answer that names none is not the whole answer.
        let call = call.interceptor(Promised::Member("OperationId"));
        let output = call.send().await.map_err(|error| change_error(&error, change.values))?;
        let arn = output.service().map_or("", |service| service.service_arn());
        issued(answer::arn(arn, Effect::Changing)?, output.operation_id())
    }

    async fn update(&self, arn: &ServiceArn, change: &Change<'_>) -> Result<Issued, WorldError> {
        let call = self.updating(arn, change)?.customize().config_override(once());
        let call = call.interceptor(Promised::Member("Service"));
        let output = call.send().await.map_err(|error| change_error(&error, change.values))?;
        issued(arn.clone(), output.operation_id())
    }

    async fn preview_create(
        &self,
        name: &ServiceName,
        change: &Change<'_>,
    ) -> Result<serde_json::Value, WorldError> {
        let (preview, captured) = Preview::new();
        let call = self.creation(name, change)?.customize().interceptor(preview);
        let stopped = call.config_override(once()).send().await;
        captured.json().ok_or_else(|| not_previewed(stopped.err(), change.values))
    }

    async fn preview_update(
        &self,
        arn: &ServiceArn,
        change: &Change<'_>,
    ) -> Result<serde_json::Value, WorldError> {
        let (preview, captured) = Preview::new();
        let call = self.updating(arn, change)?.customize().interceptor(preview);
        let stopped = call.config_override(once()).send().await;
        captured.json().ok_or_else(|| not_previewed(stopped.err(), change.values))
    }
}

const PLACE: Place = Place::AppRunner;

/// Sent once: a repetition without a look in between could start the work twice.
fn once() -> Builder {
    aws_sdk_apprunner::Config::builder().retry_config(RetryConfig::disabled())
}

fn issued(arn: ServiceArn, operation: &str) -> Result<Issued, WorldError> {
    // App Runner names no operation when nothing changed; the SDK makes an empty text of it.
    if operation.is_empty() {
        return Ok(Issued { arn, operation: None });
    }
    let operation: OperationId = operation
        .parse()
        .map_err(|_| garbled(PLACE, Effect::Changing, "an operation id that is none"))?;
    Ok(Issued { arn, operation: Some(operation) })
}

fn is_there(summary: &ServiceSummary) -> bool {
    summary.status() != Some(&Word::Deleted)
}

/// Of several services of one name the one that serves comes first, the one being deleted last.
fn liveliness(status: Option<&Word>) -> u8 {
    match status {
        Some(Word::Running | Word::OperationInProgress) => 0,
        Some(Word::Paused) => 1,
        Some(Word::DeleteFailed) => 4,
        Some(Word::CreateFailed) => 3,
        _ => 2,
    }
}

type Failed<E> = SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>;

fn read_error<E>(error: &Failed<E>) -> WorldError
where
    E: aws_sdk_apprunner::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    translate(PLACE, Effect::Reading, error, &Values::default())
}

fn change_error<E>(error: &Failed<E>, values: &Values) -> WorldError
where
    E: aws_sdk_apprunner::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    translate(PLACE, Effect::Changing, error, values)
}

/// The SDK would not even build the request.
fn not_previewed<E>(error: Option<Failed<E>>, values: &Values) -> WorldError
where
    E: aws_sdk_apprunner::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        Some(error) => translate(PLACE, Effect::Reading, &error, values),
        None => WorldError::refused(PLACE, "request-not-built", "the request has no body"),
    }
}
