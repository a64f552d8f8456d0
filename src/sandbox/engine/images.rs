//! The engine's images and their names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::tree::Layer;

/// An image: its configuration as bytes, whose digest is the image's id, and its layers.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) configuration: String,
    pub(super) layers: Vec<Layer>,
    /// `repository@digest` of each push.
    pub(super) pushed: Vec<String>,
}

/// All images of one engine.
#[derive(Debug, Default)]
pub(super) struct Images {
    by_id: BTreeMap<String, Image>,
    names: BTreeMap<String, String>,
}

impl Image {
    pub(super) fn configuration(&self) -> Value {
        serde_json::from_str(&self.configuration).unwrap_or_default()
    }

    fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// `name` and `tag` of a reference; `latest` where it names none.
pub(super) fn split(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// A reference with its tag, and without Docker's default host.
pub(super) fn normal(reference: &str) -> String {
    let reference = reference.strip_prefix("docker.io/library/").unwrap_or(reference);
    if reference.contains('@') {
        return reference.to_owned();
    }
    let (name, tag) = split(reference);
    format!("{name}:{tag}")
}

impl Images {
    pub(super) fn add(&mut self, image: Image) {
        self.by_id.entry(image.id.clone()).or_insert(image);
    }

    pub(super) fn name(&mut self, reference: &str, id: &str) {
        self.names.insert(normal(reference), id.to_owned());
    }

    pub(super) fn record_push(&mut self, id: &str, reference: String) {
        if let Some(image) = self.by_id.get_mut(id)
            && !image.pushed.contains(&reference)
        {
            image.pushed.push(reference);
        }
    }

    /// By name, digest of a push, id or the beginning of an id.
    pub(super) fn find(&self, reference: &str) -> Option<&Image> {
        if let Some(id) = self.names.get(&normal(reference)) {
            return self.by_id.get(id);
        }
        let prefix = reference.strip_prefix("sha256:").unwrap_or(reference);
        let by_prefix = |image: &&Image| {
            !prefix.is_empty() && image.id.trim_start_matches("sha256:").starts_with(prefix)
        };
        let mut images = self.by_id.values();
        images
            .clone()
            .find(|image| image.pushed.iter().any(|pushed| pushed == reference))
            .or_else(|| images.find(by_prefix))
    }

    /// Takes a name away, and the image with its last name; by id all of it.
    pub(super) fn remove(&mut self, reference: &str) -> Option<Vec<Value>> {
        let id = self.find(reference)?.id.clone();
        let mut answer = Vec::new();
        if self.names.remove(&normal(reference)).is_some() {
            answer.push(json!({"Untagged": normal(reference)}));
        } else {
            let gone: Vec<String> = self.names_of(&id);
            answer.extend(gone.iter().map(|name| json!({"Untagged": name})));
            self.names.retain(|_, named| *named != id);
        }
        if self.names_of(&id).is_empty() {
            self.by_id.remove(&id);
            answer.push(json!({"Deleted": id}));
        }
        Some(answer)
    }

    fn names_of(&self, id: &str) -> Vec<String> {
        let named = self.names.iter().filter(|(_, named)| *named == id);
        named.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn list(&self) -> Vec<Value> {
        let one = |image: &Image| {
            json!({
                "Id": image.id, "ParentId": "", "RepoTags": self.names_of(&image.id),
                "RepoDigests": image.pushed, "Created": 0, "Size": image.size(),
                "VirtualSize": image.size(), "SharedSize": -1, "Containers": -1,
                "Labels": image.configuration()["config"]["Labels"],
            })
        };
        self.by_id.values().map(one).collect()
    }

    /// As `docker image inspect` shows it.
    pub(super) fn inspect(&self, image: &Image) -> Value {
        let configuration = image.configuration();
        json!({
            "Id": image.id,
            "RepoTags": self.names_of(&image.id),
            "RepoDigests": image.pushed,
            "Parent": "",
            "Comment": "",
            "Created": configuration["created"],
            "DockerVersion": super::VERSION,
            "Author": "",
            "Config": configuration["config"],
            "Architecture": configuration["architecture"],
            "Os": configuration["os"],
            "Size": image.size(),
            "VirtualSize": image.size(),
            "RootFS": {"Type": "layers", "Layers": configuration["rootfs"]["diff_ids"]},
            "Metadata": {},
        })
    }
}
