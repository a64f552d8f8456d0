//! `surefoot prune` and `deploy --prune-images`: what is needed stays, and what is said is true.

use std::collections::BTreeSet;

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
    for (project, service) in [(&shop, "shop"), (&stall, "stall")] {
        world.app_runner("StartDeployment", &json!({"ServiceArn": world.arn(service)}));
        world.idle(service);
        assert_eq!(world.operations(service).last().unwrap().1, "SUCCEEDED", "{service}");
        project.run(&["history"]).exits(0).says("images deleted by tester@");
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
    project.run(&[&APPLY[..], &["--tag-pattern", "sta*"]].concat()).exits(0).says("Deleted: 4");
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
    run.kill();
    assert_eq!(world.images("shop").len(), 31);
    project
        .run(&["history"])
        .exits(0)
        .says("130 images were to go")
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
    project.run(&["history"]).exits(0).says("found out afterwards");
}

#[test]
fn what_happens_between_the_looks_is_seen() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let old = fill(&world, 3);

    // An image goes, and another one is named by somebody.
    let run = between_the_looks(&world, &project);
    world.delete_image("shop", &old[0]);
    world.push("shop", Some("stable"), "old 1");
    run.end().exits(0).says("Deleted: 1 image").says("Gone before: 1").says("Spared");
    assert!(world.images("shop").contains_key(&old[1]));

    // A deployment begins, by somebody without surefoot: nothing more is deleted.
    let late = world.push("shop", Some("00000000000f"), "late");
    let run = between_the_looks(&world, &project);
    world.fault(&json!({"operation": "StartDeployment", "kind": "slow-operation", "factor": 40}));
    world.app_runner("StartDeployment", &json!({"ServiceArn": world.arn("shop")}));
    run.end().exits(26).names("prune-incomplete").says("App Runner is at work on `shop`");
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
    run.end().exits(1).names("prune-failed").says("100 images were deleted").says("went away");
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
    project.run(&APPLY).exits(1).names("prune-failed").says("0 images were deleted");

    // A service of somebody else uses the repository: what it needs, nobody here knows.
    let mut other = Project::new(&world, "stall");
    other.set("ECR_REPOSITORY", "shop");
    other.deploy();
    project.run(&APPLY).exits(26).says("`stall` uses this repository").says("--without-history");
    assert!(world.effective("BatchDeleteImage").is_empty());

    // An unfinished deployment of our own.
    project.release("release two");
    world.clear();
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 9}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    project.run(&APPLY).exits(23).names("locked");
    run.kill();
    let accepted = [&APPLY[..], &["--without-history", "stall"]].concat();
    project.run(&accepted).exits(26).says("deployment #2 of `shop` is unfinished");
    assert!(world.effective("BatchDeleteImage").is_empty());
    project.run(&["resume"]).exits(0);
    project.run(&accepted).exits(0).says("Deleted: 2 images");
    let other = world.image("stall");
    assert!(world.images("shop").keys().any(|digest| other.ends_with(digest)));
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
    project.run(&["deploy", "--prune-images=1"]).exits(0).says("Nothing to delete");
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
