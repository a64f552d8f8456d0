//! `surefoot deploy --dry-run`: the plan and the very requests, made by the code that sends them.

use super::setup::Setup;
use super::trouble;
use crate::event::Failure;
use crate::event::deployment::Deployment;
use crate::ledger::Ledger;
use crate::names::{Digest, ImageIdentifier, OperationId, Region};
use crate::plan::inventory::Inventory;
use crate::plan::preflight::judge;
use crate::plan::{Intent, Plan, Step, TargetOrigin};
use crate::problem::{ExitCode, Problem};
use crate::release::Release;
use crate::step::{self, Bench, StepError, preflight};
use crate::view::PlanSheet;
use crate::view::plan_sheet::{Origin, Payload, PlannedStep, Side};
use crate::world::{Silence, World};

/// Stands for the digest of an image that is not built yet.
const PLACEHOLDER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Prints the plan. Nothing is changed, and nothing is written.
pub(super) async fn print(
    world: &World,
    setup: &Setup,
    seen: &Inventory,
    ledger: &Ledger,
    plan: Plan,
) -> Result<ExitCode, Problem> {
    let mut checks = super::deploy::checks(setup);
    if let Intent::Rollback { release, .. } = &plan.intent {
        checks.port = release.configuration.port.as_deref();
    }
    let findings = judge(seen, &checks);
    if let Some(failure) = preflight::refusal(&findings) {
        setup.view.findings(&findings);
        return Err(Problem::from(&failure));
    }
    let known = ledger.operations();
    let vault = Wanted(setup, ledger);
    let mut deployment = assumed(plan, seen);
    let before = bench(world, setup, seen, &known, &vault, &deployment);
    let captured = step::captured(&before).await.map_err(|error| stopped(error, &seen.region))?;
    deployment.done.captured = captured;
    let bench = bench(world, setup, seen, &known, &vault, &deployment);
    let preview = step::preview(&bench).await.map_err(|error| stopped(error, &seen.region))?;
    let sheet = sheet(setup, &deployment, &step::desired(&bench), preview.as_ref(), &findings);
    setup.view.data(&sheet);
    Ok(ExitCode::Success)
}

fn bench<'a>(
    world: &'a World,
    setup: &'a Setup,
    seen: &'a Inventory,
    known: &'a [OperationId],
    vault: &'a Wanted<'_>,
    deployment: &'a Deployment,
) -> Bench<'a> {
    Bench {
        world,
        deployment,
        vault,
        times: &setup.settings.times,
        progress: &Silence,
        inventory: Some(seen),
        journalled_operations: known,
        in_doubt: false,
        tail: false,
        told: step::Told::default(),
        flight: step::Flight::default(),
    }
}

/// Values asked for now are not in the journal yet.
struct Wanted<'a>(&'a Setup, &'a Ledger);

impl step::Vault for Wanted<'_> {
    fn value(&self, hash: &crate::names::ValueHash) -> Option<String> {
        let values = self.0.values();
        let found =
            values.iter().find(|(name, value)| crate::names::ValueHash::of(name, value) == *hash);
        found.map(|(_, value)| value.to_owned()).or_else(|| step::Vault::value(self.1, hash))
    }
}

/// The deployment as it will be right before the service is changed; what is not built yet has a
/// placeholder for its digest.
fn assumed(plan: Plan, seen: &Inventory) -> Deployment {
    let mut deployment = Deployment::begin(plan);
    if let Some(target) = deployment.plan.target().cloned()
        && matches!(target.origin, TargetOrigin::Build { .. })
    {
        let named = seen.repository.as_ref().map(|repository| repository.uri.clone());
        let (account, region) = (&seen.caller.account, &seen.region);
        let to_be = format!("{account}.dkr.ecr.{region}.amazonaws.com/{}", target.repository);
        let digest: Digest = PLACEHOLDER.parse().expect("a digest");
        deployment.done.repository = Some((named.unwrap_or(to_be), true));
        deployment.done.pushed = Some((digest, target.tag));
    }
    deployment
}

fn stopped(error: StepError, region: &Region) -> Problem {
    match error {
        StepError::Refused(failure) => Problem::from(failure.as_ref()),
        StepError::Unanswered { reason } => {
            let failure =
                Failure::new(ExitCode::Preflight, "aws-unreachable", "AWS did not answer");
            Problem::from(&failure.because(reason))
        }
        StepError::Interrupted(interruption) => match interruption {
            crate::event::Interruption::Unreachable { place, obstacle, reason } => {
                let error = crate::world::WorldError::Unreachable { place, obstacle, reason };
                trouble::world(&error, Some(region))
            }
            _ => Problem::new(ExitCode::Interrupted, "interrupted", "interrupted"),
        },
        StepError::Overtaken(evidence) => {
            let what = "somebody else changed the service meanwhile";
            evidence
                .into_iter()
                .fold(Problem::new(ExitCode::Attention, "attention", what), Problem::because)
        }
    }
}

fn sheet(
    setup: &Setup,
    deployment: &Deployment,
    desired: &Release,
    preview: Option<&serde_json::Value>,
    findings: &[crate::plan::findings::Finding],
) -> PlanSheet {
    let plan = &deployment.plan;
    let previous = deployment.previous();
    let placeholder = desired.image.digest().is_some_and(|digest| digest.as_str() == PLACEHOLDER);
    let deploys = matches!(plan.intent, Intent::Deploy { .. });
    let call = if deployment.done.captured.is_some() { "UpdateService" } else { "CreateService" };
    let differences = previous.map(|previous| previous.differences(desired)).unwrap_or_default();
    PlanSheet {
        service: plan.stream.clone(),
        endpoint: plan.endpoint.clone(),
        number: plan.number,
        from: previous.map(|release| side(&release.image)),
        to: Side {
            tag: plan.target().map(|target| target.tag.clone()),
            digest: desired.image.digest().filter(|_| !placeholder).cloned(),
        },
        steps: plan
            .steps
            .iter()
            // Where nothing is asked for there is nothing to await and nothing new to verify.
            .filter(|step| {
                preview.is_some() || !matches!(step, Step::AwaitOperation | Step::VerifyRelease)
            })
            .map(|step| planned(*step, deployment, differences.len()))
            .collect(),
        payloads: preview.into_iter().map(|body| Payload::new(call, body, placeholder)).collect(),
        differences,
        origins: setup
            .settings
            .shown()
            .iter()
            // What is gone back to brings its own.
            .filter(|shown| deploys || !is_of_the_release(&shown.key))
            .map(|shown| Origin {
                key: shown.key.clone(),
                value: shown.value.clone(),
                from: shown.origin.to_string(),
            })
            .collect(),
        warnings: preflight::warnings(findings),
    }
}

/// Whether a setting says what a release is, rather than where it goes and how long that may take.
fn is_of_the_release(key: &str) -> bool {
    const PARTS: [&str; 7] = [
        "service.",
        "environment",
        "secrets",
        "build.",
        "health.path",
        "health.assert",
        "app_runner_health_check.",
    ];
    PARTS.iter().any(|part| key.starts_with(part))
}

fn side(image: &ImageIdentifier) -> Side {
    Side { tag: image.tag().cloned(), digest: image.digest().cloned() }
}

fn planned(step: Step, deployment: &Deployment, changes: usize) -> PlannedStep {
    let plan = &deployment.plan;
    let target = plan.target();
    let words = match step {
        Step::Preflight => "read only".to_owned(),
        Step::EnsureRepository => {
            target.map(|target| target.repository.to_string()).unwrap_or_default()
        }
        Step::BuildImage => "for linux/amd64".into(),
        Step::PushImage => {
            target.map(|t| format!("{}:{}", t.repository, t.tag)).unwrap_or_default()
        }
        Step::CapturePrevious => "so that there is a way back".into(),
        Step::ChangeService => change(deployment, changes),
        Step::AwaitOperation => "until App Runner's operation ends".into(),
        Step::VerifyRelease => "identifier, mark, operation".into(),
        Step::CheckHealth => format!("GET {}", plan.health.path),
        Step::TagLatest => "once the service is pinned".into(),
        Step::RestoreAutoDeployments => "as they were".into(),
        Step::RollBack | Step::AwaitRollback | Step::VerifyRollback => String::new(),
    };
    PlannedStep { step, words }
}

fn change(deployment: &Deployment, changes: usize) -> String {
    match (&deployment.done.captured, &deployment.plan.intent, changes) {
        (None, _, _) => "create it".into(),
        (Some(_), Intent::Deploy { .. }, 0) => "already live: nothing to change".into(),
        (Some(_), _, 1) => "1 change".into(),
        (Some(_), _, changes) => format!("{changes} changes"),
    }
}
