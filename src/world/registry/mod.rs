//! ECR: repositories and the images in them.

mod ecr;
mod image_door;
mod manifest;

pub use ecr::Ecr;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::WorldError;
use crate::names::{AccountId, Digest, Reference, RepositoryName, Tag};

/// The registry of one account and region.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The repository of this name, if there is one.
    async fn find(&self, name: &RepositoryName) -> Result<Option<Repository>, WorldError>;
    /// Creates it, with scan on push and mutable tags (`latest` moves; ours are unique). Finding it
    /// already there is no error.
    async fn create(&self, name: &RepositoryName) -> Result<Repository, WorldError>;
    /// The image a tag or digest names today, if any.
    async fn image(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Image>, WorldError>;
    /// Which of these images the registry still holds, asked in batches; `account` owns it.
    async fn held(
        &self,
        account: &AccountId,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<BTreeSet<Digest>, WorldError>;
    /// The platforms an image runs on; one for a plain manifest, several for an index (attestation
    /// manifests left out).
    async fn platforms(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Platform>, WorldError>;
    /// The digest of the image's configuration, which classic engines call the image's id; `None`
    /// for an index, whose own digest other engines call so.
    async fn configuration_digest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Digest>, WorldError>;
    /// Lets a tag name this image. The tag naming it already is no error.
    async fn tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), WorldError>;
    /// A fresh login for pushing. Valid for 12 hours at most; never stored.
    async fn login(&self) -> Result<Login, WorldError>;
    /// Every image in it; `None` where there is no such repository.
    async fn images(&self, repository: &RepositoryName) -> Result<Option<Vec<Held>>, WorldError>;
    /// The manifests that each of these indexes names. An index that is gone is left out.
    async fn parts(
        &self,
        repository: &RepositoryName,
        indexes: &[Digest],
    ) -> Result<BTreeMap<Digest, Vec<Digest>>, WorldError>;
    /// Deletes these images, with all their tags, in one call: at most [`MOST_AT_ONCE`]. Says what
    /// became of each.
    async fn delete(
        &self,
        repository: &RepositoryName,
        images: &[Digest],
    ) -> Result<Vec<(Digest, Deletion)>, WorldError>;
    /// The text of its lifecycle policy, if it has one.
    async fn lifecycle_policy(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<String>, WorldError>;
}

/// How many images one call names at most. Source: ECR service model, `ImageIdentifierList`.
pub const MOST_AT_ONCE: usize = 100;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: RepositoryName,
    /// `registry/name`, as ECR answers it; never put together by hand.
    pub uri: String,
    /// Whether tags may move.
    pub mutability: Mutability,
}

/// Whether tags of a repository may move. Source: ECR service model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutability {
    /// All may.
    Mutable,
    /// None may.
    Immutable,
    /// None may, but for those that match a filter (`*` is the wildcard).
    ImmutableExcept(Vec<String>),
    /// All may, but for those that match a filter.
    MutableExcept(Vec<String>),
}

impl Mutability {
    /// Whether this tag may be moved to another image.
    pub fn may_move(&self, tag: &Tag) -> bool {
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::ImmutableExcept(filters) => matches_any(filters, tag.as_str()),
            Self::MutableExcept(filters) => !matches_any(filters, tag.as_str()),
        }
    }
}

fn matches_any(filters: &[String], text: &str) -> bool {
    filters.iter().any(|filter| matches_wildcard(filter, text))
}

/// `*` stands for any run of characters, everything else for itself.
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len())
                .filter(|at| tail.is_char_boundary(*at))
                .any(|at| matches_wildcard(rest, &tail[at..]))
        }),
    }
}

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its manifest's digest.
    pub digest: Digest,
    /// The tags that name it.
    pub tags: Vec<String>,
    /// Compressed size in bytes.
    pub size: u64,
    /// When it was pushed, by ECR's clock.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The manifest's media type.
    pub media_type: Option<String>,
}

/// An image as a list of all of them shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The image.
    pub image: Image,
    /// The image that it is about, for signatures and attestations that refer to one.
    pub subject: Option<Digest>,
}

impl Held {
    /// Whether it may name other manifests: an index, or something whose kind is not known.
    pub fn may_have_parts(&self) -> bool {
        let plain = ["image.manifest.v1+json", "distribution.manifest.v2+json"];
        let kind = self.image.media_type.as_deref();
        !kind.is_some_and(|kind| plain.iter().any(|plain| kind.ends_with(plain)))
    }
}

/// What became of an image that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// It was gone already.
    NotThere,
    /// It stays.
    Refused {
        /// ECR's own word, such as `ImageReferencedByManifestList`.
        code: String,
        /// ECR's own reason.
        reason: String,
    },
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
}

impl Platform {
    /// The only platform App Runner runs.
    pub fn is_linux_amd64(&self) -> bool {
        self.os == "linux" && self.architecture == "amd64"
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// A login for the image door of the registry.
#[derive(Debug, Clone)]
pub struct Login {
    /// The server's address, such as `https://123456789012.dkr.ecr.eu-central-1.amazonaws.com`.
    pub server: String,
    /// The user name: `AWS`.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutability_filters_decide_per_tag() {
        let latest: Tag = "latest".parse().unwrap();
        let release: Tag = "release-7".parse().unwrap();
        let except = |filter: &str| vec![filter.to_owned()];
        assert!(Mutability::ImmutableExcept(except("late*")).may_move(&latest));
        assert!(!Mutability::ImmutableExcept(except("late*")).may_move(&release));
        assert!(!Mutability::MutableExcept(except("*-7")).may_move(&release));
        assert!(Mutability::MutableExcept(except("*-7")).may_move(&latest));
        assert!(!Mutability::Immutable.may_move(&latest));
    }
}
