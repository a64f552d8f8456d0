//! `surefoot show`: one deployment as a story, or as its events.

use super::arguments::Show;
use super::setup::Setup;
use super::{record, trouble};
use crate::event::Event;
use crate::names::{DeploymentNumber, NameError};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, RECOVERED, Recorded};
use crate::view::documents::{RawEvents, StorySheet};

/// One deployment.
pub(super) fn show(arguments: &Show, setup: &Setup) -> Result<ExitCode, Problem> {
    let number = number(&arguments.number)?;
    let records = record::load(setup)?.map(|(_, records)| records).unwrap_or_default();
    let story = projection::story(&records, number).ok_or_else(|| unknown(number))?;
    if arguments.events {
        let events = records.into_iter().filter(|record| is_of(record, number)).collect();
        setup.view.data(&RawEvents { endpoint: story.endpoint, events });
    } else {
        setup.view.data(&StorySheet { story });
    }
    Ok(ExitCode::Success)
}

/// What ran before the first deployment was recorded, and judged, beside all deployments.
fn is_of(record: &Recorded, number: DeploymentNumber) -> bool {
    match &record.event {
        Ok(Event::RecordRecovered { .. }) => number == RECOVERED,
        Ok(Event::ReleaseMarked { deployment, .. }) => *deployment == number,
        _ => record.deployment == Some(number),
    }
}

/// The number that was typed.
pub(super) fn number(text: &str) -> Result<DeploymentNumber, Problem> {
    text.parse().map_err(|error: NameError| {
        trouble::usage(error.to_string(), "see the numbers: `surefoot history`")
    })
}

/// There is no such deployment.
pub(super) fn unknown(number: DeploymentNumber) -> Problem {
    let problem = trouble::usage(
        format!("there is no deployment {number}"),
        "see the numbers: `surefoot history`",
    );
    if number == RECOVERED {
        return problem.because("no service ran already when this journal began");
    }
    problem
}
