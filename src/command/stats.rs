//! `surefoot stats`: how deploying goes.

use super::arguments::Stats;
use super::setup::Setup;
use super::{moment, record};
use crate::problem::{ExitCode, Problem};
use crate::projection;
use crate::view::documents::{NothingDeployed, StatisticsSheet};
use crate::world::clock::{Clock as _, SystemClock};

/// The figures of the service that is meant.
pub(super) fn stats(arguments: &Stats, setup: &Setup) -> Result<ExitCode, Problem> {
    let now = SystemClock::start().now();
    let since = arguments.since.as_deref().map(|text| moment::since(text, now)).transpose()?;
    let Some((service, records)) = record::load(setup)? else {
        setup.view.data(&NothingDeployed { name: "statistics", known: record::known(setup)? });
        return Ok(ExitCode::Success);
    };
    let endpoint = projection::status(&records).endpoint;
    let statistics = projection::statistics(&records, since, now);
    setup.view.data(&StatisticsSheet { service, endpoint, statistics });
    Ok(ExitCode::Success)
}
