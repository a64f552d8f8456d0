//! The simulated cloud: one pure state machine. Time comes in, orders go out, nothing else happens.
//!
//! [`Cloud::call`] answers one API call, [`Cloud::advance`] lets time pass, [`Cloud::take_orders`]
//! says what is to be done outside, [`Cloud::report`] takes in what became of it. With
//! [`Cloud::behave`] a table decides instead, and whole deployments take microseconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod apprunner;
mod call;
pub mod canonical;
pub mod chance;
pub mod configuration;
mod deployment;
pub mod fault;
mod foreign;
pub mod identity;
pub mod image;
pub mod instance;
mod lines;
pub mod logs;
pub mod pace;
mod policy;
pub mod record;
mod refusal;
pub mod secrets;
pub mod service;
pub mod switches;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;

pub use call::{Answer, Api, Call, Reply, Ticket};

use chance::Chance;
use fault::{Fault, ForeignAct};
use identity::Identity;
use image::Images;
use instance::{Behaviours, Order};
use logs::Logs;
use pace::Pace;
use record::Record;
use refusal::refuse;
use secrets::Secrets;
use service::{Outcome, Service, ServiceStatus};
use switches::Switches;

use super::{ApiError, Timestamp};

/// The one account of the sandbox.
pub const ACCOUNT: &str = "123456789012";

/// What a world starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Seed of all ids and of faults that strike by chance.
    pub seed: u64,
    /// Region in every ARN.
    pub region: String,
    /// How many times faster than real life; 60 is usual, 1 is real life.
    pub speed: u32,
    /// Unconfirmed facts.
    pub switches: Switches,
}

impl Default for Beginning {
    fn default() -> Self {
        Self { seed: 1, region: "us-east-1".into(), speed: 60, switches: Switches::default() }
    }
}

/// Something that will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Due {
    Outcome { instance: String, outcome: Outcome },
    Replace { service: String },
    Foreign { service: String, act: ForeignAct },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    at: Timestamp,
    due: Due,
}

/// The simulated world behind both doors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    region: String,
    pace: Pace,
    switches: Switches,
    chance: Chance,
    now: Timestamp,
    services: BTreeMap<String, Service>,
    logs: Logs,
    secrets: Secrets,
    identity: Identity,
    faults: Vec<Fault>,
    record: Record,
    planned: Vec<Planned>,
    /// Instance to service.
    instances: BTreeMap<String, String>,
    retired: VecDeque<String>,
    behaviours: Option<Behaviours>,
    expired_keys: BTreeSet<String>,
    /// App Runner calls of the current second, for throttling.
    recent_calls: (Timestamp, u32),
    /// Orders hold resolved secrets, so they are never stored; see [`Cloud::revive`].
    #[serde(skip)]
    orders: Vec<Order>,
}

impl Cloud {
    /// A world with the two roles and nothing else.
    pub fn new(beginning: Beginning) -> Self {
        let mut chance = Chance::new(beginning.seed);
        let identity = Identity::new(ACCOUNT, &beginning.region, &mut chance);
        Self {
            region: beginning.region,
            pace: Pace::new(beginning.speed),
            switches: beginning.switches,
            chance,
            now: 0,
            services: BTreeMap::new(),
            logs: Logs::default(),
            secrets: Secrets::default(),
            identity,
            faults: Vec::new(),
            record: Record::default(),
            planned: Vec::new(),
            instances: BTreeMap::new(),
            retired: VecDeque::new(),
            behaviours: None,
            expired_keys: BTreeSet::new(),
            recent_calls: (0, 0),
            orders: Vec::new(),
        }
    }

    /// Lets a table decide what becomes of instances; no orders are handed out from now on.
    pub fn behave(&mut self, behaviours: Behaviours) {
        self.behaviours = Some(behaviours);
        self.orders.clear();
    }

    /// Lets everything happen that is due by now, in its order.
    pub fn advance(&mut self, now: Timestamp, images: &dyn Images) {
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            self.happen(at, images);
        }
        self.now = self.now.max(now);
        self.forget_deleted();
        self.deploy_pushed_tags(images);
    }

    /// When the next thing happens by itself; virtual time can jump there.
    pub fn next_due(&self) -> Option<Timestamp> {
        let planned = self.planned.iter().map(|planned| planned.at);
        let work = self.services.values().filter_map(|s| Some(s.work.as_ref()?.due));
        let maintenance = self.services.values().filter_map(|s| s.maintenance_until);
        planned.chain(work).chain(maintenance).min()
    }

    fn happen(&mut self, at: Timestamp, images: &dyn Images) {
        if let Some(position) = self.planned.iter().position(|planned| planned.at == at) {
            let planned = self.planned.remove(position);
            return match planned.due {
                Due::Outcome { instance, outcome } => self.take_outcome(&instance, outcome, at),
                Due::Replace { service } => self.start_replacement(&service, at),
                Due::Foreign { service, act } => self.act_foreign(&service, &act, at, images),
            };
        }
        let working =
            self.services.iter().find(|(_, s)| s.work.as_ref().is_some_and(|w| w.due == at));
        if let Some((id, _)) = working {
            let id = id.clone();
            return self.step(&id, at, images);
        }
        self.end_maintenance(at);
    }

    fn plan(&mut self, at: Timestamp, due: Due) {
        self.planned.push(Planned { at, due });
    }

    fn hand_out(&mut self, order: Order) {
        if self.behaviours.is_none() {
            self.orders.push(order);
        }
    }

    /// What is to be done outside, oldest first.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// Takes in what became of an instance.
    pub fn report(
        &mut self,
        instance: &str,
        outcome: Outcome,
        now: Timestamp,
        images: &dyn Images,
    ) {
        self.advance(now, images);
        self.take_outcome(instance, outcome, now);
    }

    /// Takes in what an instance wrote; the application log group exists from its first line on.
    pub fn wrote(&mut self, instance: &str, at: Timestamp, line: &str) {
        let service = self.instances.get(instance).and_then(|id| self.services.get(id));
        let Some(group) = service.map(Service::application_group) else { return };
        self.logs.write(&group, &format!("instance/{instance}"), at, line);
    }

    fn forget_deleted(&mut self) {
        let visible = self.pace.scale(i64::from(self.switches.deleted_visible_minutes) * 60_000);
        let now = self.now;
        self.services.retain(|_, service| service.deleted_at.is_none_or(|at| at + visible > now));
    }

    /// AWS begins to maintain a service, unless that is busy: true where it does.
    pub fn maintain(&mut self, name: &str, milliseconds: i64) -> bool {
        let now = self.now;
        let mut running = self.services.values_mut().filter(|s| s.status == ServiceStatus::Running);
        let Some(service) = running.find(|s| s.name == name) else { return false };
        service.status = ServiceStatus::OperationInProgress;
        service.maintenance_until = Some(now + milliseconds);
        service.remember(now);
        true
    }

    fn end_maintenance(&mut self, at: Timestamp) {
        for service in self.services.values_mut() {
            if service.maintenance_until == Some(at) {
                service.maintenance_until = None;
                service.status = ServiceStatus::Running;
                service.remember(at);
            }
        }
    }

    /// Adds a fault.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The faults that have not struck yet.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Takes away all faults and expired keys, and empties the record of calls. The world stays.
    pub fn clear(&mut self) {
        self.faults.clear();
        self.expired_keys.clear();
        self.record.clear();
    }

    /// From now on calls with this access key are answered with an expired token.
    pub fn expire_key(&mut self, key: &str) {
        self.expired_keys.insert(key.to_owned());
    }

    /// The switches.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// The switches, to be set.
    pub fn switches_mut(&mut self) -> &mut Switches {
        &mut self.switches
    }

    /// How much faster than real life.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Changes the speed; work under way keeps its dates.
    pub fn set_speed(&mut self, speed: u32) {
        self.pace = Pace::new(speed);
    }

    /// Region of this world.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The record of calls.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// All services, deleted ones included while they are visible.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The service of this name that is not deleted.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.values().find(|s| s.name == name && s.status != ServiceStatus::Deleted)
    }

    /// The log groups.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Roles and policies.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Gives a service its address on loopback.
    pub fn set_url(&mut self, service_id: &str, url: &str) {
        let now = self.now;
        if let Some(service) = self.services.get_mut(service_id) {
            url.clone_into(&mut service.url);
            service.remember(now);
        }
    }

    /// An id for an answer.
    pub fn request_id(&mut self) -> String {
        self.chance.dashed()
    }

    /// What there is, in few words.
    pub fn summary(&self) -> Value {
        let services: Vec<_> = self.services.values().map(summary_row).collect();
        json!({
            "account": ACCOUNT, "region": self.region, "speed": self.pace.speed(),
            "accessRole": self.identity.access_role_arn(),
            "instanceRole": self.identity.instance_role_arn(),
            "services": services, "switches": self.switches, "faults": self.faults,
            "calls": self.record.calls().count(),
        })
    }
}

fn summary_row(service: &Service) -> Value {
    let operations: Vec<_> = service
        .operations
        .iter()
        .map(|o| json!({"id": o.id, "type": o.kind.word(), "status": o.status().word()}))
        .collect();
    json!({
        "name": service.name, "arn": service.arn, "url": service.url,
        "status": service.status.word(), "image": service.configuration.image_identifier(),
        "runs": service.image.as_ref().map(|image| image.digest.as_str()),
        "instance": service.live, "operations": operations,
    })
}

pub(crate) fn unknown_operation() -> ApiError {
    refuse("UnknownOperationException", "")
}

pub(crate) fn unknown_action(operation: &str) -> ApiError {
    refuse("InvalidAction", format!("Could not find operation {operation}"))
}
