//! What must be true, whatever happened. The matrix and the simulation are judged by this file alone.
//!
//! The truth is the simulated cloud's own state, taken at the very moment at which the journal said
//! something about it; never what surefoot was shown of it.

use std::collections::BTreeMap;

use super::super::Timestamp;
use super::super::cloud::switches::Accepted;
use super::super::door::ports::{Door, Effect, Truth, Written};
use super::CANARY;
use super::process::Session;
use crate::event::deployment::{Deployment, Phase};
use crate::event::{Event, PreviousDigest};
use crate::ledger::{Entry, Ledger};
use crate::names::{
    DeploymentId, DeploymentNumber, Digest, ImageIdentifier, OperationId, ServiceArn,
};
use crate::plan::Intent;
use crate::plan::identity::{self, restore_mark, rollback_mark};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::{OperationStatus, ServiceStatus};

/// The rules, by name: every [`Violation`] names one.
pub const RULES: &[&str] = &[
    ONE_EFFECT,
    INTENDED,
    QUIET,
    CONTIGUOUS,
    ONE_ACTIVE,
    ENDS,
    SUCCEEDED,
    ROLLED_BACK,
    FAILED,
    ATTENTION,
    TRAMPLED,
    PROVEN,
    EXIT,
    SECRET,
    PRUNED,
    IDLE,
    SENSE,
];

const ONE_EFFECT: &str = "at most one effect per intention";
const INTENDED: &str = "no effect without a durable intention";
const QUIET: &str = "no effect after the end";
const CONTIGUOUS: &str = "the journal is contiguous and folds";
const ONE_ACTIVE: &str = "one deployment at a time";
const ENDS: &str = "every deployment ends once the weather is calm";
const SUCCEEDED: &str = "succeeded: the new release is live, and is ours";
const ROLLED_BACK: &str = "rolled back: the captured release is live, whole";
const FAILED: &str = "failed: nothing of ours is left, but for a first deployment";
const ATTENTION: &str = "attention: with evidence";
const TRAMPLED: &str = "nobody else's change is overwritten";
const PROVEN: &str = "what passed its gates is not taken back unasked";
const EXIT: &str = "the exit code says how it ended";
const SECRET: &str = "no value in the journal";
const PRUNED: &str = "pruning deletes nothing that is needed";
/// Checked by whoever runs the processes.
pub(super) const IDLE: &str = "resume of a finished deployment does nothing";
/// Checked by whoever runs the processes.
pub(super) const SENSE: &str = "no process writes what cannot follow";

/// A call may be under way for so long after the look that allowed it; App Runner compares nothing.
const UNDERWAY: Timestamp = 10_000;

/// A single answer may be older than the lists' usual lag by so much.
const STALE: Timestamp = 30_000;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

/// A machine and its journal, as the judge sees them.
pub struct Contender {
    /// The machine's number.
    pub machine: usize,
    /// Its journal.
    pub ledger: Option<Ledger>,
    /// What became durable when, and what was true then.
    pub written: Vec<Written>,
    /// Whether its deployments must be over.
    pub must_be_over: bool,
}

impl Contender {
    /// The contender of a session.
    pub fn of(session: &Session) -> Self {
        Self {
            machine: session.machine.number(),
            ledger: session.ledger().ok(),
            written: session.journal.written(),
            must_be_over: true,
        }
    }
}

/// Everything that is wrong.
pub fn check(door: &Door, contenders: &[Contender]) -> Vec<Violation> {
    let state = door.state();
    let effects = state.effects.clone();
    let unintended = state.unintended.clone();
    let pruned_in_need = state.pruned_in_need.clone();
    let switches = state.cloud.switches();
    let lag = switches.operations_lag_seconds.max(switches.service_lag_seconds);
    let blind = i64::from(lag) * 1_000 + STALE;
    let no_automation = switches.auto_deployments_with_digest == Accepted::Refused;
    drop(state);
    let mut found = Findings::default();
    effects_are_sound(&effects, &mut found);
    for call in unintended {
        found.add(INTENDED, format!("{call} without one"));
    }
    for what in pruned_in_need {
        found.add(PRUNED, what);
    }
    for contender in contenders {
        let Some(ledger) = &contender.ledger else {
            found.add(CONTIGUOUS, "the journal cannot be read");
            continue;
        };
        journal_is_sound(ledger, &mut found);
        for deployment in deployments(ledger, &mut found) {
            let judge =
                Judge { contender, ledger, effects: &effects, blind, no_automation, deployment };
            judge.judge(&mut found);
        }
    }
    found.0
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: &'static str, what: impl Into<String>) {
        self.0.push(Violation { rule, what: what.into() });
    }
}

fn effects_are_sound(effects: &[Effect], found: &mut Findings) {
    // Nobody can tell a creation that never arrived from one whose service was deleted since.
    let mut accepted: BTreeMap<(&DeploymentId, &ServiceArn), usize> = BTreeMap::new();
    for effect in effects {
        *accepted.entry((&effect.mark, &effect.service)).or_default() += 1;
        if !effect.intended {
            found.add(INTENDED, format!("mark {} at {}", effect.mark, effect.at));
        }
        if effect.over {
            found.add(QUIET, format!("mark {} at {}", effect.mark, effect.at));
        }
    }
    for ((mark, _), count) in accepted.into_iter().filter(|(_, count)| *count > 1) {
        found.add(ONE_EFFECT, format!("mark {mark} was accepted {count} times"));
    }
}

fn journal_is_sound(ledger: &Ledger, found: &mut Findings) {
    let mut active: Option<DeploymentNumber> = None;
    for (expected, entry) in (1..).zip(ledger.entries()) {
        if entry.sequence != expected {
            found.add(CONTIGUOUS, format!("{} stands at {expected}", entry.sequence));
        }
        if leaks(entry) {
            found.add(SECRET, format!("{} holds a value", entry.type_name));
        }
        let Ok(event) = &entry.event else {
            found.add(CONTIGUOUS, format!("{} cannot be read", entry.type_name));
            continue;
        };
        match event {
            Event::DeploymentPlanned(_) if active.is_some() => {
                found.add(ONE_ACTIVE, format!("{:?} begins beside {active:?}", entry.deployment));
            }
            Event::DeploymentPlanned(_) => active = entry.deployment,
            _ if ends(ledger, entry) => active = None,
            _ => {}
        }
    }
}

fn leaks(entry: &Entry) -> bool {
    let text = match &entry.event {
        Ok(event) => serde_json::to_string(event),
        Err(data) => serde_json::to_string(data),
    };
    // What cannot be looked through is not let through.
    text.map_or(true, |text| text.contains(CANARY))
}

/// Whether this is the last event of a deployment that is over.
fn ends(ledger: &Ledger, entry: &Entry) -> bool {
    let Some(number) = entry.deployment else { return false };
    let last = ledger.entries().iter().rev().find(|other| other.deployment == Some(number));
    last.is_some_and(|last| last.sequence == entry.sequence)
        && ledger.deployment(number).is_ok_and(|deployment| deployment.is_over())
}

fn deployments(ledger: &Ledger, found: &mut Findings) -> Vec<Deployment> {
    let mut all = Vec::new();
    for number in 1..ledger.next_number().0 {
        match ledger.deployment(DeploymentNumber(number)) {
            Ok(deployment) => all.push(deployment),
            Err(error) => found.add(CONTIGUOUS, format!("#{number} does not fold: {error}")),
        }
    }
    all
}

/// One deployment before its judge.
struct Judge<'a> {
    contender: &'a Contender,
    ledger: &'a Ledger,
    effects: &'a [Effect],
    /// How long the world may hide what happens: nobody can be blamed for not seeing it.
    blind: Timestamp,
    /// Whether AWS refuses auto-deployments beside a digest.
    no_automation: bool,
    deployment: Deployment,
}

impl Judge<'_> {
    fn judge(&self, found: &mut Findings) {
        if let Err(what) = self.verdict() {
            let rule = match &self.deployment.phase {
                Phase::Succeeded => SUCCEEDED,
                Phase::RolledBack { .. } => ROLLED_BACK,
                Phase::Failed { .. } => FAILED,
                Phase::Attention { .. } => ATTENTION,
                _ => ENDS,
            };
            found.add(rule, format!("{}: {what}", self.deployment.plan.number));
        }
        if let Err(what) = self.exit_code() {
            found.add(EXIT, format!("{}: {what}", self.deployment.plan.number));
        }
        if let Err(what) = self.undoes_what_is_proven() {
            found.add(PROVEN, format!("{}: {what}", self.deployment.plan.number));
        }
        if let Err(what) = self.tramples() {
            found.add(TRAMPLED, format!("{}: {what}", self.deployment.plan.number));
        }
    }

    fn verdict(&self) -> Result<(), String> {
        match &self.deployment.phase {
            Phase::Succeeded => self.succeeded(),
            Phase::RolledBack { .. } => self.rolled_back(),
            Phase::Failed { .. } => self.failed(),
            Phase::Attention { evidence } if evidence.is_empty() => Err("no evidence".into()),
            Phase::Attention { .. } | Phase::RollbackFailed { .. } | Phase::Abandoned { .. } => {
                Ok(())
            }
            phase if self.contender.must_be_over => Err(format!("stands at {phase:?}")),
            _ => Ok(()),
        }
    }

    /// What was written of this deployment, by type, newest of it.
    fn written(&self, type_name: &str) -> Option<&Written> {
        let number = Some(self.deployment.plan.number);
        let mut all = self.contender.written.iter().rev();
        all.find(|w| w.deployment == number && w.type_name == type_name)
    }

    /// What was written just before the newest event of this type.
    fn before(&self, type_name: &str) -> Option<&Written> {
        let number = Some(self.deployment.plan.number);
        let all = self.contender.written.iter().rev().filter(|w| w.deployment == number);
        all.skip_while(|written| written.type_name != type_name).nth(1)
    }

    fn last(&self) -> Option<&Written> {
        let number = Some(self.deployment.plan.number);
        self.contender.written.iter().rev().find(|written| written.deployment == number)
    }

    fn effect(&self, mark: &DeploymentId) -> Option<&Effect> {
        let machine = self.contender.machine;
        self.effects.iter().rfind(|e| e.mark == *mark && e.machine == machine)
    }

    fn marks(&self) -> [DeploymentId; 3] {
        identity::marks(&self.deployment.plan.id)
    }

    /// Operations of others that began in a span of time.
    fn foreign(&self, truth: &Truth, from: Timestamp, to: Timestamp) -> Option<OperationId> {
        let ours: Vec<_> =
            self.marks().iter().filter_map(|mark| self.effect(mark)?.operation.clone()).collect();
        let began = |operation: &crate::world::service::Operation| {
            operation.started_at.map_or(0, |at| at.timestamp_millis())
        };
        let others = truth.operations.iter().filter(|operation| !ours.contains(&operation.id));
        let mut others = others.filter(|operation| (from..=to).contains(&began(operation)));
        others.next().map(|operation| operation.id.clone())
    }

    fn end(&self) -> Result<(&Written, &Truth), String> {
        let last = self.last().ok_or("nothing was written")?;
        let truth = last.truth.as_ref().ok_or("the last event is no end")?;
        Ok((last, truth))
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
        if let Some(other) = self.foreign(truth, effect.at, verified.at - self.blind - 1) {
            return Err(format!("operation {other} came before it was verified"));
        }
        let disturbed = self.foreign(truth, effect.at, last.at).is_some();
        if disturbed || truth.service.is_none() || self.somebody_else(last.at) {
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
        live(truth, &issue.release, Some(&marks), false)
    }

    /// Whether another machine of ours changed the service, or somebody paused or deleted it.
    fn somebody_else(&self, until: Timestamp) -> bool {
        let machine = self.contender.machine;
        self.effects.iter().any(|effect| effect.machine != machine && effect.at <= until)
    }

    fn already_live(&self) -> Result<(), String> {
        let written = self.written("NothingToChange").ok_or("nothing was asked for")?;
        let truth = written.truth.as_ref().ok_or("no truth")?;
        let (_, release) = self.deployment.done.already_live.as_ref().ok_or("not live already")?;
        if self.marks().iter().any(|mark| self.effect(mark).is_some()) {
            return Err("something was asked for all the same".into());
        }
        let since = self.written("DeploymentPlanned").map_or(0, |planned| planned.at);
        if self.foreign(truth, since - self.blind, written.at).is_some() {
            return Ok(());
        }
        live(truth, release, None, true)
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
        let planned = self.written("DeploymentPlanned").map_or(0, |planned| planned.at);
        let since = back.or(self.effect(id)).map_or(planned, |effect| effect.at);
        // The proof is looked for after the event before, and its health is asked after the look.
        let looked = self.before("RollbackVerified").ok_or("it was never verified")?;
        let asked = back.or(self.effect(id)).is_some();
        let other = self.foreign(truth, since, looked.at - self.blind - 1);
        if let (true, Some(other)) = (asked, other) {
            return Err(format!("operation {other} came before it was verified"));
        }
        let unseen = self.foreign(truth, since.max(looked.at - self.blind), last.at);
        if unseen.is_some() || self.somebody_else(last.at) {
            return Ok(());
        }
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
        if back.is_some() && self.no_automation && release.image.digest().is_some() {
            release.configuration.auto_deployments = false;
        }
        if back.is_some() {
            return live(truth, &release, Some(&[rollback_mark(id).as_str()]), true);
        }
        let service = truth.service.as_ref().ok_or("the service is gone")?;
        if service.mark != captured.mark {
            return Err(format!("it carries {:?}", service.mark));
        }
        live(truth, &release, None, true)
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
        let id = &self.deployment.plan.id;
        let (Some(forward), Some(back)) = (self.effect(id), self.effect(&rollback_mark(id))) else {
            return Ok(());
        };
        if let Some(other) = self.foreign(truth, forward.at, back.at - self.blind - UNDERWAY) {
            let (from, to) = (forward.at, back.at);
            return Err(format!("the rollback at {to} undid {other}, begun after {from}"));
        }
        Ok(())
    }
}

fn operation_status(truth: &Truth, id: Option<&OperationId>) -> Option<OperationStatus> {
    let found = truth.operations.iter().find(|operation| Some(&operation.id) == id)?;
    Some(found.status.clone())
}

/// Whether this release is what is configured, what serves, and (where asked) carries the mark.
fn live(
    truth: &Truth,
    release: &Release,
    marks: Option<&[&str]>,
    whole: bool,
) -> Result<(), String> {
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
    let differences = if whole { release.differences(&now) } else { Vec::new() };
    if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
}
