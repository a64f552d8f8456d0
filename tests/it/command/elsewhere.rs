//! The service of a journal is in one region of one account: another one is not taken for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::support::{ACCOUNT, Project, World};

/// The commands that act on a service of the journal.
const COMMANDS: [&[&str]; 7] = [
    &["resume"],
    &["resume", "--rollback"],
    &["rollback", "1"],
    &["rollback", "--list"],
    &["verify"],
    &["prune", "--apply"],
    &["logs", "--deployment", "1"],
];

/// An STS that takes everybody for somebody of this account, and keeps what it was asked.
struct OtherSts {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl OtherSts {
    fn of(account: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (account, kept) = (account.to_owned(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                kept.lock().unwrap().push(answer(stream, &account));
            }
        });
        Self { address, asked }
    }

    /// Whether it was asked, and in this region alone.
    fn was_asked_in(&self, region: &str) -> bool {
        let asked = self.asked.lock().unwrap();
        let scope = format!("/{region}/sts/");
        !asked.is_empty() && asked.iter().all(|head| head.contains(&scope))
    }
}

/// Answers one request; its head.
fn answer(mut stream: TcpStream, account: &str) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account}:user/ada</Arn><UserId>AIDA</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    drop(stream.write_all(answer.as_bytes()));
    head
}

/// A service whose second deployment is paused before its change.
fn paused(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    project.deploy();
    project.release("release two");
    let fault = json!({"operation": "UpdateService", "kind": "expired-credentials"});
    world.fault(&fault);
    project.run(&["deploy"]).exits(24);
    world.clear();
    project
}

fn events(project: &Project<'_>) -> usize {
    project.run(&["journal", "export"]).exits(0).out.lines().count()
}

#[test]
fn another_region_that_was_named_is_refused_and_nothing_is_concluded() {
    let world = World::open();
    let mut project = paused(&world);
    let before = events(&project);
    project.set("AWS_REGION", "us-east-1");
    for command in COMMANDS.iter().chain(&[&["mark", "1", "bad", "--reason", "slow"][..]]) {
        let ended = project.run(command).exits(20).names("service-elsewhere");
        let ended = ended.says("us-east-1 comes from $AWS_REGION").says("Nothing was changed");
        ended.says(&format!("surefoot {} ", command[0])).says("--region eu-central-1");
    }
    let status = project.run(&["status"]).exits(0).says("could not be asked");
    status.says("surefoot status --region eu-central-1").does_not_say("outside surefoot");
    project.run(&["status", "--offline"]).exits(0);
    assert_eq!(events(&project), before);
    assert!(world.effects().is_empty());
    // What was said to type works.
    project.run(&["resume", "--region", "eu-central-1"]).exits(0).says("live");
    project.run(&["status", "--exit-code"]).exits(20);
    project.run(&["status", "--exit-code", "--region", "eu-central-1"]).exits(0);
    assert!(world.serves("shop", "release two"));
}

#[test]
fn a_region_that_is_only_a_guess_gives_way_to_that_of_the_journal() {
    let world = World::open();
    let mut project = paused(&world);
    let sts = OtherSts::of(ACCOUNT);
    project.set("AWS_ENDPOINT_URL_STS", &sts.address);
    project.unset("AWS_REGION");
    project.unset("AWS_DEFAULT_REGION");
    let profile = world.folder("profile").join("config");
    std::fs::write(&profile, "[default]\nregion = us-east-1\n").unwrap();
    project.set("AWS_CONFIG_FILE", &profile.display().to_string());
    project.run(&["resume"]).exits(0).says("live");
    for command in [&["verify"][..], &["status", "--exit-code"], &["rollback"], &["logs"]] {
        project.run(command).exits(0);
    }
    assert!(sts.was_asked_in("eu-central-1"), "{:?}", sts.asked.lock().unwrap());
}

#[test]
fn another_account_is_refused_before_anything_is_written_or_concluded() {
    let world = World::open();
    let mut project = paused(&world);
    let before = events(&project);
    let sts = OtherSts::of("999999999999");
    project.set("AWS_ENDPOINT_URL_STS", &sts.address);
    for command in COMMANDS {
        let ended = project.run(command).exits(if command == ["rollback", "1"] { 25 } else { 20 });
        if ended.code == 20 {
            let ended = ended.names("service-elsewhere").says(ACCOUNT).says("of 999999999999");
            ended.says(&format!("AWS_PROFILE=NAME surefoot {}", command.join(" ")));
        }
    }
    let status = project.run(&["status"]).exits(0).says("could not be asked");
    status.says("these credentials are of 999999999999").does_not_say("outside surefoot");
    assert_eq!(events(&project), before);
    assert!(world.effects().is_empty());
    // Closing it touches no AWS, and a word on a release neither.
    project.run(&["resume", "--abandon", "--reason", "moved"]).exits(0);
    project.run(&["mark", "1", "good", "--reason", "fast"]).exits(0);
    project.run(&["rollback", "1"]).exits(20).names("service-elsewhere");
    project.run(&["status", "--exit-code"]).exits(20);
    assert!(world.effects().is_empty());
}

#[test]
fn what_is_nowhere_here_is_looked_for_where_the_journal_has_it() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.deploy();
    project.set("AWS_REGION", "us-east-1");
    // In the sandbox every region is the same one.
    project.run(&["logs"]).exits(0);
    world.app_runner("DeleteService", &json!({"ServiceArn": world.arn("shop")}));
    world.until("it is gone", || !world.has("shop"));
    project.run(&["logs"]).exits(2).says("surefoot logs --region eu-central-1");
}
