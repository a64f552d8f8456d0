//! Reading images: `BatchGetImage`, layers, and manifests for `docker pull`.

use serde_json::{Value, json};

use super::Registry;
use super::deleting::Failure;
use super::refusal::invalid;
use super::repository::{Image, Repository};
use super::request::{ImageIdentifier, Request, is_digest};
use crate::sandbox::{ApiError, Timestamp};

/// ECR service model, `lastRecordedPullTime`: refreshed at least once every 24 hours.
const PULL_TIME_GRAIN: Timestamp = 24 * 60 * 60 * 1000;

/// A manifest as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// `sha256:…` of the text.
    pub digest: String,
    /// Kind.
    pub media_type: String,
    /// The very bytes.
    pub text: String,
}

impl Registry {
    pub(super) fn batch_get_image(
        &self,
        request: Request<'_>,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let wanted = request.image_identifiers()?;
        let wanted = wanted.ok_or_else(|| invalid("imageIds", "Member must not be null"))?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for one in &wanted {
            match repository.locate(one) {
                Err(failure) => failures.push(failure.write(one)),
                Ok(digest) => {
                    let Some(image) = repository.images.get_mut(&digest) else { continue };
                    image.record_pull(now);
                    images.push(self.image(name, &digest, one.tag.as_deref(), image));
                }
            }
        }
        Ok(json!({"images": images, "failures": failures}))
    }

    pub(super) fn image(
        &self,
        repository: &str,
        digest: &str,
        tag: Option<&str>,
        image: &Image,
    ) -> Value {
        let identifier =
            ImageIdentifier { tag: tag.map(str::to_owned), digest: Some(digest.to_owned()) };
        json!({
            "registryId": self.settings().account,
            "repositoryName": repository,
            "imageId": identifier.write(),
            "imageManifest": image.manifest,
            "imageManifestMediaType": image.media_type,
        })
    }

    pub(super) fn batch_check_layers(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        let (mut layers, mut failures) = (Vec::new(), Vec::new());
        let digests = request.list("layerDigests").into_iter().flatten();
        for digest in digests.filter_map(Value::as_str) {
            match (is_digest(digest), repository.layers.get(digest)) {
                (false, _) => failures.push(json!({
                    "layerDigest": digest,
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
                })),
                (true, Some(size)) => layers.push(json!({
                    "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size,
                })),
                (true, None) => layers.push(json!({
                    "layerDigest": digest, "layerAvailability": "UNAVAILABLE",
                })),
            }
        }
        Ok(json!({"layers": layers, "failures": failures}))
    }

    /// A manifest by tag or digest, for the OCI door.
    ///
    /// # Errors
    /// `RepositoryNotFoundException` or `ImageNotFoundException`.
    pub fn manifest(
        &self,
        repository: &str,
        reference: &str,
        pulled_at: Option<Timestamp>,
    ) -> Result<StoredManifest, ApiError> {
        let mut contents = self.contents();
        let found = contents.repositories.get_mut(repository);
        let found = found.ok_or_else(|| self.voice().no_repository(repository))?;
        let digest = found.tags.get(reference).cloned().unwrap_or_else(|| reference.to_owned());
        let Some(image) = found.images.get_mut(&digest) else {
            let (tag, digest) = if is_digest(reference) {
                (None, Some(reference))
            } else {
                (Some(reference), None)
            };
            return Err(self.voice().no_image(repository, tag, digest));
        };
        if let Some(now) = pulled_at {
            image.record_pull(now);
        }
        let answer = StoredManifest {
            digest,
            media_type: image.media_type.clone(),
            text: image.manifest.clone(),
        };
        contents.dirty |= pulled_at.is_some();
        Ok(answer)
    }

    /// All tags of a repository, in order.
    ///
    /// # Errors
    /// `RepositoryNotFoundException`.
    pub fn tags(&self, repository: &str) -> Result<Vec<String>, ApiError> {
        let contents = self.contents();
        let found = contents.repository(self.voice(), repository)?;
        Ok(found.tags.keys().cloned().collect())
    }

    /// Size of a blob that was pushed to this repository.
    ///
    /// # Errors
    /// `RepositoryNotFoundException`.
    pub fn layer(&self, repository: &str, digest: &str) -> Result<Option<u64>, ApiError> {
        let contents = self.contents();
        Ok(contents.repository(self.voice(), repository)?.layers.get(digest).copied())
    }
}

impl Image {
    fn record_pull(&mut self, now: Timestamp) {
        if self.pulled_at.is_none_or(|before| now - before >= PULL_TIME_GRAIN) {
            self.pulled_at = Some(now);
        }
    }
}

impl Repository {
    /// The digest an identifier names, or the failure code that ECR would answer for it.
    pub(super) fn locate(&self, wanted: &ImageIdentifier) -> Result<String, Failure> {
        match (&wanted.tag, &wanted.digest) {
            (None, None) => Err(Failure::MissingDigestAndTag),
            (_, Some(digest)) if !is_digest(digest) => Err(Failure::InvalidImageDigest),
            (Some(tag), _) if !super::request::is_tag(tag) => Err(Failure::InvalidImageTag),
            (None, Some(digest)) if self.images.contains_key(digest) => Ok(digest.clone()),
            (None, Some(_)) => Err(Failure::ImageNotFound),
            (Some(tag), digest) => match (self.tags.get(tag), digest) {
                (None, _) => Err(Failure::ImageNotFound),
                (Some(found), Some(digest)) if found != digest => {
                    Err(Failure::ImageTagDoesNotMatchDigest)
                }
                (Some(found), _) => Ok(found.clone()),
            },
        }
    }
}
