//! Asking App Runner for a release: one call, once, with its values and its mark.
//!
//! What App Runner may refuse about the form of a request, rather than about the release, is
//! answered here by the other form: a digest by the unique tag, auto-deployments by none.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bench, Outcome, StepError, Vault, asked};
use crate::event::{Event, Failure, Interruption, Issue, Observation};
use crate::names::{
    DeploymentId, Digest, ImageIdentifier, PayloadHash, Reference, ServiceArn, ServiceName,
    VariableName,
};
use crate::problem::ExitCode;
use crate::release::{Release, Values};
use crate::world::service::{Change, Issued, Service};
use crate::world::{Obstacle, Progress, WorldError};

/// A change about to be asked for.
pub struct Request<'a> {
    /// The service; `None` where it is to be created.
    pub service: Option<&'a Service>,
    /// Its name.
    pub name: &'a ServiceName,
    /// The release, complete.
    pub release: Release,
    /// Our mark.
    pub mark: DeploymentId,
}

/// IAM is eventually consistent: a role made a moment ago cannot be assumed yet. Terraform retries
/// on this text for the same reason.
const ROLE_PATIENCE: u32 = 12;

/// The hash of the request that would be sent, made by the code that sends it.
pub async fn payload(bench: &Bench<'_>, request: &Request<'_>) -> Result<PayloadHash, StepError> {
    Ok(PayloadHash::of(&preview(bench, request).await?))
}

/// The request that would be sent, made by the code that sends it.
pub async fn preview(
    bench: &Bench<'_>,
    request: &Request<'_>,
) -> Result<serde_json::Value, StepError> {
    let values = values(bench, request)?;
    let change = Change { release: &request.release, values: &values, mark: &request.mark };
    let services = &bench.world.services;
    Ok(match request.service {
        Some(service) => services.preview_update(&service.arn, &change).await?,
        None => services.preview_create(request.name, &change).await?,
    })
}

/// A throttled change is asked for so many times more, with a fresh look before each.
const THROTTLE_PATIENCE: u32 = 5;

/// Sends it, and in another form where AWS refuses this one: never again without another `look`,
/// since somebody else may have come in between. The answer says which release was really asked for.
pub async fn issue<F>(
    bench: &Bench<'_>,
    mut request: Request<'_>,
    look: impl Fn() -> F,
) -> Result<Issue, StepError>
where
    F: Future<Output = Result<(), StepError>>,
{
    let mut notes: Vec<&str> = Vec::new();
    let mut assuming = 0;
    loop {
        let payload = payload(bench, &request).await?;
        let refused = match send(bench, &request).await {
            Ok(issued) => return Ok(accepted(bench, request, issued, payload, &notes).await),
            Err(refused @ WorldError::Refused { .. }) => refused,
            // What was not refused may have taken effect, whatever its text says.
            Err(other) => return Err(other.into()),
        };
        let text = refused.to_string();
        if request.release.configuration.auto_deployments && refuses_automation(&text) {
            // Asked first: this refusal speaks of the image identifier too.
            request.release.configuration.auto_deployments = false;
            notes.push("App Runner refuses auto-deployments beside a digest; they are off now");
        } else if let Some(image) = by_tag(bench, &request.release.image, &text).await? {
            request.release.image = image;
            notes.push("App Runner refused the digest; a tag is used, checked before and after");
        } else if assuming < ROLE_PATIENCE && refuses_the_role(&text) {
            assuming += 1;
            bench.progress.report(Progress::Waiting { what: "IAM to know the role".into() });
            bench.world.clock.sleep(bench.times.role_wait / ROLE_PATIENCE).await;
        } else {
            return Err(explain(refused));
        }
        look().await?;
    }
}

async fn send(bench: &Bench<'_>, request: &Request<'_>) -> Result<Issued, WorldError> {
    // A value that is missing was found out when the payload was made.
    let values = values(bench, request).unwrap_or_default();
    let change = Change { release: &request.release, values: &values, mark: &request.mark };
    bench.flight.begin();
    let answer = match request.service {
        Some(service) => bench.world.services.update(&service.arn, &change).await,
        None => bench.world.services.create(request.name, &change).await,
    };
    if answer.is_err() {
        bench.flight.end();
    }
    answer
}

async fn accepted(
    bench: &Bench<'_>,
    request: Request<'_>,
    issued: Issued,
    payload: PayloadHash,
    notes: &[&str],
) -> Issue {
    let before = request.service.and_then(Service::release);
    let url = match request.service {
        Some(service) => service.url.clone(),
        None => address(bench, &issued.arn).await,
    };
    Issue {
        service_id: service_id(&issued.arn),
        service: issued.arn,
        url,
        operation: issued.operation,
        mark: request.mark,
        differences: before.map(|before| before.differences(&request.release)).unwrap_or_default(),
        release: request.release,
        payload: Some(payload),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        found: false,
    }
}

/// A fresh service's address; empty where it is not answered yet, to be asked for again later.
async fn address(bench: &Bench<'_>, arn: &ServiceArn) -> String {
    let described = bench.world.services.describe(arn).await;
    described.ok().flatten().map(|service| service.url).unwrap_or_default()
}

/// The end of the ARN: log groups carry it.
pub fn service_id(arn: &ServiceArn) -> String {
    arn.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}

/// What was found done, as an issue: after a kill or a lost answer.
pub fn found(
    service: &Service,
    request: Request<'_>,
    operation: Option<crate::names::OperationId>,
    observed: &Observation,
) -> Issue {
    let release = service
        .release()
        .filter(|_| service.mark.as_deref() == Some(request.mark.as_str()))
        .unwrap_or(request.release);
    let note = observed.image.as_ref().map(|image| format!("before it ran {image}"));
    Issue {
        service: service.arn.clone(),
        service_id: service.id.clone(),
        url: service.url.clone(),
        operation,
        mark: request.mark,
        differences: Vec::new(),
        release,
        payload: None,
        note,
        found: true,
    }
}

/// The values behind the hashes of a release: from our own table, else from the live service where
/// they are the very same.
fn values(bench: &Bench<'_>, request: &Request<'_>) -> Result<Values, StepError> {
    Ok(known_values(&request.release, request.service, bench.vault)?)
}

/// The same, wherever it is asked.
pub(super) fn known_values(
    release: &Release,
    service: Option<&Service>,
    vault: &dyn Vault,
) -> Result<Values, Failure> {
    let mut values = BTreeMap::new();
    let mut missing: Vec<&VariableName> = Vec::new();
    for (name, hash) in &release.configuration.environment {
        let live = service.and_then(|service| service.values.get(name));
        let live = live.filter(|value| crate::names::ValueHash::of(name, value) == *hash);
        match live.map(str::to_owned).or_else(|| vault.value(hash)) {
            Some(value) => {
                values.insert(name.clone(), value);
            }
            None => missing.push(name),
        }
    }
    if missing.is_empty() { Ok(Values::new(values)) } else { Err(unknown_values(&missing)) }
}

fn unknown_values(missing: &[&VariableName]) -> Failure {
    let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    Failure::new(
        ExitCode::Update,
        "value-missing",
        "this machine does not have every environment value of the release",
    )
    .because(format!("unknown here: {names}; exports leave plain values out"))
    .hint("run it where the release was deployed, or set the values in surefoot.toml and deploy")
}

fn refuses_the_identifier(text: &str) -> bool {
    text.contains("InvalidRequest") && text.to_lowercase().contains("image identifier")
        || text.contains("ImageIdentifier")
}

/// No text is recorded: whatever a refusal calls them, automatic deployments are what it is about.
fn refuses_automation(text: &str) -> bool {
    let words = text.to_lowercase().replace([' ', '-'], "");
    let named = ["autodeploy", "automaticdeploy"].iter().any(|name| words.contains(name));
    text.contains("InvalidRequest") && named
}

fn refuses_the_role(text: &str) -> bool {
    text.contains("Error in assuming") && text.contains("role")
}

/// App Runner's refusal, in the words of the catalogue where it is known.
fn explain(error: WorldError) -> StepError {
    let text = error.to_string();
    let Some(cause) = crate::diagnosis::refusal(&text) else { return error.into() };
    let mut failure = Failure::new(ExitCode::Update, &cause.code, cause.what).because(text);
    failure.hints.push(cause.fix);
    failure.into()
}

/// A tag that names the refused digest now, for the form of request that has no digest: the one it
/// was pushed under, else any but `latest`, which moves.
async fn by_tag(
    bench: &Bench<'_>,
    image: &ImageIdentifier,
    refusal: &str,
) -> Result<Option<ImageIdentifier>, StepError> {
    if is_tag(image) || !refuses_the_identifier(refusal) {
        return Ok(None);
    }
    let found = match bench.world.registry.image(&image.repository, &image.reference).await {
        // Then App Runner's own refusal is what there is to say.
        Err(WorldError::Refused { .. }) => None,
        found => found?,
    };
    let tags = found.map(|found| found.tags).unwrap_or_default();
    let pushed = bench.deployment.done.pushed.as_ref().map(|(_, tag)| tag.as_str());
    let own = tags.iter().find(|tag| Some(tag.as_str()) == pushed);
    let tag = own.or_else(|| tags.iter().find(|tag| *tag != "latest"));
    Ok(tag.and_then(|tag| format!("{}:{tag}", image.repository_uri()).parse().ok()))
}

/// An identifier that is a tag stands for a digest only while the tag still names it.
pub async fn still_names(
    bench: &Bench<'_>,
    image: &ImageIdentifier,
    digest: Option<&Digest>,
) -> Result<bool, StepError> {
    if !is_tag(image) {
        return Ok(true);
    }
    let now = asked(bench.world.registry.image(&image.repository, &image.reference).await)?;
    Ok(now.is_some_and(|now| Some(&now.digest) == digest))
}

/// Asks, and asks again where AWS only asked for patience: a throttled call had no effect. Whoever
/// asks looks first, each time.
pub async fn patiently<F>(
    bench: &Bench<'_>,
    mut ask: impl FnMut() -> F,
) -> Result<Outcome, StepError>
where
    F: Future<Output = Result<Outcome, StepError>>,
{
    for times in 1..=THROTTLE_PATIENCE {
        match ask().await {
            Err(error) if is_throttled(&error) => {
                let what = "App Runner, which throttles calls".into();
                bench.progress.report(Progress::Waiting { what });
                bench.world.clock.sleep(pause(bench) * times).await;
            }
            other => return other,
        }
    }
    ask().await
}

fn is_throttled(error: &StepError) -> bool {
    matches!(
        error,
        StepError::Interrupted(Interruption::Unreachable { obstacle: Obstacle::Throttled, .. })
    )
}

/// How long to wait between two looks at something that lags.
pub fn pause(bench: &Bench<'_>) -> Duration {
    bench.times.poll
}

/// Whether an identifier is a tag rather than content.
pub fn is_tag(image: &ImageIdentifier) -> bool {
    matches!(image.reference, Reference::Tag(_))
}

/// The event for an issue, by whether the service was there.
pub fn issued(existed: bool, issue: Issue) -> Event {
    if existed { Event::UpdateIssued(issue) } else { Event::CreateIssued(issue) }
}
