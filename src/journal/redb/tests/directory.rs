//! Creation, and what else may lie where a journal is expected.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::super::contract::{drafts, shop};
use super::{Journal, JournalError, JournalId, RedbJournal, fresh};

fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    (home, directory)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_directory_holds_three_private_files() {
    let (_home, directory) = home();
    let made = RedbJournal::create(&directory, JournalId(7)).unwrap();
    let permissions = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(names(&directory), [".gitignore", "FORMAT", "journal.redb"]);
    assert_eq!(permissions(directory.clone()), 0o700);
    assert_eq!(permissions(directory.join("journal.redb")), 0o600);
    assert_eq!(fs::read_to_string(directory.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(RedbJournal::open(&directory).unwrap().id(), made.id());
    let again = RedbJournal::create(&directory, JournalId(8)).unwrap();
    assert_eq!(again.id(), JournalId(7), "what is there stays");
}

#[test]
fn a_creation_that_dies_at_any_step_is_finished_by_the_next_one() {
    let (_home, directory) = home();
    let mut steps = Vec::new();
    RedbJournal::create_in_steps(&directory, JournalId(1), &mut |step| {
        steps.push(step);
        Ok(())
    })
    .unwrap();
    assert!(steps.len() > 10, "{steps:?}");
    for death in 0..steps.len() {
        for second_death in death..=steps.len() {
            let (_home, directory) = home();
            die_at(&directory, death);
            look_into(&directory);
            die_at(&directory, second_death);
            look_into(&directory);
            let journal = RedbJournal::create(&directory, JournalId(3)).unwrap();
            journal.append(&shop(), 0, &drafts(1..=1)).unwrap();
            assert_eq!(names(&directory), [".gitignore", "FORMAT", "journal.redb"]);
        }
    }
}

fn die_at(directory: &Path, step: usize) {
    let mut left = step;
    drop(RedbJournal::create_in_steps(directory, JournalId(2), &mut |_| {
        left = left.checked_sub(1).ok_or_else(|| io::Error::other("death"))?;
        Ok(())
    }));
}

fn look_into(directory: &Path) {
    match RedbJournal::open(directory) {
        Ok(journal) => assert_eq!(journal.read(&shop(), 0).unwrap(), []),
        Err(error) => assert!(matches!(error, JournalError::Missing { .. }), "{error:?}"),
    }
}

#[test]
fn a_database_torn_while_it_was_made_is_never_looked_at() {
    let (_home, directory) = home();
    fs::create_dir(&directory).unwrap();
    for torn in [&b""[..], b"surefoot pages 1", b"redb", &[0; 5000]] {
        fs::write(directory.join("journal.redb.new"), torn).unwrap();
        assert!(matches!(RedbJournal::open(&directory), Err(JournalError::Missing { .. })));
    }
    RedbJournal::create(&directory, JournalId(1)).unwrap();
    assert_eq!(names(&directory), [".gitignore", "FORMAT", "journal.redb"]);
}

#[test]
fn many_creators_at_once_make_one_journal() {
    for _ in 0..10 {
        let (_home, directory) = home();
        let ids: Vec<_> = std::thread::scope(|scope| {
            let creators: Vec<_> = (0..8)
                .map(|number| {
                    scope.spawn({
                        let directory = directory.clone();
                        move || RedbJournal::create(&directory, JournalId(number)).unwrap().id()
                    })
                })
                .collect();
            creators.into_iter().map(|creator| creator.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn what_is_missing_foreign_or_newer_is_said() {
    let (home, directory) = home();
    assert!(matches!(RedbJournal::open(&directory), Err(JournalError::Missing { .. })));
    RedbJournal::create(&directory, JournalId(1)).unwrap();
    let (format, database) = (directory.join("FORMAT"), directory.join("journal.redb"));
    let text = fs::read_to_string(&format).unwrap();

    fs::write(&format, text.replace("minimum-reader 1", "minimum-reader 2")).unwrap();
    let newer = RedbJournal::open(&directory).map(drop).unwrap_err();
    assert!(matches!(newer, JournalError::NewerFormat { found: 2, supported: 1 }));
    fs::write(&format, text.replace("format 1", "format 2")).unwrap();
    RedbJournal::open(&directory).unwrap().read(&shop(), 0).unwrap();

    fs::write(&format, "Hello\n").unwrap();
    assert!(matches!(RedbJournal::open(&directory), Err(JournalError::Foreign { .. })));
    fs::write(&format, text.replace("id 0", "id 1")).unwrap();
    let read = RedbJournal::open(&directory).unwrap().read(&shop(), 0);
    assert!(matches!(read, Err(JournalError::Foreign { .. })));
    fs::write(&format, &text).unwrap();

    let plain = home.path().join("plain.redb");
    redb::Database::create(&plain).unwrap().close().unwrap();
    for other in [fs::read(&plain).unwrap(), b"SQLite format 3\0...".to_vec(), Vec::new()] {
        fs::write(&database, other).unwrap();
        let journal = RedbJournal::open(&directory).unwrap();
        for said in [journal.read(&shop(), 0), journal.append(&shop(), 0, &drafts(1..=1))] {
            assert!(matches!(said, Err(JournalError::Foreign { .. })), "{said:?}");
        }
    }
    fs::remove_file(&database).unwrap();
    for said in [RedbJournal::open(&directory), RedbJournal::create(&directory, JournalId(2))] {
        assert!(matches!(said.map(drop), Err(JournalError::Corrupt { .. })));
    }
}

#[test]
fn a_lost_marker_hides_nothing_and_comes_back() {
    let (home, journal) = fresh();
    let directory = home.path().join(".deploy-history");
    journal.append(&shop(), 0, &drafts(1..=2)).unwrap();
    fs::remove_file(directory.join("FORMAT")).unwrap();
    assert_eq!(RedbJournal::open(&directory).unwrap().read(&shop(), 0).unwrap().len(), 2);
    let again = RedbJournal::create(&directory, JournalId(99)).unwrap();
    assert_eq!((again.id(), again.read(&shop(), 0).unwrap().len()), (journal.id(), 2));
    assert!(directory.join("FORMAT").exists());
}
