//! What a watcher is told, event by event: which step, how it came out, how long it took. Shared by
//! the views that people read; keeps only what the next line needs.

use std::time::Duration;

use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::plan::Step;
use crate::projection::{Told, Tone, told};
use crate::world::Progress;

use super::look::{Accent, harmless, pad, pad_left, width_of, wrap};
use super::{Look, measure};

/// Which step is due, and since when.
#[derive(Debug, Default)]
pub(super) struct Pace {
    due: Option<(Step, Duration)>,
}

/// The outcome of a step, or a remark beside the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The step's place in the plan, from 1, and how many there are; none on the way back.
    pub(super) place: Option<(usize, usize)>,
    /// The step.
    pub(super) step: Option<Step>,
    /// How it is meant.
    pub(super) tone: Tone,
    /// What it says.
    pub(super) text: String,
    /// How long the step took, where this process saw all of it.
    pub(super) took: Option<Duration>,
    /// The width of the column of step names.
    pub(super) names: usize,
}

impl Pace {
    /// What this event says, if it says anything.
    pub(super) fn tell(
        &mut self,
        event: &Event,
        state: &Deployment,
        elapsed: Duration,
    ) -> Option<Line> {
        let line = told(event, state).map(|told| self.line(told, state, elapsed));
        let due = state.current_step();
        let changed = due != self.due.map(|(step, _)| step);
        if changed || matches!(event, Event::Resumed { .. }) {
            self.due = due.map(|step| (step, elapsed));
        }
        line
    }

    fn line(&self, told: Told, state: &Deployment, elapsed: Duration) -> Line {
        let since = self.due.filter(|(due, _)| Some(*due) == told.step).map(|(_, since)| since);
        let steps = &state.plan.steps;
        Line {
            place: told.step.and_then(|step| place(step, steps)),
            step: told.step,
            tone: told.tone,
            text: told.text,
            took: since.map(|since| elapsed.saturating_sub(since)),
            names: steps.iter().map(|step| width_of(step.words())).max().unwrap_or(0).max(16),
        }
    }

    /// The step that is due now.
    pub(super) fn step(&self) -> Option<Step> {
        self.due.map(|(step, _)| step)
    }
}

/// A step's place in the plan, from 1.
pub(super) fn place(step: Step, steps: &[Step]) -> Option<(usize, usize)> {
    steps.iter().position(|planned| *planned == step).map(|index| (index + 1, steps.len()))
}

impl Line {
    fn accent(&self) -> Accent {
        match (self.tone, self.step) {
            (Tone::Bad, _) => Accent::Bad,
            (Tone::Note, _) => Accent::Dim,
            (Tone::Good, _) => Accent::None,
        }
    }

    fn words(&self) -> String {
        let word = match (self.tone, self.step) {
            (Tone::Bad, Some(_)) => "failed: ",
            _ => "",
        };
        format!("{word}{}", self.text)
    }

    /// For a log: never wrapped, so that it stays one line to grep for.
    pub(super) fn for_log(&self, look: Look) -> String {
        let text = look.paint(self.accent(), &harmless(&self.words()));
        let Some(step) = self.step else { return format!("{text}\n") };
        let place = self.place.map_or("back".into(), |(at, of)| format!("{at}/{of}"));
        let took = self.took.map(|t| format!(" ({})", measure::duration(t))).unwrap_or_default();
        format!("{} {}  {text}{took}\n", pad_left(&place, 5), pad(step.words(), self.names))
    }

    /// For a terminal: columns, the duration at the right, the text wrapped between them.
    pub(super) fn for_terminal(&self, look: Look) -> String {
        let Some(step) = self.step else {
            return look.block(5, self.accent(), &self.words());
        };
        let place = self.place.map_or("-".into(), |(at, _)| at.to_string());
        let label = format!("  {} {}  ", pad_left(&place, 2), pad(step.words(), self.names));
        let took = self.took.map(measure::duration).unwrap_or_default();
        let width = look.width.min(WIDEST_STEP_LINE);
        let room = width.saturating_sub(width_of(&label) + TOOK + 2).max(16);
        let mut shown = String::new();
        for (index, line) in wrap(&self.words(), room).into_iter().enumerate() {
            let text = look.paint(self.accent(), &line);
            let line = if index == 0 {
                let blanks = " ".repeat(room.saturating_sub(width_of(&line)));
                format!(
                    "{label}{text}{blanks}  {}",
                    look.paint(Accent::Dim, &pad_left(&took, TOOK))
                )
            } else {
                format!("{}{text}", " ".repeat(width_of(&label)))
            };
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
        shown
    }
}

/// Beyond this the eye loses the line between a step and its duration.
const WIDEST_STEP_LINE: usize = 100;

/// Columns for a duration.
const TOOK: usize = 9;

/// A line of the service, or of the build, as it is shown beneath its step.
pub(super) fn beneath(progress: &Progress) -> Option<String> {
    let (who, text) = match progress {
        Progress::BuildLine(text) => ("build", text.as_str()),
        // App Runner begins its own lines so.
        Progress::ServiceLine(text) => {
            ("App Runner", text.strip_prefix("[AppRunner] ").unwrap_or(text))
        }
        Progress::ApplicationLine(text) => ("application", text.as_str()),
        _ => return None,
    };
    // The end of a line may come with it; it is no part of what it says.
    Some(format!("{who}: {}", harmless(text.trim_end())))
}

/// What is being waited for, in a few words.
pub(super) fn waiting(progress: &Progress) -> Option<String> {
    match progress {
        Progress::Waiting { what } => Some(harmless(what)),
        Progress::Pushed { bytes, of } if *of > 0 => {
            Some(format!("{} of {}", measure::size(*bytes), measure::size(*of)))
        }
        Progress::Pushed { bytes, .. } => Some(measure::size(*bytes)),
        _ => None,
    }
}
