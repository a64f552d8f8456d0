//! Runs instances without Docker: as processes in namespaces, or by a stand-in that says so.
//!
//! Image content never runs loose on the host. Where the kernel lets us have user, mount and
//! process namespaces, an instance sees its image as its whole file system. Where it does not, a
//! small stand-in app answers in its place.
//!
//! There is no network of its own: an instance listens on the host's loopback, on the port in
//! `PORT`. An app that ignores `PORT` is found on its configured port, once at a time.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::output::Output;
use super::owner::Owner;
use super::{
    HealthCheck, InstanceId, InstanceSpec, InstanceState, LogLine, Probe, Runtime, StartFailure,
    health, start_command,
};
use crate::sandbox::Clock;
use crate::sandbox::proxy::Proxies;
use crate::sandbox::registry::Registry;

mod image;
mod isolation;
mod stand_in;
#[cfg(test)]
mod tests;

use image::Unpacked;
use isolation::Isolation;

static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Processes behind the simulated App Runner.
pub struct EmbeddedRuntime {
    registry: Arc<Registry>,
    proxies: Arc<Proxies>,
    clock: Clock,
    isolation: Result<Isolation, String>,
    folder: PathBuf,
    instances: Mutex<BTreeMap<InstanceId, Instance>>,
}

struct Instance {
    /// The port in `PORT`.
    address: SocketAddr,
    /// The port App Runner was told, where it was free: an app may ignore `PORT`.
    configured: Option<SocketAddr>,
    state: watch::Receiver<InstanceState>,
    output: Output,
    task: JoinHandle<()>,
    folder: PathBuf,
}

impl EmbeddedRuntime {
    /// Processes of images from this registry; finds out what the kernel allows.
    pub async fn new(registry: Arc<Registry>, proxies: Arc<Proxies>, clock: Clock) -> Self {
        Self::with(registry, proxies, clock, Isolation::probe().await)
    }

    /// Never runs an image's process: the stand-in answers for all of them.
    pub fn standing_in(registry: Arc<Registry>, proxies: Arc<Proxies>, clock: Clock) -> Self {
        Self::with(registry, proxies, clock, Err("asked not to run processes".to_owned()))
    }

    fn with(
        registry: Arc<Registry>,
        proxies: Arc<Proxies>,
        clock: Clock,
        isolation: Result<Isolation, String>,
    ) -> Self {
        let owner = Owner::this_process();
        let name = format!("{}-{}", owner.pid, owner.started.replace('/', "_"));
        // One process may hold several sandboxes, as tests do.
        let number = BEGUN.fetch_add(1, Ordering::Relaxed).to_string();
        let folder = Self::base().join(name).join(number);
        Self { registry, proxies, clock, isolation, folder, instances: Mutex::default() }
    }

    /// Where the instances of all sandboxes of this user are unpacked: another user's folder cannot
    /// be written to.
    fn base() -> PathBuf {
        let user = std::fs::metadata("/proc/self").map_or(0, |own| own.uid());
        std::env::temp_dir().join(format!("surefoot-instances-{user}"))
    }

    fn instances(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Instance>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(spec: &InstanceSpec, image: &Unpacked) -> Vec<String> {
        match &spec.start_command {
            Some(command) => start_command::words(command),
            None => image.entrypoint.iter().chain(&image.command).cloned().collect(),
        }
    }

    fn environment(spec: &InstanceSpec, image: &Unpacked, port: u16) -> BTreeMap<String, String> {
        let mut environment = image.environment.clone();
        environment.extend(spec.environment.clone());
        environment.insert("PORT".to_owned(), port.to_string());
        environment
    }

    fn begin(
        &self,
        spec: &InstanceSpec,
        image: &Unpacked,
        address: SocketAddr,
        folder: &std::path::Path,
    ) -> Result<(watch::Receiver<InstanceState>, Output, JoinHandle<()>), StartFailure> {
        let (sender, state) = watch::channel(InstanceState::Running);
        let output = Output::default();
        let task = match &self.isolation {
            Ok(isolation) => {
                let run = isolation::Run {
                    root: folder.join("root"),
                    work: image.work_directory.clone(),
                    command: Self::command(spec, image),
                    environment: Self::environment(spec, image, address.port()),
                };
                isolation.start(&run, sender, output.clone(), Arc::clone(&self.clock))?
            }
            Err(why) => {
                output.add(
                    (self.clock)(),
                    format!("[stand-in] the image is not run: {why}").as_bytes(),
                );
                stand_in::start(address, spec, image, sender)
            }
        };
        Ok((state, output, task))
    }
}

/// Ports below those that Linux gives to whoever asks for any: between our look and the app's own, no
/// outgoing connection takes one of these. Source: ip(7), `ip_local_port_range`.
const PORTS: std::ops::Range<u16> = 20_000..32_768;

/// Ports that are tried before any is taken.
const TRIED: usize = 32;

/// A port that is free now. Another process may take it before the app does: then the app dies of
/// it and says so, as it would anywhere.
fn free_port() -> Option<SocketAddr> {
    let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ours = (0..TRIED).map(|_| drawn()).find(|port| is_free(*port)).map(address);
    ours.or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok())
}

/// Any of the ports, so that two sandboxes hardly ever look at the same one.
fn drawn() -> u16 {
    let width = u128::from(PORTS.end - PORTS.start);
    let offset = ulid::Ulid::generate().random() % width;
    PORTS.start + u16::try_from(offset).unwrap_or_default()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[async_trait]
impl Runtime for EmbeddedRuntime {
    fn describe(&self) -> String {
        match &self.isolation {
            Ok(_) => "processes in namespaces of their own, without Docker; they share the host's network, and memory limits do not apply".to_owned(),
            Err(why) => format!("a stand-in app answers for every image, because this machine cannot isolate processes: {why}"),
        }
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<InstanceId, StartFailure> {
        let folder = self.folder.join(&spec.instance_id.0);
        let root = folder.join("root");
        let (registry, repository, digest) =
            (Arc::clone(&self.registry), spec.repository.clone(), spec.digest.clone());
        let now = (self.clock)();
        // Unpacking is work for a thread that may wait.
        let unpacked = tokio::task::spawn_blocking(move || {
            image::unpack(&registry, &repository, &digest, &root, now)
        });
        let image = unpacked
            .await
            .map_err(|error| StartFailure::PullFailed(error.to_string()))
            .flatten()?;
        let address = free_port()
            .ok_or_else(|| StartFailure::EngineUnreachable("no free port on loopback".into()))?;
        let configured = is_free(spec.port).then(|| (Ipv4Addr::LOCALHOST, spec.port).into());
        let (state, output, task) = match self.begin(spec, &image, address, &folder) {
            Ok(begun) => begun,
            Err(failure) => {
                drop(std::fs::remove_dir_all(&folder));
                return Err(failure);
            }
        };
        let instance = Instance { address, configured, state, output, task, folder };
        self.instances().insert(spec.instance_id.clone(), instance);
        Ok(spec.instance_id.clone())
    }

    async fn observe(&self, instance: &InstanceId) -> InstanceState {
        let state = self.instances().get(instance).map(|one| *one.state.borrow());
        state.unwrap_or(InstanceState::Exited { code: 137 })
    }

    async fn probe(&self, instance: &InstanceId, check: &HealthCheck) -> Probe {
        let found = self.instances().get(instance).map(|one| (one.address, one.configured));
        let Some((address, configured)) = found else {
            return Probe::Failed("the instance is gone".into());
        };
        let first = health::check(address, check).await;
        let (Probe::Failed(_), Some(configured)) = (&first, configured) else { return first };
        if health::check(configured, check).await != Probe::Passed {
            return first;
        }
        if let Some(one) = self.instances().get_mut(instance) {
            one.address = configured;
        }
        Probe::Passed
    }

    async fn logs(&self, instance: &InstanceId) -> Vec<LogLine> {
        self.instances().get(instance).map(|one| one.output.drain()).unwrap_or_default()
    }

    async fn route(&self, service_id: &str, to: Option<&InstanceId>) {
        let address = to.and_then(|to| Some(self.instances().get(to)?.address));
        self.proxies.point(service_id, address).await;
    }

    async fn service_url(&self, service_id: &str) -> String {
        self.proxies.url(service_id).await
    }

    async fn stop(&self, instance: &InstanceId) {
        let found = self.instances().get_mut(instance).map(|one| {
            one.task.abort();
            (one.folder.clone(), one.state.clone())
        });
        let Some((folder, mut state)) = found else { return };
        // The task owns the process: when its sender is gone, the process has been killed.
        while state.changed().await.is_ok() {}
        drop(tokio::fs::remove_dir_all(folder).await);
        if let Some(one) = self.instances().get_mut(instance) {
            one.state = watch::channel(InstanceState::Exited { code: 137 }).1;
        }
    }

    async fn sweep(&self) {
        let Ok(found) = std::fs::read_dir(Self::base()) else { return };
        for entry in found.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((pid, started)) = name.split_once('-') else { continue };
            let owner = Owner { pid: pid.parse().unwrap_or(0), started: started.replace('_', "/") };
            // Its processes ended with it: each watches a pipe that its sandbox held.
            if !owner.lives() {
                drop(std::fs::remove_dir_all(entry.path()));
            }
        }
    }

    async fn shutdown(&self) {
        let all: Vec<InstanceId> = self.instances().keys().cloned().collect();
        for instance in all {
            self.stop(&instance).await;
        }
        self.proxies.close();
        drop(std::fs::remove_dir_all(&self.folder));
        // Fails while another sandbox of this process still has instances there.
        drop(self.folder.parent().map(std::fs::remove_dir));
    }
}
