//! A name is durable only when its directory is, and what it names only when the file is: a rename that
//! the disk forgets loses the journal, and one that it remembers too early shows half a journal.
//!
//! Creation runs for real, and after each of its steps the power goes: every image of the directory that
//! may be left then is made, by what was synced until then, and looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::super::super::contract::{drafts, shop};
use super::super::home::{self, SYNCED};
use super::{Journal as _, JournalError, JournalId, RedbJournal};

#[test]
fn every_new_name_is_durable_before_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    SYNCED.take();
    let (mut renamed, mut written, mut steps) = (0, 0, 0);
    RedbJournal::create_in_steps(&directory, JournalId(1), &mut |step| {
        steps += 1;
        let synced = SYNCED.take();
        match step {
            "directory" => assert_eq!(synced, [home.path().to_owned()], "the directory's own name"),
            "durable" => {
                written += 1;
                assert!(matches!(&synced[..], [file] if file.extension().unwrap() == "new"));
            }
            "renamed" => renamed += 1,
            "published" => assert_eq!(synced, std::slice::from_ref(&directory), "what is in it"),
            _ => assert!(synced.is_empty(), "{step}: {synced:?}"),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!((written, renamed), (3, 3), "`.gitignore`, the database, `FORMAT`; {steps} steps");
}

/// What cannot be synced is told: nothing here only remembers that it should have been. The kernel
/// syncs no device of this kind.
#[test]
fn what_is_called_durable_was_really_asked_of_the_disk() {
    let nothing = Path::new("/dev/null");
    assert!(home::sync(&File::open(nothing).unwrap(), nothing).is_err());
    assert!(home::sync_directory(nothing).is_err());
}

/// A directory on a disk that may forget: what is surely there, and what was done since.
#[derive(Default)]
struct Shadow {
    /// Names that are durable, with the files they name.
    names: BTreeMap<String, u64>,
    /// What is durable in each file.
    contents: BTreeMap<u64, Vec<u8>>,
}

/// The files of a directory: by name, which file, and what is in it.
type Files = BTreeMap<String, (u64, Vec<u8>)>;

fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).into_iter().flatten().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, (entry.metadata().unwrap().ino(), fs::read(entry.path()).unwrap()))
    };
    entries.map(file).collect()
}

impl Shadow {
    fn note(&mut self, synced: &[PathBuf], directory: &Path, before: &Files, now: &Files) {
        for path in synced {
            if path == directory {
                self.names = now.iter().map(|(name, (file, _))| (name.clone(), *file)).collect();
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some((file, content)) = now.get(name).or(before.get(name)) {
                self.contents.insert(*file, content.clone());
            }
        }
    }

    /// Every directory that may be left if the power goes now.
    fn images(&self, now: &Files) -> Vec<BTreeMap<String, Vec<u8>>> {
        let names: BTreeSet<&String> = self.names.keys().chain(now.keys()).collect();
        let mut images = vec![BTreeMap::new()];
        for name in names {
            let mut left: Vec<Option<Vec<u8>>> = Vec::new();
            let (durable, newest) = (self.names.get(name), now.get(name).map(|(file, _)| file));
            for file in BTreeSet::from([durable, newest]) {
                match file {
                    Some(file) => left.extend(self.contents_of(*file, now).into_iter().map(Some)),
                    None => left.push(None),
                }
            }
            images = images
                .into_iter()
                .flat_map(|image| {
                    left.iter().map(move |content| {
                        let mut image: BTreeMap<String, Vec<u8>> = image.clone();
                        image.extend(content.clone().map(|content| (name.clone(), content)));
                        image
                    })
                })
                .collect();
        }
        images
    }

    /// What may be in a file: what is durable, what was written, half of that.
    fn contents_of(&self, file: u64, now: &Files) -> Vec<Vec<u8>> {
        let durable = self.contents.get(&file).cloned();
        let newest = now.values().find(|(one, _)| *one == file).map(|(_, content)| content.clone());
        let newest = newest.or_else(|| durable.clone()).unwrap_or_default();
        let durable = durable.unwrap_or_default();
        if durable == newest {
            return vec![newest];
        }
        let half = newest[..newest.len() / 2].to_vec();
        let mut holes = newest.clone();
        holes.iter_mut().skip(newest.len() / 2).for_each(|byte| *byte = 0);
        vec![durable, newest, half, holes]
    }
}

/// Looks into an image: no journal, or an empty one. Creation goes on from there.
fn look_into(image: &BTreeMap<String, Vec<u8>>, is_made: bool) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    fs::create_dir(&directory).unwrap();
    for (name, content) in image {
        fs::write(directory.join(name), content).unwrap();
    }
    match RedbJournal::open(&directory).and_then(|journal| journal.read(&shop(), 0)) {
        Ok(events) if events.is_empty() => {}
        Err(JournalError::Missing { .. }) if !is_made => {}
        found => return Err(format!("{found:?}")),
    }
    let journal = RedbJournal::create(&directory, JournalId(2)).map_err(|e| format!("{e:?}"))?;
    journal.append(&shop(), 0, &drafts(1..=1)).map(drop).map_err(|error| format!("{error:?}"))
}

#[test]
fn a_power_cut_at_any_step_of_a_creation_leaves_no_journal_or_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    SYNCED.take();
    let (mut shadow, mut before, mut tried) = (Shadow::default(), Files::new(), 0);
    let mut cut = |step: &str, is_made: bool| {
        let now = files(&directory);
        shadow.note(&SYNCED.take(), &directory, &before, &now);
        for image in shadow.images(&now) {
            tried += 1;
            let names: Vec<_> = image.keys().collect();
            assert_eq!(look_into(&image, is_made), Ok(()), "after {step}: {names:?}");
        }
        before = now;
    };
    RedbJournal::create_in_steps(&directory, JournalId(1), &mut |step| {
        cut(step, false);
        Ok(())
    })
    .unwrap();
    cut("all of them", true);
    assert!(tried > 20, "{tried} images");
    println!("{tried} images of a directory in which a journal is made");
}
