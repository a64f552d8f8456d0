//! The only printer. stdout is data, stderr is talk; a closed pipe is nobody's failure.
//!
//! What is shown is decided by pure functions of a [`Look`]; the views only choose where and when.
//! The rules are written down in `docs/output.md`.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a screen is put together once, line by line"
)]

pub mod documents;
mod json;
mod live;
mod look;
pub mod measure;
mod narration;
mod output;
pub mod page;
mod plain;
pub mod plan_sheet;
pub mod redact;
mod screen;
mod silent;
mod terminal;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::world::ProgressSink;

pub use json::JsonView;
pub use live::LiveView;
pub use look::Look;
pub use output::{Output, raw_output, standard_output};
pub use plain::PlainView;
pub use plan_sheet::PlanSheet;
pub(crate) use screen::leave_line;
pub use silent::SilentView;
pub use terminal::{Wish, choose, is_interactive, typed_line};

/// Shows what happens. Every method returns at once and never fails: what cannot be shown is lost,
/// and nothing but the showing. None has a body here: a view that wraps another must pass on each.
pub trait View: ProgressSink {
    /// Every screen from now on names this endpoint: it is not AWS itself.
    fn sandbox(&self, endpoint: &str);
    /// What preflight found, as part of a deployment.
    fn findings(&self, findings: &[Finding]);
    /// An event that is durable already, and the state it led to. `elapsed` is this process's own
    /// time, from any fixed moment on.
    fn event(&self, event: &Event, state: &Deployment, at: DateTime<Utc>, elapsed: Duration);
    /// How a deployment ended.
    fn summary(&self, summary: &Summary);
    /// What went wrong.
    fn problem(&self, problem: &Problem);
    /// What went wrong beside what was asked for, which stands.
    fn warn(&self, problem: &Problem);
    /// A line of talk.
    fn say(&self, line: &str);
    /// What was asked for: a table, a story, a sheet.
    fn data(&self, document: &dyn Document);
    /// One of many of the same kind, as they come: log lines, watched states.
    fn stream(&self, document: &dyn Document);
    /// What is watched, in the place of what stood there before. False where nothing is ever taken
    /// back: then what changed is told with [`View::stream`].
    fn redraw(&self, document: &dyn Document) -> bool;
    /// A question; `false` where nobody can answer.
    fn ask(&self, question: &str) -> bool;
    /// The end. Called once, last.
    fn finish(&self, exit: ExitCode);
}

/// Anything with a rendering for people and one for programs.
pub trait Document {
    /// Its key in the JSON result.
    fn name(&self) -> &'static str;
    /// An endpoint other than AWS itself that it comes from: every screen names it.
    fn endpoint(&self) -> Option<&str> {
        None
    }
    /// For people: lines, each ended by a newline.
    fn text(&self, look: Look) -> String;
    /// For programs, complete.
    fn json(&self) -> serde_json::Value;
}

/// A value as JSON; what cannot be written as JSON is shown as nothing.
fn to_json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
