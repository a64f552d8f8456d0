//! For programs: one JSON object a line on stdout, the last of them the result, and nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::documents::Findings;
use super::{Document, Output, PlainView, View};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::text::harmless_json;
use crate::world::{Progress, ProgressSink};

/// Prints JSON lines. A problem is told on stderr as well, in words.
pub struct JsonView {
    out: Output,
    talk: PlainView,
    /// Whether the run is narrated on stderr, too.
    narrate: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    endpoint: Option<String>,
    result: Map<String, Value>,
}

impl JsonView {
    /// Objects to `out`; talk through `talk`, whose own data goes nowhere.
    pub fn new(out: Output, talk: PlainView, narrate: bool) -> Self {
        Self { out, talk, narrate, state: Mutex::default() }
    }

    fn line(&self, value: &Value) {
        self.out.write(&format!("{}\n", harmless_json(value.to_string())));
    }

    fn keep(&self, name: &str, value: Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.result.insert(name.to_owned(), value);
    }

    fn keep_document(&self, document: &dyn Document) {
        if let Some(endpoint) = document.endpoint() {
            self.sandbox(endpoint);
        }
        self.keep(document.name(), document.json());
    }
}

impl ProgressSink for JsonView {
    fn report(&self, progress: Progress) {
        if self.narrate {
            self.talk.report(progress);
        }
    }
}

impl View for JsonView {
    fn sandbox(&self, endpoint: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).endpoint = Some(endpoint.into());
        self.talk.sandbox(endpoint);
    }

    fn findings(&self, findings: &[Finding]) {
        self.keep_document(&Findings { endpoint: None, findings: findings.to_vec() });
        if self.narrate {
            self.talk.findings(findings);
        }
    }

    fn event(&self, event: &Event, state: &Deployment, at: DateTime<Utc>, elapsed: Duration) {
        self.line(&json!({
            "event": event.type_name(),
            "at": at,
            "deployment": state.plan.number,
            "stream": state.plan.stream,
            "data": event.data(),
        }));
        if self.narrate {
            self.talk.event(event, state, at, elapsed);
        }
    }

    fn summary(&self, summary: &Summary) {
        self.keep_document(summary);
    }

    fn problem(&self, problem: &Problem) {
        self.keep_document(problem);
        self.talk.problem(problem);
    }

    fn warn(&self, problem: &Problem) {
        self.talk.warn(problem);
    }

    fn say(&self, line: &str) {
        self.talk.say(line);
    }

    fn data(&self, document: &dyn Document) {
        self.keep_document(document);
    }

    fn stream(&self, document: &dyn Document) {
        self.line(&json!({ document.name(): document.json() }));
    }

    fn redraw(&self, _document: &dyn Document) -> bool {
        false
    }

    fn ask(&self, question: &str) -> bool {
        self.talk.ask(question)
    }

    fn finish(&self, exit: ExitCode) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut result = std::mem::take(&mut state.result);
        result.insert("exit_code".into(), exit.number().into());
        result.insert("ok".into(), (exit == ExitCode::Success).into());
        if let Some(endpoint) = &state.endpoint {
            result.insert("endpoint".into(), endpoint.clone().into());
        }
        drop(state);
        self.line(&json!({ "result": result }));
        if let Some(failure) = self.out.take_failure() {
            self.talk.say(&format!("warning: the output could not be written: {failure}"));
        }
    }
}
