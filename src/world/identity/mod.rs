//! STS and IAM: who we are, and which roles there are.

mod sts_iam;
mod trust;

pub use sts_iam::StsIam;

use async_trait::async_trait;

use super::WorldError;
use crate::names::{AccountId, RoleArn};

/// Who calls, and the roles of the account.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Who AWS takes us for.
    async fn caller(&self) -> Result<Caller, WorldError>;
    /// The role of this name, if there is one. A refusal to tell is an error, not `None`.
    async fn role(&self, name: &str) -> Result<Option<Role>, WorldError>;
    /// Creates a role with this trust policy and, where one is named, attaches a managed policy.
    async fn create_role(
        &self,
        name: &str,
        trust: &str,
        policy: Option<&str>,
    ) -> Result<(), WorldError>;
}

/// Who AWS takes us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user or role session.
    pub arn: String,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: RoleArn,
    /// The services its trust policy lets assume it, such as `build.apprunner.amazonaws.com`.
    pub trusts: Vec<String>,
}
