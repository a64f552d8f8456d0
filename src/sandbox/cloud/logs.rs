//! CloudWatch Logs: groups, streams and events, and the four calls that read them.
//!
//! Names: App Runner developer guide, monitor-cwl. Calls: CloudWatch Logs service model 2014-03-28.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::refusal::{not_found, refuse, unreadable};
use crate::sandbox::{ApiError, Timestamp};

/// A stream keeps this many events; older ones are dropped.
const KEPT_EVENTS: usize = 50_000;
/// The service's own page size.
const PAGE: usize = 50;
/// Most events in one answer.
const MOST_EVENTS: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Event {
    at: Timestamp,
    message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stream {
    created: Timestamp,
    /// Events dropped at the front, so that positions in tokens stay true.
    dropped: usize,
    events: Vec<Event>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    created: Timestamp,
    streams: BTreeMap<String, Stream>,
}

/// All log groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    groups: BTreeMap<String, Group>,
}

/// Who reads: the ARN prefix, and the moment up to which events have arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) visible_until: Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_stream_name: Option<String>,
    log_stream_name_prefix: Option<String>,
    log_stream_names: Option<Vec<String>>,
    order_by: Option<String>,
    descending: bool,
    start_time: Option<i64>,
    end_time: Option<i64>,
    start_from_head: bool,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

impl Request {
    fn group(&self) -> Result<String, ApiError> {
        match (&self.log_group_name, &self.log_group_identifier) {
            (Some(_), Some(_)) => {
                Err(invalid("Only one of logGroupName and logGroupIdentifier may be given"))
            }
            (Some(name), None) => Ok(name.clone()),
            (None, Some(identifier)) => Ok(group_of(identifier).to_owned()),
            (None, None) => Err(invalid("Either logGroupName or logGroupIdentifier must be given")),
        }
    }

    fn limit(&self, most: usize) -> Result<usize, ApiError> {
        let Some(limit) = self.limit else { return Ok(most) };
        usize::try_from(limit).ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
            invalid(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and {most}"
            ))
        })
    }

    fn spans(&self, at: Timestamp) -> bool {
        self.start_time.is_none_or(|start| at >= start) && self.end_time.is_none_or(|end| at < end)
    }

    fn offset(&self) -> Result<usize, ApiError> {
        let Some(token) = &self.next_token else { return Ok(0) };
        token
            .strip_prefix("offset/")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

/// A group's name out of its ARN, with or without the trailing `:*`.
fn group_of(identifier: &str) -> &str {
    let name = identifier.split(":log-group:").nth(1).unwrap_or(identifier);
    name.strip_suffix(":*").unwrap_or(name)
}

fn no_group() -> ApiError {
    not_found("The specified log group does not exist.")
}

fn no_stream() -> ApiError {
    not_found("The specified log stream does not exist.")
}

impl Logs {
    /// Writes one line, making group and stream where they are missing.
    pub(crate) fn write(&mut self, group: &str, stream: &str, at: Timestamp, message: &str) {
        if !self.groups.contains_key(group) {
            let fresh = Group { created: at, ..Group::default() };
            self.groups.insert(group.to_owned(), fresh);
        }
        let Some(group) = self.groups.get_mut(group) else { return };
        if !group.streams.contains_key(stream) {
            let fresh = Stream { created: at, ..Stream::default() };
            group.streams.insert(stream.to_owned(), fresh);
        }
        let Some(stream) = group.streams.get_mut(stream) else { return };
        // CloudWatch refuses empty messages: a blank line arrives as a space.
        let message = if message.is_empty() { " " } else { message };
        stream.events.push(Event { at, message: message.to_owned() });
        if stream.events.len() > KEPT_EVENTS {
            stream.events.remove(0);
            stream.dropped += 1;
        }
    }

    /// The lines of one stream, for tests and summaries.
    pub fn lines(&self, group: &str, stream: &str) -> Vec<&str> {
        let stream = self.groups.get(group).and_then(|group| group.streams.get(stream));
        stream
            .into_iter()
            .flat_map(|stream| stream.events.iter().map(|event| event.message.as_str()))
            .collect()
    }

    /// The newest `limit` lines of the streams of this prefix from `since` to `until`, oldest first,
    /// each with its moment, its stream and its place there, and how many older ones the limit leaves
    /// out: for the door in process.
    pub(crate) fn between(
        &self,
        group: &str,
        prefix: &str,
        since: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> (Vec<(Timestamp, &str, usize, &str)>, usize) {
        let streams = self.groups.get(group).into_iter().flat_map(|group| &group.streams);
        let mut found: Vec<_> = streams
            .filter(|(name, _)| name.starts_with(prefix))
            .flat_map(|(name, stream)| {
                let first = stream.events.partition_point(|event| event.at < since);
                let last = stream.events.partition_point(|event| event.at <= until).max(first);
                let events = stream.events[first..last].iter().zip(first + stream.dropped..);
                events.map(|(event, at)| (event.at, name.as_str(), at, event.message.as_str()))
            })
            .collect();
        found.sort_unstable_by_key(|(at, stream, position, _)| (*at, *stream, *position));
        let surplus = found.len().saturating_sub(limit);
        (found.split_off(surplus), surplus)
    }

    /// Whether there is such a group.
    pub fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    pub(crate) fn answer(
        &self,
        operation: &str,
        body: &Value,
        reader: Reader<'_>,
    ) -> Result<Value, ApiError> {
        let request = Request::deserialize(body).map_err(|error| unreadable(&error))?;
        match operation {
            "DescribeLogGroups" => self.describe_groups(&request, reader),
            "DescribeLogStreams" => self.describe_streams(&request, reader),
            "GetLogEvents" => self.get_events(&request, reader),
            "FilterLogEvents" => self.filter_events(&request, reader),
            _ => Err(super::unknown_operation()),
        }
    }

    fn describe_groups(&self, request: &Request, reader: Reader<'_>) -> Result<Value, ApiError> {
        let prefix = request.log_group_name_prefix.as_deref().unwrap_or("");
        let pattern = request.log_group_name_pattern.as_deref().unwrap_or("");
        if !prefix.is_empty() && !pattern.is_empty() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let found: Vec<_> = self
            .groups
            .iter()
            .filter(|(name, group)| {
                name.starts_with(prefix)
                    && name.contains(pattern)
                    && group.created <= reader.visible_until
            })
            .map(|(name, group)| group_row(name, group, reader))
            .collect();
        page(request, "logGroups", found)
    }

    fn group<'a>(&'a self, name: &str, reader: Reader<'_>) -> Result<&'a Group, ApiError> {
        self.groups
            .get(name)
            .filter(|group| group.created <= reader.visible_until)
            .ok_or_else(no_group)
    }

    fn describe_streams(&self, request: &Request, reader: Reader<'_>) -> Result<Value, ApiError> {
        let name = request.group()?;
        let prefix = request.log_stream_name_prefix.as_deref().unwrap_or("");
        let by_time = request.order_by.as_deref() == Some("LastEventTime");
        if by_time && !prefix.is_empty() {
            return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let group = self.group(&name, reader)?;
        let mut found: Vec<_> = group
            .streams
            .iter()
            .filter(|(stream, of)| stream.starts_with(prefix) && of.created <= reader.visible_until)
            .collect();
        if by_time {
            found.sort_by_key(|(_, stream)| stream.events.last().map(|event| event.at));
        }
        if request.descending {
            found.reverse();
        }
        let rows = found.into_iter().map(|(stream, of)| stream_row(&name, stream, of, reader));
        page(request, "logStreams", rows.collect())
    }

    fn get_events(&self, request: &Request, reader: Reader<'_>) -> Result<Value, ApiError> {
        let group = self.group(&request.group()?, reader)?;
        let name = request.log_stream_name.as_deref().ok_or_else(|| {
            invalid("1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null")
        })?;
        let stream = group
            .streams
            .get(name)
            .filter(|stream| stream.created <= reader.visible_until)
            .ok_or_else(no_stream)?;
        let limit = request.limit(MOST_EVENTS)?;
        let end = stream.dropped + visible(stream, reader);
        let chosen = choose(stream, request, limit, end)?;
        let next = chosen.last().map_or_else(|| chosen.resting, |last| last + 1);
        let first = chosen.first().unwrap_or(chosen.resting);
        let events: Vec<_> = chosen.events(stream);
        Ok(json!({
            "events": events,
            "nextForwardToken": format!("f/{next:056}/s"),
            "nextBackwardToken": format!("b/{first:056}/s"),
        }))
    }

    fn filter_events(&self, request: &Request, reader: Reader<'_>) -> Result<Value, ApiError> {
        let group_name = request.group()?;
        let group = self.group(&group_name, reader)?;
        let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or(""))?;
        let limit = request.limit(MOST_EVENTS)?;
        let offset = request.offset()?;
        let prefix = request.log_stream_name_prefix.as_deref().unwrap_or("");
        let mut found = Vec::new();
        for (name, stream) in &group.streams {
            let chosen = request.log_stream_names.as_ref().is_none_or(|names| names.contains(name));
            if !chosen || !name.starts_with(prefix) {
                continue;
            }
            let events = stream.events.iter().take(visible(stream, reader)).enumerate();
            found.extend(
                events
                    .filter(|(_, event)| request.spans(event.at) && pattern.matches(&event.message))
                    .map(|(at, event)| (event.at, name, stream.dropped + at, event)),
            );
        }
        found.sort_by_key(|(at, name, position, _)| (*at, *name, *position));
        let more = found.len() > offset + limit;
        let row = |row| filtered_row(&group_name, row);
        let events: Vec<_> = found.into_iter().skip(offset).take(limit).map(row).collect();
        let mut answer = json!({ "events": events, "searchedLogStreams": [] });
        if more {
            answer["nextToken"] = json!(format!("offset/{}", offset + limit));
        }
        Ok(answer)
    }
}

fn visible(stream: &Stream, reader: Reader<'_>) -> usize {
    // Application lines of one container may be a little out of order: count, do not search.
    stream.events.iter().take_while(|event| event.at <= reader.visible_until).count()
}

fn filtered_row(group: &str, row: (Timestamp, &String, usize, &Event)) -> Value {
    let (at, stream, position, event) = row;
    json!({
        "logStreamName": stream, "timestamp": at, "ingestionTime": at, "message": event.message,
        "eventId": event_id(at, group, stream, position),
    })
}

/// Fifty-six digits, as CloudWatch's own, and like those unique in the account: two streams have
/// events of one millisecond at the same place.
fn event_id(at: Timestamp, group: &str, stream: &str, position: usize) -> String {
    // A colon is in no group's name and in no stream's.
    let hash = Sha256::digest(format!("{group}:{stream}"));
    let place = hash.iter().take(8).fold(0_u64, |place, byte| place << 8 | u64::from(*byte));
    format!("{at:020}{place:020}{position:016}")
}

fn group_row(name: &str, group: &Group, reader: Reader<'_>) -> Value {
    let arn = format!("arn:aws:logs:{}:{}:log-group:{name}", reader.region, reader.account);
    json!({
        "logGroupName": name, "creationTime": group.created, "metricFilterCount": 0,
        "arn": format!("{arn}:*"), "logGroupArn": arn, "storedBytes": 0,
        "logGroupClass": "STANDARD",
    })
}

fn stream_row(group: &str, name: &str, stream: &Stream, reader: Reader<'_>) -> Value {
    let place = format!("arn:aws:logs:{}:{}:log-group:{group}", reader.region, reader.account);
    let mut row = json!({
        "logStreamName": name, "creationTime": stream.created, "storedBytes": 0,
        "arn": format!("{place}:log-stream:{name}"),
        "uploadSequenceToken": format!("{:056}", stream.dropped + stream.events.len()),
    });
    if let (Some(first), Some(last)) = (stream.events.first(), stream.events.last()) {
        row["firstEventTimestamp"] = json!(first.at);
        row["lastEventTimestamp"] = json!(last.at);
        row["lastIngestionTime"] = json!(last.at);
    }
    row
}

fn page(request: &Request, member: &str, rows: Vec<Value>) -> Result<Value, ApiError> {
    let (offset, limit) = (request.offset()?, request.limit(PAGE)?);
    let more = rows.len() > offset + limit;
    let rows: Vec<_> = rows.into_iter().skip(offset).take(limit).collect();
    let mut answer = json!({ member: rows });
    if more {
        answer["nextToken"] = json!(format!("offset/{}", offset + limit));
    }
    Ok(answer)
}

/// Positions of the events of one answer; positions count from the stream's very first event.
struct Chosen {
    positions: Vec<usize>,
    /// Where the tokens point when nothing was found.
    resting: usize,
}

impl Chosen {
    fn first(&self) -> Option<usize> {
        self.positions.first().copied()
    }

    fn last(&self) -> Option<usize> {
        self.positions.last().copied()
    }

    fn events(&self, stream: &Stream) -> Vec<Value> {
        let events = self.positions.iter().map(|at| &stream.events[at - stream.dropped]);
        events
            .map(|event| {
                json!({"timestamp": event.at, "ingestionTime": event.at, "message": event.message})
            })
            .collect()
    }
}

/// `f/N` reads on from event N, `b/N` reads the events before N.
fn choose(
    stream: &Stream,
    request: &Request,
    limit: usize,
    end: usize,
) -> Result<Chosen, ApiError> {
    let (forward, from, to) = match request.next_token.as_deref() {
        None => (request.start_from_head, stream.dropped, end),
        Some(token) => {
            let (forward, position) = parse_token(token)?;
            if forward {
                (true, position.max(stream.dropped), end)
            } else {
                (false, stream.dropped, position.min(end))
            }
        }
    };
    let spanning = |at: &usize| request.spans(stream.events[at - stream.dropped].at);
    let positions: Vec<_> = if forward {
        (from..to).filter(spanning).take(limit).collect()
    } else {
        let mut last: Vec<_> = (from..to).rev().filter(spanning).take(limit).collect();
        last.reverse();
        last
    };
    let resting = if forward { from.max(to) } else { to };
    Ok(Chosen { positions, resting })
}

fn parse_token(token: &str) -> Result<(bool, usize), ApiError> {
    let wrong = || invalid("The specified nextToken is invalid.");
    let (direction, rest) = token.split_once('/').ok_or_else(wrong)?;
    let number = rest.strip_suffix("/s").unwrap_or(rest);
    let number = number.parse().map_err(|_| wrong())?;
    match direction {
        "f" => Ok((true, number)),
        "b" => Ok((false, number)),
        _ => Err(wrong()),
    }
}

/// Simple term patterns: all terms, `?any`, `-none`, `"quoted phrases"`.
#[derive(Debug, Default)]
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut pattern = Self::default();
        let mut rest = text.trim();
        if rest.starts_with('{') || rest.starts_with('[') || rest.starts_with('%') {
            return Err(invalid("Invalid filter pattern"));
        }
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = term(after)?;
            list.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term.as_str()))
            && !self.none.iter().any(|term| message.contains(term.as_str()))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term.as_str())))
    }
}

fn term(text: &str) -> Result<(String, &str), ApiError> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find('"').ok_or_else(|| invalid("Invalid filter pattern"))?;
        return Ok((quoted[..end].to_owned(), &quoted[end + 1..]));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Ok((text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: Reader<'_> =
        Reader { region: "us-east-1", account: "123456789012", visible_until: i64::MAX };

    fn filled() -> Logs {
        let mut logs = Logs::default();
        for number in 0..10 {
            logs.write("/g", "s", 1_000 + number, &format!("line {number}"));
        }
        logs.write("/g", "other", 1_004, "ERROR in other");
        logs
    }

    #[expect(clippy::needless_pass_by_value, reason = "calls read better")]
    fn ask(logs: &Logs, operation: &str, body: Value) -> Value {
        logs.answer(operation, &body, READER).unwrap()
    }

    fn messages(answer: &Value) -> Vec<&str> {
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["message"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn events_are_read_forward_page_by_page_until_the_token_stands_still() {
        let logs = filled();
        let mut body =
            json!({"logGroupName": "/g", "logStreamName": "s", "limit": 4, "startFromHead": true});
        let mut seen = 0;
        loop {
            let answer = ask(&logs, "GetLogEvents", body.clone());
            seen += messages(&answer).len();
            if body["nextToken"] == answer["nextForwardToken"] {
                break;
            }
            body["nextToken"] = answer["nextForwardToken"].clone();
        }
        assert_eq!(seen, 10);
    }

    #[test]
    fn without_a_direction_the_newest_come_and_the_backward_token_leads_to_the_older() {
        let logs = filled();
        let mut body = json!({"logGroupName": "/g", "logStreamName": "s", "limit": 3});
        let newest = ask(&logs, "GetLogEvents", body.clone());
        assert_eq!(messages(&newest), ["line 7", "line 8", "line 9"]);
        body["nextToken"] = newest["nextBackwardToken"].clone();
        assert_eq!(
            messages(&ask(&logs, "GetLogEvents", body.clone())),
            ["line 4", "line 5", "line 6"]
        );
        body["nextToken"] = newest["nextForwardToken"].clone();
        assert_eq!(messages(&ask(&logs, "GetLogEvents", body)).len(), 0);
    }

    #[test]
    fn times_bound_what_is_read() {
        let logs = filled();
        let body = json!({"logGroupName": "/g", "logStreamName": "s", "startTime": 1_003, "endTime": 1_005});
        assert_eq!(messages(&ask(&logs, "GetLogEvents", body)), ["line 3", "line 4"]);
    }

    #[test]
    fn filters_know_all_any_none_and_phrases() {
        let logs = filled();
        let find = |pattern: &str| {
            let body = json!({"logGroupName": "/g", "filterPattern": pattern});
            messages(&ask(&logs, "FilterLogEvents", body)).len()
        };
        assert_eq!(find(""), 11);
        assert_eq!(find("line 3"), 1);
        assert_eq!(find("\"ERROR in\""), 1);
        assert_eq!(find("?ERROR ?line"), 11);
        assert_eq!(find("line -3"), 9);
        assert!(
            logs.answer(
                "FilterLogEvents",
                &json!({"logGroupName": "/g", "filterPattern": "{ $.a = 1 }"}),
                READER
            )
            .is_err()
        );
    }

    #[test]
    fn no_two_events_have_one_id_and_each_keeps_its_own() {
        let mut logs = filled();
        for (group, stream) in [("/g", "a"), ("/g", "b"), ("/h", "a")] {
            logs.write(group, stream, 1_000, "said in the same millisecond");
        }
        let ids = |group: &str| -> Vec<String> {
            let answer = ask(&logs, "FilterLogEvents", json!({"logGroupName": group}));
            let events = answer["events"].as_array().unwrap().clone();
            events.iter().map(|event| event["eventId"].as_str().unwrap().to_owned()).collect()
        };
        let all = [ids("/g"), ids("/h")].concat();
        let unique: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), unique.len()), (14, 14));
        assert!(all.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())));
        assert_eq!(all, [ids("/g"), ids("/h")].concat());
    }

    #[test]
    fn filtered_pages_end() {
        let logs = filled();
        let first = ask(&logs, "FilterLogEvents", json!({"logGroupName": "/g", "limit": 6}));
        let rest = ask(
            &logs,
            "FilterLogEvents",
            json!({"logGroupName": "/g", "limit": 6, "nextToken": first["nextToken"]}),
        );
        assert_eq!(messages(&first).len() + messages(&rest).len(), 11);
        assert!(rest.get("nextToken").is_none());
    }

    #[test]
    fn what_is_missing_is_said_in_the_services_words() {
        let logs = filled();
        let refused =
            |operation: &str, body: Value| logs.answer(operation, &body, READER).unwrap_err();
        let group = refused("GetLogEvents", json!({"logGroupName": "/x", "logStreamName": "s"}));
        assert_eq!(
            (group.code.as_str(), group.message.as_str()),
            ("ResourceNotFoundException", "The specified log group does not exist.")
        );
        let stream = refused("GetLogEvents", json!({"logGroupName": "/g", "logStreamName": "x"}));
        assert_eq!(stream.message, "The specified log stream does not exist.");
        assert_eq!(
            refused("GetLogEvents", json!({"logStreamName": "s"})).code,
            "InvalidParameterException"
        );
        assert_eq!(
            refused("DescribeLogGroups", json!({"limit": 51})).code,
            "InvalidParameterException"
        );
        assert_eq!(refused("PutLogEvents", json!({})).code, "UnknownOperationException");
    }

    #[test]
    fn lines_arrive_late_when_the_switch_says_so() {
        let logs = filled();
        let reader = Reader { visible_until: 1_002, ..READER };
        let body = json!({"logGroupName": "/g", "logStreamName": "s"});
        assert_eq!(messages(&logs.answer("GetLogEvents", &body, reader).unwrap()).len(), 3);
        let none = Reader { visible_until: 10, ..READER };
        assert!(logs.answer("GetLogEvents", &body, none).is_err());
    }

    #[test]
    fn streams_are_listed_by_name_time_and_page() {
        let logs = filled();
        let names = |body: Value| -> Vec<String> {
            let answer = ask(&logs, "DescribeLogStreams", body);
            answer["logStreams"]
                .as_array()
                .unwrap()
                .iter()
                .map(|s| s["logStreamName"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(json!({"logGroupName": "/g"})), ["other", "s"]);
        assert_eq!(
            names(json!({"logGroupName": "/g", "orderBy": "LastEventTime", "descending": true})),
            ["s", "other"]
        );
        assert_eq!(
            names(
                json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:1:log-group:/g:*", "limit": 1})
            ),
            ["other"]
        );
    }
}
