//! What can happen in a deployment, in the past tense. Each event is one fact that was true.
//!
//! The names are a promise (`docs/events.md`); the tests keep every format that was ever written
//! readable.

pub mod deployment;
pub mod envelope;
pub(crate) mod evidence;
mod fact;
mod failure;

use serde::de::value::MapDeserializer;
use serde::{Deserialize, Serialize};

use crate::names::{
    Commit, DeploymentNumber, Digest, OperationId, PayloadHash, RepositoryName, ServiceArn,
    ServiceName, StreamName, Tag,
};
use crate::plan::{Plan, Step};
use crate::release::Release;
use crate::world::registry::Platform;
use crate::world::service::OperationStatus;

pub use fact::{
    Captured, HealthOutcome, HealthReport, Issue, Observation, PreviousDigest, Proof, RolledBackBy,
};
pub use failure::{Cause, Failure, Interruption};

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A deployment begins with its plan.
    DeploymentPlanned(Box<Plan>),
    /// A step that changes the world is about to be done: the intention, and what was seen before.
    StepStarted {
        /// The step.
        step: Step,
        /// What was seen just before.
        observed: Observation,
        /// The hash of the request about to be sent, where there is one.
        payload: Option<PayloadHash>,
    },
    /// The answer to a call that changes the world did not come: it may have taken effect.
    AnswerLost {
        /// The step.
        step: Step,
        /// The cause.
        because: String,
    },
    /// Nothing stands in the way.
    PreflightPassed {
        /// What is doubtful all the same.
        warnings: Vec<String>,
    },
    /// The repository exists.
    RepositoryEnsured {
        /// Its URI, as ECR answers it.
        uri: String,
        /// Whether it did not before.
        created: bool,
        /// Whether `latest` may move in it.
        latest_may_move: bool,
    },
    /// The image is built.
    ImageBuilt {
        /// The engine's name for it.
        name: String,
        /// The engine's id of it.
        id: String,
        /// What it runs on.
        platform: Platform,
        /// Whether the engine had it already.
        reused: bool,
    },
    /// The registry holds the image, under this digest by the registry's own word.
    DigestPushed {
        /// The digest.
        digest: Digest,
        /// The tag that names it.
        tag: Tag,
        /// Whether it was there already.
        reused: bool,
    },
    /// What ran before is recorded, whole.
    PreviousCaptured {
        /// The service; `None` where there is none yet.
        previous: Option<Box<Captured>>,
    },
    /// App Runner accepted the creation.
    CreateIssued(Issue),
    /// App Runner accepted the update.
    UpdateIssued(Issue),
    /// The service runs the very release already: nothing was asked for.
    NothingToChange {
        /// The release.
        release: Box<Release>,
        /// The service.
        service: ServiceArn,
    },
    /// The deadline passed while App Runner was at work. Its operations cannot be cancelled.
    DeadlinePassed {
        /// The operation.
        operation: OperationId,
        /// Where it stood.
        status: OperationStatus,
    },
    /// Our operation succeeded by its own status.
    OperationSucceeded {
        /// The operation.
        operation: OperationId,
    },
    /// Our operation ended otherwise.
    OperationFailed {
        /// The operation.
        operation: OperationId,
        /// How.
        status: OperationStatus,
        /// The first failure line of App Runner's own log decides.
        cause: Option<Cause>,
        /// The last lines of the application.
        application_log: Vec<String>,
    },
    /// The new release is proven by identifier, mark and operation.
    ReleaseVerified {
        /// The proof.
        proof: Proof,
    },
    /// The application answers as it should.
    HealthPassed {
        /// How.
        health: HealthReport,
    },
    /// The application does not answer as it should.
    HealthFailed {
        /// How.
        health: HealthReport,
        /// The likely cause.
        cause: Option<Cause>,
        /// The last lines of the application.
        application_log: Vec<String>,
    },
    /// `latest` names the image now, or never may.
    LatestTagged {
        /// Why not, where it does not.
        skipped: Option<String>,
    },
    /// Auto-deployments are as they were before.
    AutoDeploymentsRestored {
        /// The operation of the update that did it; `None` where they were so already.
        operation: Option<OperationId>,
        /// Why not, where AWS refused.
        refused: Option<String>,
    },
    /// The new release is live and proven.
    DeploymentSucceeded,
    /// A step was refused by the world or by a gate.
    StepFailed {
        /// The step.
        step: Step,
        /// The refusal.
        failure: Failure,
    },
    /// The way back begins.
    RollbackStarted {
        /// Why.
        because: Failure,
    },
    /// App Runner accepted the update back.
    RollbackIssued(Issue),
    /// The captured release is back and proven.
    RollbackVerified {
        /// Who brought it back.
        by: RolledBackBy,
        /// The proof.
        proof: Proof,
        /// The answer of the old release.
        health: Option<HealthReport>,
    },
    /// The deployment failed and the old release serves, proven.
    DeploymentRolledBack {
        /// Why it failed.
        because: Failure,
    },
    /// The way back failed.
    RollbackFailed {
        /// Why the deployment failed.
        because: Failure,
        /// Why the way back did.
        failure: Failure,
    },
    /// The deployment failed, and there was nothing to take back.
    DeploymentFailed {
        /// Why.
        because: Failure,
    },
    /// The process stopped before the end; the deployment can be resumed.
    Interrupted {
        /// Why.
        because: Interruption,
    },
    /// A process took the deployment up again.
    Resumed {
        /// Whether it is to go back instead of on.
        backwards: bool,
        /// Whether what the process before proved is to be proven again: it may be long untrue.
        /// Versions before 0.1.0 wrote no such word, and did not.
        #[serde(default)]
        proves_again: bool,
    },
    /// A person closed it without touching AWS.
    DeploymentAbandoned {
        /// The reason given.
        reason: String,
    },
    /// What is true cannot be known from here.
    AttentionNeeded {
        /// What is known.
        evidence: Vec<String>,
    },
    /// Images are about to be deleted: the intention, durable before the first call.
    PruneStarted {
        /// The repository.
        repository: RepositoryName,
        /// How many rollback targets of each service were to be kept.
        keep: u32,
        /// The images. In the journal of a service that shares the repository: those it knows.
        images: Vec<Digest>,
        /// What they take, in bytes.
        bytes: u64,
        /// The service that was asked about, where that is another one.
        #[serde(default)]
        asked: Option<ServiceName>,
    },
    /// Images were deleted, by ECR's own answer.
    ImagesPruned {
        /// Those that were deleted. Found out afterwards: those that are gone, whoever deleted them.
        deleted: Vec<Digest>,
        /// Those that were gone before they could be deleted.
        #[serde(default)]
        not_there: Vec<Digest>,
        /// Those that are not, and why.
        failures: Vec<String>,
        /// The repository.
        #[serde(default)]
        repository: Option<RepositoryName>,
        /// What those that were deleted took, in bytes.
        #[serde(default)]
        bytes: u64,
        /// Whether this was found out afterwards, because the process that deleted could not say.
        #[serde(default)]
        found: bool,
    },
    /// The journal began on a service that surefoot had deployed before: what AWS still tells of it.
    RecordRecovered {
        /// The service's stream.
        stream: StreamName,
        /// An AWS endpoint other than AWS itself.
        endpoint: Option<String>,
        /// The service as it was found.
        found: Box<Captured>,
        /// Its operations, newest first, as far as AWS lists them.
        operations: Vec<OperationId>,
    },
    /// The journal was damaged and came back.
    JournalRestored {
        /// What was wrong.
        damage: String,
        /// Where the damaged files are now.
        moved_to: Option<String>,
        /// How many events of this stream the export had.
        from_export: u64,
        /// How many more the damaged file could prove.
        saved: u64,
        /// How many more there were, as far as the damaged file still says.
        #[serde(default, skip_serializing_if = "is_zero")]
        lost: u64,
    },
    /// A person or a rollback judged a release.
    ReleaseMarked {
        /// The deployment.
        deployment: DeploymentNumber,
        /// Whether it is good.
        good: bool,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// The name of its type: what the envelope carries.
    pub fn type_name(&self) -> String {
        self.words().0
    }

    /// Its data alone, as the envelope carries it.
    pub fn data(&self) -> serde_json::Value {
        self.words().1
    }

    /// The name of its type and its data, as the envelope carries them.
    pub fn words(&self) -> (String, serde_json::Value) {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let mut take = |key| value.get_mut(key).map(serde_json::Value::take).unwrap_or_default();
        let name = take("type").as_str().unwrap_or_default().to_owned();
        (name, take("data"))
    }

    /// The event of this type with this data, or why this version cannot read it.
    pub fn parse(type_name: &str, data: &serde_json::Value) -> Result<Self, serde_json::Error> {
        // The type first: data that comes before its type is read into a buffer, and again.
        let type_name = serde_json::Value::from(type_name);
        let content = (!data.is_null()).then_some(("data", data));
        let fields = std::iter::once(("type", &type_name)).chain(content);
        Self::deserialize(MapDeserializer::new(fields))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The commit a plan deploys, where one is known.
pub fn commit_of(plan: &Plan) -> Option<&Commit> {
    plan.target()?.checkout.as_ref().map(|checkout| &checkout.commit)
}
