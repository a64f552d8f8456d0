//! Lets the cloud's time pass, and carries its orders out through the runtime.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Behind;
use super::seam::{
    HealthCheck, InstanceId, InstanceSpec, InstanceState, LogLine, Probe, StartFailure,
};
use crate::sandbox::cloud::instance::{InstanceOrder, Order};
use crate::sandbox::cloud::service::Outcome;

/// How often the cloud is asked what is due.
const TICK: Duration = Duration::from_millis(20);
/// Health checks are not closer together than this, at whatever speed.
const LEAST_INTERVAL: i64 = 50;
/// How often a healthy instance is looked at, and its lines are collected.
const WATCH: Duration = Duration::from_millis(200);

/// Runs until it is aborted.
pub(super) async fn drive(behind: Behind) {
    settle_in(&behind).await;
    let mut watched = Watched(HashMap::new());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let orders = {
            let now = behind.now();
            let mut cloud = behind.lock();
            cloud.advance(now, &*behind.registry);
            cloud.take_orders()
        };
        for order in orders {
            carry_out(&behind, &mut watched, order).await;
        }
    }
}

/// The tasks that watch instances; they end with the driver.
struct Watched(HashMap<String, JoinHandle<()>>);

impl Drop for Watched {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}

/// After a restart: addresses are opened again, instances started again.
async fn settle_in(behind: &Behind) {
    let ids: Vec<String> = behind.lock().services().map(|service| service.id.clone()).collect();
    for id in ids {
        let url = behind.runtime.service_url(&id).await;
        behind.lock().set_url(&id, &url);
    }
    let now = behind.now();
    behind.lock().revive(now);
}

async fn carry_out(behind: &Behind, watched: &mut Watched, order: Order) {
    match order {
        Order::Start(order) => {
            let name = order.instance.clone();
            let task = tokio::spawn(watch(behind.clone(), *order));
            watched.0.insert(name, task);
        }
        Order::Route { service_id, to } => {
            let to = to.map(InstanceId);
            behind.runtime.route(&service_id, to.as_ref()).await;
            if let Some(instance) = to {
                behind.lock().confirm_route(&service_id, &instance.0);
            }
        }
        Order::Stop { instance } => {
            if let Some(task) = watched.0.remove(&instance) {
                task.abort();
            }
            // A container may take its time to end; the cloud does not wait for it.
            let behind = behind.clone();
            tokio::spawn(async move {
                let id = InstanceId(instance);
                behind.runtime.stop(&id).await;
                collect(&behind, &id).await;
            });
        }
    }
}

async fn collect(behind: &Behind, instance: &InstanceId) {
    let lines = behind.runtime.logs(instance).await;
    let mut cloud = behind.lock();
    for LogLine { at, text } in lines {
        cloud.wrote(&instance.0, at, &text);
    }
}

fn report(behind: &Behind, instance: &InstanceId, outcome: Outcome) {
    let now = behind.now();
    behind.lock().report(&instance.0, outcome, now, &*behind.registry);
}

/// One instance from its start to its end.
async fn watch(behind: Behind, order: InstanceOrder) {
    let id = InstanceId(order.instance.clone());
    if let Err(failure) = behind.runtime.start(&spec(&order)).await {
        return report_no_start(&behind, &id, &failure);
    }
    if !await_verdict(&behind, &id, &order).await {
        return;
    }
    let mut tick = interval(WATCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if has_exited(&behind, &id).await {
            return;
        }
    }
}

fn report_no_start(behind: &Behind, id: &InstanceId, failure: &StartFailure) {
    let outcome = match failure {
        StartFailure::ImageNotFound(_) => Outcome::ImageMissing,
        StartFailure::PullFailed(_) | StartFailure::EngineUnreachable(_) => Outcome::PullFailed,
        StartFailure::CannotExecute { code, reason } => {
            let now = behind.now();
            behind.lock().wrote(&id.0, now, reason);
            Outcome::Exited { code: *code }
        }
    };
    tracing::debug!(instance = id.0, %failure, "instance did not start");
    report(behind, id, outcome);
}

/// True while the instance lives; false when it exited.
async fn await_verdict(behind: &Behind, id: &InstanceId, order: &InstanceOrder) -> bool {
    let check = check(order);
    let pause = behind.lock().pace().health_interval(&order.health_check).max(LEAST_INTERVAL);
    let mut tick = interval(Duration::from_millis(pause.unsigned_abs()));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let deadline = behind.now() + order.patience;
    let (mut passes, mut failures) = (0, 0);
    loop {
        tick.tick().await;
        if has_exited(behind, id).await {
            return false;
        }
        match behind.runtime.probe(id, &check).await {
            Probe::Passed => (passes, failures) = (passes + 1, 0),
            Probe::Failed(_) => (passes, failures) = (0, failures + 1),
        }
        if passes >= order.health_check.healthy_threshold {
            report(behind, id, Outcome::Healthy);
            return true;
        }
        let impatient = behind.now() >= deadline;
        if impatient && failures >= order.health_check.unhealthy_threshold {
            report(behind, id, Outcome::Unhealthy);
            return true;
        }
    }
}

async fn has_exited(behind: &Behind, id: &InstanceId) -> bool {
    let state = behind.runtime.observe(id).await;
    collect(behind, id).await;
    let InstanceState::Exited { code } = state else { return false };
    report(behind, id, Outcome::Exited { code });
    true
}

/// One attempt has its own, unscaled patience: a program answers at its own speed.
fn check(order: &InstanceOrder) -> HealthCheck {
    let timeout = Duration::from_secs(u64::from(order.health_check.timeout));
    if order.health_check.protocol == "HTTP" {
        HealthCheck::Http { path: order.health_check.path.clone(), timeout }
    } else {
        HealthCheck::Tcp { timeout }
    }
}

fn spec(order: &InstanceOrder) -> InstanceSpec {
    InstanceSpec {
        repository: order.repository.clone(),
        digest: order.digest.clone(),
        port: order.port,
        start_command: order.start_command.clone(),
        environment: order.environment.clone(),
        service_name: order.service_name.clone(),
        service_id: order.service_id.clone(),
        instance_id: InstanceId(order.instance.clone()),
        cpu_units: order.cpu_units,
        memory_mebibytes: order.memory_mebibytes,
    }
}
