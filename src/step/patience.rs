//! How long something may still be waited for: by the clock, not by the number of looks, since a look
//! may itself take long.

use std::time::Duration;

use crate::world::clock::Clock;

/// A limited wait.
pub(super) struct Patience<'a> {
    clock: &'a dyn Clock,
    since: Duration,
    limit: Duration,
}

impl<'a> Patience<'a> {
    /// Begins to wait now.
    pub(super) fn begin(clock: &'a dyn Clock, limit: Duration) -> Self {
        Self { clock, since: clock.elapsed(), limit }
    }

    /// Whether the limit has passed.
    pub(super) fn is_over(&self) -> bool {
        self.clock.elapsed().saturating_sub(self.since) >= self.limit
    }

    /// Begins anew: what was waited for came, and went again.
    pub(super) fn renew(&mut self) {
        self.since = self.clock.elapsed();
    }
}
