//! The terminal that live lines are drawn on: stderr.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressDrawTarget, TermLike};

use super::terminal;

/// How often lines are drawn at most, in a second; indicatif's own rate for a terminal.
const RATE: u8 = 20;

/// Where live lines are drawn.
pub(super) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen), RATE)
}

/// Leaves the live line to what is written next: the process ends, and it stays as it was drawn last.
pub(crate) fn leave_line() {
    if io::stderr().is_terminal() {
        drop(io::stderr().write_all(b"\n"));
    }
}

/// The terminal that stderr is. Writing to it never fails: indicatif panics where a terminal that went
/// away says so, and what cannot be shown is lost, and nothing else.
#[derive(Debug)]
struct Screen;

impl Screen {
    fn moved(&self, by: usize, direction: char) -> io::Result<()> {
        if by == 0 { Ok(()) } else { self.write_str(&format!("\u{1b}[{by}{direction}")) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        terminal::size_of_stderr().0
    }

    fn height(&self) -> u16 {
        terminal::size_of_stderr().1
    }

    fn move_cursor_up(&self, by: usize) -> io::Result<()> {
        self.moved(by, 'A')
    }

    fn move_cursor_down(&self, by: usize) -> io::Result<()> {
        self.moved(by, 'B')
    }

    fn move_cursor_right(&self, by: usize) -> io::Result<()> {
        self.moved(by, 'C')
    }

    fn move_cursor_left(&self, by: usize) -> io::Result<()> {
        self.moved(by, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        drop(io::stderr().write_all(text.as_bytes()));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\u{1b}[2K")
    }

    /// A drawn line reaches to the terminal's edge. What is echoed for Ctrl-C behind it would wrap, and
    /// the line stay on the screen for good: so the cursor waits at its beginning.
    fn flush(&self) -> io::Result<()> {
        self.write_str("\r")
    }
}
