//! A process in user, mount, process and host-name namespaces, its image as its whole world.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sandbox::Clock;
use crate::sandbox::runtime::output::{Lines, Output};
use crate::sandbox::runtime::{InstanceState, StartFailure};

/// Half that stays on the host and watches whether the sandbox lives.
const OUTER: &str = include_str!("isolation.sh");
/// Half that becomes the first process of the namespaces.
const INNER: &str = include_str!("inner.sh");
/// How long the question what the kernel allows may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// Where util-linux puts `unshare`.
const PLACES: [&str; 4] =
    ["/usr/bin/unshare", "/bin/unshare", "/usr/sbin/unshare", "/usr/local/bin/unshare"];

/// What is needed to isolate a process here.
#[derive(Debug, Clone)]
pub(super) struct Isolation {
    unshare: PathBuf,
}

/// One process to run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) root: PathBuf,
    pub(super) work: String,
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
}

impl Isolation {
    /// Finds out by trying: an empty folder as root, and the host out of sight.
    pub(super) async fn probe() -> Result<Self, String> {
        let unshare = PLACES.iter().map(PathBuf::from).find(|path| path.exists());
        let isolation =
            Self { unshare: unshare.ok_or("there is no `unshare` program (util-linux)")? };
        let root = tempfile::tempdir().map_err(|error| error.to_string())?;
        let run = Run {
            root: root.path().to_owned(),
            work: String::new(),
            command: vec!["--check".to_owned()],
            environment: BTreeMap::new(),
        };
        let child = isolation.spawn(&run).map_err(|error| error.to_string())?;
        let output = tokio::time::timeout(PROBE_PATIENCE, finish(child)).await;
        let (code, text) = output.map_err(|_| "the kernel did not answer in time".to_owned())?;
        if code == 0 && text.trim_end().ends_with("isolated") {
            return Ok(isolation);
        }
        Err(format!("namespaces are not possible here: {}", text.trim()))
    }

    fn spawn(&self, run: &Run) -> std::io::Result<Child> {
        Command::new("/bin/sh")
            .args(["-c", OUTER, "outer"])
            .arg(&self.unshare)
            .arg(INNER)
            .arg(&run.root)
            .arg(&run.work)
            .args(&run.command)
            .env_clear()
            .envs(&run.environment)
            // Held open while we live: its end is the signal to end.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    /// Starts a process; its lines, its end and its exit code are told from now on.
    pub(super) fn start(
        &self,
        run: &Run,
        state: watch::Sender<InstanceState>,
        output: Output,
        clock: Clock,
    ) -> Result<JoinHandle<()>, StartFailure> {
        if run.command.is_empty() {
            return Err(StartFailure::CannotExecute {
                code: 127,
                reason: "no command specified".into(),
            });
        }
        let mut child =
            self.spawn(run).map_err(|error| StartFailure::EngineUnreachable(error.to_string()))?;
        let readers = [
            child.stdout.take().map(|out| tokio::spawn(read(out, output.clone(), clock.clone()))),
            child.stderr.take().map(|err| tokio::spawn(read(err, output, clock))),
        ];
        // `wait` would close it, and with it the process: it closes when this task ends.
        let lifeline = child.stdin.take();
        Ok(tokio::spawn(async move {
            let status = child.wait().await;
            for reader in readers.into_iter().flatten() {
                // Lines first, then the end: who sees the exit can read the last words.
                drop(reader.await);
            }
            let code = status.ok().and_then(|status| status.code()).unwrap_or(137);
            state.send_replace(InstanceState::Exited { code: code.into() });
            drop(lifeline);
        }))
    }
}

async fn finish(mut child: Child) -> (i32, String) {
    let mut text = Vec::new();
    if let Some(mut out) = child.stdout.take() {
        drop(out.read_to_end(&mut text).await);
    }
    if let Some(mut err) = child.stderr.take() {
        drop(err.read_to_end(&mut text).await);
    }
    let code = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(125);
    (code, String::from_utf8_lossy(&text).into_owned())
}

async fn read(mut from: impl tokio::io::AsyncRead + Unpin, output: Output, clock: Clock) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; 8192];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        for line in lines.push(&chunk[..count]) {
            output.add(clock(), &line);
        }
    }
    if let Some(rest) = lines.rest() {
        output.add(clock(), &rest);
    }
}
