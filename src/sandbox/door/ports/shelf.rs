//! The registry in process: a table of repositories, tags and images.

use std::collections::BTreeMap;

use super::super::super::Timestamp;
use super::super::super::cloud::ACCOUNT;
use super::super::super::cloud::image::{Images, ResolvedImage};
use super::builder::digest_of;
use crate::names::{Digest, ImageIdentifier, Reference, RepositoryName, Tag};
use crate::world::registry::{Held as Listed, Image, Mutability, Repository};
use crate::world::{Place, WorldError};

/// The registry.
#[derive(Debug, Clone)]
pub struct Shelf {
    host: String,
    repositories: BTreeMap<RepositoryName, Held>,
}

#[derive(Debug, Clone)]
struct Held {
    mutability: Mutability,
    tags: BTreeMap<Tag, Digest>,
    images: BTreeMap<Digest, Stored>,
}

/// An image on the shelf.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) configuration: Digest,
    pub(super) pushed_at: Timestamp,
}

impl Shelf {
    pub(super) fn new(region: &str) -> Self {
        let host = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com");
        Self { host, repositories: BTreeMap::new() }
    }

    /// Makes a repository, unless it is there.
    pub fn add(&mut self, name: &RepositoryName, mutability: Mutability) {
        let empty = || Held { mutability, tags: BTreeMap::new(), images: BTreeMap::new() };
        self.repositories.entry(name.clone()).or_insert_with(empty);
    }

    /// The repository's URI.
    pub fn uri(&self, name: &RepositoryName) -> String {
        format!("{}/{name}", self.host)
    }

    /// The digest that an image built from this context has.
    pub fn digest_of(context: &str) -> Digest {
        digest_of(context)
    }

    /// Somebody else pushes an image built from this context.
    pub fn put(&mut self, name: &RepositoryName, tag: &Tag, context: &str) -> Digest {
        let digest = digest_of(context);
        if let Some(held) = self.repositories.get_mut(name) {
            let configuration = Digest::of(context.as_bytes());
            held.images.insert(digest.clone(), Stored { configuration, pushed_at: 0 });
            held.tags.insert(tag.clone(), digest.clone());
        }
        digest
    }

    /// A lifecycle rule deletes an image and all its tags.
    pub fn delete(&mut self, name: &RepositoryName, digest: &Digest) {
        if let Some(held) = self.repositories.get_mut(name) {
            held.images.remove(digest);
            held.tags.retain(|_, named| named != digest);
        }
    }

    /// Whether this tag may be moved to another image.
    pub fn may_move(&self, name: &RepositoryName, tag: &Tag) -> bool {
        self.repositories.get(name).is_some_and(|held| held.mutability.may_move(tag))
    }

    /// Whether the image is there.
    pub fn holds(&self, name: &RepositoryName, digest: &Digest) -> bool {
        self.repositories.get(name).is_some_and(|held| held.images.contains_key(digest))
    }

    pub(super) fn repository(&self, name: &RepositoryName) -> Option<Repository> {
        let held = self.repositories.get(name)?;
        let mutability = held.mutability.clone();
        Some(Repository { name: name.clone(), uri: self.uri(name), mutability })
    }

    pub(super) fn push(
        &mut self,
        name: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        stored: Stored,
    ) -> Result<(), WorldError> {
        let held = self.held(name)?;
        held.images.entry(digest.clone()).or_insert(stored);
        self.tag(name, digest, tag)
    }

    pub(super) fn tag(
        &mut self,
        name: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), WorldError> {
        let held = self.held(name)?;
        let taken = held.tags.get(tag).is_some_and(|named| named != digest);
        if taken && !held.mutability.may_move(tag) {
            return Err(WorldError::refused(Place::Ecr, "tag-taken", "tags are immutable here"));
        }
        if !held.images.contains_key(digest) {
            return Err(WorldError::refused(Place::Ecr, "ImageNotFoundException", "no such image"));
        }
        held.tags.insert(tag.clone(), digest.clone());
        Ok(())
    }

    fn held(&mut self, name: &RepositoryName) -> Result<&mut Held, WorldError> {
        let missing =
            || WorldError::refused(Place::Ecr, "RepositoryNotFoundException", "no repository");
        self.repositories.get_mut(name).ok_or_else(missing)
    }

    pub(super) fn configuration(&self, name: &RepositoryName, digest: &Digest) -> Option<Digest> {
        Some(self.repositories.get(name)?.images.get(digest)?.configuration.clone())
    }

    pub(super) fn image(&self, name: &RepositoryName, reference: &Reference) -> Option<Image> {
        let held = self.repositories.get(name)?;
        let digest = match reference {
            Reference::Digest(digest) => digest,
            Reference::Tag(tag) => held.tags.get(tag)?,
        };
        let stored = held.images.get(digest)?;
        let tags = held.tags.iter().filter(|(_, named)| *named == digest);
        Some(Image {
            digest: digest.clone(),
            tags: tags.map(|(tag, _)| tag.to_string()).collect(),
            size: 1_000_000,
            pushed_at: chrono::DateTime::from_timestamp_millis(stored.pushed_at),
            media_type: None,
        })
    }

    /// Every image of a repository.
    pub(super) fn images(&self, name: &RepositoryName) -> Option<Vec<Listed>> {
        let held = self.repositories.get(name)?;
        let all = held.images.keys().filter_map(|digest| {
            let image = self.image(name, &Reference::Digest(digest.clone()))?;
            Some(Listed { image, subject: None })
        });
        Some(all.collect())
    }
}

impl Images for Shelf {
    fn resolve(&self, identifier: &str) -> Option<ResolvedImage> {
        let identifier: ImageIdentifier = identifier.parse().ok()?;
        let image = self.image(&identifier.repository, &identifier.reference)?;
        Some(ResolvedImage {
            repository: identifier.repository.to_string(),
            digest: image.digest.to_string(),
            platform_digest: image.digest.to_string(),
            size: image.size,
        })
    }
}
