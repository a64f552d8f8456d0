//! Weather by chance: storms of a seed, with an end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::Timestamp;
use super::super::cloud::chance::Chance;
use super::super::door::ports::{Kind, Mishap, Moment, Weather};
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

/// Weather that strikes by chance, a limited number of times.
pub(super) struct Storm {
    chance: Chance,
    /// Moments of a thousand that are struck.
    density: u64,
    /// Strikes left.
    left: u64,
    /// Credentials are expired in this span of time.
    expired: Option<(Timestamp, Timestamp)>,
    strikes: Strikes,
}

impl Storm {
    /// The storm of a chance; `strikes` counts what it does.
    pub(super) fn brew(mut chance: Chance, now: Timestamp, strikes: Strikes) -> Self {
        let density = [0, 5, 20, 60, 150][pick(&mut chance, 5)];
        let left = chance.draw() % 8;
        let do_expire = chance.draw().is_multiple_of(8);
        let from = now + span(&mut chance, 600_000);
        let expired = do_expire.then(|| (from, from + span(&mut chance, 1_800_000)));
        Self { chance, density, left, expired, strikes }
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
