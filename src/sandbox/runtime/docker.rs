//! Runs instances as containers of a Docker engine.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkSettings, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, InspectContainerOptions, ListContainersOptions,
    LogsOptions, RemoveContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use super::output::{Lines, Output};
use super::owner::Owner;
use super::{
    HealthCheck, InstanceId, InstanceSpec, InstanceState, LogLine, Probe, Runtime, StartFailure,
    health, start_command,
};
use crate::sandbox::Clock;
use crate::sandbox::proxy::Proxies;
use crate::sandbox::registry::{Registry, token};

/// Marks every container of every sandbox.
const LABEL: &str = "surefoot.sandbox";
/// How long a stopped container's last lines are waited for.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(2);

const LABEL_PID: &str = "surefoot.sandbox.pid";
const LABEL_STARTED: &str = "surefoot.sandbox.started";

/// Containers behind the simulated App Runner.
#[derive(Debug)]
pub struct DockerRuntime {
    docker: Docker,
    registry: Arc<Registry>,
    clock: Opaque,
    proxies: Arc<Proxies>,
    owner: Owner,
    version: String,
    containers: Mutex<BTreeMap<InstanceId, Container>>,
}

/// A clock, which has nothing to print.
struct Opaque(Clock);

impl std::fmt::Debug for Opaque {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Clock")
    }
}

#[derive(Debug)]
struct Container {
    name: String,
    /// The published port, on loopback.
    address: Option<SocketAddr>,
    /// The container's own address, which only a host without a virtual machine in between reaches.
    own: Option<SocketAddr>,
    output: Output,
    reading: Option<JoinHandle<()>>,
}

impl DockerRuntime {
    /// Containers on this engine, pulled from this registry.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn connect(
        docker: Docker,
        registry: Arc<Registry>,
        proxies: Arc<Proxies>,
        clock: Clock,
    ) -> Result<Self, bollard::errors::Error> {
        let version = docker.version().await?.version.unwrap_or_default();
        Ok(Self {
            docker,
            registry,
            clock: Opaque(clock),
            proxies,
            owner: Owner::this_process(),
            version,
            containers: Mutex::default(),
        })
    }

    fn containers(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Container>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pull(&self, reference: &str) -> Result<(), StartFailure> {
        if self.docker.inspect_image(reference).await.is_ok() {
            return Ok(());
        }
        let credentials = DockerCredentials {
            username: Some(token::USER.to_owned()),
            password: Some(self.registry.password((self.clock.0)())),
            serveraddress: Some(self.registry.authority().to_owned()),
            ..DockerCredentials::default()
        };
        let options =
            CreateImageOptions { from_image: Some(reference.to_owned()), ..Default::default() };
        let mut progress = self.docker.create_image(Some(options), None, Some(credentials));
        while let Some(step) = progress.next().await {
            step.map_err(|error| why_no_pull(&error))?;
        }
        Ok(())
    }

    async fn create(&self, spec: &InstanceSpec, reference: &str) -> Result<String, StartFailure> {
        let name = format!("surefoot-{}-{}", spec.service_name, &short(&spec.instance_id.0));
        let body = container(spec, reference, &self.owner);
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        let made = self.docker.create_container(Some(options), body).await;
        made.map(|_| name).map_err(|error| why_no_start(&error))
    }

    /// Addresses of a container, published and its own; nothing for one that ended at once.
    async fn addresses(&self, name: &str, port: u16) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let found = self.docker.inspect_container(name, None::<InspectContainerOptions>).await;
        let network = found.ok().and_then(|found| found.network_settings);
        let published = network.as_ref().and_then(|network| published(network, port));
        (published, network.as_ref().and_then(|network| own(network, port)))
    }

    async fn remove(&self, name: &str) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        // Gone already is gone.
        drop(self.docker.remove_container(name, Some(options)).await);
    }

    fn read_output(&self, name: &str, output: Output) -> JoinHandle<()> {
        let options =
            LogsOptions { follow: true, stdout: true, stderr: true, ..Default::default() };
        let mut chunks = Box::pin(self.docker.logs(name, Some(options)));
        let clock = Arc::clone(&self.clock.0);
        tokio::spawn(async move {
            let (mut out, mut err) = (Lines::default(), Lines::default());
            while let Some(Ok(chunk)) = chunks.next().await {
                let lines = if matches!(chunk, bollard::container::LogOutput::StdErr { .. }) {
                    &mut err
                } else {
                    &mut out
                };
                for line in lines.push(chunk.as_ref()) {
                    output.add(clock(), &line);
                }
            }
            for rest in [out.rest(), err.rest()].into_iter().flatten() {
                output.add(clock(), &rest);
            }
        })
    }
}

fn published(network: &NetworkSettings, port: u16) -> Option<SocketAddr> {
    let binding = network.ports.as_ref()?.get(&format!("{port}/tcp"))?.as_ref()?.first()?;
    let port = binding.host_port.as_ref()?.parse().ok()?;
    Some((Ipv4Addr::LOCALHOST, port).into())
}

fn own(network: &NetworkSettings, port: u16) -> Option<SocketAddr> {
    let mut networks = network.networks.as_ref()?.values();
    let address = networks.find_map(|one| one.ip_address.as_ref()?.parse().ok());
    address.map(|address: Ipv4Addr| (address, port).into())
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

fn container(spec: &InstanceSpec, reference: &str, owner: &Owner) -> ContainerCreateBody {
    let port = format!("{}/tcp", spec.port);
    let binding =
        PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
    let mut environment: Vec<String> = spec
        .environment
        .iter()
        .filter(|(name, _)| *name != "PORT")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    environment.push(format!("PORT={}", spec.port));
    let labels = [
        (LABEL, "true".to_owned()),
        (LABEL_PID, owner.pid.to_string()),
        (LABEL_STARTED, owner.started.clone()),
        ("surefoot.sandbox.service", spec.service_name.clone()),
        ("surefoot.sandbox.service-id", spec.service_id.clone()),
        ("surefoot.sandbox.instance", spec.instance_id.0.clone()),
    ];
    ContainerCreateBody {
        image: Some(reference.to_owned()),
        // App Runner's StartCommand overrides the entry point too: nothing of the image's remains.
        entrypoint: spec.start_command.as_ref().map(|_| vec![String::new()]),
        cmd: spec.start_command.as_deref().map(start_command::words),
        env: Some(environment),
        labels: Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        exposed_ports: Some(vec![port.clone()]),
        host_config: Some(HostConfig {
            memory: Some(i64::from(spec.memory_mebibytes) * 1024 * 1024),
            port_bindings: Some(HashMap::from([(port, Some(vec![binding]))])),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn why_no_pull(error: &bollard::errors::Error) -> StartFailure {
    let text = error.to_string();
    let missing = ["manifest unknown", "not found", "name unknown"];
    if missing.iter().any(|sign| text.contains(sign)) {
        return StartFailure::ImageNotFound(text);
    }
    StartFailure::PullFailed(text)
}

fn why_no_start(error: &bollard::errors::Error) -> StartFailure {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            // docker run: 127 for a command that is not there, 126 for one that cannot be invoked.
            let code = if message.contains("no such file") || message.contains("not found") {
                127
            } else {
                126
            };
            StartFailure::CannotExecute { code, reason: message.clone() }
        }
        other => StartFailure::EngineUnreachable(other.to_string()),
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn describe(&self) -> String {
        format!("real containers on Docker {}", self.version)
    }

    async fn start(&self, spec: &InstanceSpec) -> Result<InstanceId, StartFailure> {
        let authority = self.registry.authority();
        let reference = format!("{authority}/{}@{}", spec.repository, spec.digest);
        self.pull(&reference).await?;
        let name = self.create(spec, &reference).await?;
        if let Err(error) = self.docker.start_container(&name, None::<StartContainerOptions>).await
        {
            self.remove(&name).await;
            return Err(why_no_start(&error));
        }
        let output = Output::default();
        let (address, own) = self.addresses(&name, spec.port).await;
        let container = Container {
            address,
            own,
            reading: Some(self.read_output(&name, output.clone())),
            name,
            output,
        };
        self.containers().insert(spec.instance_id.clone(), container);
        Ok(spec.instance_id.clone())
    }

    async fn observe(&self, instance: &InstanceId) -> InstanceState {
        let name = self.containers().get(instance).map(|container| container.name.clone());
        let Some(name) = name else { return InstanceState::Exited { code: 137 } };
        let state =
            match self.docker.inspect_container(&name, None::<InspectContainerOptions>).await {
                Ok(found) => found.state,
                Err(bollard::errors::Error::DockerResponseServerError {
                    status_code: 404, ..
                }) => {
                    return InstanceState::Exited { code: 137 };
                }
                // An engine that does not answer says nothing about the container.
                Err(_) => return InstanceState::Running,
            };
        match state {
            Some(state) if state.running == Some(false) => {
                InstanceState::Exited { code: state.exit_code.unwrap_or(137) }
            }
            _ => InstanceState::Running,
        }
    }

    async fn probe(&self, instance: &InstanceId, check: &HealthCheck) -> Probe {
        let addresses = self.containers().get(instance).map(|one| (one.address, one.own));
        match addresses {
            Some((Some(address), own)) => health::check_container(own, address, check).await,
            _ => Probe::Failed("the container publishes no port".into()),
        }
    }

    async fn logs(&self, instance: &InstanceId) -> Vec<LogLine> {
        self.containers().get(instance).map(|one| one.output.drain()).unwrap_or_default()
    }

    async fn route(&self, service_id: &str, to: Option<&InstanceId>) {
        let address = to.and_then(|to| self.containers().get(to)?.address);
        self.proxies.point(service_id, address).await;
    }

    async fn service_url(&self, service_id: &str) -> String {
        self.proxies.url(service_id).await
    }

    async fn stop(&self, instance: &InstanceId) {
        let stopped = self.containers().get_mut(instance).map(|container| {
            container.address = None;
            (container.name.clone(), container.reading.take())
        });
        let Some((name, reading)) = stopped else { return };
        self.remove(&name).await;
        // The log stream ends with its container; what it brought stays readable.
        if let Some(reading) = reading {
            drop(tokio::time::timeout(LAST_WORDS, reading).await);
        }
    }

    async fn sweep(&self) {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}=true")])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let found = self.docker.list_containers(Some(options)).await.unwrap_or_default();
        for one in found {
            let labels = one.labels.unwrap_or_default();
            let owner = Owner {
                pid: labels.get(LABEL_PID).and_then(|pid| pid.parse().ok()).unwrap_or(0),
                started: labels.get(LABEL_STARTED).cloned().unwrap_or_default(),
            };
            if owner != self.owner && !owner.lives() {
                self.remove(&one.id.unwrap_or_default()).await;
            }
        }
    }

    async fn shutdown(&self) {
        let all: Vec<InstanceId> = self.containers().keys().cloned().collect();
        for instance in all {
            self.stop(&instance).await;
        }
        self.proxies.close();
    }
}

#[cfg(test)]
mod tests;
