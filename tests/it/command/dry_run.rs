//! What `--dry-run` prints is what a run sends, made by the same code, and it changes nothing.

use serde_json::Value;

use super::support::{Project, World};

/// No mutating call was even tried since the record was cleared.
#[track_caller]
fn nothing_was_asked_for(world: &World) {
    let calls = world.calls();
    let mutating: Vec<&Value> = calls.iter().filter(|call| call["mutating"] == true).collect();
    assert!(mutating.is_empty(), "{mutating:?}");
}

fn payloads(plan: &Value) -> Vec<(String, String)> {
    let rows = plan["plan"]["payloads"].as_array().unwrap().clone();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (word(row, "call"), word(row, "sha256"))).collect()
}

fn sent(world: &World) -> Vec<(String, String)> {
    let mut calls = world.calls();
    calls.retain(|call| {
        call["service"] == "apprunner" && call["mutating"] == true && call["effective"] == true
    });
    let text = |call: &Value, name: &str| call[name].as_str().unwrap().to_owned();
    calls.iter().map(|call| (text(call, "operation"), text(call, "sha256"))).collect()
}

#[test]
fn a_dry_run_of_a_first_deployment_changes_nothing_and_leaves_no_trace() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let ended = project.run(&["deploy", "--dry-run"]).exits(0);
    ended.says("CreateService").says("Nothing was changed").says("placeholder");
    nothing_was_asked_for(&world);
    assert!(!project.history().exists(), "not even an empty journal");
    assert!(!world.has("shop"));
    let git = project.git("status --porcelain");
    assert!(git.is_empty(), "{git}");
}

#[test]
fn a_real_run_sends_payloads_of_exactly_the_hashes_that_the_dry_run_printed() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("SUREFOOT_SERVICE_PORT", "8000");
    project.deploy();
    let tag = project.tag();
    project.release("release two");
    project.write("surefoot.toml", "[environment]\nLOG_LEVEL = \"info\"\nKEY = \"canary-value\"\n");
    let status = project.run(&["status", "--json"]).exits(0).result();
    let image = format!("shop@{}", status["status"]["log"]["live"]["digest"].as_str().unwrap());
    for arguments in [
        &["--image", &tag, "--force-restart"][..],
        &["--force-latest", "--force-restart"],
        &["--image", &image, "--service-name", "third", "--ecr-repo", "shop"],
    ] {
        let shop =
            if arguments.contains(&"--ecr-repo") { &[][..] } else { &["--ecr-repo", "shop"] };
        let arguments = [arguments, shop].concat();
        world.clear();
        let dry = [&["deploy", "--dry-run", "--json"], &arguments[..]].concat();
        let plan = project.run(&dry).exits(0).does_not_say("canary-value").result();
        nothing_was_asked_for(&world);
        let printed = payloads(&plan);
        assert_eq!(printed.len(), 1, "{plan}");
        let real = [&["deploy"], &arguments[..]].concat();
        project.run(&real).exits(0).does_not_say("canary-value");
        assert_eq!(printed, sent(&world), "{arguments:?}");
    }
}

#[test]
fn the_hash_is_that_of_the_unredacted_payload() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let tag = project.tag();
    let mut hashes = Vec::new();
    for value in ["one", "two"] {
        project.write("surefoot.toml", &format!("[environment]\nKEY = \"{value}\"\n"));
        let plan =
            project.run(&["deploy", "--dry-run", "--json", "--image", &tag]).exits(0).result();
        hashes.push(payloads(&plan));
    }
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn a_dry_run_with_nothing_to_change_prints_no_payload() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.clear();
    let plan = project.run(&["deploy", "--dry-run", "--json"]).exits(0).result();
    assert!(payloads(&plan).is_empty(), "{plan}");
    assert!(plan["plan"].to_string().contains("already live"), "{plan}");
    assert!(!plan["plan"].to_string().contains("await_operation"), "{plan}");
    nothing_was_asked_for(&world);
}

#[test]
fn a_dry_run_is_not_kept_out_by_a_deployment_that_holds_the_service() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("OperationSucceeded");
    let clone = project.cloned("clone");
    clone.run(&["deploy", "--dry-run"]).exits(0);
    run.end().exits(0);
}

#[test]
fn a_dry_run_that_preflight_stops_says_so_with_its_code() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("SUREFOOT_SERVICE_ACCESS_ROLE", "NoSuchRole");
    project.run(&["deploy", "--dry-run"]).exits(20).says("NoSuchRole");
    project.run(&["deploy", "--dry-run", "--json"]).exits(20).result();
    nothing_was_asked_for(&world);
}

/// What is gone back to brings its own configuration: the file's is neither warned of nor listed.
#[test]
fn a_dry_run_of_a_rollback_does_not_speak_of_the_files_configuration() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    let file = "[service]\nport = \"9999\"\n[app_runner_health_check]\ninterval = 7\n";
    project.write("surefoot.toml", file);
    let ended = project.run(&["rollback", "1", "--dry-run"]).exits(0);
    ended.does_not_say("9999").does_not_say("app_runner_health_check");
    project.run(&["rollback", "1", "--image-only", "--dry-run"]).exits(0).does_not_say("9999");
}
