//! The ways into the simulated world over HTTP.

pub mod oci;
