use std::fs;

use super::super::contract::{depot, draft, drafts, shop};
use super::super::export::write_event;
use super::super::memory::MemoryJournal;
use super::*;

/// Twelve events of two streams, in turns.
fn source() -> MemoryJournal {
    let journal = MemoryJournal::new();
    for turn in 0..4 {
        let first = u128::from(turn) * 3;
        journal.append(&shop(), turn * 2, &drafts(first..=first + 1)).unwrap();
        journal.append(&depot(), turn, &drafts(first + 2..=first + 2)).unwrap();
    }
    journal
}

fn lines(journal: &MemoryJournal) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    Note::opening().write(&mut out).unwrap();
    for head in journal.streams().unwrap() {
        for event in journal.read(&head.stream, 0).unwrap() {
            write_event(&mut out, event.bytes()).unwrap();
        }
    }
    for head in journal.streams().unwrap() {
        Note::end(&head).write(&mut out).unwrap();
    }
    out.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Imports these lines; the journal afterwards, and what was said.
fn imported(into: &MemoryJournal, lines: &[Vec<u8>]) -> Result<Vec<Imported>, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    fs::write(&file, [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    import(into, &[file])
}

fn content(journal: &MemoryJournal) -> [Vec<StoredEvent>; 2] {
    [journal.read(&shop(), 0).unwrap(), journal.read(&depot(), 0).unwrap()]
}

#[test]
fn an_export_brings_everything_and_the_second_time_nothing() {
    let (source, copy) = (source(), MemoryJournal::new());
    let first = imported(&copy, &lines(&source)).unwrap();
    assert_eq!(content(&copy), content(&source));
    assert_eq!(first.iter().map(|one| one.added).collect::<Vec<_>>(), [4, 8]);
    let second = imported(&copy, &lines(&source)).unwrap();
    assert_eq!(content(&copy), content(&source));
    assert!(second.iter().all(|one| one.added == 0 && one.known > 0));
}

#[test]
fn a_number_that_no_event_can_have_is_refused() {
    let (source, copy) = (source(), MemoryJournal::new());
    let text = lines(&source).into_iter().map(|line| String::from_utf8(line).unwrap());
    let text: Vec<String> = text.collect();
    for (stream, number) in [("shop", u64::MAX), ("shop", 0), ("depot", u64::MAX)] {
        let is_meant = |line: &str| line.contains(&format!("/{stream}\",\"sequence\":1,"));
        let number_of = |line: &str| if is_meant(line) { number } else { 1 };
        let forged = |line: &String| {
            let other = format!("\"sequence\":{},", number_of(line));
            line.replace("\"sequence\":1,", &other)
        };
        let forged: Vec<Vec<u8>> = text.iter().map(|line| forged(line).into_bytes()).collect();
        assert_ne!(forged, lines(&source));
        let refused = imported(&copy, &forged).unwrap_err();
        assert!(
            matches!(&refused, ImportError::Damaged { detail, .. }
            if detail.contains(&number.to_string())),
            "{refused}"
        );
    }
    assert_eq!(content(&copy), [vec![], vec![]]);
}

#[test]
fn a_pipe_is_refused_and_links_in_a_circle_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    assert!(matches!(files(&at("pipe")), Err(ImportError::Foreign { .. })));
    fs::create_dir(at("export")).unwrap();
    fs::write(at("export/a.jsonl"), "").unwrap();
    for link in ["one", "two", "three"] {
        std::os::unix::fs::symlink(".", at("export").join(link)).unwrap();
    }
    assert_eq!(files(&at("export")).unwrap(), [at("export/a.jsonl")]);
    fs::rename(at("pipe"), at("export/pipe.jsonl")).unwrap();
    assert!(matches!(files(&at("export")), Err(ImportError::Foreign { .. })));
}

#[test]
fn an_older_export_is_contained_and_a_newer_one_goes_on() {
    let (source, copy) = (source(), MemoryJournal::new());
    let older = lines(&source);
    source.append(&shop(), 8, &drafts(100..=103)).unwrap();
    let newer = lines(&source);
    imported(&copy, &newer).unwrap();
    let known = imported(&copy, &older).unwrap();
    assert!(known.iter().all(|one| one.added == 0));
    let behind = MemoryJournal::new();
    imported(&behind, &older).unwrap();
    imported(&behind, &newer).unwrap();
    assert_eq!(content(&behind), content(&source));
}

/// Whatever line is missing, doubled or swapped with its neighbour: refused, nothing written.
#[test]
fn a_line_missing_doubled_or_swapped_is_refused() {
    let all = lines(&source());
    for index in 0..all.len() {
        let mut missing = all.clone();
        missing.remove(index);
        let mut doubled = all.clone();
        doubled.insert(index, all[index].clone());
        let mut changed = vec![("missing", missing), ("doubled", doubled)];
        if index > 0 && index + 1 < all.len() {
            let mut swapped = all.clone();
            swapped.swap(index, index + 1);
            changed.push(("swapped", swapped));
        }
        for (what, lines) in changed {
            let copy = MemoryJournal::new();
            match imported(&copy, &lines) {
                // A second opening or a second end says nothing else than the first, and lines of
                // two streams have no order between them.
                Ok(_) => {
                    let note = [&b"{\"surefoot"[..], b"{\"end"];
                    let note = note.iter().any(|start| all[index].starts_with(start));
                    assert!(what == "swapped" || what == "doubled" && note, "{what} {index}");
                    assert_eq!(content(&copy), content(&source()), "{what} {index}");
                }
                Err(ImportError::Damaged { .. } | ImportError::Foreign { .. }) => {
                    assert_eq!(content(&copy), [vec![], vec![]], "{what} {index}");
                }
                Err(other) => panic!("{what} {index}: {other:?}"),
            }
        }
    }
}

/// Whatever byte of whatever line is edited: refused, or without any meaning.
#[test]
fn an_edited_byte_is_refused() {
    let all = lines(&source());
    let mut refused = 0;
    for index in 0..all.len() {
        for at in (0..all[index].len()).step_by(61) {
            for byte in [all[index][at] ^ 1, b'\n', b'"'] {
                let mut edited = all.clone();
                edited[index][at] = byte;
                let copy = MemoryJournal::new();
                if imported(&copy, &edited).is_ok() {
                    assert_eq!(content(&copy), content(&source()), "{index} {at} {byte}");
                } else {
                    refused += 1;
                    assert_eq!(content(&copy), [vec![], vec![]], "{index} {at} {byte}");
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn an_export_cut_anywhere_is_refused() {
    let whole = [lines(&source()).join(&b'\n'), b"\n".to_vec()].concat();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    for length in (0..whole.len() - 1).step_by(13) {
        fs::write(&file, &whole[..length]).unwrap();
        let copy = MemoryJournal::new();
        assert!(import(&copy, std::slice::from_ref(&file)).is_err(), "{length}");
        assert_eq!(content(&copy), [vec![], vec![]], "{length}");
    }
}

#[test]
fn another_history_is_refused_and_the_place_is_named() {
    let ours = source();
    let theirs = MemoryJournal::new();
    let events = ours.read(&shop(), 0).unwrap();
    theirs.append_stored(&shop(), 0, &events[..5]).unwrap();
    theirs.append(&shop(), 5, &drafts(500..=509)).unwrap();
    for (into, from) in [(&ours, &theirs), (&theirs, &ours)] {
        let before = content(into);
        let fork = imported(into, &lines(from)).unwrap_err();
        let ImportError::Fork { sequence, stream, .. } = &fork else { panic!("{fork:?}") };
        assert_eq!((*sequence, stream), (6, &shop()), "{fork}");
        assert_eq!(content(into), before, "nothing was written");
    }
    let other = MemoryJournal::new();
    other.append(&shop(), 0, &[draft(999)]).unwrap();
    let fork = imported(&other, &lines(&ours)).unwrap_err();
    assert!(matches!(fork, ImportError::Fork { sequence: 1, .. }), "{fork:?}");
}

#[test]
fn windows_line_ends_and_empty_lines_change_nothing() {
    let source = source();
    let mut text: Vec<Vec<u8>> = lines(&source);
    for line in &mut text {
        line.push(b'\r');
    }
    text.push(Vec::new());
    let copy = MemoryJournal::new();
    imported(&copy, &text).unwrap();
    assert_eq!(content(&copy), content(&source));
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jsonl");
    let copy = MemoryJournal::new();
    for text in ["", "\n", "{}\n", "hello\n", "stream,sequence\r\n", "\0\0\0", "{\"end\":{}}\n"] {
        fs::write(&file, text).unwrap();
        let refused = import(&copy, std::slice::from_ref(&file)).unwrap_err();
        assert!(matches!(refused, ImportError::Foreign { .. }), "{text:?}: {refused:?}");
    }
    let newer = "{\"surefoot_export\":{\"format\":2,\"tool\":\"surefoot 9\"}}\n";
    fs::write(&file, newer).unwrap();
    assert!(matches!(import(&copy, &[file]), Err(ImportError::Newer { found: 2 })));
    assert!(matches!(files(&folder.path().join("none")), Err(ImportError::File { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(files(empty.path()), Err(ImportError::Foreign { .. })));
}

#[test]
fn an_export_without_events_is_refused() {
    let copy = MemoryJournal::new();
    let refused = imported(&copy, &lines(&MemoryJournal::new())).unwrap_err();
    assert!(matches!(refused, ImportError::Foreign { .. }), "{refused:?}");
}

#[test]
fn an_event_that_counts_from_zero_is_damage_and_no_reason_to_panic() {
    let source = MemoryJournal::new();
    source.append(&shop(), 0, &drafts(0..=0)).unwrap();
    let text = String::from_utf8(lines(&source).join(&b'\n')).unwrap();
    let zero = text.replace("\"sequence\":1", "\"sequence\":0");
    assert_ne!(zero, text);
    let zero: Vec<Vec<u8>> = zero.lines().map(|line| line.as_bytes().to_vec()).collect();
    let into = MemoryJournal::new();
    into.append(&shop(), 0, &drafts(7..=7)).unwrap();
    let error = imported(&into, &zero).unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(error, ImportError::Damaged { .. }) && told.contains("the number 0"),
        "{told}"
    );
}
