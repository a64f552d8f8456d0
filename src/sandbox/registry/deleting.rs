//! `BatchDeleteImage`: HTTP 200, and a failure per image that stays.

use serde_json::{Value, json};

use super::Registry;
use super::listing::names;
use super::refusal::invalid;
use super::repository::Repository;
use super::request::{ImageIdentifier, Request};
use crate::sandbox::ApiError;

/// Why one image of a batch was left alone (ECR service model, `ImageFailureCode`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    InvalidImageDigest,
    InvalidImageTag,
    ImageTagDoesNotMatchDigest,
    ImageNotFound,
    MissingDigestAndTag,
    ReferencedByManifestList(Vec<String>),
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidImageDigest => "InvalidImageDigest",
            Self::InvalidImageTag => "InvalidImageTag",
            Self::ImageTagDoesNotMatchDigest => "ImageTagDoesNotMatchDigest",
            Self::ImageNotFound => "ImageNotFound",
            Self::MissingDigestAndTag => "MissingDigestAndTag",
            Self::ReferencedByManifestList(_) => "ImageReferencedByManifestList",
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::InvalidImageDigest => "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'".into(),
            Self::InvalidImageTag => "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'".into(),
            Self::ImageTagDoesNotMatchDigest => "Requested image tag does not match the image digest".into(),
            Self::ImageNotFound => "Requested image not found".into(),
            Self::MissingDigestAndTag => "Invalid request parameters: both tag and digest cannot be null".into(),
            Self::ReferencedByManifestList(lists) => {
                format!("Requested image referenced by manifest list: [{}]", lists.join(", "))
            }
        }
    }

    pub(super) fn write(&self, image: &ImageIdentifier) -> Value {
        json!({
            "imageId": image.write(),
            "failureCode": self.code(),
            "failureReason": self.reason(),
        })
    }
}

impl Registry {
    pub(super) fn batch_delete_image(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let wanted = request.image_identifiers()?;
        let wanted = wanted.ok_or_else(|| invalid("imageIds", "Member must not be null"))?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for one in &wanted {
            match delete(repository, one) {
                Ok(gone) => deleted.extend(gone.iter().map(ImageIdentifier::write)),
                Err(failure) => failures.push(failure.write(one)),
            }
        }
        Ok(json!({"imageIds": deleted, "failures": failures}))
    }
}

/// By tag: the tag goes, and the image with its last tag. By digest: the image and all its tags.
fn delete(
    repository: &mut Repository,
    wanted: &ImageIdentifier,
) -> Result<Vec<ImageIdentifier>, Failure> {
    let digest = repository.locate(wanted)?;
    let tags_left = repository.images.get(&digest).map_or(0, |image| image.tags.len());
    if let Some(tag) = &wanted.tag
        && tags_left > 1
    {
        repository.untag(tag);
        return Ok(vec![ImageIdentifier { tag: Some(tag.clone()), digest: Some(digest) }]);
    }
    let holders = repository.holders(&digest);
    if !holders.is_empty() {
        return Err(Failure::ReferencedByManifestList(holders));
    }
    let gone = repository.remove(&digest);
    Ok(gone.map(|image| names(&digest, &image)).unwrap_or_default())
}
