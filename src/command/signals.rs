//! Hears signals. The first asks to stop, the second means at once.

use tokio::signal::unix::{SignalKind, signal};

use crate::problem::ExitCode;
use crate::stop::{Stop, Stopper};

/// Begins to listen.
pub fn listen() -> std::io::Result<Stop> {
    let (stopper, stop) = Stop::channel();
    let stopper = std::sync::Arc::new(stopper);
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
        ("SIGHUP", SignalKind::hangup()),
    ];
    for (name, kind) in kinds {
        hear(name, kind, stopper.clone())?;
    }
    Ok(stop)
}

fn hear(
    name: &'static str,
    kind: SignalKind,
    stopper: std::sync::Arc<Stopper>,
) -> std::io::Result<()> {
    let mut signals = signal(kind)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if !stopper.stop(name) {
                leave();
            }
        }
    });
    Ok(())
}

/// Safe at any moment: every intention is durable before its call.
#[expect(clippy::exit, reason = "a second signal means at once")]
fn leave() {
    std::process::exit(ExitCode::Interrupted.number().into());
}
