//! Waits for the operation of our rollback.
//!
//! Leaves behind: how it ended. Undo: none; a rollback never rolls back.

use super::operation::{Wait, Waited, ended, still_busy, unlisted};
use super::settling::attention;
use super::{Bench, Outcome, StepError};
use crate::event::deployment::Phase;
use crate::event::{Failure, Issue};
use crate::problem::ExitCode;

/// Looking is all that this step does: see `perform`.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Waits until App Runner lets go. The deadline is the new release's; the way back has the second limit
/// at least.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let issue = issue(bench);
    let limit = bench.times.deploy_timeout.max(bench.times.release_wait);
    let mut wait = Wait::begin(bench, issue);
    match wait.until_ended(limit).await? {
        Waited::Ended(operation) => Ok(ended(&mut wait, operation).await.into()),
        Waited::Limit(operation) => Err(still_busy(&operation.id)),
        Waited::Unlisted => match unlisted(bench).await? {
            (true, evidence) => Ok(attention(vec![evidence]).into()),
            (false, what) => Err(refused(what).into()),
        },
    }
}

fn issue<'a>(bench: &'a Bench<'_>) -> &'a Issue {
    match &bench.deployment.phase {
        Phase::RollingBack { issued: Some(issue), .. } => issue,
        _ => unreachable!("a rollback is awaited after it was issued"),
    }
}

fn refused(what: String) -> Failure {
    Failure::new(ExitCode::RollbackFailed, "rollback-unlisted", what)
}
