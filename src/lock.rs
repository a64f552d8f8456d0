//! One deployment of a service at a time: an OS file lock, one file per service, held throughout.
//!
//! The kernel frees it on any death, so there is no stale lock to break. What is written in the file
//! is for the message only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::names::StreamName;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The directories of the journals that were written under this lock, the newest first: a clone
    /// has its own, and what was left unfinished in one is in the way of all.
    pub journals: Vec<PathBuf>,
}

/// So many journals are remembered.
const JOURNALS: usize = 8;

/// Who holds a lock, for the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// What was typed.
    pub command: String,
    /// The CI run, where there is one.
    pub ci_run: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// The directory of its journal, and of those that had the lock before.
    #[serde(default)]
    pub journals: Vec<PathBuf>,
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it; who, as far as the file tells.
    #[error("another deployment holds the service")]
    Held(Option<Box<Owner>>),
    /// The file cannot be used.
    #[error("cannot use the lock file {path}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Takes the lock of a service, or says who has it. `directory` is the same for all clones of a
/// repository on this machine; `world` tells the sandbox from AWS.
pub fn take(
    directory: &Path,
    stream: &StreamName,
    world: &str,
    owner: &Owner,
) -> Result<Lock, LockError> {
    let path = directory.join(file_name(stream, world));
    let unusable = |source| LockError::Unusable { path: path.clone(), source };
    std::fs::create_dir_all(directory).map_err(unusable)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockError::Held(read(&mut file))),
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let mut owner = owner.clone();
    for before in read(&mut file).map(|before| before.journals).unwrap_or_default() {
        if owner.journals.len() < JOURNALS && !owner.journals.contains(&before) {
            owner.journals.push(before);
        }
    }
    write(&mut file, &owner).map_err(unusable)?;
    Ok(Lock { _file: file, journals: owner.journals })
}

/// The directories of the journals that were written under the lock of a service; nobody is kept from
/// taking it by the question.
pub fn journals(directory: &Path, stream: &StreamName, world: &str) -> Vec<PathBuf> {
    let file = File::open(directory.join(file_name(stream, world)));
    let owner = file.ok().and_then(|mut file| read(&mut file));
    owner.map(|owner| owner.journals).unwrap_or_default()
}

/// Who holds the lock of a service now, where the kernel tells; nobody is kept from taking it by the
/// question. Source: proc(5), `/proc/locks`.
pub fn holder(directory: &Path, stream: &StreamName, world: &str) -> Option<Owner> {
    let mut file = File::open(directory.join(file_name(stream, world))).ok()?;
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let is_it = |line: &str| {
        let mut words = line.split_whitespace();
        line.contains(" FLOCK ")
            && !line.contains("->")
            && words
                .any(|word| word.matches(':').count() == 2 && word.ends_with(&format!(":{inode}")))
    };
    locks.lines().any(is_it).then(|| read(&mut file))?.map(|owner| *owner)
}

fn file_name(stream: &StreamName, world: &str) -> String {
    let digest = crate::names::Digest::of(world.as_bytes());
    let world = if world.is_empty() { "aws" } else { digest.short() };
    format!("{}-{}-{}-{world}.lock", stream.account, stream.region, stream.service)
}

fn read(file: &mut File) -> Option<Box<Owner>> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok().map(Box::new)
}

fn write(file: &mut File, owner: &Owner) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(owner)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(command: &str) -> Owner {
        Owner {
            user: "ada".into(),
            host: "loom".into(),
            pid: 7,
            command: command.into(),
            ci_run: None,
            since: "2026-11-23T10:00:00Z".into(),
            journals: Vec::new(),
        }
    }

    #[test]
    fn the_loser_is_told_who_has_it_and_a_dead_owner_never_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let stream = "123456789012/eu-central-1/shop".parse().unwrap();
        let other = "123456789012/eu-central-1/stall".parse().unwrap();
        let held = take(directory.path(), &stream, "", &owner("surefoot deploy")).unwrap();
        match take(directory.path(), &stream, "", &owner("surefoot resume")) {
            Err(LockError::Held(Some(who))) => assert_eq!(*who, owner("surefoot deploy")),
            other => panic!("{other:?}"),
        }
        assert_eq!(holder(directory.path(), &stream, ""), Some(owner("surefoot deploy")));
        assert_eq!(holder(directory.path(), &other, ""), None);
        assert!(take(directory.path(), &other, "", &owner("x")).is_ok());
        assert!(take(directory.path(), &stream, "http://127.0.0.1:1", &owner("x")).is_ok());
        drop(held);
        let of =
            |journal: &str| Owner { journals: vec![journal.into()], ..owner("surefoot deploy") };
        for journal in ["/a", "/b", "/a"] {
            drop(take(directory.path(), &stream, "", &of(journal)).unwrap());
        }
        let held = take(directory.path(), &stream, "", &of("/c")).unwrap();
        assert_eq!(held.journals, ["/c", "/a", "/b"].map(PathBuf::from));
        assert_eq!(journals(directory.path(), &stream, ""), held.journals);
        drop(held);
        assert_eq!(holder(directory.path(), &stream, ""), None);
        assert!(take(directory.path(), &stream, "", &owner("surefoot resume")).is_ok());
    }
}
