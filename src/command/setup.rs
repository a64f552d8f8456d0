//! What every command needs: settings, the journal's place, the world. The only place that chooses
//! adapters.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use super::arguments::{Deploy, Everywhere};
use super::{here, record, text_only, trouble};
use crate::config::{
    Detected, Environment, FILE_NAME, File, Flags, Origin, Settings, Sources, load, resolve,
};
use crate::event::envelope::Actor;
use crate::journal::memory::MemoryJournal;
use crate::journal::redb::{JournalId, Record, RedbJournal, Repair, RepairError};
use crate::journal::{Journal, JournalError, StreamHead, archive, import};
use crate::ledger::{Chance, Ledger};
use crate::look::{self, Questions};
use crate::names::{Region, RepositoryName, StreamName};
use crate::plan::inventory::Inventory;
use crate::problem::Problem;
use crate::stop::Stop;
use crate::view::View;
use crate::world::World;
use crate::world::aws::{Connection, configured_region, connect};
use crate::world::builder::{DockerBuilder, Surroundings};
use crate::world::clock::{Clock, SystemClock};
use crate::world::health::HttpHealth;
use crate::world::identity::{Caller, StsIam};
use crate::world::log::CloudWatchLogs;
use crate::world::registry::Ecr;
use crate::world::secret::SecretsManager;
use crate::world::service::AppRunner;
use crate::world::source::GitSource;

/// The journal's directory, where nothing else is said.
pub(super) const HISTORY: &str = ".deploy-history";

/// The bytes of an export that a command reads into memory, where there is no journal: some thousand
/// deployments.
const LARGEST_EXPORT_READ: u64 = 16 * 1024 * 1024;

/// What a command works with.
pub(super) struct Setup {
    /// The environment.
    pub environment: here::Environment,
    /// What was asked for, from everywhere.
    pub settings: Settings,
    /// The project's directory.
    pub project: PathBuf,
    /// The journal's directory.
    pub history: PathBuf,
    /// Who runs us.
    pub actor: Actor,
    /// What a person sees.
    pub view: Arc<dyn View>,
    /// Whether a person wants us to stop.
    pub stop: Stop,
    /// Whether a person sits there who can be asked.
    pub interactive: bool,
    /// Whether standard output carries JSON alone.
    pub json: bool,
    connection: Option<Connection>,
    /// Said once, however often it is read.
    export_told: Once,
}

/// What a command asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The journal alone: it pays for nothing else.
    Journal,
    /// AWS too.
    Aws,
    /// AWS, and the repository that the service's images are in.
    Repository,
}

/// What a command needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// What it asks.
    pub reach: Reach,
    /// Whether it is about every service where none is named.
    pub every_service: bool,
    /// Whether the journal alone tells it all it must know: a configuration that cannot be used is then
    /// said and done without.
    pub goes_by_the_journal: bool,
}

impl Setup {
    /// Reads flags, environment and file, and finds out where AWS is. Asks nobody.
    pub(super) async fn new(
        need: Need,
        everywhere: &Everywhere,
        deploy: &Deploy,
        view: Arc<dyn View>,
        stop: Stop,
    ) -> Result<Self, Problem> {
        let environment = here::environment();
        let current = std::env::current_dir().map_err(|error| trouble::directory(&error))?;
        text_only::refuse_what_is_no_text(everywhere.history_dir.as_deref(), &current)?;
        let project = here::project_root(&current);
        let file = file(&current, &project);
        let mut sources = Sources {
            flags: flags(everywhere, deploy),
            environment: Environment(environment.clone()),
            file: None,
            detected: Detected { project: project.clone(), current, ..Detected::default() },
            every_service: need.every_service,
        };
        let (settings, unusable) = with_file(file, &mut sources, need)?;
        let reach = need.reach;
        let settings = if settings.region.is_some() {
            settings
        } else {
            sources.detected.region = configured_region().await;
            resolve(&sources)?
        };
        let history = history(&settings, &project);
        let actor = here::actor(&environment);
        let connection = match reach {
            Reach::Aws | Reach::Repository => Some(connect(settings.region.as_ref(), None).await),
            Reach::Journal => None,
        };
        if let Some(url) = connection.as_ref().and_then(Connection::unusable_endpoint) {
            return Err(trouble::endpoint(url));
        }
        // Before anything is said or asked: the first line of every screen.
        if let Some(endpoint) = connection.as_ref().and_then(Connection::endpoint_override) {
            view.sandbox(&endpoint);
        }
        if let Some(problem) = &unusable {
            let because = problem.because.join("; ");
            view.say(&format!("{}: {because}; going on without it", problem.what));
        }
        let json = everywhere.json;
        let interactive = !json && crate::view::is_interactive();
        let mut setup = Self {
            environment,
            settings,
            project,
            history,
            actor,
            view,
            stop,
            interactive,
            json,
            connection,
            export_told: Once::new(),
        };
        // A directory's name says little where the file that would say more cannot be used.
        if unusable.is_some() && setup.service_is_a_guess() {
            setup.settings.service_name = None;
        }
        if reach == Reach::Repository && setup.is_a_guess("ecr_repository") {
            let remembered = record::repository(&setup);
            sources.detected.repository =
                if remembered.is_some() { remembered } else { setup.repository_in_use().await };
            setup.settings = resolve(&sources)?;
        }
        Ok(setup)
    }

    /// Whether this command asks AWS at all.
    pub(super) fn asks_aws(&self) -> bool {
        self.connection.is_some()
    }

    /// An endpoint other than AWS itself: the sandbox.
    pub(super) fn endpoint(&self) -> Option<String> {
        self.connection.as_ref().and_then(Connection::endpoint_override)
    }

    /// The region, or what to type so that there is one.
    pub(super) fn region(&self) -> Result<&Region, Problem> {
        self.settings.region()
    }

    /// The region that a person named, and where: one that only the AWS profile has is a guess.
    pub(super) fn named_region(&self) -> Option<(&Region, &Origin)> {
        let origin = self.settings.origin("region").filter(|_| !self.is_a_guess("region"))?;
        Some((self.settings.region.as_ref()?, origin))
    }

    /// The outside, where the settings say.
    pub(super) fn world(&self) -> World {
        outside(self.connected())
    }

    /// The outside, where the service of this stream is.
    pub(super) fn world_at(&self, stream: &StreamName) -> World {
        outside(&self.connected().in_region(&stream.region))
    }

    fn connected(&self) -> &Connection {
        self.connection.as_ref().expect("a command that asks AWS says so: Reach::Aws")
    }

    /// Who AWS takes us for.
    pub(super) async fn caller(&self, world: &World, region: &Region) -> Result<Caller, Problem> {
        let caller = world.identity.caller().await;
        caller.map_err(|error| trouble::world(&error, Some(region)))
    }

    /// Looks at the world, or says why it cannot be seen.
    pub(super) async fn look(
        &self,
        world: &World,
        asked: &Questions,
    ) -> Result<Inventory, Problem> {
        let caller = self.caller(world, &asked.region).await?;
        self.look_as(world, caller, asked).await
    }

    /// The same, where it is known who we are.
    pub(super) async fn look_as(
        &self,
        world: &World,
        caller: Caller,
        asked: &Questions,
    ) -> Result<Inventory, Problem> {
        let seen = look::look_as(world, caller, asked).await;
        seen.map_err(|error| trouble::world(&error, Some(&asked.region)))
    }

    /// The journal, made if there is none.
    pub(super) fn journal(&self) -> Result<Arc<dyn Journal>, Problem> {
        let made = RedbJournal::create(&self.history, fresh_id()).and_then(checked);
        Ok(Arc::new(made.map_err(|error| trouble::journal(&error, &self.history))?))
    }

    /// The journal, made if there is none; one that was lost comes back from its export.
    pub(super) fn journal_or_its_export(&self) -> Result<Arc<dyn Journal>, Problem> {
        let exported = archive::exists(&self.history);
        match self.opened_journal()? {
            Some(journal) => return Ok(journal),
            None if !exported => return self.journal(),
            None => {}
        }
        let refused = |error| trouble::own_export(&error, &self.history);
        let files = import::files(&self.history.join(archive::EXPORTS)).map_err(refused)?;
        import::judge_a_beginning(&files).map_err(refused)?;
        let journal = self.journal()?;
        let imported = import::import(journal.as_ref(), &files).map_err(refused)?;
        let events: u64 = imported.iter().map(|one| one.added).sum();
        self.view.say(&format!("the journal came back from its export: {events} events"));
        Ok(journal)
    }

    /// The journal to write into, if there is one or its export.
    pub(super) fn kept_journal(&self) -> Result<Option<Arc<dyn Journal>>, Problem> {
        match self.opened_journal()? {
            None if archive::exists(&self.history) => self.journal_or_its_export().map(Some),
            journal => Ok(journal),
        }
    }

    /// The journal on disk, which must be there and not be older than its own export. Beside an export an
    /// empty one is none.
    pub(super) fn stored_journal(&self) -> Result<RedbJournal, Problem> {
        let journal = RedbJournal::open(&self.history).and_then(checked).and_then(|journal| {
            let heads = journal.streams()?;
            if heads.is_empty() && archive::exists(&self.history) {
                return Err(JournalError::Missing { path: self.history.clone() });
            }
            for StreamHead { stream, sequence, .. } in &heads {
                archive::refuse_to_be_behind(&self.history, stream, *sequence)?;
            }
            Ok(journal)
        });
        journal.map_err(|error| trouble::journal(&error, &self.history))
    }

    /// The journal on disk as it is, damaged or not; none where it cannot be opened.
    pub(super) fn unchecked_journal(&self) -> Option<RedbJournal> {
        RedbJournal::open(&self.history).ok()
    }

    /// The journal brought back, where it is damaged; `record` writes that down before it takes its place.
    pub(super) fn repaired_journal(
        &self,
        record: Record<'_>,
    ) -> Result<Option<Repair>, RepairError> {
        RedbJournal::repair(&self.history, fresh_id(), record)
    }

    /// The journal to read from: where there is none but its export, that. Writes nothing.
    pub(super) fn existing_journal(&self) -> Result<Option<Arc<dyn Journal>>, Problem> {
        match self.opened_journal()? {
            None if archive::exists(&self.history) => {
                let exported = self.exported_journal()?;
                self.export_told.call_once(|| {
                    self.view.say("there is no journal here: this is what its export says");
                });
                Ok(Some(exported))
            }
            journal => Ok(journal),
        }
    }

    /// What can be remembered, without a word about where it lies or what is wrong with it.
    pub(super) fn remembered(&self) -> Option<Arc<dyn Journal>> {
        match self.opened_journal().ok()? {
            None if archive::exists(&self.history) => self.exported_journal().ok(),
            journal => journal,
        }
    }

    /// The journal on disk, if there is one. Beside an export an empty one is none: it was made to be
    /// filled from there, and was not.
    fn opened_journal(&self) -> Result<Option<Arc<dyn Journal>>, Problem> {
        let opened = RedbJournal::open(&self.history).and_then(|journal| {
            let checked = journal.check_if_small()?;
            let empty = checked.is_some_and(|checked| checked.events == 0);
            Ok((journal, empty))
        });
        match opened {
            Ok((_, true)) if archive::exists(&self.history) => Ok(None),
            Ok((journal, _)) => Ok(Some(Arc::new(journal))),
            Err(JournalError::Missing { .. }) => Ok(None),
            Err(error) => Err(trouble::journal(&error, &self.history)),
        }
    }

    /// What the export says, in memory; one that does not fit there must become a journal first.
    fn exported_journal(&self) -> Result<Arc<dyn Journal>, Problem> {
        let refused = |error| trouble::own_export(&error, &self.history);
        let files = import::files(&self.history.join(archive::EXPORTS)).map_err(refused)?;
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        if files.iter().map(size).sum::<u64>() > LARGEST_EXPORT_READ {
            let missing = JournalError::Missing { path: self.history.clone() };
            return Err(trouble::journal(&missing, &self.history));
        }
        let journal = MemoryJournal::new();
        import::import(&journal, &files).map_err(refused)?;
        Ok(Arc::new(journal))
    }

    /// The repository of the service, where surefoot deployed it from somewhere else.
    async fn repository_in_use(&self) -> Option<RepositoryName> {
        let name = self.settings.service_name.as_ref()?;
        let service = self.world().services.find(name).await.ok()??;
        let release = service.mark.as_ref().and_then(|_| service.release())?;
        Some(release.image.repository)
    }

    /// The journal of one service.
    pub(super) fn ledger(
        &self,
        journal: Arc<dyn Journal>,
        stream: StreamName,
    ) -> Result<Ledger, Problem> {
        let ledger = self
            .unchecked_ledger(journal, stream)
            .map_err(|error| trouble::journal(&error, &self.history))?;
        let ends = ledger.entries().last().map_or(0, |entry| entry.sequence);
        self.refuse_to_be_behind(ledger.stream(), ends)?;
        Ok(ledger)
    }

    /// The journal of one service, without a look at the export: one of another clone, or one that is being
    /// brought back.
    pub(super) fn unchecked_ledger(
        &self,
        journal: Arc<dyn Journal>,
        stream: StreamName,
    ) -> Result<Ledger, JournalError> {
        let chance: Chance = Box::new(rand);
        Ledger::open(journal, stream, self.actor.clone(), chance)
    }

    /// Refuses a journal that is older than its own export, by the number of its last event.
    pub(super) fn refuse_to_be_behind(
        &self,
        stream: &StreamName,
        ends: u64,
    ) -> Result<(), Problem> {
        archive::refuse_to_be_behind(&self.history, stream, ends)
            .map_err(|error| trouble::journal(&error, &self.history))
    }

    /// Whether nobody named the service: its name is then the directory's.
    pub(super) fn service_is_a_guess(&self) -> bool {
        self.is_a_guess("service_name")
    }

    /// The repository, where only the command line or the environment of this process names it: elsewhere
    /// the same command would mean another.
    pub(super) fn repository_named_here(&self) -> Option<&RepositoryName> {
        let origin = self.settings.origin("ecr_repository");
        let here = matches!(origin, Some(Origin::Flag(_) | Origin::Environment(_)));
        self.settings.repository.as_ref().filter(|_| here).map(|choice| &choice.name)
    }

    fn is_a_guess(&self, key: &str) -> bool {
        matches!(self.settings.origin(key), None | Some(Origin::Detected(_)))
    }

    /// Plain environment values that were asked for.
    pub(super) fn values(&self) -> crate::release::Values {
        self.settings.values()
    }
}

/// All adapters of one connection.
fn outside(aws: &Connection) -> World {
    let clock = || -> Box<dyn Clock> { Box::new(SystemClock::start()) };
    World {
        source: Box::new(GitSource::default()),
        builder: Box::new(DockerBuilder::new(Surroundings::of_this_process(), clock())),
        registry: Box::new(Ecr::new(aws)),
        services: Box::new(AppRunner::new(aws)),
        secrets: Box::new(SecretsManager::new(aws)),
        identity: Box::new(StsIam::new(aws)),
        logs: Box::new(CloudWatchLogs::new(aws)),
        health: Box::new(HttpHealth::new()),
        clock: clock(),
    }
}

/// The settings, with the configuration where it can be used. Where it cannot, and the journal tells
/// everything, without, and what is wrong with it: who was interrupted need not mend a file first.
fn with_file(
    file: Result<Option<File>, Problem>,
    sources: &mut Sources,
    need: Need,
) -> Result<(Settings, Option<Problem>), Problem> {
    let problem = match file {
        Ok(file) => {
            sources.file = file;
            return Ok((resolve(sources)?, None));
        }
        Err(problem) => problem,
    };
    match resolve(sources) {
        // The file may say where the journal is: without one here nothing can be told.
        Ok(settings)
            if need.goes_by_the_journal
                && history(&settings, &sources.detected.project).exists() =>
        {
            Ok((settings, Some(problem)))
        }
        _ => Err(problem),
    }
}

/// The journal's directory.
fn history(settings: &Settings, project: &Path) -> PathBuf {
    settings.history_dir.clone().unwrap_or_else(|| project.join(HISTORY))
}

/// `surefoot.toml` of this directory, else of the project.
fn file(current: &Path, project: &Path) -> Result<Option<File>, Problem> {
    match load(&current.join(FILE_NAME))? {
        None if current != project => load(&project.join(FILE_NAME)),
        found => Ok(found),
    }
}

/// A journal in which nothing is damaged, as far as a look at it may cost.
fn checked(journal: RedbJournal) -> Result<RedbJournal, JournalError> {
    journal.check_if_small()?;
    Ok(journal)
}

/// The identity of a journal that is about to be made.
fn fresh_id() -> JournalId {
    JournalId((rand() << 64) | (rand() & u128::from(u64::MAX)))
}

/// Randomness of the machine.
fn rand() -> u128 {
    ulid::Ulid::generate().random()
}

fn flags(everywhere: &Everywhere, deploy: &Deploy) -> Flags {
    Flags {
        service_name: everywhere.service_name.clone(),
        region: everywhere.region.clone(),
        ecr_repo: everywhere.ecr_repo.clone(),
        env: everywhere.environment.clone(),
        history_dir: everywhere.history_dir.as_deref().map(text),
        deploy_timeout: deploy.deploy_timeout.clone(),
        health_timeout: deploy.health_timeout.clone(),
        health_retries: deploy.health_retries.clone(),
        allow_missing_deps: deploy.allow_missing_deps,
        force_latest: deploy.force_latest,
        force_restart: deploy.force_restart,
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
