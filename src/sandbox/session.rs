//! One sandbox from its opening to its end: the world, its doors, what runs behind it, and what a
//! process inside must know.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::cloud::ACCOUNT;
use super::cloud::image::{Images, ResolvedImage};
use super::cloud::switches::Switches;
use super::door::aws::seam::Ecr;
use super::door::aws::{self, Behind};
use super::door::oci::{Faults, OciDoor};
use super::engine::Engine as EmbeddedEngine;
use super::memory::{Keeper, Memory};
use super::proxy::Proxies;
use super::registry::{Registry, Settings};
use super::runtime::Runtime;
use super::runtime::docker::DockerRuntime;
use super::runtime::embedded::EmbeddedRuntime;
use super::{ApiError, Clock, Timestamp, serve};
use crate::world::builder::{DockerBuilder, Surroundings};
use crate::world::clock::SystemClock;

/// The region that the sandbox says it is.
pub const REGION: &str = "eu-central-1";

/// The key that every call inside is signed with. It opens nothing.
const ACCESS_KEY: &str = "AKIASANDBOXSANDBOX00";

/// What kind of sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many times faster than real life.
    pub speed: u32,
    /// Where the world is kept over restarts; nowhere where there is none.
    pub state: Option<PathBuf>,
    /// What runs containers.
    pub engine: Engine,
    /// What is unconfirmed about AWS.
    pub switches: Switches,
    /// Where passing things of this sandbox go.
    pub scratch: PathBuf,
}

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker where it answers, else the embedded engine.
    Auto,
    /// Docker.
    Docker,
    /// The embedded engine.
    Embedded,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No port, no folder.
    #[error("the sandbox cannot be opened")]
    Io(#[from] io::Error),
    /// Docker was asked for by name and does not answer.
    #[error("Docker does not answer: {0}")]
    NoDocker(String),
}

/// A sandbox that runs.
pub struct Sandbox {
    /// The address of its AWS.
    pub endpoint: String,
    /// What runs containers, in a sentence.
    pub engine: String,
    /// Whether real containers run.
    pub real_containers: bool,
    /// What a process inside must have in its environment.
    pub variables: BTreeMap<String, String>,
    runtime: Arc<dyn Runtime>,
    keeper: Keeper,
    stop: Option<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Opens a sandbox. Nothing listens beyond loopback; what a crashed one left is removed.
    pub async fn open(options: Options, clock: Clock) -> Result<Self, OpenError> {
        let memory = Memory::of(options.state.as_deref());
        let ports = memory.ports()?;
        let mut cloud = memory.cloud(&options)?;
        // A clock that went back meanwhile would hold up everything that is at work.
        let behind = cloud.wake(clock());
        let clock: Clock = Arc::new(move || clock() + behind);
        let aws_listener = listen(ports.aws).await?;
        let image_listener = listen(ports.images).await?;
        let endpoint = format!("http://{}", aws_listener.local_addr()?);
        let authority = image_listener.local_addr()?.to_string();
        let registry = Arc::new(registry(options.state.as_deref(), &authority)?);
        let proxies = Arc::new(Proxies::remembering(ports.services));
        let ran = run_containers(&options, &registry, &proxies, &clock).await?;
        ran.runtime.sweep().await;
        let cloud = Arc::new(Mutex::new(cloud));
        let behind = Behind {
            cloud: cloud.clone(),
            registry: registry.clone(),
            runtime: ran.runtime.clone(),
            clock: clock.clone(),
        };
        let keeper = Keeper {
            memory,
            cloud,
            proxies,
            aws: aws_listener.local_addr()?.port(),
            images: image_listener.local_addr()?.port(),
        };
        let (stop, stopped) = oneshot::channel();
        let door = OciDoor::new(registry, Faults::default(), clock);
        Ok(Self {
            variables: variables(&options, &endpoint, ran.docker_host.as_deref()),
            engine: ran.runtime.describe(),
            real_containers: ran.real,
            endpoint,
            runtime: ran.runtime,
            keeper: keeper.clone(),
            stop: Some(stop),
            tasks: [
                tokio::spawn(serve_images(image_listener, door)),
                tokio::spawn(serve_aws(behind, aws_listener, stopped)),
                tokio::spawn(keeper.keep()),
            ]
            .into_iter()
            .chain(ran.engine)
            .collect(),
        })
    }

    /// Ends it: the world is kept where it is to be, containers go, ports close.
    pub async fn close(mut self) {
        self.keeper.write();
        if let Some(stop) = self.stop.take() {
            // The door may have gone by itself; then there is nobody to tell.
            stop.send(()).unwrap_or_default();
        }
        self.runtime.shutdown().await;
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        // The port of an earlier run may be somebody else's now.
        Err(_) if port != 0 => TcpListener::bind(("127.0.0.1", 0)).await,
        other => other,
    }
}

fn registry(state: Option<&Path>, authority: &str) -> io::Result<Registry> {
    let settings = Settings::new(ACCOUNT, REGION, authority);
    match state {
        Some(folder) => Registry::kept(settings, &folder.join("registry")),
        None => Ok(Registry::passing(settings)),
    }
}

async fn serve_images(listener: TcpListener, door: OciDoor) {
    let answer = move |request| door.clone().respond(request);
    serve::serve(listener, Arc::new(answer)).await;
}

async fn serve_aws(behind: Behind, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    let stop = async move {
        // Whoever drops the other end wants it to stop as well.
        drop(stopped.await);
    };
    if let Err(error) = aws::serve(behind, listener, stop).await {
        tracing::error!(%error, "the sandbox's AWS ended");
    }
}

/// What runs containers, and where its Docker is.
struct Ran {
    runtime: Arc<dyn Runtime>,
    real: bool,
    docker_host: Option<String>,
    /// The embedded engine, where it serves.
    engine: Option<JoinHandle<()>>,
}

async fn run_containers(
    options: &Options,
    registry: &Arc<Registry>,
    proxies: &Arc<Proxies>,
    clock: &Clock,
) -> Result<Ran, OpenError> {
    if options.engine != Engine::Embedded {
        match docker(registry, proxies, clock).await {
            Ok(runtime) => {
                let runtime = Arc::new(runtime);
                return Ok(Ran { runtime, real: true, docker_host: None, engine: None });
            }
            Err(why) if options.engine == Engine::Docker => return Err(OpenError::NoDocker(why)),
            Err(_) => {}
        }
    }
    embedded(options, registry, proxies, clock).await
}

async fn docker(
    registry: &Arc<Registry>,
    proxies: &Arc<Proxies>,
    clock: &Clock,
) -> Result<DockerRuntime, String> {
    let builder =
        DockerBuilder::new(Surroundings::of_this_process(), Box::new(SystemClock::start()));
    let (client, _) = builder.client().await.map_err(|error| error.to_string())?;
    DockerRuntime::connect(client, registry.clone(), proxies.clone(), clock.clone())
        .await
        .map_err(|error| error.to_string())
}

/// The engine that needs no Docker: it builds and pushes behind a socket of its own, and instances
/// run as processes.
async fn embedded(
    options: &Options,
    registry: &Arc<Registry>,
    proxies: &Arc<Proxies>,
    clock: &Clock,
) -> Result<Ran, OpenError> {
    let socket = options.scratch.join("docker.sock");
    let engine = EmbeddedEngine::new();
    let path = socket.clone();
    let served = tokio::spawn(async move {
        if let Err(error) = engine.serve_unix(&path).await {
            tracing::error!(%error, "the embedded engine ended");
        }
    });
    let runtime = EmbeddedRuntime::new(registry.clone(), proxies.clone(), clock.clone()).await;
    let docker_host = Some(format!("unix://{}", socket.display()));
    Ok(Ran { runtime: Arc::new(runtime), real: false, docker_host, engine: Some(served) })
}

/// What a process inside must know. Nothing of the machine's own AWS leaks in.
fn variables(
    options: &Options,
    endpoint: &str,
    docker_host: Option<&str>,
) -> BTreeMap<String, String> {
    let nowhere = options.scratch.join("no-such-file").display().to_string();
    let history = options.state.as_deref().unwrap_or(&options.scratch).join("history");
    let mut variables: BTreeMap<String, String> = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", "sandbox"),
        ("AWS_CONFIG_FILE", &nowhere),
        ("AWS_SHARED_CREDENTIALS_FILE", &nowhere),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY", "127.0.0.1,localhost"),
        ("no_proxy", "127.0.0.1,localhost"),
        ("SUREFOOT_HISTORY_DIR", &history.display().to_string()),
        ("SUREFOOT_SPEED", &options.speed.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    variables.extend(docker_host.map(|host| ("DOCKER_HOST".to_owned(), host.to_owned())));
    variables
}

/// Variables of the machine that would lead out of the sandbox.
pub const LEAKS: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL_APPRUNNER",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

impl Images for Registry {
    fn resolve(&self, identifier: &str) -> Option<ResolvedImage> {
        let found = Registry::resolve(self, identifier)?;
        Some(ResolvedImage {
            repository: found.repository,
            digest: found.digest,
            platform_digest: found.platform_digest,
            size: found.size,
        })
    }
}

impl Ecr for Registry {
    fn answer(&self, operation: &str, body: &Value, now: Timestamp) -> Result<Value, ApiError> {
        Registry::answer(self, operation, body, now)
    }

    fn age(&self, repository: &str, digest: Option<&str>, by: Timestamp) -> usize {
        Registry::age(self, repository, digest, by)
    }
}
