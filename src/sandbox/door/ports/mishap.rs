//! What may go wrong at one moment, and who decides.

use super::super::super::Timestamp;
use crate::world::Obstacle;

/// A signed request is good for so long. Source: IAM user guide, signing requests.
pub const SIGNATURE: Timestamp = 300_000;

/// One reach for the world or for the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Counts over all lives of a machine, from 0.
    pub number: u64,
    /// What kind of reach.
    pub kind: Kind,
    /// The call, such as `UpdateService`, or the event's type.
    pub call: &'static str,
    /// When.
    pub at: Timestamp,
}

/// What kind of reach a moment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It only looks.
    Read,
    /// It may change the world.
    Change,
    /// It writes the journal.
    Append,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The power goes before it takes effect.
    CutBefore,
    /// The power goes after it took effect, before anybody learns of it.
    CutAfter,
    /// A definite no.
    Refused,
    /// No answer, and no effect.
    LostBefore,
    /// No answer, although it took effect.
    LostAfter,
    /// A 5xx answer, and no effect.
    BrokenBefore,
    /// A 5xx answer, although it took effect.
    BrokenAfter,
    /// It certainly never arrived.
    Unreachable(Obstacle),
    /// The answer shows the world as it was so many milliseconds ago.
    Lag(Timestamp),
    /// So many milliseconds pass before it arrives: a slow network, a machine that sleeps.
    Late(Timestamp),
    /// No answer; it arrives so many milliseconds later all the same, if it asks something of App
    /// Runner, and everything else never does.
    Zombie(Timestamp),
    /// AWS begins to maintain the service right before, for so many milliseconds.
    Maintenance(Timestamp),
    /// A person wants to stop.
    Signal,
    /// The disk is full (of the journal only).
    Full,
    /// The wall clock jumps by so many milliseconds.
    ClockJump(Timestamp),
}

impl Mishap {
    /// What it is, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CutBefore => "power cut before",
            Self::CutAfter => "power cut after",
            Self::Refused => "refused",
            Self::LostBefore => "answer lost, no effect",
            Self::LostAfter => "answer lost after the effect",
            Self::BrokenBefore => "5xx, no effect",
            Self::BrokenAfter => "5xx after the effect",
            Self::Unreachable(Obstacle::Throttled) => "throttled",
            Self::Unreachable(Obstacle::ExpiredCredentials) => "credentials expired",
            Self::Unreachable(Obstacle::InvalidCredentials) => "credentials taken away",
            Self::Unreachable(_) => "no network",
            Self::Lag(_) => "stale answer",
            Self::Late(milliseconds) if milliseconds > SIGNATURE => "machine that woke up late",
            Self::Late(_) => "slow delivery",
            Self::Zombie(_) => "request that arrives after its sender gave it up",
            Self::Maintenance(_) => "maintenance by AWS",
            Self::Signal => "signal",
            Self::Full => "full disk",
            Self::ClockJump(_) => "clock jump",
        }
    }
}

/// Decides what strikes.
pub trait Weather: Send {
    /// What strikes at this moment, if anything does.
    fn strike(&mut self, moment: &Moment) -> Option<Mishap>;
}

/// Nothing ever strikes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calm;

impl Weather for Calm {
    fn strike(&mut self, _moment: &Moment) -> Option<Mishap> {
        None
    }
}

impl<F: FnMut(&Moment) -> Option<Mishap> + Send> Weather for F {
    fn strike(&mut self, moment: &Moment) -> Option<Mishap> {
        self(moment)
    }
}
