//! The health gate from outside, and what follows from it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::support::{Ended, Project, World};

/// A server that answers every request with these bytes, repeated so often.
fn server(head: &'static str, body: &'static [u8], times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut request = [0; 4096];
                drop(stream.read(&mut request));
                let mut sent = stream.write_all(head.as_bytes());
                for _ in 0..times {
                    sent = sent.and_then(|()| stream.write_all(body));
                }
            });
        }
    });
    format!("http://{address}")
}

/// Release one is live; release two is asked at this address and gets its health judged there.
fn asked_at(world: &World, address: &str, more: &str) -> (Ended, String, String) {
    let project = Project::new(world, "shop");
    project.deploy();
    let before = world.image("shop");
    let head = format!("[health]\nfrom = \"{address}\"\nretries = 2\ninterval = \"1s\"\n");
    project.write("surefoot.toml", &format!("{head}{more}"));
    project.release("release two");
    let ended = project.run(&["deploy", "--health-timeout", "2s"]);
    (ended, before, world.image("shop"))
}

/// The same, where the answer is not good: rolled back, and said why.
#[track_caller]
fn refused(world: &World, address: &str, why: &str) {
    let (ended, before, after) = asked_at(world, address, "");
    // The rollback is judged by the same gate, which does not pass either.
    assert!(matches!(ended.code, 13 | 15), "{ended:?}");
    let ended = ended.says(why);
    assert_eq!(before, after, "{ended:?}");
    world.nothing_was_done_twice();
}

#[test]
fn a_health_body_of_a_gigabyte_is_cut_off_and_judged() {
    let world = World::open();
    let body: &'static [u8] = vec![b'x'; 1024 * 1024].leak();
    let address = server("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", body, 1024);
    let more = "[health.assert]\nstatus = \"ok\"\n";
    let (ended, before, after) = asked_at(&world, &address, more);
    assert!(matches!(ended.code, 13 | 15), "{ended:?}");
    assert_eq!(before, after);
}

#[test]
fn a_health_body_of_broken_utf8_is_judged_and_shown_harmlessly() {
    let world = World::open();
    let body = b"{\"status\": \"\xff\xfe\x1b[2J\"}";
    let head = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n";
    let address = server(head, body, 1);
    let (ended, before, after) = asked_at(&world, &address, "");
    assert!(matches!(ended.code, 13 | 15), "{ended:?}");
    ended.does_not_say("\u{1b}").says("500");
    assert_eq!(before, after);
}

#[test]
fn a_redirect_loop_is_named() {
    let world = World::open();
    let head = "HTTP/1.1 302 Found\r\nLocation: /healthz\r\nContent-Length: 0\r\n\
                Connection: close\r\n\r\n";
    refused(&world, &server(head, b"", 1), "redirects");
}

#[test]
fn a_wrong_path_is_told_from_a_wrong_port() {
    let world = World::open();
    let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    refused(&world, &server(head, b"", 1), "404");
    let world = World::open();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    refused(&world, &nobody, "nothing listens there");
}

#[test]
fn a_health_check_that_is_not_asked_is_printed_as_unproven() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "[health]\nfrom = \"none\"\n");
    project.commit("not asked");
    project.deploy().says("unproven");
}

#[test]
fn missing_dependencies_are_allowed_only_where_they_are_said_to_be() {
    let world = World::open();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let body = b"{\"dependencies\": {\"ffmpeg\": {\"available\": false}}}";
    let address = server(head, body, 1);
    let mut project = Project::new(&world, "shop");
    let asserted = "[health.assert]\ndependencies.ffmpeg.available = true\n";
    let text = format!("[health]\nretries = 2\nfrom = \"{address}\"\n{asserted}");
    project.write("surefoot.toml", &text);
    project.commit("needs ffmpeg");
    project.run(&["deploy"]).exits(13).says("dependencies.ffmpeg.available");
    project.set("ALLOW_MISSING_DEPS", "true");
    project.release("release two");
    project.deploy().says("dependencies.ffmpeg.available");
}

/// What a release must say of itself. A label, so that a stand-in says it too.
const ASSERTS: &str = "[health]\nretries = 3\n[health.assert]\nlabels.ffmpeg = \"available\"\n\
                       [app_runner_health_check]\nprotocol = \"HTTP\"\npath = \"/healthz\"\n";

/// A project whose gate asks for ffmpeg.
fn asking_for_ffmpeg<'a>(world: &'a World, state: &str) -> Project<'a> {
    let project = Project::new(world, "shop");
    project.write("surefoot.toml", ASSERTS);
    project.answers_with_label("ffmpeg", state);
    project.commit("release one");
    project
}

#[test]
fn thirteen_a_release_that_app_runner_accepts_and_our_gate_does_not() {
    let world = World::open();
    let project = asking_for_ffmpeg(&world, "available");
    project.deploy();
    let before = world.image("shop");
    project.answers_with_label("ffmpeg", "missing");
    project.release("release two");
    let ended = project.run(&["deploy", "--json"]).exits(13).says("labels.ffmpeg");
    let log = if world.runs_images() { "GET /healthz" } else { "[stand-in]" };
    assert!(ended.err.contains(log), "application log lines:\n{}", ended.err);
    let events = ended.events();
    for event in ["HealthFailed", "RollbackStarted", "RollbackIssued", "DeploymentRolledBack"] {
        assert!(events.iter().any(|name| name == event), "{event} is missing in {events:?}");
    }
    assert_eq!(world.image("shop"), before);
    assert!(world.ask("shop", "/healthz").1.contains("available"));
    assert_eq!(world.effective("UpdateService").len(), 2);
    world.nothing_was_done_twice();
    project.run(&["history"]).exits(0).says("rolled back");
}

#[test]
fn thirteen_a_first_deployment_that_fails_our_gate_is_left_and_not_deleted() {
    let world = World::open();
    let project = asking_for_ffmpeg(&world, "missing");
    let ended = project.run(&["deploy"]).exits(13);
    ended.says("nothing to roll back to").says("delete-service");
    assert_eq!(world.operations("shop"), [("CREATE_SERVICE".into(), "SUCCEEDED".into())]);
}

#[test]
fn twelve_a_release_that_never_becomes_healthy_is_named_before_the_operation_ends() {
    let world = World::open();
    let project = asking_for_ffmpeg(&world, "available");
    project.deploy();
    let before = world.image("shop");
    // A port that nobody asks: the application lives, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    project.write("app.conf", &format!("port = {port}\n"));
    project.answers_with_label("surefoot.stand-in.status", "503");
    project.release("release two");
    let ended = project.run(&["deploy"]).exits(12);
    let said = |text: &str| ended.err.find(text);
    let cause = said("note: the application does not answer").expect("the cause, explained");
    let end = said("ROLLBACK_SUCCEEDED").expect("App Runner's rollback");
    assert!(cause < end && end < said("error[").unwrap(), "{}", ended.err);
    assert_eq!(world.image("shop"), before);
    assert!(world.serves("shop", "release one"));
    assert_eq!(world.effective("UpdateService").len(), 1, "App Runner went back by itself");
}
