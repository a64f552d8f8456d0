//! One look at the repository and at every service of the account and region.

use std::collections::BTreeMap;

use crate::names::{Digest, RepositoryName};
use crate::projection::{Memory, Picture, Running};
use crate::world::{World, WorldError};

/// Looks; `None` where there is no such repository. What `known` indexes hold is not asked again:
/// a digest always names the same content.
pub async fn look(
    world: &World,
    repository: &RepositoryName,
    memories: Vec<Memory>,
    mut known: BTreeMap<Digest, Vec<Digest>>,
) -> Result<Option<Picture>, WorldError> {
    let Some(images) = world.registry.images(repository).await? else { return Ok(None) };
    let unread: Vec<Digest> = images
        .iter()
        .filter(|held| held.may_have_parts() && !known.contains_key(&held.image.digest))
        .map(|held| held.image.digest.clone())
        .collect();
    if !unread.is_empty() {
        known.extend(world.registry.parts(repository, &unread).await?);
    }
    // Last of all: a machine may sleep between two answers, and what runs changes soonest.
    let services = services(world).await?;
    let now = world.clock.now();
    Ok(Some(Picture::new(repository.clone(), images, known, services, memories, now)))
}

/// Every service as it is now.
pub(super) async fn services(world: &World) -> Result<Vec<Running>, WorldError> {
    Ok(world.services.all().await?.into_iter().map(Running::from).collect())
}
