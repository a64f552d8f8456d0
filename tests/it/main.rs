//! The integration tests: one binary.

<<<<<<< HEAD
mod command;
=======
mod crash;
>>>>>>> sim
mod docker;
mod documents;
mod floors;
