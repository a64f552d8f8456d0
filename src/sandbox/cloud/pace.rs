//! How long things take in real life, and how much faster the sandbox runs.
//!
//! Figures: recorded event logs of real services and public reports (AWS CLI examples of
//! `list-operations`: 203 s for a creation; App Runner roadmap issues 46, 127, 128, 142, 147).

use serde::{Deserialize, Serialize};

use super::configuration::HealthCheckConfiguration;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// A new operation is `PENDING` for this long, where the switch says that it is at all.
pub(crate) const PENDING: i64 = 3 * SECOND;
/// Copying the image from ECR.
pub(crate) const PULL: i64 = 40 * SECOND;
/// From the copied image to the first health check.
pub(crate) const PROVISION: i64 = 70 * SECOND;
/// Moving the traffic to the new instance.
pub(crate) const ROUTE: i64 = 45 * SECOND;
/// How often it is asked whether the traffic has moved.
pub(crate) const ROUTE_AGAIN: i64 = SECOND;
/// From the moved traffic to the end of the operation.
pub(crate) const FINISH: i64 = 30 * SECOND;
/// Pausing a service.
pub(crate) const PAUSE: i64 = 2 * MINUTE;
/// Deleting a service.
pub(crate) const DELETE: i64 = MINUTE;
/// App Runner needs this long to say that an image does not exist (roadmap 127).
pub(crate) const MISSING_IMAGE_NOTICED: i64 = 10 * MINUTE;
/// A copy that fails for another reason.
pub(crate) const FAILED_COPY_NOTICED: i64 = 5 * MINUTE;
/// A role without the right to pull (roadmap 142).
pub(crate) const BAD_ROLE_NOTICED: i64 = 40 * MINUTE;
/// A secret that the instance cannot read.
pub(crate) const UNREADABLE_SECRET_NOTICED: i64 = 5 * MINUTE;
/// A container that exits at once.
pub(crate) const EXIT_NOTICED: i64 = MINUTE;
/// A health check that never passes (roadmap 46: 18 to 20 minutes).
pub(crate) const UNHEALTHY_NOTICED: i64 = 19 * MINUTE;
/// Going back to the previous version (roadmap 147: more than 15 minutes).
pub(crate) const ROLL_BACK: i64 = 15 * MINUTE;
/// An instance of a running service that died is replaced after this.
pub(crate) const REPLACE: i64 = 10 * SECOND;
/// Somebody else who finds the service busy tries again after this.
pub(crate) const FOREIGN_PATIENCE: i64 = 5 * SECOND;
/// The time a new instance is granted before silence counts as unhealthy.
pub(crate) const SILENCE: i64 = 60 * MINUTE;

/// How much faster than real life the sandbox runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    speed: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { speed: 60 }
    }
}

impl Pace {
    /// A pace so many times faster than real life; nought counts as one.
    pub fn new(speed: u32) -> Self {
        Self { speed: speed.max(1) }
    }

    /// How many times faster than real life.
    pub fn speed(self) -> u32 {
        self.speed
    }

    /// Milliseconds in the sandbox for milliseconds of real life.
    pub fn scale(self, real: i64) -> i64 {
        if real <= 0 { 0 } else { (real / i64::from(self.speed)).max(1) }
    }

    /// The pause between two health checks.
    pub fn health_interval(self, check: &HealthCheckConfiguration) -> i64 {
        self.scale(i64::from(check.interval) * SECOND)
    }

    /// When a health check that never passes is called failed.
    pub(crate) fn health_patience(
        self,
        check: &HealthCheckConfiguration,
        thresholds_only: bool,
    ) -> i64 {
        let thresholds = i64::from(check.interval) * i64::from(check.unhealthy_threshold) * SECOND;
        let least = if thresholds_only { 0 } else { UNHEALTHY_NOTICED };
        self.scale(thresholds.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_takes_about_as_long_as_the_recorded_one() {
        let creation = PULL + PROVISION + 5 * SECOND + ROUTE + FINISH;
        assert!((135 * SECOND..=260 * SECOND).contains(&creation), "{creation}");
    }

    #[test]
    fn speed_divides_and_never_reaches_nought() {
        assert_eq!(Pace::new(60).scale(MINUTE), SECOND);
        assert_eq!(Pace::new(0).scale(MINUTE), MINUTE);
        assert_eq!(Pace::new(1_000_000).scale(1), 1);
        assert_eq!(Pace::default().speed(), 60);
    }

    #[test]
    fn patience_follows_the_thresholds_where_they_are_longer() {
        let mut check = HealthCheckConfiguration::default();
        assert_eq!(Pace::new(1).health_patience(&check, true), 25 * SECOND);
        assert_eq!(Pace::new(1).health_patience(&check, false), UNHEALTHY_NOTICED);
        check.interval = 20;
        check.unhealthy_threshold = 20;
        assert_eq!(Pace::new(1).health_patience(&check, true), 400 * SECOND);
    }
}
