//! What should be live by the log, to be compared with what is.

use super::Recorded;
use crate::event::Event;
use crate::event::deployment::{Deployment, Phase};
use crate::names::OperationId;
use crate::plan::Step;
use crate::release::Release;

/// The release that a finished deployment left live, where it proved one.
pub(super) fn left_live(state: &Deployment) -> Option<Release> {
    let asked = || state.done.issued.as_ref().map(|issue| issue.release.clone());
    let already = || state.done.already_live.as_ref().map(|(_, release)| release.clone());
    match state.phase {
        Phase::Succeeded => asked().or_else(already),
        Phase::RolledBack { .. } => state.previous().cloned(),
        _ => None,
    }
}

/// Whether the log knows this operation: as one of ours, or as seen where a release was found live
/// already. Whoever began that, it changed nothing.
pub fn knows_operation(records: &[Recorded], id: &OperationId) -> bool {
    let seen = |event: &Event| match event {
        Event::StepStarted { step: Step::ChangeService, observed, payload: None } => {
            observed.known_operations.contains(id)
        }
        _ => false,
    };
    began_operation(records, id) || events(records).any(seen)
}

/// Whether a deployment of this log began this operation.
pub fn began_operation(records: &[Recorded], id: &OperationId) -> bool {
    events(records).any(|event| match event {
        Event::CreateIssued(issue) | Event::UpdateIssued(issue) | Event::RollbackIssued(issue) => {
            issue.operation.as_ref() == Some(id)
        }
        Event::AutoDeploymentsRestored { operation, .. } => operation.as_ref() == Some(id),
        _ => false,
    })
}

fn events(records: &[Recorded]) -> impl Iterator<Item = &Event> {
    records.iter().filter_map(|record| record.event.as_ref().ok())
}
