//! One test per exit code of the mission that these commands can give, through the real binary.

use serde_json::json;

use super::support::{Project, World};

#[test]
fn zero_a_deployment_that_is_proven() {
    let world = World::open();
    Project::new(&world, "shop").deploy();
}

#[test]
fn one_something_that_has_no_code_of_its_own() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["deploy", "--cleanup-old"]).exits(1).names("not-yet");
    assert!(world.effects().is_empty());
}

#[test]
fn two_a_wrong_word_on_the_command_line() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["deply"]).exits(2).says("deploy");
    project.run(&["deploy", "--no-such-option"]).exits(2);
    let told = project.run(&["prune", "--keep", "0", "--json"]).exits(2).result();
    assert_eq!(told["problem"]["code"], "usage", "{told}");
    project.run(&["deploy", "--health-retries", "many"]).exits(2);
    project.run(&["deploy", "--deploy-timeout", "soon"]).exits(2);
    project.run(&["deploy", "--force-latest", "--image", "x"]).exits(2);
    project.run(&["--help"]).exits(0).says("deploy");
    let help = project.run(&["deploy", "--help"]).exits(0);
    for option in [
        "--service-name",
        "--region",
        "--ecr-repo",
        "--force-latest",
        "--force-restart",
        "--dry-run",
        "--tail",
        "--json",
        "--cleanup-old",
        "--prune-images[=<N>]",
        "--deploy-timeout",
        "--health-timeout",
        "--health-retries",
        "--help",
    ] {
        assert!(help.out.contains(option), "{option} is missing in\n{}", help.out);
    }
    assert!(world.calls().is_empty());
}

#[test]
fn ten_an_image_that_cannot_be_built() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("Dockerfile", "FROM scratch\nCOPY not-there /\n");
    project.commit("broken");
    project.run(&["deploy"]).exits(10).says("not-there");
    assert!(!world.has("shop"));
}

#[test]
fn eleven_an_image_that_cannot_be_pushed() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    let body = json!({"repositoryName": "shop", "imageTagMutability": "IMMUTABLE"});
    let (status, answer) =
        world.call("AmazonEC2ContainerRegistry_V20150921.CreateRepository", &body);
    assert_eq!(status, 200, "{answer}");
    let other = "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/app\"]\n";
    project.write("Dockerfile.other", other);
    project.commit("two ways to build one commit");
    project.deploy().says("latest");
    let before = world.image("shop");
    // The same commit, and so the same tag, names another image already.
    project.set("SUREFOOT_BUILD_DOCKERFILE", "Dockerfile.other");
    project.run(&["deploy"]).exits(11).says(&project.tag());
    assert_eq!(world.image("shop"), before);
}

#[test]
fn twelve_a_change_that_app_runner_refuses() {
    let world = World::switched(&["new-services=refused"]);
    let project = Project::new(&world, "shop");
    project.run(&["deploy"]).exits(12);
    assert!(!world.has("shop"));
}

#[test]
fn twelve_a_change_that_app_runner_takes_back() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let before = world.image("shop");
    world.fault_once("UpdateService", "fail-health");
    project.release("release two");
    project.run(&["deploy"]).exits(12).says("App Runner");
    assert_eq!(world.image("shop"), before);
}

#[test]
fn fourteen_a_deadline_that_passed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let before = world.image("shop");
    // App Runner gives up after the deadline, and has gone back before the second limit.
    world.fault(&json!([
        {"operation": "UpdateService", "kind": "slow-operation", "factor": 4},
        {"operation": "UpdateService", "kind": "fail-health"},
    ]));
    project.release("release two");
    let ended = project.run(&["deploy", "--deploy-timeout", "3s"]).exits(14).says("deadline");
    // It is waited for twice, and each of its lines is shown once.
    let shown = ended.err.lines().filter_map(|line| line.split_once("| App Runner: "));
    let mut lines: Vec<&str> = shown.map(|(_, words)| words).collect();
    assert!(lines.len() > 3, "{}", ended.err);
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "{}", ended.err);
    world.idle("shop");
    assert_eq!(world.image("shop"), before);
    world.nothing_was_done_twice();
}

#[test]
fn fourteen_still_busy_and_resume_goes_on() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("SUREFOOT_TIMES_RELEASE_WAIT", "1s");
    project.deploy();
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 12}));
    project.release("release two");
    let ended = project.run(&["deploy", "--deploy-timeout", "1s"]);
    ended.exits(14).names("still-busy").says("surefoot resume");
    project.run(&["deploy"]).exits(25);
    world.idle("shop");
    project.run(&["resume"]).exits(0).says("live");
    world.nothing_was_done_twice();
}

#[test]
fn a_deadline_that_our_operation_missed_by_a_little_is_a_success_and_said() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 5}));
    project.release("release two");
    project.run(&["deploy", "--deploy-timeout", "1s"]).exits(0).says("deadline");
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
}

#[test]
fn fifteen_a_rollback_that_failed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.fault(&json!([
        {"operation": "UpdateService", "kind": "fail-health", "times": 2},
        {"operation": "UpdateService", "kind": "rollback-failed", "times": 2},
    ]));
    project.release("release two");
    // Neither App Runner nor we can bring the release before back.
    let ended = project.run(&["deploy", "--json"]).exits(15);
    assert!(ended.events().contains(&"RollbackFailed".to_owned()), "{}", ended.out);
    assert_eq!(world.effective("UpdateService").len(), 2);
    project.run(&["status"]).exits(0);
}

#[test]
fn sixteen_what_cannot_be_known() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    // Somebody takes our mark away right after our call, and the answer is lost.
    world.fault(&json!([
        {"operation": "UpdateService", "kind": "cut-after-effect"},
        {"operation": "UpdateService", "kind": "foreign", "service": "shop",
         "act": {"do": "replace-environment"}, "after-milliseconds": 0},
    ]));
    project.release("release two");
    project.run(&["deploy"]).exits(16).names("attention");
    project.run(&["status"]).exits(0);
}

#[test]
fn twenty_a_check_that_fails_before_anything_costs_time() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("SUREFOOT_SERVICE_ACCESS_ROLE", "NoSuchRole");
    project.run(&["deploy"]).exits(20).says("NoSuchRole");
    project.run(&["preflight"]).exits(20).says("NoSuchRole");
    assert!(world.effects().is_empty());
}

#[test]
fn preflight_creates_a_missing_role_after_consent_and_not_before() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("SUREFOOT_SERVICE_ACCESS_ROLE", "ShopAccess");
    project.set("SUREFOOT_SERVICE_INSTANCE_ROLE", "ShopInstance");
    project.run(&["preflight"]).exits(20).says("surefoot preflight --fix");
    // Nobody is there to say yes.
    project.run(&["preflight", "--fix"]).exits(20).says("not created");
    assert!(world.effects().is_empty());
    project.run(&["preflight", "--fix", "--yes"]).exits(0).says("created role ShopInstance");
    project.run(&["preflight"]).exits(0);
    project.deploy();
}

#[test]
fn twenty_a_service_that_is_paused() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.app_runner("PauseService", &json!({"ServiceArn": world.arn("shop")}));
    world.idle("shop");
    project.release("release two");
    world.clear();
    project.run(&["deploy"]).exits(20).says("resume-service");
    assert!(!world.effects().contains_key("UpdateService"));
}

#[test]
fn twenty_one_credentials_that_aws_does_not_accept() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("AWS_ACCESS_KEY_ID", "AKIAEXPIREDEXPIRED00");
    world.expire("AKIAEXPIREDEXPIRED00");
    project.run(&["deploy"]).exits(21).names("credentials-expired").says("aws sso login");
    project.run(&["preflight"]).exits(21);
    assert!(world.effects().is_empty());
}

#[test]
fn twenty_one_no_credentials_at_all() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let mut command = project.command(&["deploy"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    super::support::Run::start(command).end().exits(21).names("no-credentials");
}

#[test]
fn twenty_two_docker_that_is_not_running() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    project.run(&["deploy"]).exits(22).names("docker-not-running").says("start Docker");
    project.run(&["preflight"]).exits(22);
    assert!(world.effects().is_empty());
}

#[test]
fn twenty_three_another_deployment_holds_the_service() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let clone = project.cloned("clone");
    let first = project.start(&["deploy", "--json"]);
    first.until_event("DeploymentPlanned");
    let process = format!("process {}", first.id());
    project.run(&["deploy"]).exits(23).names("locked").says(&process).says("tester").says("since");
    clone.run(&["deploy"]).exits(23).says(&process);
    clone.run(&["resume"]).exits(0).says("nothing to resume");
    project.run(&["status"]).exits(0);
    project.run(&["history"]).exits(0);
    first.end().exits(0);
    clone.run(&["deploy"]).exits(0);
}

#[test]
fn two_services_do_not_wait_for_each_other() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let other = Project::new(&world, "other");
    let first = project.start(&["deploy", "--json"]);
    first.until_event("DeploymentPlanned");
    other.deploy();
    first.end().exits(0);
}

#[test]
fn twenty_four_credentials_that_expire_in_the_middle_pause_and_resume_ends_well() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(
        &json!({"operation": "ListOperations", "kind": "expired-credentials", "times": null}),
    );
    project.run(&["deploy"]).exits(24).names("credentials-expired").says("surefoot resume");
    project.run(&["status"]).exits(0).says("unfinished");
    world.clear();
    project.run(&["resume"]).exits(0).says("live");
    world.nothing_was_done_twice();
    assert_eq!(world.operations("shop").len(), 1);
}

#[test]
fn twenty_five_an_unfinished_deployment_is_pending() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let first = project.start(&["deploy", "--json"]);
    first.until_event("CreateIssued");
    first.kill();
    let ended = project.run(&["deploy"]).exits(25).names("pending");
    ended.says("surefoot resume").says("--rollback").says("surefoot status");
    project.run(&["resume"]).exits(0);
    project.run(&["resume"]).exits(0).says("nothing to resume");
    assert_eq!(world.operations("shop").len(), 1);
}

#[test]
fn twenty_six_an_older_commit_than_the_one_that_is_live() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let first = project.tag();
    project.release("release two");
    project.deploy();
    let live = world.image("shop");
    project.git(&format!("checkout --quiet {first}"));
    project.run(&["deploy"]).exits(26).says("--allow-older");
    assert_eq!(world.image("shop"), live);
    project.run(&["deploy", "--allow-older"]).exits(0);
    assert!(world.serves("shop", "release one"));
}

#[test]
fn seventy_four_a_journal_that_cannot_be_used() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    std::fs::create_dir_all(project.history()).unwrap();
    std::fs::write(project.history().join("FORMAT"), "surefoot journal 99\n").unwrap();
    std::fs::write(project.history().join("journal.redb"), "nonsense").unwrap();
    for command in ["deploy", "status", "history", "resume"] {
        project.run(&[command]).exits(74);
    }
    assert!(world.effects().is_empty());
}

#[test]
fn one_hundred_and_thirty_an_interruption_that_can_be_resumed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("CreateIssued");
    run.signal("INT");
    run.end().exits(130).names("interrupted");
    project.run(&["resume"]).exits(0);
}
