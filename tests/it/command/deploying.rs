//! One command that creates or updates, and knows when there is nothing to do.

use serde_json::json;

use super::support::{Project, World, shell};

#[test]
fn the_first_deployment_creates_the_service_and_the_second_updates_it() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy().says("live");
    let first = world.image("shop");
    assert!(first.contains("@sha256:"), "deployed by digest: {first}");
    project.release("release two");
    project.deploy();
    assert_ne!(world.image("shop"), first);
    assert!(world.serves("shop", "release two"));
    let kinds: Vec<String> = world.operations("shop").into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["CREATE_SERVICE", "UPDATE_SERVICE"]);
    world.nothing_was_done_twice();
}

#[test]
fn a_success_claimed_is_one_that_answers_on_the_url_that_is_printed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let result = project.deploy_json().exits(0).result();
    let url = result["summary"]["url"].as_str().unwrap().to_owned();
    let (status, body) = world.get(&format!("{url}/healthz"));
    assert_eq!(status, 200);
    assert!(body.contains("ok"), "{body}");
    let digest = result["summary"]["digest"].as_str().unwrap();
    assert!(world.image("shop").ends_with(digest));
}

#[test]
fn nothing_to_change_is_said_and_starts_no_operation() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    world.clear();
    project.deploy().says("already live");
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    assert_eq!(world.operations("shop").len(), 1);
    project.deploy().says("already live");
}

#[test]
fn force_restart_starts_a_deployment_that_changes_the_mark_alone() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let before = world.describe("shop");
    world.clear();
    project.run(&["deploy", "--force-restart"]).exits(0);
    assert_eq!(world.effective("UpdateService").len(), 1);
    let after = world.describe("shop");
    assert_ne!(mark(&before), mark(&after));
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
    let image = |service: &serde_json::Value| {
        service["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"].clone()
    };
    assert_eq!(image(&before), image(&after));
}

fn mark(service: &serde_json::Value) -> String {
    let image = &service["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"];
    image["RuntimeEnvironmentVariables"]["SUREFOOT_DEPLOYMENT"].as_str().unwrap().to_owned()
}

#[test]
fn an_image_that_is_in_ecr_already_needs_no_docker() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.deploy();
    let (first, tag) = (world.image("shop"), project.tag());
    project.release("release two");
    project.deploy();
    project.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    project.run(&["deploy", "--image", &tag]).exits(0);
    assert_eq!(world.image("shop"), first);
    let digest = first.split_once('@').unwrap().1;
    project.run(&["deploy", "--image", digest]).exits(0).says("already live");
    project.run(&["deploy", "--image", &format!("shop:{tag}")]).exits(0).says("already live");
    project.run(&["deploy", "--image", &first]).exits(0).says("already live");
    project.run(&["deploy", "--image", "no-such-tag"]).exits(20).names("image-missing");
    let missing = project.run(&["preflight", "--image", "no-such-tag"]).exits(20);
    missing.says("aws ecr describe-images --repository-name shop`");
    project.run(&["deploy", "--image", "a b"]).exits(2);
}

#[test]
fn force_latest_deploys_what_latest_names_by_its_digest() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let first = world.image("shop");
    project.release("release two");
    project.write("surefoot.toml", "latest = false\n");
    project.commit("latest stays");
    project.deploy();
    assert_ne!(world.image("shop"), first);
    project.run(&["deploy", "--force-latest"]).exits(0);
    assert_eq!(world.image("shop"), first);
}

#[test]
fn a_tag_that_another_service_moved_is_not_deployed_unseen() {
    let world = World::open();
    let shop = Project::new(&world, "shop");
    shop.deploy();
    let mut stall = shop.cloned("shop");
    stall.set("SERVICE_NAME", "stall");
    // The same commit, and an image of its own: both have the same tag.
    stall.write("surefoot.toml", "[build.arguments]\nNAME = 'stall'\n");
    stall.write(".gitignore", "surefoot.toml\nindex.html\n");
    stall.git("update-index --assume-unchanged index.html");
    stall.write("index.html", "of the stall\n");
    stall.commit("the stall");
    shop.git(&format!("pull --quiet {} HEAD", stall.path().display()));
    shop.deploy();
    let (ours, tag) = (world.image("shop"), shop.tag());
    assert_eq!(stall.tag(), tag, "both are at the same commit");
    stall.deploy();
    let theirs = world.image("stall");
    assert_ne!(ours, theirs);
    world.clear();
    for asked in [&["--force-latest"][..], &["--image", &tag], &["--force-latest", "--dry-run"]] {
        let refused = shop.run(&[&["deploy"], asked].concat()).exits(26);
        let refused = refused.names("image-of-another-service").says("an image of `stall`");
        refused
            .says("`shop` never ran")
            .says(&format!("--image shop@{}", &theirs[theirs.find("sha256").unwrap()..]));
    }
    assert!(world.effects().is_empty(), "{:?}", world.effects());
    // Each tag is its own for who moved it last.
    stall.run(&["deploy", "--force-latest"]).exits(0).says("already live");
    let digest = theirs.split_once('@').unwrap().1;
    shop.run(&["deploy", "--image", &format!("shop@{digest}")]).exits(0);
    assert_eq!(world.image("shop"), theirs);
    shop.run(&["deploy", "--force-latest"]).exits(0).says("already live");
}

#[test]
fn latest_is_pushed_after_the_service_is_pinned_and_never_before() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let calls = world.calls();
    let at = |operation: &str| {
        calls.iter().position(|call| call["operation"] == operation && call["effective"] == true)
    };
    assert!(at("PutImage").unwrap() > at("CreateService").unwrap());
}

#[test]
fn a_dirty_tree_never_borrows_the_tag_of_the_clean_commit() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("index.html", "not committed\n");
    let result = project.deploy_json().exits(0).result();
    let tag = result["summary"]["tag"].as_str().unwrap().to_owned();
    assert!(tag.starts_with(&format!("{}-dirty-", project.tag())), "{tag}");
    project.git("checkout --quiet index.html");
    let result = project.deploy_json().exits(0).result();
    assert_eq!(result["summary"]["tag"], project.tag());
}

#[test]
fn without_git_the_tag_is_the_time() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    std::fs::remove_dir_all(project.path().join(".git")).unwrap();
    let result = project.deploy_json().exits(0).result();
    let tag = result["summary"]["tag"].as_str().unwrap();
    assert!(tag.len() == 16 && tag.ends_with('Z') && tag.contains('T'), "{tag}");
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let world = World::open();
    let mut project = Project::new(&world, "from-variable");
    project.write("surefoot.toml", "service_name = \"from-file\"\necr_repository = \"by-file\"\n");
    let named = |project: &Project<'_>, arguments: &[&str]| {
        let arguments = [&["deploy", "--dry-run", "--json"], arguments].concat();
        let plan = project.run(&arguments).exits(0).result()["plan"].clone();
        let service = plan["service"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let origins = plan["origins"].as_array().unwrap().clone();
        let repository = origins.iter().find(|origin| origin["key"] == "ecr_repository").unwrap();
        (service, repository["value"].as_str().unwrap().to_owned())
    };
    let both = |service: &str, repository: &str| (service.to_owned(), repository.to_owned());
    let flags = ["--service-name", "from-flag", "--ecr-repo", "by-flag"];
    assert_eq!(named(&project, &flags), both("from-flag", "by-flag"));
    assert_eq!(named(&project, &[]), both("from-variable", "from-variable"));
    project.set("SERVICE_NAME", "");
    project.set("ECR_REPOSITORY", "");
    assert_eq!(named(&project, &[]), both("from-file", "by-file"));
}

#[test]
fn two_services_of_one_repository_have_one_journal_and_two_histories() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.run(&["deploy", "--service-name", "second"]).exits(0);
    let rows = |service: &str| {
        let ended = project.run(&["history", "--json", "--service-name", service]).exits(0);
        ended.result()["history"]["deployments"].as_array().unwrap().len()
    };
    assert_eq!((rows("shop"), rows("second")), (1, 1));
}

/// Whoever named the repository once need not name it again: the journal knows it better than the
/// directory's name does.
#[test]
fn the_repository_that_the_journal_knows_is_the_one() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.unset("ECR_REPOSITORY");
    project.run(&["deploy", "--ecr-repo", "team/shop"]).exits(0);
    project.release("release two");
    project.run(&["preflight"]).exits(0).says("team/shop");
    project.deploy();
    assert!(world.image("shop").contains("team/shop@"), "{}", world.image("shop"));
    project.run(&["prune"]).exits(0).says("team/shop");
    let clone = project.cloned("clone");
    shell(&format!(
        "mkdir -p '{0}' && cp -r '{1}/export' '{0}'",
        clone.history().display(),
        project.history().display()
    ));
    clone.run(&["preflight"]).exits(0).says("team/shop");
}

#[test]
fn a_service_that_the_journal_does_not_know_is_met_with_those_it_knows() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    for command in ["status", "history", "stats"] {
        let typo = [command, "--service-name", "shopp"];
        project.run(&typo).exits(0).says("Nothing was deployed from here yet").says("knows `shop`");
        let json = project.run(&[&typo[..], &["--json"]].concat()).exits(0).result();
        let name = if command == "stats" { "statistics" } else { command };
        assert_eq!(json[name]["known_services"], json!(["shop"]), "{json}");
    }
}

#[test]
fn status_history_and_show_tell_the_same_story() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["status"]).exits(0).says("Nothing was deployed from here yet");
    project.run(&["history"]).exits(0).says("Nothing was deployed from here yet");
    project.run(&["show", "1"]).exits(2);
    project.deploy();
    let tag = project.tag();
    project.run(&["status"]).exits(0).says(&tag).says("RUNNING");
    project.run(&["status", "--offline"]).exits(0).says(&tag).does_not_say("RUNNING");
    project.run(&["history"]).exits(0).says(&tag[..7]).says("live");
    project.run(&["show", "1"]).exits(0).says(&tag);
    let show = project.run(&["show", "1", "--json"]).exits(0).result();
    let story = show["deployment"].to_string();
    for fact in [&world.arn("shop"), &tag, world.image("shop").split_once('@').unwrap().1] {
        assert!(story.contains(fact), "mission 1.4 wants {fact} in {show}");
    }
    let events = project.run(&["show", "#1", "--events", "--json"]).exits(0).result();
    assert!(events["events"].as_array().unwrap().len() > 8);
    project.run(&["show", "99"]).exits(2);
    project.run(&["show", "x"]).exits(2);
}

#[test]
fn status_says_what_somebody_changed_outside() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let arn = world.arn("shop");
    let body =
        json!({"ServiceArn": arn, "InstanceConfiguration": {"Cpu": "2048", "Memory": "4096"}});
    world.app_runner("UpdateService", &body);
    world.idle("shop");
    project.run(&["status"]).exits(0).says("outside surefoot");
}

#[test]
fn one_command_inside_the_sandbox_deploys_twice_and_ends_with_its_exit_code() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let surefoot = env!("CARGO_BIN_EXE_surefoot");
    let script = format!(
        "set -e; {surefoot} deploy; echo second > index.html; \
         git -c user.name=T -c user.email=t@example.com commit --quiet --all -m second; \
         {surefoot} deploy; {surefoot} history; exit 7"
    );
    let arguments =
        ["sandbox", "--engine", "embedded", "--speed", "300", "--", "sh", "-c", &script];
    let mut command = project.command(&arguments);
    // What leads to another world must not leak into this one.
    command.env("AWS_PROFILE", "production").env("AWS_SESSION_TOKEN", "x");
    let ended = super::support::Run::start(command).end();
    let ended = ended.exits(7).says("#2");
    assert!(world.calls().is_empty(), "it was another sandbox: {ended:?}");
}

#[test]
fn a_service_that_was_deleted_is_created_anew() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let arn = world.arn("shop");
    world.app_runner("DeleteService", &json!({"ServiceArn": arn}));
    world.until("it is gone", || {
        let answer = world.app_runner("DescribeService", &json!({"ServiceArn": arn}));
        answer["Service"]["Status"] == "DELETED"
    });
    project.run(&["status"]).exits(0);
    project.release("release two");
    project.run(&["deploy"]).exits(0);
    assert!(world.serves("shop", "release two"));
}
