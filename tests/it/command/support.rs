//! A sandbox in this process, projects beside it, and the built binary inside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use surefoot::sandbox::Clock;
use surefoot::sandbox::cloud::switches::Switches;
use surefoot::sandbox::session::{Engine, OpenError, Options, Sandbox};
use surefoot::world::clock::{Clock as _, SystemClock};
use tempfile::TempDir;

pub(super) mod process;
pub(super) mod project;
mod registry;

pub(super) use process::{Ended, Run, shell};
pub(super) use project::Project;

/// How many times faster than real life: fast enough for a suite, slow enough for a busy machine
/// to start a process within App Runner's patience.
pub(super) const SPEED: u32 = 200;

/// The account of every sandbox.
pub(super) const ACCOUNT: &str = "123456789012";

/// A sandbox that ends with the test.
pub(super) struct World {
    runtime: tokio::runtime::Runtime,
    sandbox: Mutex<Option<Sandbox>>,
    scratch: TempDir,
    kept: Option<TempDir>,
    options: Options,
    /// What every process inside has in its environment.
    pub(super) variables: BTreeMap<String, String>,
    endpoint: String,
    runs_images: bool,
}

impl World {
    /// With the embedded engine, and nothing unusual.
    pub(super) fn open() -> Self {
        Self::with(Engine::Embedded, SPEED, &[])
    }

    /// With these switches, such as `rollback-ends=failed`.
    pub(super) fn switched(switches: &[&str]) -> Self {
        Self::with(Engine::Embedded, SPEED, switches)
    }

    /// With a real Docker engine, or nothing and a loud line where none answers.
    pub(super) fn docker(switches: &[&str]) -> Option<Self> {
        let world = Self::attempt(Engine::Docker, SPEED / 2, switches);
        match world {
            Ok(world) => Some(world),
            Err(error) if std::env::var("SUREFOOT_TEST_DOCKER").as_deref() == Ok("required") => {
                panic!("SUREFOOT_TEST_DOCKER=required, and there is no engine: {error}")
            }
            Err(_) => {
                say("SKIPPED (no Docker)");
                None
            }
        }
    }

    /// With a state that is kept, so that it can be stopped and started again.
    pub(super) fn kept() -> Self {
        let kept = TempDir::new().unwrap();
        let mut world = Self::keeping(Engine::Embedded, SPEED, &[], Some(kept.path())).unwrap();
        world.kept = Some(kept);
        world
    }

    fn with(engine: Engine, speed: u32, switches: &[&str]) -> Self {
        Self::attempt(engine, speed, switches).unwrap()
    }

    fn attempt(engine: Engine, speed: u32, switches: &[&str]) -> Result<Self, OpenError> {
        Self::keeping(engine, speed, switches, None)
    }

    fn keeping(
        engine: Engine,
        speed: u32,
        switches: &[&str],
        state: Option<&Path>,
    ) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let scratch = TempDir::new().unwrap();
        let mut chosen = Switches::default();
        for pair in switches {
            chosen.set_pair(pair).unwrap();
        }
        let options = Options {
            speed,
            state: state.map(Path::to_owned),
            engine,
            switches: chosen,
            scratch: scratch.path().to_owned(),
        };
        let sandbox = runtime.block_on(Sandbox::open(options.clone(), clock()))?;
        let variables = variables(&sandbox, scratch.path());
        let endpoint = sandbox.endpoint.clone();
        let runs_images = !sandbox.engine.contains("stand-in");
        let sandbox = Mutex::new(Some(sandbox));
        Ok(Self {
            runtime,
            sandbox,
            scratch,
            kept: None,
            options,
            variables,
            endpoint,
            runs_images,
        })
    }

    /// The network is gone, or AWS is.
    pub(super) fn stop(&self) {
        if let Some(sandbox) = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.runtime.block_on(sandbox.close());
            // Its socket stays behind, as it would after a crash.
            drop(std::fs::remove_file(self.scratch.path().join("docker.sock")));
        }
    }

    /// It is back, at the same address.
    pub(super) fn start(&self) {
        let opened = Sandbox::open(self.options.clone(), clock());
        let sandbox = self.runtime.block_on(opened).unwrap();
        assert_eq!(sandbox.endpoint, self.endpoint, "the ports are kept");
        *self.sandbox.lock().unwrap() = Some(sandbox);
    }

    /// Whether images are really run; a stand-in answers in their place where the kernel lets
    /// nobody isolate a process.
    pub(super) fn runs_images(&self) -> bool {
        self.runs_images
    }

    /// A folder that goes with the sandbox.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Lets time pass.
    pub(super) fn pause(&self, duration: Duration) {
        self.runtime.block_on(SystemClock::start().sleep(duration));
    }

    /// Asks until it is so; panics where it never is.
    pub(super) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        for _ in 0..1200 {
            if so() {
                return;
            }
            self.pause(Duration::from_millis(50));
        }
        panic!("it never came to this: {what}");
    }

    fn request(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
        })
    }

    fn client() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    /// What a URL answers.
    pub(super) fn get(&self, url: &str) -> (u16, String) {
        self.request(Self::client().get(url))
    }

    fn control(&self, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/_sandbox/{path}", self.endpoint);
        let request = match body {
            Some(body) => Self::client().post(url).body(body.to_string()),
            None => Self::client().get(url),
        };
        let (status, text) = self.request(request);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Adds faults: one object, or a list.
    pub(super) fn fault(&self, fault: &Value) {
        self.control("faults", Some(fault));
    }

    /// A fault that strikes the next call of an operation.
    pub(super) fn fault_once(&self, operation: &str, kind: &str) {
        self.fault(&json!({"operation": operation, "kind": kind}));
    }

    /// Sets switches while it runs.
    pub(super) fn switch(&self, name: &str, position: &str) {
        self.control("switches", Some(&json!({ name: position })));
    }

    /// Calls with this key are answered with an expired token from now on.
    pub(super) fn expire(&self, key: &str) {
        self.control("expire", Some(&json!({"access-key": key})));
    }

    /// Forgets calls, faults and expired keys.
    pub(super) fn clear(&self) {
        self.control("clear", Some(&json!({})));
    }

    /// The record of calls.
    pub(super) fn calls(&self) -> Vec<Value> {
        self.control("calls", None).as_array().unwrap().clone()
    }

    /// The calls of an operation that took effect.
    pub(super) fn effective(&self, operation: &str) -> Vec<Value> {
        let mut calls = self.calls();
        calls.retain(|call| call["operation"] == operation && call["effective"] == true);
        calls
    }

    /// How often each mutating operation took effect.
    pub(super) fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for call in self.calls() {
            if call["mutating"] == true && call["effective"] == true {
                *effects.entry(call["operation"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        effects
    }

    /// One call of AWS's JSON API, as somebody else makes it.
    pub(super) fn call(&self, target: &str, body: &Value) -> (u16, Value) {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIASOMEBODYELSE0000/20260101/\
                             eu-central-1/x/aws4_request, SignedHeaders=host, Signature=0";
        let request = Self::client()
            .post(&self.endpoint)
            .header("X-Amz-Target", target)
            .header("Authorization", authorization)
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(body.to_string());
        let (status, text) = self.request(request);
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A call of App Runner that must work.
    pub(super) fn app_runner(&self, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.call(&format!("AppRunner.{operation}"), body);
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// The ARN of a service. The list may lag where a switch says so.
    pub(super) fn arn(&self, service: &str) -> String {
        for _ in 0..100 {
            let listed = self.app_runner("ListServices", &json!({}));
            let rows = listed["ServiceSummaryList"].as_array().unwrap();
            if let Some(row) = rows.iter().find(|row| row["ServiceName"] == service) {
                return row["ServiceArn"].as_str().unwrap().to_owned();
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no service {service}")
    }

    /// Whether there is a service of this name.
    pub(super) fn has(&self, service: &str) -> bool {
        let listed = self.app_runner("ListServices", &json!({}));
        let rows = listed["ServiceSummaryList"].as_array().unwrap().clone();
        rows.iter().any(|row| row["ServiceName"] == service)
    }

    /// A service as DescribeService shows it.
    pub(super) fn describe(&self, service: &str) -> Value {
        let arn = self.arn(service);
        self.app_runner("DescribeService", &json!({"ServiceArn": arn}))["Service"].clone()
    }

    /// The operations of a service, oldest first: type and status.
    pub(super) fn operations(&self, service: &str) -> Vec<(String, String)> {
        let arn = self.arn(service);
        let listed = self.app_runner("ListOperations", &json!({"ServiceArn": arn}));
        let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = listed["OperationSummaryList"].as_array().unwrap().clone();
        rows.iter().rev().map(|row| (word(row, "Type"), word(row, "Status"))).collect()
    }

    /// What App Runner wrote about a service.
    pub(super) fn service_log(&self, service: &str) -> String {
        let id = self.arn(service).rsplit('/').next().unwrap().to_owned();
        let group = format!("/aws/apprunner/{service}/{id}/service");
        let body = json!({"logGroupName": group});
        self.call("Logs_20140328.FilterLogEvents", &body).1.to_string()
    }

    /// Waits until App Runner is at work on nothing.
    pub(super) fn idle(&self, service: &str) {
        self.until("App Runner is idle", || {
            self.describe(service)["Status"] != "OPERATION_IN_PROGRESS"
        });
    }

    /// What the service answers at a path.
    pub(super) fn ask(&self, service: &str, path: &str) -> (u16, String) {
        let url = self.describe(service)["ServiceUrl"].as_str().unwrap().to_owned();
        self.get(&format!("http://{url}{path}"))
    }

    /// Whether the service answers with this page; a stand-in with the image that is configured.
    pub(super) fn serves(&self, service: &str, page: &str) -> bool {
        let body = self.ask(service, "/").1;
        let stand_in: Option<Value> = serde_json::from_str(&body).ok();
        match stand_in {
            Some(answer) => self.image(service).ends_with(answer["image"].as_str().unwrap()),
            None => body == format!("{page}\n"),
        }
    }

    /// The image a service is configured with.
    pub(super) fn image(&self, service: &str) -> String {
        let identifier =
            &self.describe(service)["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"];
        identifier.as_str().unwrap().to_owned()
    }

    /// One update took effect per mark: nothing was done twice.
    pub(super) fn nothing_was_done_twice(&self) {
        let mut payloads = BTreeMap::<String, usize>::new();
        for call in self.calls() {
            let operation = call["operation"].as_str().unwrap();
            if call["effective"] == true && matches!(operation, "UpdateService" | "CreateService") {
                *payloads.entry(call["sha256"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert!(payloads.values().all(|count| *count == 1), "{payloads:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop();
        drop(self.kept.take());
    }
}

/// Says something that the test harness does not keep to itself.
pub(super) fn say(line: &str) {
    use std::io::Write as _;
    let thread = std::thread::current();
    let line = format!("{line} [{}]\n", thread.name().unwrap_or("a test"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Milliseconds of the machine's own clock.
fn clock() -> Clock {
    let system = SystemClock::start();
    Arc::new(move || system.now().timestamp_millis())
}

/// What every process inside has in its environment: a home and a state directory of its own.
fn variables(sandbox: &Sandbox, scratch: &Path) -> BTreeMap<String, String> {
    let mut variables = sandbox.variables.clone();
    // Each project brings its own.
    variables.remove("SUREFOOT_HISTORY_DIR");
    for (name, folder) in [("XDG_STATE_HOME", "state"), ("HOME", "home"), ("TMPDIR", "tmp")] {
        let folder = scratch.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        variables.insert(name.to_owned(), folder.display().to_string());
    }
    variables.insert("PATH".into(), std::env::var("PATH").unwrap());
    variables.insert("USER".into(), "tester".into());
    variables
}
