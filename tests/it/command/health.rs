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
    ended.says(why);
    assert_eq!(before, after);
    world.nothing_was_done_twice();
}

#[test]
fn a_health_body_of_a_gigabyte_is_cut_off_and_judged() {
    let world = World::open();
    let body: &'static [u8] = &[b'x'; 1024 * 1024];
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

/// Release one is good; release two says that ffmpeg is missing.
const ASSERTS: &str = "[health]\nretries = 3\n[health.assert]\ndependencies.ffmpeg.available = true\n";

fn with_ffmpeg(available: bool) -> String {
    format!("{{\"dependencies\": {{\"ffmpeg\": {{\"available\": {available}}}}}}}\n")
}

#[test]
fn thirteen_a_release_that_app_runner_accepts_and_our_gate_does_not() {
    let world = World::open();
    if !world.runs_images() {
        return;
    }
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", ASSERTS);
    project.write("health.json", &with_ffmpeg(true));
    project.commit("good");
    project.deploy();
    let before = world.image("shop");
    project.write("health.json", &with_ffmpeg(false));
    project.release("release two");
    let ended = project.run(&["deploy", "--json"]).exits(13);
    let ended = ended.says("dependencies.ffmpeg.available");
    assert!(ended.err.contains("GET /healthz"), "application log lines:\n{}", ended.err);
    let events = ended.events();
    for event in ["HealthFailed", "RollbackStarted", "RollbackIssued", "DeploymentRolledBack"] {
        assert!(events.iter().any(|name| name == event), "{event} is missing in {events:?}");
    }
    assert_eq!(world.image("shop"), before);
    assert!(world.ask("shop", "/healthz").1.contains("true"));
    assert_eq!(world.effective("UpdateService").len(), 2);
    world.nothing_was_done_twice();
    project.run(&["history"]).exits(0).says("rolled back");
}

#[test]
fn thirteen_a_first_deployment_that_fails_our_gate_is_left_and_not_deleted() {
    let world = World::open();
    if !world.runs_images() {
        return;
    }
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", ASSERTS);
    project.write("health.json", &with_ffmpeg(false));
    project.commit("bad");
    let ended = project.run(&["deploy"]).exits(13);
    ended.says("nothing to roll back to").says("delete-service");
    assert_eq!(world.operations("shop"), [("CREATE_SERVICE".into(), "SUCCEEDED".into())]);
}

#[test]
fn twelve_a_release_that_never_becomes_healthy_is_named_before_the_operation_ends() {
    let world = World::open();
    if !world.runs_images() {
        return;
    }
    let project = Project::new(&world, "shop");
    project.deploy();
    let before = world.image("shop");
    // A port that nobody asks: the application lives, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    project.write("app.conf", &format!("port = {port}\n"));
    project.release("release two");
    let ended = project.run(&["deploy"]).exits(12);
    let said = |text: &str| ended.err.find(text);
    let cause = said("Health check failed").expect("App Runner's own line");
    let rollback = said("ROLLBACK").or(said("rolled back")).expect("App Runner's rollback");
    let problem = said("error[").expect("the problem");
    assert!(cause < problem && rollback < problem, "{}", ended.err);
    assert_eq!(world.image("shop"), before);
    assert_eq!(world.ask("shop", "/").1, "release one\n");
}
