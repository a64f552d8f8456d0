//! stub until the views are merged
use std::time::Duration;
use chrono::{DateTime, Utc};
use crate::event::Event; use crate::event::deployment::Deployment;
use crate::plan::findings::Finding; use crate::problem::*; use crate::projection::*;
pub trait View: crate::world::ProgressSink { 
    fn findings(&self, findings: &[Finding]);
    fn event(&self, event: &Event, state: &Deployment, at: DateTime<Utc>, elapsed: Duration);
    fn summary(&self, summary: &Summary);
    fn problem(&self, problem: &Problem);
    fn say(&self, line: &str);
    fn data(&self, document: &dyn Document);
    fn stream(&self, document: &dyn Document);
    fn finish(&self, exit: ExitCode);
}
pub trait Document { fn name(&self) -> &'static str; }
