//! A registry and a runtime that only pretend: digests decide what becomes of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::seam::{
    Ecr, HealthCheck, InstanceId, InstanceSpec, InstanceState, LogLine, Probe, Runtime,
    StartFailure,
};
use crate::sandbox::cloud::image::{Images, ResolvedImage};
use crate::sandbox::{ApiError, Timestamp};

/// Digests of only `e` are missing; every other identifier names an image.
#[derive(Default)]
pub(super) struct FakeRegistry;

impl Images for FakeRegistry {
    fn resolve(&self, identifier: &str) -> Option<ResolvedImage> {
        let digest = match identifier.split_once('@') {
            Some((_, digest)) => digest.to_owned(),
            None => format!("sha256:{}", "a".repeat(64)),
        };
        let missing = digest.ends_with(&"e".repeat(64));
        (!missing).then(|| ResolvedImage {
            repository: "shop".into(),
            platform_digest: digest.clone(),
            digest,
            size: 1,
        })
    }
}

impl Ecr for FakeRegistry {
    fn answer(&self, operation: &str, _: &Value, _: Timestamp) -> Result<Value, ApiError> {
        match operation {
            "DescribeRepositories" => Ok(json!({"repositories": []})),
            _ => Err(ApiError {
                status: 400,
                code: "RepositoryNotFoundException".into(),
                message: "The repository does not exist".into(),
            }),
        }
    }

    fn age(&self, _: &str, _: Option<&str>, _: Timestamp) -> usize {
        0
    }
}

/// `b…` is never healthy, `c…` exits with 3, `d…` cannot be executed, all others are healthy.
#[derive(Default)]
pub(super) struct FakeRuntime {
    instances: Mutex<BTreeMap<String, InstanceSpec>>,
    unread: Mutex<BTreeSet<String>>,
    routes: Mutex<BTreeMap<String, Option<String>>>,
}

impl FakeRuntime {
    pub(super) fn running(&self) -> Vec<InstanceSpec> {
        self.instances.lock().unwrap().values().cloned().collect()
    }

    pub(super) fn route_of(&self, service: &str) -> Option<String> {
        self.routes.lock().unwrap().get(service).cloned().flatten()
    }

    fn letter(&self, instance: &InstanceId) -> char {
        let instances = self.instances.lock().unwrap();
        let digest = instances.get(&instance.0).map_or("", |spec| spec.digest.as_str());
        digest.trim_start_matches("sha256:").chars().next().unwrap_or('x')
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn describe(&self) -> String {
        "nothing runs".to_owned()
    }

    async fn sweep(&self) {}

    async fn shutdown(&self) {
        self.instances.lock().unwrap().clear();
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<InstanceId, StartFailure> {
        if spec.digest.starts_with("sha256:d") {
            let reason = "exec /app: exec format error".to_owned();
            return Err(StartFailure::CannotExecute { code: 126, reason });
        }
        let name = spec.instance_id.0.clone();
        self.instances.lock().unwrap().insert(name.clone(), spec.clone());
        self.unread.lock().unwrap().insert(name);
        Ok(spec.instance_id.clone())
    }

    async fn observe(&self, instance: &InstanceId) -> InstanceState {
        match self.letter(instance) {
            'c' | 'x' => InstanceState::Exited { code: 3 },
            _ => InstanceState::Running,
        }
    }

    async fn probe(&self, instance: &InstanceId, _: &HealthCheck) -> Probe {
        match self.letter(instance) {
            'b' => Probe::Failed("503".into()),
            _ => Probe::Passed,
        }
    }

    async fn logs(&self, instance: &InstanceId) -> Vec<LogLine> {
        let fresh = self.unread.lock().unwrap().remove(&instance.0);
        if fresh {
            vec![LogLine { at: 1, text: "hello from the program".into() }]
        } else {
            Vec::new()
        }
    }

    async fn route(&self, service_id: &str, to: Option<&InstanceId>) {
        self.routes.lock().unwrap().insert(service_id.to_owned(), to.map(|id| id.0.clone()));
    }

    async fn service_url(&self, service_id: &str) -> String {
        format!("127.0.0.1:4{}", service_id.len())
    }

    async fn stop(&self, instance: &InstanceId) {
        self.instances.lock().unwrap().remove(&instance.0);
    }
}
