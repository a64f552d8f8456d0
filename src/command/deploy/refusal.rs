//! What a deployment refuses: what is somewhere else, older than what is live, or known to be bad.

use crate::command::arguments::Deploy;
use crate::command::setup::Setup;
use crate::command::shared_image::{self, Found};
use crate::command::trouble;
use crate::ledger::Ledger;
use crate::names::{AccountId, Reference, Region};
use crate::plan::inventory::{Inventory, Named};
use crate::plan::target::Wish;
use crate::plan::{Plan, TargetOrigin};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::step::{refuse_bad_commit, refuse_bad_image};
use crate::world::World;

use super::target::wish;

/// An option of a later version.
pub(super) fn of_what_is_not_there_yet(arguments: &Deploy) -> Result<(), Problem> {
    if arguments.cleanup_old {
        return Err(trouble::not_yet("`--cleanup-old`"));
    }
    Ok(())
}

/// A URI of another account or region is not quietly read as a name in ours.
pub(in crate::command) fn of_a_repository_elsewhere(
    setup: &Setup,
    ours: &AccountId,
    here: &Region,
) -> Result<(), Problem> {
    let choice = setup.settings.repository()?;
    let account = choice.account_hint.as_ref().filter(|account| *account != ours);
    let region = choice.region_hint.as_ref().filter(|region| *region != here);
    let elsewhere = match (account, region) {
        (None, None) => return Ok(()),
        (Some(account), _) => {
            format!("it is in account {account}, these credentials are of {ours}")
        }
        (None, Some(region)) => {
            format!(
                "it is in {region}, the service is in {here}: App Runner pulls from its own region"
            )
        }
    };
    let what = format!("the repository `{}` is somewhere else", choice.name);
    Err(Problem::new(ExitCode::Preflight, "repository-elsewhere", what)
        .because(elsewhere)
        .hint(format!("name it without a registry, to have it here: `--ecr-repo {}`", choice.name))
        .hint("or deploy there: `--region REGION`, with credentials of that account"))
}

/// By ancestry, never by time: what is live must not be an offspring of what is deployed.
pub(super) async fn of_an_older_commit(
    arguments: &Deploy,
    setup: &Setup,
    seen: &Inventory,
    records: &[Recorded],
    world: &World,
) -> Result<(), Problem> {
    let live = projection::status(records).live.and_then(|row| row.commit);
    let (Some(live), Some(checkout)) = (live, &seen.checkout) else { return Ok(()) };
    let builds = seen.image.is_none() && !arguments.allow_older;
    let older = builds.then(|| world.source.is_ancestor(&setup.project, &checkout.commit, &live));
    let Some(older) = older else { return Ok(()) };
    if older.await != Some(true) {
        return Ok(());
    }
    let what = format!("commit {} is older than the live one", checkout.commit.short());
    Err(Problem::new(ExitCode::Guard, "older-commit", what)
        .because(format!("{} is live, and descends from it", live.short()))
        .hint("to go back on purpose: `surefoot rollback`")
        .hint("to deploy it all the same: `surefoot deploy --allow-older`"))
}

/// A tag that was asked for may be another service's by now.
pub(super) fn of_the_image_of_another(
    arguments: &Deploy,
    setup: &Setup,
    seen: &Inventory,
    ledger: &Ledger,
    records: &[Recorded],
) -> Result<(), Problem> {
    let Some(Named::There { identifier, .. }) = &seen.image else { return Ok(()) };
    match wish(arguments, setup, &identifier.repository)? {
        Wish::Reference { reference: Reference::Tag(tag), .. } => {
            let found = Found { tag: &tag, image: identifier };
            shared_image::refuse_the_image_of_another(&found, setup, ledger.stream(), records)
        }
        _ => Ok(()),
    }
}

/// Where image or commit are known before anything is done, so is this; else the change is refused.
pub(super) fn of_a_bad_release(arguments: &Deploy, plan: &Plan) -> Result<(), Problem> {
    let mut refused = match plan.target().map(|target| &target.origin) {
        Some(TargetOrigin::Registry { image }) => refuse_bad_image(plan, image),
        Some(TargetOrigin::Build { .. }) => refuse_bad_commit(plan),
        None => Ok(()),
    };
    if let (Err(failure), Some(text)) = (&mut refused, &arguments.image) {
        let typed = format!("surefoot deploy --image {}", crate::text::printable(text, 300));
        for hint in &mut failure.hints {
            *hint = hint.replace("surefoot deploy", &typed);
        }
    }
    refused.map_err(|failure| Problem::from(&failure))
}
