//! Build output as lines, whatever builder it comes from.

use std::collections::{BTreeMap, VecDeque};

use bollard::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog};
use bollard::models::{BuildInfo, BuildInfoAux};

use crate::redaction::Redaction;
use crate::text::printable;

/// Lines kept for the report of a failure.
const LINES_KEPT: usize = 20;
/// Longest line shown.
const LINE_LENGTH: usize = 2_000;
/// So many bytes of a line are waited for; what is longer is shown in pieces.
const LONGEST_UNFINISHED: usize = 64 * 1024;

/// The output of one build so far.
#[derive(Debug)]
pub(super) struct Output<'a> {
    /// The image, once the builder has named it.
    pub(super) image: Option<String>,
    redaction: &'a Redaction,
    last: VecDeque<String>,
    unfinished: String,
    steps: Steps,
}

impl<'a> Output<'a> {
    /// Nothing so far; never what is to be hidden.
    pub(super) fn without(redaction: &'a Redaction) -> Self {
        let (image, unfinished, steps) = (None, String::new(), Steps::default());
        Self { image, redaction, last: VecDeque::new(), unfinished, steps }
    }

    /// The lines that this message completes.
    pub(super) fn read(&mut self, message: BuildInfo) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(text) = message.stream {
            lines.extend(self.classic(&text));
        }
        if let Some(status) = message.status.filter(|_| message.progress_detail.is_none()) {
            let id = message.id.map(|id| format!("{id}: ")).unwrap_or_default();
            lines.push(format!("{id}{status}"));
        }
        match message.aux {
            Some(BuildInfoAux::BuildKit(status)) => lines.extend(self.steps.read(&status)),
            Some(BuildInfoAux::Default(image)) => self.image = image.id.or(self.image.take()),
            None => {}
        }
        self.keep(&lines)
    }

    /// What is left when the stream is over.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut rest = self.steps.finish();
        rest.push(std::mem::take(&mut self.unfinished));
        self.keep(&rest)
    }

    /// The last lines, for a person who wants to know why.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    /// The classic builder sends pieces of text; a line may come in several.
    fn classic(&mut self, text: &str) -> Vec<String> {
        self.unfinished.push_str(text);
        let Some(end) = self.unfinished.rfind('\n') else { return Vec::new() };
        let whole: String = self.unfinished.drain(..=end).collect();
        for line in whole.lines() {
            if let Some(id) = line.trim().strip_prefix("Successfully built ") {
                // Engines without an `aux` message name the image only here.
                self.image.get_or_insert_with(|| id.to_owned());
            }
        }
        whole.lines().map(str::to_owned).collect()
    }

    fn keep(&mut self, lines: &[String]) -> Vec<String> {
        let lines: Vec<String> =
            lines.iter().map(|line| self.shown(line)).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            if self.last.len() == LINES_KEPT {
                self.last.pop_front();
            }
            self.last.push_back(line.clone());
        }
        lines
    }

    /// Hidden first, then cut to its length: of a value that is cut nothing could be recognised.
    fn shown(&self, line: &str) -> String {
        printed(&self.redaction.hide(&bare(line)))
    }
}

/// The steps of BuildKit, numbered as `docker build --progress plain` numbers them.
#[derive(Debug, Default)]
struct Steps {
    known: BTreeMap<String, Step>,
    /// What was written since the last line break, by step and stream.
    unfinished: BTreeMap<(String, i64), Vec<u8>>,
}

#[derive(Debug)]
struct Step {
    number: usize,
    is_ended: bool,
}

impl Steps {
    fn read(&mut self, status: &StatusResponse) -> Vec<String> {
        let mut lines = Vec::new();
        let mut logs: Vec<&VertexLog> = status.logs.iter().collect();
        for vertex in &status.vertexes {
            lines.extend(self.begin(vertex));
            // What a step wrote comes before its end.
            for log in logs.extract_if(.., |log| log.vertex == vertex.digest) {
                lines.extend(self.log(log));
            }
            lines.extend(self.end(vertex));
        }
        for log in logs {
            lines.extend(self.log(log));
        }
        for warning in &status.warnings {
            lines.push(format!("WARNING: {}", String::from_utf8_lossy(&warning.short)));
        }
        lines
    }

    fn begin(&mut self, vertex: &Vertex) -> Option<String> {
        let began = vertex.started.is_some() || vertex.cached;
        if !began || self.known.contains_key(&vertex.digest) {
            return None;
        }
        let number = self.known.len() + 1;
        self.known.insert(vertex.digest.clone(), Step { number, is_ended: false });
        Some(format!("#{number} {}", vertex.name))
    }

    fn end(&mut self, vertex: &Vertex) -> Vec<String> {
        let Some(end) = end(vertex) else { return Vec::new() };
        let Some(step) = self.known.get_mut(&vertex.digest).filter(|step| !step.is_ended) else {
            return Vec::new();
        };
        step.is_ended = true;
        let end = format!("#{} {end}", step.number);
        let mut lines = self.rest(|step| step == vertex.digest);
        lines.push(end);
        lines
    }

    /// Whole lines only: of a value that comes in two pieces nothing could be recognised.
    fn log(&mut self, log: &VertexLog) -> Vec<String> {
        let key = (log.vertex.clone(), log.stream);
        let mut text = self.unfinished.remove(&key).unwrap_or_default();
        text.extend(&log.msg);
        let ends = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if text.len() - ends < LONGEST_UNFINISHED {
            self.unfinished.insert(key, text.split_off(ends));
        }
        self.lines(&log.vertex, &text)
    }

    /// What is left without a line break.
    fn finish(&mut self) -> Vec<String> {
        self.rest(|_| true)
    }

    fn rest(&mut self, of: impl Fn(&str) -> bool) -> Vec<String> {
        let rest: Vec<_> = self.unfinished.extract_if(.., |(step, _), _| of(step)).collect();
        rest.iter().flat_map(|((step, _), text)| self.lines(step, text)).collect()
    }

    fn lines(&self, step: &str, text: &[u8]) -> Vec<String> {
        let number = self.known.get(step).map_or(0, |step| step.number);
        let text = String::from_utf8_lossy(text);
        text.lines().map(|line| format!("#{number} {line}")).collect()
    }
}

/// How a step ended, if it did.
fn end(vertex: &Vertex) -> Option<String> {
    if !vertex.error.is_empty() {
        return Some(format!("ERROR: {}", vertex.error));
    }
    if vertex.cached {
        return Some("CACHED".into());
    }
    let (started, completed) = (vertex.started.as_ref()?, vertex.completed.as_ref()?);
    let nanoseconds = (completed.seconds - started.seconds) * 1_000_000_000
        + i64::from(completed.nanos - started.nanos);
    let tenths = nanoseconds.max(0) / 100_000_000;
    Some(format!("DONE {}.{}s", tenths / 10, tenths % 10))
}

/// A line for any screen.
pub(super) fn plain(line: &str) -> String {
    printed(&bare(line))
}

fn printed(line: &str) -> String {
    printable(&line.replace('\t', "    "), LINE_LENGTH)
}

/// What a carriage return left standing, without colours and the like.
fn bare(line: &str) -> String {
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after_sequence(sequence);
    }
    text.push_str(rest);
    text
}

/// What follows a terminal control sequence: `[`, parameters, one final letter.
fn after_sequence(sequence: &str) -> &str {
    match sequence.strip_prefix('[') {
        Some(parameters) => match parameters.find(|c: char| ('@'..='~').contains(&c)) {
            Some(at) => &parameters[at + 1..],
            None => "",
        },
        None => sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Values;

    fn stream(text: &str) -> BuildInfo {
        BuildInfo { stream: Some(text.into()), ..BuildInfo::default() }
    }

    #[test]
    fn classic_pieces_become_lines() {
        let nothing = Redaction::of(&Values::default(), 6);
        let mut output = Output::without(&nothing);
        assert_eq!(output.read(stream("Step 1/2 : FROM")), [""; 0]);
        assert_eq!(output.read(stream(" scratch\n ---> \n")), ["Step 1/2 : FROM scratch", " --->"]);
        assert_eq!(output.read(stream("\u{1b}[31mred\u{1b}[0m\n")), ["red"]);
        assert_eq!(
            output.read(stream("Successfully built 12ab\nrest")),
            ["Successfully built 12ab"]
        );
        assert_eq!(output.image.as_deref(), Some("12ab"));
        assert_eq!(output.finish(), ["rest"]);
        assert_eq!(output.last_lines().last().unwrap(), "rest");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let nothing = Redaction::of(&Values::default(), 6);
        let mut output = Output::without(&nothing);
        for number in 0..100 {
            output.read(stream(&format!("{number}\n")));
        }
        assert_eq!(output.last_lines().len(), LINES_KEPT);
        assert_eq!(output.last_lines()[0], "80");
    }

    #[test]
    fn buildkit_steps_become_lines() {
        let mut steps = Steps::default();
        let mut vertex =
            Vertex { digest: "a".into(), name: "[1/2] COPY x".into(), ..Vertex::default() };
        let status = |vertex: &Vertex, log: &str| StatusResponse {
            vertexes: vec![vertex.clone()],
            logs: vec![VertexLog {
                vertex: vertex.digest.clone(),
                msg: log.as_bytes().to_vec(),
                ..VertexLog::default()
            }],
            ..StatusResponse::default()
        };
        assert_eq!(steps.read(&status(&vertex, "")), [""; 0]);
        vertex.started.get_or_insert_default().seconds = 10;
        assert_eq!(steps.read(&status(&vertex, "hello\n")), ["#1 [1/2] COPY x", "#1 hello"]);
        let completed = vertex.completed.get_or_insert_default();
        (completed.seconds, completed.nanos) = (11, 250_000_000);
        assert_eq!(steps.read(&status(&vertex, "")), ["#1 DONE 1.2s"]);
        assert_eq!(steps.read(&status(&vertex, "")), [""; 0]);
        let cached =
            Vertex { digest: "b".into(), name: "RUN".into(), cached: true, ..vertex.clone() };
        assert_eq!(steps.read(&status(&cached, "")), ["#2 RUN", "#2 CACHED"]);
        let failed = Vertex { digest: "c".into(), error: "not found".into(), ..vertex };
        assert_eq!(steps.read(&status(&failed, "")), ["#3 [1/2] COPY x", "#3 ERROR: not found"]);
    }

    fn wrote(step: &str, stream: i64, text: &str) -> BuildInfo {
        let log = VertexLog {
            vertex: step.into(),
            stream,
            msg: text.as_bytes().to_vec(),
            ..VertexLog::default()
        };
        let status = StatusResponse { logs: vec![log], ..StatusResponse::default() };
        BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), ..BuildInfo::default() }
    }

    #[test]
    fn a_value_is_hidden_wherever_its_line_was_cut() {
        let long = "x".repeat(LINE_LENGTH - 4);
        let values = Values::new([("TOKEN".parse().unwrap(), "canary-token".to_owned())].into());
        let redaction = Redaction::of(&values, 6);
        let mut output = Output::without(&redaction);
        assert_eq!(output.read(stream("+ echo cana")), [""; 0]);
        assert_eq!(output.read(stream("ry-token\n")), ["+ echo (hidden)"]);
        assert_eq!(output.read(wrote("a", 2, "+ echo cana")), [""; 0]);
        assert_eq!(output.read(wrote("a", 1, "out\n")), ["#0 out"]);
        assert_eq!(output.read(wrote("a", 2, "ry-token\nno ")), ["#0 + echo (hidden)"]);
        let shown = output.read(stream(&format!("{long}canary-token\n")));
        assert!(!shown[0].contains("cana"), "{shown:?}");
        assert_eq!(output.read(stream("\u{1b}[31mcanary\u{1b}[0m-token\n")), ["(hidden)"]);
        assert_eq!(output.finish(), ["#0 no"]);
        assert!(!output.last_lines().concat().contains("canary"));
    }

    #[test]
    fn what_a_step_wrote_comes_before_its_end() {
        let mut steps = Steps::default();
        let mut vertex = Vertex { digest: "a".into(), name: "RUN".into(), ..Vertex::default() };
        vertex.started.get_or_insert_default().seconds = 1;
        vertex.error = "exit 1".into();
        let Some(BuildInfoAux::BuildKit(mut status)) = wrote("a", 1, "one\ntwo").aux else {
            unreachable!()
        };
        status.vertexes.push(vertex);
        assert_eq!(steps.read(&status), ["#1 RUN", "#1 one", "#1 two", "#1 ERROR: exit 1"]);
        assert_eq!(steps.finish(), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_shown_in_pieces() {
        let mut steps = Steps::default();
        let text = "x".repeat(LONGEST_UNFINISHED);
        let Some(BuildInfoAux::BuildKit(status)) = wrote("a", 1, &text).aux else { unreachable!() };
        assert_eq!(steps.read(&status), [format!("#0 {text}")]);
    }

    #[test]
    fn lines_are_harmless() {
        assert_eq!(plain("10%\r50%\r100%\r\n"), "100%");
        assert_eq!(plain("a\u{1b}[1;31mb\u{1b}[0m\tc\u{7}"), "ab    c\u{fffd}");
        assert_eq!(plain("\u{1b}[unfinished"), "nfinished");
        assert_eq!(plain("\u{1b}"), "");
    }
}
