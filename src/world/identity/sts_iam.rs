//! STS and IAM through their SDKs.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use aws_sdk_iam::operation::get_role::GetRoleError;
use aws_sdk_sts::error::SdkError;

use super::{Caller, Identity, Role, trust};
use crate::names::NameError;
use crate::release::Values;
use crate::world::aws::{Connection, Effect, garbled, translate};
use crate::world::{Place, WorldError};

/// STS and IAM as one adapter: both say who may do what.
#[derive(Debug, Clone)]
pub struct StsIam {
    tokens: aws_sdk_sts::Client,
    roles: aws_sdk_iam::Client,
}

impl StsIam {
    /// STS and IAM behind this connection.
    pub fn new(connection: &Connection) -> Self {
        let sdk = connection.sdk();
        Self { tokens: aws_sdk_sts::Client::new(sdk), roles: aws_sdk_iam::Client::new(sdk) }
    }
}

#[async_trait]
impl Identity for StsIam {
    async fn caller(&self) -> Result<Caller, WorldError> {
        let answer =
            self.tokens.get_caller_identity().send().await.map_err(|error| {
                translate(Place::Sts, Effect::Reading, &error, &Values::default())
            })?;
        let account = answer.account().unwrap_or_default().parse();
        Ok(Caller {
            account: account.map_err(|error| unreadable(Place::Sts, &error))?,
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }

    async fn role(&self, name: &str) -> Result<Option<Role>, WorldError> {
        match self.roles.get_role().role_name(name).send().await {
            Ok(answer) => match answer.role() {
                Some(found) => role(found).map(Some),
                None => Err(garbled(Place::Iam, Effect::Reading, "no role in it")),
            },
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetRoleError::NoSuchEntityException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(translate(Place::Iam, Effect::Reading, &error, &Values::default())),
        }
    }

    async fn create_role(
        &self,
        name: &str,
        trust: &str,
        policy: Option<&str>,
    ) -> Result<(), WorldError> {
        let create = self.roles.create_role().role_name(name).assume_role_policy_document(trust);
        create.send().await.map_err(|error| changing(&error))?;
        let Some(policy) = policy else { return Ok(()) };
        let attach = self.roles.attach_role_policy().role_name(name).policy_arn(policy);
        attach.send().await.map(drop).map_err(|error| changing(&error))
    }
}

fn changing<E>(error: &SdkError<E>) -> WorldError
where
    E: aws_sdk_sts::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    translate(Place::Iam, Effect::Changing, error, &Values::default())
}

fn role(found: &aws_sdk_iam::types::Role) -> Result<Role, WorldError> {
    let arn = found.arn().parse().map_err(|error| unreadable(Place::Iam, &error))?;
    let document = found.assume_role_policy_document().unwrap_or("{}");
    let trusts = trust::trusted_services(document)
        .map_err(|what| garbled(Place::Iam, Effect::Reading, &what))?;
    Ok(Role { arn, trusts })
}

fn unreadable(place: Place, error: &NameError) -> WorldError {
    garbled(place, Effect::Reading, &error.to_string())
}
