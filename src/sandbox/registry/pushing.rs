//! New images: `PutImage` and `docker push` end here.

use serde_json::{Value, json};

use super::manifest::{self, Manifest, digest_of};
use super::refusal::{bad_manifest, digest_differs, invalid, tag_immutable};
use super::repository::{Image, Repository};
use super::request::{Request, is_digest, is_repository_name, is_tag};
use super::{Registry, TagPushed, lock};
use crate::sandbox::{ApiError, Timestamp};

/// Largest image configuration that is read for its platform.
const LARGEST_CONFIGURATION: u64 = 8 * 1024 * 1024;

/// A manifest on its way in.
struct Push<'a> {
    repository: &'a str,
    text: &'a str,
    media_type: Option<&'a str>,
    tag: Option<&'a str>,
    refuse_identical: bool,
}

impl Registry {
    pub(super) fn put_image(
        &self,
        request: Request<'_>,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let push = Push {
            repository: request.repository()?,
            text: request.required("imageManifest")?,
            media_type: request.text("imageManifestMediaType"),
            tag: request.text("imageTag"),
            refuse_identical: true,
        };
        if let Some(claimed) = request.text("imageDigest") {
            let actual = digest_of(push.text.as_bytes());
            if claimed != actual {
                return Err(digest_differs(claimed, &actual));
            }
        }
        let digest = self.push(&push, now)?;
        let contents = self.contents();
        let repository = contents.repository(self.voice(), push.repository)?;
        let image = &repository.images[&digest];
        Ok(json!({"image": self.image(push.repository, &digest, push.tag, image)}))
    }

    /// Takes a manifest as `docker push` sends it and returns its digest.
    ///
    /// # Errors
    /// The exception that `PutImage` would answer.
    pub fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: Option<&str>,
        text: &str,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        let by_digest = is_digest(reference);
        let actual = digest_of(text.as_bytes());
        if by_digest && reference != actual {
            return Err(digest_differs(reference, &actual));
        }
        let tag = (!by_digest).then_some(reference);
        let refuse_identical = tag.is_some_and(|tag| {
            self.settings.refuses_identical_repush && self.is_fixed(repository, tag)
        });
        let push = Push { repository, text, media_type, tag, refuse_identical };
        self.push(&push, now)
    }

    fn is_fixed(&self, repository: &str, tag: &str) -> bool {
        self.contents().repositories.get(repository).is_some_and(|found| !found.may_move(tag))
    }

    fn push(&self, push: &Push<'_>, now: Timestamp) -> Result<String, ApiError> {
        if push.text.len() > manifest::LARGEST {
            return Err(invalid(
                "imageManifest",
                "Member must have length less than or equal to 4194304",
            ));
        }
        if push.tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid(
                "imageTag",
                "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
            ));
        }
        let manifest =
            Manifest::read(push.text, push.media_type).map_err(|why| bad_manifest(&why))?;
        let digest = digest_of(push.text.as_bytes());
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), push.repository)?;
        self.check_parts(repository, &manifest)?;
        self.check_tag(repository, push, &digest)?;
        self.accept(repository, push, &manifest, &digest, now);
        Ok(digest)
    }

    fn check_parts(&self, repository: &Repository, manifest: &Manifest) -> Result<(), ApiError> {
        let missing: Vec<String> = manifest
            .blobs()
            .map(|blob| blob.digest.clone())
            .filter(|digest| !repository.layers.contains_key(digest))
            .collect();
        if !missing.is_empty() {
            return Err(self.voice().layers_missing(&repository.name, &missing));
        }
        let missing: Vec<String> = manifest
            .children
            .iter()
            .map(|child| child.digest.clone())
            .filter(|digest| !repository.images.contains_key(digest))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.voice().children_missing(&repository.name, &missing))
    }

    fn check_tag(
        &self,
        repository: &Repository,
        push: &Push<'_>,
        digest: &str,
    ) -> Result<(), ApiError> {
        let exists = repository.images.contains_key(digest);
        let Some(tag) = push.tag else {
            return if exists && push.refuse_identical {
                Err(self.voice().image_exists(&repository.name, digest, None))
            } else {
                Ok(())
            };
        };
        match repository.tags.get(tag) {
            Some(named) if named != digest && !repository.may_move(tag) => {
                Err(tag_immutable(&repository.name, tag))
            }
            Some(named) if named == digest && push.refuse_identical => {
                Err(self.voice().image_exists(&repository.name, digest, Some(tag)))
            }
            _ => Ok(()),
        }
    }

    fn accept(
        &self,
        repository: &mut Repository,
        push: &Push<'_>,
        manifest: &Manifest,
        digest: &str,
        now: Timestamp,
    ) {
        if let Some(image) = repository.images.get_mut(digest) {
            if self.settings.repush_renews_time {
                image.pushed_at = now;
            }
        } else {
            let image = Image {
                manifest: push.text.to_owned(),
                media_type: manifest.media_type.clone(),
                tags: std::collections::BTreeSet::new(),
                pushed_at: now,
                size: size(repository, manifest),
                children: manifest.children.clone(),
                subject: manifest.subject.clone(),
                artifact_type: manifest.artifact_type.clone(),
                platform: self.platform(manifest),
                pulled_at: None,
            };
            repository.add(digest, image);
        }
        let Some(tag) = push.tag else { return };
        let moved = repository.tags.get(tag).is_none_or(|before| before != digest);
        repository.point(tag, digest);
        if moved {
            lock(&self.notices).push_back(TagPushed {
                repository: repository.name.clone(),
                tag: tag.to_owned(),
                digest: digest.to_owned(),
            });
        }
    }

    fn platform(&self, manifest: &Manifest) -> Option<String> {
        let config = manifest.config.as_ref()?;
        let bytes = self.blobs.read(&config.digest, LARGEST_CONFIGURATION)?;
        let config: Value = serde_json::from_slice(&bytes).ok()?;
        Some(format!("{}/{}", config.get("os")?.as_str()?, config.get("architecture")?.as_str()?))
    }

    /// Records a finished blob as a layer of a repository.
    ///
    /// # Errors
    /// `RepositoryNotFoundException`.
    pub fn link_layer(&self, repository: &str, digest: &str, size: u64) -> Result<(), ApiError> {
        let mut contents = self.contents();
        let found = contents.change(self.voice(), repository)?;
        found.layers.insert(digest.to_owned(), size);
        Ok(())
    }

    /// Whether a push to this repository can begin.
    ///
    /// # Errors
    /// `RepositoryNotFoundException`.
    pub fn admits(&self, repository: &str) -> Result<(), ApiError> {
        if !is_repository_name(repository) {
            return Err(self.voice().no_repository(repository));
        }
        self.contents().repository(self.voice(), repository).map(|_| ())
    }

    /// Makes a layer of one repository known in another, without sending it again.
    ///
    /// # Errors
    /// `RepositoryNotFoundException` of the repository to mount into.
    pub fn mount_layer(
        &self,
        repository: &str,
        from: &str,
        digest: &str,
    ) -> Result<bool, ApiError> {
        self.admits(repository)?;
        let found = self
            .contents()
            .repositories
            .get(from)
            .and_then(|other| other.layers.get(digest).copied());
        match found {
            Some(size) => self.link_layer(repository, digest, size).map(|()| true),
            None => Ok(false),
        }
    }
}

/// ECR service model, `imageSizeInBytes`: the compressed layers of an image; for a manifest list
/// the size of its largest image.
fn size(repository: &Repository, manifest: &Manifest) -> u64 {
    if manifest.children.is_empty() {
        return manifest.blobs().map(|blob| blob.size).sum();
    }
    let sizes = manifest.children.iter().filter_map(|child| repository.images.get(&child.digest));
    sizes.map(|image| image.size).max().unwrap_or(0)
}
