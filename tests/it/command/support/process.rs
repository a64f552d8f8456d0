//! The built binary as a process: what it writes, how it ends, and signals to it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// No run here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// What comes out of a pipe, while it comes.
#[derive(Default)]
struct Pipe {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Pipe {
    fn read(mut from: impl Read + Send + 'static) -> Arc<Self> {
        let pipe = Arc::new(Self::default());
        let ours = pipe.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let count = from.read(&mut chunk).unwrap_or(0);
                let mut state = pipe.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.0.extend_from_slice(&chunk[..count]);
                state.1 = count == 0;
                pipe.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        ours
    }

    fn text(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).into_owned()
    }

    /// Waits until this is so, or the pipe is closed; true where it is so.
    fn wait(&self, so: impl Fn(&str) -> bool) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting =
            |state: &mut (Vec<u8>, bool)| !state.1 && !so(&String::from_utf8_lossy(&state.0));
        let (state, _) = self.changed.wait_timeout_while(state, PATIENCE, waiting).unwrap();
        so(&String::from_utf8_lossy(&state.0))
    }

    fn closed(&self) -> bool {
        self.wait(|_| false);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// A process that runs. It is killed where the test forgets it.
pub(in crate::command) struct Run {
    child: Child,
    out: Arc<Pipe>,
    err: Arc<Pipe>,
}

/// A process that ended.
#[derive(Debug)]
pub(in crate::command) struct Ended {
    /// Its exit code; 128 and the signal's number where one ended it.
    pub(in crate::command) code: i32,
    /// Its standard output.
    pub(in crate::command) out: String,
    /// Its standard error.
    pub(in crate::command) err: String,
}

impl Run {
    pub(in crate::command) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Pipe::read(child.stdout.take().unwrap());
        let err = Pipe::read(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Its process id.
    pub(in crate::command) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until standard error has this text.
    pub(in crate::command) fn until_said(&self, text: &str) {
        let said = self.err.wait(|all| all.contains(text));
        assert!(said, "it never said `{text}`:\n{}\n{}", self.out.text(), self.err.text());
    }

    /// Waits until this event was shown on standard output (`--json`).
    pub(in crate::command) fn until_event(&self, event: &str) {
        let line = format!("\"event\":\"{event}\"");
        let shown = self.out.wait(|all| all.contains(&line));
        assert!(shown, "`{event}` never happened:\n{}\n{}", self.out.text(), self.err.text());
    }

    /// Waits until the intention of this step was shown on standard output (`--json`).
    pub(in crate::command) fn until_intended(&self, step: &str) {
        let step = format!("\"step\":\"{step}\"");
        let intended = |all: &str| {
            all.lines()
                .any(|line| line.contains("\"event\":\"StepStarted\"") && line.contains(&step))
        };
        let shown = self.out.wait(intended);
        assert!(shown, "`{step}` never began:\n{}\n{}", self.out.text(), self.err.text());
    }

    /// Waits until standard output is like this; false where the process ended before.
    pub(in crate::command) fn shows(&self, so: impl Fn(&str) -> bool) -> bool {
        self.out.wait(so)
    }

    /// Sends a signal, such as `INT`.
    pub(in crate::command) fn signal(&self, name: &str) {
        shell(&format!("kill -{name} {}", self.id()));
    }

    /// Waits for its end.
    pub(in crate::command) fn end(mut self) -> Ended {
        let closed = self.out.closed() && self.err.closed();
        if !closed {
            drop(self.child.kill());
            panic!("it hangs:\n{}\n{}", self.out.text(), self.err.text());
        }
        let status = self.child.wait().unwrap();
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
        Ended { code, out: self.out.text(), err: self.err.text() }
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(in crate::command) fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        // It may have ended by itself before the signal came.
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
        Ended { code, out: self.out.text(), err: self.err.text() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    /// Panics with everything it wrote unless it ended so.
    #[track_caller]
    pub(in crate::command) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n-- stdout\n{}\n-- stderr\n{}", self.out, self.err);
        self
    }

    /// Panics unless the problem it names is this one.
    #[track_caller]
    pub(in crate::command) fn names(self, code: &str) -> Self {
        let line = format!("error[{code}]");
        assert!(
            self.err.contains(&line),
            "no {line}\n-- stdout\n{}\n-- stderr\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Panics unless it says this, on either stream.
    #[track_caller]
    pub(in crate::command) fn says(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text) || self.flat().contains(text);
        assert!(said, "no `{text}`\n-- stdout\n{}\n-- stderr\n{}", self.out, self.err);
        self
    }

    /// Panics where it says this, on either stream.
    #[track_caller]
    pub(in crate::command) fn does_not_say(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text) || self.flat().contains(text);
        assert!(!said, "says `{text}`\n-- stdout\n{}\n-- stderr\n{}", self.out, self.err);
        self
    }

    /// Both streams with their lines unwrapped.
    fn flat(&self) -> String {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{}\n{}", words(&self.out), words(&self.err))
    }

    /// Standard output as JSON lines: every one of them an object, the last the result.
    #[track_caller]
    pub(in crate::command) fn lines(&self) -> Vec<Value> {
        let lines: Vec<Value> = self
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect();
        assert!(lines.iter().all(Value::is_object), "{}", self.out);
        assert!(lines.last().is_some_and(|last| last["result"].is_object()), "{}", self.out);
        lines
    }

    /// The result of `--json`.
    #[track_caller]
    pub(in crate::command) fn result(&self) -> Value {
        self.lines().last().unwrap()["result"].clone()
    }

    /// The names of the events of `--json`.
    #[track_caller]
    pub(in crate::command) fn events(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().filter_map(|line| Some(line["event"].as_str()?.to_owned())).collect()
    }
}

/// Runs a line of shell that must work.
pub(in crate::command) fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
