//! Which lines a person was shown already: an operation is waited for more than once, up to the deadline and
//! behind it, and its log is read from its beginning each time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The lines that this process has shown; a clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<BTreeSet<String>>>);

impl Told {
    /// Whether this line comes for the first time; from now on it does not.
    pub(super) fn is_new(&self, line: String) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line)
    }
}
