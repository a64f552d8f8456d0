//! What is wrong with a configuration file, and where.

use std::path::Path;

use crate::problem::{ExitCode, Problem};
use crate::text::printable;

/// More mistakes than this are not listed: the first ones are worth mending first.
const MOST_LISTED: usize = 20;

/// A place in the file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte. A byte inside a character counts as that character.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let mut end = byte.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) place: Place,
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

/// All mistakes of a file, as one problem.
pub(super) fn problem(path: &Path, mut findings: Vec<Finding>) -> Problem {
    findings.sort();
    let mut problem = unusable(path);
    let unlisted = findings.len().saturating_sub(MOST_LISTED);
    problem = problem.hint("every key is described in docs/configuration.md");
    for finding in findings.into_iter().take(MOST_LISTED) {
        problem = problem.because(format!("{}: {}", finding.place, finding.what));
        if let Some(hint) = finding.hint.filter(|hint| !problem.next.contains(hint)) {
            problem = problem.hint(hint);
        }
    }
    if unlisted > 0 {
        problem = problem.because(format!("and {unlisted} more"));
    }
    problem
}

/// The start of every problem with the file as a whole.
pub(super) fn unusable(path: &Path) -> Problem {
    let shown = printable(&path.display().to_string(), 200);
    Problem::new(ExitCode::Usage, "bad-configuration", format!("cannot use `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a\nböb\n\nc";
        for (byte, line, column) in
            [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 2), (5, 2, 3), (8, 4, 1), (999, 4, 2)]
        {
            assert_eq!(Place::of(text, byte), Place { line, column }, "byte {byte}");
        }
    }
}
