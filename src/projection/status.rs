//! Where a service stands, by its log.

use serde::Serialize;

use super::fold::{Folded, fold};
use super::history::{Row, Verdict, history};
use super::judgement::bad_releases;
use super::keep::pruned;
use super::standing::{next_commands, previous_name, standing};
use super::{Recorded, recovered};
use crate::event::Event;
use crate::event::deployment::{Deployment, Phase};
use crate::names::{Digest, OperationId, StreamName, service_address};
use crate::plan::Step;
use crate::plan::identity::{marks, restore_mark, rollback_mark};

/// Where a service stands, by its log alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Status {
    /// The service; none where nothing was ever deployed.
    pub service: Option<StreamName>,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// Its address, once known.
    pub url: Option<String>,
    /// The deployment whose release is live: the newest that succeeded.
    pub live: Option<Row>,
    /// The newest good release before it with another image: where a rollback would go.
    pub previous_good: Option<Row>,
    /// The newest deployment, however it ended.
    pub last: Option<Row>,
    /// The deployment that has no end yet.
    pub unfinished: Option<Unfinished>,
    /// Why `live` may not be what serves.
    pub doubt: Option<String>,
    /// What to type next, most useful last.
    pub next: Vec<String>,
}

/// A deployment without an end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unfinished {
    /// The deployment.
    pub row: Row,
    /// Where it stands.
    pub standing: String,
    /// The operation that App Runner is, or was, busy with for it.
    pub operation: Option<OperationId>,
    /// Whether it is, as far as the log knows its end.
    #[serde(skip)]
    pub goes_on: bool,
    /// Exact commands, most useful last.
    pub next: Vec<String>,
}

/// Where the service stands by these events.
pub fn status(records: &[Recorded]) -> Status {
    let folded = fold(records);
    let rows = history(records);
    let Some((last, last_row)) = folded.last().zip(rows.last()) else {
        return recovered::status(records, rows);
    };
    let live = rows.iter().rfind(|row| row.verdict == Verdict::Live).cloned();
    let state = folded.iter().rev().find_map(|one| one.state.as_ref().ok());
    let unfinished = unfinished(last, last_row);
    let next = match (&unfinished, last.state.as_ref()) {
        (Some(unfinished), _) => unfinished.next.clone(),
        (None, Ok(state)) => after(state, live.as_ref()),
        (None, Err(_)) => vec![format!("surefoot show {} --events", last.number.0)],
    };
    Status {
        service: state.map(|state| state.plan.stream.clone()),
        endpoint: state.and_then(|state| state.plan.endpoint.clone()),
        url: folded.iter().rev().find_map(|one| address(one.state.as_ref().ok()?)),
        previous_good: live.as_ref().and_then(|live| previous_good(records, &rows, live)),
        doubt: doubt(&folded, &rows, live.is_some()),
        live,
        last: Some(last_row.clone()),
        unfinished,
        next,
    }
}

/// The endpoint other than AWS itself that the newest deployment went to.
pub fn endpoint(records: &[Recorded]) -> Option<&str> {
    let newest = records.iter().rev().find_map(|record| match &record.event {
        Ok(Event::DeploymentPlanned(plan)) => Some(plan.endpoint.as_deref()),
        Ok(Event::RecordRecovered { endpoint, .. }) => Some(endpoint.as_deref()),
        _ => None,
    });
    newest.flatten()
}

fn address(state: &Deployment) -> Option<String> {
    state.address().map(|(host, _)| service_address(host, state.plan.endpoint.as_deref()))
}

/// What to type where nothing is unfinished; a live release that is known to be bad comes first.
fn after(state: &Deployment, live: Option<&Row>) -> Vec<String> {
    let is_bad = live.and_then(|row| row.judgement.as_ref()).is_some_and(|said| !said.good);
    let service = &state.plan.stream.service;
    let back = is_bad.then(|| format!("surefoot rollback --service-name {service}"));
    back.into_iter().chain(next_of(state)).collect()
}

/// Who asks for the status sees it already: the hint to ask again helps nobody.
fn next_of(state: &Deployment) -> Vec<String> {
    let mut next = next_commands(state);
    next.retain(|command| !command.starts_with("surefoot status"));
    next
}

/// Whether a deployment of this log planted this mark.
pub fn knows_mark(records: &[Recorded], mark: &str) -> bool {
    let folded = fold(records);
    let mut states = folded.iter().filter_map(|one| one.state.as_ref().ok());
    states.any(|state| marks(&state.plan.id).iter().any(|one| one.as_str() == mark))
}

/// Whether this mark is one that the unfinished deployment plants.
pub fn is_under_way(records: &[Recorded], mark: Option<&str>) -> bool {
    let folded = fold(records);
    let last = folded.last().and_then(|last| last.state.as_ref().ok());
    let Some(state) = last.filter(|state| !state.is_over()) else { return false };
    mark.is_some_and(|mark| marks(&state.plan.id).iter().any(|one| one.as_str() == mark))
}

/// Whether this mark is that of a call of which the journal does not know yet whether it arrived: it did, and
/// its operation is not in the journal.
pub fn has_arrived(records: &[Recorded], mark: Option<&str>) -> bool {
    let folded = fold(records);
    let state = folded.last().and_then(|last| last.state.as_ref().ok());
    let pending = state.and_then(|state| Some((&state.plan.id, state.intention.as_ref()?.step)));
    let planted = pending.and_then(|(id, step)| match step {
        Step::ChangeService => Some(id.clone()),
        Step::RollBack => Some(rollback_mark(id)),
        Step::RestoreAutoDeployments => Some(restore_mark(id)),
        _ => None,
    });
    planted.is_some_and(|planted| mark == Some(planted.as_str()))
}

fn unfinished(last: &Folded<'_>, row: &Row) -> Option<Unfinished> {
    let state = last.state.as_ref().ok().filter(|state| !state.is_over())?;
    Some(Unfinished {
        row: row.clone(),
        standing: standing(state),
        operation: state.operation().cloned(),
        goes_on: state.at_work().is_some(),
        next: next_of(state),
    })
}

/// Where a rollback would go: newest good release before the live one, of another image.
fn previous_good(records: &[Recorded], rows: &[Row], live: &Row) -> Option<Row> {
    let (bad, pruned) = (bad_releases(records), pruned(records));
    let usable = |row: &Row| {
        let digest = row.digest.as_ref();
        let is_bad = |it: &Digest| bad.iter().any(|bad| bad.under.is_none() && bad.digest == *it);
        !digest.is_some_and(|it| pruned.contains(it) || is_bad(it))
    };
    let before = |row: &&Row| row.number < live.number && row.digest != live.digest;
    rows.iter().rfind(|row| before(row) && row.verdict.is_good() && usable(row)).cloned()
}

/// Whether a call that changes the service may be under way.
fn may_change(state: &Deployment) -> bool {
    let changes = [Step::ChangeService, Step::RestoreAutoDeployments, Step::RollBack];
    state.intention.as_ref().is_some_and(|intention| changes.contains(&intention.step))
}

/// The doubt that the newest deployments leave: one that never touched the service takes none away.
fn doubt(folded: &[Folded<'_>], rows: &[Row], has_live: bool) -> Option<String> {
    for one in folded.iter().rev() {
        let state = match &one.state {
            Ok(state) => state,
            Err(error) => return Some(format!("{} cannot be read: {error}", one.number)),
        };
        let row = rows.iter().find(|row| row.number == one.number)?;
        let left = left_in_doubt(state, (row, rows), has_live);
        if left.is_some() || proves_something(state) {
            return left;
        }
    }
    None
}

fn proves_something(state: &Deployment) -> bool {
    matches!(state.phase, Phase::Succeeded | Phase::RolledBack { .. })
}

/// What a service is back at that no deployment proved.
fn back_at(state: &Deployment, rows: &[Row]) -> String {
    let (runs, image) = (previous_name(state), state.previous().map(|release| &release.image));
    let digest = image.and_then(|image| image.digest());
    let before = |row: &&Row| row.number < state.plan.number && digest.is_some();
    let of = rows.iter().rfind(|row| before(row) && row.digest.as_ref() == digest);
    match of {
        Some(of) => {
            format!("it runs {runs} of {}, which ended `{}`", of.number, of.verdict.words())
        }
        None => format!("it runs {runs}, which surefoot did not deploy"),
    }
}

fn left_in_doubt(
    state: &Deployment,
    (row, rows): (&Row, &[Row]),
    has_live: bool,
) -> Option<String> {
    let number = row.number;
    let issued = state.done.issued.is_some();
    match &state.phase {
        Phase::RolledBack { .. } if !has_live => Some(back_at(state, rows)),
        Phase::Succeeded | Phase::RolledBack { .. } => None,
        Phase::Attention { .. } | Phase::RollbackFailed { .. } => {
            Some(format!("{number} ended `{}`: what serves is not proven", row.verdict.words()))
        }
        _ if issued => Some(format!("{number} changed the service and is not proven")),
        _ if may_change(state) && !state.is_over() => {
            Some(format!("{number} may be changing the service"))
        }
        _ => None,
    }
}
