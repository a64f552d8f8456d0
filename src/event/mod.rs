//! What happened: events, and the envelope around each.

pub mod envelope;
