//! A name is durable only when its directory is: a rename that the disk forgets loses the journal.

use super::super::home::SYNCED;
use super::{JournalId, RedbJournal};

#[test]
fn every_new_name_is_durable_before_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".deploy-history");
    SYNCED.take();
    let (mut renamed, mut steps) = (0, 0);
    RedbJournal::create_in_steps(&directory, JournalId(1), &mut |step| {
        steps += 1;
        let synced = SYNCED.take();
        match step {
            "directory" => assert_eq!(synced, [home.path().to_owned()], "the directory's own name"),
            "renamed" => renamed += 1,
            "published" => assert_eq!(synced, std::slice::from_ref(&directory), "what is in it"),
            _ => assert!(synced.is_empty(), "{step}: {synced:?}"),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(renamed, 3, "`.gitignore`, the database, `FORMAT`; {steps} steps");
}
