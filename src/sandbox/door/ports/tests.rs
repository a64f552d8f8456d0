//! The door by itself.
