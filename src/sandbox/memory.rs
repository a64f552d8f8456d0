//! The memory of a sandbox over restarts: its world and its ports, in the folder of `--state`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::cloud::{Beginning, Cloud};
use super::proxy::Proxies;
use super::session::{Options, REGION};

/// How often a world that is kept is written down.
const EVERY: Duration = Duration::from_secs(1);

/// Ports of an earlier run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    /// Of the AWS door.
    pub(super) aws: u16,
    /// Of the image door.
    pub(super) images: u16,
    /// Of each service, by id.
    pub(super) services: BTreeMap<String, u16>,
}

/// A folder, or none.
#[derive(Debug, Clone)]
pub(super) struct Memory(Option<PathBuf>);

impl Memory {
    pub(super) fn of(folder: Option<&Path>) -> Self {
        Self(folder.map(Path::to_owned))
    }

    pub(super) fn ports(&self) -> io::Result<Ports> {
        Ok(self.read("ports.json")?.unwrap_or_default())
    }

    /// The world as it was left, or a new one. Speed and switches are those asked for now.
    pub(super) fn cloud(&self, options: &Options) -> io::Result<Cloud> {
        let kept: Option<Cloud> = self.read("cloud.json")?;
        let mut cloud = kept.unwrap_or_else(|| {
            Cloud::new(Beginning {
                seed: u64::from(std::process::id()),
                region: REGION.into(),
                speed: options.speed,
                switches: options.switches.clone(),
            })
        });
        cloud.set_speed(options.speed);
        *cloud.switches_mut() = options.switches.clone();
        Ok(cloud)
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, name: &str) -> io::Result<Option<T>> {
        let Some(folder) = &self.0 else { return Ok(None) };
        match std::fs::read(folder.join(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all: a sandbox that is killed while it writes leaves the world before.
    fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let Some(folder) = &self.0 else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, &serde_json::to_vec(value)?)?;
        file.persist(folder.join(name))?;
        Ok(())
    }
}

/// Writes a world down.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) memory: Memory,
    pub(super) cloud: Arc<Mutex<Cloud>>,
    pub(super) proxies: Arc<Proxies>,
    pub(super) aws: u16,
    pub(super) images: u16,
}

impl Keeper {
    /// Writes it down again and again, until it is aborted.
    pub(super) async fn keep(self) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.write();
        }
    }

    /// Writes it down now.
    pub(super) fn write(&self) {
        let ports = Ports { aws: self.aws, images: self.images, services: self.proxies.ports() };
        let cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let written = self.memory.write("ports.json", &ports);
        let written = written.and_then(|()| self.memory.write("cloud.json", &cloud));
        if let Err(error) = written {
            tracing::error!(%error, "the sandbox's world could not be kept");
        }
    }
}
