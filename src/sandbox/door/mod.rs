//! The ways into the simulated world over HTTP.

pub mod aws;
pub mod oci;
