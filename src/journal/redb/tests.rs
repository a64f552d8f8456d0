//! The journal on a real disk, on disks that fail, and under processes that are killed.

#![expect(clippy::print_stdout, reason = "the figures of a run are shown with --nocapture")]

use super::super::contract;
use super::super::{Journal, JournalError};
use super::{JournalId, RedbJournal};

mod child;
mod damage;
mod directory;
mod disk;
mod forgery;
mod full_disk;
mod measure;
mod names_are_durable;
mod power_cut;
mod process;
mod repair;
mod unwritable;

/// A journal in a fresh directory, which lives as long as the first value.
pub(super) fn fresh() -> (tempfile::TempDir, RedbJournal) {
    let home = tempfile::tempdir().unwrap();
    let journal = RedbJournal::create(&home.path().join(".deploy-history"), JournalId(1)).unwrap();
    (home, journal)
}

#[test]
fn it_keeps_the_contract() {
    contract::hold(&|| {
        let (home, _) = fresh();
        Box::new(move || {
            let directory = home.path().join(".deploy-history");
            Box::new(RedbJournal::open(&directory).unwrap()) as Box<dyn Journal>
        })
    });
}

#[test]
fn what_is_derived_is_made_anew_from_the_events() {
    let (_home, journal) = fresh();
    let (shop, depot) = (contract::shop(), contract::depot());
    journal.append(&shop, 0, &contract::drafts(1..=3)).unwrap();
    journal.append(&depot, 0, &contract::drafts(4..=5)).unwrap();
    journal.append(&shop, 3, &contract::drafts(6..=6)).unwrap();
    let before = journal.check().unwrap();
    assert_eq!(before.events, 6);
    journal
        .write(|transaction| {
            let mut places = transaction.open_table(super::table::PLACES).unwrap();
            places.remove(super::table::place_key(&shop, 2).as_slice()).unwrap();
            Ok(())
        })
        .unwrap();
    for broken in [journal.check().map(drop), journal.read(&shop, 0).map(drop)] {
        assert!(matches!(broken, Err(JournalError::Corrupt { .. })), "{broken:?}");
    }
    journal.rebuild().unwrap();
    assert_eq!(journal.check().unwrap(), before);
    assert_eq!(journal.read(&shop, 0).unwrap().len(), 4);
    assert!(journal.check_pages().unwrap());
}
