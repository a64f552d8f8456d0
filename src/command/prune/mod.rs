//! `surefoot prune`: look, decide, show; and where it is told to: write it down, delete, say what
//! was really deleted.

mod books;
mod report;
mod trouble;

use super::addressed::quoted;
use super::arguments::Prune;
use super::setup::Setup;
use super::{deploy, guard, holding, run, stream};
use crate::config::units::parse_age;
use crate::lock::Lock;
use crate::names::{RepositoryName, ServiceName, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::{
    Choice, Deletions, Limits, Memory, Missing, Named, Picture, choose, lifecycle_warnings, missing,
};
use crate::prune::{Pruning, delete, look};
use crate::view::documents::{PruneOutcomeSheet, PruneSheet};
use crate::world::World;
use books::Books;
use report::Report;
use trouble::AtWork;

/// What is to be pruned.
struct Wish {
    limits: Limits,
    without_history: Vec<ServiceName>,
    apply: bool,
    /// Whether it is part of a deployment: then nothing to do is no news.
    beside: bool,
    /// What to type for the same.
    again: String,
}

impl Wish {
    /// What was typed.
    fn typed(&self) -> String {
        format!("{}{}", self.again, if self.apply { " --apply" } else { "" })
    }
}

/// Prunes, or shows what would be.
pub(super) async fn prune(arguments: &Prune, setup: &Setup) -> Result<ExitCode, Problem> {
    let wish = wish(arguments)?;
    let mut report = Report::open(arguments.report.as_deref(), &setup.history)?;
    let (stream, world) = place(setup, wish.apply).await?;
    let wish = Wish { again: again(arguments, setup, &stream.service), ..wish };
    let ended = carry_out(&wish, setup, &world, &stream, false, &mut report).await;
    report.write()?;
    ended.map(|()| ExitCode::Success)
}

/// Prunes after a deployment that succeeded, whose lock is held. Whatever comes of it, the
/// deployment's verdict stands.
pub(super) async fn after_deployment(keep: u32, setup: &Setup, world: &World, stream: &StreamName) {
    let arguments = Prune {
        keep,
        older_than: None,
        grace: GRACE.into(),
        tag_pattern: Vec::new(),
        without_history: Vec::new(),
        apply: true,
        report: None,
    };
    let wish = wish(&arguments).expect("the grace period is a duration");
    let again = again(&arguments, setup, &stream.service);
    let wish = Wish { again, beside: true, ..wish };
    let mut report = Report::none();
    if let Err(problem) = carry_out(&wish, setup, world, stream, true, &mut report).await {
        let what = format!("the deployment succeeded; pruning did not: {}", problem.what);
        setup.view.warn(&Problem { what, ..problem });
    }
}

/// Nothing younger goes, where nothing else is said.
const GRACE: &str = "2h";

fn wish(arguments: &Prune) -> Result<Wish, Problem> {
    let age = |name: &str, text: &str| {
        parse_age(text).map_err(|reason| trouble::bad_age(name, text, &reason))
    };
    if arguments.tag_pattern.iter().any(String::is_empty) {
        return Err(trouble::empty_pattern());
    }
    let older_than = arguments.older_than.as_deref();
    let names = arguments.without_history.iter().map(|name| {
        name.parse().map_err(|error: crate::names::NameError| trouble::bad_name(&error))
    });
    Ok(Wish {
        limits: Limits {
            keep: arguments.keep,
            older_than: older_than.map(|text| age("--older-than", text)).transpose()?,
            grace: age("--grace", &arguments.grace)?,
            own_tags: arguments.tag_pattern.clone(),
        },
        without_history: names.collect::<Result<_, _>>()?,
        apply: arguments.apply,
        beside: false,
        again: "surefoot prune".into(),
    })
}

/// The same command, but for `--apply`.
fn again(arguments: &Prune, setup: &Setup, service: &ServiceName) -> String {
    let mut line = format!("surefoot prune --service-name {service}");
    if let Some(repository) = setup.repository_named_here() {
        line = format!("{line} --ecr-repo {repository}");
    }
    line = format!("{line} --keep {}", arguments.keep);
    let mut add = |name: &str, value: &str| {
        line = format!("{line} {name} {}", quoted(value));
    };
    if let Some(age) = &arguments.older_than {
        add("--older-than", age);
    }
    if arguments.grace != GRACE {
        add("--grace", &arguments.grace);
    }
    arguments.tag_pattern.iter().for_each(|pattern| add("--tag-pattern", pattern));
    arguments.without_history.iter().for_each(|name| add("--without-history", name));
    line
}

/// The service whose repository is meant, in this very account and region.
async fn place(setup: &Setup, apply: bool) -> Result<(StreamName, World), Problem> {
    let journal = if apply { setup.kept_journal()? } else { setup.existing_journal()? };
    let Some(journal) = journal else { return Err(trouble::no_history(None)) };
    let Some(stream) = stream::choose(journal.as_ref(), setup)? else {
        return Err(trouble::no_history(setup.settings.service_name.as_ref()));
    };
    guard::refuse_another_region(&stream, setup)?;
    let world = setup.world_at(&stream);
    let caller = guard::refuse_another_account(&world, &stream, setup).await?;
    deploy::refuse_a_repository_elsewhere(setup, &caller.account, &stream.region)?;
    Ok((stream, world))
}

async fn carry_out(
    wish: &Wish,
    setup: &Setup,
    world: &World,
    stream: &StreamName,
    held: bool,
    report: &mut Report,
) -> Result<(), Problem> {
    let repository = &setup.settings.repository()?.name;
    let mut books = Books::open(setup, stream, &wish.again)?;
    let mut locks = Vec::new();
    if wish.apply {
        locks = lock_all(setup, &books, repository, stream, held)?;
        // What was read before the locks may have grown since.
        books = Books::open(setup, stream, &wish.again)?;
    }
    let sharing: Vec<StreamName> = books.sharing(repository).cloned().collect();
    for one in &sharing {
        guard::refuse_pending_elsewhere(one, setup)?;
    }
    let ended = under_lock(wish, setup, world, books, repository, report).await;
    if let Some(journal) = setup.existing_journal()?.filter(|_| wish.apply) {
        for one in &sharing {
            run::export(journal.as_ref(), one, setup);
        }
    }
    drop(locks);
    ended
}

/// Nobody may begin a deployment of a service that shares the repository meanwhile.
fn lock_all(
    setup: &Setup,
    books: &Books,
    repository: &RepositoryName,
    stream: &StreamName,
    held: bool,
) -> Result<Vec<Lock>, Problem> {
    let sharing = books.sharing(repository).filter(|one| !held || *one != stream);
    sharing.map(|one| holding::lock_now(setup, one)).collect()
}

async fn under_lock(
    wish: &Wish,
    setup: &Setup,
    world: &World,
    mut books: Books,
    repository: &RepositoryName,
    report: &mut Report,
) -> Result<(), Problem> {
    let seen = look(world, repository, books.memories(), std::collections::BTreeMap::new()).await;
    let seen = seen.map_err(|error| trouble::look(&error, Some(&books.main().region)))?;
    let picture = seen.ok_or_else(|| trouble::no_repository(repository))?;
    refuse_a_repository_of_nobody(&picture, books.main())?;
    refuse_an_unknown_name(wish, &picture)?;
    if wish.apply {
        books.settle(&picture)?;
    }
    let choices = choose(&picture, &wish.limits);
    let missing = missing(&picture, wish.limits.keep, &wish.without_history);
    let sheet = sheet(wish, setup, world, &books, &picture, choices, &missing).await;
    setup.view.data(&sheet);
    report.add(&sheet);
    if !missing.is_empty() {
        let at_work = at_work(wish, setup, &books, &missing);
        return Err(trouble::incomplete(repository, &missing, &at_work, &wish.typed()));
    }
    if !wish.apply || !sheet.choices.iter().any(Choice::goes) {
        return Ok(());
    }
    books.begin(&picture, &sheet.choices, wish.limits.keep)?;
    let pruning = Pruning {
        world,
        stop: &setup.stop,
        limits: &wish.limits,
        without_history: &wish.without_history,
    };
    let deletions = delete(&pruning, picture, &sheet.choices).await;
    books.end(&sheet, &deletions)?;
    let outcome = outcome(wish, &sheet, deletions);
    setup.view.data(&outcome);
    report.add(&outcome);
    trouble::of_deletions(repository, &outcome, &wish.typed()).map_or(Ok(()), Err)
}

/// A repository that no deployment used and no service runs from: what is in it, others need.
fn refuse_a_repository_of_nobody(picture: &Picture, main: &StreamName) -> Result<(), Problem> {
    let used = |memory: &Memory| {
        let mut named = memory.named.iter().flat_map(Named::digests);
        memory.repositories.contains(&picture.repository)
            || named.any(|digest| picture.holds(digest))
    };
    let runs = picture.services.iter().filter_map(|service| service.image.as_ref());
    let mut runs = runs.map(|image| &image.repository);
    if picture.memories.iter().any(used) || runs.any(|name| *name == picture.repository) {
        return Ok(());
    }
    Err(trouble::unused(picture, main))
}

/// Who is at work on the deployments that are not over. With `--apply` the locks are ours: nobody is.
fn at_work(wish: &Wish, setup: &Setup, books: &Books, missing: &[Missing]) -> AtWork {
    let unfinished = missing.iter().filter_map(|one| match one {
        Missing::Unfinished { service, .. } if !wish.apply => Some(service),
        _ => None,
    });
    let endpoint = setup.endpoint();
    let who = |service: &ServiceName| {
        let stream = StreamName { service: service.clone(), ..books.main().clone() };
        holding::at_work(setup, &stream, endpoint.as_deref())
    };
    unfinished.filter_map(|service| Some((service.clone(), who(service)?))).collect()
}

/// A misspelled name would accept nothing, and say nothing.
fn refuse_an_unknown_name(wish: &Wish, picture: &Picture) -> Result<(), Problem> {
    let running = |name: &ServiceName| picture.services.iter().any(|one| one.name == *name);
    let known = |name: &ServiceName| picture.memories.iter().any(|one| one.stream.service == *name);
    let unknown = wish.without_history.iter().find(|name| !running(name) && !known(name));
    unknown.map_or(Ok(()), |name| Err(trouble::no_such_service(name)))
}

async fn sheet(
    wish: &Wish,
    setup: &Setup,
    world: &World,
    books: &Books,
    picture: &Picture,
    choices: Vec<Choice>,
    missing: &[Missing],
) -> PruneSheet {
    let warnings = match world.registry.lifecycle_policy(&picture.repository).await {
        Ok(None) => Vec::new(),
        Ok(Some(policy)) => lifecycle_warnings(&policy, picture, &choices),
        Err(error) => vec![format!("ECR did not say whether there is a lifecycle policy: {error}")],
    };
    PruneSheet {
        repository: picture.repository.clone(),
        service: books.main().clone(),
        endpoint: setup.endpoint(),
        apply: wish.apply,
        brief: wish.beside,
        next: (!wish.apply && missing.is_empty()).then(|| format!("{} --apply", wish.again)),
        choices,
        missing: missing.to_vec(),
        warnings,
        unsettled: if wish.apply { Vec::new() } else { unsettled(setup, books, picture) },
        now: picture.now,
    }
}

fn unsettled(setup: &Setup, books: &Books, picture: &Picture) -> Vec<String> {
    if holding::prune_at_work(setup, books.main(), setup.endpoint().as_deref()) {
        return vec!["a prune is at work now: look again when it has ended".into()];
    }
    books.unsettled(picture)
}

fn outcome(wish: &Wish, sheet: &PruneSheet, deletions: Deletions) -> PruneOutcomeSheet {
    let (bytes, parts) = sheet.measure(&deletions.deleted);
    PruneOutcomeSheet {
        endpoint: sheet.endpoint.clone(),
        service: sheet.service.clone(),
        bytes,
        parts,
        left: sheet.left(),
        again: wish.typed(),
        deletions,
    }
}
