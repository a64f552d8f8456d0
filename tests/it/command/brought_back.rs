//! A journal that is brought back, and a death in the middle of it: whole before or whole after, never a
//! part of a history that would be taken for all of it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use surefoot::journal::redb::{JournalId, RedbJournal};

use super::support::{Project, World, shell};

/// Moments at which each command is killed.
const KILLS: u32 = 16;

/// Two services with one journal between them, and two deployments each.
fn two_services(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    for release in ["release one", "release two"] {
        project.release(release);
        project.deploy();
        project.run(&["deploy", "--service-name", "depot", "--ecr-repo", "shop"]).exits(0);
    }
    project
}

fn rows(project: &Project<'_>, service: &str) -> Vec<Value> {
    let ended = project.run(&["history", "--offline", "--json", "--service-name", service]);
    ended.exits(0).result()["history"]["deployments"].as_array().unwrap().clone()
}

fn copied(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    shell(&format!("mkdir -p '{0}' && cp -a '{1}/.' '{0}'", to.display(), from.display()));
}

/// Runs a command once to its end, to know how long it takes, and then kills it at moments spread over that.
fn killed_at_every_moment(
    project: &Project<'_>,
    command: &[&str],
    afresh: impl Fn(),
    examine: impl Fn(&str),
) {
    afresh();
    #[expect(clippy::disallowed_methods, reason = "how long a process takes is of this machine")]
    let begun = Instant::now();
    project.run(command).exits(0);
    let whole = begun.elapsed();
    for moment in 1..=KILLS {
        afresh();
        let run = project.start(command);
        std::thread::sleep(whole * moment / KILLS);
        run.kill();
        examine(&format!("killed at {moment}/{KILLS} of {whole:?}"));
    }
}

#[test]
fn a_process_killed_while_the_journal_comes_back_from_its_export_leaves_all_of_it_or_none() {
    let world = World::open();
    let project = two_services(&world);
    let runner = project.cloned("runner");
    let afresh = || {
        drop(fs::remove_dir_all(runner.history()));
        copied(&project.history().join("export"), &runner.history().join("export"));
    };
    killed_at_every_moment(&runner, &["mark", "1", "good", "--reason", "kept"], afresh, |when| {
        assert_eq!(rows(&runner, "shop").len(), 2, "{when}");
        assert_eq!(rows(&runner, "depot").len(), 2, "{when}");
        runner.run(&["mark", "1", "good", "--reason", "x", "--service-name", "depot"]).exits(0);
        runner.run(&["journal", "verify"]).exits(0);
    });
}

/// As a death between the making of a journal and its filling leaves it.
#[test]
fn an_empty_journal_beside_an_export_is_none() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let runner = project.cloned("runner");
    copied(&project.history().join("export"), &runner.history().join("export"));
    RedbJournal::create(runner.history(), JournalId(7)).unwrap();
    for command in ["verify", "head", "export", "repair"] {
        let ended = runner.run(&["journal", command]).exits(74).names("no-journal");
        ended.says("surefoot journal import");
    }
    assert_eq!(rows(&runner, "shop").len(), 1);
}

#[test]
fn an_import_that_is_killed_imports_all_of_it_or_nothing() {
    let world = World::open();
    let project = two_services(&world);
    let clone = project.cloned("clone");
    let export = project.history().join("export").display().to_string();
    let afresh = || drop(fs::remove_dir_all(clone.history()));
    killed_at_every_moment(&clone, &["journal", "import", &export], afresh, |when| {
        let heads = clone.run(&["journal", "head"]).out;
        assert!(matches!(heads.lines().count(), 0 | 2), "{when}: {heads}");
        clone.run(&["journal", "import", &export]).exits(0);
        assert_eq!(rows(&clone, "depot"), rows(&project, "depot"));
    });
}

#[test]
fn a_repair_that_is_killed_is_recorded_or_did_not_happen() {
    let world = World::open();
    let project = two_services(&world);
    let broken = project.cloned("broken");
    copied(project.history(), broken.history());
    let database = broken.history().join("journal.redb");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(&database, bytes).unwrap();
    let damaged = broken.history().with_file_name("damaged");
    copied(broken.history(), &damaged);
    let afresh = || copied(&damaged, broken.history());
    killed_at_every_moment(&broken, &["journal", "repair"], afresh, |when| {
        broken.run(&["journal", "repair"]).exits(0);
        for service in ["shop", "depot"] {
            let history = broken.run(&["history", "--offline", "--service-name", service]);
            history.exits(0).says("the journal was damaged").says("damaged-");
            assert_eq!(rows(&broken, service), rows(&project, service), "{when}");
        }
    });
}

#[test]
fn a_journal_that_is_older_than_its_own_export_is_not_believed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let database = project.history().join("journal.redb");
    let older = fs::read(&database).unwrap();
    project.release("release two");
    project.deploy();
    fs::write(&database, older).unwrap();
    for command in [
        &["status"][..],
        &["status", "--offline"],
        &["history"],
        &["show", "1"],
        &["deploy"],
        &["rollback", "--list"],
        &["mark", "1", "good", "--reason", "x"],
        &["prune"],
        &["verify"],
        &["preflight"],
        &["journal", "verify"],
        &["journal", "head"],
        &["journal", "export"],
        &["journal", "repair"],
    ] {
        project.run(command).exits(74).names("journal-behind").says("surefoot journal import");
    }
    let export = project.history().join("export").display().to_string();
    project.run(&["journal", "import", &export]).exits(0);
    assert_eq!(rows(&project, "shop").len(), 2);
    project.run(&["journal", "verify"]).exits(0);
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
    assert!(!project.history().join("export-parted").exists(), "nothing parted");
}
