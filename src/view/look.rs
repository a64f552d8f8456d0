//! How text is laid out: width, accents, columns. Pure; colour is only ever an accent.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::names::Digest;
use crate::text::is_hostile;

/// Characters of one foreign text that are looked at: a megabyte in a commit message is not shown.
const LONGEST_TEXT: usize = 4_000;

/// The longest word that is never broken: an App Runner ARN takes up to 130 characters.
const LONGEST_WHOLE: usize = 160;

/// How to render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether accents are painted.
    pub colour: bool,
}

/// An accent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accent {
    /// None.
    None,
    /// As hoped.
    Good,
    /// Doubtful.
    Warning,
    /// Wrong.
    Bad,
    /// Less important.
    Dim,
    /// What the eye should find.
    Strong,
}

impl Look {
    /// No colour, 80 columns.
    pub const PLAIN: Self = Self { width: 80, colour: false };

    /// The text with an accent, if there are any. Paint last: after cutting and padding.
    pub(super) fn paint(self, accent: Accent, text: &str) -> String {
        let style = match accent {
            Accent::None => return text.into(),
            Accent::Good => AnsiColor::Green.on_default(),
            Accent::Warning => AnsiColor::Yellow.on_default(),
            Accent::Bad => AnsiColor::Red.on_default().bold(),
            Accent::Dim => Style::new().dimmed(),
            Accent::Strong => Style::new().bold(),
        };
        if self.colour && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.into()
        }
    }

    /// A block of text under `indent` columns, wrapped at the width, newlines kept.
    pub(super) fn block(self, indent: usize, accent: Accent, text: &str) -> String {
        let room = self.width.saturating_sub(indent).max(20);
        let margin = " ".repeat(indent);
        let lines = text.lines().take(200).flat_map(|line| wrap(line, room));
        lines.map(|line| format!("{margin}{}\n", self.paint(accent, &line))).collect()
    }

    /// A line of talk, wrapped, with what is to be typed in one piece; newlines are kept.
    pub(super) fn talk(self, text: &str) -> String {
        let shown = |line: &str| {
            if line.contains('`') {
                self.to_type("", Accent::None, line)
            } else {
                self.block(0, Accent::None, line)
            }
        };
        text.lines().map(shown).collect()
    }

    /// `label` and a text that hangs beside it, wrapped.
    pub(super) fn hanging(self, label: &str, accent: Accent, text: &str) -> String {
        let label = &harmless(label);
        let indent = width_of(label);
        let room = self.width.saturating_sub(indent).max(20);
        let mut lines = wrap(text, room).into_iter();
        let first = lines.next().unwrap_or_default();
        let head = format!("{}{first}", self.paint(accent, label));
        let head = format!("{}\n", head.trim_end());
        let margin = " ".repeat(indent);
        lines.fold(head, |shown, line| format!("{shown}{margin}{line}\n"))
    }

    /// `label` and a text with something to type in it, which is never broken, so that it can be
    /// copied: where it does not fit beside its explanation it has a line of its own.
    pub(super) fn to_type(self, label: &str, accent: Accent, text: &str) -> String {
        let indent = width_of(label);
        let room = self.width.saturating_sub(indent).max(20);
        let margin = " ".repeat(indent);
        let lines = fill(unbroken(&harmless(text)), room);
        format!("{}{}\n", self.paint(accent, label), lines.join(&format!("\n{margin}")))
    }

    /// A label, and what to do: a command in it is never broken, a sentence without one is like any other.
    pub(super) fn advice(self, label: &str, accent: Accent, text: &str) -> String {
        if text.contains('`') {
            self.to_type(label, accent, text)
        } else {
            self.hanging(label, accent, text)
        }
    }

    /// A digest, whole where there is room for it.
    pub(super) fn digest(self, digest: &Digest, indent: usize) -> String {
        let whole = digest.as_str();
        if whole.len() + indent <= self.width { whole.into() } else { shorten(whole, 24) }
    }

    /// Pairs of a label and a value, aligned.
    pub(super) fn pairs(self, indent: usize, pairs: &[(&str, String)]) -> String {
        let widest = pairs.iter().map(|(label, _)| width_of(label)).max().unwrap_or(0);
        let margin = " ".repeat(indent);
        let line = |(label, value): &(&str, String)| {
            let label = format!("{margin}{}  ", pad(label, widest));
            self.hanging(&label, Accent::Dim, value)
        };
        pairs.iter().filter(|(_, value)| !value.is_empty()).map(line).collect()
    }
}

/// A foreign text on one line, harmless: nothing in it moves the cursor or hides its neighbours.
pub(super) fn harmless(text: &str) -> String {
    let clean = |c: char| match c {
        '\t' => ' ',
        c if is_hostile(c) => '\u{fffd}',
        c => c,
    };
    let mut shown: String = text.chars().take(LONGEST_TEXT).map(clean).collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        shown.push('…');
    }
    shown
}

/// Columns a text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.width()
}

/// The text on one line, at most `width` columns, `…` where something is missing.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let text = harmless(text);
    if width_of(&text) <= width {
        return text;
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns >= width {
            break;
        }
        used += columns;
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// The text with blanks behind it, so that it takes `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// The text with blanks before it.
pub(super) fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// Lines of at most `width` columns, broken between words where possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = harmless(text);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width.saturating_sub(width_of(&line) + usize::from(!line.is_empty()));
        if !line.is_empty() && width_of(word) > room {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while width_of(&line) > width && !is_whole(word) {
            let rest = split_off(&mut line, width);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines
}

/// The words of a text; what stands between backticks is one, and so is a text without any.
fn unbroken(text: &str) -> Vec<String> {
    let (mut words, mut is_open) = (Vec::<String>::new(), !text.contains('`'));
    for (at, word) in text.split(' ').enumerate() {
        match words.last_mut() {
            Some(last) if is_open && at > 0 => last.extend([" ", word]),
            _ => words.push(word.to_owned()),
        }
        is_open ^= word.matches('`').count() % 2 == 1;
    }
    words
}

/// Lines of these words, as many on a line as fit.
fn fill(words: Vec<String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if width_of(line) + 1 + width_of(&word) <= width => {
                line.extend([" ", word.as_str()]);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Addresses, ARNs and digests are there to be copied: better too wide than in two parts. Anything
/// longer is none of them.
fn is_whole(word: &str) -> bool {
    word.len() <= LONGEST_WHOLE && word.bytes().all(|b| b.is_ascii_graphic())
}

/// Cuts a word that is longer than a line.
fn split_off(line: &mut String, width: usize) -> String {
    let mut used = 0;
    let at = line.char_indices().find(|(at, c)| {
        used += c.width().unwrap_or(0);
        used > width && *at > 0
    });
    let at = at.map_or(line.len(), |(at, _)| at);
    line.split_off(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_never_broken_and_has_a_line_of_its_own_where_it_must() {
        let look = Look { width: 60, colour: false };
        let command =
            "surefoot status --service-name shop --history-dir ../records --region eu-west-1";
        let shown = look.to_type(
            "hint: ",
            Accent::None,
            &format!("see what runs now: `{command}`, then go on"),
        );
        assert_eq!(
            shown,
            format!("hint: see what runs now:\n      `{command}`,\n      then go on\n")
        );
        assert_eq!(look.to_type("next: ", Accent::None, command), format!("next: {command}\n"));
        assert_eq!(look.to_type("hint: ", Accent::None, "a: `b c`"), "hint: a: `b c`\n");
    }

    #[test]
    fn talk_is_wrapped_around_what_is_to_be_typed() {
        let look = Look { width: 60, colour: false };
        let line = "no line that matches since 2026-11-23; look: `surefoot logs --since 1d`";
        assert_eq!(
            look.talk(&format!("note\n{line}")),
            "note\nno line that matches since 2026-11-23; look:\n`surefoot logs --since 1d`\n"
        );
        let long = "words ".repeat(30);
        assert!(look.talk(&long).lines().all(|line| line.len() <= 60));
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        let shown = harmless("a\u{1b}[2Jb\nc\u{202e}d\u{7}\r");
        assert!(!shown.chars().any(is_hostile), "{shown:?}");
        assert_eq!(harmless("a\tb"), "a b");
        assert_eq!(harmless(&"x".repeat(1_000_000)).chars().count(), LONGEST_TEXT + 1);
    }

    #[test]
    fn nothing_is_wider_than_it_may_be() {
        let long = "x".repeat(LONGEST_WHOLE + 1);
        let texts = ["", "short", "日本語のとても長い文章です", "a b c d e f g", long.as_str()];
        for text in texts {
            for width in 5..40 {
                assert!(width_of(&shorten(text, width)) <= width, "{text} at {width}");
                for line in wrap(text, width) {
                    assert!(width_of(&line) <= width, "{text} at {width}: {line}");
                }
            }
        }
    }

    #[test]
    fn what_is_to_be_copied_stays_in_one_piece() {
        let arn = "arn:aws:apprunner:eu-central-1:123456789012:service/shop/8fe1e10304f84fd2b0df";
        assert_eq!(wrap(&format!("see {arn} there"), 40), ["see", arn, "there"]);
    }

    #[test]
    fn wrapping_loses_no_word() {
        let text = "one two  three four-five six";
        for width in 4..40 {
            let joined: String = wrap(text, width).concat();
            assert_eq!(joined.replace(' ', ""), text.replace(' ', ""), "at {width}");
        }
    }

    #[test]
    fn without_colour_there_is_no_escape_code() {
        let plain = Look { width: 80, colour: false };
        assert_eq!(plain.paint(Accent::Bad, "x"), "x");
        let coloured = Look { colour: true, ..plain };
        assert_eq!(coloured.paint(Accent::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
        assert_eq!(coloured.paint(Accent::Good, ""), "");
    }
}
