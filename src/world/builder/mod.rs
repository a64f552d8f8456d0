//! The engine that builds images and pushes them.

mod context;
mod docker;

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use docker::{DockerBuilder, Surroundings};

use super::registry::{Login, Platform};
use super::{ProgressSink, WorldError};
use crate::names::{Digest, ImageIdentifier};
use crate::release::Values;

/// A Docker engine, or what stands in for one.
#[async_trait]
pub trait Builder: Send + Sync {
    /// The engine that answers. [`WorldError::Unreachable`] with `NotRunning` where none does.
    async fn engine(&self) -> Result<Engine, WorldError>;
    /// What would be sent to the engine: files chosen as `.dockerignore` says, and their hash.
    async fn survey(&self, request: &BuildRequest) -> Result<BuildContext, WorldError>;
    /// The local image of this name, if the engine has it.
    async fn find(&self, name: &str) -> Result<Option<LocalImage>, WorldError>;
    /// Builds for linux/amd64 and names the result `name`. No line and no refusal holds a value of
    /// the arguments, or one of these `secrets`.
    async fn build(
        &self,
        request: &BuildRequest,
        name: &str,
        secrets: &Values,
        progress: &dyn ProgressSink,
    ) -> Result<LocalImage, WorldError>;
    /// Pushes a local image under `target` (a tag) and returns the digest the registry gave it.
    async fn push(
        &self,
        name: &str,
        target: &ImageIdentifier,
        login: &Login,
        progress: &dyn ProgressSink,
    ) -> Result<Digest, WorldError>;
}

/// The engine that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Where it was reached, such as `unix:///var/run/docker.sock`.
    pub address: String,
    /// Its name and version, such as `Docker 20.10.24` or `surefoot embedded engine 0.1.0`.
    pub version: String,
}

/// What to build. A plan keeps it without the values of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The context directory, absolute.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// Build arguments. Not for secrets: they end up in the image's history.
    pub arguments: Values,
    /// The stage to stop at.
    pub target: Option<String>,
}

/// What a build request comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildContext {
    /// SHA-256 over the deterministic archive and the other inputs, lowercase hexadecimal.
    pub hash: String,
    /// Files in it.
    pub files: u64,
    /// Bytes in it, before compression.
    pub bytes: u64,
}

/// An image the engine holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalImage {
    /// The engine's own id. Not the registry's digest.
    pub id: String,
    /// What it runs on.
    pub platform: Platform,
    /// Its size in bytes, unpacked.
    pub size: u64,
}
