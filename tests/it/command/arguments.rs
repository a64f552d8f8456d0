//! Build arguments: they count for what is built, and their values are nowhere but in the journal's
//! own table.

use std::fs;

use serde_json::json;

use super::bad_input::rewritten;
use super::docker::Images;
use super::support::{Ended, Project, World, shell};

const CANARY: &str = "canary-argument";

/// Where it is in the data of `DeploymentPlanned`.
const ARGUMENT: &str = "/intent/target/origin/request/arguments/WORD";

/// A project that is built with an argument, by the section of this name with another one, and
/// whose tag says with which.
fn project(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    let settings = format!(
        "[build.arguments]\nWORD = \"{CANARY}\"\n[env.other.build.arguments]\nWORD = \"{CANARY}-2\"\n\
         [env.none.build.arguments]\n"
    );
    project.write("surefoot.toml", &settings);
    project.commit("arguments");
    project.write("untracked", "a tree that is not clean has a tag for each context\n");
    project
}

fn built(ended: &Ended) -> bool {
    ended.events().contains(&"ImageBuilt".to_owned())
}

/// A deployment whose process died before it built anything.
fn killed_before_the_build(world: &World, project: &Project<'_>) {
    let operation = "CreateRepository";
    world.fault(&json!({"operation": operation, "kind": "slow-answer", "milliseconds": 20000}));
    let run = project.start(&["deploy", "--json"]);
    run.until_intended("ensure_repository");
    world.until("the call took effect", || !world.effective(operation).is_empty());
    run.kill();
    world.clear();
}

fn shown(project: &Project<'_>) -> String {
    let mut said = String::new();
    for arguments in [
        &["status"][..],
        &["history", "--json"],
        &["show", "1", "--json"],
        &["show", "1", "--events"],
        &["show", "1", "--events", "--json"],
    ] {
        let ended = project.run(arguments).exits(0);
        said.push_str(&ended.out);
        said.push_str(&ended.err);
    }
    said
}

#[test]
fn the_value_of_an_argument_decides_what_is_built_and_is_in_no_event_and_no_export() {
    let world = World::open();
    let project = project(&world);
    let mut said = project.run(&["deploy", "--dry-run", "--json"]).exits(0).out;
    let first = project.deploy_json().exits(0);
    assert!(built(&first));
    let other = project.run(&["deploy", "--json", "--env", "other"]).exits(0);
    assert!(built(&other), "another value is another image: {}", other.out);
    let again = project.deploy_json().exits(0);
    assert!(!built(&again), "the first image is in ECR still: {}", again.out);
    for ended in [first, other, again] {
        said.push_str(&ended.out);
        said.push_str(&ended.err);
    }
    said.push_str(&shown(&project));
    said.push_str(&project.run(&["journal", "export"]).exits(0).out);
    said.push_str(&shell(&format!("cat '{}'/export/*/*", project.history().display())));
    assert!(said.contains("WORD"), "names are shown");
    assert!(!said.contains(CANARY), "a value was shown");
}

#[test]
fn a_resumed_build_takes_the_arguments_that_were_planned_from_the_journal() {
    let world = World::open();
    let project = project(&world);
    killed_before_the_build(&world, &project);
    // Whatever the settings say now: a plan is not changed any more.
    let ended = project.run(&["resume", "--json", "--env", "other"]).exits(0);
    assert!(built(&ended), "{}", ended.out);
    assert!(!project.deploy_json().exits(0).out.contains("UpdateIssued"), "that is what was built");
}

#[test]
fn an_imported_plan_names_the_argument_whose_value_is_elsewhere() {
    let world = World::open();
    let project = project(&world);
    killed_before_the_build(&world, &project);
    let mut clone = project.cloned("clone");
    clone.set("XDG_STATE_HOME", &world.folder("another machine").display().to_string());
    let file = clone.path().with_extension("jsonl").display().to_string();
    project.run(&["journal", "export", &file]).exits(0);
    assert!(!fs::read_to_string(&file).unwrap().contains(CANARY));
    clone.run(&["journal", "import", &file]).exits(0);
    fs::remove_file(&file).unwrap();
    let refused = clone.run(&["resume"]).exits(10).names("argument-missing");
    let refused = refused.says("unknown here: WORD").says("surefoot deploy");
    refused.says("was not touched").does_not_say(CANARY);
    assert!(built(&clone.deploy_json().exits(0)));
}

/// The same history as the first versions wrote it: with plain values in the plan.
fn made_old<'a>(project: &Project<'a>) -> Project<'a> {
    rewritten(project, "old", &|_, draft| {
        if let Some(argument) = draft.data.pointer_mut(ARGUMENT) {
            *argument = CANARY.into();
        }
    })
}

#[test]
fn a_journal_of_the_first_versions_is_resumed_and_its_plain_values_are_not_shown() {
    let world = World::open();
    let project = project(&world);
    killed_before_the_build(&world, &project);
    let old = made_old(&project);
    let bytes = fs::read(old.history().join("journal.redb")).unwrap();
    assert!(bytes.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()));
    assert!(!shown(&old).contains(CANARY));
    let ended = old.run(&["resume", "--json", "--env", "other"]).exits(0);
    assert!(built(&ended) && !ended.out.contains(CANARY), "{}", ended.out);
}

#[test]
fn a_real_build_that_repeats_an_argument_shows_and_keeps_none_of_it() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-argument");
    let project = Project::new(&world, "web-argument");
    let settings = format!(
        "[build.arguments]\nTOKEN = \"{CANARY}\"\n[environment]\nPLAIN = \"canary-plain-value\"\n"
    );
    project.write("surefoot.toml", &settings);
    fs::copy("/bin/busybox", project.path().join("busybox")).unwrap();
    project.write(
        "Dockerfile",
        "FROM scratch\nARG TOKEN\nCOPY busybox /bin/sh\nCOPY surefoot.toml /\nSHELL [\"/bin/sh\", \
         \"-ec\"]\nRUN set -x; echo $TOKEN; while read line; do echo \"$line\"; done \
         </surefoot.toml; exit 3\n",
    );
    project.commit("arguments");
    let ended = project.run(&["deploy"]).exits(10).names("build-failed").says("+ echo (hidden)");
    let mut said = format!("{}{}", ended.out, ended.err);
    said.push_str(&shown(&project));
    said.push_str(&project.run(&["journal", "export"]).exits(0).out);
    assert!(said.contains("PLAIN = \\\"(hidden)"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}
