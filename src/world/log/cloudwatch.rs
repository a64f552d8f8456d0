//! CloudWatch Logs through its SDK. Only reads; throttling is waited out by the SDK.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::SdkError;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use chrono::DateTime;

use super::{LogLine, LogPage, LogQuery, LogSource, Logs};
use crate::release::Values;
use crate::world::aws::{Connection, Effect, Promised, translate};
use crate::world::{Place, WorldError};

/// Pages read for one question. A page has up to 10,000 lines or 1 MB, or none while CloudWatch
/// searches on. Source: CloudWatch Logs API reference, `FilterLogEvents`.
const PAGES: usize = 50;
/// Asking newest first is refused for earlier beginnings (2024-01-01 UTC). Source: service model.
const NEWEST_FIRST_SINCE: i64 = 1_704_067_200_000;

/// CloudWatch Logs of one account and region.
#[derive(Debug, Clone)]
pub struct CloudWatchLogs {
    client: Client,
}

impl CloudWatchLogs {
    /// CloudWatch Logs behind this connection.
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.sdk()) }
    }
}

#[async_trait]
impl Logs for CloudWatchLogs {
    async fn lines(&self, query: &LogQuery) -> Result<LogPage, WorldError> {
        let since = query.since.timestamp_millis().max(0);
        let mut events = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let call = self
                .client
                .filter_log_events()
                .log_group_name(group(query))
                .set_log_stream_name_prefix(query.stream_prefix.clone())
                .start_time(since)
                .set_end_time(query.until.map(|until| until.timestamp_millis()))
                .set_start_from_head((since >= NEWEST_FIRST_SINCE).then_some(false))
                .set_next_token(token)
                .customize()
                .interceptor(Promised::Object);
            let page = match call.send().await {
                Ok(page) => page,
                Err(SdkError::ServiceError(error)) if is_missing(error.err()) => {
                    return Ok(LogPage::default());
                }
                Err(error) => {
                    let nothing = Values::default();
                    return Err(translate(Place::Logs, Effect::Reading, &error, &nothing));
                }
            };
            events.extend(page.events.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() || (events.len() >= query.limit && is_newest_first(&events)) {
                break;
            }
        }
        let mut lines = lines(events);
        let surplus = lines.len().saturating_sub(query.limit);
        let is_cut = surplus > 0 || token.is_some();
        Ok(LogPage { group_exists: true, lines: lines.split_off(surplus), is_cut })
    }
}

/// Source: App Runner developer guide, monitor-cwl.
fn group(query: &LogQuery) -> String {
    let source = match query.source {
        LogSource::Application => "application",
        LogSource::Service => "service",
    };
    format!("/aws/apprunner/{}/{}/{source}", query.service, query.service_id)
}

fn is_missing(error: &FilterLogEventsError) -> bool {
    matches!(error, FilterLogEventsError::ResourceNotFoundException(_))
}

/// Emulators may ignore the wish for the newest first: then all pages are read.
fn is_newest_first(events: &[FilteredLogEvent]) -> bool {
    let at = |event: Option<&FilteredLogEvent>| event.and_then(FilteredLogEvent::timestamp);
    at(events.first()) > at(events.last())
}

/// The lines, oldest first, each once.
fn lines(mut events: Vec<FilteredLogEvent>) -> Vec<LogLine> {
    if is_newest_first(&events) {
        events.reverse();
    }
    let mut seen = HashSet::new();
    let mut lines: Vec<LogLine> =
        events.into_iter().filter_map(line).filter(|line| seen.insert(line.id.clone())).collect();
    // Stable: lines of one millisecond stay in the order in which they came.
    lines.sort_by_key(|line| line.at);
    lines
}

fn line(event: FilteredLogEvent) -> Option<LogLine> {
    let at = DateTime::from_timestamp_millis(event.timestamp?)?;
    let stream = event.log_stream_name.unwrap_or_default();
    let text = event.message.unwrap_or_default();
    // Without an id of its own a line is known by all that it says.
    let id = event.event_id.unwrap_or_else(|| format!("{stream} {at} {text}"));
    Some(LogLine { id, at, stream, text })
}
