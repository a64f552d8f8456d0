//! What all AWS adapters share: one connection, one translation of errors, one way to look at a
//! request before it is sent.

mod connection;
mod credentials;
mod failure;
mod preview;
mod promised;
#[cfg(test)]
pub(in crate::world) mod scripted;
mod scrub;

pub use connection::{Connection, Patience, configured_region, connect};
pub(in crate::world) use failure::{Effect, garbled, translate};
pub(in crate::world) use preview::Preview;
pub(in crate::world) use promised::Promised;
pub use scrub::scrub;

use chrono::{DateTime, Utc};

/// AWS's time in ours. A moment outside chrono's range is no moment.
pub(in crate::world) fn moment(at: &aws_smithy_types::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_moments_keep_their_milliseconds() {
        let at = aws_smithy_types::DateTime::from_millis(1_700_000_000_123);
        assert_eq!(moment(&at).unwrap().timestamp_millis(), 1_700_000_000_123);
        assert_eq!(moment(&aws_smithy_types::DateTime::from_secs(i64::MAX)), None);
    }
}
