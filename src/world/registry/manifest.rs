//! What a manifest says about platforms: pure reading of JSON.

use serde::Deserialize;

use super::Platform;
use crate::names::Digest;

/// Every media type we read; ECR converts manifests for clients that do not name theirs.
/// Source: ECR API reference, `BatchGetImage`, `acceptedMediaTypes`.
pub(super) const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Where the platforms of an image are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Platforms {
    /// In the index itself.
    Listed(Vec<Platform>),
    /// In the configuration blob of this digest.
    InConfiguration(Digest),
}

#[derive(Deserialize)]
struct Manifest {
    manifests: Option<Vec<Child>>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Child {
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// Where a manifest says its platforms are. Attestations, which call themselves `unknown/unknown`,
/// run nowhere and are left out, as are children that name no platform.
pub(super) fn platforms(manifest: &str) -> Result<Platforms, String> {
    let manifest: Manifest =
        serde_json::from_str(manifest).map_err(|error| format!("not a manifest: {error}"))?;
    if let Some(children) = manifest.manifests {
        let named = children.into_iter().filter_map(|child| child.platform);
        return Ok(Platforms::Listed(named.filter(|it| it.os != "unknown").collect()));
    }
    match manifest.config {
        Some(configuration) => Ok(Platforms::InConfiguration(configuration.digest)),
        None => Err("neither an index nor an image manifest".to_owned()),
    }
}

/// The manifests that an index names, attestations included; none for a plain manifest.
pub(super) fn parts(manifest: &str) -> Result<Vec<Digest>, String> {
    let wrong = |error: serde_json::Error| format!("not a manifest: {error}");
    // A list would be read as an index, member by member.
    let members: serde_json::Map<_, _> = serde_json::from_str(manifest).map_err(wrong)?;
    let index: Index = serde_json::from_value(members.into()).map_err(wrong)?;
    Ok(index.manifests.into_iter().map(|part| part.digest).collect())
}

/// The platform out of an image's configuration blob.
pub(super) fn configured_platform(blob: &[u8]) -> Result<Platform, String> {
    serde_json::from_slice(blob).map_err(|error| format!("not an image configuration: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(os: &str, architecture: &str) -> Platform {
        Platform { os: os.into(), architecture: architecture.into() }
    }

    #[test]
    fn an_index_lists_its_platforms_without_attestations() {
        let index = r#"{"schemaVersion":2,"manifests":[
            {"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
            {"digest":"sha256:b","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"digest":"sha256:c","platform":{"os":"unknown","architecture":"unknown"}},
            {"digest":"sha256:d"}]}"#;
        let expected = vec![platform("linux", "amd64"), platform("linux", "arm64")];
        assert_eq!(platforms(index), Ok(Platforms::Listed(expected)));
    }

    #[test]
    fn an_index_names_its_parts_with_attestations_and_a_manifest_has_none() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let index = format!(
            r#"{{"manifests":[{{"digest":"{one}"}},
            {{"digest":"{two}","platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#
        );
        assert_eq!(parts(&index), Ok(vec![one.clone(), two]));
        assert_eq!(parts(&format!(r#"{{"config":{{"digest":"{one}"}}}}"#)), Ok(Vec::new()));
        for text in ["", "[]", r#"{"manifests":[{"digest":"x"}]}"#, r#"{"manifests":[{}]}"#] {
            assert!(parts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_manifest_points_to_its_configuration() {
        let digest = Digest::of(b"{}");
        let manifest = format!(r#"{{"config":{{"digest":"{digest}","size":2}},"layers":[]}}"#);
        assert_eq!(platforms(&manifest), Ok(Platforms::InConfiguration(digest)));
        let blob = br#"{"architecture":"amd64","os":"linux","rootfs":{}}"#;
        assert_eq!(configured_platform(blob), Ok(platform("linux", "amd64")));
    }

    #[test]
    fn what_is_no_manifest_is_said_to_be_none() {
        for text in
            ["", "<html>", "[]", "{}", r#"{"schemaVersion":1}"#, r#"{"config":{"digest":"x"}}"#]
        {
            assert!(platforms(text).is_err(), "{text}");
        }
        assert!(configured_platform(b"{}").is_err());
    }
}
