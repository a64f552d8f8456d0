//! What this process was started on: which view fits, how wide it is, whether colour is wanted.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::os::fd::AsFd;
use std::sync::Arc;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use terminal_size::{Height, Width, terminal_size_of};

use super::{JsonView, LiveView, Look, Output, PlainView, View};
use crate::world::clock::Clock;

/// What was asked for on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// JSON lines on stdout.
    pub json: bool,
    /// With JSON: the narration on stderr as well.
    pub narrate: bool,
}

/// Columns where nobody knows better.
const USUAL_WIDTH: usize = 80;

/// Narrower than this nothing is readable; wider than that no line is.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=200;

/// The view that fits the wish and what the process was started on.
pub fn choose(wish: Wish, clock: Arc<dyn Clock>) -> Box<dyn View> {
    let data = (Output::stdout(), look(&io::stdout()));
    let talk = (Output::stderr(), look(&io::stderr()));
    if wish.json {
        let nowhere = (Output::to(io::sink()), Look::PLAIN);
        let plain = PlainView::new(nowhere, talk, clock);
        return Box::new(JsonView::new(Output::stdout(), plain, wish.narrate));
    }
    if io::stderr().is_terminal() && !is_dumb() {
        Box::new(LiveView::new(data, talk))
    } else {
        Box::new(PlainView::new(data, talk, clock))
    }
}

/// How to render for this stream. `NO_COLOR`, `CLICOLOR_FORCE` and `TERM=dumb` are respected, as
/// anstream does everywhere.
fn look(stream: &(impl RawStream + AsFd)) -> Look {
    let colour = AutoStream::choice(stream) != ColorChoice::Never;
    let columns = terminal_size_of(stream).map(|(Width(columns), _)| usize::from(columns));
    Look { width: fitting(columns), colour }
}

fn fitting(columns: Option<usize>) -> usize {
    columns.unwrap_or(USUAL_WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether a person sits at both ends: one that reads what is said, and types.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && !is_dumb()
}

/// The next line that is typed; none at the end of the input. Who stops waiting for it loses it.
pub async fn typed_line() -> Option<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread of its own: nothing but a line ends the reading, and the process must end before.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line).unwrap_or(0);
        tell.send((read > 0).then_some(line)).unwrap_or_default();
    });
    told.await.ok().flatten()
}

/// Columns and rows of the terminal that stdout is; none where it is none.
pub(super) fn size_of_stdout() -> Option<(usize, usize)> {
    let (Width(columns), Height(rows)) = terminal_size_of(io::stdout())?;
    Some((usize::from(columns), usize::from(rows)))
}

/// Columns and rows of the terminal that stderr is; the usual ones where it is none.
pub(super) fn size_of_stderr() -> (u16, u16) {
    terminal_size_of(io::stderr())
        .map_or((80, 24), |(Width(columns), Height(rows))| (columns, rows))
}

/// A person's answer; none where there is nobody to ask.
pub(super) fn answer() -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| means_yes(&line))
}

fn means_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["y\n", "Y", " yes \n", "YES\r\n"] {
            assert!(means_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yep\n", "yy", "ye s"] {
            assert!(!means_yes(no), "{no:?}");
        }
    }

    #[test]
    fn widths_stay_usable() {
        assert_eq!(fitting(None), 80);
        assert_eq!(fitting(Some(10)), 60);
        assert_eq!(fitting(Some(132)), 132);
        assert_eq!(fitting(Some(1_000)), 200);
    }
}
