//! How one deployment ended, held against the truth.

use super::super::super::Timestamp;
use super::super::super::door::ports::{Effect, Truth, Written};
use super::{
    ATTENTION, CAUSE, Contender, ENDS, EXIT, FAILED, Findings, PROVEN, ROLLBACK_FAILED,
    ROLLED_BACK, SUCCEEDED, TRAMPLED, UNDERWAY, World,
};
use crate::config::value::AutoDeployments;
use crate::event::deployment::{Deployment, Phase};
use crate::event::{Event, Issue, PreviousDigest};
use crate::ledger::Ledger;
use crate::names::{DeploymentId, Digest, ImageIdentifier, OperationId};
use crate::plan::identity::{self, restore_mark, rollback_mark};
use crate::plan::{Intent, TargetOrigin};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::{Operation, OperationStatus, Service, ServiceStatus};

/// One deployment before its judge.
pub(super) struct Judge<'a> {
    pub(super) contender: &'a Contender,
    pub(super) ledger: &'a Ledger,
    pub(super) world: &'a World,
    pub(super) deployment: Deployment,
}

impl Judge<'_> {
    pub(super) fn judge(&self, found: &mut Findings) {
        let rule = match &self.deployment.phase {
            Phase::Succeeded => SUCCEEDED,
            Phase::RolledBack { .. } => ROLLED_BACK,
            Phase::Failed { .. } => FAILED,
            Phase::RollbackFailed { .. } => ROLLBACK_FAILED,
            Phase::Attention { .. } => ATTENTION,
            _ => ENDS,
        };
        let judged = [
            (rule, self.verdict()),
            (CAUSE, self.is_explained()),
            (EXIT, self.exit_code()),
            (PROVEN, self.undoes_what_is_proven()),
            (TRAMPLED, self.tramples()),
        ];
        for (rule, judged) in judged {
            if let Err(what) = judged {
                found.add(rule, format!("{}: {what}", self.deployment.plan.number));
            }
        }
    }

    fn verdict(&self) -> Result<(), String> {
        match &self.deployment.phase {
            Phase::Succeeded => self.succeeded(),
            Phase::RolledBack { .. } => self.rolled_back(),
            Phase::Failed { .. } => self.failed(),
            Phase::RollbackFailed { .. } => self.rollback_failed(),
            Phase::Attention { evidence } => self.attention(evidence),
            Phase::Abandoned { .. } => Ok(()),
            phase if self.contender.must_be_over => Err(format!("stands at {phase:?}")),
            _ => Ok(()),
        }
    }

    fn of_it(&self) -> impl DoubleEndedIterator<Item = &Written> {
        let number = Some(self.deployment.plan.number);
        self.contender.written.iter().filter(move |written| written.deployment == number)
    }

    /// What was written of this deployment, by type, newest of it.
    pub(super) fn written(&self, type_name: &str) -> Option<&Written> {
        self.of_it().rev().find(|written| written.type_name == type_name)
    }

    /// When something of this type was written, newest of it.
    pub(super) fn at(&self, type_name: &str) -> Option<Timestamp> {
        self.written(type_name).map(|written| written.at)
    }

    /// What was written just before the newest event of this type.
    fn before(&self, type_name: &str) -> Option<&Written> {
        self.of_it().rev().skip_while(|written| written.type_name != type_name).nth(1)
    }

    pub(super) fn last(&self) -> Option<&Written> {
        self.of_it().next_back()
    }

    /// What App Runner accepted from us under this mark, by the end.
    pub(super) fn effect(&self, mark: &DeploymentId) -> Option<&Effect> {
        let machine = self.contender.machine;
        let end = self.last().map_or(0, |last| last.at);
        let ours = |e: &&Effect| e.mark == *mark && e.machine == machine && e.at <= end;
        let effects = self.world.effects.iter().rev().filter(ours);
        // One that arrived twice had nothing to change the second time.
        effects.clone().find(|effect| effect.operation.is_some()).or(effects.clone().next())
    }

    pub(super) fn marks(&self) -> [DeploymentId; 3] {
        identity::marks(&self.deployment.plan.id)
    }

    /// Operations of others, with their beginnings.
    pub(super) fn foreign_operations<'t>(
        &self,
        truth: &'t Truth,
    ) -> impl Iterator<Item = (Timestamp, &'t Operation)> {
        let ours = self.world.operations_of(self.contender.machine);
        let began = |one: &Operation| one.started_at.map_or(0, |at| at.timestamp_millis());
        let others = truth.operations.iter().filter(move |one| !ours.contains(&one.id));
        others.map(move |operation| (began(operation), operation))
    }

    /// What others began to do to the service in a span of time.
    fn foreign(&self, truth: &Truth, from: Timestamp, to: Timestamp) -> Option<String> {
        let mut operations = self.foreign_operations(truth);
        let operation = operations.find(|(began, _)| (from..=to).contains(began));
        let acts = self.world.chronicle.acts.iter().filter(|act| !act.on_images);
        let mut acts = acts.filter(|act| (from..=to).contains(&act.at));
        let told = |(began, one): (Timestamp, &Operation)| format!("{} at {began}", one.id);
        operation.map(told).or_else(|| acts.next().map(|act| format!("{} at {}", act.what, act.at)))
    }

    fn end(&self) -> Result<(&Written, &Truth), String> {
        let last = self.last().ok_or("nothing was written")?;
        let truth = last.truth.as_ref().ok_or("the last event is no end")?;
        Ok((last, truth))
    }

    /// Up to when the process that spoke the verdict could know: it looked since, or began since.
    fn knew(&self, last: &Written, proven: Timestamp) -> Timestamp {
        let began = self.at("Resumed").unwrap_or(0);
        proven.max(began).max(last.looked) - self.world.blind - 1
    }

    fn succeeded(&self) -> Result<(), String> {
        let (last, truth) = self.end()?;
        let id = &self.deployment.plan.id;
        let Some(issue) = &self.deployment.done.issued else { return self.already_live() };
        let effect = self.effect(id).ok_or("nothing was ever asked for")?;
        let verified = self.written("ReleaseVerified").ok_or("it was never verified")?;
        // As it was then: somebody may have deleted the service since.
        let then = verified.truth.as_ref().ok_or("no truth")?;
        let status = operation_status(then, effect.operation.as_ref());
        if status != Some(OperationStatus::Succeeded) {
            return Err(format!("its operation is {status:?}"));
        }
        if let Some(other) = self.foreign(truth, effect.at, self.knew(last, verified.at)) {
            return Err(format!("{other} came before it was announced at {}", last.at));
        }
        let disturbed = self.foreign(truth, effect.at, last.at).is_some();
        if disturbed || truth.service.is_none() {
            return Ok(());
        }
        let marks = [id.clone(), restore_mark(id)];
        let marks: Vec<&str> = marks.iter().map(DeploymentId::as_str).collect();
        let restoring = self
            .effect(&restore_mark(id))
            .and_then(|back| operation_status(truth, back.operation.as_ref()));
        // Giving auto-deployments back may take longer than anybody waits for it; that is said.
        if restoring.is_some_and(|status| !status.is_terminal()) {
            return Ok(());
        }
        let (desired, digest) = self.desired(issue).ok_or("nobody knows what was wanted")?;
        if digest.as_ref().map(Digest::as_str) != truth.serving.as_deref() {
            return Err(format!("{:?} serves", truth.serving));
        }
        live(truth, &desired, Some(&marks))
    }

    /// The release that the plan wanted, as far as AWS took it (what it refused is said), and its digest.
    fn desired(&self, issue: &Issue) -> Option<(Release, Option<Digest>)> {
        let Deployment { plan, done, .. } = &self.deployment;
        let captured = done.captured.as_ref().and_then(|captured| captured.release.as_ref());
        let image = match &plan.intent {
            Intent::Rollback { release, .. } => release.image.clone(),
            Intent::Deploy { target, .. } => match &target.origin {
                TargetOrigin::Registry { image } => image.clone(),
                TargetOrigin::Build { .. } => {
                    let (uri, _) = done.repository.as_ref()?;
                    ImageIdentifier::by_digest(uri, &done.pushed.as_ref()?.0).ok()?
                }
            },
        };
        let mut release = plan.desired(captured.map(|release| &release.configuration), &image);
        let digest = release.image.digest().cloned();
        if issue.release.image.digest().is_none() && self.was_refused() {
            release.image = issue.release.image.clone();
        }
        let by_digest = release.image.digest().is_some();
        let restored = plan.auto_deployments == AutoDeployments::Restore;
        if restored && done.auto_deployments.is_none() {
            release.configuration.auto_deployments =
                captured.is_some_and(|release| release.configuration.auto_deployments);
        }
        if self.world.no_automation && by_digest {
            release.configuration.auto_deployments = false;
        }
        Some((release, digest))
    }

    fn already_live(&self) -> Result<(), String> {
        let (last, end) = self.end()?;
        let written = self.written("NothingToChange").ok_or("nothing was asked for")?;
        let truth = written.truth.as_ref().ok_or("no truth")?;
        let (_, release) = self.deployment.done.already_live.as_ref().ok_or("not live already")?;
        if self.marks().iter().any(|mark| self.effect(mark).is_some()) {
            return Err("something was asked for all the same".into());
        }
        // Who only starts it anew changes nothing of what was found.
        let now = end.service.as_ref().and_then(Service::release);
        let other = self.foreign(end, written.at + 1, self.knew(last, written.at));
        if let Some(other) = other.filter(|_| now.as_ref() != Some(release)) {
            return Err(format!("{other} came before it was announced at {}", last.at));
        }
        let since = self.at("DeploymentPlanned").unwrap_or(0);
        if self.foreign(truth, since - self.world.blind, written.at).is_some() {
            return Ok(());
        }
        live(truth, release, None)
    }

    fn rolled_back(&self) -> Result<(), String> {
        let (last, truth) = self.end()?;
        let verified = self.written("RollbackVerified").ok_or("it was never verified")?;
        // As it was then: somebody may have deleted the service since.
        let then = verified.truth.as_ref().ok_or("no truth")?;
        let truth = if truth.service.is_some() { truth } else { then };
        let id = &self.deployment.plan.id;
        let back = self.effect(&rollback_mark(id));
        // Where our call never arrived, somebody else's operation that App Runner took back looks
        // like ours: what is live is the captured release all the same.
        let planned = self.at("DeploymentPlanned").unwrap_or(0);
        let since = back.or(self.effect(id)).map_or(planned, |effect| effect.at);
        // The proof is looked for after the event before, and its health is asked after the look.
        let looked = self.before("RollbackVerified").ok_or("it was never verified")?;
        let asked = back.or(self.effect(id)).is_some();
        let other = self.foreign(truth, since, self.knew(last, looked.at));
        if let (true, Some(other)) = (asked, other) {
            return Err(format!("{other} came before it was announced at {}", last.at));
        }
        let unseen = self.foreign(truth, since.max(looked.at - self.world.blind), last.at);
        if unseen.is_some() { Ok(()) } else { self.is_back(truth) }
    }

    /// Whether the captured release is back, whole.
    pub(super) fn is_back(&self, truth: &Truth) -> Result<(), String> {
        let id = &self.deployment.plan.id;
        let back = self.effect(&rollback_mark(id));
        let captured = self.deployment.done.captured.as_ref().ok_or("nothing was captured")?;
        let mut release = captured.release.clone().ok_or("no release was captured")?;
        if let (Some(_), Some(PreviousDigest::ResolvedToday { digest })) = (back, &captured.digest)
        {
            let uri = release.image.repository_uri();
            release.image = ImageIdentifier::by_digest(&uri, digest).map_err(|e| e.to_string())?;
        }
        // Where AWS takes no digest: a tag, behind which the very same serves.
        let shown = self.deployment.done.restored.as_ref().map(|proof| &proof.image);
        let by_tag = shown.filter(|image| image.digest().is_none() && back.is_some());
        let serves = release.image.digest().map(Digest::as_str) == truth.serving.as_deref();
        if let Some(tag) = by_tag.filter(|_| serves) {
            release.image = tag.clone();
        }
        // Where AWS refuses them beside a digest nobody can give them back: it is said instead.
        if back.is_some() && self.world.no_automation && release.image.digest().is_some() {
            release.configuration.auto_deployments = false;
        }
        if back.is_some() {
            return live(truth, &release, Some(&[rollback_mark(id).as_str()]));
        }
        let service = truth.service.as_ref().ok_or("the service is gone")?;
        if service.mark != captured.mark {
            return Err(format!("it carries {:?}", service.mark));
        }
        live(truth, &release, None)
    }

    /// Nothing was changed; or there was nothing to go back to; or it was a rollback itself.
    fn failed(&self) -> Result<(), String> {
        let [id, back, restore] = self.marks();
        if self.effect(&back).is_some() || self.effect(&restore).is_some() {
            return Err("something was changed afterwards".into());
        }
        if self.effect(&id).is_none() {
            return Ok(());
        }
        let first = self.deployment.previous().is_none();
        let manual = matches!(self.deployment.plan.intent, Intent::Rollback { .. });
        if first || manual { Ok(()) } else { Err("its change was accepted".into()) }
    }

    /// Where the captured release is back and answers, the way back did not fail.
    fn rollback_failed(&self) -> Result<(), String> {
        let (last, truth) = self.end()?;
        let since = self.at("RollbackStarted").or(self.at("OperationFailed")).unwrap_or(0);
        let disturbed = self.foreign(truth, since - self.world.blind, last.at).is_some();
        if self.is_back(truth).is_err() || disturbed || !self.answers(truth, since) {
            return Ok(());
        }
        Err("the captured release is back, whole, and answers".into())
    }

    fn exit_code(&self) -> Result<(), String> {
        let code = self.deployment.exit_code();
        let right = match &self.deployment.phase {
            Phase::Succeeded | Phase::Abandoned { .. } => code == ExitCode::Success,
            Phase::RollbackFailed { .. } => code == ExitCode::RollbackFailed,
            Phase::Attention { .. } => code == ExitCode::Attention,
            _ => code != ExitCode::Success,
        };
        if right { Ok(()) } else { Err(format!("{code:?} for {:?}", self.deployment.phase)) }
    }

    /// After the gates only a person may want the way back; courtesies that fail do not.
    fn undoes_what_is_proven(&self) -> Result<(), String> {
        let number = Some(self.deployment.plan.number);
        let events = self.ledger.entries().iter().filter(|entry| entry.deployment == number);
        let mut events = events.filter_map(|entry| entry.event.as_ref().ok());
        let passed = events.any(|event| matches!(event, Event::HealthPassed { .. }));
        let undone = events.any(|event| {
            matches!(event, Event::RollbackStarted { .. } | Event::DeploymentFailed { .. })
        });
        if passed && undone && !self.deployment.backwards {
            return Err(format!("it ended {:?}", self.deployment.phase));
        }
        Ok(())
    }

    /// What others did between our look and our change is never lost, as far as it could be seen.
    fn tramples(&self) -> Result<(), String> {
        let Some(truth) = self.last().and_then(|written| written.truth.as_ref()) else {
            return Ok(());
        };
        let [id, back, restore] = self.marks();
        let Some(forward) = self.effect(&id) else { return Ok(()) };
        if let Some(captured) = self.at("PreviousCaptured") {
            let until = self.seen_before(forward);
            // What App Runner took back, or only started anew, changed nothing that could be lost.
            let lost = |one: &Operation| {
                one.kind == "UPDATE_SERVICE" && one.status == OperationStatus::Succeeded
            };
            let mut others = self.foreign_operations(truth).filter(|(_, one)| lost(one));
            if let Some((at, other)) =
                others.find(|(began, _)| (captured + 1..=until).contains(began))
            {
                return Err(format!("the change at {} undid {} of {at}", forward.at, other.id));
            }
        }
        for later in [back, restore].iter().filter_map(|mark| self.effect(mark)) {
            if let Some(other) = self.foreign(truth, forward.at, self.seen_before(later)) {
                let (from, to) = (forward.at, later.at);
                return Err(format!("the change at {to} undid {other}, begun after {from}"));
            }
        }
        Ok(())
    }

    /// What began by then could be seen at the last look before this left.
    fn seen_before(&self, effect: &Effect) -> Timestamp {
        effect.left - self.world.blind - UNDERWAY
    }
}

pub(super) fn operation_status(truth: &Truth, id: Option<&OperationId>) -> Option<OperationStatus> {
    let found = truth.operations.iter().find(|operation| Some(&operation.id) == id)?;
    Some(found.status.clone())
}

/// Whether this release is what is configured, whole, what serves, and (where asked) carries the mark.
fn live(truth: &Truth, release: &Release, marks: Option<&[&str]>) -> Result<(), String> {
    let service = truth.service.as_ref().ok_or("the service is gone")?;
    // AWS's own maintenance: busy, and no operation says so. What serves goes on serving.
    let maintained = service.status == ServiceStatus::OperationInProgress
        && truth.operations.iter().all(|operation| operation.status.is_terminal());
    if service.status != ServiceStatus::Running && !maintained {
        let newest = truth.operations.first();
        return Err(format!("the service is {}, {newest:?} is the newest", service.status));
    }
    let now = service.release().ok_or("it runs no image")?;
    if now.image != release.image {
        return Err(format!("it is configured with {}", now.image));
    }
    if let Some(digest) = release.image.digest()
        && truth.serving.as_deref() != Some(digest.as_str())
    {
        return Err(format!("{:?} serves", truth.serving));
    }
    let mark = service.mark.as_deref().unwrap_or("none");
    if let Some(marks) = marks
        && !marks.contains(&mark)
    {
        return Err(format!("it carries the mark {mark}"));
    }
    let differences = release.differences(&now);
    if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
}
