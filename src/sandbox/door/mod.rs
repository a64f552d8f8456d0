//! The ways into the simulated world: over HTTP, and in process through the ports.

pub mod aws;
pub mod oci;
pub mod ports;
