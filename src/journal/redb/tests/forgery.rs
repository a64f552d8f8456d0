//! Rows changed by somebody who can write the database, seals and all: the chain tells.

use redb::ReadableTable as _;

use super::super::super::contract::{draft, drafts, shop};
use super::super::table::{EVENTS, PLACES, place_key};
use super::{Journal, JournalError, RedbJournal, fresh};
use crate::event::envelope::EventHash;

const EVENTS_IN_ALL: u64 = 5;

/// Changes the row of one event, and says where reading then stops.
fn broken_at(position: u64, forge: &dyn Fn(&mut Vec<u8>)) -> Option<u64> {
    let (_home, journal) = fresh();
    journal.append(&shop(), 0, &drafts(1..=u128::from(EVENTS_IN_ALL))).unwrap();
    change(&journal, position, forge);
    let checked = damaged_event(journal.check().map(drop));
    assert_eq!(checked, damaged_event(journal.read(&shop(), 0).map(drop)));
    checked
}

fn change(journal: &RedbJournal, position: u64, forge: &dyn Fn(&mut Vec<u8>)) {
    journal
        .write(|transaction| {
            let mut table = transaction.open_table(EVENTS).unwrap();
            let mut row = table.get(position).unwrap().unwrap().value().to_vec();
            forge(&mut row);
            table.insert(position, row.as_slice()).unwrap();
            Ok(())
        })
        .unwrap();
}

fn damaged_event(result: Result<(), JournalError>) -> Option<u64> {
    match result {
        Err(JournalError::Corrupt { sequence, .. }) => sequence,
        other => panic!("{other:?}"),
    }
}

fn rename(row: &mut [u8]) {
    let place = row.windows(3).position(|text| text == b"ada").unwrap();
    row[place..place + 3].copy_from_slice(b"eve");
}

#[test]
fn a_changed_event_is_named() {
    for position in 1..=EVENTS_IN_ALL {
        assert_eq!(broken_at(position, &|row| rename(row)), Some(position));
    }
}

#[test]
fn a_changed_event_with_its_hash_made_anew_breaks_what_follows_it() {
    for position in 1..=EVENTS_IN_ALL {
        let broken = broken_at(position, &|row| {
            rename(row);
            let hash = EventHash::of(&row[32..]);
            row[..32].copy_from_slice(&hash.0);
        });
        // Behind the last event it is the head that disagrees.
        assert_eq!(broken, Some(position + 1));
    }
}

#[test]
fn an_event_in_the_place_of_another_is_named() {
    let (_home, journal) = fresh();
    journal.append(&shop(), 0, &drafts(1..=EVENTS_IN_ALL.into())).unwrap();
    let other = draft(9).store(&shop(), 2, EventHash::NONE).unwrap();
    let broken = broken_at(2, &|row| {
        row.clear();
        row.extend_from_slice(&other.hash().0);
        row.extend_from_slice(other.bytes());
    });
    assert_eq!(broken, Some(2));
}

#[test]
fn a_tail_cut_off_is_seen() {
    let (_home, journal) = fresh();
    journal.append(&shop(), 0, &drafts(1..=EVENTS_IN_ALL.into())).unwrap();
    cut_tail(&journal);
    assert_eq!(damaged_event(journal.read(&shop(), 0).map(drop)), Some(EVENTS_IN_ALL));
    assert_eq!(
        damaged_event(journal.read(&shop(), EVENTS_IN_ALL - 1).map(drop)),
        Some(EVENTS_IN_ALL)
    );
}

/// The way back trusts the head alone: what was shown before the error led to it.
#[test]
fn the_way_back_stops_at_what_is_not_proven() {
    for position in 1..=EVENTS_IN_ALL {
        for hash_made_anew in [false, true] {
            let (_home, journal) = fresh();
            journal.append(&shop(), 0, &drafts(1..=u128::from(EVENTS_IN_ALL))).unwrap();
            change(&journal, position, &|row| {
                rename(row);
                if hash_made_anew {
                    let hash = EventHash::of(&row[32..]);
                    row[..32].copy_from_slice(&hash.0);
                }
            });
            let mut shown = Vec::new();
            let stopped = journal.visit_back(&shop(), &mut |event| {
                shown.push(event.sequence());
                std::ops::ControlFlow::Continue(())
            });
            assert_eq!(damaged_event(stopped), Some(position));
            assert_eq!(shown, (position + 1..=EVENTS_IN_ALL).rev().collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_index_that_lies_is_named_with_the_first_event_it_lies_about() {
    let (_home, journal) = fresh();
    journal.append(&shop(), 0, &drafts(1..=u128::from(EVENTS_IN_ALL))).unwrap();
    journal
        .write(|transaction| {
            let mut places = transaction.open_table(PLACES).unwrap();
            places.insert(place_key(&shop(), 2).as_slice(), 3).unwrap();
            places.insert(place_key(&shop(), 3).as_slice(), 2).unwrap();
            Ok(())
        })
        .unwrap();
    assert_eq!(damaged_event(journal.check().map(drop)), Some(2));
}

fn cut_tail(journal: &RedbJournal) {
    journal
        .write(|transaction| {
            transaction.open_table(EVENTS).unwrap().remove(EVENTS_IN_ALL).unwrap();
            let key = place_key(&shop(), EVENTS_IN_ALL);
            transaction.open_table(PLACES).unwrap().remove(key.as_slice()).unwrap();
            Ok(())
        })
        .unwrap();
}
