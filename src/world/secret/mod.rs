//! Secrets Manager: whether a secret exists, never what it says.

mod secrets_manager;

pub use secrets_manager::SecretsManager;

use async_trait::async_trait;

use super::WorldError;
use crate::names::SecretReference;

/// Secrets by reference. There is deliberately no way to read a value.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The full reference of an existing secret (a partial ARN is completed); `None` when missing.
    async fn find(
        &self,
        reference: &SecretReference,
    ) -> Result<Option<SecretReference>, WorldError>;
}
