//! Hears signals. The first asks to stop, the second means at once.

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::problem::ExitCode;
use crate::stop::{Stop, Stopper};

/// What the first signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// To stop where nothing is left half done, and to say where that leaves the service.
    Asks,
    /// To end at once: nothing is being changed.
    Ends,
}

/// Begins to listen, on a thread of its own: what reads a journal or computes hears nothing.
pub fn listen(first: First) -> std::io::Result<Stop> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let stop = {
        let _inside = runtime.enter();
        hear_all(first)?
    };
    let listening = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("signals".into()).spawn(listening)?;
    Ok(stop)
}

fn hear_all(first: First) -> std::io::Result<Stop> {
    let (stopper, stop) = Stop::channel();
    let stopper = std::sync::Arc::new(stopper);
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
        ("SIGHUP", SignalKind::hangup()),
    ];
    let ignored = ignored();
    for (name, kind) in kinds {
        // `nohup` asks us to outlive the terminal.
        if kind == SignalKind::hangup() && ignored & HANGUP != 0 {
            continue;
        }
        hear(name, kind, first, stopper.clone())?;
    }
    Ok(stop)
}

/// SIGHUP in a mask of signals.
const HANGUP: u64 = 1;

/// The signals that whoever started us wants ignored, where the kernel tells. Source: proc(5), `SigIgn`.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn hear(
    name: &'static str,
    kind: SignalKind,
    first: First,
    stopper: std::sync::Arc<Stopper>,
) -> std::io::Result<()> {
    let mut signals = signal(kind)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if !stopper.stop(name) || first == First::Ends {
                leave();
            }
        }
    });
    Ok(())
}

/// Safe at any moment: every intention is durable before its call.
#[expect(clippy::exit, reason = "a signal that means at once")]
fn leave() {
    crate::view::leave_line();
    std::process::exit(ExitCode::Interrupted.number().into());
}
