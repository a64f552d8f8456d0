//! Log lines of a service, and raw events of the journal.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::projection::Recorded;
use crate::view::look::{Accent, harmless};
use crate::view::{Document, Look, measure, to_json};
use crate::world::log::{LogLine, LogSource};

/// Lines of a service's logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLines {
    /// The group they come from.
    pub source: LogSource,
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Where older lines are left out: those from before this moment.
    pub left_out_before: Option<DateTime<Utc>>,
}

impl LogLines {
    /// One line.
    pub fn of(source: LogSource, line: LogLine) -> Self {
        Self { source, lines: vec![line], left_out_before: None }
    }
}

impl Document for LogLines {
    fn name(&self) -> &'static str {
        "log"
    }

    fn text(&self, look: Look) -> String {
        let word = match self.source {
            LogSource::Application => "application",
            LogSource::Service => "App Runner ",
        };
        let line = |line: &LogLine| {
            let head = format!("{} {word}  ", measure::clock(line.at));
            // Never wrapped: who greps wants whole lines.
            format!("{}{}\n", look.paint(Accent::Dim, &head), harmless(&line.text))
        };
        self.lines.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        json!({
            "source": self.source,
            "lines": to_json(&self.lines),
            "left_out_before": self.left_out_before,
        })
    }
}

/// Events as they stand in the journal, a JSON object a line.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEvents {
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The events.
    pub events: Vec<Recorded>,
}

impl Document for RawEvents {
    fn name(&self) -> &'static str {
        "events"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, _look: Look) -> String {
        let line = |event: &Recorded| {
            let (name, data) = parts(event);
            let data = harmless(&data.to_string());
            format!("{:>6}  {}  {name}  {data}\n", event.sequence, measure::moment(event.at))
        };
        self.events.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        let object = |event: &Recorded| {
            let (name, data) = parts(event);
            json!({
                "sequence": event.sequence,
                "at": event.at,
                "deployment": event.deployment,
                "actor": event.actor,
                "event": name,
                "data": data,
            })
        };
        self.events.iter().map(object).collect()
    }
}

fn parts(event: &Recorded) -> (String, Value) {
    match &event.event {
        Ok(event) => (event.type_name(), event.data()),
        Err(raw) => (format!("{} (newer)", harmless(&raw.type_name)), raw.data.clone()),
    }
}
