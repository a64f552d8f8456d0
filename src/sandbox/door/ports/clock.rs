//! Virtual time, as a machine tells it. Its wall clock may jump; the time that passes does not.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{BEGINNING, Machine};
use crate::world::clock::Clock;

#[async_trait]
impl Clock for Machine {
    fn now(&self) -> DateTime<Utc> {
        let at = self.door.now() + self.desk().jump;
        DateTime::from_timestamp_millis(at).unwrap_or_default()
    }

    fn elapsed(&self) -> Duration {
        let milliseconds = self.door.now() - BEGINNING;
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
    }

    async fn sleep(&self, duration: Duration) {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
        self.nap(milliseconds).await;
    }
}
