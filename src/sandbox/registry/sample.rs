//! Small valid images for tests and for the simulated world, made without an engine.

use serde_json::json;

use super::Registry;
use super::manifest::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::sandbox::{ApiError, Timestamp};

/// Media type of a gzip layer in a Docker manifest.
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Puts an image that differs by `content`, and returns its digest. The repository must exist.
///
/// # Errors
/// What ECR would answer to the push.
pub fn image(
    registry: &Registry,
    repository: &str,
    tag: &str,
    content: &str,
    now: Timestamp,
) -> Result<String, ApiError> {
    let text = manifest(registry, repository, content, "amd64")?;
    registry.push_manifest(repository, tag, Some(DOCKER_MANIFEST), &text, now)
}

/// Puts an index with linux/amd64, linux/arm64 and an attestation, as buildx pushes it, and
/// returns the digests: index, amd64, arm64, attestation.
///
/// # Errors
/// What ECR would answer to the push.
pub fn index(
    registry: &Registry,
    repository: &str,
    tag: &str,
    content: &str,
    now: Timestamp,
) -> Result<[String; 4], ApiError> {
    let mut digests = Vec::new();
    let mut children = Vec::new();
    for architecture in ["amd64", "arm64", "unknown"] {
        let text = manifest(registry, repository, content, architecture)?;
        let digest = super::manifest::digest_of(text.as_bytes());
        registry.push_manifest(repository, &digest, Some(DOCKER_MANIFEST), &text, now)?;
        let os = if architecture == "unknown" { "unknown" } else { "linux" };
        children.push(json!({
            "mediaType": OCI_MANIFEST, "digest": digest, "size": text.len(),
            "platform": {"os": os, "architecture": architecture},
        }));
        digests.push(digest);
    }
    let text = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children});
    let named = registry.push_manifest(repository, tag, Some(OCI_INDEX), &text.to_string(), now)?;
    let mut digests = digests.into_iter();
    let mut next = || digests.next().unwrap_or_default();
    let (amd64, arm64, attestation) = (next(), next(), next());
    Ok([named, amd64, arm64, attestation])
}

/// The text of a manifest whose blobs are in place.
///
/// # Errors
/// `RepositoryNotFoundException`.
pub fn manifest(
    registry: &Registry,
    repository: &str,
    content: &str,
    architecture: &str,
) -> Result<String, ApiError> {
    let os = if architecture == "unknown" { "unknown" } else { "linux" };
    let config = json!({
        "os": os, "architecture": architecture, "config": {"Labels": {"content": content}},
    });
    let config = blob(registry, repository, config.to_string().as_bytes())?;
    let layer = blob(registry, repository, content.as_bytes())?;
    Ok(json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": config.0, "size": config.1,
        },
        "layers": [{"mediaType": LAYER, "digest": layer.0, "size": layer.1}],
    })
    .to_string())
}

fn blob(registry: &Registry, repository: &str, content: &[u8]) -> Result<(String, u64), ApiError> {
    let digest = registry.blobs().put(content).map_err(|error| ApiError {
        status: 500,
        code: "ServerException".into(),
        message: error.to_string(),
    })?;
    let size = content.len() as u64;
    registry.link_layer(repository, &digest, size)?;
    Ok((digest, size))
}
