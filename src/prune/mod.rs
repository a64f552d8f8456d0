//! Pruning: looks at the repository and at every service, and deletes what nothing needs, looking
//! again right before each call.

mod deletion;
mod look;

pub use deletion::delete;
pub use look::look;

use crate::names::ServiceName;
use crate::projection::Limits;
use crate::stop::Stop;
use crate::world::World;

/// What pruning works with.
pub struct Pruning<'a> {
    /// The outside.
    pub world: &'a World,
    /// Whether a person wants us to stop.
    pub stop: &'a Stop,
    /// How much is kept.
    pub limits: &'a Limits,
    /// Services of which nothing is kept but what they run.
    pub without_history: &'a [ServiceName],
}
