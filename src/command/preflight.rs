//! `surefoot preflight`: every check alone.

use super::arguments::{Deploy, Preflight};
use super::deploy::{checks, questions, refuse_a_repository_elsewhere};
use super::setup::Setup;
use super::trouble;
use crate::look::look;
use crate::plan::preflight::judge;
use crate::problem::{ExitCode, Problem};
use crate::step::preflight::refusal;
use crate::view::documents::Findings;

/// Checks.
pub(super) async fn preflight(arguments: &Preflight, setup: &Setup) -> Result<ExitCode, Problem> {
    let deploy = Deploy { image: arguments.image.clone(), ..Deploy::default() };
    let asked = questions(&deploy, setup)?;
    let seen = look(&setup.world(), &asked).await;
    let seen = seen.map_err(|error| trouble::world(&error, setup.settings.region.as_ref()))?;
    refuse_a_repository_elsewhere(setup, &seen.caller.account, &seen.region)?;
    let findings = judge(&seen, &checks(setup));
    let refused = refusal(&findings);
    setup.view.data(&Findings { endpoint: setup.endpoint(), findings });
    match refused {
        Some(failure) => Err(trouble::failure(&failure)),
        None => Ok(ExitCode::Success),
    }
}
