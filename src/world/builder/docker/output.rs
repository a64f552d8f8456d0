//! Build output as lines, whatever builder it comes from.

use std::collections::{BTreeMap, VecDeque};

use bollard::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog};
use bollard::models::{BuildInfo, BuildInfoAux};

use crate::names::printable;

/// Lines kept for the report of a failure.
const LINES_KEPT: usize = 20;
/// Longest line shown.
const LINE_LENGTH: usize = 2_000;

/// The output of one build so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The image, once the builder has named it.
    pub(super) image: Option<String>,
    last: VecDeque<String>,
    unfinished: String,
    steps: Steps,
}

impl Output {
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
        let rest = std::mem::take(&mut self.unfinished);
        self.keep(&[rest])
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
            lines.iter().map(|line| plain(line)).filter(|line| !line.is_empty()).collect();
        for line in &lines {
            if self.last.len() == LINES_KEPT {
                self.last.pop_front();
            }
            self.last.push_back(line.clone());
        }
        lines
    }
}

/// The steps of BuildKit, numbered as `docker build --progress plain` numbers them.
#[derive(Debug, Default)]
struct Steps {
    known: BTreeMap<String, Step>,
}

#[derive(Debug)]
struct Step {
    number: usize,
    is_ended: bool,
}

impl Steps {
    fn read(&mut self, status: &StatusResponse) -> Vec<String> {
        let mut lines = Vec::new();
        for vertex in &status.vertexes {
            lines.extend(self.vertex(vertex));
        }
        for log in &status.logs {
            lines.extend(self.log(log));
        }
        for warning in &status.warnings {
            lines.push(format!("WARNING: {}", String::from_utf8_lossy(&warning.short)));
        }
        lines
    }

    fn vertex(&mut self, vertex: &Vertex) -> Vec<String> {
        let began = vertex.started.is_some() || vertex.cached;
        if !began && !self.known.contains_key(&vertex.digest) {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let next = self.known.len() + 1;
        let step = self.known.entry(vertex.digest.clone()).or_insert_with(|| {
            lines.push(format!("#{next} {}", vertex.name));
            Step { number: next, is_ended: false }
        });
        if let Some(end) = end(vertex).filter(|_| !step.is_ended) {
            step.is_ended = true;
            lines.push(format!("#{} {end}", step.number));
        }
        lines
    }

    fn log(&self, log: &VertexLog) -> Vec<String> {
        let number = self.known.get(&log.vertex).map_or(0, |step| step.number);
        let text = String::from_utf8_lossy(&log.msg);
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

/// A line for any screen: what a carriage return left standing, without colours and the like.
pub(super) fn plain(line: &str) -> String {
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after_sequence(sequence);
    }
    text.push_str(rest);
    printable(&text.replace('\t', "    "), LINE_LENGTH)
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

    fn stream(text: &str) -> BuildInfo {
        BuildInfo { stream: Some(text.into()), ..BuildInfo::default() }
    }

    #[test]
    fn classic_pieces_become_lines() {
        let mut output = Output::default();
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
        let mut output = Output::default();
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

    #[test]
    fn lines_are_harmless() {
        assert_eq!(plain("10%\r50%\r100%\r\n"), "100%");
        assert_eq!(plain("a\u{1b}[1;31mb\u{1b}[0m\tc\u{7}"), "ab    c\u{fffd}");
        assert_eq!(plain("\u{1b}[unfinished"), "nfinished");
        assert_eq!(plain("\u{1b}"), "");
    }
}
