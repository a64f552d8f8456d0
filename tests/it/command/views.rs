//! What people audit with: history, page, status, stats, verify, logs.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::support::{Project, World};

/// A release, another, a rollback by hand, and a bad one that is taken back.
fn eventful(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    let gate = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
    project.write("surefoot.toml", gate);
    project.answers_with_label("state", "well");
    project.commit("release one");
    project.deploy();
    project.release("release two");
    project.deploy();
    project.run(&["rollback"]).exits(0);
    project.answers_with_label("state", "sick");
    project.release("release three");
    project.run(&["deploy"]).exits(13);
    project
}

#[test]
fn history_is_chosen_by_number_verdict_and_time_and_knows_what_ecr_holds() {
    let world = World::open();
    let project = eventful(&world);
    let rows = |arguments: &[&str]| {
        let ended = project.run(&[&["history", "--json"], arguments].concat()).exits(0);
        ended.result()["history"]["deployments"].as_array().unwrap().clone()
    };
    let all = rows(&[]);
    let last = all.len();
    assert_eq!(last, 4, "{all:?}");
    assert!(
        all.iter().filter(|row| row["digest"].is_string()).all(|row| row["in_registry"] == true)
    );
    assert_eq!(rows(&["-n", "1"]).len(), 1);
    assert_eq!(rows(&["--status", "live"]).len(), 1);
    assert_eq!(rows(&["--since", "1h"]).len(), last);
    assert!(rows(&["--offline"]).iter().all(|row| row["in_registry"].is_null()));
    assert_eq!((&all[1]["rollback_to"], &all[1]["subject"]), (&json!(1), &json!(null)));
    assert_eq!(rows(&["--status", "rolled-back"])[0]["number"], 4);
    assert!(all[last - 1]["committed_at"].is_string(), "{}", all[last - 1]);
    project.run(&["history", "--status", "fine"]).exits(2).says("rolled-back");
    project.run(&["history", "--since", "soon"]).exits(2).says("30d");
    project.run(&["history", "--since", "2100-01-01"]).exits(2).says("has not come yet");
    project.run(&["history", "--status", "abandoned"]).exits(0).says("No deployment matches.");
    project
        .run(&["history"])
        .exits(0)
        .says("ECR")
        .says("rollback to #")
        .says("next: surefoot show");
}

#[test]
fn history_says_what_ecr_no_longer_holds_and_what_it_does_not_say() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    let rows = |ended: super::support::Ended| {
        ended.result()["history"]["deployments"].as_array().unwrap().clone()
    };
    let before = rows(project.run(&["history", "--json"]).exits(0));
    let target = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage";
    let image = json!([{"imageDigest": before[1]["digest"]}]);
    let (status, _) = world.call(target, &json!({"repositoryName": "shop", "imageIds": image}));
    assert_eq!(status, 200);
    let after = rows(project.run(&["history", "--json"]).exits(0));
    assert_eq!((&after[0]["in_registry"], &after[1]["in_registry"]), (&json!(true), &json!(false)));
    project.run(&["history"]).exits(0).says("gone");
    world.fault(&json!({"operation": "DescribeImages", "kind": "access-denied", "times": 9}));
    let silent = rows(project.run(&["history", "--json"]).exits(0));
    assert!(silent.iter().all(|row| row["in_registry"].is_null()), "{silent:?}");
    project.run(&["history"]).exits(0).says("?");
}

#[test]
fn several_services_in_one_journal_are_all_told_where_none_is_named() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.run(&["deploy", "--service-name", "shop"]).exits(0);
    project.run(&["deploy", "--service-name", "admin"]).exits(0);
    project.unset("SERVICE_NAME");
    let ended = project.run(&["history", "--json"]).exits(0);
    assert_eq!(ended.result()["histories"].as_array().unwrap().len(), 2);
    let one = project.run(&["history", "--json", "--service", "admin"]).exits(0);
    assert_eq!(one.result()["history"]["service"], "123456789012/eu-central-1/admin");
    project.run(&["history", "--html", "all.html"]).exits(0).says("2 deployments in all.html");
}

#[test]
fn a_page_of_a_selection_names_it_and_counts_all() {
    let world = World::open();
    let project = eventful(&world);
    let page = |arguments: &[&str]| {
        project.run(&[&["history", "--html", "-"], arguments].concat()).exits(0).out
    };
    let figures = |page: &str| {
        let (_, rest) = page.split_once(r#""figures":"#).unwrap();
        rest.split_once('}').unwrap().0.to_owned()
    };
    let all = page(&[]);
    assert!(all.contains(r#""listed":null"#));
    for (arguments, listed) in [
        (&["--status", "rolled-back"][..], r#"{"of":4,"shown":1,"typed":"--status rolled-back"}"#),
        (&["--since", "0s", "-n", "2"], r#"{"of":4,"shown":0,"typed":"--since 0s -n 2"}"#),
    ] {
        let some = page(arguments);
        assert!(some.contains(&format!(r#""listed":{listed}"#)), "{some}");
        assert_eq!(figures(&some), figures(&all));
    }
}

#[test]
fn where_nothing_was_deployed_the_page_says_so() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let nothing = "Nothing was deployed from here yet.";
    let piped = project.run(&["history", "--html", "-"]).exits(0);
    assert!(piped.out.starts_with("<!doctype html>"), "{}", piped.out);
    assert!(piped.err.contains(nothing), "{}", piped.err);
    let named = project.run(&["history", "--html", "page.html", "--json"]).exits(0).says(nothing);
    assert_eq!(named.result()["page"]["deployments"], 0);
    let page = std::fs::read_to_string(project.path().join("page.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
}

#[test]
fn the_page_is_written_whole_and_a_directory_that_is_not_there_is_told() {
    let world = World::open();
    let project = eventful(&world);
    let ended = project.run(&["history", "--html", "history.html", "--json"]).exits(0);
    assert_eq!(ended.result()["page"]["file"], "history.html");
    let page = std::fs::read_to_string(project.path().join("history.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    // It is made to be shown: it is as readable as any file that this user makes.
    std::fs::write(project.path().join("plain"), "").unwrap();
    let mode = |name: &str| project.path().join(name).metadata().unwrap().permissions().mode();
    assert_eq!(mode("history.html"), mode("plain"));
    let nowhere = project.run(&["history", "--html", "no/such/history.html"]).exits(1);
    nowhere.says("error[page-unwritable]");
    let page = project.run(&["history", "--html", "-"]).exits(0).out;
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!project.path().join("-").exists());
    let program = env!("CARGO_BIN_EXE_surefoot");
    let mut piped = project.command(&[]);
    let variables: Vec<_> =
        piped.get_envs().filter_map(|(n, v)| Some((n.to_owned(), v?.to_owned()))).collect();
    piped = std::process::Command::new("bash");
    let line = format!("set -o pipefail; '{program}' history --html - | head -c 9");
    let ended = piped
        .args(["-c", &line])
        .current_dir(project.path())
        .env_clear()
        .envs(variables)
        .env("PATH", "/usr/bin:/bin");
    let ended = ended.output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    project.run(&["history", "--html", "-", "--json"]).exits(2).says("name a file");
}

#[test]
fn status_ends_with_what_is_true_where_it_is_asked_for() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["status", "--exit-code"]).exits(0);
    project.deploy();
    project.run(&["status", "--exit-code"]).exits(0).says("by the log").says("by AWS");
    let arn = world.arn("shop");
    world.app_runner("PauseService", &json!({"ServiceArn": arn}));
    world.idle("shop");
    project.run(&["status"]).exits(0).says("PAUSED").says("differs");
    project.run(&["status", "--exit-code"]).exits(27).says("status");
    project.run(&["status", "--exit-code", "--offline"]).exits(0);
}

#[test]
fn a_change_from_outside_is_named_field_by_field() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let arn = world.arn("shop");
    let change =
        json!({"ServiceArn": arn, "InstanceConfiguration": {"Cpu": "2048", "Memory": "4096"}});
    world.app_runner("UpdateService", &change);
    world.idle("shop");
    let ended = project.run(&["status", "--json", "--exit-code"]).exits(27);
    let drift = ended.result()["status"]["aws"]["drift"].as_array().unwrap().clone();
    let fields: Vec<&str> = drift.iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["operation", "cpu", "memory"]);
    project.run(&["verify"]).exits(27).says("fail  no newer operation").says("warn  configuration");
}

#[test]
fn watching_off_a_terminal_appends_only_what_changed_and_ends_when_told() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let run = project.start(&["status", "--watch", "--json"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let arn = world.arn("shop");
    world.app_runner("PauseService", &json!({"ServiceArn": arn}));
    world.idle("shop");
    std::thread::sleep(std::time::Duration::from_secs(4));
    run.signal("INT");
    let ended = run.end().exits(130);
    let told: Vec<_> =
        ended.lines().into_iter().filter(|line| line.get("status").is_some()).collect();
    assert!((2..=4).contains(&told.len()), "{}", ended.out);
    assert_eq!(told[0]["status"]["aws"]["status"], "RUNNING");
    assert_eq!(told[told.len() - 1]["status"]["aws"]["status"], "PAUSED");
}

#[test]
fn verify_holds_after_a_deployment_and_says_what_does_not_hold_later() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["verify"]).exits(27).says("error[nothing-proven]");
    project.deploy();
    let ended = project.run(&["verify", "--json"]).exits(0);
    let checks = ended.result()["verification"]["checks"].as_array().unwrap().clone();
    assert_eq!(checks.len(), 9);
    assert!(checks.iter().all(|check| check["outcome"] == "passed"), "{checks:?}");
    project.run(&["verify"]).exits(0).says("The proof holds.").says("next: surefoot show 1");
    let arn = world.arn("shop");
    world.app_runner("PauseService", &json!({"ServiceArn": arn}));
    world.idle("shop");
    project.run(&["verify"]).exits(27).says("the service is PAUSED").says("fix: ");
}

#[test]
fn verify_proves_what_a_rollback_left() {
    let world = World::open();
    let project = eventful(&world);
    project.run(&["verify"]).exits(0).says("The proof holds.");
    project.run(&["status", "--exit-code"]).exits(0);
}

#[test]
fn what_could_not_be_asked_proves_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.fault(&json!({"operation": "DescribeImages", "kind": "access-denied", "times": 9}));
    project.run(&["verify"]).exits(24).says("cannot be told");
    world.clear();
    world.fault(&json!({"operation": "ListOperations", "kind": "access-denied", "times": null}));
    project.run(&["verify"]).exits(24).says("2 cannot be told").says("?     no newer operation");
    for (operation, kind) in
        [("DescribeService", "error-before-effect"), ("ListServices", "access-denied")]
    {
        world.clear();
        world.fault(&json!({"operation": operation, "kind": kind, "times": null}));
        project.run(&["verify"]).exits(24).says("nothing contradicts the proof");
    }
    world.clear();
    world.fault(
        &json!({"operation": "GetCallerIdentity", "kind": "error-before-effect", "times": null}),
    );
    project.run(&["verify"]).exits(24).says("ask again: `surefoot verify");
}

#[test]
fn an_operation_of_others_is_never_called_ours() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.app_runner("StartDeployment", &json!({"ServiceArn": world.arn("shop")}));
    world.idle("shop");
    project.run(&["verify"]).exits(27).says("is not of this log");
    project.deploy().says("already live");
    let verified = project.run(&["verify"]).exits(0);
    verified.says("is not ours, and was over when").does_not_say(" is ours");
}

#[test]
fn stats_tell_the_four_measures() {
    let world = World::open();
    let project = eventful(&world);
    let ended = project.run(&["stats", "--json"]).exits(0);
    let found = ended.result()["statistics"].clone();
    assert_eq!(found["deployments"], 4);
    assert_eq!(found["live"], 3);
    assert_eq!((&found["changes"], &found["failed_changes"]), (&json!(3), &json!(2)));
    assert_eq!(found["time_to_restore"]["count"], 2);
    assert!(found["lead_time"]["count"].as_u64().unwrap() >= 1, "{found}");
    project.run(&["stats"]).exits(0).says("change failure rate").says("await operation");
    project.run(&["stats", "--since", "2100-01-01"]).exits(2);
    project.run(&["stats", "--since", "then"]).exits(2);
}

#[test]
fn lines_that_a_look_leaves_out_are_said_and_told() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    if !world.runs_images() {
        return;
    }
    let left_out = "lines of the application from before ";
    project.run(&["logs"]).exits(0).does_not_say(left_out);
    // The application writes a line for each.
    for _ in 0..1001 {
        world.ask("shop", "/");
    }
    project.run(&["logs"]).exits(0).says(left_out).says("surefoot logs --grep TEXT");
    let told = project.run(&["logs", "--json"]).exits(0).lines();
    let moments: Vec<_> = told.iter().map(|line| &line["log"]["left_out_before"]).collect();
    assert_eq!(moments.iter().filter(|moment| moment.is_string()).count(), 1);
    project.run(&["logs", "--source", "service"]).exits(0).does_not_say(left_out);
    let searched = project.run(&["logs", "--grep", "no such line"]).exits(0);
    searched.does_not_say(left_out).says("no line that matches since");
}

#[test]
fn logs_are_searched_and_kept_to_a_deployment() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let all = project.run(&["logs", "--source", "service"]).exits(0);
    assert!(all.out.starts_with("sandbox  http://"), "{}", all.out);
    let texts: Vec<&str> =
        all.out.lines().filter_map(|line| Some(line.split_once("App Runner ")?.1)).collect();
    let pulling = texts.iter().filter(|text| text.contains("Pulling image")).count();
    assert_eq!(pulling, 1, "{}", all.out);
    let found =
        project.run(&["logs", "--source", "service", "--grep", "(?i)succe(ss|ed)"]).exits(0);
    assert!(!found.out.is_empty() && found.out.len() < all.out.len(), "{}", found.out);
    let none = project.run(&["logs", "--grep", "no such line anywhere"]).exits(0);
    none.says("no line that matches since").says("surefoot logs --since 1d");
    project.run(&["logs", "--grep", "("]).exits(2).says("regular expression");
    let first = project.run(&["logs", "--deployment", "1"]).exits(0).says("[AppRunner]");
    first.says("Service creation started.").does_not_say("are not shown");
    // Both limits hold: nothing is shown from before its beginning, and nothing from after its end.
    project.release("release two");
    project.deploy();
    project.release("release three");
    project.deploy();
    let second = ["logs", "--source", "service", "--deployment", "2"];
    let own = project.run(&second).exits(0).out;
    let long_ago = project.run(&[&second[..], &["--since", "20d"]].concat()).exits(0).out;
    assert_eq!(long_ago, own);
    let late = project.run(&[&second[..], &["--since", "0s"]].concat()).exits(0);
    assert_eq!(late.says("no line since").says("time was over at").out, "");
    project.run(&["logs", "--deployment", "9"]).exits(2).says("surefoot history");
}
