//! What the projections say of whole runs.

use super::examples::{self, every};
use super::*;
use crate::event::deployment::Next;

#[test]
fn dump() {
    for (name, run) in every() {
        eprintln!("## {name}: {} | {:?}", standing(run.state()), run.state().next());
    }
    assert!(matches!(examples::good(1, "a", "b", examples::morning()).state().next(), Next::Rest));
}
