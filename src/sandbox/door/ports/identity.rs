//! STS, IAM and Secrets Manager in process.

use async_trait::async_trait;

use super::super::super::cloud::ACCOUNT;
use super::Machine;
use super::mishap::Kind;
use crate::names::SecretReference;
use crate::world::identity::{Caller, Identity, Role};
use crate::world::secret::Secrets;
use crate::world::{Place, WorldError};

#[async_trait]
impl Identity for Machine {
    async fn caller(&self) -> Result<Caller, WorldError> {
        let call = (Place::Sts, Kind::Read, "GetCallerIdentity");
        let account = ACCOUNT.parse().expect("the sandbox's account is one");
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
        self.call(call, |_, _| Ok(Caller { account, arn })).await
    }

    async fn role(&self, name: &str) -> Result<Option<Role>, WorldError> {
        let call = (Place::Iam, Kind::Read, "GetRole");
        self.call(call, |state, _| {
            let identity = state.cloud.identity();
            let known = [
                (identity.access_role_arn(), "build.apprunner.amazonaws.com"),
                (identity.instance_role_arn(), "tasks.apprunner.amazonaws.com"),
            ];
            let found = known.into_iter().find(|(arn, _)| arn.ends_with(&format!("/{name}")));
            Ok(found.and_then(|(arn, service)| {
                Some(Role { arn: arn.parse().ok()?, trusts: vec![service.to_owned()] })
            }))
        })
        .await
    }

    async fn create_role(
        &self,
        name: &str,
        _trust: &str,
        _policy: Option<&str>,
    ) -> Result<(), WorldError> {
        // The account in process has its two roles from the start, and nothing asks for others.
        let message = format!("role {name} cannot be created in process");
        Err(WorldError::refused(Place::Iam, "EntityAlreadyExists", message))
    }
}

#[async_trait]
impl Secrets for Machine {
    async fn find(
        &self,
        reference: &SecretReference,
    ) -> Result<Option<SecretReference>, WorldError> {
        let call = (Place::Secrets, Kind::Read, "DescribeSecret");
        self.call(call, |_, _| Ok(Some(reference.clone()))).await
    }
}
