//! `surefoot deploy`: look, plan, write it down, do it, say how it ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::arguments::Deploy;
use super::setup::Setup;
use super::{guard, holding, prune, record, recover, run, sheet, trouble};
use crate::config::Overlay;
use crate::event::Event;
use crate::journal::Journal;
use crate::journal::memory::MemoryJournal;
use crate::ledger::Ledger;
use crate::lock::Lock;
use crate::look::Questions;
use crate::names::{
    AccountId, Digest, ImageIdentifier, Reference, Region, RepositoryName, RoleArn, StreamName, Tag,
};
use crate::plan::inventory::{Inventory, Named, Seen};
use crate::plan::preflight::{Checks, judge};
use crate::plan::target::{self, Wish};
use crate::plan::{Intent, Plan, Target, TargetOrigin, steps};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::step::preflight::refusal;
use crate::step::refuse_bad_image;
use crate::world::World;
use crate::world::builder::BuildRequest;
use crate::world::identity::Caller;

/// Deploys.
pub(super) async fn deploy(arguments: &Deploy, setup: &Setup) -> Result<ExitCode, Problem> {
    refuse_what_is_not_there_yet(arguments)?;
    let world = setup.world();
    let asked = questions(arguments, setup)?;
    let before = |problem| guard::pending_before(problem, setup);
    let caller = setup.caller(&world, &asked.region).await.map_err(before)?;
    refuse_a_repository_elsewhere(setup, &caller.account, &asked.region)?;
    let stream = stream(&caller, &asked);
    let lock = hold(arguments, setup, &stream).await?;
    // Who has the lock is the only one at work: what is seen before may be gone by then.
    let inventory = setup.look_as(&world, caller, &asked).await.map_err(before)?;
    let mut ledger = setup.ledger(journal(arguments, setup)?, stream.clone())?;
    if !arguments.dry_run {
        recover::recover(setup, &world, &inventory, &mut ledger)?;
    }
    guard::refuse_pending(&ledger, setup)?;
    guard::refuse_pending_elsewhere(lock.as_ref(), &stream, setup)?;
    guard::refuse_mixed_worlds(&ledger, setup)?;
    let records = record::records(&ledger);
    refuse_an_older_commit(arguments, setup, &inventory, &records, &world).await?;
    let repository = setup.settings.repository()?.name.clone();
    let known = known(&inventory, &ledger, &world, &repository).await;
    let target = target(arguments, setup, &inventory, known, world.clock.now())?;
    let mut plan = plan(setup, &inventory, &ledger, &records, target);
    if !arguments.allow_bad {
        plan.bad = projection::bad_releases(&records);
    }
    refuse_a_bad_release(arguments, &plan)?;
    if arguments.dry_run {
        return sheet::print(&world, setup, &inventory, &ledger, plan).await;
    }
    let options = run::Options { inventory: Some(inventory), tail: arguments.tail };
    let ended = run::begin(plan, setup, &world, ledger, options).await;
    if let (Some(keep), Ok(ExitCode::Success)) = (arguments.prune_images, &ended) {
        prune::after_deployment(keep, setup, &world, &stream).await;
    }
    drop(lock);
    ended
}

/// A dry run is in nobody's way, and waits for nobody.
async fn hold(
    arguments: &Deploy,
    setup: &Setup,
    stream: &StreamName,
) -> Result<Option<Lock>, Problem> {
    if arguments.dry_run {
        return Ok(None);
    }
    holding::lock(setup, stream, &arguments.waiting).await.map(Some)
}

fn refuse_what_is_not_there_yet(arguments: &Deploy) -> Result<(), Problem> {
    if arguments.cleanup_old {
        return Err(trouble::not_yet("`--cleanup-old`"));
    }
    Ok(())
}

/// A URI of another account or region is not quietly read as a name in ours.
pub(super) fn refuse_a_repository_elsewhere(
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
async fn refuse_an_older_commit(
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

/// Where the image is known before anything is done, so is this; else the change is refused.
fn refuse_a_bad_release(arguments: &Deploy, plan: &Plan) -> Result<(), Problem> {
    let Some(TargetOrigin::Registry { image }) = plan.target().map(|target| &target.origin) else {
        return Ok(());
    };
    let mut refused = refuse_bad_image(plan, image);
    if let (Err(failure), Some(text)) = (&mut refused, &arguments.image) {
        let typed = format!("surefoot deploy --image {}", crate::text::printable(text, 300));
        for hint in &mut failure.hints {
            *hint = hint.replace("surefoot deploy", &typed);
        }
    }
    refused.map_err(|failure| trouble::failure(&failure))
}

/// A dry run leaves no trace, not even an empty journal.
fn journal(arguments: &Deploy, setup: &Setup) -> Result<Arc<dyn Journal>, Problem> {
    if !arguments.dry_run {
        return setup.journal_or_its_export();
    }
    let existing = setup.existing_journal()?;
    Ok(existing.unwrap_or_else(|| Arc::new(MemoryJournal::new())))
}

/// What is to be looked at for a deployment.
pub(super) fn questions(arguments: &Deploy, setup: &Setup) -> Result<Questions, Problem> {
    let settings = &setup.settings;
    let repository = settings.repository()?.name.clone();
    let wish = wish(arguments, setup, &repository)?;
    let role = |choice: &Option<crate::config::value::RoleChoice>| {
        choice.as_ref().map(|choice| match choice {
            crate::config::value::RoleChoice::Arn(arn) => arn.role_name().to_owned(),
            crate::config::value::RoleChoice::Name(name) => name.clone(),
        })
    };
    Ok(Questions {
        region: setup.region()?.clone(),
        endpoint: setup.endpoint(),
        service: settings.service_name()?.clone(),
        repository: Some(match &wish {
            Wish::Reference { repository, .. } => repository.clone(),
            Wish::Build(_) => repository,
        }),
        wish: Some(wish),
        directory: setup.project.clone(),
        access_role: role(&settings.service.access_role),
        instance_role: role(&settings.service.instance_role),
    })
}

fn wish(arguments: &Deploy, setup: &Setup, repository: &RepositoryName) -> Result<Wish, Problem> {
    if let Some(text) = &arguments.image {
        return named_image(text, repository);
    }
    if arguments.force_latest {
        let reference = Reference::Tag(latest());
        return Ok(Wish::Reference { repository: repository.clone(), reference });
    }
    let build = &setup.settings.build;
    Ok(Wish::Build(BuildRequest {
        context: build.context.clone(),
        dockerfile: build.dockerfile.clone(),
        arguments: build.arguments.clone(),
        target: build.target.clone(),
    }))
}

/// `REPOSITORY:TAG`, `REPOSITORY@DIGEST`, a whole identifier, or a tag or digest alone.
fn named_image(text: &str, repository: &RepositoryName) -> Result<Wish, Problem> {
    let of = |repository: &str, reference: Reference| -> Option<Wish> {
        Some(Wish::Reference { repository: repository.parse().ok()?, reference })
    };
    let whole = text
        .parse::<ImageIdentifier>()
        .ok()
        .filter(|image| image.registry.contains('.') || image.registry.contains(':'));
    let parsed = if let Some(image) = whole {
        Some(Wish::Reference { repository: image.repository, reference: image.reference })
    } else if let Some((name, digest)) = text.split_once('@') {
        let name = if name.is_empty() { repository.as_str() } else { name };
        digest.parse().ok().and_then(|digest| of(name, Reference::Digest(digest)))
    } else if text.starts_with("sha256:") {
        text.parse().ok().and_then(|digest| of(repository.as_str(), Reference::Digest(digest)))
    } else if let Some((name, tag)) = text.rsplit_once(':') {
        tag.parse().ok().and_then(|tag| of(name, Reference::Tag(tag)))
    } else {
        text.parse().ok().and_then(|tag| of(repository.as_str(), Reference::Tag(tag)))
    };
    parsed.ok_or_else(|| {
        let text = crate::text::printable(text, 200);
        trouble::usage(
            format!("`{text}` names no image"),
            "write REPOSITORY:TAG or REPOSITORY@sha256:…, such as `--image shop:v1.4.1`",
        )
    })
}

fn stream(caller: &Caller, asked: &Questions) -> StreamName {
    StreamName {
        account: caller.account.clone(),
        region: asked.region.clone(),
        service: asked.service.clone(),
    }
}

fn plan(
    setup: &Setup,
    seen: &Inventory,
    ledger: &Ledger,
    records: &[Recorded],
    target: Target,
) -> Plan {
    let settings = &setup.settings;
    let health = settings.health.clone().expecting(versions(&target));
    let default_access_role = found(&seen.access_role);
    let intent = Intent::Deploy { target, overlay: overlay(setup, seen), default_access_role };
    Plan {
        id: run::identity(setup, seen, ledger),
        number: ledger.next_number(),
        stream: ledger.stream().clone(),
        endpoint: seen.endpoint.clone(),
        steps: steps::of(&intent, settings.auto_deployments),
        intent,
        auto_deployments: settings.auto_deployments,
        force_restart: settings.force_restart,
        health,
        bad: Vec::new(),
        previous_path: projection::expectation(records).map(|live| live.gate.path),
    }
}

/// The names by which an application may call this release.
fn versions(target: &Target) -> Vec<String> {
    let commit = target.checkout.as_ref().map(|checkout| checkout.commit.to_string());
    commit.into_iter().chain([target.tag.to_string()]).collect()
}

fn found(seen: &Seen) -> Option<RoleArn> {
    seen.role().map(|role| role.arn.clone())
}

/// The changes asked for, with roles that were given by name.
fn overlay(setup: &Setup, seen: &Inventory) -> Overlay {
    let mut overlay = setup.settings.overlay();
    if setup.settings.service.access_role.is_some() {
        overlay.access_role = overlay.access_role.or_else(|| found(&seen.access_role));
    }
    overlay.instance_role = overlay.instance_role.or_else(|| found(&seen.instance_role));
    overlay
}

fn target(
    arguments: &Deploy,
    setup: &Setup,
    seen: &Inventory,
    known: Option<ImageIdentifier>,
    now: DateTime<Utc>,
) -> Result<Target, Problem> {
    let repository = setup.settings.repository()?.name.clone();
    if let Some(named) = &seen.image {
        return named_target(arguments, setup, seen, named);
    }
    let context = match &seen.context {
        Some(Ok(context)) => context.hash.clone(),
        // What cannot be read cannot be planned: preflight's word for it ends the command.
        _ => return Err(refused(setup, seen)),
    };
    let tag = target::tag(seen.checkout.as_ref(), &context, now);
    let Wish::Build(request) = wish(arguments, setup, &repository)? else {
        unreachable!("an image asked for by name was looked at")
    };
    let latest = setup.settings.latest;
    let checkout = seen.checkout.clone();
    let origin = match known {
        Some(image) => TargetOrigin::Registry { image },
        None => TargetOrigin::Build { request: (&request).into(), context },
    };
    Ok(Target { repository, tag, checkout, latest, origin })
}

fn named_target(
    arguments: &Deploy,
    setup: &Setup,
    seen: &Inventory,
    named: &Named,
) -> Result<Target, Problem> {
    let Named::There { identifier, image, .. } = named else { return Err(refused(setup, seen)) };
    let asked = match wish(arguments, setup, &identifier.repository)? {
        Wish::Reference { reference: Reference::Tag(tag), .. } => Some(tag),
        _ => None,
    };
    // The tag that was asked for; else one that names it; else the digest's own digits.
    let first = || image.tags.iter().find_map(|tag| tag.parse().ok());
    let digits = || image.digest.short().parse().expect("hexadecimal digits make a tag");
    let tag = asked.filter(|tag| *tag != latest()).or_else(first).unwrap_or_else(digits);
    Ok(Target {
        repository: identifier.repository.clone(),
        tag,
        checkout: None,
        latest: false,
        origin: TargetOrigin::Registry { image: identifier.clone() },
    })
}

/// The image of this very context, where our journal says that we pushed it and ECR still holds it
/// under the tag: then there is nothing to build.
async fn known(
    seen: &Inventory,
    ledger: &Ledger,
    world: &World,
    repository: &RepositoryName,
) -> Option<ImageIdentifier> {
    let context = &seen.context.as_ref()?.as_ref().ok()?.hash;
    let (digest, tag) = pushed_before(ledger, repository, context)?;
    let there = world.registry.image(repository, &Reference::Tag(tag)).await.ok()??;
    let uri = &seen.repository.as_ref()?.uri;
    (there.digest == digest).then(|| ImageIdentifier::by_digest(uri, &digest).ok())?
}

fn pushed_before(
    ledger: &Ledger,
    repository: &RepositoryName,
    context: &str,
) -> Option<(Digest, Tag)> {
    let mut same_context = Vec::new();
    let mut pushed = None;
    for entry in ledger.entries() {
        match &entry.event {
            Ok(Event::DeploymentPlanned(plan)) if builds(plan, repository, context) => {
                same_context.push(entry.deployment);
            }
            Ok(Event::DigestPushed { digest, tag, .. })
                if same_context.contains(&entry.deployment) =>
            {
                pushed = Some((digest.clone(), tag.clone()));
            }
            _ => {}
        }
    }
    pushed
}

fn builds(plan: &Plan, repository: &RepositoryName, context: &str) -> bool {
    plan.target().is_some_and(|target| {
        let same = matches!(&target.origin, TargetOrigin::Build { context: c, .. } if c == context);
        same && target.repository == *repository
    })
}

fn refused(setup: &Setup, seen: &Inventory) -> Problem {
    let findings = judge(seen, &checks(setup));
    setup.view.findings(&findings);
    refusal(&findings).map_or_else(
        || Problem::new(ExitCode::General, "unplanned", "cannot tell what to deploy"),
        |failure| trouble::failure(&failure),
    )
}

/// What preflight checks, from the settings.
pub(super) fn checks(setup: &Setup) -> Checks<'_> {
    Checks {
        service: setup.settings.service_name.as_ref().expect("asked for before"),
        repository: setup.settings.repository.as_ref().map(|choice| &choice.name),
        health: &setup.settings.health,
        port: setup.settings.service.port.as_deref(),
    }
}

fn latest() -> Tag {
    "latest".parse().expect("`latest` is a tag")
}
