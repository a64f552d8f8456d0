//! The same with a real Docker engine: real builds, real pushes, real containers that answer.
//!
//! Service names differ from test to test: they are part of the names of containers, which all
//! sandboxes of this process share.

use std::process::Command;

use super::support::{Project, World, shell};

/// The names of the containers that serve a service.
fn containers(service: &str) -> Vec<String> {
    let filter = format!("label=surefoot.sandbox.service={service}");
    let output = Command::new("docker")
        .args(["ps", "--filter", &filter, "--format", "{{.Names}}"])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Takes the images of repositories with this beginning away, whatever became of the test.
pub(super) struct Images(pub(super) &'static str);

impl Drop for Images {
    fn drop(&mut self) {
        let repository = self.0;
        shell(&format!(
            "docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' \
             | grep '[/]{repository}[^/]*:' | xargs -r docker rmi --force >/dev/null 2>&1; true"
        ));
    }
}

#[test]
fn a_real_container_serves_the_first_release_and_then_the_second() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-first");
    let project = Project::new(&world, "web-first");
    project.deploy();
    assert_eq!(world.ask("web-first", "/").1, "release one\n");
    project.release("release two");
    project.deploy();
    assert_eq!(world.ask("web-first", "/").1, "release two\n");
    world.until("the old container is gone", || containers("web-first").len() == 1);
    project.run(&["logs", "--source", "app"]).exits(0).says("listening on port");
    drop(world);
    assert!(containers("web-first").is_empty(), "nothing is left behind");
}

#[test]
fn a_real_container_that_never_answers_is_taken_back_and_the_old_one_serves_on() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-silent");
    let project = Project::new(&world, "web-silent");
    let check = "[app_runner_health_check]\nprotocol = \"HTTP\"\npath = \"/healthz\"\n";
    project.write("surefoot.toml", check);
    project.commit("release one");
    project.deploy();
    project.write("app.conf", "port = 9\n");
    project.release("release two");
    let run = project.start(&["deploy"]);
    run.until_said("note: ");
    // While App Runner tries, and while it goes back, the old release answers.
    assert_eq!(world.ask("web-silent", "/").1, "release one\n");
    let ended = run.end().exits(12);
    let cause = ended.err.find("note: the application does not answer").expect("the cause");
    let end = ended.err.find("ROLLBACK_SUCCEEDED").expect("App Runner's rollback");
    assert!(cause < end, "{}", ended.err);
    assert_eq!(world.ask("web-silent", "/").1, "release one\n");
    world.nothing_was_done_twice();
}

#[test]
fn a_real_container_that_exits_is_told_with_its_last_words() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-exits");
    let project = Project::new(&world, "web-exits");
    project.deploy();
    project.write("app.conf", "port = 99999\n");
    project.write("Dockerfile", "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/no-such-program\"]\n");
    project.release("release two");
    project.run(&["deploy"]).exits(12).says("stopped");
    assert_eq!(world.ask("web-exits", "/").1, "release one\n");
}

#[test]
fn a_real_release_without_ffmpeg_is_rolled_back_and_its_last_lines_are_shown() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-ffmpeg");
    let project = Project::new(&world, "web-ffmpeg");
    let asserts = "[health]\nretries = 3\n[health.assert]\ndependencies.ffmpeg.available = true\n";
    let answer = |available: bool| {
        format!("{{\"dependencies\": {{\"ffmpeg\": {{\"available\": {available}}}}}}}\n")
    };
    project.write("surefoot.toml", asserts);
    project.write("health.json", &answer(true));
    project.commit("release one");
    project.deploy();
    project.write("health.json", &answer(false));
    project.release("release two");
    let ended = project.run(&["deploy"]).exits(13);
    ended.says("dependencies.ffmpeg.available").says("GET /healthz");
    assert_eq!(world.ask("web-ffmpeg", "/").1, "release one\n");
    assert_eq!(world.ask("web-ffmpeg", "/healthz").1, answer(true));
    world.nothing_was_done_twice();
}

#[test]
fn killed_while_a_real_container_starts_it_resumes_to_the_right_one() {
    let Some(world) = World::docker(&[]) else { return };
    let _images = Images("web-killed");
    let project = Project::new(&world, "web-killed");
    project.deploy();
    project.release("release two");
    for event in ["ImageBuilt", "DigestPushed", "UpdateIssued"] {
        let run = project.start(&["deploy", "--json", "--force-restart"]);
        run.until_event(event);
        run.kill();
        project.run(&["resume"]).exits(0);
        assert_eq!(world.ask("web-killed", "/").1, "release two\n", "{event}");
        project.write("index.html", "release two\n");
        project.write("more", event);
        project.commit(event);
    }
    world.nothing_was_done_twice();
    assert_eq!(world.operations("web-killed").len(), 4);
}
