//! The journal's own commands, through the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::support::{Ended, Project, World, shell};

/// A service with two deployments, and its journal.
fn deployed(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    project
}

fn export(project: &Project<'_>) -> PathBuf {
    project.history().join("export").join("123456789012.eu-central-1.shop")
}

fn events(ended: &Ended, member: &str) -> u64 {
    ended.result()[member]["events"].as_u64().unwrap()
}

/// Changes a byte in the middle of what is stored, as a hex editor does; pages that the database no
/// longer uses are changed as well.
fn edit(database: &Path) {
    let mut bytes = fs::read(database).unwrap();
    let places = bytes.windows(15).enumerate().filter(|(_, text)| *text == b"ReleaseVerified");
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place] ^= 1;
    }
    fs::write(database, bytes).unwrap();
}

#[test]
fn every_command_says_what_it_found_and_what_to_type_next() {
    let world = World::open();
    let project = deployed(&world);
    project.run(&["journal", "verify"]).exits(0).says("every hash").says("next: surefoot");
    let verified = project.run(&["journal", "verify", "--json"]).exits(0);
    assert_eq!(verified.result()["journal"]["sound"], true);
    let head = project.run(&["journal", "head"]).exits(0);
    let line = head.out.lines().next().unwrap().to_owned();
    assert!(line.starts_with("123456789012/eu-central-1/shop "), "{line}");
    project.run(&["journal", "verify", "--anchor", &line]).exits(0).says("1 anchor");
    let (start, end) = line.split_at(line.len() - 1);
    let other = format!("{start}{}", if end == "0" { "1" } else { "0" });
    let refused = project.run(&["journal", "verify", "--anchor", &other]);
    refused.exits(74).names("anchor-mismatch").says("is not what it was");
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let later = format!("{} 999 {}", words[0], words[2]);
    let refused = project.run(&["journal", "verify", "--anchor", &later]);
    let refused = refused.exits(74).names("anchor-mismatch");
    refused.says("the journal ends before event 999").does_not_say("is not what it was");
    project.run(&["journal", "verify", "--anchor", "nonsense"]).exits(2);
    project.run(&["journal", "repair"]).exits(0).says("nothing to repair");
}

#[test]
fn what_is_about_the_whole_journal_asks_for_no_service_where_the_file_names_several() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.deploy();
    let stall = project.cloned("shop");
    stall.run(&["deploy", "--service-name", "stall"]).exits(0);
    project.unset("SERVICE_NAME");
    project.write("surefoot.toml", "[service.shop]\nport = 8080\n[service.stall]\nport = 8080\n");
    let file = world.folder("exports").join("all.jsonl").display().to_string();
    for command in [
        &["journal", "verify"][..],
        &["journal", "head"],
        &["journal", "export", &file],
        &["journal", "import", &file],
        &["journal", "repair"],
        &["history"],
        &["history", "--offline"],
    ] {
        project.run(command).exits(0);
    }
    let history = project.run(&["history", "--json"]).exits(0).result();
    assert_eq!(history["histories"].as_array().unwrap().len(), 2, "{history}");
    assert_eq!(history["histories"][0]["deployments"][0]["in_registry"], true, "{history}");
    project.run(&["status"]).exits(2).names("no-service-name");
    project.run(&["history", "--service-name", "stall", "--json"]).exits(0);
}

#[test]
fn without_a_journal_every_command_says_so() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for command in ["verify", "export", "head", "repair"] {
        project.run(&["journal", command]).exits(74).names("no-journal");
    }
    assert!(!project.history().exists(), "looking makes no journal");
    project.run(&["journal", "import", "nothing.jsonl"]).exits(2).says("nothing.jsonl");
    assert!(!project.history().exists(), "a file that is not there makes no journal");
}

#[test]
fn an_export_has_every_event_no_value_and_comes_back_whole() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.write("surefoot.toml", "[environment]\nCANARY = \"xyzzy-value\"\n");
    project.set("SUREFOOT_X", "1");
    project.commit("canary");
    project.deploy();
    let file = project.path().join("out.jsonl");
    let name = file.display().to_string();
    let written = project.run(&["journal", "export", &name, "--json"]).exits(0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("xyzzy-value") && text.contains("CANARY"));
    let (verified, lines) = (project.run(&["journal", "verify", "--json"]), text.lines().count());
    assert_eq!(events(&verified, "journal"), lines as u64 - 2);
    assert_eq!(written.result()["export"]["events"], lines as u64 - 2);
    let piped = project.run(&["journal", "export"]).exits(0);
    assert_eq!(piped.out, text);
    let table = project.run(&["journal", "export", "--format", "csv"]).exits(0);
    assert_eq!(table.out.lines().count(), lines - 1);
    assert!(!table.out.contains("xyzzy-value"));
    let dash = project.run(&["journal", "export", "-"]).exits(0);
    assert_eq!(dash.out, piped.out, "standard output by its usual name");
    project.run(&["journal", "export", "-", "--json"]).exits(2).says("name a file");
    project.run(&["journal", "import", "-"]).exits(2).says("save it into a file");
    assert!(!project.path().join("-").exists());
    project.run(&["journal", "export", "--json"]).exits(2);
    let clone = project.cloned("clone");
    clone.run(&["journal", "import", &name]).exits(0).says("events new");
    clone.run(&["journal", "import", &name]).exits(0).says("here already");
    let again = clone.run(&["journal", "export"]).exits(0);
    assert_eq!(again.out, text);
    let rows = |project: &Project<'_>| {
        project.run(&["history", "--json"]).exits(0).result()["history"]["deployments"].clone()
    };
    assert_eq!(rows(&clone), rows(&project));
}

#[test]
fn an_export_with_a_line_missing_or_edited_and_another_history_are_refused() {
    let world = World::open();
    let project = deployed(&world);
    let text = project.run(&["journal", "export"]).exits(0).out;
    let file = project.path().join("bad.jsonl");
    let name = file.display().to_string();
    let lines: Vec<&str> = text.lines().collect();
    let clone = project.cloned("clone");
    let without = [&lines[..4], &lines[5..]].concat().join("\n");
    fs::write(&file, without + "\n").unwrap();
    let refused = clone.run(&["journal", "import", &name]).exits(74).names("export-damaged");
    refused.says("event 4 is missing").says("Nothing was imported");
    fs::write(&file, text.replacen("tester", "nobody", 3)).unwrap();
    clone.run(&["journal", "import", &name]).exits(74).names("export-damaged").says("was changed");
    let doubled = [&lines[..5], &lines[4..]].concat().join("\n");
    fs::write(&file, doubled + "\n").unwrap();
    clone.run(&["journal", "import", &name]).exits(74).names("export-damaged");
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    fs::write(&file, swapped.join("\n") + "\n").unwrap();
    clone.run(&["journal", "import", &name]).exits(74).names("export-damaged");
    for cut in [2, 90, text.len() / 2] {
        fs::write(&file, &text[..text.len() - cut]).unwrap();
        clone.run(&["journal", "import", &name]).exits(74).names("export-damaged");
    }
    clone.run(&["history"]).exits(0).says("Nothing was deployed from here yet");
    let status = clone.run(&["status"]).exits(0).says("Nothing was deployed from here yet");
    status.says("carries the mark of surefoot").says("surefoot journal import FILE");
    clone.run(&["status", "--offline"]).exits(0).does_not_say("mark of surefoot");
    let newer = text.replacen("\"format\":1", "\"format\":99", 1);
    fs::write(&file, newer).unwrap();
    clone.run(&["journal", "import", &name]).exits(74).names("journal-newer");
    fs::write(&file, "{\"other\":1}\n").unwrap();
    clone.run(&["journal", "import", &name]).exits(74).names("export-foreign");
    // Somebody else deployed from another machine: two histories of one service.
    clone.release("release three");
    clone.deploy();
    fs::write(&file, &text).unwrap();
    let fork = clone.run(&["journal", "import", &name]).exits(74).names("journal-fork");
    fork.says("parts at event 1");
}

#[test]
fn an_export_is_there_after_every_deployment_and_after_failed_ones() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let size = || fs::read_to_string(export(&project).join("000000000001.jsonl")).unwrap().len();
    let first = size();
    project.write("Dockerfile", "FROM scratch\nCOPY not-there /\n");
    project.commit("broken");
    project.run(&["deploy"]).exits(10);
    assert!(size() > first);
    let clone = project.cloned("clone");
    let directory = project.history().join("export").display().to_string();
    clone.run(&["journal", "import", &directory]).exits(0);
    let head = |project: &Project<'_>| project.run(&["journal", "head"]).exits(0).out;
    assert_eq!(head(&clone), head(&project));
}

#[test]
fn a_journal_edited_with_a_hex_editor_is_never_believed_and_comes_back() {
    let world = World::open();
    let project = deployed(&world);
    let before = project.run(&["history", "--json"]).exits(0).result();
    let database = project.history().join("journal.redb");
    edit(&database);
    let edited = fs::read(&database).unwrap();
    for command in [
        &["history"][..],
        &["status", "--offline"],
        &["show", "1"],
        &["deploy"],
        &["resume"],
        &["rollback"],
        &["rollback", "--list"],
        &["journal", "verify"],
        &["journal", "export"],
    ] {
        project.run(command).exits(74).names("journal-damaged").says("surefoot journal repair");
    }
    project.run(&["journal", "verify"]).exits(74);
    let repaired = project.run(&["journal", "repair"]).exits(0).says("from the export");
    repaired.says("damaged-1");
    assert_eq!(fs::read(project.history().join("damaged-1/journal.redb")).unwrap(), edited);
    project.run(&["journal", "verify"]).exits(0);
    let after = project.run(&["history", "--json"]).exits(0).result();
    assert_eq!(after["history"]["deployments"], before["history"]["deployments"]);
    let text = project.run(&["journal", "export"]).exits(0).out;
    assert!(text.contains("\"JournalRestored\""), "it is recorded");
    project.run(&["history"]).exits(0).says("the journal was damaged").says("damaged-1");
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn a_damaged_journal_without_export_is_not_touched() {
    let world = World::open();
    let project = deployed(&world);
    fs::remove_dir_all(project.history().join("export")).unwrap();
    let database = project.history().join("journal.redb");
    fs::write(&database, "overwritten").unwrap();
    project.run(&["journal", "repair"]).exits(74).names("no-export").says("Nothing was moved");
    assert_eq!(fs::read(&database).unwrap(), b"overwritten");
}

#[test]
fn a_fresh_clone_goes_on_with_what_aws_tells() {
    let world = World::open();
    let project = deployed(&world);
    let clone = project.cloned("clone");
    let refused = clone.run(&["rollback"]).exits(1).names("nothing-to-go-back-to");
    refused.says("journal import");
    // What is refused writes nothing: an export can still be imported.
    assert!(!clone.history().join("journal.redb").exists());
    clone.run(&["status", "--exit-code"]).exits(27).says("carries the mark of surefoot");
    clone.release("release three");
    clone.deploy().says("recorded");
    assert!(world.serves("shop", "release three"));
    clone.run(&["history"]).exits(0).says("found running").says("#0").says("#1");
    clone.run(&["journal", "verify"]).exits(0);
    // What ran before is no deployment of this journal.
    let told = clone.run(&["stats", "--json"]).exits(0).result()["statistics"].clone();
    assert_eq!((&told["deployments"], &told["live"]), (&json!(1), &json!(1)), "{told}");
    clone.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release two"), "what AWS told of is gone back to");
    clone.run(&["history"]).exits(0).says("rollback to #0");
    world.nothing_was_done_twice();
}

#[test]
fn a_deployment_from_a_fresh_clone_records_what_it_found() {
    let world = World::open();
    let project = deployed(&world);
    let clone = project.cloned("clone");
    clone.release("release three");
    let ended = clone.deploy_json().exits(0);
    assert_eq!(ended.result()["summary"]["number"], 1);
    let text = clone.run(&["journal", "export"]).exits(0).out;
    let first = text.lines().nth(1).unwrap();
    assert!(first.contains("\"RecordRecovered\"") && first.contains("\"mark\""), "{first}");
    // Nothing of surefoot's on the service: nothing was recovered.
    let other = Project::new(&world, "other");
    other.deploy();
    assert!(!other.run(&["journal", "export"]).exits(0).out.contains("RecordRecovered"));
}

#[test]
fn an_imported_history_rolls_back_with_live_values_and_names_the_others() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "[environment]\nKEPT = \"same\"\nCHANGED = \"old\"\n");
    project.commit("one");
    project.deploy();
    project.release("release two");
    project.deploy();
    let file = project.path().join("history.jsonl").display().to_string();
    project.run(&["journal", "export", &file]).exits(0);
    let clone = project.cloned("clone");
    clone.run(&["journal", "import", &file]).exits(0);
    clone.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"), "every value runs, so every value is there");
    project.write("surefoot.toml", "[environment]\nKEPT = \"same\"\nCHANGED = \"new\"\n");
    let late = project.cloned("late");
    late.run(&["journal", "import", &file]).exits(0);
    late.run(&["deploy"]).exits(0);
    let elsewhere = project.cloned("elsewhere");
    let file = project.path().join("later.jsonl").display().to_string();
    late.run(&["journal", "export", &file]).exits(0);
    elsewhere.run(&["journal", "import", &file]).exits(0);
    let before = elsewhere.run(&["journal", "head"]).out;
    let refused = elsewhere.run(&["rollback"]).exits(12).names("value-missing");
    refused.says("CHANGED").does_not_say("KEPT");
    assert_eq!(elsewhere.run(&["journal", "head"]).out, before, "no deployment was begun");
}

#[test]
fn a_runner_that_cached_the_export_alone_has_its_history_back() {
    let world = World::open();
    let project = deployed(&world);
    let runner = project.cloned("runner");
    fs::create_dir_all(runner.history()).unwrap();
    shell(&format!(
        "cp -a '{}' '{}'",
        project.history().join("export").display(),
        runner.history().display()
    ));
    runner.release("release three");
    runner.deploy().says("came back from its export");
    let rows = runner.run(&["history", "--json"]).exits(0).result();
    assert_eq!(rows["history"]["deployments"].as_array().unwrap().len(), 3);
    fs::remove_file(runner.history().join("journal.redb")).unwrap();
    fs::remove_file(runner.history().join("FORMAT")).unwrap();
    runner.run(&["rollback"]).exits(0).says("came back from its export");
    assert!(world.serves("shop", "release two"));
}

/// The journal of a project, without it: as a CI cache brings the export alone.
fn with_export_alone<'a>(project: &Project<'a>, name: &str) -> Project<'a> {
    let runner = project.cloned(name);
    fs::create_dir_all(runner.history()).unwrap();
    let (from, to) = (project.history().join("export"), runner.history().display());
    shell(&format!("cp -a '{}' '{to}'", from.display()));
    runner
}

#[test]
fn where_only_the_export_is_it_is_read_and_nothing_is_written() {
    let world = World::open();
    let project = deployed(&world);
    let runner = with_export_alone(&project, "runner");
    for command in [
        &["status", "--offline"][..],
        &["status"],
        &["history", "--offline"],
        &["history", "--since", "1h"],
        &["show", "1"],
        &["stats"],
        &["verify"],
        &["rollback", "--list"],
        &["logs", "--deployment", "1", "--source", "service"],
    ] {
        let json = [command, &["--json"]].concat();
        let (theirs, ours) = (project.run(&json).exits(0), runner.run(&json).exits(0));
        // These tell of two moments, to the millisecond.
        if !["verify", "stats"].contains(&command[0]) {
            assert_eq!(ours.out, theirs.out, "{command:?}");
        }
        ours.says("there is no journal here: this is what its export says");
    }
    runner.run(&["rollback", "--dry-run"]).exits(0);
    runner.run(&["prune"]).exits(0).says("Nothing to delete");
    let left: Vec<String> = fs::read_dir(runner.history())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["export"], "reading makes no journal");
    for command in ["verify", "head", "export"] {
        let ended = runner.run(&["journal", command]).exits(74).names("no-journal");
        ended.says("surefoot journal import").says("/export");
    }
    // What writes brings it back first.
    runner.run(&["mark", "2", "good", "--reason", "tried"]).exits(0).says("came back");
    runner.run(&["journal", "verify"]).exits(0);
    runner.run(&["show", "2"]).exits(0).says("marked good").does_not_say("what its export says");
    let pruner = with_export_alone(&project, "pruner");
    pruner.run(&["prune", "--grace", "0s", "--apply"]).exits(0).says("came back");
    pruner.run(&["journal", "verify"]).exits(0);
}

#[test]
fn an_export_that_was_edited_is_not_read_in_the_place_of_a_journal() {
    let world = World::open();
    let project = deployed(&world);
    let runner = with_export_alone(&project, "runner");
    let file = export(&runner).join("000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("tester", "nobody", 1)).unwrap();
    for command in
        [&["status", "--offline"][..], &["history"], &["show", "1"], &["resume"], &["deploy"]]
    {
        runner.run(command).exits(74).names("export-damaged").says("was changed");
    }
    // What is refused once is refused again: nothing is begun anew beside it.
    let refused = runner.run(&["deploy"]).exits(74).names("export-damaged");
    // The way out that it names is one.
    let aside = refused.err.split('`').find(|command| command.starts_with("mv ")).unwrap();
    shell(aside);
    runner.run(&["deploy"]).exits(0).says("what AWS tells is recorded");
    let runner = with_export_alone(&project, "another");
    let file = export(&runner).join("000000000001.jsonl");
    // One that is too large to be read in passing has to become a journal.
    fs::write(&file, text + &" ".repeat(17 * 1024 * 1024)).unwrap();
    let refused = runner.run(&["status", "--offline"]).exits(74).names("no-journal");
    refused.says("surefoot journal import");
}

#[test]
fn an_export_of_another_service_is_kept_apart() {
    let world = World::open();
    let project = deployed(&world);
    let other = Project::new(&world, "other");
    other.deploy();
    let name = other.path().join("other.jsonl").display().to_string();
    other.run(&["journal", "export", &name]).exits(0);
    let before = project.run(&["history", "--json"]).exits(0).out;
    project.run(&["journal", "import", &name]).exits(0).says("123456789012/eu-central-1/other");
    assert_eq!(project.run(&["history", "--json"]).exits(0).out, before);
    project.run(&["status", "--offline"]).exits(0).says("#2").does_not_say("other");
    let theirs = project.run(&["history", "--service", "other", "--json"]).exits(0).result();
    assert_eq!(theirs["history"]["deployments"].as_array().unwrap().len(), 1);
    project.run(&["journal", "verify"]).exits(0).says("2 streams");
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

/// A clone whose journal begins with what AWS tells, and a deployment behind it.
fn recovered<'a>(project: &Project<'a>) -> Project<'a> {
    let clone = project.cloned("clone");
    clone.release("release three");
    clone.deploy();
    clone
}

#[test]
fn what_ran_before_the_journal_began_is_shown_and_gone_back_to_by_its_number() {
    let world = World::open();
    let project = deployed(&world);
    project.run(&["show", "0"]).exits(2).says("there is no deployment #0").says("already");
    project.run(&["mark", "0", "good", "--reason", "x"]).exits(2).says("#0");
    project.run(&["rollback", "0"]).exits(26).names("nothing-to-go-back-to");
    let clone = recovered(&project);
    let listed = clone.run(&["rollback", "--list", "--json"]).exits(0).result();
    assert_eq!(listed["rollback_targets"]["targets"][0]["number"], 0, "{listed}");
    let shown = clone.run(&["show", "0"]).exits(0).says("found running").says("superseded");
    shown.says("surefoot rollback 0").says("recorded").does_not_say("begun");
    let story = clone.run(&["show", "0", "--json"]).exits(0).result();
    assert_eq!(story["deployment"]["number"], 0);
    assert_eq!(story["deployment"]["service"], "123456789012/eu-central-1/shop");
    let events = clone.run(&["show", "#0", "--events"]).exits(0);
    events.says("RecordRecovered").does_not_say("DeploymentPlanned");
    let page = clone.run(&["history", "--html", "page.html", "--json"]).exits(0).result();
    assert_eq!(page["page"]["deployments"], 1, "what ran before is shown, and was none");
    clone.run(&["resume", "0"]).exits(2).says("ran before this journal began");
    clone.run(&["logs", "--deployment", "0"]).exits(2).says("since when is not known");
    clone.run(&["rollback", "0", "--dry-run"]).exits(0);
    clone.run(&["rollback", "0"]).exits(0);
    assert!(world.serves("shop", "release two"));
    clone.run(&["history"]).exits(0).says("rollback to #0");
}

/// A CI run without its cache must not delete what the real journal offers.
#[test]
fn a_journal_that_began_anew_prunes_nothing() {
    let world = World::open();
    let project = deployed(&world);
    project.release("release three");
    project.deploy();
    world.age("shop", None, Duration::from_hours(240));
    let mut clone = project.cloned("clone");
    clone.set("XDG_STATE_HOME", &world.folder("another machine").display().to_string());
    clone.release("release four");
    let ended = clone.run(&["deploy", "--prune-images=10"]).exits(0);
    ended.says("pruning did not").says("began anew on `shop`").says("--without-history shop");
    clone.run(&["prune", "--grace", "0s", "--apply"]).exits(26).names("prune-incomplete");
    assert!(world.effective("BatchDeleteImage").is_empty());
    project.run(&["rollback", "1"]).exits(0);
}

#[test]
fn what_ran_before_the_journal_began_can_be_judged() {
    let world = World::open();
    let project = deployed(&world);
    let clone = recovered(&project);
    clone.run(&["mark", "0", "bad", "--reason", "leaks"]).exits(0).says("#0");
    clone.run(&["show", "0"]).exits(0).says("bad").says("leaks");
    clone.run(&["history"]).exits(0).says("leaks");
    clone.run(&["journal", "verify"]).exits(0);
    clone.run(&["rollback", "0"]).exits(26).names("nothing-to-go-back-to");
    clone.run(&["rollback"]).exits(26);
    let image = format!("shop:{}", project.tag());
    clone.run(&["deploy", "--image", &image]).exits(26).names("bad-release").says("leaks");
    clone.run(&["mark", "0", "good", "--reason", "it was the database"]).exits(0);
    clone.run(&["show", "0", "--events"]).exits(0).says("ReleaseMarked");
    clone.run(&["rollback", "0"]).exits(0);
    assert!(world.serves("shop", "release two"));
}

#[test]
fn a_tag_that_ran_before_the_journal_began_is_no_release_to_go_back_to() {
    let world = World::open();
    let project = deployed(&world);
    let mut source = world.describe("shop")["SourceConfiguration"].clone();
    let image = world.image("shop");
    let by_tag = format!("{}:{}", image.split('@').next().unwrap(), project.tag());
    source["ImageRepository"]["ImageIdentifier"] = by_tag.into();
    let change = json!({"ServiceArn": world.arn("shop"), "SourceConfiguration": source});
    world.app_runner("UpdateService", &change);
    world.idle("shop");
    let clone = recovered(&project);
    clone.run(&["show", "0"]).exits(0).says(&project.tag()).does_not_say("surefoot rollback 0");
    let refused = clone.run(&["rollback", "0"]).exits(26).names("nothing-to-go-back-to");
    refused.says("which image that was is not known");
    clone.run(&["mark", "0", "bad", "--reason", "x"]).exits(2).says("which image ran is not known");
}

#[test]
fn what_is_written_for_a_person_never_takes_the_place_of_the_journal() {
    let world = World::open();
    let project = deployed(&world);
    for file in ["journal.redb", "FORMAT", "export/new.jsonl", "new"] {
        let file = project.history().join(file).display().to_string();
        for command in [
            &["journal", "export", &file][..],
            &["history", "--offline", "--html", &file],
            &["prune", "--report", &file],
        ] {
            project.run(command).exits(1).says("unwritable").says("the directory of the journal");
        }
    }
    assert!(!project.history().join("new").exists());
    project.run(&["journal", "verify"]).exits(0);
}

#[test]
fn what_is_no_file_is_written_through_and_a_link_is_followed() {
    let world = World::open();
    let project = deployed(&world);
    let whole = project.run(&["journal", "export"]).exits(0).out;
    assert_eq!(project.run(&["journal", "export", "/dev/stdout"]).exits(0).out, whole);
    let page = project.run(&["history", "--html", "/dev/stdout"]).exits(0).out;
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let full = project.run(&["journal", "export", "/dev/full"]).exits(1);
    full.names("export-unwritable").says("no storage space").does_not_say("the journal cannot");
    project.run(&["journal", "export", "."]).exits(1).names("export-unwritable");
    project.run(&["journal", "export", "no/such"]).exits(1).names("export-unwritable");
    std::os::unix::fs::symlink("real.jsonl", project.path().join("link.jsonl")).unwrap();
    project.run(&["journal", "export", "link.jsonl"]).exits(0);
    assert!(project.path().join("link.jsonl").is_symlink());
    assert_eq!(fs::read_to_string(project.path().join("real.jsonl")).unwrap(), whole);
}

#[test]
fn a_refused_import_leaves_nothing_where_there_was_nothing() {
    let world = World::open();
    let project = deployed(&world);
    let whole = project.run(&["journal", "export"]).exits(0).out;
    let clone = project.cloned("clone");
    let cut = whole.lines().skip(1).take(3).collect::<Vec<_>>().join("\n") + "\n";
    let first = whole.lines().next().unwrap();
    let headless: Vec<&str> = whole.lines().skip(2).collect();
    for text in [
        String::new(),
        "nonsense\n".into(),
        format!("{first}\n{cut}"),
        whole.replacen("tester", "nobody", 1),
        format!("{first}\n{}\n", headless.join("\n")),
    ] {
        fs::write(clone.path().join("x.jsonl"), text).unwrap();
        clone.run(&["journal", "import", "x.jsonl"]).exits(74);
        assert!(!clone.history().exists());
    }
}

/// An export of an export is the same, escapes and all.
#[test]
fn no_output_and_no_export_carries_what_would_harm_a_terminal() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("USER", "ada\u{9b}31m\u{202e}\u{e0041}\u{ad}\u{7f}");
    project.deploy();
    let reason = "c1 \u{9b}31m bidi \u{202e} hidden \u{e0041} soft\u{ad} del \u{7f}";
    project.write("note", "release two");
    project.commit(reason);
    project.deploy();
    for command in [
        &["journal", "export"][..],
        &["journal", "export", "--format", "csv"],
        &["history", "--json"],
        &["show", "2", "--json"],
        &["show", "2", "--events"],
        &["show", "2", "--events", "--json"],
        &["status", "--json"],
    ] {
        let out = project.run(command).exits(0).out;
        let harmful = |c: char| c != '\n' && c != '\r' && surefoot::text::is_hostile(c);
        assert!(!out.contains(harmful), "{command:?}: {out:?}");
    }
    let export = project.run(&["journal", "export", "x.jsonl"]).exits(0);
    drop(export);
    let clone = project.cloned("clone");
    let file = project.path().join("x.jsonl").display().to_string();
    clone.run(&["journal", "import", &file]).exits(0);
    clone.run(&["journal", "verify"]).exits(0);
}

#[test]
fn damage_that_only_a_write_meets_is_verified_and_repaired() {
    let world = World::open();
    let project = deployed(&world);
    let database = project.history().join("journal.redb");
    let whole = fs::read(&database).unwrap();
    let mut header = whole.clone();
    header[40] ^= 0xff;
    for damaged in [whole[..whole.len() - 1].to_vec(), whole[..whole.len() - 4112].to_vec(), header]
    {
        fs::write(&database, &damaged).unwrap();
        project.run(&["mark", "2", "good", "--reason", "x"]).exits(74).says("journal repair");
        project.run(&["journal", "verify"]).exits(74).names("journal-damaged");
        project.run(&["journal", "repair"]).exits(0).says("from the export");
        project.run(&["journal", "verify"]).exits(0);
        project.run(&["mark", "2", "good", "--reason", "x"]).exits(0);
        project.run(&["rollback", "--list"]).exits(0);
    }
    let format = project.history().join("FORMAT");
    let text = fs::read_to_string(&format).unwrap();
    let id = text.lines().find(|line| line.starts_with("id ")).unwrap();
    let other = format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { "1" } else { "0" });
    fs::write(&format, text.replace(id, &other)).unwrap();
    project.run(&["status", "--offline"]).exits(74).says("journal repair");
    project.run(&["journal", "repair"]).exits(0);
    assert_eq!(fs::read_to_string(&format).unwrap(), text);
    project.run(&["journal", "verify"]).exits(0);
}
