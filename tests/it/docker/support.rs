//! What the tests of this folder share.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use surefoot::names::{Digest, ImageIdentifier};
use surefoot::release::Values;
use surefoot::world::builder::{BuildRequest, Builder, DockerBuilder, LocalImage, Surroundings};
use surefoot::world::clock::{Clock, SystemClock};
use surefoot::world::registry::Login;
use surefoot::world::{Progress, ProgressSink, WorldError};
use tempfile::TempDir;

/// A shell that needs no library: the content of most images here.
pub(super) const BUSYBOX: &str = "/bin/busybox";

/// The engine's builder as it chooses itself, or nothing and a loud line.
pub(super) async fn engine() -> Option<DockerBuilder> {
    let builder = builder(&[]);
    match builder.engine().await {
        Ok(_) => Some(builder),
        Err(error) if std::env::var("SUREFOOT_TEST_DOCKER").as_deref() == Ok("required") => {
            panic!("SUREFOOT_TEST_DOCKER=required, and there is no engine: {error}")
        }
        Err(_) => {
            let thread = std::thread::current();
            let line = format!("SKIPPED (no Docker): {}\n", thread.name().unwrap_or("a test"));
            // Not a macro: the test harness would keep the line to itself.
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

/// A builder with more variables than this process has.
pub(super) fn builder(variables: &[(&str, &str)]) -> DockerBuilder {
    let mut surroundings = Surroundings::of_this_process();
    let more = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    surroundings.variables.extend(more);
    DockerBuilder::new(surroundings, Box::new(SystemClock::start()))
}

/// A clock whose pauses take no time, and are kept.
#[derive(Clone, Default)]
pub(super) struct Hurry(pub(super) std::sync::Arc<Mutex<Vec<Duration>>>);

#[async_trait::async_trait]
impl Clock for Hurry {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

/// The classic builder and BuildKit, by name.
pub(super) fn both_builders() -> [(&'static str, DockerBuilder); 2] {
    [
        ("classic", builder(&[("DOCKER_BUILDKIT", "0")])),
        ("buildkit", builder(&[("DOCKER_BUILDKIT", "1")])),
    ]
}

/// A context directory.
pub(super) struct Project {
    directory: TempDir,
}

impl Project {
    /// A context with this Dockerfile.
    pub(super) fn new(dockerfile: &str) -> Self {
        let project = Self { directory: TempDir::new().unwrap() };
        project.write("Dockerfile", dockerfile);
        project
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Puts busybox into the context.
    pub(super) fn with_busybox(self) -> Self {
        fs::copy(BUSYBOX, self.path().join("busybox")).unwrap();
        fs::set_permissions(self.path().join("busybox"), fs::Permissions::from_mode(0o755))
            .unwrap();
        self
    }

    pub(super) fn request(&self) -> BuildRequest {
        BuildRequest {
            context: self.path().to_owned(),
            dockerfile: "Dockerfile".into(),
            arguments: Values::default(),
            target: None,
        }
    }
}

/// A name for an image, removed from the engine in the end.
pub(super) struct ImageName {
    pub(super) name: String,
    more: Mutex<Vec<String>>,
}

impl ImageName {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("surefoot-test/image-{}-{count}:v1", std::process::id());
        Self { name, more: Mutex::default() }
    }

    /// Removes this name too.
    pub(super) fn also(&self, name: &str) {
        self.more.lock().unwrap().push(name.to_owned());
    }
}

impl Drop for ImageName {
    fn drop(&mut self) {
        let names = std::mem::take(&mut *self.more.lock().unwrap());
        for name in names.iter().chain([&self.name]) {
            // Not there is fine: the test may have failed before the image was built.
            drop(docker(&["rmi", "--force", name]));
        }
    }
}

/// Docker's own client, as it is installed.
pub(super) fn docker(arguments: &[&str]) -> std::process::Output {
    Command::new("docker").args(arguments).env("DOCKER_BUILDKIT", "0").output().unwrap()
}

/// Keeps what is reported.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Progress>>);

impl ProgressSink for Kept {
    fn report(&self, progress: Progress) {
        self.0.lock().unwrap().push(progress);
    }
}

impl Kept {
    pub(super) fn all(&self) -> Vec<Progress> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let line = |progress| match progress {
            Progress::BuildLine(line) => Some(line),
            _ => None,
        };
        self.all().into_iter().filter_map(line).collect()
    }
}

/// Code and details of a refusal.
pub(super) fn refusal<T: std::fmt::Debug>(
    answer: Result<T, WorldError>,
) -> (String, String, Vec<String>) {
    match answer {
        Err(WorldError::Refused { code, message, details, .. }) => (code, message, details),
        other => panic!("not refused: {other:?}"),
    }
}

/// Builds and keeps what is said.
pub(super) async fn build(
    builder: &DockerBuilder,
    request: &BuildRequest,
    name: &ImageName,
) -> (Result<LocalImage, WorldError>, Kept) {
    let kept = Kept::default();
    let answer = builder.build(request, &name.name, &Values::default(), &kept).await;
    (answer, kept)
}

/// The paths in an image, with `l` targets and sizes left out: `d` or `f` or `l`, mode, path.
pub(super) async fn files_in(image: &str) -> Vec<String> {
    let created = docker(&["create", image, "x"]);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let container = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    let exported = docker(&["export", &container]);
    docker(&["rm", "--force", &container]);
    assert!(exported.status.success());
    listing(&exported.stdout)
}

/// What the engine itself puts into every container.
const ENGINES_OWN: &[&str] = &["dev", "etc", "proc", "sys", ".dockerenv"];

fn listing(archive: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
        let top = path.split('/').next().unwrap_or_default();
        if path.is_empty() || ENGINES_OWN.contains(&top) {
            continue;
        }
        let header = entry.header();
        let kind = if header.entry_type().is_dir() {
            // The mode of a directory that no entry named is the engine's own choice.
            "d".into()
        } else {
            let link = header.entry_type().is_symlink();
            format!("{} {:o}", if link { "l" } else { "f" }, header.mode().unwrap() & 0o7777)
        };
        files.push(format!("{kind} {path}"));
    }
    files.sort();
    files
}

/// A registry on loopback: Debian's `docker-registry`.
pub(super) struct Registry {
    pub(super) port: u16,
    directory: TempDir,
    process: Option<Child>,
}

impl Registry {
    /// Starts a registry on a free port; `None` and a loud line where it is not installed.
    pub(super) async fn start() -> Self {
        let mut registry =
            Self { port: free_port(), directory: TempDir::new().unwrap(), process: None };
        registry.resume().await;
        registry
    }

    /// Starts it again, with what it held.
    pub(super) async fn resume(&mut self) {
        let configuration = self.directory.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: 127.0.0.1:{}}}\n",
            self.directory.path().join("data").display(),
            self.port
        );
        fs::write(&configuration, text).unwrap();
        let process = Command::new(registry_program())
            .arg("serve")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the Debian package docker-registry is installed");
        self.process = Some(process);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            SystemClock::start().sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, as a power cut would.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(super) fn target(&self, repository: &str, tag: &str) -> ImageIdentifier {
        format!("127.0.0.1:{}/{repository}:{tag}", self.port).parse().unwrap()
    }

    /// What the registry itself says the tag is, by hashing the bytes it serves.
    pub(super) async fn digest(&self, repository: &str, tag: &str) -> Digest {
        let url = format!("http://127.0.0.1:{}/v2/{repository}/manifests/{tag}", self.port);
        let accepted = "application/vnd.docker.distribution.manifest.v2+json, \
                        application/vnd.oci.image.manifest.v1+json";
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(url).header("Accept", accepted).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        Digest::of(&answer.bytes().await.unwrap())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}

fn registry_program() -> PathBuf {
    ["/usr/bin/docker-registry", "/usr/local/bin/registry"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .expect("the Debian package docker-registry is installed")
}

/// A port that nobody listens on at the moment.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A login that no registry here asks for.
pub(super) fn anyone() -> Login {
    Login { server: "http://127.0.0.1".into(), username: "AWS".into(), password: "x".into() }
}
