//! From the text of an image identifier to the manifest that would run.

use super::Registry;
use super::manifest::Descriptor;
use super::repository::Repository;
use super::request::is_digest;

/// What App Runner finds when it pulls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Name of the repository.
    pub repository: String,
    /// Digest of what the identifier names: an image or an index.
    pub digest: String,
    /// Digest of the manifest that runs: the linux/amd64 one where there is a choice.
    pub platform_digest: String,
    /// What that manifest is built for, such as `linux/arm64`, where it says so. Anything but
    /// `linux/amd64` starts and dies with `exec format error`.
    pub platform: Option<String>,
    /// Size of that manifest's blobs.
    pub size: u64,
}

impl Registry {
    /// Finds the image of `HOST/NAME:TAG`, `HOST/NAME@sha256:…` or `HOST/NAME` (`latest`).
    ///
    /// `HOST` is this registry's address, or the name that AWS would give it. The form
    /// `NAME:TAG@DIGEST` is not resolved: what App Runner does with it is unconfirmed.
    pub fn resolve(&self, image_identifier: &str) -> Option<ResolvedImage> {
        let (host, rest) = image_identifier.split_once('/')?;
        let settings = &self.settings;
        let at_aws = format!("{}.dkr.ecr.{}.amazonaws.com", settings.account, settings.region);
        if host != settings.authority && host != at_aws {
            return None;
        }
        let contents = self.contents();
        if let Some((name, digest)) = rest.split_once('@') {
            let repository = contents.repositories.get(name)?;
            return is_digest(digest).then(|| repository.resolve(digest)).flatten();
        }
        let (name, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        let repository = contents.repositories.get(name)?;
        repository.resolve(repository.tags.get(tag)?)
    }
}

impl Repository {
    fn resolve(&self, digest: &str) -> Option<ResolvedImage> {
        let named = self.images.get(digest)?;
        let chosen = choose(&named.children).map_or(digest, |child| child.digest.as_str());
        let runs = self.images.get(chosen)?;
        Some(ResolvedImage {
            repository: self.name.clone(),
            digest: digest.to_owned(),
            platform_digest: chosen.to_owned(),
            platform: runs.platform.clone(),
            size: runs.size,
        })
    }
}

/// The linux/amd64 child, else the first that is not an attestation.
fn choose(children: &[Descriptor]) -> Option<&Descriptor> {
    let is = |child: &&Descriptor, architecture: &str| {
        child.platform.as_ref().is_some_and(|platform| platform.architecture == architecture)
    };
    children
        .iter()
        .find(|child| is(child, "amd64"))
        .or_else(|| children.iter().find(|child| !is(child, "unknown")))
}
