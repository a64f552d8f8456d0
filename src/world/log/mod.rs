//! CloudWatch Logs: the two log groups of a service.

mod cloudwatch;

pub use cloudwatch::CloudWatchLogs;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::WorldError;
use crate::names::ServiceName;

/// The logs App Runner keeps for a service. A group that does not exist yet has no lines: that is
/// a finding of its own (nothing was ever started), told by [`LogPage::group_exists`].
#[async_trait]
pub trait Logs: Send + Sync {
    /// Lines since a moment, oldest first; at most `limit`, the newest of them.
    async fn lines(&self, query: &LogQuery) -> Result<LogPage, WorldError>;
}

/// Which lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// The service's name.
    pub service: ServiceName,
    /// The service's id: groups carry it.
    pub service_id: String,
    /// Which group.
    pub source: LogSource,
    /// Only streams whose names begin so, such as `deployment/8f2c…`.
    pub stream_prefix: Option<String>,
    /// Only lines from this moment on.
    pub since: DateTime<Utc>,
    /// Only lines before this moment; no end where none is named.
    pub until: Option<DateTime<Utc>>,
    /// At most so many.
    pub limit: usize,
}

/// The two log groups. Source: App Runner developer guide, monitor-cwl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// What the container wrote.
    Application,
    /// What App Runner says of its own work.
    Service,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPage {
    /// Whether the group exists at all.
    pub group_exists: bool,
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Whether there are lines that were asked for and are not here: there were more than the limit,
    /// or CloudWatch had not told all when it was asked no more.
    pub is_cut: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// CloudWatch's id of the event: lets a follower show each line once.
    pub id: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The stream it came in.
    pub stream: String,
    /// What it says.
    pub text: String,
}
