//! What explains a bad end. Lost answers, lists that lag, throttling, 5xx, maintenance and deaths of our
//! own explain none: a release that would have been good is live in the end, or somebody else, App
//! Runner, the application, a refusal or a person is the reason, in truth.

use super::super::super::Timestamp;
use super::super::super::door::ports::{
    Application, Hindrance, Mishap, Shelf, StrangersAct, Truth,
};
use super::verdict::{Judge, operation_status};
use crate::config::times::DEPLOY_TIMEOUT;
use crate::event::PreviousDigest;
use crate::event::deployment::Phase;
use crate::names::{Digest, Reference};
use crate::plan::identity::rollback_mark;
use crate::plan::{Intent, Target, TargetOrigin};
use crate::world::Obstacle;
use crate::world::service::{Operation, OperationStatus, ServiceStatus};

/// App Runner says so of a service that is busy, and of one in a state that no waiting ends.
const BUSY: &str = "InvalidStateException";
/// How an operation that somebody else did is named in our evidence.
const THEIRS: [&str; 2] = ["not ours", "newer than our operation"];

impl Judge<'_> {
    /// Whether a bad end has a cause.
    pub(super) fn is_explained(&self) -> Result<(), String> {
        let planned = self.at("DeploymentPlanned").unwrap_or(0);
        let explained = match &self.deployment.phase {
            Phase::Failed { .. } | Phase::RolledBack { .. } => {
                self.deployment.backwards || self.has_cause(planned) || self.is_sick()
            }
            Phase::RollbackFailed { .. } => {
                let since = self.effect(&self.deployment.plan.id).map_or(planned, |e| e.at);
                self.is_back_hindered(since)
            }
            _ => true,
        };
        if explained { Ok(()) } else { Err(format!("it ended {:?}", self.deployment.phase)) }
    }

    /// Somebody else, App Runner itself, a refusal, or weather that decides something.
    fn has_cause(&self, since: Timestamp) -> bool {
        self.somebody_else(since)
            || self.has_failed_operation()
            || self.was_refused()
            || self.hindrances(since).any(is_decisive)
            || self.is_late()
            || self.is_unfit()
            || self.lacks_its_image()
            || self.was_pruned_elsewhere()
    }

    /// Whether another machine, which knows nothing of this one's journal, pruned what this one pushed.
    fn was_pruned_elsewhere(&self) -> bool {
        let Some(Target { origin: TargetOrigin::Build { context, .. }, .. }) =
            self.deployment.plan.target()
        else {
            return false;
        };
        let digest = Shelf::digest_of(context);
        let mut pruned = self.world.chronicle.pruned.iter();
        pruned.any(|one| one.machine != self.contender.machine && one.digest == digest)
    }

    /// Whether ECR no longer holds what was to be deployed.
    fn lacks_its_image(&self) -> bool {
        let image = match &self.deployment.plan.intent {
            Intent::Rollback { release, .. } => Some(&release.image),
            Intent::Deploy { target, .. } => match &target.origin {
                TargetOrigin::Registry { image } => Some(image),
                TargetOrigin::Build { .. } => None,
            },
        };
        let digest = image.and_then(|image| Some((image, image.digest()?)));
        digest.is_some_and(|(image, digest)| !self.world.shelf.holds(&image.repository, digest))
    }

    /// Whether the service is in a state in which nothing can be deployed, whoever brought it there.
    fn is_unfit(&self) -> bool {
        let Some(truth) = self.last().and_then(|last| last.truth.as_ref()) else { return false };
        match &truth.service {
            Some(service) => {
                let fit = [ServiceStatus::Running, ServiceStatus::OperationInProgress];
                !fit.contains(&service.status)
            }
            None => matches!(self.deployment.plan.intent, Intent::Rollback { .. }),
        }
    }

    /// Why the way back may have failed.
    fn is_back_hindered(&self, since: Timestamp) -> bool {
        let rollback = rollback_mark(&self.deployment.plan.id);
        let operation = self.effect(&rollback).and_then(|effect| effect.operation.clone());
        let truth = self.last().and_then(|last| last.truth.as_ref());
        let failed = truth
            .and_then(|truth| operation_status(truth, operation.as_ref()))
            .is_some_and(|status| status.is_terminal() && status != OperationStatus::Succeeded);
        self.somebody_else(since)
            || failed
            || self.has_broken_operation()
            || self.is_kept_from_being_whole()
            || self.refusals(since)
            || self.hindrances(since).any(is_decisive)
            || self.has_lost_its_image()
            || truth.is_some_and(|truth| !self.answers(truth, since))
    }

    /// Whether somebody else did anything to service or images, or App Runner was at another operation
    /// when we began, be it of an earlier deployment of ours.
    pub(super) fn somebody_else(&self, since: Timestamp) -> bool {
        let Some(last) = self.last() else { return false };
        let from = since - self.world.blind;
        // A tag that was moved, and an image that was deleted, stay so.
        let counts = |act: &&StrangersAct| act.at <= last.at && (act.on_images || act.at >= from);
        let acted = self.world.chronicle.acts.iter().any(|act| counts(&act));
        let machine = self.contender.machine;
        let others = self.world.effects.iter().filter(|effect| effect.machine != machine);
        let mut others = others.filter(|effect| (from..=last.at).contains(&effect.at));
        let ours = self.marks().map(|mark| self.effect(&mark).and_then(|e| e.operation.as_ref()));
        let is_other = |one: &&Operation| !ours.contains(&Some(&one.id));
        let worked = last.truth.iter().flat_map(|truth| truth.operations.iter().filter(is_other));
        let worked = worked
            .map(|one| one.ended_at.map_or(last.at, |ended| ended.timestamp_millis()))
            .any(|ended| ended >= from);
        acted || worked || others.next().is_some()
    }

    /// Whether App Runner took the way back, and keeps something that no update takes away (a start
    /// command).
    fn is_kept_from_being_whole(&self) -> bool {
        let Some(truth) = self.last().and_then(|last| last.truth.as_ref()) else { return false };
        let rollback = rollback_mark(&self.deployment.plan.id);
        let marked = truth.service.as_ref().and_then(|service| service.mark.as_deref());
        let ended = truth.operations.iter().all(|operation| operation.status.is_terminal());
        marked == Some(rollback.as_str()) && ended && self.is_back(truth).is_err()
    }

    fn has_failed_operation(&self) -> bool {
        self.ends().any(|status| status.is_terminal() && status != OperationStatus::Succeeded)
    }

    fn has_broken_operation(&self) -> bool {
        self.ends().any(|status| status == OperationStatus::RollbackFailed)
    }

    /// How the operations of this deployment ended, in truth.
    fn ends(&self) -> impl Iterator<Item = OperationStatus> {
        let truth = self.last().and_then(|last| last.truth.as_ref());
        let ours = self.marks().map(|mark| self.effect(&mark).and_then(|e| e.operation.clone()));
        ours.into_iter().filter_map(move |id| operation_status(truth?, id.as_ref()))
    }

    /// Whether App Runner refused something else than to be asked while it is busy, or too often.
    pub(super) fn was_refused(&self) -> bool {
        self.refusals(self.at("DeploymentPlanned").unwrap_or(0))
    }

    fn refusals(&self, since: Timestamp) -> bool {
        let until = self.last().map_or(0, |last| last.at);
        let span = since..=until;
        self.world.chronicle.refusals.iter().any(|refusal| {
            refusal.machine == self.contender.machine
                && span.contains(&refusal.at)
                && !(refusal.code == BUSY && refusal.busy)
                && !refusal.code.contains("Throttling")
        })
    }

    fn hindrances(&self, since: Timestamp) -> impl Iterator<Item = &Hindrance> {
        let until = self.last().map_or(0, |last| last.at);
        let all = self.world.chronicle.hindrances.iter();
        all.filter(move |one| {
            one.machine == self.contender.machine && (since..=until).contains(&one.at)
        })
    }

    /// Whether what was deployed answers badly.
    fn is_sick(&self) -> bool {
        let done = &self.deployment.done;
        let issued = done.issued.as_ref().and_then(|issue| issue.release.image.digest());
        let live = done.already_live.as_ref().and_then(|(_, release)| release.image.digest());
        let pushed = done.pushed.as_ref().map(|(digest, _)| digest);
        [issued, live, pushed]
            .into_iter()
            .flatten()
            .any(|digest| self.answers_badly(digest.as_str()))
    }

    fn answers_badly(&self, digest: &str) -> bool {
        let manners = self.world.applications.get(digest).copied().unwrap_or_default();
        manners != Application::Well
    }

    /// Whether whatever serves answers well, and whoever asked it since then could hear that.
    pub(super) fn answers(&self, truth: &Truth, since: Timestamp) -> bool {
        let well = truth.serving.as_ref().is_some_and(|digest| !self.answers_badly(digest));
        well && !self.hindrances(since).any(|one| one.call == "GET" && is_decisive(one))
    }

    /// Whether the deadline passed, and our operation was not over by then.
    fn is_late(&self) -> bool {
        let Some(truth) = self.last().and_then(|last| last.truth.as_ref()) else { return false };
        let now = self.last().map_or(0, |last| last.at);
        let id = self.effect(&self.deployment.plan.id).and_then(|e| e.operation.clone());
        let ours = truth.operations.iter().find(|operation| Some(&operation.id) == id.as_ref());
        let took = ours.and_then(|operation| {
            let ended = operation.ended_at.map_or(now, |at| at.timestamp_millis());
            Some(ended - operation.started_at?.timestamp_millis())
        });
        let deadline = i64::try_from(DEPLOY_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        self.deployment.deadline_passed && took.is_some_and(|took| took >= deadline)
    }

    /// Whether ECR no longer holds what was captured, or a tag names it no longer.
    fn has_lost_its_image(&self) -> bool {
        let Some(captured) = &self.deployment.done.captured else { return false };
        let Some(release) = &captured.release else { return false };
        let named: Option<Digest> = match (&release.image.reference, &captured.digest) {
            (Reference::Digest(digest), _)
            | (Reference::Tag(_), Some(PreviousDigest::ResolvedToday { digest })) => {
                Some(digest.clone())
            }
            _ => None,
        };
        named.is_none_or(|digest| !self.world.shelf.holds(&release.image.repository, &digest))
    }

    /// A person is sent to look at something, and what is said of others is true.
    pub(super) fn attention(&self, evidence: &[String]) -> Result<(), String> {
        if evidence.is_empty() {
            return Err("no evidence".into());
        }
        let ours = self.world.operations_of(self.contender.machine);
        let marks = self.marks();
        for line in evidence.iter().filter(|line| THEIRS.iter().any(|word| line.contains(word))) {
            let operation = ours.iter().find(|id| line.contains(id.as_str()));
            let mark = marks.iter().find(|mark| line.contains(mark.as_str()));
            if operation.is_some() || mark.is_some() {
                return Err(format!("that is ours: {line}"));
            }
        }
        Ok(())
    }

    /// Whether it ended in attention although nobody did anything.
    pub(super) fn is_lonely(&self) -> bool {
        let planned = self.at("DeploymentPlanned").unwrap_or(0);
        matches!(self.deployment.phase, Phase::Attention { .. })
            && !self.somebody_else(planned)
            && !self.has_broken_operation()
    }
}

/// Weather that decides something: a refusal, a gate that could not hear its answer, an engine that
/// does not run, a login that is taken back at once. All else only asks for patience.
fn is_decisive(hindrance: &Hindrance) -> bool {
    let is_silent = matches!(
        hindrance.mishap,
        Mishap::LostBefore
            | Mishap::LostAfter
            | Mishap::BrokenBefore
            | Mishap::BrokenAfter
            | Mishap::Unreachable(_)
    );
    match (hindrance.call, hindrance.mishap) {
        (_, Mishap::Refused) => true,
        ("GET" | "engine", _) => is_silent,
        ("push", mishap) => mishap == Mishap::Unreachable(Obstacle::ExpiredCredentials),
        _ => false,
    }
}
