//! What the AWS door needs of its neighbours: a registry that speaks ECR, and something that runs
//! instances.

use serde_json::Value;

use crate::sandbox::cloud::image::Images;
use crate::sandbox::{ApiError, Timestamp};

pub use crate::sandbox::runtime::{
    HealthCheck, InstanceId, InstanceSpec, InstanceState, LogLine, Probe, Runtime, StartFailure,
};

/// A registry that answers ECR calls and finds images.
pub trait Ecr: Images + Send + Sync {
    /// Answers one call; `operation` is the part after the dot of `X-Amz-Target`.
    fn answer(&self, operation: &str, body: &Value, now: Timestamp) -> Result<Value, ApiError>;

    /// Makes images of a repository older than they are: all, or the one of this digest. How many.
    fn age(&self, repository: &str, digest: Option<&str>, by: Timestamp) -> usize;
}
