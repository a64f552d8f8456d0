//! `--lock-wait`: who would be refused waits, says for whom, and can be stopped.

use serde_json::json;

use super::support::{Project, Run, World};

/// A deployment that takes its time.
fn slow(world: &World, project: &Project<'_>, factor: u32) -> Run {
    world.fault(&json!({"operation": "CreateService", "kind": "slow-operation", "factor": factor}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("CreateIssued");
    run
}

#[test]
fn the_next_waits_says_for_whom_and_goes_on_with_fresh_eyes() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let clone = project.cloned("clone");
    let first = slow(&world, &project, 3);
    clone.release("release two");
    let next = clone.start(&["deploy", "--lock-wait"]);
    next.until_said(&format!("process {}", first.id()));
    first.end().exits(0);
    next.end().exits(0);
    assert!(world.serves("shop", "release two"));
    world.nothing_was_done_twice();
}

/// `resume` is no advice while somebody is at it, and the only one once he is dead.
#[test]
fn status_tells_a_deployment_under_way_from_one_that_was_killed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = slow(&world, &project, 3);
    for offline in [&["status"][..], &["status", "--offline"]] {
        let status = project.run(offline).exits(0).says("is under way").says("surefoot deploy");
        status.says(&format!("process {}", run.id())).does_not_say("surefoot resume");
    }
    run.kill();
    let status = project.run(&["status"]).exits(0).says("is unfinished").says("surefoot resume");
    assert!(status.out.contains("next: surefoot resume --service-name"), "{}", status.out);
    project.run(&["resume"]).exits(0);
}

/// The image asked for by a tag that moves while another deployment is waited for.
#[test]
fn what_was_seen_before_the_wait_is_looked_at_again() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let clone = project.cloned("clone");
    project.release("release two");
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 3}));
    let first = project.start(&["deploy", "--json"]);
    first.until_event("UpdateIssued");
    let next = clone.start(&["deploy", "--image", "shop:latest", "--lock-wait"]);
    next.until_said(&format!("process {}", first.id()));
    first.end().exits(0);
    next.end().exits(0);
    assert!(world.serves("shop", "release two"));
    world.nothing_was_done_twice();
}

#[test]
fn who_waits_too_long_is_refused_as_ever() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let first = slow(&world, &project, 60);
    for command in [&["deploy"][..], &["rollback"], &["resume"]] {
        let arguments = [command, &["--lock-wait", "1s"]].concat();
        project.run(&arguments).exits(23).names("locked").says("waiting for");
    }
    let arguments = ["mark", "1", "bad", "--reason", "x", "--lock-wait", "600ms"];
    project.run(&arguments).exits(23).says("waiting for");
    project.run(&["deploy"]).exits(23).does_not_say("waiting for").says("--lock-wait");
    project.run(&["status", "--lock-wait"]).exits(2);
    first.kill();
}

#[test]
fn waiting_is_ended_by_ctrl_c_and_changes_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let first = slow(&world, &project, 60);
    let next = project.start(&["deploy", "--lock-wait", "10m"]);
    next.until_said("waiting for");
    next.signal("INT");
    next.end().exits(130).names("interrupted").says("Nothing was changed.");
    first.kill();
    assert_eq!(world.operations("shop").len(), 1);
}

#[test]
fn a_deployments_number_is_not_taken_for_a_time() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.run(&["rollback", "--lock-wait", "17"]).exits(2).names("usage").says("unit");
    project.run(&["deploy", "--lock-wait", "soon"]).exits(2);
}

#[test]
fn what_another_clone_left_unfinished_is_in_the_way_and_its_journal_is_named() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let clone = project.cloned("clone");
    project.release("release two");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    clone.run(&["deploy"]).exits(23).names("locked");
    run.kill();
    let state = clone.run(&["deploy"]).exits(25).names("pending").says("#2").says("another clone");
    clone.run(&["deploy"]).exits(25);
    let place = project.history().display().to_string();
    let status = clone.run(&["status"]).exits(0).says("another clone on this machine left #2");
    let next = format!("surefoot resume --service-name shop --history-dir {place}");
    status.says(&next).does_not_say("surefoot deploy");
    clone.run(&["status", "--exit-code"]).exits(25);
    // Who was refused has begun no journal of what he found in the middle of it.
    clone.run(&["history"]).exits(0).says("Nothing was deployed from here yet");
    // The command that it names goes on, from here.
    state.says("surefoot resume --service-name shop").says(&format!("--history-dir {place}"));
    clone.run(&["resume", "--history-dir", &place]).exits(0);
    assert!(world.serves("shop", "release two"));
    clone.run(&["status"]).exits(0).does_not_say("another clone on this machine left");
    clone.release("release three");
    clone.deploy();
    world.nothing_was_done_twice();
}
