//! How work on a service goes on: one stage after another, each with its lines and its end.
//!
//! The order of stages and lines: recorded event logs of real services. Going back to the old
//! image and the old configuration: App Runner roadmap issues 209 and 272.

use super::configuration::{Configuration, Names};
use super::image::Images;
use super::image::ResolvedImage;
use super::instance::{Behaviour, InstanceOrder, Order};
use super::service::{
    Failure, OperationStatus, OperationType, Outcome, Service, ServiceStatus, Stage, Work,
};
use super::switches::{HealthFailure, LogLines, OperationStarts, Pull, RollbackEnds, Toggle};
use super::{Cloud, Due, identity, lines, pace, secrets};
use crate::sandbox::Timestamp;

const EVENTS: &str = "events";
/// Instances that ended and whose last lines are still taken.
const REMEMBERED_INSTANCES: usize = 64;

impl Cloud {
    /// Puts an operation on a service; its first stage begins at once.
    pub(super) fn begin(&mut self, id: &str, work: Work, now: Timestamp, images: &dyn Images) {
        let pending = self.switches.operation_starts == OperationStarts::Pending;
        let first = if pending { OperationStatus::Pending } else { OperationStatus::InProgress };
        let operation =
            super::service::Operation::new(work.operation.clone(), work.kind, now, first);
        let Some(service) = self.services.get_mut(id) else { return };
        service.operations.push(operation);
        service.status = ServiceStatus::OperationInProgress;
        service.work = Some(Work { stage: Stage::Pending, due: now, ..work });
        if pending {
            self.enter(id, Stage::Pending, now, pace::PENDING);
        } else {
            self.open(id, now, images);
        }
        self.remember(id, now);
    }

    /// What happens when the current stage is over.
    pub(super) fn step(&mut self, id: &str, at: Timestamp, images: &dyn Images) {
        let Some(stage) = self.work(id).map(|work| work.stage) else { return };
        match stage {
            Stage::Pending => self.open(id, at, images),
            Stage::Pulling => self.pulled(id, at),
            Stage::Provisioning => self.check_health(id, at),
            // Nobody ever said what became of the instance.
            Stage::Checking => self.conclude(id, Outcome::Unhealthy, at),
            Stage::Routing => self.routed(id, at),
            Stage::Finishing => self.finish(id, at),
            Stage::Failing(failure) => self.fail(id, failure, at),
            Stage::RollingBack(failure) => self.roll_back(id, failure, at),
            Stage::Pausing => self.paused(id, at),
            Stage::Deleting => self.deleted(id, at),
        }
        self.remember(id, at);
    }

    fn work(&self, id: &str) -> Option<&Work> {
        self.services.get(id)?.work.as_ref()
    }

    fn work_mut(&mut self, id: &str) -> Option<&mut Work> {
        self.services.get_mut(id)?.work.as_mut()
    }

    pub(super) fn remember(&mut self, id: &str, at: Timestamp) {
        if let Some(service) = self.services.get_mut(id) {
            service.remember(at);
        }
    }

    fn enter(&mut self, id: &str, stage: Stage, at: Timestamp, real: i64) {
        let pace = self.pace;
        if let Some(work) = self.work_mut(id) {
            work.stage = stage;
            work.due = at + pace.scale(real) * i64::from(work.doom.slowness.max(1));
        }
    }

    fn mark(&mut self, id: &str, at: Timestamp, status: OperationStatus) {
        let Some(service) = self.services.get_mut(id) else { return };
        let Some(operation) = service.work.as_ref().map(|work| work.operation.clone()) else {
            return;
        };
        service.mark_operation(&operation, at, status);
    }

    /// A line of the stream `events`.
    fn event(&mut self, id: &str, at: Timestamp, line: &str) {
        let Some(service) = self.services.get(id) else { return };
        self.logs.write(&service.service_group(), EVENTS, at, &format!("[AppRunner] {line}"));
    }

    /// A line of the stream that is named after the operation.
    fn deployment_line(&mut self, id: &str, at: Timestamp, line: &str) {
        let Some(service) = self.services.get(id) else { return };
        let Some(work) = &service.work else { return };
        let stream = format!("deployment/{}", work.operation);
        self.logs.write(&service.service_group(), &stream, at, &format!("[AppRunner] {line}"));
    }

    fn set_status(&mut self, id: &str, at: Timestamp, status: ServiceStatus) {
        if let Some(service) = self.services.get_mut(id) {
            service.status = status;
        }
        self.event(id, at, &lines::status(status.word()));
    }

    fn open(&mut self, id: &str, at: Timestamp, images: &dyn Images) {
        let wording = self.switches.log_lines;
        let Some(work) = self.work(id) else { return };
        let (kind, operation, pulls) = (work.kind, work.operation.clone(), work.pulls);
        let started_now = self.services.get(id).and_then(|s| s.operation(&operation));
        if started_now.is_some_and(|operation| operation.status() == OperationStatus::Pending) {
            self.mark(id, at, OperationStatus::InProgress);
        }
        self.event(id, at, &lines::started(kind, &operation, wording));
        self.set_status(id, at, ServiceStatus::OperationInProgress);
        match kind {
            OperationType::PauseService => self.enter(id, Stage::Pausing, at, pace::PAUSE),
            OperationType::DeleteService => self.enter(id, Stage::Deleting, at, pace::DELETE),
            _ if pulls => self.pull(id, at, images),
            _ => self.provision(id, at),
        }
    }

    fn pull(&mut self, id: &str, at: Timestamp, images: &dyn Images) {
        let Some(service) = self.services.get(id) else { return };
        let identifier = service.configuration.image_identifier().to_owned();
        let creating =
            service.work.as_ref().map(|work| work.kind) == Some(OperationType::CreateService);
        let auto = service.configuration.auto_deploys();
        if self.switches.log_lines == LogLines::WithId {
            self.event(id, at, &lines::artifact(&identifier));
        }
        if creating && auto {
            self.event(id, at, lines::PIPELINE);
        }
        self.deployment_line(id, at, lines::PULL_STARTS);
        self.deployment_line(id, at, &lines::pulling(&identifier));
        self.event(id, at, &lines::pulling(&identifier));
        match self.resolve(id, images) {
            Ok(()) => self.enter(id, Stage::Pulling, at, pace::PULL),
            Err(failure) => self.enter(id, Stage::Failing(failure), at, notice(failure)),
        }
    }

    /// Finds the image and copies it: from here on the registry may forget it.
    fn resolve(&mut self, id: &str, images: &dyn Images) -> Result<(), Failure> {
        let Some(service) = self.services.get(id) else { return Err(Failure::CopyFailed) };
        if let Some(failure) = service.work.as_ref().and_then(|work| work.doom.pull) {
            return Err(failure);
        }
        if service.configuration.source.image_repository.is_none() {
            return Ok(());
        }
        if let Some(role) = service.configuration.access_role()
            && !self.may_pull(role)
        {
            return Err(Failure::InvalidAccessRole);
        }
        let identifier = service.configuration.image_identifier();
        let image = images.resolve(identifier).ok_or(Failure::ImageMissing)?;
        if self.pull_of(identifier, &image) == Pull::Fails {
            return Err(Failure::CopyFailed);
        }
        let tracked = image.digest.clone();
        if let Some(service) = self.services.get_mut(id) {
            service.tracked = Some(tracked);
            if let Some(work) = &mut service.work {
                work.image = Some(image);
            }
        }
        Ok(())
    }

    fn may_pull(&self, role: &str) -> bool {
        self.identity.assumable(role, identity::BUILD_SERVICE, self.now)
            && ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
                .iter()
                .all(|action| self.identity.may(role, action, "*"))
    }

    fn pulled(&mut self, id: &str, at: Timestamp) {
        self.event(id, at, lines::PULLED);
        self.deployment_line(id, at, lines::PULLED_YOURS);
        self.provision(id, at);
    }

    fn provision(&mut self, id: &str, at: Timestamp) {
        self.event(id, at, lines::PROVISIONING);
        self.deployment_line(id, at, lines::DEPLOY_STARTS);
        self.enter(id, Stage::Provisioning, at, pace::PROVISION);
        let instance = self.chance.hexadecimal();
        if let Some(work) = self.work_mut(id) {
            work.instance = Some(instance.clone());
            work.instance_since = at;
            work.outcome = None;
        }
        match self.order(id, &instance, Which::New) {
            Ok(order) => self.launch(id, order, at),
            Err(failure) => self.enter(id, Stage::Failing(failure), at, notice(failure)),
        }
    }

    fn order(
        &self,
        id: &str,
        instance: &str,
        which: Which,
    ) -> Result<Option<InstanceOrder>, Failure> {
        let Some(service) = self.services.get(id) else { return Err(Failure::CopyFailed) };
        let (configuration, image) = blueprint(service, which);
        let environment = self.environment(configuration)?;
        // A code-based service: nothing is built, nothing runs.
        let Some(image) = image else { return Ok(None) };
        let thresholds_only = self.switches.health_failure == HealthFailure::Thresholds;
        Ok(Some(InstanceOrder {
            instance: instance.to_owned(),
            service_id: service.id.clone(),
            service_name: service.name.clone(),
            repository: image.repository.clone(),
            digest: image.platform_digest.clone(),
            port: configuration.port(),
            start_command: configuration.image().and_then(|image| image.start_command.clone()),
            environment,
            cpu_units: configuration.instance.cpu.parse().unwrap_or(1_024),
            memory_mebibytes: configuration.instance.memory.parse().unwrap_or(2_048),
            patience: self.pace.health_patience(&configuration.health_check, thresholds_only),
            health_check: configuration.health_check.clone(),
        }))
    }

    /// Plain variables, secrets read with the instance role, and `PORT` (developer guide, develop).
    fn environment(&self, configuration: &Configuration) -> Result<Names, Failure> {
        let image = configuration.image();
        let plain = image.and_then(|image| image.runtime_environment_variables.clone());
        let mut environment = plain.unwrap_or_default();
        let wanted = image.and_then(|image| image.runtime_environment_secrets.as_ref());
        for (name, reference) in wanted.into_iter().flatten() {
            let role = configuration.instance.instance_role_arn.as_deref();
            let value = role.and_then(|role| self.read_secret(role, reference));
            environment.insert(name.clone(), value.ok_or(Failure::SecretUnreadable)?);
        }
        environment.insert("PORT".to_owned(), configuration.port().to_string());
        Ok(environment)
    }

    fn read_secret(&self, role: &str, reference: &str) -> Option<String> {
        let (arn, _) = secrets::split_reference(reference);
        let may = self.identity.assumable(role, identity::TASKS_SERVICE, self.now)
            && self.identity.may(role, "secretsmanager:GetSecretValue", arn);
        may.then(|| self.secrets.read(reference)).flatten()
    }

    /// Hands the order out, or looks in the table what becomes of it.
    fn launch(&mut self, id: &str, order: Option<InstanceOrder>, at: Timestamp) {
        let doomed = self.work(id).and_then(|work| work.doom.outcome);
        let Some(order) = order else {
            let healthy = doomed.unwrap_or(Outcome::Healthy);
            if let Some(work) = self.work_mut(id) {
                work.moved = true;
                work.outcome = Some(healthy);
            }
            return;
        };
        let instance = order.instance.clone();
        self.instances.insert(instance.clone(), id.to_owned());
        let Some(behaviours) = &self.behaviours else {
            // A fault overrules what the container does, yet the container is real.
            if let Some(outcome) = doomed {
                self.schedule(at + self.fate_after(outcome, &order), instance, outcome);
            }
            self.hand_out(Order::Start(Box::new(order)));
            return;
        };
        let (outcome, real) = match behaviours.of(&order.digest) {
            Behaviour::Healthy => (Outcome::Healthy, pace::PROVISION + 5_000),
            Behaviour::HealthyAfter { seconds } => (Outcome::Healthy, i64::from(*seconds) * 1_000),
            Behaviour::Unhealthy => (Outcome::Unhealthy, 0),
            Behaviour::Exits { code } => (Outcome::Exited { code: *code }, 1_000),
        };
        let (outcome, real) = doomed.map_or((outcome, real), |outcome| (outcome, 1_000));
        let wait = match outcome {
            Outcome::Unhealthy => self.fate_after(outcome, &order),
            _ => self.pace.scale(real),
        };
        // A slow program that outlasts App Runner's patience is not healthy for App Runner.
        let limit = self.pace.scale(pace::PROVISION) + order.patience;
        let (outcome, wait) =
            if wait > limit { (Outcome::Unhealthy, limit) } else { (outcome, wait) };
        self.schedule(at + wait, instance, outcome);
    }

    fn fate_after(&self, outcome: Outcome, order: &InstanceOrder) -> i64 {
        match outcome {
            Outcome::Unhealthy => self.pace.scale(pace::PROVISION) + order.patience,
            _ => self.pace.scale(1_000),
        }
    }

    fn schedule(&mut self, at: Timestamp, instance: String, outcome: Outcome) {
        self.plan(at, Due::Outcome { instance, outcome });
    }

    fn check_health(&mut self, id: &str, at: Timestamp) {
        let Some(service) = self.services.get(id) else { return };
        let configuration = &service.configuration;
        let line = lines::checking(&configuration.health_check, configuration.port());
        self.event(id, at, &line);
        self.enter(id, Stage::Checking, at, pace::SILENCE);
        if let Some(outcome) = self.work(id).and_then(|work| work.outcome) {
            self.conclude(id, outcome, at);
        }
    }

    /// Takes in what became of an instance.
    pub(super) fn take_outcome(&mut self, instance: &str, outcome: Outcome, at: Timestamp) {
        let Some(id) = self.instances.get(instance).cloned() else { return };
        let Some(service) = self.services.get_mut(&id) else { return };
        if service.live.as_deref() == Some(instance) {
            // The traffic is on its way to the next instance already: it does not come back.
            let leaving = service.work.as_ref().is_some_and(|work| {
                work.stage == Stage::Routing && work.outcome == Some(Outcome::Healthy)
            });
            if outcome == Outcome::Healthy && leaving {
                return;
            }
            if outcome == Outcome::Healthy {
                let to = Some(instance.to_owned());
                self.hand_out(Order::Route { service_id: id, to });
            } else {
                self.replace_live(&id, at);
            }
            return;
        }
        let Some(work) = service.work.as_mut() else { return };
        if work.instance.as_deref() != Some(instance) {
            return;
        }
        // What a fault decided is not overruled by what the container really does.
        let outcome = work.doom.outcome.unwrap_or(outcome);
        match (work.stage, outcome) {
            (Stage::Provisioning, Outcome::Healthy | Outcome::Unhealthy) => {
                work.outcome = Some(outcome);
            }
            (Stage::Provisioning | Stage::Checking, _) => self.conclude(&id, outcome, at),
            // Only after a restart: the traffic was moving to an instance that had to be started again.
            (Stage::Routing, Outcome::Healthy) => {
                work.outcome = Some(outcome);
                let to = Some(instance.to_owned());
                self.hand_out(Order::Route { service_id: id.clone(), to });
            }
            _ => {}
        }
        self.remember(&id, at);
    }

    fn conclude(&mut self, id: &str, outcome: Outcome, at: Timestamp) {
        if let Some(work) = self.work_mut(id) {
            work.outcome = Some(outcome);
        }
        let failure = match outcome {
            Outcome::Healthy => {
                self.event(id, at, lines::HEALTHY);
                let to = self.work(id).and_then(|work| work.instance.clone());
                self.hand_out(Order::Route { service_id: id.to_owned(), to });
                return self.enter(id, Stage::Routing, at, pace::ROUTE);
            }
            Outcome::Unhealthy => Failure::Unhealthy,
            Outcome::Exited { code } => Failure::Exited { code },
            Outcome::ImageMissing => Failure::ImageMissing,
            Outcome::PullFailed => Failure::CopyFailed,
        };
        // An exit is noticed a minute after the instance was started; the other ends speak for themselves.
        let since = self.work(id).map_or(at, |work| work.instance_since);
        let noticed = match failure {
            Failure::Exited { .. } => (since + self.pace.scale(pace::EXIT_NOTICED)).max(at + 1),
            _ => at + 1,
        };
        self.enter(id, Stage::Failing(failure), at, 0);
        if let Some(work) = self.work_mut(id) {
            work.due = noticed;
        }
    }

    /// Takes in that the traffic has really moved; an operation does not succeed before.
    pub fn confirm_route(&mut self, service_id: &str, instance: &str) {
        if let Some(work) = self.work_mut(service_id)
            && work.instance.as_deref() == Some(instance)
        {
            work.moved = true;
        }
    }

    fn routed(&mut self, id: &str, at: Timestamp) {
        let waits = self.behaviours.is_none() && self.work(id).is_some_and(|work| !work.moved);
        if waits {
            return self.enter(id, Stage::Routing, at, pace::ROUTE_AGAIN);
        }
        self.event(id, at, lines::ROUTED);
        let Some(service) = self.services.get_mut(id) else { return };
        let Some(work) = &mut service.work else { return };
        let fresh = work.instance.clone();
        if work.image.is_some() {
            service.image.clone_from(&work.image);
        }
        let old = std::mem::replace(&mut service.live, fresh);
        self.stop(old);
        self.enter(id, Stage::Finishing, at, pace::FINISH);
    }

    fn stop(&mut self, instance: Option<String>) {
        let Some(instance) = instance else { return };
        // Its last lines may still come in for a while.
        self.retired.push_back(instance.clone());
        if self.retired.len() > REMEMBERED_INSTANCES
            && let Some(oldest) = self.retired.pop_front()
        {
            self.instances.remove(&oldest);
        }
        self.hand_out(Order::Stop { instance });
    }

    fn finish(&mut self, id: &str, at: Timestamp) {
        let Some(work) = self.work(id) else { return };
        let line = lines::completed(work.kind, work.pulls);
        self.mark(id, at, OperationStatus::Succeeded);
        self.event(id, at, &line);
        self.set_status(id, at, ServiceStatus::Running);
        self.end_work(id);
    }

    fn end_work(&mut self, id: &str) -> Option<Work> {
        self.services.get_mut(id)?.work.take()
    }

    fn fail(&mut self, id: &str, failure: Failure, at: Timestamp) {
        let Some(service) = self.services.get_mut(id) else { return };
        let (check, port) =
            (service.configuration.health_check.clone(), service.configuration.port());
        let Some(work) = service.work.as_mut() else { return };
        let (kind, operation) = (work.kind, work.operation.clone());
        let (instance, can_go_back) = (work.instance.take(), work.previous.is_some());
        if let Some(line) = lines::cause(failure, &check, port) {
            self.event(id, at, &line);
            self.deployment_line(id, at, &line);
        }
        self.deployment_line(id, at, lines::DEPLOY_FAILED);
        self.stop(instance);
        if can_go_back {
            self.mark(id, at, OperationStatus::RollbackInProgress);
            if failure == Failure::Unhealthy && self.switches.false_role_line == Toggle::On {
                self.event(id, at, lines::FALSE_ROLE);
            }
            return self.enter(id, Stage::RollingBack(failure), at, pace::ROLL_BACK);
        }
        self.mark(id, at, OperationStatus::Failed);
        self.event(id, at, &lines::failed(kind, &operation, failure, self.switches.log_lines));
        // A service that was paused stays so; everything else never came to life.
        let status = match kind {
            OperationType::ResumeService => ServiceStatus::Paused,
            _ => ServiceStatus::CreateFailed,
        };
        self.set_status(id, at, status);
        self.end_work(id);
    }

    fn roll_back(&mut self, id: &str, failure: Failure, at: Timestamp) {
        let Some(work) = self.work(id) else { return };
        let (kind, operation) = (work.kind, work.operation.clone());
        let ends = if work.doom.rollback_fails {
            RollbackEnds::RollbackFailed
        } else {
            self.switches.rollback_ends
        };
        if ends == RollbackEnds::RollbackFailed {
            let live = self.services.get_mut(id).and_then(|service| service.live.take());
            self.stop(live);
            self.hand_out(Order::Route { service_id: id.to_owned(), to: None });
        } else if let Some(service) = self.services.get_mut(id)
            && let Some(previous) = service.work.as_mut().and_then(|work| work.previous.take())
        {
            service.configuration = previous.configuration;
            service.image = previous.image;
            service.updated_at = at;
        }
        self.mark(
            id,
            at,
            match ends {
                RollbackEnds::Succeeded => OperationStatus::RollbackSucceeded,
                RollbackEnds::Failed => OperationStatus::Failed,
                RollbackEnds::RollbackFailed => OperationStatus::RollbackFailed,
            },
        );
        self.event(id, at, &lines::failed(kind, &operation, failure, self.switches.log_lines));
        self.set_status(id, at, ServiceStatus::Running);
        self.end_work(id);
    }

    fn paused(&mut self, id: &str, at: Timestamp) {
        let live = self.services.get_mut(id).and_then(|service| service.live.take());
        self.stop(live);
        self.hand_out(Order::Route { service_id: id.to_owned(), to: None });
        self.mark(id, at, OperationStatus::Succeeded);
        self.event(id, at, &lines::completed(OperationType::PauseService, false));
        self.set_status(id, at, ServiceStatus::Paused);
        self.end_work(id);
    }

    fn deleted(&mut self, id: &str, at: Timestamp) {
        let fails = self.work(id).is_some_and(|work| work.doom.delete_fails);
        if fails {
            self.mark(id, at, OperationStatus::Failed);
            let line = lines::failed(
                OperationType::DeleteService,
                "",
                Failure::DeleteFailed,
                LogLines::Classic,
            );
            self.event(id, at, &line);
            self.set_status(id, at, ServiceStatus::DeleteFailed);
            self.end_work(id);
            return;
        }
        let live = self.services.get_mut(id).and_then(|service| service.live.take());
        self.stop(live);
        self.hand_out(Order::Route { service_id: id.to_owned(), to: None });
        self.mark(id, at, OperationStatus::Succeeded);
        self.event(id, at, &lines::completed(OperationType::DeleteService, false));
        self.set_status(id, at, ServiceStatus::Deleted);
        if let Some(service) = self.services.get_mut(id) {
            service.deleted_at = Some(at);
        }
        self.end_work(id);
    }

    /// App Runner replaces an instance that died.
    fn replace_live(&mut self, id: &str, at: Timestamp) {
        let Some(service) = self.services.get_mut(id) else { return };
        let dead = service.live.take();
        self.stop(dead);
        self.plan(at + self.pace.scale(pace::REPLACE), Due::Replace { service: id.to_owned() });
    }

    pub(super) fn start_replacement(&mut self, id: &str, at: Timestamp) {
        let Some(service) = self.services.get(id) else { return };
        let serves =
            matches!(service.status, ServiceStatus::Running | ServiceStatus::OperationInProgress);
        if service.live.is_some() || !serves {
            return;
        }
        let instance = self.chance.hexadecimal();
        let Ok(Some(order)) = self.order(id, &instance, Which::Live) else { return };
        self.instances.insert(instance.clone(), id.to_owned());
        if let Some(service) = self.services.get_mut(id) {
            service.live = Some(instance);
        }
        self.hand_out(Order::Start(Box::new(order)));
        self.remember(id, at);
    }

    /// The world goes on where it stood: what was due waits as long as it still had to. Its time never
    /// goes back; how far the clock is behind it is the answer.
    #[must_use]
    pub fn wake(&mut self, now: Timestamp) -> Timestamp {
        let slept = now - self.now;
        if slept <= 0 {
            return -slept;
        }
        self.planned.iter_mut().for_each(|planned| planned.at += slept);
        for service in self.services.values_mut() {
            service.maintenance_until = service.maintenance_until.map(|until| until + slept);
            if let Some(work) = &mut service.work {
                work.due += slept;
                work.instance_since += slept;
            }
        }
        self.now = now;
        0
    }

    /// Orders everything again that should run: nothing outside survived a restart.
    pub fn revive(&mut self, now: Timestamp) {
        self.orders.clear();
        let ids: Vec<String> = self.services.keys().cloned().collect();
        for id in ids {
            let Some(service) = self.services.get_mut(&id) else { continue };
            if service.live.take().is_some() {
                self.plan(now, Due::Replace { service: id.clone() });
            }
            self.revive_work(&id, now);
        }
    }

    fn revive_work(&mut self, id: &str, now: Timestamp) {
        let Some(work) = self.work(id) else { return };
        let Some(instance) = work.instance.clone() else { return };
        if !matches!(work.stage, Stage::Provisioning | Stage::Checking | Stage::Routing) {
            return;
        }
        // The instance starts from nothing, and so does App Runner's patience with it.
        let stage = work.stage;
        match stage {
            Stage::Provisioning => self.enter(id, stage, now, pace::PROVISION),
            Stage::Checking => self.enter(id, stage, now, pace::SILENCE),
            _ => {}
        }
        match self.order(id, &instance, Which::New) {
            Ok(Some(order)) => {
                if let Some(work) = self.work_mut(id) {
                    (work.outcome, work.moved, work.instance_since) = (None, false, now);
                }
                self.hand_out(Order::Start(Box::new(order)));
            }
            Ok(None) => {}
            Err(failure) => self.enter(id, Stage::Failing(failure), now, notice(failure)),
        }
    }
}

/// Which of a service's two instances is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// The one that serves.
    Live,
    /// The one that is to serve.
    New,
}

/// What an instance is made of: until the traffic has moved, the live one has the old configuration.
fn blueprint(service: &Service, which: Which) -> (&Configuration, Option<&ResolvedImage>) {
    let work = service.work.as_ref();
    let moved = work.is_none_or(|work| work.stage == Stage::Finishing);
    if let (Which::Live, false, Some(previous)) =
        (which, moved, work.and_then(|work| work.previous.as_ref()))
    {
        return (&previous.configuration, previous.image.as_ref());
    }
    let fresh = work.and_then(|work| work.image.as_ref());
    (&service.configuration, fresh.or(service.image.as_ref()))
}

/// How long a failure goes unnoticed.
fn notice(failure: Failure) -> i64 {
    match failure {
        Failure::ImageMissing => pace::MISSING_IMAGE_NOTICED,
        Failure::CopyFailed => pace::FAILED_COPY_NOTICED,
        Failure::InvalidAccessRole | Failure::InvalidAccessRoleOlder => pace::BAD_ROLE_NOTICED,
        Failure::SecretUnreadable => pace::UNREADABLE_SECRET_NOTICED,
        Failure::Unhealthy | Failure::Exited { .. } | Failure::DeleteFailed => 0,
    }
}
