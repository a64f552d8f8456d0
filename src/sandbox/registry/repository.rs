//! One repository: its images, tags, layers and settings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::manifest::Descriptor;
use crate::sandbox::Timestamp;

/// One manifest, image or index, as ECR keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) pushed_at: Timestamp,
    pub(crate) size: u64,
    pub(crate) children: Vec<Descriptor>,
    pub(crate) subject: Option<String>,
    pub(crate) artifact_type: Option<String>,
    /// `os/architecture` from the image configuration, for a manifest.
    pub(crate) platform: Option<String>,
    pub(crate) pulled_at: Option<Timestamp>,
}

/// `imageTagMutability` of the service model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Mutability {
    #[default]
    #[serde(rename = "MUTABLE")]
    Mutable,
    #[serde(rename = "IMMUTABLE")]
    Immutable,
    #[serde(rename = "MUTABLE_WITH_EXCLUSION")]
    MutableWithExclusion,
    #[serde(rename = "IMMUTABLE_WITH_EXCLUSION")]
    ImmutableWithExclusion,
}

impl Mutability {
    pub(crate) const ALL: [Self; 4] =
        [Self::Mutable, Self::Immutable, Self::MutableWithExclusion, Self::ImmutableWithExclusion];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
        }
    }

    pub(crate) fn has_exclusions(self) -> bool {
        matches!(self, Self::MutableWithExclusion | Self::ImmutableWithExclusion)
    }
}

/// What a repository holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    pub(crate) mutability: Mutability,
    pub(crate) exclusions: Vec<String>,
    pub(crate) scan_on_push: bool,
    pub(crate) encryption: serde_json::Value,
    pub(crate) resource_tags: BTreeMap<String, String>,
    pub(crate) policy: Option<String>,
    pub(crate) lifecycle_policy: Option<String>,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Digest and size of each blob that was pushed or mounted here.
    pub(crate) layers: BTreeMap<String, u64>,
    /// Which indexes hold a manifest: from child to parents.
    pub(crate) parents: BTreeMap<String, BTreeSet<String>>,
}

impl Repository {
    /// Whether an existing tag may be moved to another image.
    pub(crate) fn may_move(&self, tag: &str) -> bool {
        let excluded = self.exclusions.iter().any(|filter| wildcard(filter, tag));
        match self.mutability {
            Mutability::Mutable => true,
            Mutability::Immutable => false,
            Mutability::MutableWithExclusion => !excluded,
            Mutability::ImmutableWithExclusion => excluded,
        }
    }

    /// Points a tag to an image; the image that had it stays, untagged.
    pub(crate) fn point(&mut self, tag: &str, digest: &str) {
        if let Some(before) = self.tags.insert(tag.to_owned(), digest.to_owned())
            && let Some(image) = self.images.get_mut(&before)
        {
            image.tags.remove(tag);
        }
        if let Some(image) = self.images.get_mut(digest) {
            image.tags.insert(tag.to_owned());
        }
    }

    /// Adds an image and remembers whose children it protects.
    pub(crate) fn add(&mut self, digest: &str, image: Image) {
        for child in &image.children {
            self.parents.entry(child.digest.clone()).or_default().insert(digest.to_owned());
        }
        self.images.insert(digest.to_owned(), image);
    }

    /// The indexes that still hold a manifest.
    pub(crate) fn holders(&self, digest: &str) -> Vec<String> {
        self.parents.get(digest).into_iter().flatten().cloned().collect()
    }

    /// Takes an image away with all its tags; its children are then free to go.
    pub(crate) fn remove(&mut self, digest: &str) -> Option<Image> {
        let image = self.images.remove(digest)?;
        for tag in &image.tags {
            self.tags.remove(tag);
        }
        for child in &image.children {
            if let Some(holders) = self.parents.get_mut(&child.digest) {
                holders.remove(digest);
                if holders.is_empty() {
                    self.parents.remove(&child.digest);
                }
            }
        }
        Some(image)
    }

    /// Takes one tag away and returns the digest it named.
    pub(crate) fn untag(&mut self, tag: &str) -> Option<String> {
        let digest = self.tags.remove(tag)?;
        if let Some(image) = self.images.get_mut(&digest) {
            image.tags.remove(tag);
        }
        Some(digest)
    }
}

/// ECR's exclusion filters know one sign: `*` stands for any text.
fn wildcard(filter: &str, text: &str) -> bool {
    let Some((head, rest)) = filter.split_once('*') else { return filter == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len())
        .filter(|start| text.is_char_boundary(*start))
        .any(|start| wildcard(rest, &text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusion_filters_know_one_wildcard() {
        for (filter, tag, fits) in [
            ("latest", "latest", true),
            ("latest", "latest2", false),
            ("dev-*", "dev-1", true),
            ("dev-*", "dev-", true),
            ("*-rc*", "v1-rc2", true),
            ("*-rc", "v1-rc2", false),
            ("*", "anything", true),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axcxb", false),
        ] {
            assert_eq!(wildcard(filter, tag), fits, "{filter} {tag}");
        }
    }

    #[test]
    fn each_mutability_answers_for_excluded_and_other_tags() {
        let repository = |mutability| Repository {
            mutability,
            exclusions: vec!["latest".into()],
            ..Repository::default()
        };
        for (mutability, latest, other) in [
            (Mutability::Mutable, true, true),
            (Mutability::Immutable, false, false),
            (Mutability::MutableWithExclusion, false, true),
            (Mutability::ImmutableWithExclusion, true, false),
        ] {
            assert_eq!(repository(mutability).may_move("latest"), latest, "{mutability:?}");
            assert_eq!(repository(mutability).may_move("v1"), other, "{mutability:?}");
        }
    }
}
