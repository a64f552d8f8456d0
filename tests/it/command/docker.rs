//! With a real Docker engine.
