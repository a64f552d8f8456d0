//! Good and bad releases: marks, what a rollback says of the release it leaves, and the guard.

use serde_json::json;

use super::support::{Project, World};

/// Two releases, the second of them live.
fn two_releases(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    project
}

#[test]
fn an_image_that_was_gone_back_from_stays_bad_where_it_was_deployed_all_the_same() {
    let world = World::open();
    let project = two_releases(&world);
    project.run(&["rollback"]).exits(0).says("#1");
    let long = "memory grows ".repeat(5000);
    project.run(&["mark", "2", "bad", "--reason", &long]).exits(0);
    let listed = project.run(&["rollback", "--list"]).exits(0).says("bad: memory grows");
    assert!(listed.out.lines().count() < 12, "{}", listed.out);
    project.run(&["deploy", "--allow-bad"]).exits(0);
    project.release("release three");
    project.deploy();
    // Neither #2 nor #4, which is the same image: the last good release is #3, a rollback itself.
    project.run(&["rollback"]).exits(0).says("#3");
    assert!(world.serves("shop", "release one"));
    project.run(&["rollback", "4"]).exits(26).says("#4").says("surefoot mark 4 good");
    // It is named by what it is in the end, however little of the history is shown.
    let rows = project.run(&["history", "-n", "0", "--json"]).exits(0).result();
    let one = project.run(&["history", "-n", "1", "--json"]).exits(0).result();
    assert_eq!(one["history"]["deployments"][0], rows["history"]["deployments"][0]);
    assert!(one["history"]["deployments"][0]["commit"].is_string(), "{one}");
    assert_eq!(one["history"]["older"], 5, "{one}");
}

#[test]
fn taken_back_to_somebody_elses_image_nothing_of_ours_is_live_and_the_last_good_one_is_the_way_back()
 {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let gate = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
    project.write("surefoot.toml", gate);
    project.answers_with_label("state", "well");
    project.commit("asserts");
    project.deploy();
    let first = world.image("shop");
    project.release("release two");
    project.deploy();
    configured_by_somebody(&world, &first);
    project.answers_with_label("state", "sick");
    project.release("release three");
    project.run(&["deploy"]).exits(13);
    let log = project.run(&["status", "--json"]).exits(0).result()["status"]["log"].clone();
    assert!(log["live"].is_null() && log["doubt"].is_string(), "{log}");
    project.run(&["status", "--exit-code"]).exits(27);
    project.run(&["rollback"]).exits(0).says("#2");
    assert!(world.serves("shop", "release two"));
    // In a journal that began with what AWS told, what ran before is not live either.
    let clone = project.cloned("clone");
    clone.answers_with_label("state", "well");
    clone.release("release four");
    clone.deploy();
    configured_by_somebody(&world, &first);
    clone.answers_with_label("state", "sick");
    clone.release("release five");
    clone.run(&["deploy"]).exits(13);
    let history = clone.run(&["history", "--json"]).exits(0).result()["history"].clone();
    let rows = history["deployments"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{history}");
    assert!(rows.iter().all(|row| row["verdict"] != "live"), "{history}");
}

/// The service is given this image by another tool.
fn configured_by_somebody(world: &World, image: &str) {
    let source = json!({"ImageRepository": {
        "ImageIdentifier": image, "ImageRepositoryType": "ECR",
        "ImageConfiguration": {"Port": "8080"},
    }});
    let body = json!({"ServiceArn": world.arn("shop"), "SourceConfiguration": source});
    world.app_runner("UpdateService", &body);
    world.idle("shop");
}

#[test]
fn a_release_that_was_marked_bad_is_neither_deployed_nor_gone_back_to() {
    let world = World::open();
    let project = two_releases(&world);
    let marked = project.run(&["mark", "2", "bad", "--reason", "memory grows"]).exits(0);
    marked.says("#2").says("memory grows").says("surefoot rollback");
    project.run(&["history"]).exits(0).says("marked bad");
    let next =
        project.run(&["status", "--json"]).exits(0).result()["status"]["log"]["next"].clone();
    assert_eq!(next[0], "surefoot rollback --service-name shop", "{next}");
    project.run(&["history", "--json"]).exits(0).says("marked bad: memory grows");
    project.run(&["show", "2"]).exits(0).says("memory grows");
    project.run(&["rollback"]).exits(0).says("#1").says("databases");
    // What serves now is #3, and its image is that of #1.
    let serving = project.run(&["mark", "1", "bad", "--reason", "it leaks"]).exits(0);
    serving.says("By the journal it is what serves").says("surefoot rollback");
    project.run(&["mark", "1", "good", "--reason", "it does not"]).exits(0);
    world.clear();
    let ended = project.run(&["deploy"]).exits(26).names("bad-release");
    let ended = ended.says("memory grows").says("tester").says("#2").says("--allow-bad");
    ended.says("surefoot mark 2 good");
    project.run(&["deploy", "--dry-run"]).exits(26);
    project.run(&["rollback", "2"]).exits(26).names("nothing-to-go-back-to").says("surefoot mark");
    project.run(&["rollback", "99"]).exits(2).says("there is no deployment #99");
    project.run(&["rollback", "--list"]).exits(0).says("#2").says("bad: memory grows");
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    project.run(&["deploy", "--allow-bad"]).exits(0);
    assert!(world.serves("shop", "release two"));
    // What a person marked stays so until a person says otherwise.
    project.run(&["rollback"]).exits(0);
    project.run(&["mark", "2", "good", "--reason", "it was the database"]).exits(0);
    project.deploy();
}

/// Any good deployment can be named: an older one of the same release, and the one that is live, which
/// somebody may have changed outside.
#[test]
fn a_rollback_to_the_live_release_takes_back_what_was_changed_outside() {
    let world = World::open();
    let project = two_releases(&world);
    project.run(&["rollback", "1"]).exits(0);
    let mut source = world.describe("shop")["SourceConfiguration"].clone();
    let image = &mut source["ImageRepository"]["ImageConfiguration"];
    image["RuntimeEnvironmentVariables"]["DEBUG"] = "1".into();
    let change = json!({"ServiceArn": world.arn("shop"), "SourceConfiguration": source});
    world.app_runner("UpdateService", &change);
    world.idle("shop");
    project.run(&["status", "--exit-code"]).exits(27).says("DEBUG");
    project.run(&["verify"]).exits(27).says("surefoot rollback 3");
    project.run(&["rollback", "3"]).exits(0);
    project.run(&["verify"]).exits(0);
    project.run(&["status", "--exit-code"]).exits(0);
    let rows = project.run(&["history", "--json"]).exits(0).result();
    let third = &rows["history"]["deployments"][1];
    assert_eq!((&third["number"], &third["judgement"]), (&json!(3), &json!(null)), "{rows}");
    // The very release is live: an older deployment of it is one, too, and nothing is to be done.
    project.run(&["rollback", "1"]).exits(0).says("nothing");
}

/// Where a deployment was abandoned nobody knows what serves: the last good release is the one that the
/// log calls live, and nothing says that it was bad.
#[test]
fn after_an_abandoned_change_a_rollback_goes_to_the_release_before_it() {
    let world = World::open();
    let project = two_releases(&world);
    project.release("release three");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    project.run(&["resume", "--abandon", "--reason", "enough"]).exits(0);
    world.idle("shop");
    project.run(&["rollback"]).exits(0).says("going back to #2");
    assert!(world.serves("shop", "release two"));
    project.run(&["history"]).exits(0).does_not_say("bad");
}

/// The way back is asked where the old release was proven, whatever path the new one has.
#[test]
fn the_way_back_is_asked_at_the_old_releases_own_health_path() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let gate = "[health]\npath = \"/nowhere\"\nretries = 2\n";
    project.write("surefoot.toml", gate);
    project.release("release two");
    project.run(&["deploy"]).exits(13).says("Rolled back");
    assert!(world.serves("shop", "release one"));
    project.run(&["verify"]).exits(0);
}

#[test]
fn a_rollback_is_not_taken_back() {
    let world = World::open();
    let project = two_releases(&world);
    let run = project.start(&["rollback", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    project.run(&["status"]).exits(0).says("surefoot resume").does_not_say("resume --rollback");
    project.run(&["resume", "--rollback"]).exits(2).says("is a rollback itself");
    project.run(&["resume"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn a_release_that_was_rolled_back_from_is_bad_by_itself() {
    let world = World::open();
    let project = two_releases(&world);
    project.run(&["rollback", "--reason", "too slow"]).exits(0);
    let history = project.run(&["history", "--json"]).exits(0).result();
    let rows = history["history"]["deployments"].as_array().unwrap().clone();
    let second = rows.iter().find(|row| row["number"] == 2).unwrap();
    assert_eq!(second["verdict"], "bad", "{second}");
    assert_eq!(second["judgement"]["from"], "rolled_back_from", "{second}");
    project.run(&["show", "2"]).exits(0).says("rolled back by #3: too slow");
    project.run(&["deploy"]).exits(26).names("bad-release").says("too slow");
    project.run(&["mark", "2", "good", "--reason", "fast enough"]).exits(0);
    project.deploy();
    assert!(world.serves("shop", "release two"));
}

#[test]
fn a_rollback_that_was_killed_and_resumed_judges_the_release_all_the_same() {
    let world = World::open();
    let project = two_releases(&world);
    let run = project.start(&["rollback", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    project.run(&["resume"]).exits(0);
    project.run(&["deploy"]).exits(26).names("bad-release");
}

#[test]
fn a_release_that_failed_and_was_rolled_back_is_refused_before_the_service_is_touched() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let asserts = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
    project.write("surefoot.toml", asserts);
    project.answers_with_label("state", "well");
    project.commit("asserts");
    project.deploy();
    project.answers_with_label("state", "sick");
    project.release("release two");
    project.run(&["deploy"]).exits(13);
    world.clear();
    project.run(&["deploy"]).exits(26).names("bad-release").says("#2");
    assert!(world.effects().is_empty());
    // Built again from another tree it is the same image: known only after the push.
    project.write("notes.txt", "nothing of it gets into the image\n");
    project.commit("notes");
    let ended = project.run(&["deploy", "--json"]).exits(26).names("bad-release");
    assert!(ended.events().contains(&"DigestPushed".to_owned()), "{}", ended.out);
    assert!(!ended.events().contains(&"UpdateIssued".to_owned()), "{}", ended.out);
    assert!(world.effective("UpdateService").is_empty());
    project.run(&["status"]).exits(0).does_not_say("unfinished");
    // A release that failed is no release to go back to, and another image is not held back.
    project.answers_with_label("state", "well");
    project.release("release three");
    project.deploy();
    project.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["mark", "1", "bad", "--reason", "x"]).exits(2).says("no deployment #1");
    project.deploy();
    project.run(&["mark", "1", "bad"]).exits(2).says("--reason");
    project.run(&["mark", "1", "bad", "--reason", "  "]).exits(2).says("empty");
    project.run(&["mark", "1", "ugly", "--reason", "x"]).exits(2);
    project.run(&["mark", "7", "bad", "--reason", "x"]).exits(2).says("no deployment #7");
    project.run(&["mark", "one", "bad", "--reason", "x"]).exits(2);
    project.write("Dockerfile", "FROM scratch\nCOPY not-there /\n");
    project.commit("broken");
    project.run(&["deploy"]).exits(10);
    project.run(&["mark", "2", "bad", "--reason", "x"]).exits(2).says("never had a release");
    let run = project.start(&["deploy", "--image", "shop:nothing"]);
    drop(run.end());
    project.run(&["history"]).exits(0).does_not_say("marked");
}

#[test]
fn a_deployment_under_way_is_not_judged_and_its_lock_is_respected() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("CreateIssued");
    project.run(&["mark", "1", "bad", "--reason", "x"]).exits(23).names("locked");
    run.kill();
    project.run(&["mark", "1", "bad", "--reason", "x"]).exits(2).says("surefoot resume");
    project.run(&["resume"]).exits(0);
}

#[test]
fn hostile_reasons_reach_no_terminal() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let reason = format!("a\u{1b}[2Jb\nc \u{202e}{}", "long ".repeat(300));
    let ended = project.run(&["mark", "1", "bad", "--reason", &reason]).exits(0);
    assert!(!ended.out.contains('\u{1b}') && !ended.out.contains('\u{202e}'), "{}", ended.out);
    let history = project.run(&["history"]).exits(0);
    assert!(!history.out.contains('\u{1b}') && !history.out.contains("\u{202e}"));
}

/// Elsewhere the same commit becomes another image: a fresh clone builds it anew.
#[test]
fn another_build_of_a_commit_that_was_marked_bad_is_refused_before_it_is_built() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write(".gitignore", "local.txt\n");
    let with_it = "FROM scratch\nCOPY . /\nENTRYPOINT [\"/app\"]\n";
    project.write("Dockerfile", with_it);
    project.commit("one file of the image is not of the commit");
    project.deploy();
    project.release("release two");
    project.deploy();
    project.run(&["mark", "2", "bad", "--reason", "memory grows"]).exits(0);
    project.write("local.txt", "not of the commit, and in the image\n");
    world.clear();
    let ended = project.run(&["deploy"]).exits(26).names("bad-release");
    ended.says("the commit").says("memory grows").says("#2").says("--allow-bad");
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    let moved = project.run(&["deploy", "--allow-bad"]).exits(0);
    moved.says(&format!("the tag `{}` named", project.tag())).says("until now");
    let rows = project.run(&["history", "--json"]).result()["history"]["deployments"].clone();
    assert_ne!(rows[0]["digest"], rows[1]["digest"], "{rows}");
    // That build was proven, and nobody said a word against it.
    project.run(&["deploy"]).exits(0);
    project.run(&["mark", "3", "bad", "--reason", "so does this one"]).exits(0);
    project.write("local.txt", "a third build\n");
    project.run(&["deploy"]).exits(26).says("the commit").says("so does this one");
    // What differs from the commit is another release.
    project.write("index.html", "mended, and not committed\n");
    project.run(&["deploy"]).exits(0);
}
