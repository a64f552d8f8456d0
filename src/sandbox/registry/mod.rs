//! ECR: repositories, images and layers, behind the API and behind `docker push` alike.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApiError, Timestamp};
use refusal::Voice;
use repository::Repository;
use request::Request;

pub mod blobs;
mod deleting;
mod fetching;
mod listing;
pub mod manifest;
mod policies;
mod pushing;
mod refusal;
mod repositories;
mod repository;
mod request;
mod resolving;
pub mod sample;
mod scanning;
pub mod token;

#[cfg(test)]
mod tests;

pub use fetching::StoredManifest;
pub use resolving::ResolvedImage;

use blobs::BlobStore;

/// Who the registry is, and which reading of the unconfirmed facts it follows.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// `127.0.0.1:PORT` of the OCI door: the host part of every repository URI.
    pub authority: String,
    /// Unconfirmed at AWS: whether `docker push` of the very image that an immutable tag already
    /// names is refused. `PutImage` refuses it by the service model.
    pub refuses_identical_repush: bool,
    /// Unconfirmed at AWS: whether pushing a digest that is already there renews `imagePushedAt`.
    pub repush_renews_time: bool,
}

impl Settings {
    /// The stricter reading of what is unconfirmed.
    pub fn new(account: &str, region: &str, authority: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            authority: authority.to_owned(),
            refuses_identical_repush: true,
            repush_renews_time: false,
        }
    }
}

/// A tag now names another image than before: what automatic deployments wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPushed {
    /// Name of the repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What it names now.
    pub digest: String,
}

/// One registry of one account and region.
#[derive(Debug)]
pub struct Registry {
    settings: Settings,
    blobs: BlobStore,
    contents: Mutex<Contents>,
    notices: Mutex<VecDeque<TagPushed>>,
    state_file: Option<PathBuf>,
}

/// Everything but the blobs: what is written to the state folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    repositories: BTreeMap<String, Repository>,
    #[serde(skip)]
    dirty: bool,
}

impl Contents {
    fn repository(&self, voice: Voice<'_>, name: &str) -> Result<&Repository, ApiError> {
        self.repositories.get(name).ok_or_else(|| voice.no_repository(name))
    }

    /// A repository that is about to change.
    fn change(&mut self, voice: Voice<'_>, name: &str) -> Result<&mut Repository, ApiError> {
        self.dirty = true;
        self.repositories.get_mut(name).ok_or_else(|| voice.no_repository(name))
    }
}

impl Registry {
    /// A registry that ends with this value.
    pub fn passing(settings: Settings) -> Self {
        Self {
            settings,
            blobs: BlobStore::passing(),
            contents: Mutex::default(),
            notices: Mutex::default(),
            state_file: None,
        }
    }

    /// A registry that is kept in a folder and found there again.
    ///
    /// # Errors
    /// When the folder cannot be read or made, or holds something else.
    pub fn kept(settings: Settings, folder: &Path) -> io::Result<Self> {
        let blobs = BlobStore::kept(&folder.join("blobs"))?;
        let state_file = folder.join("registry.json");
        let contents = match std::fs::read(&state_file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Contents::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            settings,
            blobs,
            contents: Mutex::new(contents),
            notices: Mutex::default(),
            state_file: Some(state_file),
        })
    }

    /// Answers one call of ECR's API.
    ///
    /// # Errors
    /// The exception that ECR would answer.
    pub fn answer(&self, operation: &str, body: &Value, now: Timestamp) -> Result<Value, ApiError> {
        let request = Request(body);
        let answer = match operation {
            "GetAuthorizationToken" => Ok(self.authorization_token(now)),
            "CreateRepository" => self.create_repository(request, now),
            "DescribeRepositories" => self.describe_repositories(request),
            "DeleteRepository" => self.delete_repository(request),
            "PutImageTagMutability" => self.put_image_tag_mutability(request),
            "PutImageScanningConfiguration" => self.put_scanning(request),
            "DescribeImages" => self.describe_images(request),
            "ListImages" => self.list_images(request),
            "BatchGetImage" => self.batch_get_image(request, now),
            "BatchDeleteImage" => self.batch_delete_image(request),
            "PutImage" => self.put_image(request, now),
            "BatchCheckLayerAvailability" => self.batch_check_layers(request),
            "GetLifecyclePolicy" => self.lifecycle_policy(request),
            "PutLifecyclePolicy" => self.put_lifecycle_policy(request),
            "DeleteLifecyclePolicy" => self.delete_lifecycle_policy(request),
            "GetRepositoryPolicy" => self.repository_policy(request),
            "SetRepositoryPolicy" => self.set_repository_policy(request),
            "DeleteRepositoryPolicy" => self.delete_repository_policy(request),
            "TagResource" => self.tag_resource(request),
            "UntagResource" => self.untag_resource(request),
            "ListTagsForResource" => self.list_tags(request),
            "DescribeImageScanFindings" => self.scan_findings(request),
            other => Err(refusal::refuse(
                "UnknownOperationException",
                format!("the sandbox's ECR does not know the operation {other}"),
            )),
        };
        self.save().map_err(|error| ApiError {
            status: 500,
            code: "ServerException".into(),
            message: format!("the sandbox could not keep its state: {error}"),
        })?;
        answer
    }

    /// Makes images of a repository older than they are: all, or the one of this digest. How many.
    pub fn age(&self, repository: &str, digest: Option<&str>, by: Timestamp) -> usize {
        let mut contents = self.contents();
        contents.dirty = true;
        let Some(held) = contents.repositories.get_mut(repository) else { return 0 };
        let meant = |name: &str| digest.is_none_or(|digest| digest == name);
        let aged = held.images.iter_mut().filter(|(name, _)| meant(name));
        aged.map(|(_, image)| image.pushed_at = image.pushed_at.saturating_sub(by)).count()
    }

    /// The tags that moved since the last call, oldest first.
    pub fn drain_notices(&self) -> Vec<TagPushed> {
        lock(&self.notices).drain(..).collect()
    }

    /// `127.0.0.1:PORT`, where `docker push` goes.
    pub fn authority(&self) -> &str {
        &self.settings.authority
    }

    /// Who and where this registry is.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    fn voice(&self) -> Voice<'_> {
        Voice { account: &self.settings.account }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.contents)
    }

    /// Writes the state folder where something changed: whole file, then rename.
    pub(crate) fn save(&self) -> io::Result<()> {
        let Some(file) = &self.state_file else { return Ok(()) };
        let mut contents = self.contents();
        if !contents.dirty {
            return Ok(());
        }
        let written = file.with_extension("json.new");
        std::fs::write(&written, serde_json::to_vec(&*contents).map_err(io::Error::other)?)?;
        std::fs::rename(&written, file)?;
        contents.dirty = false;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// AWS JSON writes times as seconds with fractions.
fn seconds(time: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double")]
    let seconds = time as f64 / 1000.0;
    seconds.into()
}
