//! Who started an instance: enough to tell, later, whether that sandbox still lives.

use std::process::Command;

/// A process, told apart from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// Boot id and start time where there is a `/proc`, else what `ps` says.
    pub(crate) started: String,
}

impl Owner {
    /// This very process.
    pub(crate) fn this_process() -> Self {
        let pid = std::process::id();
        Self { pid, started: start_of(pid).unwrap_or_default() }
    }

    /// Whether the process that wrote this still runs.
    pub(crate) fn lives(&self) -> bool {
        start_of(self.pid).is_some_and(|started| started == self.started)
    }
}

/// Process numbers come again, and after a boot even start times do.
pub(crate) fn start_of(pid: u32) -> Option<String> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => {
            let boot =
                std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            // proc(5): the name in parentheses may hold spaces; starttime is the 22nd field.
            let after_name = stat.rsplit_once(')')?.1;
            let state = after_name.split_whitespace().next()?;
            let ticks = after_name.split_whitespace().nth(19)?;
            (state != "Z").then(|| format!("{}/{ticks}", boot.trim()))
        }
        Err(_) if std::path::Path::new("/proc/self").exists() => None,
        Err(_) => ask_ps(pid),
    }
}

fn ask_ps(pid: u32) -> Option<String> {
    let output =
        Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_or_renumbered_one_does_not() {
        let this = Owner::this_process();
        assert!(this.lives());
        assert!(!Owner { started: "another boot/1".into(), ..this }.lives());
        let mut child = Command::new("true").spawn().unwrap();
        let ended = Owner { pid: child.id(), started: start_of(child.id()).unwrap_or_default() };
        child.wait().unwrap();
        assert!(!ended.lives());
    }
}
