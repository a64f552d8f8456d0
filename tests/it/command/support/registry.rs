//! ECR as somebody else uses it: raw pushes of manifests and indexes, lists, deletions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::World;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The digest of a text.
pub(in crate::command) fn digest_of(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

impl World {
    /// A call of ECR that must work.
    pub(in crate::command) fn ecr(&self, operation: &str, body: &Value) -> Value {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let (status, answer) = self.call(&target, body);
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// Every image of a repository: digest and tags.
    pub(in crate::command) fn images(&self, repository: &str) -> BTreeMap<String, Vec<String>> {
        let body = json!({"repositoryName": repository, "maxResults": 1000});
        let listed = self.ecr("DescribeImages", &body);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let details = listed["imageDetails"].as_array().unwrap().iter();
        details
            .map(|detail| {
                let tags = detail["imageTags"].as_array().into_iter().flatten();
                (text(&detail["imageDigest"]), tags.map(text).collect())
            })
            .collect()
    }

    /// The manifests that an index names.
    pub(in crate::command) fn parts(&self, repository: &str, digest: &str) -> BTreeSet<String> {
        let body = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
        let got = self.ecr("BatchGetImage", &body);
        let text = got["images"][0]["imageManifest"].as_str().unwrap();
        let manifest: Value = serde_json::from_str(text).unwrap();
        let parts = manifest["manifests"].as_array().into_iter().flatten();
        parts.map(|part| part["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// Deletes an image as somebody else does.
    pub(in crate::command) fn delete_image(&self, repository: &str, digest: &str) {
        let body = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
        self.ecr("BatchDeleteImage", &body);
    }

    /// The images of a repository, or the one of this digest, were pushed so much earlier.
    pub(in crate::command) fn age(&self, repository: &str, digest: Option<&str>, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).unwrap();
        let body =
            json!({"repository": repository, "digest": digest, "milliseconds": milliseconds});
        let answer = self.control("age", Some(&body));
        assert!(answer["aged"].as_u64().unwrap() > 0, "{answer}");
    }

    /// Pushes a small image with this content; under its digest where there is no tag.
    pub(in crate::command) fn push(
        &self,
        repository: &str,
        tag: Option<&str>,
        content: &str,
    ) -> String {
        let configuration = json!({
            "architecture": "amd64", "os": "linux", "config": {"Labels": {"content": content}},
        })
        .to_string();
        let layer = format!("layer of {content}");
        for blob in [&configuration, &layer] {
            self.push_blob(repository, blob);
        }
        let named = |kind: &str, text: &str| json!({"mediaType": kind, "digest": digest_of(text), "size": text.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": named("application/vnd.oci.image.config.v1+json", &configuration),
            "layers": [named("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        self.push_manifest(repository, tag, OCI_MANIFEST, &manifest.to_string())
    }

    /// Pushes an index of these manifests; the last of them is an attestation.
    pub(in crate::command) fn push_index(
        &self,
        repository: &str,
        tag: &str,
        parts: &[String],
    ) -> String {
        let platform = |place: usize| match place {
            place if place + 1 == parts.len() => {
                json!({"os": "unknown", "architecture": "unknown"})
            }
            0 => json!({"os": "linux", "architecture": "amd64"}),
            _ => json!({"os": "linux", "architecture": "arm64"}),
        };
        let part = |(place, digest): (usize, &String)| json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": platform(place)});
        let manifests: Vec<Value> = parts.iter().enumerate().map(part).collect();
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        self.push_manifest(repository, Some(tag), OCI_INDEX, &index.to_string())
    }

    fn push_blob(&self, repository: &str, blob: &str) {
        let path = format!("{repository}/blobs/uploads/?digest={}", digest_of(blob));
        let sent = self.oci(reqwest::Method::POST, &path, "application/octet-stream", blob);
        assert_eq!(sent.0, 201, "{}", sent.1);
    }

    fn push_manifest(&self, repository: &str, tag: Option<&str>, kind: &str, text: &str) -> String {
        let digest = digest_of(text);
        let path = format!("{repository}/manifests/{}", tag.unwrap_or(&digest));
        let sent = self.oci(reqwest::Method::PUT, &path, kind, text);
        assert_eq!(sent.0, 201, "{}", sent.1);
        digest
    }

    fn oci(&self, method: reqwest::Method, path: &str, kind: &str, body: &str) -> (u16, String) {
        let data = self.ecr("GetAuthorizationToken", &json!({}))["authorizationData"][0].clone();
        let (token, door) = (&data["authorizationToken"], &data["proxyEndpoint"]);
        let url = format!("{}/v2/{path}", door.as_str().unwrap().replace("https://", "http://"));
        let request = Self::client()
            .request(method, url)
            .header("Authorization", format!("Basic {}", token.as_str().unwrap()))
            .header("Content-Type", kind)
            .body(body.to_owned());
        self.request(request)
    }
}
