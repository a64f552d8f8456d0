//! A journal edited with a hex editor: every command says so, and none prints a wrong line.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use surefoot::event::Event;
use surefoot::event::envelope::{Actor, Draft, EventId};
use surefoot::journal::redb::{CHECKED_BY_EVERY_COMMAND, RedbJournal};
use surefoot::journal::{Journal, JournalError};
use surefoot::names::StreamName;

use super::support::{Ended, Project, World};

/// The file of a journal: a preamble, then pages that carry a seal each.
const PREAMBLE: usize = 16;
const BLOCK: usize = 4096 + 16;

/// redb's marks of a page in a tree. Source: redb 4.6.0, `btree_base.rs`.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// Every command that reads the journal or would stop at it, and would change nothing.
const READING: &[&[&str]] = &[
    &["status", "--offline"],
    &["status"],
    &["status", "--exit-code"],
    &["status", "--offline", "--json"],
    &["history", "--offline"],
    &["history", "-n", "1"],
    &["history", "--status", "live"],
    &["history", "--html", "page.html"],
    &["show", "1"],
    &["show", "10", "--events"],
    &["stats"],
    &["verify"],
    &["logs"],
    &["logs", "--deployment", "10"],
    &["preflight"],
    &["rollback", "--list"],
    &["rollback", "--dry-run"],
    &["deploy", "--dry-run"],
    &["prune"],
    &["journal", "verify"],
    &["journal", "head"],
    &["journal", "export"],
    &["journal", "export", "--format", "csv"],
    &["journal", "export", "out.jsonl"],
];

/// Every command that would write.
const WRITING: &[&[&str]] = &[
    &["deploy"],
    &["resume"],
    &["rollback"],
    &["rollback", "1"],
    &["mark", "1", "good", "--reason", "tried"],
    &["prune", "--grace", "0s", "--apply"],
];

/// A service with ten deployments and plain values, and its journal.
struct Home<'a> {
    project: Project<'a>,
    whole: Vec<u8>,
}

fn ten_deployments(world: &World) -> Home<'_> {
    let project = Project::new(world, "shop");
    project.write("surefoot.toml", "[environment]\nGREETING = \"a value of its own\"\n");
    project.commit("a value");
    project.deploy();
    project.release("release two");
    project.deploy();
    project.run(&["rollback"]).exits(0);
    for _ in 4..=10 {
        project.run(&["deploy", "--allow-bad", "--force-restart"]).exits(0);
    }
    let whole = fs::read(project.history().join("journal.redb")).unwrap();
    Home { project, whole }
}

impl Home<'_> {
    fn database(&self) -> PathBuf {
        self.project.history().join("journal.redb")
    }

    /// Flips bits of one byte.
    fn edit(&self, place: usize, mask: u8) {
        let mut bytes = self.whole.clone();
        bytes[place] ^= mask;
        fs::write(self.database(), bytes).unwrap();
    }

    fn restore(&self) {
        fs::write(self.database(), &self.whole).unwrap();
    }

    /// The content of a page.
    fn page(&self, number: usize) -> &[u8] {
        let start = PREAMBLE + number * BLOCK;
        &self.whole[start..start + 4096]
    }

    fn pages(&self) -> std::ops::Range<usize> {
        1..(self.whole.len() - PREAMBLE) / BLOCK
    }

    /// The place in the middle of a page.
    fn middle(number: usize) -> usize {
        PREAMBLE + number * BLOCK + 2048
    }

    /// What the page is part of.
    fn kind(&self, number: usize) -> &'static str {
        let page = self.page(number);
        let count = |text: &[u8]| page.windows(text.len()).filter(|part| *part == text).count();
        let has = |text: &[u8]| count(text) > 0;
        match page[0] {
            BRANCH => "branch",
            LEAF if has(b"places") && has(b"heads") => "tables",
            _ if has(b"\"sequence\":") => "events",
            LEAF if count(b"eu-central-1/shop\0") > 1 => "places",
            LEAF if count(b"eu-central-1/shop\0") == 1 => "heads",
            LEAF if has(b"a value of its own") => "values",
            LEAF if has(self.id().as_bytes()) => "facts",
            LEAF => "ids",
            _ => "the rest of a long event",
        }
    }

    /// The journal's own identity, as `FORMAT` has it.
    fn id(&self) -> String {
        let marker = fs::read_to_string(self.project.history().join("FORMAT")).unwrap();
        let line = marker.lines().find_map(|line| line.strip_prefix("id ")).unwrap();
        line.trim().to_owned()
    }

    /// The pages that something is read from, by what they are part of.
    fn living(&self) -> BTreeMap<&'static str, Vec<usize>> {
        let mut living: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for number in self.pages() {
            self.edit(Self::middle(number), 1);
            let journal = RedbJournal::open(self.project.history());
            match journal.and_then(|journal| journal.check_if_small()) {
                Ok(small) => assert!(small.is_some()),
                Err(JournalError::Corrupt { .. }) => {
                    living.entry(self.kind(number)).or_default().push(number);
                }
                Err(other) => panic!("page {number}: {other}"),
            }
        }
        self.restore();
        living
    }
}

/// It says that the journal is damaged, how to go on, and nothing else on standard output.
#[track_caller]
fn said(ended: Ended, command: &[&str], what: &str) {
    let context = format!("{command:?}, {what}");
    assert!(!ended.err.contains("panicked"), "{context}: {}", ended.err);
    assert_eq!(ended.code, 74, "{context}\n{}\n{}", ended.out, ended.err);
    if command.contains(&"--json") {
        let result = ended.result();
        assert_eq!(result["problem"]["code"], "journal-damaged", "{context}: {result}");
        return;
    }
    assert_eq!(ended.out, "", "{context}");
    ended.names("journal-damaged").says("surefoot journal repair");
}

#[test]
fn one_byte_flipped_in_any_table_is_said_by_every_command_and_repaired() {
    let world = World::open();
    let home = ten_deployments(&world);
    let project = &home.project;
    let before = project.run(&["history", "--offline", "--json"]).exits(0).result();
    assert_eq!(before["history"]["deployments"].as_array().unwrap().len(), 10);
    let living = home.living();
    let kinds: Vec<&str> = living.keys().copied().collect();
    for kind in ["events", "facts", "heads", "ids", "places", "tables", "values"] {
        assert!(kinds.contains(&kind), "no page of {kind}: {living:?}");
    }
    world.clear();
    let commands: Vec<&[&str]> = READING.iter().chain(WRITING).copied().collect();
    for (place, (kind, pages)) in living.iter().enumerate() {
        // The first page holds the beginning of the history. Every command meets it, and several
        // other tables.
        home.edit(Home::middle(pages[0]), 0x20);
        let every = if *kind == "events" { 1 } else { 3 };
        for command in commands.iter().skip(place % every).step_by(every) {
            said(project.run(command), command, kind);
        }
    }
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    assert!(
        !project.path().join("page.html").exists() && !project.path().join("out.jsonl").exists()
    );
    // Every page, wherever it is.
    for (kind, pages) in &living {
        for page in pages {
            home.edit(Home::middle(*page), 0x20);
            let command = ["status", "--offline"];
            said(project.run(&command), &command, &format!("{kind}, page {page}"));
        }
    }
    for kind in ["events", "heads", "places"] {
        home.edit(Home::middle(living[kind][0]), 0x20);
        project.run(&["journal", "repair"]).exits(0).says("from the export");
        let after = project.run(&["history", "--offline", "--json"]).exits(0).result();
        assert_eq!(after["history"]["deployments"], before["history"]["deployments"], "{kind}");
        project.run(&["journal", "verify"]).exits(0);
    }
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn what_stands_before_the_pages_is_refused_or_harmless() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let whole = fs::read(project.history().join("journal.redb")).unwrap();
    let home = Home { project, whole };
    let project = &home.project;
    let shown = project.run(&["history", "--offline", "--json"]).exits(0).out;
    let (mut refused, mut harmless) = (0, 0);
    for place in (0..PREAMBLE).step_by(5).chain((PREAMBLE..PREAMBLE + 330).step_by(11)) {
        home.edit(place, 0x01);
        let ended = project.run(&["history", "--offline", "--json"]);
        if ended.code == 0 {
            harmless += 1;
            assert_eq!(ended.out, shown, "byte {place}");
        } else {
            refused += 1;
            // What has an export is ours, whatever it looks like.
            ended.exits(74).says("surefoot journal repair");
        }
    }
    assert!(refused > 5 && harmless > 5, "{refused} refused, {harmless} harmless");
    home.edit(3, 0x01);
    let foreign = project.run(&["status"]).exits(74).names("journal-foreign");
    // Its export lies in the directory: that is not moved by hand.
    foreign.says("surefoot journal repair").does_not_say("or name another with");
    project.run(&["journal", "repair"]).exits(0);
    let rows = |text: &str| -> serde_json::Value {
        let last = text.lines().last().unwrap();
        serde_json::from_str::<serde_json::Value>(last).unwrap()["result"]["history"]["deployments"]
            .clone()
    };
    let after = project.run(&["history", "--offline", "--json"]).exits(0).out;
    assert_eq!(rows(&after), rows(&shown));
}

/// Above the limit a command proves what it shows, and no more.
#[test]
fn in_a_large_journal_damage_far_back_is_told_by_whoever_reads_there() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    many_more(&project);
    project.release("release two");
    project.deploy();
    let whole = fs::read(project.history().join("journal.redb")).unwrap();
    let home = Home { project, whole };
    let project = &home.project;
    let shown = |arguments: &[&str]| project.run(&[arguments, &["--json"]].concat());
    let newest = [&["history", "--offline", "-n", "1"][..]];
    let before: Vec<String> = newest.iter().map(|one| shown(one).exits(0).out).collect();
    let first = home
        .pages()
        .find(|page| home.page(*page).windows(15).any(|text| text == b"ReleaseVerified"));
    home.edit(Home::middle(first.unwrap()), 0x20);
    for (command, before) in newest.iter().zip(before) {
        assert_eq!(shown(command).exits(0).out, before, "{command:?}");
    }
    for command in [&["journal", "verify"][..], &["show", "1"], &["stats"], &["deploy"]] {
        said(project.run(command), command, "a large journal");
    }
    project.run(&["journal", "repair"]).exits(0);
    project.run(&["show", "1"]).exits(0);
}

/// Events beside the deployments, as many as make the journal a large one.
fn many_more(project: &Project<'_>) {
    let journal = RedbJournal::open(project.history()).unwrap();
    let stream: StreamName = "123456789012/eu-central-1/shop".parse().unwrap();
    let event = Event::ImagesPruned {
        deleted: Vec::new(),
        not_there: Vec::new(),
        failures: Vec::new(),
        repository: None,
        bytes: 0,
        found: false,
    };
    let draft = |number: u64| Draft {
        id: EventId::from_parts(number, 1),
        deployment: None,
        type_name: event.type_name(),
        type_version: 1,
        settles: None,
        at: chrono::DateTime::from_timestamp_millis(1_700_000_000_000).unwrap(),
        actor: Actor { user: "ada".into(), host: "loom".into(), ci_run: None },
        data: event.data(),
    };
    let drafts: Vec<Draft> = (1..=CHECKED_BY_EVERY_COMMAND).map(draft).collect();
    let end = journal.head(&stream).unwrap().unwrap().sequence;
    journal.append(&stream, end, &drafts).unwrap();
}
