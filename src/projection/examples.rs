//! Whole runs, built from real events through the real fold: what the tests of projections and
//! views look at.

#![expect(
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "examples for tests, where a panic is the message"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Recorded;
use crate::config::value::{AutoDeployments, HealthFrom};
use crate::config::{HealthGate, Overlay};
use crate::event::deployment::{Deployment, Next};
use crate::event::{
    Captured, Cause, Event, Failure, HealthOutcome, HealthReport, Interruption, Issue, Observation,
    PreviousDigest, Proof, RolledBackBy,
};
use crate::names::{
    DeploymentId, DeploymentNumber, Digest, ImageIdentifier, PayloadHash, ValueHash,
};
use crate::plan::{Intent, Plan, PlannedBuild, Step, Target, TargetOrigin};
use crate::problem::ExitCode;
use crate::release::{Configuration, Difference, Release};
use crate::world::registry::Platform;
use crate::world::service::{OperationStatus, ServiceStatus};
use crate::world::source::Checkout;
use crate::world::{Obstacle, Place};

/// A run so far.
#[derive(Debug, Clone)]
pub struct Run {
    /// Everything that happened, as recorded.
    pub records: Vec<Recorded>,
    /// The states after each record.
    pub states: Vec<Deployment>,
    now: DateTime<Utc>,
}

/// The moment at which the examples begin.
pub fn morning() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

impl Run {
    /// The run that begins with this plan.
    pub fn begin(plan: Plan, at: DateTime<Utc>) -> Self {
        let state = Deployment::begin(plan.clone());
        let number = state.plan.number;
        let event = Event::DeploymentPlanned(Box::new(plan));
        let records = vec![recorded(number.0 * 100, at, number, event)];
        Self { records, states: vec![state], now: at }
    }

    /// So many seconds later, this outcome; its intention is written first where it needs one.
    pub fn then(mut self, seconds: i64, event: Event) -> Self {
        if let Next::Begin(step) = self.state().next() {
            let payload = matches!(step, Step::ChangeService | Step::RollBack).then(payload);
            let observed = Observation::default();
            self = self.write(0, Event::StepStarted { step, observed, payload });
        }
        self.write(seconds, event)
    }

    /// So many seconds later, exactly this.
    pub fn write(mut self, seconds: i64, event: Event) -> Self {
        self.now += TimeDelta::seconds(seconds);
        let state = self.state().clone().evolve(&event).expect("the example is legal");
        let sequence = self.records.last().unwrap().sequence + 1;
        self.records.push(recorded(sequence, self.now, state.plan.number, event));
        self.states.push(state);
        self
    }

    /// Whatever the state itself announces next, until it has nothing to announce.
    pub fn announced(mut self) -> Self {
        while let Next::Announce(event) = self.state().next() {
            self = self.write(0, *event);
        }
        self
    }

    /// The state it led to.
    pub fn state(&self) -> &Deployment {
        self.states.last().unwrap()
    }

    /// When it began.
    pub fn started(&self) -> DateTime<Utc> {
        self.records[0].at
    }

    /// When it was last heard of.
    pub fn ended(&self) -> DateTime<Utc> {
        self.now
    }

    /// Each event with the state it led to.
    pub fn told(&self) -> impl Iterator<Item = (&Event, &Deployment, DateTime<Utc>, Duration)> {
        self.records.iter().zip(&self.states).map(|(record, state)| {
            let elapsed = (record.at - self.started()).to_std().unwrap();
            (record.event.as_ref().unwrap(), state, record.at, elapsed)
        })
    }
}

fn recorded(sequence: u64, at: DateTime<Utc>, number: DeploymentNumber, event: Event) -> Recorded {
    let deployment = Some(number);
    let actor = "ada@laptop".into();
    Recorded { sequence, at, deployment, actor, ci_run: None, event: Ok(event) }
}

fn payload() -> PayloadHash {
    PayloadHash::of(&serde_json::json!({ "ServiceName": "shop" }))
}

/// The digest of the release with this tag.
pub fn digest(tag: &str) -> Digest {
    Digest::of(tag.as_bytes())
}

/// The release with this tag.
pub fn release(tag: &str) -> Release {
    let repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";
    let name = "LOG_LEVEL".parse().unwrap();
    let hash = ValueHash::of(&name, "info");
    Release {
        image: ImageIdentifier::by_digest(repository, &digest(tag)).unwrap(),
        configuration: Configuration {
            port: Some("8080".into()),
            environment: BTreeMap::from([(name, hash)]),
            ..Configuration::default()
        },
    }
}

/// The steps of a deployment that builds.
pub const STEPS: [Step; 9] = [
    Step::Preflight,
    Step::EnsureRepository,
    Step::BuildImage,
    Step::PushImage,
    Step::CapturePrevious,
    Step::ChangeService,
    Step::AwaitOperation,
    Step::VerifyRelease,
    Step::CheckHealth,
];

/// A plan to deploy this tag as this deployment.
pub fn plan(number: u64, tag: &str) -> Plan {
    let target = Target {
        repository: "shop".parse().unwrap(),
        tag: tag.parse().unwrap(),
        checkout: Some(Checkout {
            commit: "8b71ff7c0ffee00000000000000000000000abcd".parse().unwrap(),
            branch: Some("main".into()),
            subject: "Shop: a new basket".into(),
            dirty: false,
            committed_at: Some(morning() - TimeDelta::days(4)),
        }),
        latest: false,
        origin: TargetOrigin::Build {
            request: PlannedBuild {
                context: "/src/shop".into(),
                dockerfile: "Dockerfile".into(),
                arguments: BTreeMap::new(),
                target: None,
            },
            context: "c".repeat(64),
        },
    };
    Plan {
        id: DeploymentId::derived_from(&[tag]),
        number: DeploymentNumber(number),
        stream: "123456789012/eu-central-1/shop".parse().unwrap(),
        endpoint: None,
        intent: Intent::Deploy { target, overlay: Overlay::default(), default_access_role: None },
        auto_deployments: AutoDeployments::Keep,
        force_restart: false,
        health: gate(),
        steps: STEPS.to_vec(),
        bad: Vec::new(),
        previous_path: None,
    }
}

fn gate() -> HealthGate {
    HealthGate {
        path: "/healthz".into(),
        retries: 5,
        timeout: Duration::from_secs(5),
        interval: Duration::from_secs(5),
        passes: 2,
        from: HealthFrom::Service,
        assertions: Vec::new(),
        version: None,
        allow_missing_dependencies: false,
    }
}

/// The plan to go back to this release as this deployment.
pub fn rollback_plan(number: u64, to: u64, tag: &str) -> Plan {
    let steps = [
        Step::Preflight,
        Step::CapturePrevious,
        Step::ChangeService,
        Step::AwaitOperation,
        Step::VerifyRelease,
        Step::CheckHealth,
    ];
    let release = release(tag);
    let intent =
        Intent::Rollback { to: DeploymentNumber(to), release, reason: None, image_only: false };
    let id = DeploymentId::derived_from(&["rollback", tag]);
    Plan { intent, id, steps: steps.to_vec(), ..plan(number, tag) }
}

/// The service as it ran this tag.
pub fn captured(tag: &str) -> Captured {
    let Issue { service, service_id, url, .. } = issue(tag, UPDATE);
    Captured {
        service,
        service_id,
        url,
        status: ServiceStatus::Running,
        release: Some(release(tag)),
        mark: None,
        digest: Some(PreviousDigest::Proven { digest: digest(tag), in_registry: Some(true) }),
    }
}

/// The acceptance of a change to this tag.
pub fn issue(tag: &str, operation: &str) -> Issue {
    let arn =
        "arn:aws:apprunner:eu-central-1:123456789012:service/shop/8fe1e10304f84fd2b0df550fe98a71fa";
    Issue {
        service: arn.parse().unwrap(),
        service_id: "8fe1e10304f84fd2b0df550fe98a71fa".into(),
        url: "psbqam834h.eu-central-1.awsapprunner.com".into(),
        operation: Some(operation.parse().unwrap()),
        mark: DeploymentId::derived_from(&[tag]),
        release: release(tag),
        differences: vec![Difference {
            field: "image".into(),
            before: Some(release("v1.4.1").image.to_string()),
            after: Some(release(tag).image.to_string()),
        }],
        payload: Some(payload()),
        note: None,
        found: false,
    }
}

/// The proof that this tag is live.
pub fn proof(tag: &str, operation: &str) -> Proof {
    Proof {
        image: release(tag).image,
        digest: Some(digest(tag)),
        mark: None,
        operation: Some(operation.parse().unwrap()),
        status: ServiceStatus::Running,
        newest_operation: Some(operation.parse().unwrap()),
    }
}

/// A health report.
pub fn health(outcome: HealthOutcome, status: u16, findings: &[&str]) -> HealthReport {
    HealthReport {
        outcome,
        url: "https://psbqam834h.eu-central-1.awsapprunner.com/healthz".into(),
        attempts: 5,
        status: Some(status),
        took: Some(Duration::from_millis(84)),
        findings: findings.iter().map(ToString::to_string).collect(),
        version: None,
    }
}

/// The operation of an update.
pub const UPDATE: &str = "8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d";
/// The operation of the way back.
pub const BACK: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
const URI: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";

/// The end of an operation as hoped.
pub fn succeeded(operation: &str) -> Event {
    Event::OperationSucceeded { operation: operation.parse().unwrap() }
}

fn failed(status: OperationStatus) -> Event {
    Event::OperationFailed {
        operation: UPDATE.parse().unwrap(),
        status,
        cause: Some(port_cause()),
        application_log: vec!["listening on 0.0.0.0:3000".into()],
    }
}

/// The health gate refuses.
pub fn unfit(status: u16, finding: &str) -> Event {
    Event::HealthFailed {
        health: health(HealthOutcome::Failed, status, &[finding]),
        cause: None,
        application_log: vec!["ffmpeg: not found".into(), "serving anyway".into()],
    }
}

fn back(by: RolledBackBy, operation: &str) -> Event {
    Event::RollbackVerified {
        by,
        proof: proof("v1.4.2", operation),
        health: Some(health(HealthOutcome::Passed, 200, &[])),
    }
}

fn signal(name: &str) -> Event {
    Event::Interrupted { because: Interruption::Signal { name: name.into() } }
}

/// Up to the moment before the service is touched.
pub fn prepared(plan: Plan, previous: Option<Captured>, at: DateTime<Utc>) -> Run {
    let tag = plan.target().unwrap().tag.clone();
    let platform = Platform { os: "linux".into(), architecture: "amd64".into() };
    let (name, id) = (format!("surefoot/shop:{tag}"), "sha256:1".into());
    let pushed = Event::DigestPushed { digest: digest(tag.as_str()), tag, reused: false };
    Run::begin(plan, at)
        .then(1, Event::PreflightPassed { warnings: vec![] })
        .then(
            1,
            Event::RepositoryEnsured { uri: URI.into(), created: false, latest_may_move: true },
        )
        .then(18, Event::ImageBuilt { name, id, platform, reused: false })
        .then(9, pushed)
        .then(1, Event::PreviousCaptured { previous: previous.map(Box::new) })
}

fn updated(number: u64, tag: &str, previous: &str, at: DateTime<Utc>) -> Run {
    prepared(plan(number, tag), Some(captured(previous)), at)
        .then(2, Event::UpdateIssued(issue(tag, UPDATE)))
}

/// The update to v1.5.0 as far as the health gate.
fn accepted() -> Run {
    updated(18, "v1.5.0", "v1.4.2", morning())
        .then(150, succeeded(UPDATE))
        .then(1, Event::ReleaseVerified { proof: proof("v1.5.0", UPDATE) })
}

/// An update that goes well.
pub fn good(number: u64, tag: &str, previous: &str, at: DateTime<Utc>) -> Run {
    good_by(plan(number, tag), previous, at).announced()
}

/// An update by this plan that goes well, as far as the health gate.
pub fn good_by(plan: Plan, previous: &str, at: DateTime<Utc>) -> Run {
    let tag = plan.target().unwrap().tag.clone();
    let tag = tag.as_str();
    let version = Some(tag.to_owned());
    let health = HealthReport { version, ..health(HealthOutcome::Passed, 200, &[]) };
    prepared(plan, Some(captured(previous)), at)
        .then(2, Event::UpdateIssued(issue(tag, UPDATE)))
        .then(171, succeeded(UPDATE))
        .then(1, Event::ReleaseVerified { proof: proof(tag, UPDATE) })
        .then(3, Event::HealthPassed { health })
}

/// The cause that App Runner's log names in [`taken_back`].
pub fn port_cause() -> Cause {
    Cause {
        code: "wrong-port".into(),
        what: "the application does not listen on port 8080".into(),
        line: Some("Health check failed on port '8080'. Check your configured port number.".into()),
        fix: "set `port` in surefoot.toml to the port the application listens on".into(),
    }
}

/// An update that App Runner takes back by itself.
pub fn taken_back() -> Run {
    updated(18, "v1.5.0", "v1.4.2", morning())
        .then(420, failed(OperationStatus::RollbackSucceeded))
        .then(4, back(RolledBackBy::AppRunner, UPDATE))
        .announced()
}

/// An update that App Runner accepts and our health gate does not: taken back by us.
pub fn unhealthy() -> Run {
    accepted()
        .then(60, unfit(200, "`dependencies.ffmpeg.available` is false, should be true"))
        .announced()
        .then(2, Event::RollbackIssued(issue("v1.4.2", BACK)))
        .then(140, succeeded(BACK))
        .then(3, back(RolledBackBy::Surefoot, BACK))
        .announced()
}

/// As [`unhealthy`], but the way back fails.
pub fn stuck() -> Run {
    let failure = Failure::new(ExitCode::RollbackFailed, "service-paused", "`shop` is PAUSED")
        .because("somebody paused it while it was being rolled back")
        .hint("resume it first: `aws apprunner resume-service`");
    accepted()
        .then(60, unfit(503, "answered 503"))
        .announced()
        .then(2, Event::StepFailed { step: Step::RollBack, failure })
        .announced()
}

/// Interrupted by Ctrl-C while App Runner is at work.
pub fn interrupted() -> Run {
    updated(18, "v1.5.0", "v1.4.2", morning()).write(30, signal("SIGINT"))
}

/// Another one, interrupted while App Runner was at work.
pub fn interrupted_at(number: u64, tag: &str) -> Run {
    updated(number, tag, "v1.4.1", morning() - TimeDelta::days(1)).write(30, signal("SIGINT"))
}

/// Interrupted between an intention and its outcome.
pub fn interrupted_in_doubt() -> Run {
    let step = Step::ChangeService;
    let lost = Event::AnswerLost { step, because: "timed out".into() };
    prepared(plan(18, "v1.5.0"), Some(captured("v1.4.2")), morning())
        .then(5, lost)
        .write(1, signal("SIGTERM"))
}

/// Interrupted on the way back.
pub fn interrupted_going_back() -> Run {
    accepted()
        .then(60, unfit(503, "answered 503"))
        .announced()
        .then(2, Event::RollbackIssued(issue("v1.4.2", BACK)))
        .write(9, signal("SIGINT"))
}

/// The credentials expire before anything is pushed.
pub fn paused_early() -> Run {
    let because = Interruption::Unreachable {
        place: Place::Ecr,
        obstacle: Obstacle::ExpiredCredentials,
        reason: "ExpiredTokenException: the security token is expired".into(),
    };
    Run::begin(plan(18, "v1.5.0"), morning())
        .then(1, Event::PreflightPassed { warnings: vec![] })
        .write(1, Event::Interrupted { because })
}

/// The very first deployment, which App Runner cannot start.
pub fn first_fails() -> Run {
    let issue = Issue { differences: vec![], ..issue("v0.1.0", UPDATE) };
    prepared(plan(1, "v0.1.0"), None, morning())
        .then(2, Event::CreateIssued(issue))
        .then(300, failed(OperationStatus::Failed))
        .announced()
}

/// The very first deployment, which runs and is not healthy.
pub fn first_unhealthy() -> Run {
    first_ends_with(unfit(404, "answered 404: the health path is wrong"))
}

/// The very first deployment, which runs, and then this.
pub fn first_ends_with(event: Event) -> Run {
    let issue = Issue { differences: vec![], ..issue("v0.1.0", UPDATE) };
    prepared(plan(1, "v0.1.0"), None, morning())
        .then(2, Event::CreateIssued(issue))
        .then(200, succeeded(UPDATE))
        .then(1, Event::ReleaseVerified { proof: proof("v0.1.0", UPDATE) })
        .then(60, event)
        .announced()
}

/// The image does not build.
pub fn build_fails() -> Run {
    let mut failure = Failure::new(ExitCode::Build, "build-failed", "the image could not be built")
        .because("the command '/bin/sh -c make' returned a non-zero code: 2");
    failure.details = vec!["make: *** [all] Error 2".into()];
    Run::begin(plan(18, "v1.5.0"), morning())
        .then(1, Event::PreflightPassed { warnings: vec!["no health path".into()] })
        .then(1, Event::RepositoryEnsured { uri: URI.into(), created: true, latest_may_move: true })
        .then(12, Event::StepFailed { step: Step::BuildImage, failure })
        .announced()
}

/// A rollback by hand to deployment 17.
pub fn rollback() -> Run {
    went_back(rollback_plan(19, 17, "v1.4.2"), morning() + TimeDelta::hours(1))
}

/// A rollback by this plan that goes well.
pub fn went_back(plan: Plan, at: DateTime<Utc>) -> Run {
    let Intent::Rollback { release, .. } = &plan.intent else { unreachable!("a rollback's plan") };
    let mut issue = issue("v1.4.2", BACK);
    let mut proof = proof("v1.4.2", BACK);
    issue.release = release.clone();
    proof.image = release.image.clone();
    proof.digest = release.image.digest().cloned();
    Run::begin(plan, at)
        .then(1, Event::PreflightPassed { warnings: vec![] })
        .then(1, Event::PreviousCaptured { previous: Some(Box::new(captured("v1.5.0"))) })
        .then(2, Event::UpdateIssued(issue))
        .then(130, succeeded(BACK))
        .then(1, Event::ReleaseVerified { proof })
        .then(3, Event::HealthPassed { health: health(HealthOutcome::Unproven, 200, &[]) })
        .announced()
}

/// The very release is live already.
pub fn already_live() -> Run {
    let arn = issue("v1.4.2", UPDATE).service;
    let release = Box::new(release("v1.4.2"));
    prepared(plan(18, "v1.4.2"), Some(captured("v1.4.2")), morning())
        .then(0, Event::NothingToChange { release, service: arn })
        .then(1, Event::HealthPassed { health: health(HealthOutcome::Passed, 200, &[]) })
        .announced()
}

/// A person must look.
pub fn attention() -> Run {
    let evidence = vec![
        "operations 77aa and 77bb are both newer than what we knew".into(),
        "the service carries the mark of neither".into(),
    ];
    interrupted_in_doubt()
        .write(60, Event::Resumed { backwards: false, proves_again: true })
        .write(30, Event::AttentionNeeded { evidence })
}

/// Several deployments of one service, in order.
pub fn several() -> Vec<Recorded> {
    let day = |days| morning() - TimeDelta::days(days);
    let mut records = good(16, "v1.4.1", "v1.4.0", day(3)).records;
    records.extend(good(17, "v1.4.2", "v1.4.1", day(1)).records);
    records.extend(unhealthy().records);
    records.extend(rollback().records);
    records.push(Recorded {
        sequence: 9_999,
        at: morning() + TimeDelta::hours(2),
        deployment: None,
        actor: "ada@laptop".into(),
        ci_run: None,
        event: Ok(Event::ReleaseMarked {
            deployment: DeploymentNumber(16),
            good: true,
            reason: "the last one before the migration".into(),
        }),
    });
    records
}

/// Every run by name.
pub fn every() -> Vec<(&'static str, Run)> {
    vec![
        ("good", good(17, "v1.4.2", "v1.4.1", morning())),
        ("already live", already_live()),
        ("taken back by App Runner", taken_back()),
        ("unhealthy, rolled back", unhealthy()),
        ("stuck", stuck()),
        ("interrupted", interrupted()),
        ("interrupted in doubt", interrupted_in_doubt()),
        ("interrupted going back", interrupted_going_back()),
        ("paused early", paused_early()),
        ("first fails", first_fails()),
        ("first unhealthy", first_unhealthy()),
        ("build fails", build_fails()),
        ("rollback", rollback()),
        ("attention", attention()),
    ]
}
