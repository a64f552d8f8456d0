//! What the events of a stream say, ready to be shown: history, status, one deployment's story, its
//! summary, its problem. Pure: nothing here waits, reads a clock or touches the world.

mod candidates;
mod comparison;
mod effect;
#[cfg(test)]
pub mod examples;
mod expectation;
mod fold;
mod history;
mod judgement;
mod keep;
mod live;
mod outcome;
mod problem;
mod proof;
mod pushed;
mod recovered;
mod restorations;
mod selection;
mod standing;
mod statistics;
mod status;
mod story;
mod summary;
#[cfg(test)]
mod tests;
mod verification;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use std::time::Duration;

use crate::event::Event;
use crate::names::DeploymentNumber;

pub use candidates::{Candidate, candidates, last_good, once_live, ways_back};
pub use comparison::{Compared, Sighting, compare, drift};
pub use effect::Effect;
pub use expectation::{Expectation, expectation, proven_path};
pub use history::{Row, Verdict, history};
pub use judgement::{Judgement, Source, bad_releases};
pub use keep::{
    Choice, Deletions, Deployed, Failed, Fate, Gone, Kept, LARGEST_RUN, Limits, Memory, Missing,
    Named, Picture, Prune, PruneOutcome, Running, Stopped, calls, choose, lifecycle_warnings,
    missing, pruned, prunes, remember,
};
pub use live::{began_operation, knows_operation};
pub use outcome::{Told, Tone, told};
pub use problem::{in_the_way, problem_of};
pub use proof::proof_words;
pub use pushed::pushed;
pub use recovered::{RECOVERED, not_a_target};
pub use restorations::{Restoration, restorations};
pub use selection::{Selection, select};
pub use standing::{next_commands, standing};
pub use statistics::{Spread, Statistics, StepTime, spread, statistics};
pub use status::{Status, Unfinished, endpoint, has_arrived, is_under_way, knows_mark, status};
pub use story::{Moment, Record, Sent, Story, StoryStep, WayBack, stories, story};
pub use summary::{Summary, health_words, summary};
pub use verification::{Evidence, verdict, verify};

/// One event as it stands in the journal, without what only the journal needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The wall time, for display only.
    pub at: DateTime<Utc>,
    /// The deployment it belongs to; none for what happens beside deployments.
    pub deployment: Option<DeploymentNumber>,
    /// Who did it.
    pub actor: String,
    /// The address of the CI run that did it.
    pub ci_run: Option<String>,
    /// What happened, or what a newer version wrote.
    pub event: Result<Event, RawEvent>,
}

/// An event of a type that this version does not know, as it was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RawEvent {
    /// The name of its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its data.
    pub data: serde_json::Value,
}

/// The time from one moment to another; nothing where a clock went back in between.
fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Duration> {
    (to - from).to_std().ok()
}

/// A duration as JSON shows it: seconds, with a fraction.
#[expect(clippy::ref_option, reason = "the shape serde asks for")]
fn as_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
