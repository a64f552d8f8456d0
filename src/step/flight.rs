//! The call that changes the service, while it is under way: a signal lets it land, and lets no other
//! one leave.

use tokio::sync::watch;

/// Whether such a call is under way.
#[derive(Debug, Default)]
pub struct Flight(watch::Sender<bool>);

impl Flight {
    /// The call leaves.
    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// It was answered, and nothing of the answer has to be written down.
    pub(super) fn end(&self) {
        self.0.send_replace(false);
    }

    /// Whether a call left whose answer is not written down yet.
    pub fn is_under_way(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until none is.
    pub async fn landed(&self) {
        let mut under_way = self.0.subscribe();
        // It cannot close: the sender is this very value.
        let _closed = under_way.wait_for(|under_way| !under_way).await.is_err();
    }
}
