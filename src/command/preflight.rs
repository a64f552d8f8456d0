//! `surefoot preflight`: every check alone.

use super::arguments::{Deploy, Preflight};
use super::deploy::{checks, questions, refuse_a_repository_elsewhere, stream};
use super::setup::Setup;
use super::trouble;
use crate::journal::archive;
use crate::plan::inventory::Inventory;
use crate::plan::preflight::judge;
use crate::plan::roles::{NewRole, missing};
use crate::problem::{ExitCode, Problem};
use crate::step::preflight::refusal;
use crate::view::documents::Findings;
use crate::world::World;

/// Checks.
pub(super) async fn preflight(arguments: &Preflight, setup: &Setup) -> Result<ExitCode, Problem> {
    let deploy = Deploy { image: arguments.image.clone(), ..Deploy::default() };
    let asked = questions(&deploy, setup)?;
    // A deployment would stop at a journal that is damaged, or cannot be written.
    let journal = setup.existing_journal()?;
    archive::try_to_write(&setup.history)
        .map_err(|error| trouble::journal(&error, &setup.history))?;
    let world = setup.world();
    let mut seen = setup.look(&world, &asked).await?;
    if let Some(journal) = journal {
        let stream = stream(&seen.caller, &asked);
        let head = journal.head(&stream);
        let head = head.map_err(|error| trouble::journal(&error, &setup.history))?;
        setup.refuse_to_be_behind(&stream, head.map_or(0, |head| head.sequence))?;
    }
    refuse_a_repository_elsewhere(setup, &seen.caller.account, &seen.region)?;
    if arguments.fix && mend(&world, &seen, arguments.yes, setup).await? {
        seen = setup.look(&world, &asked).await?;
    }
    let findings = judge(&seen, &checks(setup));
    let refused = refusal(&findings);
    setup.view.data(&Findings { endpoint: setup.endpoint(), findings });
    match refused {
        Some(failure) => Err(Problem::from(&failure)),
        None => Ok(ExitCode::Success),
    }
}

/// Creates the roles that are missing, each with consent; whether any was created.
async fn mend(
    world: &World,
    seen: &Inventory,
    consent: bool,
    setup: &Setup,
) -> Result<bool, Problem> {
    let mut mended = false;
    for role in missing(seen) {
        let NewRole { name, principal, policy } = &role;
        let may = policy.map(|policy| format!(", may do {policy}")).unwrap_or_default();
        setup.view.say(&format!("role {name}: assumed by {principal}{may}"));
        if !(consent || setup.view.ask(&format!("create role {name}?"))) {
            setup.view.say("not created: nobody said yes (`--yes` says it beforehand)");
            continue;
        }
        let created = world.identity.create_role(name, &role.trust(), *policy).await;
        created.map_err(|error| trouble::world(&error, setup.settings.region.as_ref()))?;
        setup.view.say(&format!("created role {name}"));
        mended = true;
    }
    Ok(mended)
}
