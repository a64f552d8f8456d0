//! `surefoot show`: one deployment as a story, or as its events.

use super::arguments::Show;
use super::setup::Setup;
use super::{record, trouble};
use crate::names::{DeploymentNumber, NameError};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::view::documents::{RawEvents, StorySheet};

/// One deployment.
pub(super) fn show(arguments: &Show, setup: &Setup) -> Result<ExitCode, Problem> {
    let number = number(&arguments.number)?;
    let records = record::load(setup)?.map(|(_, records)| records).unwrap_or_default();
    let story = projection::story(&records, number).ok_or_else(|| unknown(number))?;
    if arguments.events {
        let of_it = |record: &Recorded| record.deployment == Some(number);
        setup.view.data(&RawEvents { events: records.into_iter().filter(of_it).collect() });
    } else {
        setup.view.data(&StorySheet { story });
    }
    Ok(ExitCode::Success)
}

/// The number that was typed.
pub(super) fn number(text: &str) -> Result<DeploymentNumber, Problem> {
    text.parse().map_err(|error: NameError| {
        trouble::usage(error.to_string(), "see the numbers: `surefoot history`")
    })
}

/// There is no such deployment.
pub(super) fn unknown(number: DeploymentNumber) -> Problem {
    let what = format!("there is no deployment {number}");
    trouble::usage(what, "see the numbers: `surefoot history`")
}
