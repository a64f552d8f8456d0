//! The test binary run once more as another process, which may be killed or abort.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Tells the other process what to do, and where.
const ROLE: &str = "SUREFOOT_TEST_CHILD";

/// Where the child works, if this process is the child.
pub(super) fn role() -> Option<PathBuf> {
    env::var_os(ROLE).map(PathBuf::from)
}

/// The command that runs one test of this binary, by its full path, as a child.
pub(super) fn command(test: &str, place: impl Into<OsString>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(ROLE, place.into()).stdin(Stdio::null());
    command
}
