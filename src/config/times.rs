//! Every time constant of the workflow, by name, with the reason for its value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long ListOperations may hide an operation that exists. App Runner promises nothing about
/// read-after-write; a missing row is tolerated this long.
pub const LIST_LAG: Duration = Duration::from_mins(1);

/// After an unclear answer, how long to look before "no operation was started" may be believed:
/// longer than the list can lag.
pub const SETTLE: Duration = Duration::from_secs(90);

/// Between two looks at an operation.
pub const POLL: Duration = Duration::from_secs(3);

/// Never look more often: one DescribeService and ListOperations pair per second and service.
pub const POLL_FLOOR: Duration = Duration::from_secs(1);

/// A deployment has this long. A bad access role takes App Runner about 40 minutes to report
/// (App Runner roadmap #142), and an operation cannot be cancelled (roadmap #49).
pub const DEPLOY_TIMEOUT: Duration = Duration::from_mins(45);

/// The second limit: after the deadline, how long to wait for App Runner to let go. Its own
/// rollback takes more than 15 minutes (roadmap #147).
pub const RELEASE_WAIT: Duration = Duration::from_mins(30);

/// How long to wait for somebody else's operation before our own; AWS maintenance blocks a service
/// "for a few minutes" (developer guide, architecture).
pub const BUSY_WAIT: Duration = Duration::from_mins(10);

/// How long "Error in assuming … role" may mean that IAM has not spread a new role yet.
pub const ROLE_WAIT: Duration = Duration::from_mins(2);

/// How long a log line may take to CloudWatch: after an end, logs are read once more this late.
pub const LOG_LAG: Duration = Duration::from_secs(10);

/// Between two reads of a log that is followed.
pub const LOG_POLL: Duration = Duration::from_secs(5);

/// After a signal, how long the call in flight may take to end.
pub const INTERRUPT_GRACE: Duration = Duration::from_secs(5);

/// One health request, from connection to last byte.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// A real application answers no faster in a faster sandbox.
pub const HEALTH_TIMEOUT_FLOOR: Duration = Duration::from_secs(2);

/// Between two health requests.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// Requests closer than this tell nothing new.
pub const HEALTH_INTERVAL_FLOOR: Duration = Duration::from_millis(250);

/// The time constants of one deployment, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// See [`DEPLOY_TIMEOUT`].
    pub deploy_timeout: Duration,
    /// See [`RELEASE_WAIT`].
    pub release_wait: Duration,
    /// See [`SETTLE`].
    pub settle: Duration,
    /// See [`LIST_LAG`]. No setting: a property of App Runner, scaled with the sandbox.
    pub list_lag: Duration,
    /// See [`POLL`].
    pub poll: Duration,
    /// See [`BUSY_WAIT`].
    pub busy_wait: Duration,
    /// See [`ROLE_WAIT`].
    pub role_wait: Duration,
    /// See [`LOG_LAG`].
    pub log_lag: Duration,
    /// See [`LOG_POLL`].
    pub log_poll: Duration,
    /// See [`INTERRUPT_GRACE`]. Never scaled: a call in flight is as slow as the network.
    pub interrupt_grace: Duration,
    /// See [`HEALTH_TIMEOUT`].
    pub health_timeout: Duration,
    /// See [`HEALTH_INTERVAL`].
    pub health_interval: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            deploy_timeout: DEPLOY_TIMEOUT,
            release_wait: RELEASE_WAIT,
            settle: SETTLE,
            list_lag: LIST_LAG,
            poll: POLL,
            busy_wait: BUSY_WAIT,
            role_wait: ROLE_WAIT,
            log_lag: LOG_LAG,
            log_poll: LOG_POLL,
            interrupt_grace: INTERRUPT_GRACE,
            health_timeout: HEALTH_TIMEOUT,
            health_interval: HEALTH_INTERVAL,
        }
    }
}

impl Times {
    /// The same times in a world that runs `speed` times faster. `settle` and `list_lag` shrink by
    /// the same factor, so that looking still outlasts hiding; polling stays at or above a second.
    #[must_use]
    pub fn scaled(self, speed: Speed) -> Self {
        Self {
            deploy_timeout: speed.shorten(self.deploy_timeout),
            release_wait: speed.shorten(self.release_wait),
            settle: speed.shorten(self.settle),
            list_lag: speed.shorten(self.list_lag),
            poll: speed.shorten(self.poll).max(POLL_FLOOR),
            busy_wait: speed.shorten(self.busy_wait),
            role_wait: speed.shorten(self.role_wait),
            log_lag: speed.shorten(self.log_lag),
            log_poll: speed.shorten(self.log_poll).max(POLL_FLOOR),
            interrupt_grace: self.interrupt_grace,
            health_timeout: speed.shorten_down_to(self.health_timeout, HEALTH_TIMEOUT_FLOOR),
            health_interval: speed.shorten_down_to(self.health_interval, HEALTH_INTERVAL_FLOOR),
        }
    }

    /// How many times longer we look than the list can lag: published beside every "0 duplicates".
    pub fn settle_ratio(&self) -> f64 {
        self.settle.as_secs_f64() / self.list_lag.as_secs_f64()
    }
}

/// How many times faster than real life the world runs. 1 is AWS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// Real life.
    pub const REAL: Self = Self(1.0);

    /// A speed from 1 to 10000.
    pub fn new(factor: f64) -> Result<Self, String> {
        if (1.0..=10_000.0).contains(&factor) {
            return Ok(Self(factor));
        }
        Err("a number from 1 to 10000".into())
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        self.0
    }

    /// A duration of real life, in this world.
    pub fn shorten(self, duration: Duration) -> Duration {
        duration.div_f64(self.0)
    }

    /// The same, never below the floor unless the duration was there already.
    fn shorten_down_to(self, duration: Duration, floor: Duration) -> Duration {
        self.shorten(duration).max(floor.min(duration))
    }
}

impl std::str::FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text.trim().parse().unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_outlasts_hiding_at_every_speed() {
        for factor in [1.0, 2.0, 7.3, 60.0, 600.0, 10_000.0] {
            let times = Times::default().scaled(Speed::new(factor).unwrap());
            assert!(times.settle > times.list_lag, "{factor}");
            assert!((times.settle_ratio() - 1.5).abs() < 0.001, "{factor}");
        }
    }

    #[test]
    fn nobody_is_asked_more_than_once_a_second() {
        for factor in [1.0, 3.0, 60.0, 10_000.0] {
            let times = Times::default().scaled(Speed::new(factor).unwrap());
            assert!(times.poll >= POLL_FLOOR && times.log_poll >= POLL_FLOOR, "{factor}");
            assert!(times.health_timeout >= HEALTH_TIMEOUT_FLOOR, "{factor}");
            assert_eq!(times.interrupt_grace, INTERRUPT_GRACE);
        }
    }

    #[test]
    fn real_life_is_not_scaled() {
        assert_eq!(Times::default().scaled(Speed::REAL), Times::default());
        let short = Times { health_interval: Duration::from_millis(10), ..Times::default() };
        assert_eq!(short.scaled(Speed::REAL), short);
    }

    #[test]
    fn a_speed_is_a_number_from_one_to_ten_thousand() {
        for bad in ["", "0", "0.5", "-1", "nan", "inf", "10001", "fast"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
        assert_eq!("60".parse::<Speed>(), Ok(Speed(60.0)));
    }
}
