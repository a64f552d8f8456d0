//! Shows nothing: for tests, and for whoever only wants the result.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Document, View};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::world::{Progress, ProgressSink};

/// Shows nothing and answers every question the same way.
#[derive(Debug, Clone, Copy, Default)]
pub struct SilentView {
    /// The answer to every question.
    pub consents: bool,
}

impl ProgressSink for SilentView {
    fn report(&self, _progress: Progress) {}
}

impl View for SilentView {
    fn sandbox(&self, _endpoint: &str) {}
    fn findings(&self, _findings: &[Finding]) {}
    fn event(&self, _event: &Event, _state: &Deployment, _at: DateTime<Utc>, _elapsed: Duration) {}
    fn summary(&self, _summary: &Summary) {}
    fn problem(&self, _problem: &Problem) {}
    fn warn(&self, _problem: &Problem) {}
    fn say(&self, _line: &str) {}
    fn data(&self, _document: &dyn Document) {}
    fn stream(&self, _document: &dyn Document) {}
    fn redraw(&self, _document: &dyn Document) -> bool {
        false
    }

    fn ask(&self, _question: &str) -> bool {
        self.consents
    }
    fn finish(&self, _exit: ExitCode) {}
}
