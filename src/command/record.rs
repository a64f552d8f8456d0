//! `surefoot status`, `history`, `show`: what the journal says.

use super::arguments::{History, Show, Status};
use super::setup::Setup;
use super::{stream, trouble};
use crate::ledger::{Entry, Ledger};
use crate::names::DeploymentNumber;
use crate::problem::{ExitCode, Problem};
use crate::projection::{RawEvent, Recorded};
use crate::view;
use crate::world::clock::{Clock as _, SystemClock};

/// What the journal and AWS say about the service.
pub async fn status(arguments: &Status, setup: &Setup) -> Result<ExitCode, Problem> {
    let records = records(setup)?;
    let mut status = crate::projection::status(&records.unwrap_or_default());
    if !arguments.offline {
        status.aws = Some(super::aws_side::look(setup).await?);
    }
    setup.view.data(&view::StatusDocument { status: &status, now: SystemClock::start().now() });
    Ok(ExitCode::Success)
}

/// The deployments of the service.
pub fn history(arguments: &History, setup: &Setup) -> Result<ExitCode, Problem> {
    let rows = crate::projection::history(&records(setup)?.unwrap_or_default());
    let from = rows.len().saturating_sub(arguments.number);
    let now = SystemClock::start().now();
    setup.view.data(&view::HistoryDocument { rows: &rows[from..], now });
    Ok(ExitCode::Success)
}

/// One deployment.
pub fn show(arguments: &Show, setup: &Setup) -> Result<ExitCode, Problem> {
    let number: DeploymentNumber = arguments.number.parse().map_err(unknown)?;
    let records = records(setup)?.unwrap_or_default();
    let Some(story) = crate::projection::story(&records, number) else {
        let what = format!("there is no deployment {number}");
        return Err(trouble::usage(what, "see the numbers: `surefoot history`"));
    };
    setup.view.data(&view::StoryDocument { story: &story, events: arguments.events });
    Ok(ExitCode::Success)
}

fn unknown(error: crate::names::NameError) -> Problem {
    trouble::usage(error.to_string(), "see the numbers: `surefoot history`")
}

/// Everything of the service meant; `None` where there is no journal, or nothing of it.
fn records(setup: &Setup) -> Result<Option<Vec<Recorded>>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else { return Ok(None) };
    let ledger: Ledger = setup.ledger(journal, stream)?;
    Ok(Some(ledger.entries().iter().map(recorded).collect()))
}

fn recorded(entry: &Entry) -> Recorded {
    let raw = |data: &serde_json::Value| RawEvent {
        type_name: entry.type_name.clone(),
        data: data.clone(),
    };
    Recorded {
        sequence: entry.sequence,
        at: entry.at,
        deployment: entry.deployment,
        actor: format!("{}@{}", entry.actor.user, entry.actor.host),
        event: entry.event.clone().map_err(|data| raw(&data)),
    }
}
