//! Whoever goes on, or goes back, holds the lock until the end, in the world the journal belongs to.

use serde_json::json;

use super::support::{Project, World};

/// Everything that changes the service takes its time from now on.
fn slow(world: &World) {
    for operation in ["CreateService", "UpdateService"] {
        world.fault(&json!({"operation": operation, "kind": "slow-operation", "factor": 60}));
    }
}

#[test]
fn resume_holds_the_lock_until_the_end() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    slow(&world);
    let first = project.start(&["deploy", "--json"]);
    first.until_event("CreateIssued");
    first.kill();
    let next = project.start(&["resume", "--json"]);
    next.until_event("Resumed");
    project.run(&["deploy"]).exits(23).names("locked");
    next.kill();
}

#[test]
fn rollback_holds_the_lock_until_the_end() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    slow(&world);
    let back = project.start(&["rollback", "--json"]);
    back.until_event("UpdateIssued");
    project.run(&["deploy"]).exits(23).names("locked");
    back.kill();
}

#[test]
fn a_deployment_of_another_world_is_not_resumed_in_this_one() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    slow(&world);
    let first = project.start(&["deploy", "--json"]);
    first.until_event("CreateIssued");
    first.kill();
    let other = World::open();
    let mut stranger = Project::new(&other, "shop");
    stranger.set("SUREFOOT_HISTORY_DIR", &project.history().display().to_string());
    for command in [&["resume"][..], &["resume", "--rollback"]] {
        stranger.run(command).exits(74).names("mixed-worlds");
    }
    assert!(other.effects().is_empty());
}
