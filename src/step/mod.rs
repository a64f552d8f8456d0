//! The steps: each looks whether it is already true, and if not makes it true.
//!
//! All files look alike: `inspect` reads only and answers with the outcome where there is one;
//! `perform` acts. First run and resume are the same call.

#![expect(clippy::unused_async, reason = "all steps have the same shape")]

mod asking;
mod await_operation;
mod await_rollback;
mod build_image;
mod capture_previous;
mod change_service;
mod check_health;
mod ensure_repository;
mod flight;
pub mod issuing;
pub mod operation;
mod patience;
pub mod preflight;
mod proving;
mod push_image;
mod readiness;
mod restore_auto_deployments;
mod roll_back;
pub mod settling;
mod strangers;
mod tag_latest;
mod told;
mod verify_release;
mod verify_rollback;

use std::collections::BTreeMap;

pub use flight::Flight;
pub use told::Told;
use url::Url;

use crate::config::value::HealthFrom;
use crate::config::{HealthGate, Times};
use crate::event::deployment::Deployment;
use crate::event::{Event, Failure, HealthReport, Interruption, Observation};
use crate::names::{ImageIdentifier, OperationId, PayloadHash, ValueHash};
use crate::plan::inventory::Inventory;
use crate::plan::{BadRelease, Step};
use crate::problem::ExitCode;
use crate::release::Release;
use crate::world::service::Service;
use crate::world::source::Checkout;
use crate::world::{Obstacle, Place, ProgressSink, World, WorldError};

/// What a step works with.
pub struct Bench<'a> {
    /// The outside.
    pub world: &'a World,
    /// The deployment so far.
    pub deployment: &'a Deployment,
    /// Plain environment values by hash, as far as this machine has them.
    pub vault: &'a dyn Vault,
    /// How long things may take.
    pub times: &'a Times,
    /// Where progress goes.
    pub progress: &'a dyn ProgressSink,
    /// What planning saw, where it was in this very process.
    pub inventory: Option<&'a Inventory>,
    /// Every operation id in our own journal of this service.
    pub journalled_operations: &'a [OperationId],
    /// Whether the call of this step may have been made already.
    pub in_doubt: bool,
    /// Whether the application's log is shown while waiting.
    pub tail: bool,
    /// Lines of logs that were shown in this process.
    pub told: Told,
    /// Whether a call that changes the service is under way.
    pub flight: Flight,
}

impl Bench<'_> {
    /// What was seen before the call of this step.
    fn observed(&self) -> &Observation {
        let intention = self.deployment.intention.as_ref();
        &intention.expect("the intention is written before the call").observed
    }
}

/// Plain environment values by hash.
pub trait Vault: Send + Sync {
    /// The value, where this machine has it.
    fn value(&self, hash: &ValueHash) -> Option<String>;
}

/// What a step came to: an event, and the plain values that it refers to by hash.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The event.
    pub event: Event,
    /// Values to keep beside it.
    pub values: BTreeMap<ValueHash, String>,
}

impl From<Event> for Outcome {
    fn from(event: Event) -> Self {
        Self { event, values: BTreeMap::new() }
    }
}

/// Why a step has no outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum StepError {
    /// The world or a gate said no.
    Refused(Box<Failure>),
    /// A call that changes the world was sent and its answer did not come.
    Unanswered {
        /// The cause.
        reason: String,
    },
    /// Nothing can be concluded now; the deployment pauses.
    Interrupted(Interruption),
    /// Somebody else came in between, as this evidence says: a person must decide.
    Overtaken(Vec<String>),
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Refused(Box::new(failure))
    }
}

impl From<WorldError> for StepError {
    fn from(error: WorldError) -> Self {
        match error {
            WorldError::Refused { place, code, message, details } => {
                Self::from(refusal(place, &code, &message, details))
            }
            WorldError::Unreachable { place, obstacle, reason } => {
                Self::Interrupted(Interruption::Unreachable { place, obstacle, reason })
            }
            WorldError::Unanswered { reason, .. } => Self::Unanswered { reason },
        }
    }
}

/// The answer to a question about a change that is under way. Who may not ask knows nothing of it:
/// that concludes nothing about the release, and the deployment pauses.
fn asked<T>(answer: Result<T, WorldError>) -> Result<T, StepError> {
    answer.map_err(|error| match error {
        WorldError::Refused { place, code, message, .. } if code.contains("AccessDenied") => {
            let (obstacle, reason) = (Obstacle::InvalidCredentials, message);
            StepError::Interrupted(Interruption::Unreachable { place, obstacle, reason })
        }
        other => other.into(),
    })
}

/// A refusal by the world as the failure of a step; how the process ends follows from who refused.
fn refusal(place: Place, code: &str, message: &str, details: Vec<String>) -> Failure {
    let (exit, word) = match (place, code) {
        (_, "push-denied" | "no-repository" | "tag-taken" | "digest-mismatch") => {
            (ExitCode::Push, code)
        }
        (Place::Ecr, _) => (ExitCode::Push, "registry-refused"),
        (Place::Docker, "wrong-platform" | "build-failed" | "no-dockerfile") => {
            (ExitCode::Build, code)
        }
        (Place::Docker | Place::Source, _) => (ExitCode::Build, "build-failed"),
        (Place::AppRunner, _) => (ExitCode::Update, "update-refused"),
        _ => (ExitCode::General, "refused"),
    };
    let mut failure = Failure::new(exit, word, format!("{place} refused: {message}"));
    if word != code {
        failure = failure.because(code.to_owned());
    }
    failure.details = details;
    failure
}

/// Makes a step true: looks first, acts only where it is not true yet.
pub async fn settle(step: Step, bench: &Bench<'_>) -> Result<Outcome, StepError> {
    if let Some(outcome) = inspect(step, bench).await? {
        return Ok(outcome);
    }
    perform(step, bench).await
}

async fn inspect(step: Step, bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    match step {
        Step::Preflight => preflight::inspect(bench).await,
        Step::EnsureRepository => ensure_repository::inspect(bench).await,
        Step::BuildImage => build_image::inspect(bench).await,
        Step::PushImage => push_image::inspect(bench).await,
        Step::CapturePrevious => capture_previous::inspect(bench).await,
        Step::ChangeService => change_service::inspect(bench).await,
        Step::AwaitOperation => await_operation::inspect(bench).await,
        Step::VerifyRelease => verify_release::inspect(bench).await,
        Step::CheckHealth => check_health::inspect(bench).await,
        Step::TagLatest => tag_latest::inspect(bench).await,
        Step::RestoreAutoDeployments => restore_auto_deployments::inspect(bench).await,
        Step::RollBack => roll_back::inspect(bench).await,
        Step::AwaitRollback => await_rollback::inspect(bench).await,
        Step::VerifyRollback => verify_rollback::inspect(bench).await,
    }
}

async fn perform(step: Step, bench: &Bench<'_>) -> Result<Outcome, StepError> {
    match step {
        Step::Preflight => preflight::perform(bench).await,
        Step::EnsureRepository => ensure_repository::perform(bench).await,
        Step::BuildImage => build_image::perform(bench).await,
        Step::PushImage => push_image::perform(bench).await,
        Step::CapturePrevious => capture_previous::perform(bench).await,
        Step::ChangeService => change_service::perform(bench).await,
        Step::AwaitOperation => await_operation::perform(bench).await,
        Step::VerifyRelease => verify_release::perform(bench).await,
        Step::CheckHealth => check_health::perform(bench).await,
        Step::TagLatest => tag_latest::perform(bench).await,
        Step::RestoreAutoDeployments => restore_auto_deployments::perform(bench).await,
        Step::RollBack => roll_back::perform(bench).await,
        Step::AwaitRollback => await_rollback::perform(bench).await,
        Step::VerifyRollback => verify_rollback::perform(bench).await,
    }
}

/// What is seen just before a step that changes the world, and the hash of its request.
pub async fn observe(
    step: Step,
    bench: &Bench<'_>,
) -> Result<(Observation, Option<PayloadHash>), StepError> {
    match step {
        Step::ChangeService => change_service::observe(bench).await,
        Step::RollBack => roll_back::observe(bench).await,
        Step::RestoreAutoDeployments => Ok((observe_service(bench).await?.0, None)),
        _ => Ok((Observation::default(), None)),
    }
}

/// How many operations an intention remembers, and how many are looked at afterwards: one that is as
/// new as those and not remembered came later. App Runner lists 20 a page.
const REMEMBERED_OPERATIONS: usize = 20;

/// The service as it is now, with every operation known so far.
async fn observe_service(bench: &Bench<'_>) -> Result<(Observation, Option<Service>), StepError> {
    let services = &bench.world.services;
    let found = services.find(&bench.deployment.plan.stream.service).await;
    let Some(service) = asked(found)? else { return Ok((Observation::default(), None)) };
    let listed = asked(services.operations(&service.arn, Some(REMEMBERED_OPERATIONS)).await)?;
    let mut known: Vec<OperationId> = listed.into_iter().map(|operation| operation.id).collect();
    // The list can lag; our own journal does not.
    for id in bench.journalled_operations.iter().rev().take(REMEMBERED_OPERATIONS) {
        if !known.contains(id) {
            known.push(id.clone());
        }
    }
    let observation = Observation {
        status: Some(service.status.clone()),
        image: service.release().map(|release| release.image.to_string()),
        mark: service.mark.clone(),
        known_operations: known,
    };
    Ok((observation, Some(service)))
}

/// What runs now, as `capture_previous` would record it: for a plan that is only shown.
pub async fn captured(bench: &Bench<'_>) -> Result<Option<crate::event::Captured>, StepError> {
    match capture_previous::perform(bench).await?.event {
        Event::PreviousCaptured { previous } => Ok(previous.map(|captured| *captured)),
        _ => Ok(None),
    }
}

/// The request that `change_service` would send, by the code that sends it; `None` where there is
/// nothing to change.
pub async fn preview(bench: &Bench<'_>) -> Result<Option<serde_json::Value>, StepError> {
    change_service::preview(bench).await
}

/// Refuses a release that was found bad before.
pub fn refuse_bad(plan: &crate::plan::Plan, release: &Release) -> Result<(), Failure> {
    let bad = plan.bad.iter().find(|bad| bad.is(release, &plan.health));
    bad.map_or(Ok(()), |bad| Err(bad_release(plan, bad, &image_words(&release.image))))
}

/// Refuses an image that was found bad before, whatever it runs under.
pub fn refuse_bad_image(plan: &crate::plan::Plan, image: &ImageIdentifier) -> Result<(), Failure> {
    let is_it = |bad: &&BadRelease| bad.under.is_none() && image.digest() == Some(&bad.digest);
    let bad = plan.bad.iter().find(is_it);
    bad.map_or(Ok(()), |bad| Err(bad_release(plan, bad, &image_words(image))))
}

/// Refuses to build a commit again of which an image was found bad by a person.
pub fn refuse_bad_commit(plan: &crate::plan::Plan) -> Result<(), Failure> {
    let checkout = plan.target().and_then(|target| target.checkout.as_ref());
    let Some(commit) = checkout.and_then(Checkout::clean_commit) else { return Ok(()) };
    let bad = plan.bad.iter().rfind(|bad| bad.commit.as_ref() == Some(commit));
    let what = format!("the commit {}", commit.short());
    bad.map_or(Ok(()), |bad| Err(bad_release(plan, bad, &what)))
}

/// Refuses a release whose environment values this machine does not have: neither the journal nor the service,
/// as it is now, knows them.
pub fn refuse_unknown_values(
    release: &Release,
    service: Option<&Service>,
    vault: &dyn Vault,
) -> Result<(), Failure> {
    issuing::known_values(release, service, vault).map(drop)
}

fn image_words(image: &ImageIdentifier) -> String {
    format!("the image {}", image.short())
}

fn bad_release(plan: &crate::plan::Plan, bad: &BadRelease, which: &str) -> Failure {
    let (number, service) = (bad.deployment, &plan.stream.service);
    let under = bad.under.as_ref().map_or("", |_| " with this very configuration");
    let what = format!("{which} was found bad{under}");
    let when = bad.at.format("%Y-%m-%d %H:%M UTC");
    Failure::new(ExitCode::Guard, "bad-release", what)
        .because(format!("{number} on {when}, by {}: {}", bad.by, bad.reason))
        .hint(format!("see the story: `surefoot show {} --service-name {service}`", number.0))
        .hint(format!(
            "where it is good after all: `surefoot mark {} good --reason TEXT --service-name \
             {service}`",
            number.0
        ))
        .hint(format!(
            "to deploy it all the same: `surefoot deploy --allow-bad --service-name {service}`"
        ))
}

/// What the application answers now, asked as the gate says and outside of any deployment.
pub async fn health(
    world: &World,
    progress: &dyn ProgressSink,
    gate: &HealthGate,
    address: &Url,
) -> HealthReport {
    match gate.target(address).filter(|_| gate.from != HealthFrom::Nowhere) {
        Some(url) => asking::ask(world, progress, gate, &url).await,
        None => asking::unproven(gate),
    }
}

/// The release that a deployment moves to.
pub fn desired(bench: &Bench<'_>) -> Release {
    change_service::desired(bench)
}
