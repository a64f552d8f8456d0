//! What instances write, line by line, until somebody reads it.

use std::sync::{Arc, Mutex, PoisonError};

use super::LogLine;
use crate::sandbox::Timestamp;

/// `CloudWatch` Logs takes events of up to 256 KiB; a longer line is cut there.
const LONGEST_LINE: usize = 256 * 1024;

/// Lines nobody read yet; an instance that floods loses the oldest.
const MOST_LINES: usize = 10_000;

/// Collects bytes into lines; a clone is the same collection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Vec<LogLine>>>);

impl Output {
    pub(crate) fn add(&self, at: Timestamp, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = &line[..line.len().min(LONGEST_LINE)];
        let text = String::from_utf8_lossy(line).into_owned();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MOST_LINES {
            lines.remove(0);
        }
        lines.push(LogLine { at, text });
    }

    pub(crate) fn drain(&self) -> Vec<LogLine> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Puts chunks together to lines: an engine cuts where it likes.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// The lines that a chunk completes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(chunk);
        let mut complete = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            complete.push(self.0.drain(..=end).collect());
        }
        if self.0.len() > LONGEST_LINE {
            complete.push(std::mem::take(&mut self.0));
        }
        complete
    }

    /// The last line, where it had no end.
    pub(crate) fn rest(self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_lines_whatever_they_are_cut_like() {
        let output = Output::default();
        let mut lines = Lines::default();
        for chunk in [b"a".as_slice(), b"b\nc\r\n", b"\n\xff"] {
            for line in lines.push(chunk) {
                output.add(7, &line);
            }
        }
        output.add(8, &lines.rest().unwrap());
        let texts: Vec<String> = output.drain().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["ab", "c", "", "\u{fffd}"]);
        assert_eq!(output.drain(), []);
    }

    #[test]
    fn a_flood_loses_its_oldest_lines_and_a_line_without_end_is_cut() {
        let output = Output::default();
        for number in 0..=MOST_LINES {
            output.add(0, number.to_string().as_bytes());
        }
        assert_eq!(output.drain()[0].text, "1");
        let mut lines = Lines::default();
        assert_eq!(lines.push(&vec![b'x'; LONGEST_LINE + 1]).len(), 1);
    }
}
