//! Pushing an image and learning its digest.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;

use super::connect::Connection;
use super::failure::{is_lost, is_unknown, lost, spoken, translate};
use super::push_answer::{Layers, digest, meaning};
use crate::names::{Digest, ImageIdentifier, Tag};
use crate::world::clock::Clock;
use crate::world::registry::Login;
use crate::world::{Obstacle, Place, Progress, ProgressSink, WorldError};

/// Attempts while the network drops. The engine itself tries each layer five times.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles from then on.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// One push: from a local image to a tag in a registry.
pub(super) struct Push<'a> {
    pub(super) connection: &'a Connection,
    pub(super) target: &'a ImageIdentifier,
    pub(super) login: &'a Login,
    pub(super) progress: &'a dyn ProgressSink,
}

impl Push<'_> {
    /// Tags and pushes. Layers are named by their content, so trying again repeats nothing that
    /// has arrived.
    pub(super) async fn run(&self, name: &str, clock: &dyn Clock) -> Result<Digest, WorldError> {
        let tag = self.target.tag().ok_or_else(|| {
            let message = format!("{} has no tag to push to", self.target);
            WorldError::refused(Place::Docker, "no-tag", message)
        })?;
        self.name_it(name, tag).await?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(tag).await {
                Err(error) if is_worth_another_try(&error) => {
                    self.progress.report(Progress::Notice(format!(
                        "the push was interrupted ({error}); trying again in {} s",
                        pause.as_secs()
                    )));
                    clock.sleep(pause).await;
                    pause *= 2;
                }
                ended => return ended,
            }
        }
        self.attempt(tag).await
    }

    /// Gives the local image the name under which it is pushed.
    async fn name_it(&self, name: &str, tag: &Tag) -> Result<(), WorldError> {
        let repository = self.target.repository_uri();
        let options = TagImageOptionsBuilder::new().repo(&repository).tag(tag.as_str()).build();
        match self.connection.docker.tag_image(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_unknown(&error) => {
                let message = format!("the engine has no image {name}");
                Err(WorldError::refused(Place::Docker, "no-image", message))
            }
            Err(error) => Err(translate(&error)),
        }
    }

    async fn attempt(&self, tag: &Tag) -> Result<Digest, WorldError> {
        let pushed = self.send(tag).await?;
        match self.registry_says().await {
            Some(there) if there != pushed => {
                let message = format!(
                    "the engine pushed {pushed}, but {} is {there} in the registry: somebody else \
                     pushes to this tag, or something between changes images",
                    self.target
                );
                Err(WorldError::refused(Place::Ecr, "digest-mismatch", message))
            }
            _ => Ok(pushed),
        }
    }

    /// Pushes once and reads the digest from the engine's own words.
    async fn send(&self, tag: &Tag) -> Result<Digest, WorldError> {
        let repository = self.target.repository_uri();
        let options = PushImageOptionsBuilder::new().tag(tag.as_str()).build();
        let answer =
            self.connection.docker.push_image(&repository, Some(options), Some(self.credentials()));
        let mut answer = std::pin::pin!(answer);
        let (mut layers, mut found) = (Layers::default(), None);
        while let Some(message) = answer.next().await {
            let message = message.map_err(|error| why(&error))?;
            if let Some(step) = message.progress_detail.and_then(|detail| layers.read(&detail)) {
                self.progress.report(step);
            }
            found = message.status.and_then(|status| digest(&status, tag)).or(found);
        }
        found.ok_or_else(|| WorldError::Unreachable {
            place: Place::Docker,
            obstacle: Obstacle::Network,
            reason: "the push ended without a digest".into(),
        })
    }

    /// The digest that the registry has under the tag, where the engine can ask. An engine that
    /// cannot is no reason to fail: ECR is asked again later.
    async fn registry_says(&self) -> Option<Digest> {
        let name = self.target.to_string();
        let asked =
            self.connection.docker.inspect_registry_image(&name, Some(self.credentials())).await;
        match asked {
            Ok(answer) => answer.descriptor.digest.and_then(|digest| digest.parse().ok()),
            Err(error) => {
                tracing::debug!(%error, "the engine could not ask the registry");
                None
            }
        }
    }

    fn credentials(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.login.username.clone()),
            password: Some(self.login.password.expose_secret().to_owned()),
            serveraddress: Some(self.login.server.clone()),
            ..DockerCredentials::default()
        }
    }
}

fn why(error: &Error) -> WorldError {
    match spoken(error) {
        Some(message) => meaning(message),
        None if is_lost(error) => lost(error),
        None => WorldError::Unreachable {
            place: Place::Docker,
            obstacle: Obstacle::Broken,
            reason: format!("the engine's answer to a push cannot be read: {error}"),
        },
    }
}

fn is_worth_another_try(error: &WorldError) -> bool {
    matches!(
        error,
        WorldError::Unreachable { obstacle: Obstacle::Network | Obstacle::Throttled, .. }
    )
}
