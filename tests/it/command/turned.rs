//! A service that turned while nobody looked: paused, deleted, stuck, its old image gone. What
//! `rollback` and `resume --rollback` say then, with which exit code, and what to type next.

use serde_json::json;

use super::support::{Project, World};

/// Two releases, the second of them live; what was asked of AWS for them is forgotten.
fn two_releases(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    world.clear();
    project
}

/// A third one, killed when App Runner had accepted it; its operation has ended since.
fn killed(world: &World) -> Project<'_> {
    let project = two_releases(world);
    project.release("release three");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    world.idle("shop");
    world.clear();
    project
}

/// Somebody asks App Runner for this, and it is done.
fn somebody(world: &World, operation: &str) {
    world.app_runner(operation, &json!({"ServiceArn": world.arn("shop")}));
    if operation == "PauseService" {
        world.idle("shop");
    } else {
        world.until("it is gone", || !world.has("shop"));
    }
}

/// The next update fails, and App Runner's way back from it, too.
fn doom(world: &World) {
    world.fault(&json!([
        {"operation": "UpdateService", "kind": "exit-container", "code": 1},
        {"operation": "UpdateService", "kind": "rollback-failed"},
    ]));
}

fn digest(world: &World) -> String {
    world.image("shop").split('@').nth(1).unwrap().to_owned()
}

#[test]
fn a_rollback_of_a_paused_service_is_refused_and_says_how_to_wake_it() {
    let world = World::open();
    let project = two_releases(&world);
    somebody(&world, "PauseService");
    let ended = project.run(&["rollback"]).exits(20).names("service-paused");
    ended.says(&format!("aws apprunner resume-service --service-arn {}", world.arn("shop")));
    assert!(world.effective("UpdateService").is_empty());
    world.app_runner("ResumeService", &json!({"ServiceArn": world.arn("shop")}));
    world.idle("shop");
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn a_rollback_makes_no_service_anew_and_says_what_would() {
    let world = World::open();
    let project = two_releases(&world);
    somebody(&world, "DeleteService");
    for arguments in [&["rollback"][..], &["rollback", "1"], &["rollback", "--dry-run"]] {
        let ended = project.run(arguments).exits(20).names("service-gone");
        ended.says("Nothing was changed.").says("surefoot deploy --image ");
    }
    assert!(!world.has("shop") && world.effective("CreateService").is_empty());
    project.run(&["resume"]).exits(0).says("nothing to resume");
    // What it says to type works.
    let ended = project.run(&["rollback"]).exits(20);
    let told = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
    let command = told.split('`').find(|words| words.starts_with("surefoot deploy --image"));
    let words: Vec<_> = command.unwrap().split(' ').skip(1).collect();
    project.run(&words).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn a_rollback_whose_image_is_gone_is_refused_before_aws_is_touched() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let first = digest(&world);
    project.release("release two");
    project.deploy();
    world.delete_image("shop", &first);
    world.clear();
    let ended = project.run(&["rollback"]).exits(20).names("rollback-image-gone");
    ended.says("Nothing was changed.").says("surefoot rollback --list");
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    project.run(&["rollback", "--list"]).exits(0).says("#1");
    // A deployment that could not be taken back says so before it begins.
    world.delete_image("shop", &digest(&world));
    project.release("release three");
    project.deploy().says("note: ").says("ECR no longer holds");
}

#[test]
fn a_rollback_that_app_runner_can_neither_finish_nor_take_back_is_a_failed_rollback() {
    let world = World::open();
    let project = two_releases(&world);
    doom(&world);
    let ended = project.run(&["rollback"]).exits(15);
    ended.says("ROLLBACK_FAILED").says("surefoot status");
    project.run(&["resume"]).exits(0).says("nothing to resume");
    // It can be tried again, although the service is configured with that release already.
    project.run(&["rollback", "1"]).exits(0);
    assert!(world.serves("shop", "release one"));
    world.nothing_was_done_twice();
}

#[test]
fn who_paused_or_deleted_it_after_our_operation_is_named_and_nothing_is_taken_back() {
    for (operation, evidence, command) in [
        ("PauseService", "PAUSE_SERVICE", &["resume", "--rollback"][..]),
        ("DeleteService", "the service is gone", &["resume"]),
    ] {
        let world = World::open();
        let project = killed(&world);
        somebody(&world, operation);
        let ended = project.run(command).exits(16).names("attention").says(evidence);
        ended.says("surefoot status").says("surefoot show 3");
        assert!(world.effective("UpdateService").is_empty(), "{operation} {command:?}");
        assert!(world.effective("CreateService").is_empty(), "{operation} {command:?}");
        project.run(&["resume"]).exits(0).says("nothing to resume");
    }
}

#[test]
fn a_refused_rollback_names_what_is_still_possible() {
    let world = World::open();
    let project = two_releases(&world);
    let second = digest(&world);
    project.release("release three");
    project.deploy();
    world.delete_image("shop", &second);
    let refused = project.run(&["rollback"]).exits(20).names("rollback-image-gone");
    refused.says("of #1 is still possible").says("surefoot rollback 1 --service-name shop");
    project.run(&["rollback", "--list"]).exits(0).says("next: surefoot rollback 1");
    project.run(&["rollback", "1"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn a_way_back_whose_image_is_gone_is_a_failed_rollback_and_says_how_to_go_forward() {
    let world = World::open();
    let project = two_releases(&world);
    let second = digest(&world);
    project.release("release three");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    world.idle("shop");
    world.delete_image("shop", &second);
    let ended = project.run(&["resume", "--rollback"]).exits(15).names("rollback-image-gone");
    ended.says("surefoot deploy").says("surefoot rollback --list");
    assert!(world.serves("shop", "release three"));
}

#[test]
fn a_way_back_that_app_runner_can_neither_finish_nor_take_back_is_a_failed_rollback() {
    let world = World::open();
    let project = killed(&world);
    doom(&world);
    let ended = project.run(&["resume", "--rollback"]).exits(15);
    ended.says("Stuck").says("surefoot status").says("surefoot show 3");
    project.run(&["resume"]).exits(0).says("nothing to resume");
    // The next deployment is not held up by it.
    project.release("release four");
    project.deploy();
    assert!(world.serves("shop", "release four"));
}
