//! A deployment's state: the fold of its events, and the one question the engine asks of it.
//!
//! [`Deployment::evolve`] refuses what cannot follow; [`Deployment::next`] derives what comes next
//! from the state alone. Nothing remembers an index, so a first run and a resumed one are the same.

use std::collections::BTreeSet;

use super::{
    Captured, Cause, Event, Failure, HealthReport, Interruption, Issue, Observation, Proof,
    RolledBackBy,
};
use crate::names::{DeploymentId, Digest, OperationId, PayloadHash, ServiceArn, Tag};
use crate::plan::identity::restore_mark;
use crate::plan::{Intent, Plan, Step};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::OperationStatus;

/// A deployment after some of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// What it is going to do.
    pub plan: Plan,
    /// What is done, with what it left behind.
    pub done: Done,
    /// The intention that is not settled yet.
    pub intention: Option<Intention>,
    /// Where it stands.
    pub phase: Phase,
    /// Whether the deadline passed while App Runner was at work.
    pub deadline_passed: bool,
    /// Why the last process stopped, until another takes up.
    pub interrupted: Option<Interruption>,
    /// Whether a person asked for the way back.
    pub backwards: bool,
}

/// What the steps left behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    /// The steps that are done.
    pub steps: BTreeSet<Step>,
    /// What is doubtful.
    pub warnings: Vec<String>,
    /// The repository's URI, and whether `latest` may move in it.
    pub repository: Option<(String, bool)>,
    /// The engine's name for the image built.
    pub built: Option<String>,
    /// The digest in the registry, and the tag that names it.
    pub pushed: Option<(Digest, Tag)>,
    /// What ran before.
    pub captured: Option<Captured>,
    /// The change that App Runner accepted.
    pub issued: Option<Issue>,
    /// The release that was live already, so that nothing was asked for.
    pub already_live: Option<(ServiceArn, Release)>,
    /// How our operation ended.
    pub operation: Option<OperationStatus>,
    /// The proof of the new release.
    pub proof: Option<Proof>,
    /// What the health gate saw.
    pub health: Option<HealthReport>,
    /// Why it failed, as far as the logs tell.
    pub cause: Option<Cause>,
    /// Something to say about `latest`.
    pub latest: Option<String>,
    /// Something to say about auto-deployments.
    pub auto_deployments: Option<String>,
    /// The operation that gave auto-deployments back.
    pub given_back: Option<OperationId>,
    /// The proof that the release before is back.
    pub restored: Option<Proof>,
}

/// A step that was announced and has no outcome yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Intention {
    /// The step.
    pub step: Step,
    /// What was seen before it.
    pub observed: Observation,
    /// The hash of the request.
    pub payload: Option<PayloadHash>,
    /// Whether the call may have been made already: after a death or a lost answer.
    pub in_doubt: bool,
}

/// Where a deployment stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// On its way.
    Forward,
    /// A step was refused; what follows from it is not decided yet.
    Failing {
        /// Why.
        failure: Failure,
    },
    /// On the way back.
    RollingBack {
        /// Why.
        because: Failure,
        /// Who does it.
        by: RolledBackBy,
        /// Our update back, once accepted.
        issued: Option<Box<Issue>>,
        /// Whether the operation that goes back has ended.
        settled: bool,
        /// The proof, once there is one.
        proof: Option<Box<Proof>>,
    },
    /// The way back was refused; that is not written down yet.
    RollbackFailing {
        /// Why the deployment failed.
        because: Failure,
        /// Why the way back did.
        failure: Failure,
    },
    /// The new release is live and proven.
    Succeeded,
    /// The old release is live and proven.
    RolledBack {
        /// Why.
        because: Failure,
    },
    /// It failed and there was nothing to take back.
    Failed {
        /// Why.
        because: Failure,
    },
    /// The way back failed.
    RollbackFailed {
        /// Why the deployment failed.
        because: Failure,
        /// Why the way back did.
        failure: Failure,
    },
    /// A person must look.
    Attention {
        /// What is known.
        evidence: Vec<String>,
    },
    /// A person closed it.
    Abandoned {
        /// Why.
        reason: String,
    },
}

/// What the engine must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Write this down.
    Announce(Box<Event>),
    /// Look at the world, and write down that this step is about to be done.
    Begin(Step),
    /// Make the step true, unless it is already.
    Perform {
        /// The step.
        step: Step,
        /// Whether the call may have been made already.
        in_doubt: bool,
    },
    /// Nothing is left to do.
    Rest,
}

/// An event that cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow here: {because}")]
pub struct IllegalEvent {
    /// The event's type.
    pub event: String,
    /// Why not.
    pub because: String,
}

impl IllegalEvent {
    fn new(event: &Event, because: impl Into<String>) -> Self {
        Self { event: event.type_name(), because: because.into() }
    }
}

impl Deployment {
    /// The deployment that begins with this plan.
    pub fn begin(plan: Plan) -> Self {
        Self {
            plan,
            done: Done::default(),
            intention: None,
            phase: Phase::Forward,
            deadline_passed: false,
            interrupted: None,
            backwards: false,
        }
    }

    /// Folds a whole history. The first event must be `DeploymentPlanned`.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, IllegalEvent> {
        let mut events = events.into_iter();
        let first = events.next();
        let Some(Event::DeploymentPlanned(plan)) = first else {
            let event = first.map_or_else(|| "nothing".into(), Event::type_name);
            let because = "a deployment begins with DeploymentPlanned".into();
            return Err(IllegalEvent { event, because });
        };
        let mut state = Self::begin(plan.as_ref().clone());
        events.try_for_each(|event| state.absorb(event))?;
        Ok(state)
    }

    /// What the engine must do next. Derived from the state alone.
    pub fn next(&self) -> Next {
        match &self.phase {
            Phase::Forward if self.backwards => self.next_backwards(),
            Phase::Forward => match self.current_step() {
                Some(step) => self.perform_or_begin(step),
                None => announce(Event::DeploymentSucceeded),
            },
            Phase::Failing { failure } if self.can_go_back() => {
                announce(Event::RollbackStarted { because: failure.clone() })
            }
            Phase::Failing { failure } => {
                announce(Event::DeploymentFailed { because: self.blame(failure) })
            }
            Phase::RollingBack { because, proof: Some(_), .. } => {
                announce(Event::DeploymentRolledBack { because: self.blame(because) })
            }
            Phase::RollbackFailing { because, failure } => announce(Event::RollbackFailed {
                because: because.clone(),
                failure: failure.clone(),
            }),
            Phase::RollingBack { .. } => {
                self.current_step().map_or(Next::Rest, |step| self.perform_or_begin(step))
            }
            _ => Next::Rest,
        }
    }

    /// A person asked for the way back: nothing new is issued, what is under way is awaited.
    fn next_backwards(&self) -> Next {
        let request = || Failure::new(ExitCode::General, "taken-back", "taken back on request");
        match &self.done.issued {
            Some(_) if self.done.operation.is_none() => {
                Next::Perform { step: Step::AwaitOperation, in_doubt: false }
            }
            // A second update of ours may be under way: it would come after the way back.
            Some(_) if self.in_doubt_about(Step::RestoreAutoDeployments) => {
                Next::Perform { step: Step::RestoreAutoDeployments, in_doubt: true }
            }
            Some(_) if self.can_go_back() => {
                announce(Event::RollbackStarted { because: request() })
            }
            None if self.in_doubt_about(Step::ChangeService) => {
                Next::Perform { step: Step::ChangeService, in_doubt: true }
            }
            Some(_) => announce(Event::DeploymentFailed { because: self.no_way_back() }),
            None => announce(Event::DeploymentFailed { because: request() }),
        }
    }

    /// Why what was asked for and done is not taken back although a person wants it.
    fn no_way_back(&self) -> Failure {
        let what = match self.plan.intent {
            Intent::Rollback { .. } => "a rollback is not taken back: it is the way back itself",
            Intent::Deploy { .. } => "it cannot be taken back: no release ran before this one",
        };
        Failure::new(ExitCode::General, "nothing-to-go-back-to", what)
    }

    fn in_doubt_about(&self, step: Step) -> bool {
        self.intention
            .as_ref()
            .is_some_and(|intention| intention.step == step && intention.in_doubt)
    }

    fn perform_or_begin(&self, step: Step) -> Next {
        match &self.intention {
            Some(intention) if intention.step == step => {
                Next::Perform { step, in_doubt: intention.in_doubt }
            }
            _ if step.changes_the_world() => Next::Begin(step),
            _ => Next::Perform { step, in_doubt: false },
        }
    }

    /// The step that is to be made true now, on the way there or back.
    pub fn current_step(&self) -> Option<Step> {
        match &self.phase {
            Phase::Forward => self.plan.steps.iter().copied().find(|step| !self.is_done(*step)),
            Phase::RollingBack { by: RolledBackBy::Surefoot, issued: None, .. } => {
                Some(Step::RollBack)
            }
            Phase::RollingBack { settled: false, .. } => Some(Step::AwaitRollback),
            Phase::RollingBack { proof: None, .. } => Some(Step::VerifyRollback),
            _ => None,
        }
    }

    fn is_done(&self, step: Step) -> bool {
        let nothing_issued = self.done.already_live.is_some();
        self.done.steps.contains(&step)
            || nothing_issued && matches!(step, Step::AwaitOperation | Step::VerifyRelease)
    }

    /// Whether there is something to take back and somewhere to go back to.
    fn can_go_back(&self) -> bool {
        let issued = self.done.issued.is_some();
        let automatic = matches!(self.plan.intent, Intent::Deploy { .. });
        issued && automatic && self.previous().is_some()
    }

    /// The release that ran before.
    pub fn previous(&self) -> Option<&Release> {
        self.done.captured.as_ref()?.ran()
    }

    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Forward
                | Phase::Failing { .. }
                | Phase::RollingBack { .. }
                | Phase::RollbackFailing { .. }
        )
    }

    /// The service, once known.
    pub fn service(&self) -> Option<&ServiceArn> {
        let issued = self.done.issued.as_ref().map(|issue| &issue.service);
        let live = self.done.already_live.as_ref().map(|(service, _)| service);
        issued.or(live).or(self.done.captured.as_ref().map(|captured| &captured.service))
    }

    /// The service's address and id, once known.
    pub fn address(&self) -> Option<(&str, &str)> {
        let issued = self.done.issued.as_ref().map(|i| (i.url.as_str(), i.service_id.as_str()));
        issued.or_else(|| {
            self.done.captured.as_ref().map(|c| (c.url.as_str(), c.service_id.as_str()))
        })
    }

    /// Our newest operation on the way there: that of the second update, where there was one.
    pub fn newest_operation(&self) -> Option<&OperationId> {
        let issued = self.done.issued.as_ref().and_then(|issue| issue.operation.as_ref());
        self.done.given_back.as_ref().or(issued)
    }

    /// The mark of the second update, which gave auto-deployments back, where there was one.
    pub fn second_mark(&self) -> Option<DeploymentId> {
        self.done.given_back.as_ref().map(|_| restore_mark(&self.plan.id))
    }

    /// The operation that is, or was, awaited: the one on the way back where we are going back.
    pub fn operation(&self) -> Option<&OperationId> {
        match &self.phase {
            Phase::RollingBack { issued: Some(issue), .. } => issue.operation.as_ref(),
            _ => self.done.issued.as_ref()?.operation.as_ref(),
        }
    }

    /// The operation that App Runner goes on with by itself, as far as the journal knows its end.
    pub fn at_work(&self) -> Option<&OperationId> {
        let has_ended = match &self.phase {
            Phase::RollingBack { issued: Some(_), settled, .. } => *settled,
            _ => self.done.operation.is_some(),
        };
        self.operation().filter(|_| !has_ended)
    }

    /// How the process ends with this state.
    pub fn exit_code(&self) -> ExitCode {
        match (&self.phase, &self.interrupted) {
            (Phase::Succeeded | Phase::Abandoned { .. }, _) => ExitCode::Success,
            (Phase::RolledBack { because } | Phase::Failed { because }, _) => because.exit,
            (Phase::RollbackFailed { .. }, _) => ExitCode::RollbackFailed,
            (Phase::Attention { .. }, _) => ExitCode::Attention,
            (_, Some(Interruption::Signal { .. })) => ExitCode::Interrupted,
            (_, Some(Interruption::StillBusy { .. })) => ExitCode::Timeout,
            (_, _) => ExitCode::Paused,
        }
    }

    /// A failure as it ends this deployment: the deadline outweighs what it led to, and a failed
    /// `surefoot rollback` is a failed rollback.
    fn blame(&self, failure: &Failure) -> Failure {
        let mut failure = failure.clone();
        let issued = self.done.issued.is_some();
        if self.deadline_passed {
            failure.exit = ExitCode::Timeout;
        } else if matches!(self.plan.intent, Intent::Rollback { .. }) && issued {
            failure.exit = ExitCode::RollbackFailed;
        }
        failure
    }

    /// The state after `event`, or the reason why it cannot come next.
    pub fn evolve(mut self, event: &Event) -> Result<Self, IllegalEvent> {
        self.absorb(event)?;
        Ok(self)
    }

    fn absorb(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if event.is_beside_deployments() {
            return Ok(());
        }
        if self.is_over() {
            return Err(IllegalEvent::new(event, "the deployment is over"));
        }
        if let Some(step) = self.settled_by(event) {
            self.settle(step, event)?;
        }
        self.apply(event)
    }

    /// The step whose outcome this is, where it is one. An operation's end belongs to the way there
    /// or to the way back, whichever is under way.
    fn settled_by(&self, event: &Event) -> Option<Step> {
        let going_back = matches!(self.phase, Phase::RollingBack { .. });
        match event {
            Event::OperationSucceeded { .. } | Event::OperationFailed { .. } if going_back => {
                Some(Step::AwaitRollback)
            }
            Event::OperationSucceeded { .. } | Event::OperationFailed { .. } => {
                Some(Step::AwaitOperation)
            }
            _ => event.settles(),
        }
    }

    /// An outcome belongs to the step that is due, and to its intention where it needs one.
    fn settle(&mut self, step: Step, event: &Event) -> Result<(), IllegalEvent> {
        let due = self.current_step();
        if due != Some(step) {
            let due = due.map_or("nothing", Step::words);
            return Err(IllegalEvent::new(event, format!("{due} is due")));
        }
        let intended = self.intention.as_ref().is_some_and(|intention| intention.step == step);
        // A step may be refused while it only looks: no call was made then, so none was intended.
        let refused = matches!(event, Event::StepFailed { .. });
        if step.changes_the_world() && !intended && !refused {
            return Err(IllegalEvent::new(event, "no intention was written before it"));
        }
        self.intention = None;
        self.done.steps.insert(step);
        Ok(())
    }

    fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match event {
            Event::DeploymentPlanned(_) => {
                return Err(IllegalEvent::new(event, "a deployment is planned once"));
            }
            Event::StepStarted { step, observed, payload } => {
                self.intend(event, *step, observed, payload.as_ref())?;
            }
            Event::AnswerLost { step, .. } => self.doubt(event, *step)?,
            Event::Interrupted { because } => self.interrupted = Some(because.clone()),
            Event::Resumed { backwards, proves_again } => self.take_up(*backwards, *proves_again),
            Event::DeadlinePassed { .. } => self.deadline_passed = true,
            Event::DeploymentAbandoned { reason } => {
                self.phase = Phase::Abandoned { reason: reason.clone() };
            }
            Event::AttentionNeeded { evidence } => {
                self.phase = Phase::Attention { evidence: evidence.clone() };
            }
            Event::StepFailed { step, failure } => self.refused(*step, failure),
            Event::OperationFailed { .. } | Event::HealthFailed { .. } => self.fall(event),
            Event::RollbackStarted { .. }
            | Event::RollbackIssued(_)
            | Event::RollbackVerified { .. } => self.go_back(event)?,
            Event::DeploymentSucceeded
            | Event::DeploymentRolledBack { .. }
            | Event::RollbackFailed { .. }
            | Event::DeploymentFailed { .. } => self.end(event)?,
            _ => self.record(event),
        }
        Ok(())
    }

    fn intend(
        &mut self,
        event: &Event,
        step: Step,
        observed: &Observation,
        payload: Option<&PayloadHash>,
    ) -> Result<(), IllegalEvent> {
        if self.intention.is_some() || self.current_step() != Some(step) {
            return Err(IllegalEvent::new(event, "another step is due"));
        }
        let (observed, payload) = (observed.clone(), payload.cloned());
        self.intention = Some(Intention { step, observed, payload, in_doubt: false });
        Ok(())
    }

    fn doubt(&mut self, event: &Event, step: Step) -> Result<(), IllegalEvent> {
        match &mut self.intention {
            Some(intention) if intention.step == step => intention.in_doubt = true,
            _ => return Err(IllegalEvent::new(event, "no call was under way")),
        }
        Ok(())
    }

    fn take_up(&mut self, backwards: bool, proves_again: bool) {
        self.interrupted = None;
        self.backwards |= backwards;
        if proves_again {
            self.forget_the_proof();
        }
        // The process before us may have died right after its call left.
        if let Some(intention) = &mut self.intention {
            intention.in_doubt = true;
        }
    }

    /// What was true when the process before looked may be long untrue, and a verdict is of now. Where
    /// the last courtesy is in doubt, it looks by itself.
    fn forget_the_proof(&mut self) {
        let restoring = self
            .intention
            .as_ref()
            .is_some_and(|intention| intention.step == Step::RestoreAutoDeployments);
        match &mut self.phase {
            Phase::Forward if !restoring => {
                self.done.steps.remove(&Step::VerifyRelease);
                if self.done.already_live.is_some() {
                    self.done.steps.remove(&Step::CheckHealth);
                }
            }
            Phase::RollingBack { proof, .. } => *proof = None,
            _ => {}
        }
    }

    /// What is a courtesy after the gates changes no verdict: the release is live and proven.
    fn refused(&mut self, step: Step, failure: &Failure) {
        match step {
            Step::TagLatest => self.done.latest = Some(failure.what.clone()),
            Step::RestoreAutoDeployments => {
                self.done.auto_deployments = Some(failure.what.clone());
            }
            _ => self.fail(failure.clone()),
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Forward) {
            Phase::RollingBack { because, .. } => Phase::RollbackFailing { because, failure },
            _ => Phase::Failing { failure },
        };
    }

    /// App Runner or the application said no.
    fn fall(&mut self, event: &Event) {
        match event {
            Event::OperationFailed { status, cause, application_log, .. } => {
                let mut failure = operation_failure(status, cause.as_ref());
                failure.details.clone_from(application_log);
                self.done.cause.clone_from(cause);
                if matches!(self.phase, Phase::RollingBack { .. }) {
                    return self.fail(failure);
                }
                self.done.operation = Some(status.clone());
                self.fail(failure.clone());
                let by_itself = *status != OperationStatus::RollbackFailed;
                if by_itself && self.previous().is_some() {
                    self.phase = rolling_back(failure, RolledBackBy::AppRunner, true);
                }
            }
            Event::HealthFailed { health, cause, application_log } => {
                self.done.health = Some(health.clone());
                self.done.cause.clone_from(cause);
                let mut failure = health_failure(health, cause.as_ref());
                failure.details.clone_from(application_log);
                self.fail(failure);
            }
            _ => {}
        }
    }

    fn go_back(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        match (event, &mut self.phase) {
            (Event::RollbackStarted { because }, Phase::Failing { .. } | Phase::Forward) => {
                self.phase = rolling_back(because.clone(), RolledBackBy::Surefoot, false);
                // Taken back on request before a courtesy was done: it is not gone on with.
                self.intention = None;
            }
            (Event::RollbackIssued(issue), Phase::RollingBack { issued, settled, .. }) => {
                // App Runner names no operation where nothing had to change: then nothing is awaited.
                *settled = issue.operation.is_none();
                *issued = Some(Box::new(issue.clone()));
            }
            (Event::RollbackVerified { proof: seen, .. }, Phase::RollingBack { proof, .. }) => {
                *proof = Some(Box::new(seen.clone()));
                self.done.restored = Some(seen.clone());
            }
            _ => return Err(IllegalEvent::new(event, "no rollback is under way")),
        }
        Ok(())
    }

    fn end(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let phase = match (event, &self.phase) {
            (Event::DeploymentSucceeded, Phase::Forward) if self.current_step().is_none() => {
                Phase::Succeeded
            }
            (
                Event::DeploymentRolledBack { because },
                Phase::RollingBack { proof: Some(_), .. },
            ) => Phase::RolledBack { because: because.clone() },
            (Event::RollbackFailed { because, failure }, Phase::RollbackFailing { .. }) => {
                Phase::RollbackFailed { because: because.clone(), failure: failure.clone() }
            }
            (Event::DeploymentFailed { because }, Phase::Failing { .. } | Phase::Forward) => {
                Phase::Failed { because: because.clone() }
            }
            _ => return Err(IllegalEvent::new(event, "the state does not bear this verdict")),
        };
        self.phase = phase;
        Ok(())
    }

    fn record(&mut self, event: &Event) {
        let done = &mut self.done;
        match event {
            Event::PreflightPassed { warnings } => done.warnings.clone_from(warnings),
            Event::RepositoryEnsured { uri, latest_may_move, .. } => {
                done.repository = Some((uri.clone(), *latest_may_move));
            }
            Event::ImageBuilt { name, .. } => done.built = Some(name.clone()),
            Event::DigestPushed { digest, tag, .. } => {
                done.pushed = Some((digest.clone(), tag.clone()));
            }
            Event::PreviousCaptured { previous } => {
                done.captured = previous.as_deref().cloned();
            }
            Event::CreateIssued(issue) | Event::UpdateIssued(issue) => {
                done.issued = Some(issue.clone());
            }
            Event::NothingToChange { release, service } => {
                done.already_live = Some((service.clone(), release.as_ref().clone()));
            }
            Event::OperationSucceeded { .. } => self.operation_succeeded(),
            Event::ReleaseVerified { proof } => done.proof = Some(proof.clone()),
            Event::HealthPassed { health } => done.health = Some(health.clone()),
            Event::LatestTagged { skipped } => done.latest.clone_from(skipped),
            Event::AutoDeploymentsRestored { operation, refused } => {
                done.auto_deployments.clone_from(refused);
                done.given_back.clone_from(operation);
            }
            _ => {}
        }
    }

    fn operation_succeeded(&mut self) {
        match &mut self.phase {
            Phase::RollingBack { settled, .. } => *settled = true,
            _ => self.done.operation = Some(OperationStatus::Succeeded),
        }
    }
}

impl Event {
    /// Whether it changes the state of no deployment.
    const fn is_beside_deployments(&self) -> bool {
        matches!(
            self,
            Self::ReleaseMarked { .. }
                | Self::PruneStarted { .. }
                | Self::ImagesPruned { .. }
                | Self::RecordRecovered { .. }
                | Self::JournalRestored { .. }
        )
    }

    /// The step whose outcome this is, where that is told by the event alone.
    fn settles(&self) -> Option<Step> {
        Some(match self {
            Self::PreflightPassed { .. } => Step::Preflight,
            Self::RepositoryEnsured { .. } => Step::EnsureRepository,
            Self::ImageBuilt { .. } => Step::BuildImage,
            Self::DigestPushed { .. } => Step::PushImage,
            Self::PreviousCaptured { .. } => Step::CapturePrevious,
            Self::CreateIssued(_) | Self::UpdateIssued(_) | Self::NothingToChange { .. } => {
                Step::ChangeService
            }
            Self::ReleaseVerified { .. } => Step::VerifyRelease,
            Self::HealthPassed { .. } | Self::HealthFailed { .. } => Step::CheckHealth,
            Self::LatestTagged { .. } => Step::TagLatest,
            Self::AutoDeploymentsRestored { .. } => Step::RestoreAutoDeployments,
            Self::RollbackIssued(_) => Step::RollBack,
            Self::RollbackVerified { .. } => Step::VerifyRollback,
            Self::StepFailed { step, .. } => *step,
            _ => return None,
        })
    }
}

fn announce(event: Event) -> Next {
    Next::Announce(Box::new(event))
}

fn rolling_back(because: Failure, by: RolledBackBy, settled: bool) -> Phase {
    Phase::RollingBack { because, by, issued: None, settled, proof: None }
}

fn operation_failure(status: &OperationStatus, cause: Option<&Cause>) -> Failure {
    let what = match status {
        OperationStatus::RollbackSucceeded => "App Runner took the update back",
        OperationStatus::RollbackFailed => {
            "App Runner could neither finish the update nor take it back"
        }
        _ => "App Runner's operation failed",
    };
    let code = cause.map_or("operation-failed", |cause| cause.code.as_str());
    let failure = Failure::new(ExitCode::Update, code, what);
    match cause {
        Some(cause) => failure.because(cause.what.clone()).hint(cause.fix.clone()),
        None => failure.because(format!("the operation ended {status}")),
    }
}

fn health_failure(health: &HealthReport, cause: Option<&Cause>) -> Failure {
    let what = format!("the release does not pass its health gate at {}", health.url);
    let mut failure = Failure::new(ExitCode::Health, "unhealthy", what);
    failure.because.clone_from(&health.findings);
    if let Some(cause) = cause {
        failure = failure.because(cause.what.clone()).hint(cause.fix.clone());
    }
    failure
}
