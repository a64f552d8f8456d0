//! One machine in front of the world: its clock, its engine, its power, its weather.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::super::super::Timestamp;
use super::chronicle::Hindrance;
use super::mishap::{Kind, Mishap, Moment, SIGNATURE, Weather};
use super::{Door, State};
use crate::names::Commit;
use crate::stop::{Stop, Stopper};
use crate::world::builder::LocalImage;
use crate::world::{Obstacle, Place, World, WorldError};

/// A machine. Clones are handles of the same machine; it outlives the processes that run on it.
#[derive(Clone)]
pub struct Machine {
    pub(super) door: Door,
    pub(super) number: usize,
    desk: Arc<Mutex<Desk>>,
}

/// The tree that is checked out on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The hash of its build context.
    pub context: String,
    /// The commit, where git knows one.
    pub commit: Option<Commit>,
}

/// What belongs to one machine.
pub(super) struct Desk {
    weather: Box<dyn Weather>,
    pub(super) moments: u64,
    /// Calls that reached the world.
    pub(super) calls: u64,
    /// Calls that changed something, or tried to.
    pub(super) changes: u64,
    power: bool,
    /// The earliest moment at which the process has something to do; none where it has now.
    waiting: Option<Timestamp>,
    pub(super) jump: Timestamp,
    pub(super) tree: Tree,
    pub(super) images: BTreeMap<String, LocalImage>,
    /// Whether the newest event in the journal is an unsettled intention.
    pub(super) intended: bool,
    /// Whether the newest event in the journal ended its deployment.
    pub(super) over: bool,
    /// When App Runner's list of operations was last answered.
    pub(super) looked: Timestamp,
    /// When the newest call left.
    pub(super) left: Timestamp,
    /// The call that is under way arrives so much later, after its sender gave it up.
    zombie: Option<Timestamp>,
    stopper: Option<Stopper>,
}

/// What is left of a mishap once the power is on.
pub(super) struct Struck {
    /// The call does not take effect.
    pub(super) withheld: bool,
    /// The answer is replaced by this.
    pub(super) answer: Option<Lost>,
    /// The answer is so old.
    pub(super) lag: Timestamp,
}

/// What comes instead of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lost {
    Refused,
    Silence,
    Broken,
    Unreachable(Obstacle),
    Power,
}

impl Machine {
    pub(super) fn new(door: Door, number: usize, weather: Box<dyn Weather>) -> Self {
        let tree = Tree { context: "0".repeat(64), commit: None };
        let desk = Desk {
            weather,
            moments: 0,
            calls: 0,
            changes: 0,
            power: true,
            waiting: None,
            jump: 0,
            tree,
            images: BTreeMap::new(),
            intended: false,
            over: false,
            looked: 0,
            left: 0,
            zombie: None,
            stopper: None,
        };
        Self { door, number, desk: Arc::new(Mutex::new(desk)) }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world behind it.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Its number in front of this world, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The ports, as this machine has them.
    pub fn world(&self) -> World {
        World {
            source: Box::new(self.clone()),
            builder: Box::new(self.clone()),
            registry: Box::new(self.clone()),
            services: Box::new(self.clone()),
            secrets: Box::new(self.clone()),
            identity: Box::new(self.clone()),
            logs: Box::new(self.clone()),
            health: Box::new(self.clone()),
            clock: Box::new(self.clone()),
        }
    }

    /// Checks out another tree.
    pub fn check_out(&self, tree: Tree) {
        self.desk().tree = tree;
    }

    /// The power is back; a new process may run.
    pub fn power_up(&self) {
        let mut desk = self.desk();
        desk.power = true;
        desk.waiting = None;
    }

    /// The power goes.
    pub fn power_down(&self) {
        self.desk().power = false;
    }

    /// Whether the power is on.
    pub fn has_power(&self) -> bool {
        self.desk().power
    }

    /// Moments so far, over all lives.
    pub fn moments(&self) -> u64 {
        self.desk().moments
    }

    /// Calls so far, over all lives: all, and those that could change something.
    pub fn calls(&self) -> (u64, u64) {
        let desk = self.desk();
        (desk.calls, desk.changes)
    }

    /// Lets other weather come.
    pub fn change_weather(&self, weather: Box<dyn Weather>) {
        self.desk().weather = weather;
    }

    /// A fresh request to stop, for one process.
    pub fn stop(&self) -> Stop {
        let (stopper, stop) = Stop::channel();
        self.desk().stopper = Some(stopper);
        stop
    }

    pub(super) fn waiting(&self) -> Option<Timestamp> {
        self.desk().waiting
    }

    pub(super) fn wake(&self) {
        self.desk().waiting = None;
    }

    /// Numbers a moment and asks the weather.
    pub(super) fn moment(&self, kind: Kind, call: &'static str) -> Option<Mishap> {
        let at = self.door.now();
        let mut desk = self.desk();
        desk.left = at;
        let moment = Moment { number: desk.moments, kind, call, at };
        desk.moments += 1;
        let mishap = desk.weather.strike(&moment);
        drop(desk);
        if let Some(mishap) = mishap {
            let hindrance = Hindrance { machine: self.number, at, call, mishap };
            self.door.state().chronicle.hindrances.push(hindrance);
        }
        mishap
    }

    /// How late the call that was just given up arrives, where it does.
    pub(super) fn take_zombie(&self) -> Option<Timestamp> {
        self.desk().zombie.take()
    }

    /// One call: the moment, its mishap, its effect.
    pub(super) async fn call<T>(
        &self,
        (place, kind, name): (Place, Kind, &'static str),
        effect: impl FnOnce(&mut State, Timestamp) -> Result<T, WorldError> + Send,
    ) -> Result<T, WorldError> {
        let struck = self.suffer(kind, name).await;
        if matches!(struck.answer, Some(Lost::Power)) && struck.withheld {
            return self.dead().await;
        }
        let answer =
            if struck.withheld { None } else { Some(self.reach(kind, struck.lag, effect)) };
        match (struck.answer, answer) {
            (Some(Lost::Power), _) => self.dead().await,
            (Some(lost), _) => Err(error(place, kind, lost)),
            (None, Some(answer)) => answer,
            (None, None) => unreachable!("what is withheld has another answer"),
        }
    }

    fn reach<T>(
        &self,
        kind: Kind,
        lag: Timestamp,
        effect: impl FnOnce(&mut State, Timestamp) -> Result<T, WorldError>,
    ) -> Result<T, WorldError> {
        let mut desk = self.desk();
        desk.calls += 1;
        desk.changes += u64::from(kind == Kind::Change);
        drop(desk);
        effect(&mut self.door.state(), lag)
    }

    async fn suffer(&self, kind: Kind, name: &'static str) -> Struck {
        let mishap = self.moment(kind, name);
        let clear = Struck { withheld: false, answer: None, lag: 0 };
        let lost = |withheld, answer| Struck { withheld, answer: Some(answer), lag: 0 };
        match mishap {
            None | Some(Mishap::Full) => clear,
            Some(Mishap::CutBefore) => {
                self.power_down();
                lost(true, Lost::Power)
            }
            Some(Mishap::CutAfter) => {
                self.power_down();
                lost(false, Lost::Power)
            }
            Some(Mishap::Refused) => lost(true, Lost::Refused),
            Some(Mishap::LostBefore) => lost(true, Lost::Silence),
            Some(Mishap::LostAfter) => lost(false, Lost::Silence),
            Some(Mishap::BrokenBefore) => lost(true, Lost::Broken),
            Some(Mishap::BrokenAfter) => lost(false, Lost::Broken),
            Some(Mishap::Unreachable(obstacle)) => lost(true, Lost::Unreachable(obstacle)),
            Some(Mishap::Lag(lag)) => Struck { lag, ..clear },
            Some(Mishap::Late(milliseconds)) => {
                self.nap(milliseconds).await;
                // AWS refuses what was signed more than five minutes ago.
                let stale = kind == Kind::Change && milliseconds > SIGNATURE;
                let answer = Lost::Unreachable(Obstacle::InvalidCredentials);
                if stale { lost(true, answer) } else { clear }
            }
            Some(Mishap::Zombie(delay)) => {
                self.desk().zombie = Some(delay);
                lost(true, Lost::Silence)
            }
            Some(Mishap::Maintenance(milliseconds)) => {
                self.door.state().maintain(milliseconds);
                clear
            }
            Some(Mishap::Signal) => {
                self.signal();
                clear
            }
            Some(Mishap::ClockJump(jump)) => {
                self.desk().jump += jump;
                clear
            }
        }
    }

    pub(super) fn signal(&self) {
        if let Some(stopper) = &self.desk().stopper {
            stopper.stop("SIGTERM");
        }
    }

    /// Without power nothing ever comes back; the executor drops the process.
    async fn dead<T>(&self) -> T {
        std::future::pending().await
    }

    /// Nothing happens on this machine for so many milliseconds.
    pub async fn rest(&self, milliseconds: Timestamp) {
        self.nap(milliseconds).await;
    }

    /// Lets virtual time pass for this process.
    pub(super) fn nap(&self, milliseconds: Timestamp) -> Nap {
        Nap { machine: self.clone(), until: self.door.now() + milliseconds }
    }
}

fn error(place: Place, kind: Kind, lost: Lost) -> WorldError {
    let unclear = |obstacle: Obstacle, reason: &str| match kind {
        Kind::Change => WorldError::Unanswered { place, reason: reason.to_owned() },
        _ => WorldError::Unreachable { place, obstacle, reason: reason.to_owned() },
    };
    match lost {
        Lost::Refused => {
            WorldError::refused(place, "AccessDeniedException", "the weather does not allow it")
        }
        Lost::Silence | Lost::Power => unclear(Obstacle::Network, "no answer came"),
        Lost::Broken => unclear(Obstacle::Broken, "InternalServiceErrorException: HTTP 500"),
        Lost::Unreachable(obstacle) => {
            WorldError::Unreachable { place, obstacle, reason: "no way there".into() }
        }
    }
}

/// A pause in virtual time.
pub(super) struct Nap {
    machine: Machine,
    until: Timestamp,
}

impl Future for Nap {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if self.machine.door.now() >= self.until {
            return Poll::Ready(());
        }
        let mut desk = self.machine.desk();
        // Several pauses may run side by side: the earliest wakes the process.
        let earliest = desk.waiting.map_or(self.until, |at| at.min(self.until));
        desk.waiting = Some(earliest);
        Poll::Pending
    }
}
