//! One deployment from its first event to its last.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::effect::{Effect, effect};
use super::fold::fold;
use super::history::{Row, history, target_digest, target_tag};
use super::proof::brought_back;
use super::standing::{next_commands, standing};
use super::{
    RECOVERED, Recorded, Told, Tone, as_seconds, between, problem_of, proof_words, recovered, told,
};
use crate::event::deployment::{Deployment, Phase};
use crate::event::{Event, HealthReport, Issue, PreviousDigest, Proof, RolledBackBy};
use crate::names::{
    DeploymentNumber, Digest, ImageIdentifier, PayloadHash, ServiceArn, StreamName, Tag, ValueHash,
    VariableName, service_address,
};
use crate::plan::Step;
use crate::problem::Problem;
use crate::release::Difference;

/// One deployment as a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Story {
    /// The deployment in a line.
    #[serde(flatten)]
    pub row: Row,
    /// What it was to the service.
    #[serde(skip)]
    pub effect: Effect,
    /// The service.
    pub service: Option<StreamName>,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The service's address.
    pub url: Option<String>,
    /// What the deployment scripts of old kept in a state file, derived.
    pub record: Record,
    /// Its steps, in the order in which they ended.
    pub steps: Vec<StoryStep>,
    /// What happened beside the steps.
    pub moments: Vec<Moment>,
    /// What is proven, a sentence per level.
    pub proof: Vec<String>,
    /// The proof itself.
    pub evidence: Option<Proof>,
    /// What the health gate saw.
    pub health: Option<HealthReport>,
    /// The application's log lines kept at a failure.
    pub log: Vec<String>,
    /// How the release before came back, where it did.
    pub way_back: Option<WayBack>,
    /// What went wrong.
    pub problem: Option<Problem>,
    /// Where that leaves the service.
    pub standing: Option<String>,
    /// What to type next.
    pub next: Vec<String>,
}

/// The state of a deployment, derived from its events and stored nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Record {
    /// The service's ARN.
    pub service_arn: Option<ServiceArn>,
    /// The tag of the release before.
    pub previous_tag: Option<Tag>,
    /// The digest of the release before.
    pub previous_digest: Option<Digest>,
    /// How well that digest is known.
    pub previous_digest_proven: bool,
    /// The tag of the release asked for.
    pub target_tag: Option<Tag>,
    /// The digest of the release asked for.
    pub target_digest: Option<Digest>,
    /// Whether auto-deployments were on before; none where there was no release.
    pub original_auto_deployments: Option<bool>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// Whether surefoot set out to go back.
    pub rollback_attempted: bool,
    /// Whether App Runner went back by itself.
    pub taken_back_by_app_runner: bool,
}

/// How the release before came back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayBack {
    /// Who brought it back.
    pub by: RolledBackBy,
    /// The proof that it is back.
    pub proof: Proof,
    /// The answer of the old release.
    pub health: Option<HealthReport>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoryStep {
    /// The event that ended it.
    pub sequence: u64,
    /// The step.
    pub step: Step,
    /// When it became due.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds, since it became due or was taken up again.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub took: Option<Duration>,
    /// How it came out.
    pub outcome: Tone,
    /// What came back, in words.
    pub text: String,
    /// What was sent.
    pub sent: Option<Sent>,
}

/// What a call that changes the service carried. Names and hashes, never values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// The hash of the whole request, values included.
    pub payload: Option<PayloadHash>,
    /// The image.
    pub image: ImageIdentifier,
    /// Plain environment variables by the hashes of their values.
    pub environment: BTreeMap<VariableName, ValueHash>,
    /// Secrets by reference.
    pub secrets: BTreeMap<VariableName, String>,
    /// What that changed.
    pub differences: Vec<Difference>,
}

/// Something that happened beside the steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// The event.
    pub sequence: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// How it is meant.
    pub tone: Tone,
    /// What happened.
    pub text: String,
}

/// The story of one deployment, if the stream has it.
pub fn story(records: &[Recorded], number: DeploymentNumber) -> Option<Story> {
    let rows = history(records);
    let row = rows.iter().find(|row| row.number == number)?;
    if number == RECOVERED {
        return recovered::story(records, row);
    }
    let of_it = records.iter().filter(|record| record.deployment == Some(number));
    Some(told_of(row, &rows, of_it))
}

/// The story of every deployment, oldest first.
pub fn stories(records: &[Recorded]) -> Vec<Story> {
    let rows = history(records);
    let folded = fold(records);
    // What ran before the first deployment has a row, and no events of its own.
    let before = rows.iter().filter(|row| row.number == RECOVERED);
    let before = before.filter_map(|row| recovered::story(records, row));
    let deployed = rows.iter().filter(|row| row.number != RECOVERED);
    let told = folded.iter().zip(deployed);
    before.chain(told.map(|(one, row)| told_of(row, &rows, one.events.iter().copied()))).collect()
}

impl Story {
    /// A story of which nothing but the row is known.
    pub(super) fn of(row: Row) -> Self {
        Self {
            row,
            effect: Effect::default(),
            service: None,
            endpoint: None,
            url: None,
            record: Record::default(),
            steps: Vec::new(),
            moments: Vec::new(),
            proof: Vec::new(),
            evidence: None,
            health: None,
            log: Vec::new(),
            way_back: None,
            problem: None,
            standing: None,
            next: Vec::new(),
        }
    }
}

fn told_of<'a>(row: &Row, rows: &[Row], records: impl Iterator<Item = &'a Recorded>) -> Story {
    let row = row.clone();
    let mut telling = Telling::default();
    records.for_each(|record| telling.hear(record));
    let Telling { state, steps, moments, log, rollback_attempted, unreadable, way_back, .. } =
        telling;
    let readable = state.as_ref().filter(|_| !unreadable);
    let mut record = state.as_ref().map(|state| derived(state, rows)).unwrap_or_default();
    record.started_at = Some(row.started_at);
    record.rollback_attempted = rollback_attempted;
    let endpoint = state.as_ref().and_then(|state| state.plan.endpoint.clone());
    let address = state.as_ref().and_then(Deployment::address);
    Story {
        effect: readable.map(|state| effect(state, &row)).unwrap_or_default(),
        row,
        service: state.as_ref().map(|state| state.plan.stream.clone()),
        url: address.map(|(host, _)| service_address(host, endpoint.as_deref())),
        endpoint,
        record,
        steps,
        moments,
        log,
        proof: readable.map(|state| proven(state, way_back.as_ref())).unwrap_or_default(),
        way_back,
        evidence: readable.and_then(|state| state.done.proof.clone()),
        health: readable.and_then(|state| state.done.health.clone()),
        problem: readable.and_then(problem_of),
        standing: readable.map(standing),
        next: readable.map(next_commands).unwrap_or_default(),
    }
}

/// What is proven in the end: of the release asked for, or of the one that came back.
fn proven(state: &Deployment, way_back: Option<&WayBack>) -> Vec<String> {
    match (&state.phase, way_back) {
        (Phase::Succeeded | Phase::Forward, _) => proof_words(state),
        (_, Some(way_back)) => {
            vec![brought_back(&way_back.proof)]
        }
        _ => Vec::new(),
    }
}

/// What was heard so far.
#[derive(Default)]
struct Telling {
    state: Option<Deployment>,
    due: Option<(Step, DateTime<Utc>)>,
    payload: Option<PayloadHash>,
    steps: Vec<StoryStep>,
    moments: Vec<Moment>,
    log: Vec<String>,
    way_back: Option<WayBack>,
    rollback_attempted: bool,
    unreadable: bool,
}

impl Telling {
    fn hear(&mut self, record: &Recorded) {
        let event = match &record.event {
            Ok(event) => event,
            Err(raw) => {
                self.unreadable = true;
                return self.remark(record, Tone::Note, format!("{} (newer)", raw.type_name));
            }
        };
        if !self.evolve(event) {
            self.unreadable = true;
            let text = format!("{} cannot follow here", event.type_name());
            return self.remark(record, Tone::Bad, text);
        }
        self.keep(event);
        self.tell(event, record);
        self.become_due(event, record.at);
    }

    /// Once an event could not be read, what follows is not judged by the state any more.
    fn evolve(&mut self, event: &Event) -> bool {
        if self.unreadable {
            return true;
        }
        let next = match (self.state.take(), event) {
            (None, Event::DeploymentPlanned(plan)) => Some(Deployment::begin((**plan).clone())),
            (None, _) => None,
            (Some(state), event) => {
                let next = state.clone().evolve(event).ok();
                let fits = next.is_some();
                self.state = next.or(Some(state));
                return fits;
            }
        };
        self.state = next;
        self.state.is_some()
    }

    fn keep(&mut self, event: &Event) {
        match event {
            Event::StepStarted { payload, .. } => self.payload.clone_from(payload),
            Event::OperationFailed { application_log, .. }
            | Event::HealthFailed { application_log, .. } => self.log.clone_from(application_log),
            Event::RollbackStarted { .. } => self.rollback_attempted = true,
            Event::RollbackVerified { by, proof, health } => {
                let (proof, health) = (proof.clone(), health.clone());
                self.way_back = Some(WayBack { by: *by, proof, health });
            }
            _ => {}
        }
    }

    fn tell(&mut self, event: &Event, record: &Recorded) {
        let Some(told) = self.state.as_ref().and_then(|state| told(event, state)) else { return };
        let Told { step: Some(step), tone, text } = told else {
            return self.remark(record, told.tone, told.text);
        };
        let at = record.at;
        let started_at = self.due.filter(|(due, _)| *due == step).map_or(at, |(_, since)| since);
        self.steps.push(StoryStep {
            sequence: record.sequence,
            step,
            started_at,
            took: between(started_at, at),
            outcome: tone,
            text,
            sent: sent(event, self.payload.take()),
        });
    }

    fn remark(&mut self, record: &Recorded, tone: Tone, text: String) {
        let Recorded { sequence, at, .. } = *record;
        self.moments.push(Moment { sequence, at, tone, text });
    }

    /// A step is due since the event that made it so; a pause does not count.
    fn become_due(&mut self, event: &Event, at: DateTime<Utc>) {
        let due = self.state.as_ref().and_then(Deployment::current_step);
        let same = due == self.due.map(|(step, _)| step);
        if !same || matches!(event, Event::Resumed { .. }) {
            self.due = due.map(|step| (step, at));
        }
    }
}

fn sent(event: &Event, payload: Option<PayloadHash>) -> Option<Sent> {
    let (Event::CreateIssued(issue) | Event::UpdateIssued(issue) | Event::RollbackIssued(issue)) =
        event
    else {
        return None;
    };
    let Issue { release, differences, .. } = issue;
    Some(Sent {
        payload: issue.payload.clone().or(payload),
        image: release.image.clone(),
        environment: release.configuration.environment.clone(),
        secrets: release.configuration.secrets.clone(),
        differences: differences.clone(),
    })
}

fn derived(state: &Deployment, rows: &[Row]) -> Record {
    let captured = state.done.captured.as_ref();
    let previous = state.previous();
    let known = captured.and_then(|captured| captured.digest.as_ref());
    let previous_digest = match known {
        Some(PreviousDigest::Proven { digest, .. } | PreviousDigest::ResolvedToday { digest }) => {
            Some(digest.clone())
        }
        Some(PreviousDigest::Gone) | None => previous.and_then(|r| r.image.digest()).cloned(),
    };
    let by_log = rows
        .iter()
        .rfind(|row| row.number < state.plan.number && row.digest == previous_digest)
        .filter(|_| previous_digest.is_some())
        .and_then(|row| row.tag.clone());
    let by_identifier = previous.and_then(|release| release.image.tag()).cloned();
    Record {
        service_arn: state.service().cloned(),
        previous_tag: by_identifier.or(by_log),
        previous_digest_proven: matches!(known, Some(PreviousDigest::Proven { .. })),
        previous_digest,
        target_tag: target_tag(state).cloned(),
        target_digest: target_digest(state).cloned(),
        original_auto_deployments: previous.map(|r| r.configuration.auto_deployments),
        started_at: None,
        rollback_attempted: false,
        taken_back_by_app_runner: taken_back(state),
    }
}

fn taken_back(state: &Deployment) -> bool {
    let ended = state.done.operation.as_ref();
    let back = matches!(state.phase, Phase::RolledBack { .. });
    back && ended.is_some_and(|status| *status != crate::world::service::OperationStatus::Succeeded)
}
