//! Whether App Runner would take a change of the service now, and what stands in its way.

use super::operation::told;
use super::patience::Patience;
use super::{Bench, StepError, asked};
use crate::event::{Failure, Interruption};
use crate::plan::inventory;
use crate::problem::ExitCode;
use crate::world::Progress;
use crate::world::service::{Service, ServiceStatus};

/// The service once App Runner has let go of it. AWS also works on services by itself
/// (maintenance), without any operation in the list.
pub(super) async fn idle(bench: &Bench<'_>) -> Result<Option<Service>, StepError> {
    let name = &bench.deployment.plan.stream.service;
    let patience = Patience::begin(bench.world.clock.as_ref(), bench.times.busy_wait);
    loop {
        let found = asked(bench.world.services.find(name).await)?;
        let Some(service) = found else { return Ok(None) };
        if service.status != ServiceStatus::OperationInProgress {
            return Ok(Some(service));
        }
        if patience.is_over() {
            return Err(busy(&service, work(bench, &service).await).into());
        }
        let what = match work(bench, &service).await {
            Some(theirs) => format!("{name}, busy with {theirs}"),
            None => format!("{name}, busy with an operation that AWS does not list"),
        };
        bench.progress.report(Progress::Waiting { what });
        bench.world.clock.sleep(bench.times.poll).await;
    }
}

/// What App Runner is at work on, as far as it tells.
async fn work(bench: &Bench<'_>, service: &Service) -> Option<String> {
    let listed = bench.world.services.operations(&service.arn, Some(1)).await.ok()?;
    let newest = listed.into_iter().next().filter(|newest| !newest.status.is_terminal())?;
    let ours = bench.journalled_operations.contains(&newest.id);
    let whose = if ours { "ours" } else { "not from this journal" };
    Some(format!("{}, {whose}", told(&newest)))
}

/// The states and kinds of service that cannot be deployed to, each with its way on.
pub(super) fn refuse_unfit(service: &Service) -> Result<(), Failure> {
    let finding = inventory::unfit(service);
    match finding {
        None => Ok(()),
        Some(finding) => {
            let mut failure = Failure::new(finding.exit, &finding.code, finding.reason);
            failure.hints = finding.fix;
            Err(failure)
        }
    }
}

/// App Runner says to a service in such a state only that it cannot be updated now: what it is, and
/// the way on, instead.
pub(super) fn unfit_instead(error: StepError, service: &Service) -> StepError {
    match (&error, refuse_unfit(service)) {
        (StepError::Refused(refused), Err(mut unfit)) if refused.code == "service-busy" => {
            unfit.exit = refused.exit;
            unfit.because.clone_from(&refused.because);
            unfit.into()
        }
        _ => error,
    }
}

/// Whether App Runner refused a change only because it is at work.
pub(super) fn is_busy(error: &StepError) -> bool {
    matches!(error, StepError::Refused(failure) if failure.code == "service-busy"
        || failure.because.iter().any(|text| text.contains("InvalidState")))
}

fn says_at_work(error: &StepError) -> bool {
    let word = ServiceStatus::OperationInProgress.to_string();
    matches!(error, StepError::Refused(failure) if failure.because.iter().any(|text| text.contains(&word)))
}

/// What it means that App Runner is at work right after an unclear call: go and look. In a state that
/// no waiting ends, a refusal is a refusal.
pub(super) async fn busy_after_doubt(bench: &Bench<'_>, busy: StepError) -> StepError {
    let at_work =
        || StepError::Unanswered { reason: "App Runner is at work on the service".into() };
    // What was just refused is newer than what DescribeService may still show.
    if says_at_work(&busy) {
        return at_work();
    }
    let found = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    match found.map(|service| service.map(|service| service.status)) {
        Ok(Some(
            ServiceStatus::CreateFailed | ServiceStatus::Paused | ServiceStatus::DeleteFailed,
        )) => busy,
        Ok(_) => at_work(),
        Err(error) => error.into(),
    }
}

/// The pause of a deployment that App Runner has no time for: nothing was concluded.
pub(super) fn not_now() -> StepError {
    StepError::Interrupted(Interruption::StillBusy { operation: None })
}

fn busy(service: &Service, work: Option<String>) -> Failure {
    let at_work = work.unwrap_or_else(|| "AWS lists no operation: it may be maintenance".into());
    Failure::new(
        ExitCode::Update,
        "service-busy",
        format!("`{}` is busy with an operation that is not ours", service.name),
    )
    .because(format!("{at_work}; AWS does not say who asked for it"))
    .because("App Runner allows one operation at a time, and none can be cancelled")
    .hint(format!("watch it: `surefoot status --service-name {}`", service.name))
    .hint("then deploy again: `surefoot deploy`")
}
