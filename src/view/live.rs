//! On a terminal: finished steps stay, one live line moves, what the service says stands beneath it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::documents::{endpoint_line, tree, warning};
use super::look::{Accent, harmless, pad, pad_left, shorten, width_of};
use super::narration::{Pace, beneath, place, waiting};
use super::{Document, Look, Output, View, measure, screen, terminal};
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::Step;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::world::{Progress, ProgressSink};

/// Lines shown beneath the live line.
const BENEATH: usize = 5;

/// Lines of one step that stay on the screen after it; of more, the newest.
const KEPT: usize = 40;

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Draws on a terminal.
pub struct LiveView {
    data: (Output, Look),
    talk: (Output, Look),
    screen: MultiProgress,
    /// Whether the spinner turns by itself.
    turning: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pace: Pace,
    endpoint: Option<String>,
    named: bool,
    /// The live line.
    line: Option<ProgressBar>,
    /// The lines beneath it.
    beneath: Vec<ProgressBar>,
    /// What the service said during this step, and stays.
    said: Vec<String>,
    /// What is watched, as it was drawn last.
    drawn: String,
    /// What is shown beneath now; build output comes and goes.
    shown: Vec<String>,
}

impl LiveView {
    /// Data to the one output, talk to the other; the live line to stderr's terminal.
    pub fn new(data: (Output, Look), talk: (Output, Look)) -> Self {
        Self::on(screen::target(), true, data, talk)
    }

    /// Without a live line: what stays on the screen, for tests.
    #[cfg(test)]
    pub(super) fn hidden(data: (Output, Look), talk: (Output, Look)) -> Self {
        Self::on(ProgressDrawTarget::hidden(), false, data, talk)
    }

    fn on(
        target: ProgressDrawTarget,
        turning: bool,
        data: (Output, Look),
        talk: (Output, Look),
    ) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        Self { data, talk, screen, turning, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Text that stays, above the live line.
    fn talk(&self, text: &str) {
        let endpoint = self.unnamed_endpoint();
        self.screen.suspend(|| {
            if let Some(endpoint) = endpoint {
                self.talk.0.write(&endpoint_line(&endpoint));
            }
            self.talk.0.write(text);
        });
    }

    /// The endpoint, the first time something is shown of it.
    fn unnamed_endpoint(&self) -> Option<String> {
        let mut state = self.state();
        let endpoint = state.endpoint.clone().filter(|_| !state.named);
        state.named |= endpoint.is_some();
        endpoint
    }

    /// The live line for the step that is due, or none.
    fn set_line(&self, state: &Deployment) {
        let mut mine = self.state();
        if let Some(line) = mine.line.take() {
            line.finish_and_clear();
        }
        let beneath = std::mem::take(&mut mine.beneath);
        beneath.iter().for_each(ProgressBar::finish_and_clear);
        mine.shown.clear();
        let watched = !state.is_over() && state.interrupted.is_none();
        if let Some(step) = state.current_step().filter(|_| watched) {
            mine.line = Some(self.new_line(step, state));
        }
    }

    fn new_line(&self, step: Step, state: &Deployment) -> ProgressBar {
        let at = place(step, &state.plan.steps).map_or("-".into(), |(at, _)| at.to_string());
        let prefix = format!("{} {}", pad_left(&at, 2), pad(step.words(), 17));
        let line = self.screen.add(ProgressBar::new_spinner());
        line.set_style(live_style());
        line.set_prefix(prefix);
        if self.turning {
            line.enable_steady_tick(TURN);
        } else {
            line.tick();
        }
        line
    }

    fn show_beneath(&self, text: &str, stays: bool) {
        let mut state = self.state();
        if stays {
            state.said.push(text.to_owned());
        }
        state.shown.push(text.to_owned());
        let surplus = state.shown.len().saturating_sub(BENEATH);
        state.shown.drain(..surplus);
        if state.line.is_none() {
            return;
        }
        if state.beneath.len() < state.shown.len() {
            let bar = self.screen.add(ProgressBar::new_spinner());
            bar.set_style(plain_style());
            state.beneath.push(bar);
        }
        let room = self.talk.1.width.saturating_sub(8);
        for (bar, line) in state.beneath.iter().zip(&state.shown) {
            bar.set_message(self.talk.1.paint(Accent::Dim, &shorten(line, room)));
        }
    }

    /// What the service said during the step, for good, beneath the step's outcome.
    fn keep_said(&self) -> String {
        let said = std::mem::take(&mut self.state().said);
        let skipped = said.len().saturating_sub(KEPT);
        said.iter().skip(skipped).map(|l| self.talk.1.block(5, Accent::Dim, l)).collect()
    }

    fn clear(&self) {
        let mut state = self.state();
        if let Some(line) = state.line.take() {
            line.finish_and_clear();
        }
        std::mem::take(&mut state.beneath).iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// What must be written so that the new text stands where the old one does. Nothing where nothing
/// changed: a screen that flickers is no calm one.
fn redrawn(before: &str, text: &str, (columns, rows): (usize, usize)) -> String {
    if before == text {
        return String::new();
    }
    let taken: usize = before.lines().map(|line| rows_of(line, columns)).sum();
    match taken {
        0 => text.to_owned(),
        // What scrolled away cannot be taken back.
        taken if taken >= rows => format!("\u{1b}[H\u{1b}[J{text}"),
        taken => format!("\u{1b}[{taken}A\r\u{1b}[J{text}"),
    }
}

/// How many rows of the terminal a line takes.
fn rows_of(line: &str, columns: usize) -> usize {
    let shown = anstream::adapter::strip_str(line).to_string();
    width_of(&shown).div_ceil(columns.max(1)).max(1)
}

fn live_style() -> ProgressStyle {
    let took = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Writing to a line in memory does not fail; where it did, a spinner would be wrong.
        let _ = out.write_str(&pad_left(&measure::duration(state.elapsed()), 9));
    };
    let style = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg} {took}");
    style.expect("the template is a constant").with_key("took", took)
}

fn plain_style() -> ProgressStyle {
    ProgressStyle::with_template("     {msg}").expect("the template is a constant")
}

impl ProgressSink for LiveView {
    fn report(&self, progress: Progress) {
        if let Some(text) = beneath(&progress) {
            return self.show_beneath(&text, !matches!(progress, Progress::BuildLine(_)));
        }
        if let Progress::Notice(text) = &progress {
            let text = format!("note: {text}");
            return self.talk(&self.talk.1.block(5, Accent::Warning, &text));
        }
        if let (Some(text), Some(line)) = (waiting(&progress), &self.state().line) {
            line.set_message(text);
        }
    }
}

impl View for LiveView {
    fn sandbox(&self, endpoint: &str) {
        self.state().endpoint = Some(endpoint.to_owned());
    }

    fn findings(&self, findings: &[Finding]) {
        self.talk(&tree(self.talk.1, findings));
    }

    fn event(&self, event: &Event, state: &Deployment, _at: DateTime<Utc>, elapsed: Duration) {
        if let Some(endpoint) = &state.plan.endpoint {
            self.sandbox(endpoint);
        }
        let before = self.state().pace.step();
        let line = self.state().pace.tell(event, state, elapsed);
        let moved = before != self.state().pace.step();
        let over = state.is_over() || state.interrupted.is_some();
        let mut text = line.map(|line| line.for_terminal(self.talk.1)).unwrap_or_default();
        if moved || over {
            text.push_str(&self.keep_said());
        }
        if !text.is_empty() {
            self.talk(&text);
        }
        if moved || over || matches!(event, Event::Resumed { .. }) {
            self.set_line(state);
        }
    }

    fn summary(&self, summary: &Summary) {
        self.clear();
        self.talk("\n");
        self.data(summary);
    }

    fn problem(&self, problem: &Problem) {
        self.clear();
        self.talk(&format!("\n{}", problem.text(self.talk.1)));
    }

    fn warn(&self, problem: &Problem) {
        self.clear();
        self.talk(&warning(self.talk.1, problem));
    }

    fn say(&self, line: &str) {
        self.talk(&self.talk.1.talk(line));
    }

    fn data(&self, document: &dyn Document) {
        if let Some(endpoint) = document.endpoint() {
            self.sandbox(endpoint);
        }
        let endpoint = self.unnamed_endpoint();
        self.screen.suspend(|| {
            if let Some(endpoint) = endpoint {
                self.data.0.write(&endpoint_line(&endpoint));
            }
            self.data.0.write(&document.text(self.data.1));
        });
    }

    fn stream(&self, document: &dyn Document) {
        self.data(document);
    }

    fn redraw(&self, document: &dyn Document) -> bool {
        let Some(size) = terminal::size_of_stdout() else { return false };
        let endpoint = document.endpoint().map(endpoint_line).unwrap_or_default();
        let text = format!("{endpoint}{}", document.text(self.data.1));
        let before = std::mem::replace(&mut self.state().drawn, text.clone());
        self.data.0.write(&redrawn(&before, &text, size));
        true
    }

    fn ask(&self, question: &str) -> bool {
        self.clear();
        self.talk(&format!("{} [y/N] ", harmless(question)));
        let answer = terminal::answer();
        if answer.is_none() {
            self.talk("nobody is there to answer: no\n");
        }
        answer.unwrap_or(false)
    }

    fn finish(&self, _exit: ExitCode) {
        self.clear();
        if let Some(failure) = self.data.0.take_failure() {
            self.talk(&format!("warning: the output could not be written: {failure}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;
    use crate::projection::examples;
    use crate::view::output::capture::Capture;

    /// Everything that was ever drawn.
    #[derive(Debug, Clone, Default)]
    struct Drawn(Arc<Mutex<String>>);

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _n: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_live_line_names_the_step_the_wait_and_what_the_service_says() {
        let (drawn, look) = (Drawn::default(), Look::PLAIN);
        let target = ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        let (out, err) = (Capture::default(), Capture::default());
        let view = LiveView::on(target, false, (out.output(), look), (err.output(), look));
        // Only the last event: indicatif draws a limited number of times a second.
        let run = examples::interrupted();
        let accepted = |event: &Event| matches!(event, Event::UpdateIssued(_));
        let (event, state, at, elapsed) = run.told().find(|told| accepted(told.0)).unwrap();
        view.event(event, state, at, elapsed);
        view.report(Progress::Waiting { what: "operation 8f2c1d7e IN_PROGRESS".into() });
        view.report(Progress::ServiceLine("Pulling\u{1b}[2J image".into()));
        let text = drawn.0.lock().unwrap().clone();
        assert!(text.contains(" 7 await operation    operation 8f2c1d7e IN_PROGRESS"), "{text:?}");
        assert!(text.contains("     App Runner: Pulling\u{fffd}[2J image"), "{text:?}");
    }

    #[test]
    fn what_is_watched_stands_where_it_stood_before() {
        let size = (10, 5);
        assert_eq!(redrawn("", "a\n", size), "a\n");
        assert_eq!(redrawn("a\n", "a\n", size), "");
        assert_eq!(redrawn("a\n\nb\n", "c\n", size), "\u{1b}[3A\r\u{1b}[Jc\n");
        let wide = format!("\u{1b}[32m{}\u{1b}[0m\n", "x".repeat(11));
        assert_eq!(redrawn(&wide, "c\n", size), "\u{1b}[2A\r\u{1b}[Jc\n");
        assert_eq!(redrawn("1\n2\n3\n4\n5\n", "c\n", size), "\u{1b}[H\u{1b}[Jc\n");
    }

    #[test]
    fn nothing_moves_once_the_run_stopped() {
        let look = Look::PLAIN;
        let (out, err) = (Capture::default(), Capture::default());
        let view = LiveView::hidden((out.output(), look), (err.output(), look));
        for (event, state, at, elapsed) in examples::interrupted().told() {
            view.event(event, state, at, elapsed);
        }
        assert!(view.state().line.is_none() && view.state().beneath.is_empty());
    }
}
