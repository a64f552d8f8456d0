//! The contract of a journal, as tests that every implementation runs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::event::envelope::{Actor, Draft, EventHash, EventId, LARGEST_EVENT, StoredEvent};
use crate::names::{DeploymentNumber, StreamName, ValueHash};

use super::memory::MemoryJournal;
use super::{Journal, JournalError, LARGEST_VALUE};

/// Opens another handle of one journal.
pub(super) type Handles = Box<dyn Fn() -> Box<dyn Journal>>;

/// Runs every clause against journals that `fresh` makes: each call another, empty one.
pub(super) fn hold(fresh: &dyn Fn() -> Handles) {
    for clause in [
        an_empty_journal_has_nothing,
        events_come_back_in_order,
        the_expected_sequence_is_compared,
        an_append_is_idempotent_by_id,
        an_append_is_all_or_nothing,
        an_id_belongs_to_one_event,
        streams_do_not_touch_each_other,
        two_handles_see_the_same,
        any_text_is_kept,
        limits_are_kept,
        values_are_kept_beside_the_events,
        suffixes_and_tails,
        the_chain_links_every_event,
        the_way_back_is_the_way_there,
        stored_events_move_to_another_journal,
        portions_are_appended_all_or_none,
    ] {
        clause(&*fresh());
    }
}

pub(super) fn shop() -> StreamName {
    "123456789012/eu-central-1/shop".parse().unwrap()
}

pub(super) fn depot() -> StreamName {
    "123456789012/eu-central-1/depot".parse().unwrap()
}

pub(super) fn at() -> DateTime<Utc> {
    "2026-11-23T10:00:00.123Z".parse().unwrap()
}

pub(super) fn draft_of(number: u128, data: Value) -> Draft {
    Draft {
        id: EventId::from_parts(1_700_000_000_000, number),
        deployment: Some(DeploymentNumber(1)),
        type_name: "DigestPushed".into(),
        type_version: 1,
        settles: None,
        at: at(),
        actor: Actor { user: "ada".into(), host: "engine".into(), ci_run: None },
        data,
    }
}

pub(super) fn draft(number: u128) -> Draft {
    draft_of(number, json!({ "number": u64::try_from(number).unwrap() }))
}

pub(super) fn drafts(numbers: std::ops::RangeInclusive<u128>) -> Vec<Draft> {
    numbers.map(draft).collect()
}

fn numbers(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.envelope().unwrap().data["number"].as_u64().unwrap()).collect()
}

fn value_hash(text: &str) -> ValueHash {
    ValueHash::of(&"VARIABLE".parse().unwrap(), text)
}

fn values(texts: &[&str]) -> BTreeMap<ValueHash, String> {
    texts.iter().map(|text| (value_hash(text), (*text).to_owned())).collect()
}

fn an_empty_journal_has_nothing(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    assert_eq!(journal.streams().unwrap(), []);
    assert_eq!(journal.head(&shop()).unwrap(), None);
    assert_eq!(journal.read(&shop(), 0).unwrap(), []);
    assert_eq!(journal.read(&shop(), 7).unwrap(), []);
    assert_eq!(journal.append(&shop(), 0, &[]).unwrap(), []);
    assert_eq!(journal.streams().unwrap(), [], "an empty append leaves no stream");
    let conflict = journal.append(&shop(), 3, &[]).unwrap_err();
    assert!(matches!(conflict, JournalError::Conflict { expected: 3, found: 0 }));
}

fn events_come_back_in_order(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    let written = journal.append(&shop(), 0, &drafts(1..=3)).unwrap();
    let more = journal.append(&shop(), 3, &drafts(4..=4)).unwrap();
    let read = journal.read(&shop(), 0).unwrap();
    assert_eq!(read, [written, more].concat());
    assert_eq!(numbers(&read), [1, 2, 3, 4]);
    assert_eq!(read.iter().map(StoredEvent::sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(read[0].envelope().unwrap().at, at());
}

fn the_expected_sequence_is_compared(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=2)).unwrap();
    for wrong in [0, 1, 3, u64::MAX] {
        let refused = journal.append(&shop(), wrong, &drafts(9..=9)).unwrap_err();
        assert!(
            matches!(refused, JournalError::Conflict { expected, found: 2 } if expected == wrong)
        );
    }
    assert_eq!(journal.read(&shop(), 0).unwrap().len(), 2);
}

fn an_append_is_idempotent_by_id(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    let first = journal.append(&shop(), 0, &drafts(1..=2)).unwrap();
    assert_eq!(journal.append(&shop(), 0, &drafts(1..=2)).unwrap(), first);
    journal.append(&shop(), 2, &drafts(3..=3)).unwrap();
    assert_eq!(journal.append(&shop(), 0, &drafts(1..=2)).unwrap(), first);
    assert_eq!(journal.append(&shop(), 3, &drafts(1..=1)).unwrap(), first[..1]);
    assert_eq!(journal.read(&shop(), 0).unwrap().len(), 3);
}

fn an_append_is_all_or_nothing(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=1)).unwrap();
    let before = journal.read(&shop(), 0).unwrap();
    let large = draft_of(8, json!("x".repeat(LARGEST_EVENT)));
    let secret = values(&["not kept"]);
    let refused = journal.append_with_values(&shop(), 1, &[draft(7), large], &secret).unwrap_err();
    assert!(matches!(refused, JournalError::TooLarge { .. }));
    let half_known = journal.append(&shop(), 1, &drafts(1..=2)).unwrap_err();
    assert!(matches!(half_known, JournalError::Conflict { .. }), "{half_known:?}");
    assert_eq!(journal.read(&shop(), 0).unwrap(), before);
    assert_eq!(journal.value(&value_hash("not kept")).unwrap(), None);
    assert_eq!(journal.append(&shop(), 1, &drafts(7..=7)).unwrap()[0].sequence(), 2);
}

fn an_id_belongs_to_one_event(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=1)).unwrap();
    let taken = |result: Result<Vec<StoredEvent>, JournalError>| {
        assert!(matches!(result.unwrap_err(), JournalError::IdTaken { .. }));
    };
    taken(journal.append(&shop(), 1, &[draft_of(1, json!("other content"))]));
    taken(journal.append(&depot(), 0, &[draft(1)]));
    taken(journal.append(&depot(), 0, &[draft(5), draft(5)]));
    assert_eq!(journal.head(&depot()).unwrap(), None);
}

fn streams_do_not_touch_each_other(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    // One name is the beginning of the other.
    let longer: StreamName = "123456789012/eu-central-1/shop-2".parse().unwrap();
    for (sequence, number) in [(0, 1), (1, 3), (2, 5)] {
        journal.append(&shop(), sequence, &[draft(number)]).unwrap();
        journal.append(&longer, sequence, &[draft(number + 1)]).unwrap();
    }
    journal.append(&depot(), 0, &[draft(9)]).unwrap();
    assert_eq!(numbers(&journal.read(&shop(), 0).unwrap()), [1, 3, 5]);
    assert_eq!(numbers(&journal.read(&longer, 1).unwrap()), [4, 6]);
    let heads = journal.streams().unwrap();
    let names: Vec<_> = heads.iter().map(|head| head.stream.clone()).collect();
    assert_eq!(names, [depot(), shop(), longer]);
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [1, 3, 3]);
}

fn two_handles_see_the_same(open: &dyn Fn() -> Box<dyn Journal>) {
    let (one, two) = (open(), open());
    one.append(&shop(), 0, &drafts(1..=1)).unwrap();
    assert!(matches!(
        two.append(&shop(), 0, &drafts(2..=2)),
        Err(JournalError::Conflict { expected: 0, found: 1 })
    ));
    two.append(&shop(), 1, &drafts(2..=2)).unwrap();
    assert_eq!(one.read(&shop(), 0).unwrap(), two.read(&shop(), 0).unwrap());
    let race = std::thread::scope(|scope| {
        let racers = [(one, 10), (two, 20)].map(|(journal, number)| {
            scope.spawn(move || journal.append(&shop(), 2, &[draft(number)]).is_ok())
        });
        racers.map(|racer| racer.join().unwrap())
    });
    assert_eq!(race.iter().filter(|won| **won).count(), 1, "{race:?}");
    assert_eq!(open().head(&shop()).unwrap().unwrap().sequence, 3);
}

fn any_text_is_kept(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    let texts = ["", "\0", "\n{\"format\":1}\n", "\u{1b}]0;x\u{7}", "\u{202e}", "🚢", "\u{10ffff}"];
    let mut hostile = draft_of(1, json!({ "texts": texts, "<script>": { "\u{feff}": null } }));
    hostile.actor =
        Actor { user: texts.concat(), host: "\u{85}".into(), ci_run: Some("\r".into()) };
    hostile.type_name = "\u{2028}".into();
    journal.append(&shop(), 0, std::slice::from_ref(&hostile)).unwrap();
    let read = journal.read(&shop(), 0).unwrap();
    let envelope = read[0].envelope().unwrap();
    assert_eq!((&envelope.data, &envelope.actor), (&hostile.data, &hostile.actor));
    assert_eq!(envelope.type_name, hostile.type_name);
    assert!(read[0].bytes().iter().all(|byte| *byte >= b' '), "one line, no control character");
}

fn limits_are_kept(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    let frame = draft_of(1, json!("")).store(&shop(), 1, EventHash::NONE).unwrap().bytes().len();
    let largest = draft_of(1, json!("x".repeat(LARGEST_EVENT - frame)));
    journal.append(&shop(), 0, &[largest]).unwrap();
    assert_eq!(journal.read(&shop(), 0).unwrap()[0].bytes().len(), LARGEST_EVENT);
    let larger = draft_of(2, json!("x".repeat(LARGEST_EVENT - frame + 1)));
    assert!(matches!(
        journal.append(&shop(), 1, &[larger]),
        Err(JournalError::TooLarge { limit: LARGEST_EVENT, .. })
    ));
    let value = "x".repeat(LARGEST_VALUE + 1);
    assert!(matches!(
        journal.put_values(&values(&[&value])),
        Err(JournalError::TooLarge { limit: LARGEST_VALUE, .. })
    ));
}

fn values_are_kept_beside_the_events(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    let (hash, other) = (value_hash("\u{202e}🚢\n"), value_hash(""));
    assert_eq!(journal.value(&hash).unwrap(), None);
    journal.append_with_values(&shop(), 0, &drafts(1..=1), &values(&["\u{202e}🚢\n"])).unwrap();
    assert_eq!(open().value(&hash).unwrap().as_deref(), Some("\u{202e}🚢\n"));
    journal.put_values(&values(&["", "b"])).unwrap();
    assert_eq!(journal.value(&other).unwrap().as_deref(), Some(""));
    journal.put_values(&[(other.clone(), "changed".to_owned())].into()).unwrap();
    assert_eq!(journal.value(&other).unwrap().as_deref(), Some(""), "the first value stays");
    let secret = values(&["canary-7f3a"]);
    journal.append_with_values(&shop(), 1, &drafts(2..=2), &secret).unwrap();
    let again = journal.append_with_values(&shop(), 1, &drafts(2..=2), &secret).unwrap();
    assert_eq!(again[0].sequence(), 2);
    for event in journal.read(&shop(), 0).unwrap() {
        assert!(!String::from_utf8_lossy(event.bytes()).contains("canary"));
    }
}

fn suffixes_and_tails(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=5)).unwrap();
    for after in 0..=7 {
        let expected: Vec<u64> = (after + 1..=5).collect();
        assert_eq!(numbers(&journal.read(&shop(), after).unwrap()), expected);
    }
    assert_eq!(journal.read(&shop(), u64::MAX).unwrap(), []);
    let mut seen = 0;
    journal
        .visit(&shop(), 0, &mut |_| {
            seen += 1;
            if seen == 2 {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(seen, 2);
}

fn the_chain_links_every_event(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=3)).unwrap();
    journal.append(&shop(), 3, &drafts(4..=5)).unwrap();
    let mut previous = EventHash::NONE;
    for event in journal.read(&shop(), 0).unwrap() {
        assert_eq!(event.previous(), previous);
        assert_eq!(event.hash(), EventHash::of(event.bytes()));
        previous = event.hash();
    }
    assert_eq!(journal.head(&shop()).unwrap().unwrap().hash, previous);
}

fn the_way_back_is_the_way_there(open: &dyn Fn() -> Box<dyn Journal>) {
    let journal = open();
    journal.append(&shop(), 0, &drafts(1..=5)).unwrap();
    journal.append(&depot(), 0, &drafts(6..=7)).unwrap();
    let mut there = journal.read(&shop(), 0).unwrap();
    there.reverse();
    for count in 0..=6 {
        let mut back = Vec::new();
        let visited = journal.visit_back(&shop(), &mut |event| {
            back.push(event);
            if back.len() >= count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        visited.unwrap();
        assert_eq!(back, there[..count.clamp(1, 5)]);
    }
    let nothing: StreamName = "123456789012/eu-central-1/nothing".parse().unwrap();
    journal.visit_back(&nothing, &mut |event| panic!("{event:?}")).unwrap();
    for sequence in 0..=6 {
        let event = journal.event(&shop(), sequence).unwrap();
        assert_eq!(
            event.map(|event| event.sequence()),
            (1..=5).contains(&sequence).then_some(sequence)
        );
    }
}

fn portions_are_appended_all_or_none(open: &dyn Fn() -> Box<dyn Journal>) {
    let there = MemoryJournal::new();
    let events = there.append(&shop(), 0, &drafts(1..=4)).unwrap();
    let others = there.append(&depot(), 0, &drafts(11..=12)).unwrap();
    let journal = open();
    let refused = journal.append_portions(&mut |append| {
        append(&shop(), 0, &events[..2])?;
        append(&depot(), 0, &others)?;
        // One is missing.
        append(&shop(), 2, &events[3..])
    });
    assert!(refused.is_err());
    assert!(journal.streams().unwrap().is_empty(), "half of it is there");
    let filled = journal.append_portions(&mut |append| {
        append(&shop(), 0, &events[..2])?;
        append(&depot(), 0, &others)?;
        append(&shop(), 2, &events[2..])
    });
    filled.unwrap();
    assert_eq!(open().read(&shop(), 0).unwrap(), events);
    assert_eq!(open().read(&depot(), 0).unwrap(), others);
}

fn stored_events_move_to_another_journal(open: &dyn Fn() -> Box<dyn Journal>) {
    let source = super::memory::MemoryJournal::new();
    source.append(&shop(), 0, &drafts(1..=5)).unwrap();
    let events = source.read(&shop(), 0).unwrap();
    let journal = open();
    journal.append_stored(&shop(), 0, &events[..2]).unwrap();
    let refused = journal.append_stored(&shop(), 0, &events[2..]).unwrap_err();
    assert!(matches!(refused, JournalError::Conflict { expected: 0, found: 2 }));
    let gap = journal.append_stored(&shop(), 2, &events[3..]).unwrap_err();
    assert!(matches!(gap, JournalError::Corrupt { sequence: Some(3), .. }), "{gap:?}");
    let elsewhere = journal.append_stored(&depot(), 0, &events[..1]).unwrap_err();
    assert!(matches!(elsewhere, JournalError::Corrupt { .. }), "{elsewhere:?}");
    let twice = [events[2].clone(), events[2].clone()];
    let twins = journal.append_stored(&shop(), 2, &twice).unwrap_err();
    assert!(matches!(twins, JournalError::IdTaken { .. }), "{twins:?}");
    assert_eq!(journal.read(&shop(), 0).unwrap(), events[..2]);
    journal.append_stored(&shop(), 2, &events[2..]).unwrap();
    assert_eq!(journal.read(&shop(), 0).unwrap(), events);
    journal.append(&depot(), 0, &drafts(9..=9)).unwrap();
    let other = draft(9).store(&shop(), 6, events[4].hash()).unwrap();
    let taken = journal.append_stored(&shop(), 5, &[other]).unwrap_err();
    assert!(matches!(taken, JournalError::IdTaken { .. }), "{taken:?}");
}
