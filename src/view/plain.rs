//! Off a terminal: lines are appended, each with its time, and nothing is ever taken back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::documents::{endpoint_line, tree, warning};
use super::look::{Accent, harmless};
use super::narration::{Pace, beneath, waiting};
use super::{Document, Look, Output, View, measure, terminal};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::world::clock::Clock;
use crate::world::{Progress, ProgressSink};

/// While something is waited for, a line says so this often at most.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Appends lines.
pub struct PlainView {
    data: (Output, Look),
    talk: (Output, Look),
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pace: Pace,
    endpoint: Option<String>,
    named_in_data: bool,
    named_in_talk: bool,
    /// When something was last said.
    last: Option<Duration>,
}

impl PlainView {
    /// Data to the one output, talk to the other.
    pub fn new(data: (Output, Look), talk: (Output, Look), clock: Arc<dyn Clock>) -> Self {
        Self { data, talk, clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn talk(&self, text: &str) {
        let mut state = self.state();
        state.last = Some(self.clock.elapsed());
        let first = !std::mem::replace(&mut state.named_in_talk, true);
        if let Some(endpoint) = state.endpoint.as_ref().filter(|_| first) {
            self.talk.0.write(&endpoint_line(endpoint));
        }
        self.talk.0.write(text);
    }

    fn stamped(&self, at: DateTime<Utc>, text: &str) {
        self.talk(&format!("{}  {text}", measure::clock(at)));
    }

    fn beat(&self, progress: &Progress) {
        let Some(what) = waiting(progress) else { return };
        let now = self.clock.elapsed();
        let mut state = self.state();
        let last = *state.last.get_or_insert(now);
        let step = state.pace.step();
        drop(state);
        if now.saturating_sub(last) >= HEARTBEAT {
            let step = step.map_or(String::new(), |step| format!("{step}: "));
            self.stamped(self.clock.now(), &format!("      {step}still waiting, {what}\n"));
        }
    }
}

impl ProgressSink for PlainView {
    fn report(&self, progress: Progress) {
        if let Some(line) = beneath(&progress) {
            let line = self.talk.1.paint(Accent::Dim, &line);
            return self.stamped(self.clock.now(), &format!("      | {line}\n"));
        }
        match &progress {
            Progress::Notice(text) => {
                self.stamped(self.clock.now(), &format!("note: {}\n", harmless(text)));
            }
            progress => self.beat(progress),
        }
    }
}

impl View for PlainView {
    fn sandbox(&self, endpoint: &str) {
        self.state().endpoint = Some(endpoint.to_owned());
    }

    fn findings(&self, findings: &[Finding]) {
        self.talk(&tree(self.talk.1, findings));
    }

    fn event(&self, event: &Event, state: &Deployment, at: DateTime<Utc>, elapsed: Duration) {
        if let Some(endpoint) = &state.plan.endpoint {
            self.sandbox(endpoint);
        }
        let line = self.state().pace.tell(event, state, elapsed);
        if let Some(line) = line {
            self.stamped(at, &line.for_log(self.talk.1));
        }
        self.state().last = Some(self.clock.elapsed());
    }

    fn summary(&self, summary: &Summary) {
        self.data(summary);
    }

    fn problem(&self, problem: &Problem) {
        self.talk(&format!("\n{}", problem.text(self.talk.1)));
    }

    fn warn(&self, problem: &Problem) {
        self.talk(&warning(self.talk.1, problem));
    }

    fn say(&self, line: &str) {
        self.talk(&self.talk.1.talk(line));
    }

    fn data(&self, document: &dyn Document) {
        let mut state = self.state();
        let first = !std::mem::replace(&mut state.named_in_data, true);
        let endpoint = document.endpoint().map(str::to_owned).or_else(|| state.endpoint.clone());
        drop(state);
        if let Some(endpoint) = endpoint.filter(|_| first) {
            self.data.0.write(&endpoint_line(&endpoint));
        }
        self.data.0.write(&document.text(self.data.1));
    }

    fn stream(&self, document: &dyn Document) {
        self.data(document);
    }

    fn redraw(&self, _document: &dyn Document) -> bool {
        false
    }

    fn ask(&self, question: &str) -> bool {
        self.talk(&format!("{} [y/N] ", harmless(question)));
        let answer = terminal::answer();
        if answer.is_none() {
            self.talk("nobody is there to answer: no\n");
        }
        answer.unwrap_or(false)
    }

    fn finish(&self, _exit: ExitCode) {
        if let Some(failure) = self.data.0.take_failure() {
            self.talk(&format!("warning: the output could not be written: {failure}\n"));
        }
    }
}
