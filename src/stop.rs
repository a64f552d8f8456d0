//! Whether a person wants us to stop. Correctness never depends on it: the journal does not need a
//! goodbye.

use tokio::sync::watch;

/// A request to stop, which may come at any moment.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: watch::Receiver<Option<&'static str>>,
}

/// The other end: whoever hears the signals.
#[derive(Debug)]
pub struct Stopper {
    request: watch::Sender<Option<&'static str>>,
}

impl Stop {
    /// Both ends.
    pub fn channel() -> (Stopper, Self) {
        let (request, requested) = watch::channel(None);
        (Stopper { request }, Self { requested })
    }

    /// The name of the signal, if one came.
    pub fn requested(&self) -> Option<&'static str> {
        *self.requested.borrow()
    }

    /// Waits until one comes; for ever if none does.
    pub async fn wait(&self) {
        let mut requested = self.requested.clone();
        if requested.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Stopper {
    /// Asks to stop. False where it was asked before: then it is meant at once.
    pub fn stop(&self, signal: &'static str) -> bool {
        let first = self.request.borrow().is_none();
        self.request.send_if_modified(|current| {
            let change = current.is_none();
            current.get_or_insert(signal);
            change
        });
        first
    }
}
