//! What advice goes by in the evidence of [`Event::AttentionNeeded`](super::Event::AttentionNeeded). It is
//! told in sentences, for a person; what a program decides from it stands here and nowhere else.

use crate::world::service::ServiceStatus;

/// Nobody finds the service.
pub(crate) const GONE: &str = "the service is gone";

/// Kinds of operations after which a service sleeps, as App Runner calls them.
const PAUSES: &str = "PAUSE_SERVICE";

/// In what state the service is, where that is not what was hoped for.
pub(crate) fn in_state(status: &ServiceStatus) -> String {
    format!("the service is {status}")
}

/// Whether there is no service any more.
pub(crate) fn says_gone(evidence: &[String]) -> bool {
    says(evidence, GONE) || says(evidence, &in_state(&ServiceStatus::Deleted))
}

/// Whether the service sleeps, or was sent to sleep.
pub(crate) fn says_paused(evidence: &[String]) -> bool {
    says(evidence, &in_state(&ServiceStatus::Paused)) || says(evidence, PAUSES)
}

fn says(evidence: &[String], words: &str) -> bool {
    evidence.iter().any(|line| line.contains(words))
}
