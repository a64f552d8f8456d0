//! CloudWatch Logs in process.

use async_trait::async_trait;
use chrono::DateTime;

use super::Machine;
use super::mishap::Kind;
use crate::world::log::{LogLine, LogPage, LogQuery, LogSource, Logs};
use crate::world::{Place, WorldError};

#[async_trait]
impl Logs for Machine {
    async fn lines(&self, query: &LogQuery) -> Result<LogPage, WorldError> {
        let source = match query.source {
            LogSource::Application => "application",
            LogSource::Service => "service",
        };
        let group = format!("/aws/apprunner/{}/{}/{source}", query.service, query.service_id);
        let prefix = query.stream_prefix.clone().unwrap_or_default();
        let since = query.since.timestamp_millis();
        self.call((Place::Logs, Kind::Read, "FilterLogEvents"), |state, lag| {
            let slow = i64::from(state.cloud.switches().logs_lag_seconds) * 1_000;
            let until = state.now - slow - lag;
            let logs = state.cloud.logs();
            if !logs.has_group(&group) {
                return Ok(LogPage::default());
            }
            let (found, older) = logs.between(&group, &prefix, since, until, query.limit);
            let lines = found.into_iter().map(|(at, stream, position, text)| LogLine {
                id: format!("{stream}/{position}"),
                at: DateTime::from_timestamp_millis(at).unwrap_or_default(),
                stream: stream.to_owned(),
                text: text.to_owned(),
            });
            Ok(LogPage { group_exists: true, lines: lines.collect(), is_cut: older > 0 })
        })
        .await
    }
}
