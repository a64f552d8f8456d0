//! `surefoot prune` and `deploy --prune-images`: what is needed stays, and what is said is true.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Ended, Project, Run, World};

/// A service that shares the repository and the journal of another.
fn neighbour<'a>(world: &'a World, project: &Project<'a>, service: &str) -> Project<'a> {
    let mut neighbour = Project::new(world, service);
    neighbour.set("ECR_REPOSITORY", "shop");
    neighbour.set("SUREFOOT_HISTORY_DIR", &project.history().display().to_string());
    neighbour
}

const APPLY: [&str; 6] = ["prune", "--keep", "2", "--grace", "0s", "--apply"];

/// Starts `prune --apply` with something that delays the policy's answer: between the first look,
/// on which the decision rests, and the look before the first call.
fn between_the_looks(world: &World, project: &Project<'_>) -> Run {
    world.clear();
    world.fault(
        &json!({"operation": "GetLifecyclePolicy", "kind": "slow-answer", "milliseconds": 4000}),
    );
    let run = project.start(&APPLY);
    world.until("the first look is over", || {
        world.calls().iter().any(|call| call["operation"] == "GetLifecyclePolicy")
    });
    run
}

/// Pushes images as surefoot would have, which nothing needs.
fn fill(world: &World, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| world.push("shop", Some(&format!("{number:012x}")), &format!("old {number}")))
        .collect()
}

fn targets(project: &Project<'_>) -> Vec<Value> {
    let listed = project.run(&["rollback", "--list", "--json"]).exits(0).result();
    listed["rollback_targets"]["targets"].as_array().unwrap().clone()
}

/// No index of the repository misses a part.
fn whole(world: &World) {
    let there: BTreeSet<String> = world.images("shop").into_keys().collect();
    for digest in &there {
        let missing: Vec<String> =
            world.parts("shop", digest).difference(&there).cloned().collect();
        assert!(missing.is_empty(), "{digest} misses {missing:?}");
    }
}

fn deleted(ended: &Ended) -> usize {
    ended.result()["pruned"]["deleted"].as_array().map_or(0, Vec::len)
}

#[test]
fn two_services_that_share_a_repository_can_both_restart_and_go_back_as_offered() {
    let world = World::open();
    let shop = Project::new(&world, "shop");
    let stall = neighbour(&world, &shop, "stall");
    for number in 1..=4 {
        for project in [&shop, &stall] {
            project.release(&format!("{} {number}", project.tag()));
            project.deploy();
        }
    }
    let shown = shop.run(&["prune", "--keep", "2", "--grace", "0s"]).exits(0);
    shown.says("Would be deleted: 2 images").says("--keep 2 --grace 0s --apply");
    assert_eq!(world.images("shop").len(), 8, "showing deletes nothing");
    shop.run(&["prune", "--keep", "2"]).exits(0).says("Nothing to delete").says("grace period");

    shop.run(&APPLY).exits(0).says("Deleted: 2 images");
    assert_eq!(world.images("shop").len(), 6);
    // Each deployed one of the two.
    shop.run(&["history"]).exits(0).says("2 of 2 images of `shop` deleted by tester@");
    let share = stall.run(&["history"]).exits(0);
    share.says("1 of 1 image of this service in `shop` deleted by tester@");
    for (project, service) in [(&shop, "shop"), (&stall, "stall")] {
        world.app_runner("StartDeployment", &json!({"ServiceArn": world.arn(service)}));
        world.idle(service);
        assert_eq!(world.operations(service).last().unwrap().1, "SUCCEEDED", "{service}");
        project.run(&["history"]).exits(0).says("deleted by tester@");
        let targets = targets(project);
        assert_eq!(targets.len(), 2, "{targets:?}");
        for target in targets {
            assert_eq!(target["in_registry"], true, "{target}");
            let number = target["number"].to_string();
            project.run(&["rollback", &number]).exits(0);
            let digest = target["digest"].as_str().unwrap();
            assert!(world.image(service).ends_with(digest), "{service} {number}");
        }
    }
    shop.run(&["rollback", "1"]).exits(26);
}

#[test]
fn what_is_shown_to_type_prunes_the_same_repository() {
    let world = World::open();
    let shop = Project::new(&world, "shop");
    shop.deploy();
    for name in ["shop", "stall"] {
        let mut project = shop.cloned("shop");
        project.set("ECR_REPOSITORY", name);
        project.release(&format!("of {name}"));
        project.deploy();
        world.push(name, Some("0123456789ab"), &format!("old of {name}"));
    }
    let mut project = shop.cloned("shop");
    project.unset("ECR_REPOSITORY");
    // What it finds by itself is what lives: `stall`.
    let asked = ["prune", "--grace", "0s", "--ecr-repo", "shop"];
    let shown = project.run(&asked).exits(0).says("repository shop");
    let words: Vec<&str> =
        shown.out.split_once("next: ").unwrap().1.split_whitespace().skip(1).collect();
    world.clear();
    world.fault_once("BatchDeleteImage", "access-denied");
    let failed = project.run(&words).exits(1).names("prune-failed");
    let hint = failed.err.split_once("see what is left:").unwrap().1.split('`').nth(1).unwrap();
    let again: Vec<&str> = hint.split_whitespace().skip(1).collect();
    project.run(&again).exits(0).says("repository shop").says("Would be deleted: 1 image");
    project.run(&words).exits(0).says("Deleted: 1 image");
    let left = |name: &str| world.images(name).len();
    assert_eq!((left("shop"), left("stall")), (2, 2), "only of `shop`");
}

#[test]
fn an_index_never_misses_a_part_and_goes_before_its_own() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let parts: Vec<String> =
        (0..6).map(|number| world.push("shop", None, &format!("part {number}"))).collect();
    let old = world.push_index("shop", "0123456789ab", &parts[0..3]);
    let newer = world.push_index("shop", "0123456789ac", &parts[1..4]);
    let named = world.push_index("shop", "stable", &parts[2..5]);
    let lonely = world.push("shop", None, "an attestation without its image");
    let ended = project.run(&[&APPLY[..], &["--json"]].concat()).exits(0);
    assert_eq!(deleted(&ended), 6, "{}", ended.out);
    assert_eq!(ended.result()["pruned"]["failed"], json!([]));
    let left = world.images("shop");
    for gone in [&old, &newer, &parts[0], &parts[1], &parts[5], &lonely] {
        assert!(!left.contains_key(gone), "{gone}");
    }
    assert!(left.contains_key(&named) && parts[2..5].iter().all(|part| left.contains_key(part)));
    whole(&world);
    project
        .run(&[&APPLY[..], &["--tag-pattern", "sta*"]].concat())
        .exits(0)
        .says("Deleted: 1 image and 3 parts of indexes");
    assert_eq!(world.images("shop").len(), 1, "what runs");
}

#[test]
fn killed_in_the_middle_the_next_prune_and_the_history_tell_the_truth() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    fill(&world, 130);
    world.clear();
    world.fault(
        &json!({"operation": "BatchDeleteImage", "kind": "slow-answer", "milliseconds": 60000}),
    );
    let run = project.start(&APPLY);
    world.until("a hundred are deleted", || !world.effective("BatchDeleteImage").is_empty());
    let now = project.run(&["history"]).exits(0).says("who is at it now");
    now.does_not_say("did not say how it ended");
    project.run(&["prune", "--grace", "0s"]).exits(0).says("a prune is at work now");
    run.kill();
    assert_eq!(world.images("shop").len(), 31);
    project
        .run(&["history"])
        .exits(0)
        .says("130 images of `shop` meant to go")
        .says("did not say how it ended");
    project.run(&["prune", "--grace", "0s"]).exits(0).says("100 of its 130 images are gone");
    project.run(&["status"]).exits(0);
    project.run(&APPLY).exits(0).says("Deleted: 30 images");
    assert_eq!(world.images("shop").len(), 1);
    let history = project.run(&["history", "--json"]).exits(0).result();
    let prunes = history["history"]["prunes"].as_array().unwrap();
    let gone = |place: usize| prunes[place]["outcome"]["deleted"].as_array().unwrap().len();
    assert_eq!((prunes.len(), gone(0), gone(1)), (2, 100, 30), "{history}");
    assert_eq!(prunes[0]["outcome"]["found"], true);
    // Who deleted them, nobody saw.
    let history = project.run(&["history"]).exits(0);
    history.says("100 of 130 images of `shop` gone, found out afterwards");
    project.run(&["history"]).exits(0).does_not_say("100 of 130 images of `shop` deleted by");
}

#[test]
fn a_killed_prune_is_settled_though_another_repository_was_pruned_since() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let mut moved = project.cloned("shop");
    moved.set("ECR_REPOSITORY", "stall");
    moved.release("of stall");
    moved.deploy();
    fill(&world, 3);
    world.push("stall", Some("0123456789ab"), "old of stall");
    world.clear();
    world.fault(
        &json!({"operation": "BatchDeleteImage", "kind": "slow-answer", "milliseconds": 60000}),
    );
    let run = project.start(&APPLY);
    world.until("three are deleted", || !world.effective("BatchDeleteImage").is_empty());
    run.kill();
    world.clear();
    moved.run(&["prune"]).exits(0).does_not_say("did not say how it ended");
    moved.run(&APPLY).exits(0).says("Deleted: 1 image");
    project.run(&["history"]).exits(0).says("3 images of `shop` meant to go");
    project.run(&["prune"]).exits(0).says("3 of its 3 images are gone");
    project.run(&APPLY).exits(0).says("Nothing to delete");
    let history = project.run(&["history", "--json"]).exits(0).result();
    let prunes = history["history"]["prunes"].as_array().unwrap();
    let told = |place: usize| {
        let prune = &prunes[place];
        let gone = prune["outcome"]["deleted"].as_array().unwrap().len();
        (prune["repository"].as_str().unwrap(), gone, &prune["outcome"]["found"])
    };
    assert_eq!(prunes.len(), 2, "{history}");
    assert_eq!(told(0), ("shop", 3, &json!(true)));
    assert_eq!(told(1), ("stall", 1, &json!(false)));
}

#[test]
fn what_happens_between_the_looks_is_seen() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let old = fill(&world, 3);
    let asked = json!({"repositoryName": "shop", "imageIds": [{"imageDigest": old[2]}]});
    let size = world.ecr("DescribeImages", &asked)["imageDetails"][0]["imageSizeInBytes"].clone();

    // An image goes, and another one is named by somebody.
    let run = between_the_looks(&world, &project);
    world.delete_image("shop", &old[0]);
    world.push("shop", Some("stable"), "old 1");
    run.end().exits(0).says("Deleted: 1 image").says("Gone before: 1").says("Spared");
    assert!(world.images("shop").contains_key(&old[1]));
    // What somebody else deleted is gone, and nobody is said to have deleted it.
    project.run(&["history"]).exits(0).says("1 of 3 images of `shop` deleted by tester@");
    project.run(&["history"]).exits(0).says("1 was gone before");
    let history = project.run(&["history", "--json"]).exits(0).result();
    let outcome = &history["history"]["prunes"][0]["outcome"];
    assert_eq!(outcome["not_there"], json!([old[0]]), "{outcome}");
    assert_eq!(outcome["deleted"], json!([old[2]]), "{outcome}");
    assert_eq!(outcome["bytes"], size, "{outcome}");

    // A deployment begins, by somebody without surefoot: nothing more is deleted.
    let late = world.push("shop", Some("00000000000f"), "late");
    let run = between_the_looks(&world, &project);
    world.fault(&json!({"operation": "StartDeployment", "kind": "slow-operation", "factor": 40}));
    world.app_runner("StartDeployment", &json!({"ServiceArn": world.arn("shop")}));
    let stopped = run.end().exits(26).names("prune-incomplete");
    stopped.says("App Runner is at work on `shop`").does_not_say("is still there");
    assert!(world.images("shop").contains_key(&late));
    project.run(&APPLY).exits(26).says("Nothing was deleted");
}

#[test]
fn a_repository_that_goes_away_is_said_to_be_gone() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    fill(&world, 130);
    world.clear();
    world.fault(
        &json!({"operation": "BatchDeleteImage", "kind": "slow-answer", "milliseconds": 3000}),
    );
    let run = project.start(&APPLY);
    world.until("a hundred are deleted", || !world.effective("BatchDeleteImage").is_empty());
    world.ecr("DeleteRepository", &json!({"repositoryName": "shop", "force": true}));
    run.end()
        .exits(1)
        .names("prune-failed")
        .says("Deleted: 100 images")
        .says("went away")
        .says("every image of it went")
        .does_not_say("is still there");
    project.run(&APPLY).exits(20).names("no-repository");
}

#[test]
fn a_call_that_is_throttled_or_not_answered_is_made_again_after_a_look() {
    for kind in ["throttle", "cut-before-effect", "cut-after-effect", "error-after-effect"] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        project.deploy();
        fill(&world, 3);
        world.fault(&json!({"operation": "BatchDeleteImage", "kind": kind, "times": 2}));
        let ended = project.run(&[&APPLY[..], &["--json"]].concat()).exits(0);
        assert_eq!(deleted(&ended), 3, "{kind}: {}", ended.out);
        assert_eq!(world.images("shop").len(), 1, "{kind}");
    }
}

#[test]
fn nothing_is_deleted_while_the_picture_is_incomplete() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&APPLY).exits(26).names("prune-incomplete");
    project.deploy();
    fill(&world, 2);
    for operation in ["ListServices", "DescribeService", "DescribeImages"] {
        world.clear();
        world.fault(&json!({"operation": operation, "kind": "access-denied", "times": null}));
        project.run(&APPLY).exits(26).names("prune-incomplete").says("Nothing was deleted");
    }
    world.clear();
    world.fault(&json!({"operation": "BatchDeleteImage", "kind": "access-denied"}));
    project.run(&APPLY).exits(1).names("prune-failed").says("Nothing was deleted.");

    // A service of somebody else uses the repository: what it needs, nobody here knows.
    let mut other = Project::new(&world, "stall");
    other.set("ECR_REPOSITORY", "shop");
    other.deploy();
    let refused = project.run(&APPLY).exits(26).says("`stall` uses this repository");
    assert!(refused.out.contains("Would be deleted if enough were known: 2 images"));
    // The limits that were typed are part of what to type next.
    refused.says("--keep 2 --grace 0s --apply --without-history stall");
    let misspelt = [&APPLY[..], &["--without-history", "stal"]].concat();
    project.run(&misspelt).exits(2).says("no service of this name");
    assert!(world.effective("BatchDeleteImage").is_empty());

    // An unfinished deployment of our own.
    project.release("release two");
    world.clear();
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 9}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    project.run(&APPLY).exits(23).names("locked");
    let at_work = project.run(&["prune", "--without-history", "stall"]).exits(26);
    let at_work = at_work.says("deployment #2 of `shop` is unfinished: tester on");
    at_work.says("runs `").says("wait until it is over").does_not_say("surefoot resume");
    run.kill();
    let killed = project.run(&["prune", "--without-history", "stall"]).exits(26);
    killed.says("end it: `surefoot resume").does_not_say("(process");
    let accepted = [&APPLY[..], &["--without-history", "stall"]].concat();
    project.run(&accepted).exits(26).says("deployment #2 of `shop` is unfinished");
    assert!(world.effective("BatchDeleteImage").is_empty());
    project.run(&["resume"]).exits(0);
    project.run(&accepted).exits(0).says("Deleted: 2 images");
    let other = world.image("stall");
    assert!(world.images("shop").keys().any(|digest| other.ends_with(digest)));
}

#[test]
fn what_could_not_be_seen_is_not_claimed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    fill(&world, 230);
    let fails = |kind: &str, skip: u32| {
        world.clear();
        world.fault(
            &json!({"operation": "ListServices", "kind": kind, "skip": skip, "times": null}),
        );
        project.run(&APPLY).does_not_say("is still there")
    };
    // The first look sees everything, and the one before each call nothing.
    let refused = fails("access-denied", 1).exits(26).names("prune-incomplete");
    refused.says("Nothing was deleted.").says("docs/guides/pruning.md has the policy");
    for (kind, exit, code) in
        [("access-denied", 26, "prune-incomplete"), ("error-before-effect", 1, "prune-failed")]
    {
        let stopped = fails(kind, 2).exits(exit).names(code).says("Deleted: 100 images.");
        stopped.says("what is needed now is not known any more, so nothing more was deleted");
    }
    world.clear();
    project.run(&APPLY).exits(0).says("Deleted: 30 images");
}

#[test]
fn a_service_that_a_prune_holds_is_said_to_be_held_by_one() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    fill(&world, 1);
    let run = between_the_looks(&world, &project);
    let locked = project.run(&["resume"]).exits(23).names("locked").says("a prune holds `shop`");
    locked.says("run this again when it has ended").does_not_say("another deployment");
    run.end().exits(0).says("Deleted: 1 image");
}

#[test]
fn an_error_of_app_runner_itself_is_no_fault_of_the_network() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.clear();
    let fault = |kind: &str| {
        world.clear();
        world.fault(&json!({"operation": "ListServices", "kind": kind, "times": null}));
        let told = project.run(&["prune"]).exits(20).names("aws-unreachable");
        told.does_not_say("could not reach").does_not_say("check the network")
    };
    let broken = fault("error-before-effect").says("App Runner in eu-central-1 did not answer");
    let broken = broken.says("an error of its own, InternalServiceErrorException");
    broken.says("(request ").says("try again later");
    fault("throttle").says("App Runner in eu-central-1 asks for fewer calls");
}

#[test]
fn a_repository_of_others_is_not_pruned() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.ecr("CreateRepository", &json!({"repositoryName": "billing"}));
    for number in 0..3 {
        world.push("billing", Some(&format!("{number:012x}")), &format!("of others {number}"));
    }
    for apply in [&[][..], &["--apply"]] {
        let arguments = [&["prune", "--grace", "0s", "--ecr-repo", "billing"], apply].concat();
        let refused = project.run(&arguments).exits(26).names("prune-incomplete");
        let refused = refused.says("no deployment of this journal used the repository `billing`");
        refused.says("--ecr-repo shop`").says("Nothing was deleted.");
    }
    assert_eq!(world.images("billing").len(), 3);
}

#[test]
fn a_journal_that_was_damaged_decides_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let path = project.history().join("journal.redb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    world.clear();
    project.run(&APPLY).exits(74);
    assert!(world.effective("BatchDeleteImage").is_empty());
}

#[test]
fn after_a_deployment_pruning_never_changes_its_verdict() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let brief = project.run(&["deploy", "--prune-images=1"]).exits(0);
    brief.says("pruning: Nothing to delete in `shop`: 1 image kept").does_not_say("runs it");
    let mut other = Project::new(&world, "stall");
    other.set("ECR_REPOSITORY", "shop");
    other.deploy();
    project.release("release two");
    let ended = project.run(&["deploy", "--prune-images"]).exits(0);
    ended.says("the deployment succeeded; pruning did not").says("`stall` uses this repository");
    project.run(&["deploy", "--prune-images=0"]).exits(2);
    project.run(&["prune", "--keep", "0"]).exits(2);
    project.run(&["prune", "--grace", "soon"]).exits(2).names("usage");
    project.run(&["prune", "--report", "/proc/surefoot"]).exits(1).names("report-unwritable");
}

#[test]
fn a_lifecycle_policy_that_would_delete_what_is_kept_is_named() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    let policy = json!({"rules": [{
        "rulePriority": 7, "description": "only the newest",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
        "action": {"type": "expire"},
    }]});
    let body = json!({"repositoryName": "shop", "lifecyclePolicyText": policy.to_string()});
    world.ecr("PutLifecyclePolicy", &body);
    let report = world.folder("reports").join("report.json");
    let shown = project.run(&["prune", "--report", &report.display().to_string()]).exits(0);
    shown.says("rule 7").says("only the newest").says("would delete 1 of the images kept here");
    let written: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(written["prune"]["keep"]["images"], 2, "{written}");
}

const DAY: Duration = Duration::from_hours(24);

/// A service with so many releases, all of them a day old.
fn releases(world: &World, count: usize) -> Project<'_> {
    let project = Project::new(world, "shop");
    for number in 1..=count {
        project.release(&format!("release {number}"));
        project.deploy();
    }
    world.age("shop", None, DAY);
    world.clear();
    project
}

/// The digests of the deployments, oldest first.
fn digests(project: &Project<'_>) -> Vec<String> {
    let history = project.run(&["history", "-n", "0", "--offline", "--json"]).exits(0).result();
    let rows = history["history"]["deployments"].as_array().unwrap().clone();
    rows.iter().rev().map(|row| row["digest"].as_str().unwrap().to_owned()).collect()
}

/// The types of the events in the journal.
fn recorded(project: &Project<'_>) -> Vec<String> {
    let text = project.run(&["journal", "export"]).exits(0).out;
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| Some(line["type"].as_str()?.to_owned())).collect()
}

fn count(recorded: &[String], event: &str) -> usize {
    recorded.iter().filter(|name| *name == event).count()
}

#[test]
fn a_deployment_that_prunes_deletes_what_no_rollback_needs() {
    let world = World::open();
    let project = releases(&world, 4);
    let unneeded = fill(&world, 2);
    world.age("shop", Some(&unneeded[0]), DAY);
    project.release("release 5");
    let ended = project.run(&["deploy", "--prune-images=1", "--json"]).exits(0);
    let digests = digests(&project);
    let left: BTreeSet<String> = world.images("shop").into_keys().collect();
    // What lives, the one target, and what somebody pushed just now.
    let kept = BTreeSet::from([digests[4].clone(), digests[3].clone(), unneeded[1].clone()]);
    assert_eq!(left, kept, "{digests:?}");
    let gone: BTreeSet<String> = ended.result()["pruned"]["deleted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|digest| digest.as_str().unwrap().to_owned())
        .collect();
    let expected: BTreeSet<String> = digests[..3].iter().chain([&unneeded[0]]).cloned().collect();
    assert_eq!(gone, expected);
    assert_eq!(ended.result()["summary"]["verdict"], "live", "{}", ended.out);
    let recorded = recorded(&project);
    assert_eq!((count(&recorded, "PruneStarted"), count(&recorded, "ImagesPruned")), (1, 1));
    project
        .run(&["history"])
        .exits(0)
        .says("4 of 4 images of `shop` deleted by tester@")
        .says("gone");
    let targets = targets(&project);
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert_eq!((&targets[0]["number"], &targets[0]["in_registry"]), (&json!(4), &json!(true)));
    project.run(&["rollback", "4"]).exits(0);
    assert!(world.serves("shop", "release 4"));
    // Whoever deleted it: a prune says of what it finds gone only that it is.
    project.run(&["rollback", "1"]).exits(26).says("a prune deleted it, or found it gone");
    let good = project.run(&["mark", "1", "good", "--reason", "it was"]).exits(0);
    good.says("Its image is gone");
}

#[test]
fn a_deployment_that_prunes_keeps_ten_where_no_number_is_named() {
    let world = World::open();
    let project = releases(&world, 2);
    let unneeded = fill(&world, 1);
    world.age("shop", Some(&unneeded[0]), DAY);
    project.release("release 3");
    project.run(&["deploy", "--prune-images"]).exits(0).says("Deleted: 1 image");
    assert_eq!(world.images("shop").len(), 3);
}

#[test]
fn a_prune_that_fails_leaves_the_deployment_as_it_ended() {
    let world = World::open();
    let project = releases(&world, 3);
    // Else the deployment still asks for something after its health passed.
    project.write("surefoot.toml", "latest = false\n");
    for (operation, kind) in [
        ("BatchDeleteImage", "access-denied"),
        ("DescribeImages", "access-denied"),
        ("ListServices", "access-denied"),
        ("BatchDeleteImage", "error-before-effect"),
    ] {
        project.release(&format!("with {operation} {kind}"));
        let run = project.start(&["deploy", "--prune-images=1", "--json"]);
        // Only what comes after the deployment goes wrong.
        run.until_event("HealthPassed");
        world.fault(&json!({"operation": operation, "kind": kind, "times": null}));
        let ended = run.end().exits(0);
        assert_eq!(ended.result()["summary"]["verdict"], "live", "{operation} {kind}");
        let ended = ended.says("warning: the deployment succeeded; pruning did not");
        let lines = |label: &str| ended.err.lines().any(|line| line.starts_with(label));
        assert!(lines("  because: ") && lines("hint: "), "{}", ended.err);
        ended.does_not_say("error[");
        world.clear();
        project.run(&["status", "--exit-code"]).exits(0);
        project.run(&["journal", "verify"]).exits(0);
    }
    assert_eq!(world.images("shop").len(), 7, "nothing was deleted");
    // The oldest two; `latest` names the third, and what is younger is within the grace period.
    project.run(&["prune", "--keep", "1", "--apply"]).exits(0).says("Deleted: 2 images");
}

#[test]
fn a_deployment_that_fails_prunes_nothing() {
    let world = World::open();
    let project = releases(&world, 3);
    project.write("Dockerfile", "FROM scratch\nCOPY not-there /\n");
    project.commit("broken");
    project.run(&["deploy", "--prune-images=1"]).exits(10);
    assert!(world.effective("BatchDeleteImage").is_empty());
    assert_eq!(count(&recorded(&project), "PruneStarted"), 0);
}

#[test]
fn only_what_is_older_than_was_asked_for_goes() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let minute = Duration::from_mins(1);
    let images = fill(&world, 4);
    for (image, age) in images.iter().zip([
        DAY,
        DAY * 29 + minute * 60 * 23 + minute * 51,
        DAY * 30 + minute,
        DAY * 400,
    ]) {
        world.age("shop", Some(image), age);
    }
    let going = |age: &str| {
        let shown = project.run(&["prune", "--older-than", age, "--json"]).exits(0).result();
        let all = shown["prune"]["images"].as_array().unwrap().clone();
        let goes = |image: &String| {
            let of_it = all.iter().find(|one| one["digest"] == **image).unwrap();
            of_it["fate"] == "delete"
        };
        images.iter().map(goes).collect::<Vec<_>>()
    };
    for same in ["30d", "720h", "43200m", "2592000s", "2592000", "29d24h", " 30d "] {
        assert_eq!(going(same), [false, false, true, true], "{same}");
    }
    assert_eq!(going("29d23h"), [false, true, true, true]);
    assert_eq!(going("401d"), [false; 4]);
    assert_eq!(going("0s"), [true; 4]);
    assert_eq!(going("200000000000d"), [false; 4]);
    for nonsense in ["", "soon", "-1d", "30 d", "1y", "30m1d", "1.5d", "d", "9999999999999999999d"]
    {
        let asked = format!("--older-than={nonsense}");
        let refused = project.run(&["prune", &asked]).exits(2);
        refused.names("usage").says("--older-than").does_not_say("panicked");
    }
    let shown = project.run(&["prune", "--older-than", "30d"]).exits(0);
    shown.says("Would be deleted: 2 images").says("--older-than 30d --apply");
    project.run(&["prune", "--older-than", "30d", "--apply"]).exits(0).says("Deleted: 2 images");
    let left = world.images("shop");
    assert!(left.contains_key(&images[0]) && left.contains_key(&images[1]) && left.len() == 3);
}

#[test]
fn age_is_no_reason_to_delete_what_is_kept() {
    let world = World::open();
    let project = releases(&world, 4);
    world.age("shop", None, DAY * 400);
    let arguments = ["prune", "--keep", "2", "--older-than", "30d", "--apply"];
    project.run(&arguments).exits(0).says("Deleted: 1 image");
    let (digests, left) = (digests(&project), world.images("shop"));
    assert!(!left.contains_key(&digests[0]) && left.len() == 3, "{left:?}");
    for target in targets(&project) {
        assert_eq!(target["in_registry"], true, "{target}");
    }
}

#[test]
fn what_is_younger_than_the_grace_period_stays_whatever_else_is_asked_for() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let images = fill(&world, 2);
    let minute = Duration::from_mins(1);
    world.age("shop", Some(&images[0]), Duration::from_mins(110));
    world.age("shop", Some(&images[1]), Duration::from_hours(2) + minute * 10);
    let shown = project.run(&["prune", "--older-than", "1h"]).exits(0);
    shown.says("Would be deleted: 1 image").says("grace period");
    project.run(&["prune", "--grace", "3h"]).exits(0).says("Nothing to delete");
    let shown = project.run(&["prune", "--grace", "1h55m"]).exits(0);
    shown.says("Would be deleted: 1 image").says("--grace 1h55m --apply");
    project.run(&["prune", "--grace", "1h45m"]).exits(0).says("Would be deleted: 2 images");
    project.run(&["prune", "--apply"]).exits(0).says("Deleted: 1 image");
    assert!(world.images("shop").contains_key(&images[0]));
    for nonsense in ["", "-1h", "2 hours", "1h2h", "99999999999999999999h"] {
        let asked = format!("--grace={nonsense}");
        project.run(&["prune", &asked]).exits(2).names("usage").says("--grace");
    }
    for (option, value) in [("--grace", "-1h"), ("--older-than", "-1d"), ("--grace", "--apply")] {
        let refused = project.run(&["prune", option, value]).exits(2).names("usage");
        refused.says(&format!("`{option} {value}`"));
    }
}

#[test]
fn tags_of_others_go_only_where_their_form_is_named() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let names = ["nightly-1", "nightly-2", "v1.0", "keep-me"];
    let images = names.map(|name| world.push("shop", Some(name), name));
    project.run(&["prune", "--grace", "0s"]).exits(0).says("Nothing to delete").says("v1.0");
    let two = ["--tag-pattern", "nightly-*", "--tag-pattern", "v*"];
    let shown = project.run(&[&["prune", "--grace", "0s"][..], &two].concat()).exits(0);
    shown
        .says("Would be deleted: 3 images")
        .says("--tag-pattern 'nightly-*' --tag-pattern 'v*' --apply");
    // A second tag of another form protects.
    let body = json!({"repositoryName": "shop", "imageIds": [{"imageDigest": images[0]}]});
    let manifest = world.ecr("BatchGetImage", &body)["images"][0]["imageManifest"].clone();
    world.ecr(
        "PutImage",
        &json!({"repositoryName": "shop", "imageManifest": manifest, "imageTag": "stable"}),
    );
    project.run(&[&APPLY[..], &two].concat()).exits(0).says("Deleted: 2 images");
    let left = world.images("shop");
    assert!(left.contains_key(&images[0]) && left.contains_key(&images[3]), "{left:?}");
    assert_eq!(left.len(), 3);
}

#[test]
fn a_report_says_what_was_decided_and_what_became_of_it_also_where_it_was_refused() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    fill(&world, 2);
    let file = world.folder("reports").join("report.json");
    let name = file.display().to_string();
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap() };
    project.run(&["prune", "--grace", "0s", "--report", &name]).exits(0);
    let shown = read();
    assert_eq!(
        (&shown["prune"]["apply"], &shown["prune"]["delete"]["images"]),
        (&json!(false), &json!(2))
    );
    assert!(shown["pruned"].is_null());
    world.fault(&json!({"operation": "BatchDeleteImage", "kind": "access-denied"}));
    project.run(&[&APPLY[..], &["--report", &name]].concat()).exits(1).names("prune-failed");
    assert_eq!(read()["pruned"]["deleted"], json!([]));
    project.run(&[&APPLY[..], &["--report", &name]].concat()).exits(0);
    let done = read();
    assert_eq!(done["pruned"]["deleted"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["prune"]["images"].as_array().unwrap().len(), 3, "{done}");
    let mut other = Project::new(&world, "stall");
    other.set("ECR_REPOSITORY", "shop");
    other.deploy();
    project.run(&[&APPLY[..], &["--report", &name]].concat()).exits(26);
    assert_eq!(read()["prune"]["missing"].as_array().unwrap().len(), 1, "{}", read());
    // Where there is no picture, what was there stays.
    let before = std::fs::read(&file).unwrap();
    world.fault(&json!({"operation": "DescribeImages", "kind": "access-denied", "times": null}));
    project.run(&[&APPLY[..], &["--report", &name]].concat()).exits(26);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let beside: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    // It cannot be written: said before anything is deleted.
    world.clear();
    let nowhere = project.path().join("no/such/report.json").display().to_string();
    project
        .run(&[&APPLY[..], &["--report", &nowhere]].concat())
        .exits(1)
        .names("report-unwritable");
    assert!(world.calls().is_empty());
}

/// Two clones on one machine that deploy the same service in turns.
#[test]
fn what_another_clone_on_this_machine_needs_stays() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let clone = project.cloned("clone");
    for number in 1..=3 {
        for one in [&project, &clone] {
            one.release(&format!("{} {number}", one.tag()));
            one.run(&["deploy", "--allow-older"]).exits(0);
        }
    }
    let needed = targets(&clone);
    assert!(needed.len() >= 2, "{needed:?}");
    project.run(&APPLY).exits(0);
    for target in targets(&clone).iter().take(2) {
        assert_eq!(target["in_registry"], true, "{target}");
    }

    // One that is not over is in the way, and its journal is named.
    world.clear();
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 9}));
    clone.release("release last");
    let run = clone.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    world.idle("shop");
    let place = clone.history().display().to_string();
    project.run(&APPLY).exits(25).names("pending").says("another clone").says(&place);
    assert!(world.effective("BatchDeleteImage").is_empty());
    clone.run(&["resume"]).exits(0);

    // What cannot be read may need anything.
    let path = clone.history().join("journal.redb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    project.run(&APPLY).exits(26).names("prune-incomplete").says(&place);
    // One that is gone needs nothing; and what it deployed in between is not known any more.
    std::fs::remove_dir_all(clone.history()).unwrap();
    let refused = project.run(&APPLY).exits(26).says("with another journal");
    refused.says("--without-history shop");
    project.release("release of ours");
    project.run(&["deploy", "--allow-older"]).exits(0);
    project.run(&APPLY).exits(26).says("another journal deployed `shop` before #4");
    project.run(&[&APPLY[..], &["--without-history", "shop"]].concat()).exits(0);
}
