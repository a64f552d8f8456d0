//! What somebody else did to the service since we changed it, or found it live.

use super::operation::{operations, told};
use super::{Bench, StepError, asked};
use crate::event::{Issue, evidence};
use crate::names::{DeploymentId, OperationId};
use crate::plan::inventory;
use crate::release::Release;
use crate::world::service::Service;

/// What says that the service is no longer as this deployment left it: somebody may have deployed,
/// paused or deleted it since.
pub(super) async fn since(bench: &Bench<'_>) -> Result<Vec<String>, StepError> {
    let done = &bench.deployment.done;
    let service = bench.world.services.find(&bench.deployment.plan.stream.service).await;
    let evidence = match (service, &done.issued, &done.already_live) {
        (Err(error), ..) => asked(Err(error)),
        (Ok(service), Some(issue), _) => theirs(bench, issue, service.as_ref()).await,
        (Ok(service), None, Some((_, live))) => Ok(changed(service.as_ref(), live)),
        (Ok(_), None, None) => Ok(Vec::new()),
    };
    match evidence {
        // Who may not look knows of nobody else.
        Err(StepError::Refused(_)) => Ok(Vec::new()),
        evidence => evidence,
    }
}

fn changed(service: Option<&Service>, live: &Release) -> Vec<String> {
    let Some(service) = service else { return vec![evidence::GONE.into()] };
    if service.release().as_ref() != Some(live) {
        return vec!["the service is no longer as it was found: somebody changed it".into()];
    }
    inventory::unfit(service).map(|finding| finding.reason).into_iter().collect()
}

/// What says that somebody else did something to the service after our change.
pub(super) async fn theirs(
    bench: &Bench<'_>,
    issue: &Issue,
    service: Option<&Service>,
) -> Result<Vec<String>, StepError> {
    let Some(service) = service else { return Ok(vec![evidence::GONE.into()]) };
    let listed = asked(operations(bench, &service.arn, Some(1)).await)?;
    let newest = listed.into_iter().next();
    let mut evidence = Vec::new();
    let id: Option<&OperationId> = newest.as_ref().map(|operation| &operation.id);
    let ours = bench.deployment.newest_operation();
    if ours.is_some() && id != ours {
        let newest = newest.as_ref().map_or("none".into(), told);
        evidence.push(format!("the newest operation is {newest}, not ours"));
    }
    let mark = service.mark.as_deref();
    // After a rollback of App Runner's own the captured mark is back: that is no stranger.
    let before = bench.deployment.done.captured.as_ref().and_then(|c| c.mark.as_deref());
    let second = bench.deployment.second_mark();
    let second = second.as_ref().map(DeploymentId::as_str);
    let is_ours = mark == Some(issue.mark.as_str()) || mark.is_some() && mark == second;
    if !is_ours && mark != before {
        let theirs = mark.unwrap_or("none");
        evidence.push(format!("the service carries the mark {theirs}, not ours"));
    }
    Ok(evidence)
}
