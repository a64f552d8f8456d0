//! Waits for App Runner's operation.
//!
//! Leaves behind: how it ended, by its own status; the service's status proves nothing. Undo: none;
//! operations cannot be cancelled.

use super::operation::{Wait, Waited, ended, still_busy, unlisted};
use super::settling::attention;
use super::{Bench, Outcome, StepError};
use crate::event::{Event, Issue};

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Waits up to the deadline; after it, until App Runner lets go or the second limit passes.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let issue = issue(bench);
    let late = bench.deployment.deadline_passed;
    let limit = if late { bench.times.release_wait } else { bench.times.deploy_timeout };
    let mut wait = Wait::begin(bench, issue);
    Ok(match wait.until_ended(limit).await? {
        Waited::Ended(operation) => ended(&mut wait, operation).await.into(),
        Waited::Limit(operation) if late => return Err(still_busy(&operation.id)),
        Waited::Limit(operation) => {
            Event::DeadlinePassed { operation: operation.id, status: operation.status }.into()
        }
        Waited::Unlisted => attention(vec![unlisted(bench).await?.1]).into(),
    })
}

fn issue<'a>(bench: &'a Bench<'_>) -> &'a Issue {
    bench.deployment.done.issued.as_ref().expect("an operation is awaited after it was issued")
}
