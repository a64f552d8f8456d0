//! Time: the only place that asks for it.

mod system;

pub use system::SystemClock;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Tells time and lets it pass.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock: for display and for asking AWS "since when". Never for deciding.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some fixed moment of this process: for deciding.
    fn elapsed(&self) -> Duration;
    /// Lets time pass.
    async fn sleep(&self, duration: Duration);
}
