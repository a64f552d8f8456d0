//! A world for tests: a table of images, a table of behaviours, virtual time.

use serde_json::{Value, json};

use super::fault::Fault;
use super::image::ImageTable;
use super::instance::{Behaviour, Behaviours};
use super::service::Service;
use super::{Answer, Api, Beginning, Call, Cloud, Reply};
use crate::sandbox::{ApiError, Timestamp};

pub(super) const GOOD: &str = "127.0.0.1:5000/shop@sha256:aa";
pub(super) const BETTER: &str = "127.0.0.1:5000/shop@sha256:ab";
pub(super) const SICK: &str = "127.0.0.1:5000/shop@sha256:bb";
pub(super) const CRASHING: &str = "127.0.0.1:5000/shop@sha256:cc";
pub(super) const GONE: &str = "127.0.0.1:5000/shop@sha256:ee";
pub(super) const INDEX: &str = "127.0.0.1:5000/shop@sha256:1d";
pub(super) const LATEST: &str = "127.0.0.1:5000/shop:latest";

pub(super) struct Trial {
    pub(super) cloud: Cloud,
    pub(super) images: ImageTable,
    pub(super) now: Timestamp,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// A world with these switches, such as `rollback-ends=failed`.
    pub(super) fn with(switches: &[&str]) -> Self {
        let mut cloud = Cloud::new(Beginning { speed: 1, ..Beginning::default() });
        for pair in switches {
            cloud.switches_mut().set_pair(pair).unwrap();
        }
        let mut behaviours = Behaviours::default();
        behaviours.by_digest.insert("sha256:bb".into(), Behaviour::Unhealthy);
        behaviours.by_digest.insert("sha256:cc".into(), Behaviour::Exits { code: 1 });
        cloud.behave(behaviours);
        let mut images = ImageTable::new();
        for identifier in [GOOD, BETTER, SICK, CRASHING] {
            images.name(identifier, identifier.split('@').nth(1).unwrap());
        }
        images.name("127.0.0.1:5000/shop:v1@sha256:aa", "sha256:aa");
        images.name_index(INDEX, "sha256:1d", "sha256:aa");
        images.name(LATEST, "sha256:aa");
        Self { cloud, images, now: 1_000_000_000_000 }
    }

    pub(super) fn answer(&mut self, api: Api, operation: &str, body: Value) -> Answer {
        self.cloud.call(&Call::new(api, operation, body), &self.images, self.now)
    }

    pub(super) fn ask(&mut self, operation: &str, body: Value) -> Result<Value, ApiError> {
        match self.answer(Api::AppRunner, operation, body).reply {
            Reply::Body(body) => Ok(body),
            Reply::Refusal(error) => Err(error),
            other => panic!("{operation}: {other:?}"),
        }
    }

    pub(super) fn ok(&mut self, operation: &str, body: Value) -> Value {
        self.ask(operation, body).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// Code and text of a refusal.
    pub(super) fn refused(&mut self, operation: &str, body: Value) -> (String, String) {
        let error = self.ask(operation, body).expect_err(operation);
        (error.code, error.message)
    }

    pub(super) fn create_body(&self, image: &str) -> Value {
        json!({"ServiceName": "shop", "SourceConfiguration": self.source(image)})
    }

    pub(super) fn source(&self, image: &str) -> Value {
        json!({
            "ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR"},
            "AuthenticationConfiguration": {"AccessRoleArn": self.cloud.identity().access_role_arn()},
            "AutoDeploymentsEnabled": false,
        })
    }

    pub(super) fn create(&mut self, image: &str) -> String {
        let body = self.create_body(image);
        self.ok("CreateService", body)["OperationId"].as_str().unwrap().to_owned()
    }

    /// A service that runs the good image.
    pub(super) fn running(switches: &[&str]) -> Self {
        let mut trial = Self::with(switches);
        trial.create(GOOD);
        trial.rest();
        assert_eq!(trial.service().status.word(), "RUNNING");
        trial
    }

    pub(super) fn arn(&self) -> String {
        self.cloud.services().next().expect("there is a service").arn.clone()
    }

    pub(super) fn service(&self) -> &Service {
        self.cloud.services().next().expect("there is a service")
    }

    pub(super) fn by_arn(&self) -> Value {
        json!({"ServiceArn": self.arn()})
    }

    pub(super) fn update_body(&self, image: &str) -> Value {
        json!({"ServiceArn": self.arn(), "SourceConfiguration": self.source(image)})
    }

    pub(super) fn update(&mut self, image: &str) -> String {
        let body = self.update_body(image);
        self.ok("UpdateService", body)["OperationId"].as_str().unwrap().to_owned()
    }

    pub(super) fn start(&mut self, operation: &str) -> String {
        let body = self.by_arn();
        self.ok(operation, body)["OperationId"].as_str().unwrap().to_owned()
    }

    pub(super) fn wait(&mut self, milliseconds: i64) {
        self.now += milliseconds;
        self.cloud.advance(self.now, &self.images);
    }

    /// Jumps until nothing is due any more.
    pub(super) fn rest(&mut self) {
        while let Some(due) = self.cloud.next_due() {
            self.now = self.now.max(due);
            self.cloud.advance(self.now, &self.images);
        }
    }

    /// All statuses an operation went through.
    pub(super) fn story(&self, operation: &str) -> Vec<&'static str> {
        let operation = self.service().operation(operation).expect("the operation exists");
        operation.history.iter().map(|(_, status)| status.word()).collect()
    }

    pub(super) fn events(&self) -> Vec<String> {
        let group = self.service().service_group();
        self.cloud.logs().lines(&group, "events").into_iter().map(ToOwned::to_owned).collect()
    }

    pub(super) fn said(&self, line: &str) -> bool {
        self.events().iter().any(|event| event == &format!("[AppRunner] {line}"))
    }

    pub(super) fn fault(&mut self, json: Value) {
        self.cloud.add_fault(serde_json::from_value::<Fault>(json).unwrap());
    }
}
