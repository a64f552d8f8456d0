//! `surefoot rollback`: a new deployment whose release is an earlier one, whole.

use std::sync::Arc;

use super::arguments::Rollback;
use super::setup::Setup;
use super::{guard, holding, record, run, sheet, stream, trouble};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::look::{self, Questions};
use crate::names::{DeploymentNumber, Digest, ImageIdentifier, Region, ServiceName, StreamName};
use crate::plan::inventory::{self, Inventory, Seen};
use crate::plan::{Intent, Plan, steps};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Candidate, RECOVERED, Recorded};
use crate::release::Configuration;
use crate::step;
use crate::view::documents::{RollbackTarget, RollbackTargets};
use crate::world::World;

/// Goes back.
pub(super) async fn rollback(arguments: &Rollback, setup: &Setup) -> Result<ExitCode, Problem> {
    let only_shown = arguments.list || arguments.dry_run;
    let journal = if only_shown { setup.existing_journal()? } else { setup.kept_journal()? };
    let Some(journal) = journal else {
        return Err(nothing_known(setup).await);
    };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else {
        return Err(nothing_known(setup).await);
    };
    guard::refuse_another_region(&stream, setup)?;
    let world = setup.world_at(&stream);
    if arguments.list {
        let ledger = setup.ledger(journal, stream)?;
        guard::refuse_another_place(&world, &ledger, setup).await?;
        return list(setup, &world, &record::records(&ledger), &ledger).await;
    }
    let picked = pick(arguments, setup, &journal, &stream).await?;
    let lock = if arguments.dry_run {
        None
    } else {
        Some(holding::lock(setup, &stream, &arguments.waiting).await?)
    };
    let ledger = setup.ledger(journal, stream)?;
    guard::refuse_pending(&ledger, setup)?;
    if lock.is_some() {
        guard::refuse_pending_elsewhere(ledger.stream(), setup)?;
    }
    let caller = guard::refuse_another_place(&world, &ledger, setup).await?;
    let records = record::records(&ledger);
    let chosen = pinned(choose(picked.as_ref().unwrap_or(arguments), &records)?);
    refuse_a_missing_image(&world, ledger.stream(), &records, &chosen).await?;
    let inventory = setup.look_as(&world, caller, &questions(setup, &ledger)).await?;
    refuse_a_service_that_is_gone(&inventory, ledger.stream(), &chosen)?;
    let plan = plan(arguments, setup, &inventory, &ledger, &chosen);
    refuse_unknown_values(&plan, &inventory, &ledger)?;
    warn(arguments, setup, &inventory, &chosen);
    say_what_is_left(setup, &records, &chosen);
    if arguments.dry_run {
        return sheet::print(&world, setup, &inventory, &ledger, plan).await;
    }
    let options = run::Options { inventory: Some(inventory), tail: false };
    let ended = run::begin(plan, setup, &world, ledger, options).await;
    drop(lock);
    ended
}

/// A person at a terminal who names nothing is asked; elsewhere the last good release is meant.
async fn pick(
    arguments: &Rollback,
    setup: &Setup,
    journal: &Arc<dyn Journal>,
    stream: &StreamName,
) -> Result<Option<Rollback>, Problem> {
    if arguments.number.is_some() || arguments.to.is_some() || !setup.interactive {
        return Ok(None);
    }
    let ledger = setup.ledger(journal.clone(), stream.clone())?;
    guard::refuse_pending(&ledger, setup)?;
    let records = record::records(&ledger);
    let rows = projection::candidates(&records).into_iter().map(|candidate| candidate.row);
    let usual = projection::last_good(&records).map(|candidate| candidate.row.number);
    let number = super::picker::pick(setup, &rows.collect::<Vec<_>>(), usual).await?;
    Ok(number.map(|number| Rollback { number: Some(number.0.to_string()), ..arguments.clone() }))
}

/// What a rollback does not bring back, said before it starts.
fn warn(arguments: &Rollback, setup: &Setup, seen: &Inventory, chosen: &Candidate) {
    let release = &chosen.release;
    let what = if arguments.image_only { "the image alone" } else { "image and configuration" };
    setup.view.say(&format!("going back to {}: {what}", chosen.row.number));
    setup.view.say("not brought back: the values behind secrets, and databases");
    let kept = match &seen.service {
        Some(now) if !arguments.image_only => {
            kept_by_app_runner(&now.configuration, &release.configuration)
        }
        _ => Vec::new(),
    };
    if !kept.is_empty() {
        setup.view.say(&format!(
            "not taken away: {}, set since, which App Runner keeps where an update names none",
            kept.join(" and ")
        ));
    }
}

/// What an update that names none does not take away.
fn kept_by_app_runner(now: &Configuration, wanted: &Configuration) -> Vec<&'static str> {
    [
        ("the start command", now.start_command.is_some() && wanted.start_command.is_none()),
        ("the instance role", now.instance_role.is_some() && wanted.instance_role.is_none()),
    ]
    .into_iter()
    .filter_map(|(what, is_kept)| is_kept.then_some(what))
    .collect()
}

/// Who goes back from a release calls it bad.
fn say_what_is_left(setup: &Setup, records: &[Recorded], chosen: &Candidate) {
    let Some(live) = projection::status(records).live else { return };
    let another = live.digest.is_some() && live.digest != chosen.row.digest;
    if another && chosen.row.number < live.number {
        let number = live.number.0;
        setup.view.say(&format!(
            "once that is live, {} is called bad and is not deployed again unasked; where it is good: \
             `surefoot mark {number} good --reason TEXT`",
            live.number
        ));
    }
}

/// AWS tells what runs, and nothing of what ran before. What it tells is recorded all the same.
async fn nothing_known(setup: &Setup) -> Problem {
    let problem = Problem::new(
        ExitCode::General,
        "nothing-to-go-back-to",
        "the journal knows no release to go back to",
    );
    let problem = match running(setup).await {
        Some(runs) => problem
            .because(format!("its history is not here; AWS tells only what runs now: {runs}"))
            .hint("bring the history in: `surefoot journal import FILE`, then `surefoot rollback`"),
        None => problem.because("nothing was deployed from here"),
    };
    problem.hint("go back to an image in ECR: `surefoot deploy --image REPOSITORY:TAG`")
}

/// What runs, where surefoot deployed it from somewhere else.
async fn running(setup: &Setup) -> Option<String> {
    let (Ok(service), Ok(region)) = (setup.settings.service_name(), setup.region()) else {
        return None;
    };
    let world = setup.world();
    let asked = questions_about(setup, region.clone(), service.clone());
    // Who cannot be asked tells nothing; the journal's own answer stands.
    let Ok(seen) = look::look(&world, &asked).await else { return None };
    let found = seen.service.as_ref().filter(|service| service.mark.is_some())?;
    let image = found.release().map(|release| release.image.short());
    Some(image.unwrap_or_else(|| "no image of ECR".into()))
}

fn choose(arguments: &Rollback, records: &[Recorded]) -> Result<Candidate, Problem> {
    // Whoever names a release may mean any, also the live one: somebody may have changed it outside.
    let mut all = projection::once_live(records);
    all.retain(|candidate| candidate.row.verdict.is_good());
    let mut named = all.into_iter();
    let wanted = match (&arguments.number, &arguments.to) {
        (Some(text), _) => {
            let number: DeploymentNumber =
                text.parse().map_err(|error: crate::names::NameError| {
                    trouble::usage(error.to_string(), trouble::LIST_HINT)
                })?;
            named.find(|candidate| candidate.row.number == number)
        }
        (None, Some(text)) => return by_digest(text, named, arguments, records),
        (None, None) => projection::last_good(records),
    };
    wanted.ok_or_else(|| no_such_release(arguments, records))
}

/// So many digits name a digest; `rollback --list` shows as many.
const SHORTEST_DIGEST: usize = 8;

/// The newest release of this image; the first digits are enough where they name one image alone.
fn by_digest(
    text: &str,
    named: impl Iterator<Item = Candidate>,
    arguments: &Rollback,
    records: &[Recorded],
) -> Result<Candidate, Problem> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let wrong = digits.len() < SHORTEST_DIGEST || !digits.bytes().all(|b| b.is_ascii_hexdigit());
    if wrong {
        let text = crate::text::printable(text, 80);
        let what =
            format!("`{text}` names no image: write sha256:… or at least its first 8 digits");
        return Err(trouble::usage(what, trouble::LIST_HINT));
    }
    let whole = format!("sha256:{}", digits.to_ascii_lowercase());
    let is_it = |digest: &Digest| digest.as_str().starts_with(&whole);
    let mut found = named.filter(|one| one.release.image.digest().is_some_and(is_it));
    let newest = found.next().ok_or_else(|| no_such_release(arguments, records))?;
    if found.any(|one| one.release.image.digest() != newest.release.image.digest()) {
        let what = format!("several images begin with `{digits}`");
        return Err(trouble::usage(what, "write more of its digits"));
    }
    Ok(newest)
}

fn no_such_release(arguments: &Rollback, records: &[Recorded]) -> Problem {
    let asked = arguments.number.as_ref().and_then(|text| text.parse::<DeploymentNumber>().ok());
    if let Some(number) = asked.filter(|number| *number != RECOVERED)
        && records.iter().all(|record| record.deployment != Some(number))
    {
        return super::show::unknown(number);
    }
    if let Some(number) = asked.filter(|number| was_pruned(records, *number)) {
        return Problem::new(
            ExitCode::Guard,
            "nothing-to-go-back-to",
            format!("the image of {number} is gone"),
        )
        .because("a prune deleted it, or found it gone")
        .hint(trouble::LIST_HINT);
    }
    if let Some(problem) = asked.and_then(|number| found_bad(records, number)) {
        return problem;
    }
    let before = (asked == Some(RECOVERED)).then(|| projection::not_a_target(records)).flatten();
    let usual = "only releases that were proven live and are not marked bad count";
    let what = "there is no such good release to go back to";
    let problem = Problem::new(ExitCode::Guard, "nothing-to-go-back-to", what)
        .because(before.unwrap_or_else(|| usual.into()));
    let is_bad = |one: &Candidate| one.row.verdict == projection::Verdict::Bad;
    let problem = if projection::once_live(records).iter().any(is_bad) {
        problem.hint("where a bad one is good after all: `surefoot mark N good --reason TEXT`")
    } else {
        problem
    };
    problem.hint(trouble::LIST_HINT)
}

/// The release that was named is bad: why, and how to insist.
fn found_bad(records: &[Recorded], number: DeploymentNumber) -> Option<Problem> {
    let named = projection::once_live(records).into_iter().find(|one| one.row.number == number)?;
    let said = named.row.judgement.filter(|said| !said.good)?;
    let (n, by) = (number.0, crate::text::printable(&said.by, 80));
    let what = format!("the release of {number} was found bad, and is not gone back to unasked");
    let problem = Problem::new(ExitCode::Guard, "nothing-to-go-back-to", what)
        .because(format!("{}, by {by}", crate::text::printable(&said.reason, 300)))
        .hint(format!("where it is good after all: `surefoot mark {n} good --reason TEXT`"))
        .hint(trouble::LIST_HINT);
    Some(problem)
}

fn was_pruned(records: &[Recorded], number: DeploymentNumber) -> bool {
    let rows = projection::history(records);
    let row = rows.iter().find(|row| row.number == number);
    let digest = row.and_then(|row| row.digest.as_ref());
    digest.is_some_and(|digest| projection::pruned(records).contains(digest))
}

/// A tag may name something else by now: what is gone back to is what was proven.
fn pinned(mut chosen: Candidate) -> Candidate {
    let image = &chosen.release.image;
    let digest = chosen.row.digest.as_ref().filter(|_| image.digest().is_none());
    let pinned = digest.map(|digest| ImageIdentifier::by_digest(&image.repository_uri(), digest));
    if let Some(Ok(image)) = pinned {
        chosen.release.image = image;
    }
    chosen
}

/// The reason given, on one line and not without end.
fn reason(arguments: &Rollback) -> Option<String> {
    let words = arguments.reason.as_ref()?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then(|| crate::text::printable(&words, 500))
}

/// Refused before AWS is touched.
async fn refuse_a_missing_image(
    world: &World,
    StreamName { region, service, .. }: &StreamName,
    records: &[Recorded],
    chosen: &Candidate,
) -> Result<(), Problem> {
    let image = &chosen.release.image;
    let found = world.registry.image(&image.repository, &image.reference).await;
    let found = found.map_err(|error| trouble::world(&error, Some(region)))?;
    if found.is_some() {
        return Ok(());
    }
    let what = format!("ECR no longer holds {} of {}", image.short(), chosen.row.number);
    let mut problem = Problem::new(ExitCode::Preflight, "rollback-image-gone", what)
        .because("it was deleted: by a lifecycle policy, a prune, or a person");
    for other in projection::candidates(records) {
        let image = &other.release.image;
        let held = world.registry.image(&image.repository, &image.reference).await;
        if held.is_ok_and(|found| found.is_some()) && problem.next.len() < POSSIBLE {
            let (number, words) = (other.row.number, image.short());
            let command = format!("surefoot rollback {} --service-name {service}", number.0);
            problem = problem.hint(format!("{words} of {number} is still possible: `{command}`"));
        }
    }
    Err(problem.hint(format!("see all: `surefoot rollback --list --service-name {service}`")))
}

/// So many other releases are named where the one that was meant is gone.
const POSSIBLE: usize = 5;

/// A rollback makes no service.
fn refuse_a_service_that_is_gone(
    seen: &Inventory,
    stream: &StreamName,
    chosen: &Candidate,
) -> Result<(), Problem> {
    if seen.service.is_some() {
        return Ok(());
    }
    let gone = inventory::nothing_to_go_back_on(&stream.service, &chosen.release.image);
    Err(Problem::from(&gone))
}

/// Found before a deployment is written down that could not go on.
fn refuse_unknown_values(plan: &Plan, seen: &Inventory, ledger: &Ledger) -> Result<(), Problem> {
    let Intent::Rollback { release, .. } = &plan.intent else { return Ok(()) };
    step::refuse_unknown_values(release, seen.service.as_ref(), ledger)
        .map_err(|failure| Problem::from(&failure))
}

fn questions(setup: &Setup, ledger: &Ledger) -> Questions {
    let StreamName { region, service, .. } = ledger.stream().clone();
    questions_about(setup, region, service)
}

fn questions_about(setup: &Setup, region: Region, service: ServiceName) -> Questions {
    Questions {
        region,
        endpoint: setup.endpoint(),
        service,
        repository: None,
        wish: None,
        directory: setup.project.clone(),
        access_role: None,
        instance_role: None,
    }
}

fn plan(
    arguments: &Rollback,
    setup: &Setup,
    seen: &Inventory,
    ledger: &Ledger,
    chosen: &Candidate,
) -> Plan {
    let mut release = chosen.release.clone();
    if let (true, Some(service)) = (arguments.image_only, &seen.service) {
        release.configuration = service.configuration.clone();
    }
    debug_assert_eq!(seen.instance_role, Seen::NotAsked);
    let intent = Intent::Rollback {
        to: chosen.row.number,
        release,
        reason: reason(arguments),
        image_only: arguments.image_only,
    };
    let auto_deployments = setup.settings.auto_deployments;
    Plan {
        id: run::identity(setup, seen, ledger),
        number: ledger.next_number(),
        stream: ledger.stream().clone(),
        endpoint: seen.endpoint.clone(),
        steps: steps::of(&intent, auto_deployments),
        intent,
        auto_deployments,
        force_restart: false,
        health: crate::config::HealthGate {
            // What is asserted of a newer release's answer is not asked of an older one.
            assertions: Vec::new(),
            version: None,
            path: projection::proven_path(&record::records(ledger), chosen.row.number)
                .unwrap_or_else(|| setup.settings.health.path.clone()),
            ..setup.settings.health.clone()
        },
        bad: Vec::new(),
        previous_path: None,
    }
}

async fn list(
    setup: &Setup,
    world: &World,
    records: &[Recorded],
    ledger: &Ledger,
) -> Result<ExitCode, Problem> {
    let mut targets = Vec::new();
    for candidate in projection::ways_back(records) {
        let image = &candidate.release.image;
        let held = world.registry.image(&image.repository, &image.reference).await;
        let in_registry = held.ok().map(|found| found.is_some());
        targets.push(RollbackTarget { row: candidate.row, in_registry });
    }
    let now = world.clock.now();
    let service = ledger.stream().clone();
    let usual = usual(records, &targets);
    let next = next(records, &service, usual);
    let endpoint = setup.endpoint();
    setup.view.data(&RollbackTargets { service, endpoint, targets, usual, next, now });
    Ok(ExitCode::Success)
}

/// Where `rollback` goes without argument, or else the newest of the list that ECR still holds.
fn usual(records: &[Recorded], targets: &[RollbackTarget]) -> Option<DeploymentNumber> {
    let held = |one: &&RollbackTarget| one.in_registry == Some(true) && one.row.verdict.is_good();
    let usual = projection::last_good(records).map(|usual| usual.row.number);
    let listed = targets.iter().filter(held).find(|one| Some(one.row.number) == usual);
    listed.or_else(|| targets.iter().find(held)).map(|one| one.row.number)
}

/// What can be typed: what is unfinished comes first, and where there is no way back, forward.
fn next(
    records: &[Recorded],
    StreamName { service, .. }: &StreamName,
    usual: Option<DeploymentNumber>,
) -> Vec<String> {
    if let Some(unfinished) = projection::status(records).unfinished {
        return unfinished.next;
    }
    vec![match usual {
        Some(number) => format!("surefoot rollback {} --service-name {service}", number.0),
        None => format!("surefoot deploy --service-name {service}"),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_update_takes_away_is_named() {
        let bare = Configuration::default();
        let role = "arn:aws:iam::123456789012:role/theirs".parse().unwrap();
        let start_command = Some("serve".to_owned());
        let now = Configuration { start_command, instance_role: Some(role), ..bare.clone() };
        assert_eq!(kept_by_app_runner(&now, &bare), ["the start command", "the instance role"]);
        assert!(kept_by_app_runner(&bare, &now).is_empty());
        assert!(kept_by_app_runner(&now, &now).is_empty());
    }
}
