//! A world that misbehaves: the verdict stays true, and nothing is done twice.

use serde_json::{Value, json};

use super::support::{Project, World};

/// A service that runs release one, and a project that is about to deploy release two.
fn second_release(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    project.deploy();
    project.release("release two");
    project
}

/// The service runs what the project's last deployment asked for, asked for once.
fn ended_well(world: &World, project: &Project<'_>) {
    project.run(&["status"]).exits(0).does_not_say("unfinished").does_not_say("outside surefoot");
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
    world.nothing_was_done_twice();
    assert!(world.serves("shop", "release two"));
}

#[test]
fn a_creation_whose_answer_is_lost_is_found_and_not_repeated() {
    for kind in ["error-after-effect", "cut-after-effect", "garbage-answer"] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        world.fault_once("CreateService", kind);
        project.deploy();
        assert_eq!(world.effective("CreateService").len(), 1, "{kind}");
        assert_eq!(world.operations("shop").len(), 1, "{kind}");
    }
}

#[test]
fn an_update_whose_answer_is_lost_is_found_and_not_repeated() {
    for kind in ["error-after-effect", "cut-after-effect", "garbage-answer"] {
        let world = World::open();
        let project = second_release(&world);
        world.fault_once("UpdateService", kind);
        project.deploy();
        assert_eq!(world.effective("UpdateService").len(), 1, "{kind}");
        ended_well(&world, &project);
    }
}

#[test]
fn a_change_that_never_reached_app_runner_is_made_after_looking() {
    for (operation, kind) in [
        ("CreateService", "error-before-effect"),
        ("CreateService", "cut-before-effect"),
        ("UpdateService", "error-before-effect"),
        ("UpdateService", "cut-before-effect"),
    ] {
        let world = World::open();
        world.fault_once(operation, kind);
        let project = second_release(&world);
        project.deploy();
        assert_eq!(world.effective(operation).len(), 1, "{operation} {kind}");
        ended_well(&world, &project);
    }
}

#[test]
fn an_answer_lost_while_the_list_lags_is_still_not_repeated() {
    let world = World::switched(&["operations-lag-seconds=60", "service-lag-seconds=10"]);
    let project = second_release(&world);
    world.fault_once("UpdateService", "cut-after-effect");
    project.deploy();
    assert_eq!(world.effective("UpdateService").len(), 1);
    ended_well(&world, &project);
}

#[test]
fn lagging_lists_and_descriptions_change_nothing() {
    let world = World::switched(&[
        "operations-lag-seconds=30",
        "service-lag-seconds=10",
        "logs-lag-seconds=10",
        "operation-starts=pending",
    ]);
    let project = second_release(&world);
    project.deploy();
    ended_well(&world, &project);
}

#[test]
fn throttling_everywhere_slows_down_and_breaks_nothing() {
    let world = World::open();
    world.fault(&json!({"operation": "*", "kind": "throttle", "percent": 20, "times": null}));
    let project = Project::new(&world, "shop");
    // Throttled for long it may pause; `resume` as often as it takes.
    let mut ended = project.run(&["deploy"]);
    for _ in 0..5 {
        if ended.code == 24 {
            ended = project.run(&["resume"]);
        }
    }
    ended.exits(0);
    world.clear();
    assert_eq!(world.operations("shop").len(), 1);
}

#[test]
fn an_update_that_is_throttled_once_had_no_effect_and_is_sent_again() {
    let world = World::open();
    let project = second_release(&world);
    world.fault_once("UpdateService", "throttle");
    project.deploy();
    ended_well(&world, &project);
}

#[test]
fn reads_that_fail_for_a_moment_are_borne() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!([
        {"operation": "DescribeService", "kind": "error-before-effect", "percent": 30, "times": null},
        {"operation": "List*", "kind": "cut-before-effect", "percent": 20, "times": null},
        {"operation": "FilterLogEvents", "kind": "error-before-effect", "times": null},
        {"operation": "GetLogEvents", "kind": "error-before-effect", "times": null},
    ]));
    let mut ended = project.run(&["deploy"]);
    for _ in 0..5 {
        if ended.code == 24 {
            ended = project.run(&["resume"]);
        }
    }
    ended.exits(0);
    world.clear();
    project.run(&["status"]).exits(0).does_not_say("unfinished");
    world.idle("shop");
    assert_eq!(world.operations("shop").len(), 2);
}

#[test]
fn credentials_that_expire_in_the_very_update_pause_and_resume_sends_it_once() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(
        &json!({"operation": "UpdateService", "kind": "expired-credentials", "times": null}),
    );
    project.run(&["deploy"]).exits(24).says("aws sso login");
    assert!(world.effective("UpdateService").is_empty());
    world.clear();
    project.run(&["resume"]).exits(0);
    assert_eq!(world.effective("UpdateService").len(), 1);
    ended_well(&world, &project);
}

#[test]
fn a_network_that_goes_away_in_the_wait_pauses_and_resume_goes_on() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!([
        {"operation": "List*", "kind": "cut-before-effect", "times": null, "skip": 3},
        {"operation": "Describe*", "kind": "cut-before-effect", "times": null, "skip": 3},
    ]));
    let ended = project.run(&["deploy"]);
    assert!(matches!(ended.code, 20 | 24), "{ended:?}");
    world.clear();
    if ended.code == 24 {
        project.run(&["resume"]).exits(0);
    } else {
        project.deploy();
    }
    ended_well(&world, &project);
}

#[test]
fn somebody_who_deploys_over_us_is_never_reported_as_our_success() {
    for act in ["update", "replace-environment", "deploy"] {
        let world = World::open();
        let project = second_release(&world);
        world.fault(&json!({"operation": "UpdateService", "kind": "foreign", "service": "shop",
            "act": {"do": act}, "after-milliseconds": 0}));
        let ended = project.run(&["deploy"]);
        // A foreign `deploy` starts the very release again: then ours may be proven all the same,
        // where it had ended before theirs began.
        assert!(ended.code == 16 || act == "deploy" && ended.code == 0, "{act}: {ended:?}");
        world.idle("shop");
    }
}

#[test]
fn somebody_who_deploys_before_our_call_is_not_overwritten() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!({"operation": "UpdateService", "kind": "foreign", "service": "shop",
        "act": {"do": "update"}, "before": true}));
    let ended = project.run(&["deploy"]);
    assert!(matches!(ended.code, 12 | 16), "{ended:?}");
    world.idle("shop");
    let variables = &world.describe("shop")["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
        ["RuntimeEnvironmentVariables"];
    assert!(variables["SOMEBODY_ELSE"].is_string(), "{variables}");
}

#[test]
fn a_service_deleted_in_the_middle_is_never_a_success() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!({"operation": "UpdateService", "kind": "foreign", "service": "shop",
        "act": {"do": "delete"}, "after-milliseconds": 0}));
    let ended = project.run(&["deploy"]);
    assert!(!matches!(ended.code, 0 | 101), "{ended:?}");
}

#[test]
fn a_service_paused_in_the_middle_is_never_a_success() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!({"operation": "UpdateService", "kind": "foreign", "service": "shop",
        "act": {"do": "pause"}, "after-milliseconds": 0}));
    let ended = project.run(&["deploy"]);
    assert!(!matches!(ended.code, 0 | 101), "{ended:?}");
}

#[test]
fn a_pull_that_fails_is_named_by_its_cause() {
    for (reason, says) in
        [("copy", "copy"), ("missing", "image"), ("role", "role"), ("role-older", "role")]
    {
        let world = World::open();
        let project = second_release(&world);
        let before = world.image("shop");
        world.fault(&json!({"operation": "UpdateService", "kind": "fail-pull", "reason": reason}));
        // A role takes App Runner forty minutes: longer than the deadline leaves for going back.
        project.run(&["deploy", "--deploy-timeout", "60s"]).exits(12).says(says);
        assert_eq!(world.image("shop"), before);
    }
}

#[test]
fn a_container_that_exits_is_named_before_the_operation_ends() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!({"operation": "UpdateService", "kind": "exit-container", "code": 137}));
    project.run(&["deploy"]).exits(12).says("memory");
}

#[test]
fn a_busy_service_is_waited_for_even_where_no_operation_says_why() {
    let world = World::open();
    let project = second_release(&world);
    world.fault(&json!({"operation": "GetCallerIdentity", "kind": "maintenance",
        "service": "shop", "milliseconds": 1500}));
    project.deploy();
    ended_well(&world, &project);
}

#[test]
fn an_ecr_that_answers_garbage_is_said_and_nothing_is_changed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(
        &json!({"operation": "DescribeRepositories", "kind": "garbage-answer", "times": null}),
    );
    let ended = project.run(&["deploy"]);
    assert!(matches!(ended.code, 20 | 24), "{ended:?}");
    assert!(!world.has("shop"));
    world.clear();
    world.fault(
        &json!({"operation": "GetAuthorizationToken", "kind": "garbage-answer", "times": null}),
    );
    let ended = project.run(&["deploy"]);
    assert!(matches!(ended.code, 11 | 24 | 25), "{ended:?}");
    assert!(!world.has("shop"));
}

#[test]
fn a_first_deployment_that_fails_deletes_nothing_and_says_how_to() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault_once("CreateService", "fail-health");
    let ended = project.run(&["deploy"]).exits(12);
    ended.says("nothing to roll back to").says("delete-service").says("surefoot deploy");
    assert!(world.has("shop"), "never deleted");
    assert!(!world.effects().contains_key("DeleteService"));
    // The update rebuilds it.
    project.release("release two");
    project.deploy();
    ended_well(&world, &project);
}

#[test]
fn every_end_of_app_runners_own_rollback_is_told_as_a_failed_deployment() {
    for position in ["succeeded", "failed", "rollback-failed"] {
        let world = World::switched(&[&format!("rollback-ends={position}")]);
        let project = second_release(&world);
        let before = world.image("shop");
        world.fault_once("UpdateService", "fail-health");
        // Where App Runner cannot take it back, we do.
        let ended = project.run(&["deploy", "--json"]).exits(12);
        assert_eq!(ended.result()["ok"], Value::Bool(false));
        assert_eq!(world.image("shop"), before, "{position}");
        assert!(world.serves("shop", "release one"), "{position}");
        world.nothing_was_done_twice();
    }
}

#[test]
fn an_aws_that_goes_away_pauses_and_resume_goes_on_when_it_is_back() {
    let world = World::kept();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    // The proof takes long enough for the cable to be pulled.
    world.fault(&json!({"operation": "DescribeService", "kind": "slow-answer",
        "milliseconds": 3000, "times": null, "skip": 3}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("OperationSucceeded");
    world.stop();
    run.end().exits(24).says("surefoot resume");
    project.run(&["status"]).exits(0).says("unfinished").says("could not be asked");
    project.run(&["resume"]).exits(24);
    world.start();
    world.clear();
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project);
}

#[test]
fn an_aws_that_is_not_there_at_all_is_told_from_wrong_credentials() {
    let world = World::kept();
    let project = Project::new(&world, "shop");
    world.stop();
    project.run(&["deploy"]).exits(20).names("aws-unreachable").says("network");
    project.run(&["status"]).exits(0);
    world.start();
    project.deploy();
}

#[test]
fn two_machines_without_a_common_lock_never_both_claim_what_is_not_so() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let mut other = project.cloned("other");
    other.set("XDG_STATE_HOME", &world.folder("other-state").display().to_string());
    project.release("release two");
    other.release("release of another");
    let runs = [project.start(&["deploy", "--json"]), other.start(&["deploy", "--json"])];
    let ended = runs.map(super::support::Run::end);
    world.idle("shop");
    let image = world.image("shop");
    let mut live = 0;
    for ended in &ended {
        assert!(matches!(ended.code, 0 | 12 | 16), "{ended:?}");
        let digest = ended.result()["summary"]["digest"].as_str().unwrap_or("none").to_owned();
        if ended.code == 0 && image.ends_with(&digest) {
            live += 1;
        }
    }
    assert_eq!(live, 1, "what serves is what one of them claims: {ended:?}");
    world.nothing_was_done_twice();
}

/// An update of the service as another client sends it: everything as it is, and one more variable.
fn foreign_update(service: &Value) -> Value {
    let mut source = service["SourceConfiguration"].clone();
    let image = &mut source["ImageRepository"]["ImageConfiguration"];
    image["RuntimeEnvironmentVariables"]["SOMEBODY_ELSE"] = json!("was here");
    json!({"ServiceArn": service["ServiceArn"], "SourceConfiguration": source})
}

#[test]
fn another_client_that_updates_after_our_operation_is_named_and_never_our_success() {
    let world = World::open();
    let project = second_release(&world);
    let before = world.describe("shop");
    // The proof takes long enough for somebody else to come in between.
    world.fault(&json!({"operation": "DescribeService", "kind": "slow-answer",
        "milliseconds": 3000, "times": null, "skip": 3}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("OperationSucceeded");
    let theirs = world.app_runner("UpdateService", &foreign_update(&before));
    let ended = run.end().exits(16).names("attention");
    assert_eq!(ended.result()["summary"]["succeeded"], false);
    ended.says(theirs["OperationId"].as_str().unwrap()).says("newer than our operation");
    world.clear();
    world.idle("shop");
    project.run(&["status"]).exits(0).says("outside surefoot");
}

#[test]
fn a_service_that_another_client_keeps_busy_is_refused_with_what_aws_tells() {
    let world = World::open();
    let mut project = second_release(&world);
    project.set("SUREFOOT_TIMES_BUSY_WAIT", "1s");
    let before = world.describe("shop");
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 30}));
    let theirs = world.app_runner("UpdateService", &foreign_update(&before));
    let ended = project.run(&["deploy"]).exits(12).names("service-busy");
    let ended = ended.says(theirs["OperationId"].as_str().unwrap()).says("not from this journal");
    ended.says("UPDATE_SERVICE").says("since 20").says("does not say who");
    assert_eq!(world.effective("UpdateService").len(), 1, "ours was never asked for");
}

#[test]
fn a_network_that_is_unplugged_in_mid_operation_pauses_and_resume_goes_on() {
    for factor in [1, 4] {
        let world = World::kept();
        let project = second_release(&world);
        world.fault(
            &json!({"operation": "UpdateService", "kind": "slow-operation", "factor": factor}),
        );
        let run = project.start(&["deploy", "--json"]);
        run.until_event("UpdateIssued");
        world.pause(std::time::Duration::from_millis(400));
        world.stop();
        run.end().exits(24).names("unreachable").says("surefoot resume");
        project.run(&["resume"]).exits(24);
        // What is unfinished comes before what cannot be reached.
        let second = project.run(&["deploy"]).exits(25).names("pending").says("could not reach");
        second.says("surefoot resume --abandon --reason WHY").says("surefoot resume --service");
        world.start();
        project.run(&["resume"]).exits(0).says("live");
        ended_well(&world, &project);
        assert_eq!(world.operations("shop").len(), 2);
    }
}

#[test]
fn a_previous_image_that_vanished_makes_the_failed_way_back_a_true_verdict() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write(
        "surefoot.toml",
        "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n",
    );
    project.answers_with_label("state", "well");
    project.commit("asserts");
    project.deploy();
    let digest = world.image("shop").split('@').nth(1).unwrap().to_owned();
    project.answers_with_label("state", "sick");
    project.release("release two");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    let body = json!({"repositoryName": "shop", "imageIds": [{"imageDigest": digest}]});
    let target = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage";
    assert_eq!(world.call(target, &body).0, 200);
    let ended = run.end().exits(15).names("rollback-image-gone");
    let ended = ended.says("cannot be brought back").says("is still configured with");
    assert!(ended.events().contains(&"RollbackFailed".to_owned()), "{}", ended.out);
    project.run(&["history"]).exits(0).says("rollback failed");
}

#[test]
fn a_plain_value_that_the_application_logs_is_not_journalled() {
    let world = World::open();
    if !world.runs_images() {
        return super::support::say("SKIPPED (no isolation)");
    }
    let project = Project::new(&world, "shop");
    // The application logs the path of each request, and here that is a value, too.
    let settings = "[environment]\nPROBE = \"/healthz\"\n[health]\nretries = 2\n\
                    [health.assert]\nlabels.state = \"well\"\n";
    project.write("surefoot.toml", settings);
    project.answers_with_label("state", "sick");
    project.commit("sick");
    project.run(&["deploy", "--json"]).exits(13);
    let events = project.run(&["show", "1", "--events", "--json"]).exits(0).result();
    let events = events["events"].as_array().unwrap().clone();
    let failed = events.iter().find(|event| event["event"] == "HealthFailed");
    let lines = failed.unwrap()["data"]["application_log"].to_string();
    assert!(lines.contains("GET (hidden)") && !lines.contains("/healthz"), "{lines}");
}
