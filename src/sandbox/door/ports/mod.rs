//! The way into the simulated world in process: the ports themselves, over one shared cloud, under
//! virtual time, without any I/O.
//!
//! Everything that reaches the world or the journal passes one place, `Machine::moment`, where a
//! [`Weather`] may strike: the power goes, the answer is lost, the call is refused. Whoever numbers
//! the moments can strike each of them.

mod answer;
mod applications;
mod builder;
mod chronicle;
mod clock;
mod delivery;
mod executor;
mod flight_recorder;
mod health;
mod identity;
mod logs;
mod machine;
mod mishap;
mod registry;
mod request;
mod services;
mod shelf;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use applications::Application;
pub use chronicle::{Chronicle, Hindrance, Pruned, Refusal, StrangersAct};
pub use executor::{Ended, Process, Spawn, Task, run_all, run_one};
pub use flight_recorder::{FlightRecorder, Truth, Written};
pub use machine::{Machine, Tree};
pub use mishap::{Calm, Kind, Mishap, Moment, SIGNATURE, Weather};
pub use shelf::Shelf;

use super::super::Timestamp;
use super::super::cloud::image::Images as _;
use super::super::cloud::service::{Service, ServiceStatus};
use super::super::cloud::{Beginning, Cloud};
use crate::names::{DeploymentId, Digest, OperationId, ServiceArn};
use delivery::Delivery;

/// Where virtual time begins: 2026-01-01, so that moments look like moments.
pub const BEGINNING: Timestamp = 1_767_225_600_000;

/// A single answer may be half a minute older than the usual lag, and a call may leave ten seconds
/// after the look that allowed it.
const UNSEEN: Timestamp = 40_000;

/// What really happened to a service because of us: the truth that every verdict is measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The machine that asked.
    pub machine: usize,
    /// The mark it planted.
    pub mark: DeploymentId,
    /// The service that it created or changed.
    pub service: ServiceArn,
    /// The operation App Runner started for it; none where nothing had to change.
    pub operation: Option<OperationId>,
    /// When.
    pub at: Timestamp,
    /// Whether a durable intention stood in the journal.
    pub intended: bool,
    /// Whether the deployment was over already, by its own journal.
    pub over: bool,
    /// When the request left.
    pub left: Timestamp,
    /// How long after its sender gave it up it arrived.
    pub late: Timestamp,
}

/// The shared world, as all machines reach it. Clones are handles of the same world.
#[derive(Clone)]
pub struct Door {
    state: Arc<Mutex<State>>,
}

/// The shared world.
pub struct State {
    /// App Runner and all the rest.
    pub cloud: Cloud,
    /// The registry.
    pub shelf: Shelf,
    /// Virtual time.
    pub now: Timestamp,
    /// How deployed programs answer, by digest; all others are well.
    pub applications: BTreeMap<String, Application>,
    /// Every change App Runner accepted from us.
    pub effects: Vec<Effect>,
    /// Mutating calls outside App Runner that took effect without a durable intention.
    pub unintended: Vec<&'static str>,
    /// Images that a prune deleted although they were needed, and by whom.
    pub pruned_in_need: Vec<String>,
    /// What happened that no operation tells of.
    pub chronicle: Chronicle,
    /// Requests that are still under way although their senders gave them up.
    deliveries: Vec<Delivery>,
    machines: usize,
}

impl Door {
    /// A door to a fresh world, in which real life's times pass.
    pub fn new(beginning: Beginning) -> Self {
        let mut cloud = Cloud::new(Beginning { speed: 1, ..beginning });
        let shelf = Shelf::new(cloud.region());
        cloud.advance(BEGINNING, &shelf);
        let state = State {
            cloud,
            shelf,
            now: BEGINNING,
            applications: BTreeMap::new(),
            effects: Vec::new(),
            unintended: Vec::new(),
            pruned_in_need: Vec::new(),
            chronicle: Chronicle::default(),
            deliveries: Vec::new(),
            machines: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The world, held.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Lets time pass.
    pub fn pass(&self, milliseconds: Timestamp) {
        let now = self.now();
        self.state().reach(now + milliseconds);
    }

    /// A new machine in front of this world.
    pub fn machine(&self, weather: Box<dyn Weather>) -> Machine {
        let mut state = self.state();
        let number = state.machines;
        state.machines += 1;
        drop(state);
        Machine::new(self.clone(), number, weather)
    }
}

impl State {
    /// Lets time pass up to a moment.
    pub fn reach(&mut self, at: Timestamp) {
        while let Some(delivery) = self.next_delivery(at) {
            self.pass_until(delivery.at);
            self.deliver(delivery);
        }
        self.pass_until(at);
    }

    fn pass_until(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        self.cloud.advance(self.now, &self.shelf);
    }

    /// AWS maintains every service that is not busy otherwise.
    fn maintain(&mut self, milliseconds: Timestamp) {
        let names: Vec<String> = self.cloud.services().map(|one| one.name.clone()).collect();
        for name in names {
            self.chronicle.maintained += u64::from(self.cloud.maintain(&name, milliseconds));
        }
    }

    /// The services that are configured with this image, and were all the time in which anybody could
    /// have looked last: what came between a look and a call is seen by nobody.
    fn users_of(&self, digest: &Digest) -> Vec<String> {
        let lag = i64::from(self.cloud.switches().service_lag_seconds) * 1_000;
        let known = self.now - lag - UNSEEN;
        let is_meant = |image: &str| {
            self.shelf.resolve(image).is_some_and(|image| image.digest == digest.as_str())
        };
        let names_it = |view: &serde_json::Value| {
            let image = &view["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"];
            image.as_str().is_some_and(is_meant)
        };
        let uses = |service: &&Service| {
            service.status != ServiceStatus::Deleted
                && is_meant(service.configuration.image_identifier())
                && service.seen_at(known).is_some()
                && service.seen_since(known).all(names_it)
        };
        self.cloud.services().filter(uses).map(|service| service.name.clone()).collect()
    }

    /// Answers a call of the cloud's own API.
    fn call(&mut self, call: &super::super::cloud::Call) -> super::super::cloud::Reply {
        self.cloud.call(call, &self.shelf, self.now).reply
    }
}
