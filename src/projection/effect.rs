//! What a deployment was to the service: every figure counts by the same words.

use super::history::{Row, Verdict};
use crate::event::deployment::{Deployment, Phase};
use crate::plan::Intent;

/// What a deployment was to the service. What ran before the journal began was nothing of its doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// Whether it brought a release live; one that was live already was not brought there.
    pub went_live: bool,
    /// Whether App Runner was asked for a new release; a rollback by hand brings none.
    pub change: bool,
    /// Whether that change failed, was taken back, needs attention, or was called bad later.
    pub failed: bool,
}

/// The effect of a deployment that can be read.
pub(super) fn effect(state: &Deployment, row: &Row) -> Effect {
    let asked = state.done.issued.is_some();
    let change = asked && matches!(state.plan.intent, Intent::Deploy { .. });
    let ended_badly = matches!(
        row.verdict,
        Verdict::RolledBack | Verdict::Failed | Verdict::RollbackFailed | Verdict::Attention
    );
    let called_bad = row.judgement.as_ref().is_some_and(|judgement| !judgement.good);
    Effect {
        went_live: asked && state.phase == Phase::Succeeded,
        change,
        failed: change && (ended_badly || called_bad),
    }
}
