//! stub
use crate::event::Event; use crate::event::deployment::Deployment;
pub trait View: crate::world::ProgressSink + Send + Sync { fn event(&self, event:&Event, state:&Deployment, at: chrono::DateTime<chrono::Utc>, elapsed: std::time::Duration); }
