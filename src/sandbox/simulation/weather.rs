//! Weather by chance: storms of a seed, with an end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::Timestamp;
use super::super::cloud::chance::Chance;
use super::super::door::ports::{Kind, Mishap, Moment, SIGNATURE, Weather};
use super::matrix::LOOKS;
use crate::world::Obstacle;

/// What went wrong how often. Clones are the same count.
#[derive(Debug, Clone, Default)]
pub(super) struct Strikes(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Strikes {
    /// One more of this kind.
    pub(super) fn add(&self, kind: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One call that is struck.
#[derive(Debug, Clone, Copy)]
struct Aim {
    /// Which one of its kind, from 1.
    number: u64,
    mishap: Mishap,
}

/// How far requests may outlive their senders without being beyond the settle window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Shorter than this even the last look of the settle window shows what it came to.
    pub(super) within: Timestamp,
}

/// The calls that change the service.
const CHANGES: [&str; 2] = ["CreateService", "UpdateService"];
/// A deployment looks at the service about so often.
const USUAL_LOOKS: u64 = 40;
/// AWS maintains a service for minutes; whoever finds it busy waits for ten.
const MAINTENANCE: (Timestamp, u64) = (60_000, 420_000);

/// Weather that strikes by chance, a limited number of times.
pub(super) struct Storm {
    chance: Chance,
    /// Moments of a thousand that are struck.
    density: u64,
    /// Strikes left.
    left: u64,
    /// Credentials are expired in this span of time.
    expired: Option<(Timestamp, Timestamp)>,
    /// What strikes one of the calls that change the service: there the danger is.
    aim: Option<Aim>,
    /// AWS maintains the service at one of the looks at it that follow a change.
    maintenance: Option<Aim>,
    /// Calls that changed the service, or tried to.
    changes: u64,
    /// Looks at the service.
    looks: u64,
    strikes: Strikes,
}

impl Storm {
    /// The storm of a chance; `strikes` counts what it does.
    pub(super) fn brew(
        mut chance: Chance,
        now: Timestamp,
        patience: Patience,
        strikes: Strikes,
    ) -> Self {
        let density = [0, 5, 20, 60, 150][pick(&mut chance, 5)];
        let left = chance.draw() % 8;
        let do_expire = chance.draw().is_multiple_of(8);
        let from = now + span(&mut chance, 600_000);
        let expired = do_expire.then(|| (from, from + span(&mut chance, 1_800_000)));
        let aim = chance.draw().is_multiple_of(2).then(|| aim(&mut chance, patience));
        let maintenance = chance.draw().is_multiple_of(4).then(|| {
            let (least, more) = MAINTENANCE;
            let mishap = Mishap::Maintenance(least + span(&mut chance, more));
            Aim { number: 1 + chance.draw() % USUAL_LOOKS, mishap }
        });
        Self { chance, density, left, expired, aim, maintenance, changes: 0, looks: 0, strikes }
    }

    /// What was aimed at this very call.
    fn aimed(&mut self, moment: &Moment) -> Option<Mishap> {
        let (count, aim) = if CHANGES.contains(&moment.call) {
            (&mut self.changes, self.aim)
        } else if LOOKS.contains(&moment.call) {
            (&mut self.looks, self.maintenance)
        } else {
            return None;
        };
        *count += 1;
        aim.filter(|aim| aim.number == *count).map(|aim| aim.mishap)
    }
}

/// An index below `count`.
pub(super) fn pick(chance: &mut Chance, count: usize) -> usize {
    usize::try_from(chance.draw() % count as u64).unwrap_or_default()
}

/// A span of at most so many milliseconds.
pub(super) fn span(chance: &mut Chance, most: u64) -> Timestamp {
    Timestamp::try_from(chance.draw() % most.max(1)).unwrap_or_default()
}

impl Weather for Storm {
    fn strike(&mut self, moment: &Moment) -> Option<Mishap> {
        let remote = moment.kind != Kind::Append && moment.call != "GET";
        if remote && self.expired.is_some_and(|(from, to)| (from..to).contains(&moment.at)) {
            let expired = Mishap::Unreachable(Obstacle::ExpiredCredentials);
            self.strikes.add(expired.name());
            return Some(expired);
        }
        if let Some(mishap) = self.aimed(moment) {
            // Whether AWS found anything to maintain is counted by the world.
            if !matches!(mishap, Mishap::Maintenance(_)) {
                self.strikes.add(mishap.name());
            }
            return Some(mishap);
        }
        // What changes the world is struck more often: there the danger is.
        let density = self.density * if moment.kind == Kind::Read { 1 } else { 4 };
        if self.left == 0 || self.chance.draw() % 1_000 >= density {
            return None;
        }
        self.left -= 1;
        let mishap = draw(&mut self.chance, moment.kind);
        self.strikes.add(mishap.name());
        Some(mishap)
    }
}

/// An unclear answer to one of the first calls that change the service, most often after the effect.
fn aim(chance: &mut Chance, patience: Patience) -> Aim {
    let number = [1, 1, 1, 2, 2, 3][pick(chance, 6)];
    let beyond = chance.draw().is_multiple_of(4);
    let least = 5_000;
    let most = if beyond { SIGNATURE } else { patience.within };
    let delay = least + span(chance, u64::try_from(most - least).unwrap_or(0));
    let all = [
        Mishap::LostAfter,
        Mishap::LostAfter,
        Mishap::BrokenAfter,
        Mishap::BrokenAfter,
        Mishap::CutAfter,
        Mishap::CutAfter,
        Mishap::CutBefore,
        Mishap::LostBefore,
        Mishap::BrokenBefore,
        Mishap::Zombie(delay),
        Mishap::Zombie(delay),
    ];
    Aim { number, mishap: all[pick(chance, all.len())] }
}

fn draw(chance: &mut Chance, kind: Kind) -> Mishap {
    if kind == Kind::Append {
        let all = [Mishap::CutBefore, Mishap::CutAfter, Mishap::CutAfter, Mishap::Full];
        return all[pick(chance, all.len())];
    }
    let all = [
        Mishap::CutBefore,
        Mishap::CutAfter,
        Mishap::CutAfter,
        Mishap::Refused,
        Mishap::LostBefore,
        Mishap::LostAfter,
        Mishap::LostAfter,
        Mishap::BrokenBefore,
        Mishap::BrokenAfter,
        Mishap::Unreachable(Obstacle::Network),
        Mishap::Unreachable(Obstacle::Throttled),
        Mishap::Unreachable(Obstacle::InvalidCredentials),
        Mishap::Lag(span(chance, 30_000)),
        Mishap::Late(span(chance, 5_000)),
        Mishap::Late(span(chance, 295_000)),
        Mishap::Late(300_001 + span(chance, 1_800_000)),
        Mishap::Signal,
        Mishap::ClockJump(span(chance, 315_360_000_000)),
        Mishap::ClockJump(-span(chance, 315_360_000_000)),
    ];
    let drawn = all[pick(chance, all.len())];
    // A refused look is a permission that was taken away: it happens, and rarely.
    match drawn {
        Mishap::Refused if kind == Kind::Read && !chance.draw().is_multiple_of(4) => {
            Mishap::LostBefore
        }
        drawn => drawn,
    }
}
