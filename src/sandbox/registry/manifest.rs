//! Reads manifests and indexes: what they refer to, and what they say about themselves.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// ECR service model: `ImageManifest` has 1 to 4194304 characters.
pub const LARGEST: usize = 4_194_304;

/// A reference by content, as manifests write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Kind of the content.
    #[serde(default)]
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
    /// Length in bytes.
    #[serde(default)]
    pub size: u64,
    /// For the children of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// What a manifest of an index is built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, or `unknown` for an attestation.
    pub os: String,
    /// `amd64`, `arm64`, or `unknown`.
    pub architecture: String,
}

/// The parts of a manifest that a registry cares for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Kind, from the Content-Type or from the manifest itself.
    pub media_type: String,
    /// The image configuration, for a manifest.
    pub config: Option<Descriptor>,
    /// The layers, for a manifest.
    pub layers: Vec<Descriptor>,
    /// The children, for an index.
    pub children: Vec<Descriptor>,
    /// The manifest this one is about, for signatures and attestations.
    pub subject: Option<String>,
    /// OCI `artifactType`, or the media type of the configuration.
    pub artifact_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

/// `sha256:…` of some bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Manifest {
    /// Reads a manifest. `content_type` wins where the manifest itself is silent.
    ///
    /// # Errors
    /// One sentence about what is wrong with it.
    pub fn read(text: &str, content_type: Option<&str>) -> Result<Self, String> {
        let written: Written =
            serde_json::from_str(text).map_err(|error| format!("manifest invalid: {error}"))?;
        if written.schema_version != 2 {
            return Err("only manifests of schema version 2 are supported".into());
        }
        let media_type = written.kind(content_type)?;
        let is_index = matches!(media_type.as_str(), DOCKER_LIST | OCI_INDEX);
        if !is_index && written.config.is_none() {
            return Err("manifest invalid: config is missing".into());
        }
        Ok(Self {
            media_type,
            artifact_type: written.artifact_kind(),
            config: written.config,
            layers: written.layers,
            children: written.manifests.unwrap_or_default(),
            subject: written.subject.map(|subject| subject.digest),
        })
    }

    /// Digests of the blobs that must exist before this manifest may.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }
}

impl Written {
    fn kind(&self, content_type: Option<&str>) -> Result<String, String> {
        let sent = content_type
            .and_then(|kind| kind.split(';').next())
            .map(str::trim)
            .filter(|kind| !kind.is_empty() && *kind != "application/json");
        if let (Some(sent), Some(own)) = (sent, self.media_type.as_deref())
            && sent != own
        {
            return Err(format!(
                "manifest invalid: the content type is {sent}, the manifest says {own}"
            ));
        }
        let kind = sent.or(self.media_type.as_deref()).unwrap_or(self.guess());
        let is_index = matches!(kind, DOCKER_LIST | OCI_INDEX);
        match kind {
            DOCKER_MANIFEST | DOCKER_LIST | OCI_MANIFEST | OCI_INDEX
                if is_index == self.manifests.is_some() =>
            {
                Ok(kind.to_owned())
            }
            DOCKER_MANIFEST | DOCKER_LIST | OCI_MANIFEST | OCI_INDEX => {
                Err(format!("manifest invalid: its members do not fit {kind}"))
            }
            other => Err(format!("the media type {other} is not supported")),
        }
    }

    fn guess(&self) -> &'static str {
        if self.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST }
    }

    fn artifact_kind(&self) -> Option<String> {
        self.artifact_type
            .clone()
            .or_else(|| self.config.as_ref().map(|config| config.media_type.clone()))
            .filter(|kind| !kind.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn descriptor() -> serde_json::Value {
        json!({"mediaType": "x", "digest": digest_of(b"x"), "size": 1})
    }

    #[test]
    fn a_manifest_names_its_blobs_and_an_index_its_children() {
        let text = json!({"schemaVersion": 2, "config": descriptor(), "layers": [descriptor()]});
        let manifest = Manifest::read(&text.to_string(), Some(DOCKER_MANIFEST)).unwrap();
        assert_eq!(manifest.media_type, DOCKER_MANIFEST);
        assert_eq!(manifest.blobs().count(), 2);
        let text = json!({"schemaVersion": 2, "manifests": [descriptor()]});
        let index = Manifest::read(&text.to_string(), None).unwrap();
        assert_eq!((index.media_type.as_str(), index.children.len()), (OCI_INDEX, 1));
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_refused() {
        let manifest =
            json!({"schemaVersion": 2, "config": descriptor(), "layers": []}).to_string();
        let index = json!({"schemaVersion": 2, "manifests": []}).to_string();
        let lying = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "config": descriptor()});
        for (text, kind) in [
            (manifest.as_str(), Some(OCI_INDEX)),
            (index.as_str(), Some(OCI_MANIFEST)),
            (&lying.to_string(), Some(OCI_MANIFEST)),
            (&lying.to_string(), None),
            (r#"{"schemaVersion":1}"#, None),
            (r#"{"schemaVersion":2}"#, None),
            ("not json", None),
            (manifest.as_str(), Some("text/plain")),
        ] {
            assert!(Manifest::read(text, kind).is_err(), "{kind:?} {text}");
        }
    }
}
