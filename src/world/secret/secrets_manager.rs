//! Secrets Manager through its SDK: descriptions only, no value is ever asked for.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;

use super::Secrets;
use crate::names::{NameError, SecretReference};
use crate::release::Values;
use crate::world::aws::{Connection, Effect, Promised, garbled, translate};
use crate::world::{Place, WorldError};

const PLACE: Place = Place::Secrets;

/// Secrets Manager of one account and region.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Secrets Manager behind this connection.
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.sdk()) }
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    /// A secret that is scheduled for deletion counts as missing: App Runner could not read it.
    /// Whether an SSM parameter exists is not asked here: refused with the code `cannot-tell`.
    async fn find(
        &self,
        reference: &SecretReference,
    ) -> Result<Option<SecretReference>, WorldError> {
        if reference.is_parameter() {
            let message = "whether an SSM parameter exists is not checked";
            return Err(WorldError::refused(PLACE, "cannot-tell", message));
        }
        let arn = reference.secret_arn();
        let call = self.client.describe_secret().secret_id(&arn).customize();
        match call.interceptor(Promised::Member("ARN")).send().await {
            Ok(found) if found.deleted_date().is_some() => Ok(None),
            Ok(found) => completed(reference, found.arn().unwrap_or(&arn)).map(Some),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), DescribeSecretError::ResourceNotFoundException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(translate(PLACE, Effect::Reading, &error, &Values::default())),
        }
    }
}

/// The full ARN with the reference's own `:json-key:stage:version` behind it.
fn completed(reference: &SecretReference, arn: &str) -> Result<SecretReference, WorldError> {
    let suffix = &reference.as_str()[reference.secret_arn().len()..];
    let full = format!("{arn}{suffix}").parse();
    full.map_err(|error: NameError| garbled(PLACE, Effect::Reading, &error.to_string()))
}
