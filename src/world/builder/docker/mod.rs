//! The Docker engine, through its API.

mod address;
mod base_logins;
mod build;
mod connect;
mod failure;
mod greeting;
mod output;
mod push;
mod push_answer;

use async_trait::async_trait;
use bollard::models::SystemVersion;

pub use address::Surroundings;

use super::context::Context;
use super::{BuildContext, BuildRequest, Builder, Engine, LocalImage};
use crate::names::{Digest, ImageIdentifier};
use crate::redaction::{Redaction, SHORTEST_IN_LOGS};
use crate::release::Values;
use crate::text::printable;
use crate::world::clock::Clock;
use crate::world::registry::{Login, Platform};
use crate::world::{Place, ProgressSink, WorldError};
use connect::{Connection, connect};
use failure::{is_unknown, translate};

/// Builds and pushes with a Docker engine, or with Podman or another that speaks its API.
pub struct DockerBuilder {
    surroundings: Surroundings,
    clock: Box<dyn Clock>,
}

impl DockerBuilder {
    /// A builder that looks for its engine anew for every call: an engine may be started, stopped
    /// or restarted at any time.
    pub fn new(surroundings: Surroundings, clock: Box<dyn Clock>) -> Self {
        Self { surroundings, clock }
    }

    /// The engine's own client and its address, for the sandbox, which runs containers on it.
    pub async fn client(&self) -> Result<(bollard::Docker, String), WorldError> {
        let connection = self.connect().await?;
        Ok((connection.docker, connection.address))
    }

    async fn connect(&self) -> Result<Connection, WorldError> {
        connect(&self.surroundings).await
    }
}

#[async_trait]
impl Builder for DockerBuilder {
    async fn engine(&self) -> Result<Engine, WorldError> {
        let connection = self.connect().await?;
        let version = connection.docker.version().await.map_err(|error| translate(&error))?;
        Ok(Engine { address: connection.address, version: name(&version) })
    }

    async fn survey(&self, request: &BuildRequest) -> Result<BuildContext, WorldError> {
        let request = request.clone();
        tokio::task::spawn_blocking(move || Context::open(&request)?.survey()).await.unwrap_or_else(
            |error| {
                let message = format!("reading the context broke off: {error}");
                Err(WorldError::refused(Place::Source, "unreadable", message))
            },
        )
    }

    async fn find(&self, name: &str) -> Result<Option<LocalImage>, WorldError> {
        inspect(&self.connect().await?, name).await
    }

    async fn build(
        &self,
        request: &BuildRequest,
        name: &str,
        secrets: &Values,
        progress: &dyn ProgressSink,
    ) -> Result<LocalImage, WorldError> {
        let context = Context::open(request)?;
        let connection = self.connect().await?;
        let values = request.arguments.iter().map(|(_, value)| value.to_owned());
        let mut texts: Vec<String> = values.collect();
        texts.push(context.dockerfile_text());
        let logins = base_logins::for_registries_in(&self.surroundings, &texts).await;
        let redaction = Redaction::of_all(&[&request.arguments, secrets], SHORTEST_IN_LOGS);
        let job =
            build::Job { connection: &connection, request, name, logins, redaction, progress };
        job.run(context).await
    }

    async fn push(
        &self,
        name: &str,
        target: &ImageIdentifier,
        login: &Login,
        progress: &dyn ProgressSink,
    ) -> Result<Digest, WorldError> {
        let connection = self.connect().await?;
        push::Push { connection: &connection, target, login, progress }
            .run(name, self.clock.as_ref())
            .await
    }
}

/// The engine's own name and version.
fn name(version: &SystemVersion) -> String {
    let number = version.version.as_deref().unwrap_or("of unknown version");
    let platform = version.platform.as_ref().map_or("", |platform| platform.name.as_str());
    let component =
        version.components.iter().flatten().next().map_or("", |component| component.name.as_str());
    let name = match (platform, component) {
        ("", "" | "Engine") => "Docker",
        ("", other) => other,
        (platform, _) if platform.starts_with("Docker") => "Docker",
        (platform, _) => platform,
    };
    printable(&format!("{name} {number}"), 100)
}

/// What the engine says of a local image.
async fn inspect(connection: &Connection, name: &str) -> Result<Option<LocalImage>, WorldError> {
    let image = match connection.docker.inspect_image(name).await {
        Ok(image) => image,
        Err(error) if is_unknown(&error) => return Ok(None),
        Err(error) => return Err(translate(&error)),
    };
    let word = |word: Option<String>| word.unwrap_or_default().to_lowercase();
    Ok(Some(LocalImage {
        id: image.id.unwrap_or_else(|| name.to_owned()),
        platform: Platform { os: word(image.os), architecture: word(image.architecture) },
        size: image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
    }))
}
