//! A Docker engine in process: an image follows from its context, a manifest from its image.

use async_trait::async_trait;

use super::Machine;
use super::mishap::Kind;
use super::shelf::Stored;
use crate::names::{Digest, ImageIdentifier, Reference};
use crate::release::Values;
use crate::world::builder::{BuildContext, BuildRequest, Builder, Engine, LocalImage};
use crate::world::registry::{Login, Platform};
use crate::world::{Place, ProgressSink, WorldError};

#[async_trait]
impl Builder for Machine {
    async fn engine(&self) -> Result<Engine, WorldError> {
        let (address, version) = ("in process".to_owned(), "simulated engine".to_owned());
        let call = (Place::Docker, Kind::Read, "engine");
        self.call(call, |_, _| Ok(Engine { address, version })).await
    }

    async fn survey(&self, _request: &BuildRequest) -> Result<BuildContext, WorldError> {
        let hash = self.desk().tree.context.clone();
        Ok(BuildContext { hash, files: 3, bytes: 300 })
    }

    async fn find(&self, name: &str) -> Result<Option<LocalImage>, WorldError> {
        let found = self.desk().images.get(name).cloned();
        self.call((Place::Docker, Kind::Read, "find"), |_, _| Ok(found)).await
    }

    async fn build(
        &self,
        _request: &BuildRequest,
        name: &str,
        _secrets: &Values,
        _progress: &dyn ProgressSink,
    ) -> Result<LocalImage, WorldError> {
        let context = self.desk().tree.context.clone();
        // An engine is no part of the outside: a build that is lost is only built again.
        self.call((Place::Docker, Kind::Read, "build"), |_, _| {
            let image = LocalImage {
                id: configuration_of(&context).to_string(),
                platform: platform(),
                size: 1_000_000,
            };
            self.desk().images.insert(name.to_owned(), image.clone());
            Ok(image)
        })
        .await
    }

    async fn push(
        &self,
        name: &str,
        target: &ImageIdentifier,
        _login: &Login,
        _progress: &dyn ProgressSink,
    ) -> Result<Digest, WorldError> {
        let found = self.desk().images.get(name).cloned();
        let Some(image) = found else {
            return Err(WorldError::refused(Place::Docker, "no-image", "the engine lacks it"));
        };
        let intended = self.desk().intended;
        self.call((Place::Ecr, Kind::Change, "push"), |state, _| {
            if !intended {
                state.unintended.push("push");
            }
            let configuration: Digest = image.id.parse().expect("an id is a digest");
            let digest = manifest_of(&configuration);
            let stored = Stored { configuration, pushed_at: state.now };
            let Reference::Tag(tag) = &target.reference else {
                return Err(WorldError::refused(Place::Ecr, "no-tag", "a push names a tag"));
            };
            state.shelf.push(&target.repository, tag, &digest, stored)?;
            Ok(digest)
        })
        .await
    }
}

pub(super) fn platform() -> Platform {
    Platform { os: "linux".into(), architecture: "amd64".into() }
}

fn configuration_of(context: &str) -> Digest {
    Digest::of(format!("configuration of {context}").as_bytes())
}

fn manifest_of(configuration: &Digest) -> Digest {
    Digest::of(format!("manifest of {configuration}").as_bytes())
}

/// The digest that an image of this context has in the registry.
pub(super) fn digest_of(context: &str) -> Digest {
    manifest_of(&configuration_of(context))
}
