//! One process after the other on one machine: `deploy` first, then `resume` until it is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::cloud::chance::Chance;
use super::super::door::ports::{Ended, FlightRecorder, Machine};
use super::mutant::{Guard, Memory, Misled};
use super::stream;
use super::wish::{Seen, Wish};
use crate::config::Times;
use crate::engine::Engine;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::event::envelope::Actor;
use crate::journal::JournalError;
use crate::ledger::{Ledger, LedgerError};
use crate::names::{DeploymentNumber, ValueHash};
use crate::step::Told;
use crate::view::SilentView;
use crate::world::{World, WorldError};

/// A machine with its journal, in front of the world.
#[derive(Clone)]
pub struct Session {
    /// The machine.
    pub machine: Machine,
    /// Its journal.
    pub journal: FlightRecorder,
    /// How long things may take.
    pub times: Times,
    /// Plain values that its configuration file sets.
    pub values: BTreeMap<ValueHash, String>,
    chance: Arc<Mutex<Chance>>,
    without: Option<Guard>,
    memory: Memory,
    /// The newest deployment, as of so many writes.
    newest: Arc<Mutex<Option<Known>>>,
}

/// After how many writes, and the newest deployment then.
type Known = (u64, Option<Deployment>);

/// Why a process ended without a state of its deployment.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The journal failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The world could not be looked at before planning.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Self::Ledger(error.into())
    }
}

/// How one process ended: with the state it left behind, if it had anything to do.
pub type Life = Ended<Result<Option<Deployment>, Stopped>>;

impl Session {
    /// A machine with an empty journal.
    pub fn new(machine: Machine, times: Times, seed: u64) -> Self {
        let journal = FlightRecorder::new(&machine);
        let chance = Arc::new(Mutex::new(Chance::new(seed)));
        let (values, memory) = (BTreeMap::new(), Memory::default());
        let newest = Arc::default();
        Self { machine, journal, times, values, chance, without: None, memory, newest }
    }

    /// The same session without one guard.
    pub(super) fn without(self, guard: Option<Guard>) -> Self {
        Self { without: guard, ..self }
    }

    /// Whether this guard is taken away.
    pub(super) fn is_without(&self, guard: Guard) -> bool {
        self.without == Some(guard)
    }

    /// What is lost with the power, where the guard against it is missing.
    pub(super) fn lose_power(&self) {
        if self.without == Some(Guard::DurableFirst) {
            self.journal.forget_newest(&stream());
        }
    }

    pub(super) fn world(&self) -> World {
        let mut world = self.machine.world();
        if let Some(guard) = self.without {
            let (inner, memory) = (world.services, self.memory.clone());
            world.services = Box::new(Misled { guard, inner, memory });
        }
        world
    }

    /// The journal, read as every process reads it.
    pub fn ledger(&self) -> Result<Ledger, JournalError> {
        let chance = Arc::clone(&self.chance);
        let draw = move || {
            let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
            u128::from(chance.draw()) << 64 | u128::from(chance.draw())
        };
        let actor = Actor { user: "ada".into(), host: "loom".into(), ci_run: None };
        Ledger::open(Arc::new(self.journal.clone()), stream(), actor, Box::new(draw))
    }

    /// `surefoot deploy`: an unfinished deployment is taken up instead, as CI does.
    pub async fn deploy(&self, wish: &Wish) -> Result<Option<Deployment>, Stopped> {
        let mut ledger = self.ledger()?;
        if pending(&ledger)?.is_some() {
            return Box::pin(self.resume(false)).await;
        }
        let world = self.world();
        let service = world.services.find(&stream().service).await?;
        let newest = match &service {
            Some(service) => world.services.operations(&service.arn, Some(1)).await?,
            None => Vec::new(),
        };
        let wish = wish.resolved(ledger.entries());
        let plan = wish.plan(Seen {
            number: ledger.next_number(),
            head: ledger.head(),
            newest: newest.first().map(|operation| &operation.id),
        });
        let (number, deployment) = (plan.number, Deployment::begin(plan.clone()));
        let event = Event::DeploymentPlanned(Box::new(plan));
        ledger.append(number, &event, &self.values, world.clock.now())?;
        Box::pin(self.run(deployment, ledger)).await
    }

    /// `surefoot resume`.
    pub async fn resume(&self, backwards: bool) -> Result<Option<Deployment>, Stopped> {
        let mut ledger = self.ledger()?;
        let Some(deployment) = pending(&ledger)? else { return Ok(None) };
        let event = Event::Resumed { backwards, proves_again: true };
        let number = deployment.plan.number;
        let deployment = deployment.evolve(&event).map_err(LedgerError::from)?;
        let world = self.world();
        ledger.append(number, &event, &BTreeMap::new(), world.clock.now())?;
        Box::pin(self.run(deployment, ledger)).await
    }

    async fn run(
        &self,
        deployment: Deployment,
        mut ledger: Ledger,
    ) -> Result<Option<Deployment>, Stopped> {
        let world = self.world();
        let view = SilentView { consents: true };
        let mut engine = Engine {
            world: &world,
            ledger: &mut ledger,
            view: &view,
            times: self.times,
            stop: self.machine.stop(),
            inventory: None,
            tail: false,
            told: Told::default(),
        };
        Ok(Some(engine.run(deployment).await?))
    }

    /// The newest deployment, as the journal has it.
    pub fn newest(&self) -> Option<Deployment> {
        let writes = self.journal.writes();
        let mut known = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((as_of, newest)) if *as_of == writes => newest.clone(),
            _ => {
                let newest = self.read_newest();
                *known = Some((writes, newest.clone()));
                newest
            }
        }
    }

    fn read_newest(&self) -> Option<Deployment> {
        let ledger = self.ledger().ok()?;
        let last = ledger.next_number().0 - 1;
        (last > 0).then(|| ledger.deployment(DeploymentNumber(last)).ok()).flatten()
    }

    /// How many deployments were planned.
    pub fn planned(&self) -> u64 {
        self.newest().map_or(0, |newest| newest.plan.number.0)
    }

    /// Whether a deployment is unfinished.
    pub fn is_pending(&self) -> bool {
        self.newest().is_some_and(|deployment| !deployment.is_over())
    }
}

/// The newest deployment, if it is not over.
fn pending(ledger: &Ledger) -> Result<Option<Deployment>, LedgerError> {
    let last = ledger.next_number().0 - 1;
    if last == 0 {
        return Ok(None);
    }
    let deployment = ledger.deployment(DeploymentNumber(last))?;
    Ok((!deployment.is_over()).then_some(deployment))
}
