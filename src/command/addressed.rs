//! Makes every command that is shown work as typed: where the service, the journal or the environment
//! was named by a flag, the next command needs the same flag.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::arguments::Everywhere;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::names::Region;
use crate::plan::findings::Finding;
use crate::problem::{ExitCode, Problem};
use crate::projection::Summary;
use crate::text::is_hostile;
use crate::view::{Document, Look, View};
use crate::world::{Progress, ProgressSink};

/// The commands that ask which service is meant.
const OF_A_SERVICE: [&str; 13] = [
    "deploy",
    "history",
    "journal",
    "logs",
    "mark",
    "preflight",
    "prune",
    "resume",
    "rollback",
    "show",
    "stats",
    "status",
    "verify",
];

/// The commands that ask which repository is meant.
const OF_A_REPOSITORY: [&str; 3] = ["deploy", "preflight", "prune"];

/// A view whose commands carry the flags that this process was started with.
pub(super) struct Addressed {
    view: Box<dyn View>,
    flags: Flags,
}

/// A flag and its value, in the order in which they are added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Flags(Vec<(&'static str, String)>);

/// The view, with the flags of this process in every command that it shows.
pub(super) fn addressed(view: Box<dyn View>, everywhere: &Everywhere) -> Arc<dyn View> {
    let flags = Flags::of(everywhere);
    if flags.0.is_empty() { view.into() } else { Arc::new(Addressed { view, flags }) }
}

impl Flags {
    fn of(everywhere: &Everywhere) -> Self {
        let directory = everywhere.history_dir.as_ref().map(|path| path.display().to_string());
        let given = [
            ("--service-name", everywhere.service_name.clone()),
            ("--region", everywhere.region.clone()),
            ("--ecr-repo", everywhere.ecr_repo.clone()),
            ("--env", everywhere.environment.clone()),
            ("--history-dir", directory),
        ];
        let given = given.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
        Self(given.map(|(flag, value)| (flag, quoted(&value))).collect())
    }

    /// A command with the flags that it lacks.
    fn complete(&self, command: &str) -> String {
        let mut words = command.split_whitespace().skip(1);
        let Some(verb) = words.next().filter(|verb| OF_A_SERVICE.contains(verb)) else {
            return command.to_owned();
        };
        let needed = self.0.iter().filter(|(flag, _)| {
            (*flag != "--ecr-repo" || OF_A_REPOSITORY.contains(&verb))
                && !command.split_whitespace().any(|word| word == *flag)
        });
        let added = needed.map(|(flag, value)| format!("{flag} {value}"));
        let parts: Vec<String> = [command.trim_end().to_owned()].into_iter().chain(added).collect();
        parts.join(" ")
    }

    /// A text with every command in it completed.
    fn in_text(&self, text: &str) -> String {
        text.split_inclusive('\n').map(|line| self.in_line(line)).collect()
    }

    /// A command stands between backticks, or alone on its line, perhaps behind a label.
    fn in_line(&self, line: &str) -> String {
        if line.contains('`') {
            let parts = line.split('`').enumerate();
            let parts = parts.map(|(at, part)| match at % 2 {
                1 if part.starts_with("surefoot ") => self.complete(part),
                _ => part.to_owned(),
            });
            return parts.collect::<Vec<_>>().join("`");
        }
        let Some(at) = line.find("surefoot ") else { return line.to_owned() };
        let (label, command) = line.split_at(at);
        let is_label = without_colour(label).trim().trim_end_matches(':').len() <= 4;
        if !is_label || without_colour(label).contains("  surefoot") {
            return line.to_owned();
        }
        let (command, end) = command.strip_suffix('\n').map_or((command, ""), |c| (c, "\n"));
        format!("{label}{}{end}", self.complete(command))
    }

    fn in_problem(&self, problem: &Problem) -> Problem {
        let next = problem.next.iter().map(|hint| self.in_text(hint)).collect();
        Problem { leaves: self.in_text(&problem.leaves), next, ..problem.clone() }
    }

    fn in_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) if text.starts_with("surefoot ") => {
                Value::String(self.complete(&text))
            }
            Value::String(text) if text.contains("`surefoot ") => {
                Value::String(self.in_text(&text))
            }
            Value::Array(items) => items.into_iter().map(|item| self.in_json(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (name, self.in_json(member))).collect()
            }
            other => other,
        }
    }
}

/// A value as a shell reads it back: bash, zsh and ksh, where there is in it what cannot be typed.
pub(super) fn quoted(value: &str) -> String {
    if value.contains(is_hostile) {
        return format!("$'{}'", value.chars().map(escaped).collect::<String>());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn escaped(c: char) -> String {
    match c {
        '\'' | '\\' => format!("\\{c}"),
        c if is_hostile(c) => {
            c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect::<Vec<_>>().concat()
        }
        c => c.to_string(),
    }
}

/// What was typed, but for the region: that is this one.
pub(super) fn in_region(typed: &[String], region: &Region) -> String {
    let mut words = vec!["surefoot".to_owned()];
    let mut typed = typed.iter();
    while let Some(word) = typed.next() {
        if word == "--region" {
            typed.next();
        } else if !word.starts_with("--region=") {
            words.push(quoted(word));
        }
    }
    words.extend(["--region".to_owned(), region.to_string()]);
    words.join(" ")
}

/// The text without colours.
fn without_colour(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        shown.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, after)| after);
    }
    shown + rest
}

/// A document whose commands are completed.
struct AddressedDocument<'a>(&'a dyn Document, &'a Flags);

impl Document for AddressedDocument<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn endpoint(&self) -> Option<&str> {
        self.0.endpoint()
    }

    fn text(&self, look: Look) -> String {
        self.1.in_text(&self.0.text(look))
    }

    fn json(&self) -> Value {
        self.1.in_json(self.0.json())
    }
}

impl ProgressSink for Addressed {
    fn report(&self, progress: Progress) {
        self.view.report(match progress {
            Progress::Notice(text) => Progress::Notice(self.flags.in_text(&text)),
            other => other,
        });
    }
}

impl View for Addressed {
    fn sandbox(&self, endpoint: &str) {
        self.view.sandbox(endpoint);
    }

    fn findings(&self, findings: &[Finding]) {
        let mut findings = findings.to_vec();
        for line in findings.iter_mut().flat_map(|finding| &mut finding.fix) {
            *line = self.flags.in_text(line);
        }
        self.view.findings(&findings);
    }

    fn event(&self, event: &Event, state: &Deployment, at: DateTime<Utc>, elapsed: Duration) {
        self.view.event(event, state, at, elapsed);
    }

    fn summary(&self, summary: &Summary) {
        let mut summary = summary.clone();
        summary.next = summary.next.iter().map(|command| self.flags.complete(command)).collect();
        self.view.summary(&summary);
    }

    fn problem(&self, problem: &Problem) {
        self.view.problem(&self.flags.in_problem(problem));
    }

    fn warn(&self, problem: &Problem) {
        self.view.warn(&self.flags.in_problem(problem));
    }

    fn say(&self, line: &str) {
        self.view.say(&self.flags.in_text(line));
    }

    fn data(&self, document: &dyn Document) {
        self.view.data(&AddressedDocument(document, &self.flags));
    }

    fn stream(&self, document: &dyn Document) {
        self.view.stream(&AddressedDocument(document, &self.flags));
    }

    fn redraw(&self, document: &dyn Document) -> bool {
        self.view.redraw(&AddressedDocument(document, &self.flags))
    }

    fn ask(&self, question: &str) -> bool {
        self.view.ask(question)
    }

    fn finish(&self, exit: ExitCode) {
        self.view.finish(exit);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::projection::examples;

    /// Remembers what it was told to show.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn hear(&self, method: &str, text: &str) {
            self.0.lock().unwrap().push(format!("{method} {text}"));
        }
    }

    impl ProgressSink for Heard {
        fn report(&self, progress: Progress) {
            if let Progress::Notice(text) = progress {
                self.hear("report", &text);
            }
        }
    }

    impl View for Heard {
        fn sandbox(&self, endpoint: &str) {
            self.hear("sandbox", endpoint);
        }
        fn findings(&self, findings: &[Finding]) {
            self.hear("findings", &findings[0].fix[0]);
        }
        fn event(&self, event: &Event, _: &Deployment, _: DateTime<Utc>, _: Duration) {
            self.hear("event", &event.words().0);
        }
        fn summary(&self, summary: &Summary) {
            self.hear("summary", &summary.next[0]);
        }
        fn problem(&self, problem: &Problem) {
            self.hear("problem", &problem.next[0]);
        }
        fn warn(&self, problem: &Problem) {
            self.hear("warn", &problem.next[0]);
        }
        fn say(&self, line: &str) {
            self.hear("say", line);
        }
        fn data(&self, document: &dyn Document) {
            self.hear("data", &document.json().to_string());
        }
        fn stream(&self, document: &dyn Document) {
            self.hear("stream", &document.text(Look::PLAIN));
        }
        fn redraw(&self, document: &dyn Document) -> bool {
            self.hear("redraw", &document.text(Look::PLAIN));
            true
        }
        fn ask(&self, question: &str) -> bool {
            self.hear("ask", question);
            true
        }
        fn finish(&self, _: ExitCode) {
            self.hear("finish", "");
        }
    }

    struct Status;

    impl Document for Status {
        fn name(&self) -> &'static str {
            "status"
        }
        fn text(&self, _: Look) -> String {
            "next: surefoot status\n".into()
        }
        fn json(&self) -> Value {
            Value::String("surefoot status".into())
        }
    }

    #[test]
    fn everything_that_is_to_be_shown_arrives_and_its_commands_are_complete() {
        let heard = Heard::default();
        let flags = Flags(vec![("--env", "prod".into())]);
        let view = Addressed { view: Box::new(heard.clone()), flags };
        let hint = "`surefoot status`";
        view.report(Progress::Notice(hint.into()));
        view.sandbox("http://127.0.0.1:4566");
        view.findings(&[Finding::warned("x", "y").fix(hint)]);
        let run = examples::good(17, "v1.4.2", "v1.4.1", examples::morning());
        for (event, state, at, elapsed) in run.told().take(1) {
            view.event(event, state, at, elapsed);
        }
        let mut summary = crate::projection::summary(run.state(), run.started(), run.ended());
        summary.next = vec!["surefoot status".into()];
        view.summary(&summary);
        view.problem(&Problem::new(ExitCode::General, "x", "y").hint(hint));
        view.warn(&Problem::new(ExitCode::General, "x", "y").hint(hint));
        view.say(hint);
        view.data(&Status);
        view.stream(&Status);
        assert!(view.redraw(&Status), "a terminal that can draw anew is told to");
        assert!(view.ask("sure?"));
        view.finish(ExitCode::Success);
        let heard = heard.0.lock().unwrap();
        assert_eq!(
            *heard,
            [
                "report `surefoot status --env prod`",
                "sandbox http://127.0.0.1:4566",
                "findings `surefoot status --env prod`",
                "event DeploymentPlanned",
                "summary surefoot status --env prod",
                "problem `surefoot status --env prod`",
                "warn `surefoot status --env prod`",
                "say `surefoot status --env prod`",
                "data \"surefoot status --env prod\"",
                "stream next: surefoot status --env prod\n",
                "redraw next: surefoot status --env prod\n",
                "ask sure?",
                "finish ",
            ]
        );
    }

    fn flags() -> Flags {
        let everywhere = Everywhere {
            service_name: Some("shop".into()),
            history_dir: Some("my history".into()),
            ecr_repo: Some("team/shop".into()),
            ..Everywhere::default()
        };
        Flags::of(&everywhere)
    }

    #[test]
    fn a_command_gets_the_flags_it_lacks_and_no_other() {
        let flags = flags();
        for (shown, typed) in [
            (
                "surefoot history -n 0",
                "surefoot history -n 0 --service-name shop --history-dir 'my history'",
            ),
            (
                "surefoot resume --service-name shop",
                "surefoot resume --service-name shop --history-dir 'my history'",
            ),
            (
                "surefoot deploy",
                "surefoot deploy --service-name shop --ecr-repo team/shop --history-dir 'my history'",
            ),
            (
                "surefoot prune --ecr-repo shop --keep 2",
                "surefoot prune --ecr-repo shop --keep 2 --service-name shop --history-dir 'my history'",
            ),
            (
                "surefoot prune",
                "surefoot prune --service-name shop --ecr-repo team/shop --history-dir 'my history'",
            ),
            ("surefoot demo", "surefoot demo"),
            ("aws sso login", "aws sso login"),
        ] {
            assert_eq!(flags.complete(shown), typed);
        }
    }

    #[test]
    fn commands_are_found_in_backticks_and_behind_labels_and_prose_is_left_alone() {
        let flags = Flags(vec![("--env", "prod".into())]);
        for (shown, typed) in [
            ("go on: `surefoot resume`, or not", "go on: `surefoot resume --env prod`, or not"),
            ("\nnext: surefoot resume\n", "\nnext: surefoot resume --env prod\n"),
            (
                "\u{1b}[2mnext: \u{1b}[0msurefoot status\n",
                "\u{1b}[2mnext: \u{1b}[0msurefoot status --env prod\n",
            ),
            ("      surefoot status\n", "      surefoot status --env prod\n"),
            ("changed by surefoot status quo\n", "changed by surefoot status quo\n"),
            ("`it` was surefoot deploy\n", "`it` was surefoot deploy\n"),
        ] {
            assert_eq!(flags.in_text(shown), typed);
        }
    }

    #[test]
    fn what_was_typed_is_shown_with_another_region() {
        let region = "eu-central-1".parse().unwrap();
        for typed in [
            &["rollback", "3", "--reason", "too slow"][..],
            &["--region", "us-east-1", "rollback", "3", "--reason", "too slow"],
            &["rollback", "3", "--region=us-east-1", "--reason", "too slow"],
        ] {
            let typed: Vec<String> = typed.iter().map(|&word| word.to_owned()).collect();
            let shown = in_region(&typed, &region);
            assert_eq!(shown, "surefoot rollback 3 --reason 'too slow' --region eu-central-1");
        }
    }

    #[test]
    fn what_cannot_be_typed_is_written_so_that_a_shell_reads_it() {
        for value in ["a\u{1b}[31m'\\b", "tab\there", "\u{202e}öd"] {
            let line = format!("printf %s {}", quoted(value));
            assert!(!line.contains(is_hostile), "{line:?}");
            let read = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), value);
        }
    }

    #[test]
    fn without_flags_there_is_nothing_to_add() {
        assert_eq!(Flags::of(&Everywhere::default()), Flags::default());
    }
}
