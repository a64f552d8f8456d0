//! What the cloud asks of a registry.

use std::collections::BTreeMap;

/// An image that an identifier names at this moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedImage {
    /// Repository name, without host.
    pub repository: String,
    /// Digest of the manifest or index that the identifier names.
    pub digest: String,
    /// Digest of the linux/amd64 manifest; differs from `digest` for an index.
    pub platform_digest: String,
    /// Size in bytes.
    pub size: u64,
}

/// Finds images by the identifiers App Runner is given.
pub trait Images {
    /// The image of this identifier, if the registry holds it.
    fn resolve(&self, identifier: &str) -> Option<ResolvedImage>;
}

/// A registry that is a table: identifier to image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageTable {
    images: BTreeMap<String, ResolvedImage>,
}

impl ImageTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets an identifier name an image.
    pub fn name(&mut self, identifier: &str, digest: &str) {
        let repository = repository_of(identifier).to_owned();
        let (digest, platform_digest) = (digest.to_owned(), digest.to_owned());
        let image = ResolvedImage { repository, digest, platform_digest, size: 1_000_000 };
        self.images.insert(identifier.to_owned(), image);
    }

    /// Lets an identifier name an index with this linux/amd64 manifest.
    pub fn name_index(&mut self, identifier: &str, index: &str, platform: &str) {
        self.name(identifier, index);
        if let Some(image) = self.images.get_mut(identifier) {
            platform.clone_into(&mut image.platform_digest);
        }
    }

    /// Forgets an identifier.
    pub fn remove(&mut self, identifier: &str) {
        self.images.remove(identifier);
    }
}

impl Images for ImageTable {
    fn resolve(&self, identifier: &str) -> Option<ResolvedImage> {
        self.images.get(identifier).cloned()
    }
}

/// The repository of an identifier, without host, tag and digest.
pub(crate) fn repository_of(identifier: &str) -> &str {
    let path = identifier.split_once('/').map_or(identifier, |(_, path)| path);
    let path = path.split('@').next().unwrap_or(path);
    path.split(':').next().unwrap_or(path)
}

/// How an identifier names its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bare,
    Tag,
    Digest,
    TagAndDigest,
}

pub(crate) fn form_of(identifier: &str) -> Form {
    let (name, digest) = match identifier.split_once('@') {
        Some((name, _)) => (name, true),
        None => (identifier, false),
    };
    let tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    match (tag, digest) {
        (false, false) => Form::Bare,
        (true, false) => Form::Tag,
        (false, true) => Form::Digest,
        (true, true) => Form::TagAndDigest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_apart() {
        for (identifier, repository, form) in [
            ("127.0.0.1:5000/team/shop", "team/shop", Form::Bare),
            ("127.0.0.1:5000/shop:v1", "shop", Form::Tag),
            ("localhost:5000/shop@sha256:ab", "shop", Form::Digest),
            ("1.dkr.ecr.us-east-1.amazonaws.com/shop:v1@sha256:ab", "shop", Form::TagAndDigest),
        ] {
            assert_eq!(repository_of(identifier), repository, "{identifier}");
            assert_eq!(form_of(identifier), form, "{identifier}");
        }
    }
}
