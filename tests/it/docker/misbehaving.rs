//! Engines that misbehave: played by a small server, so these tests need no engine.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use surefoot::names::ImageIdentifier;
use surefoot::world::builder::{Builder as _, DockerBuilder};
use surefoot::world::registry::Login;
use surefoot::world::{Obstacle, Place, Silence, WorldError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::support::{ImageName, Project, build, builder, refusal};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// An answer to requests whose first line contains a text.
#[derive(Clone)]
struct Answer {
    to: &'static str,
    status: &'static str,
    body: String,
    /// Whether the connection breaks before the body ends.
    breaks: bool,
    /// Whether the request is read to its end, and the connection ends after the answer.
    listens: bool,
}

fn answer(to: &'static str, body: &str) -> Answer {
    Answer { to, status: "200 OK", body: body.into(), breaks: false, listens: true }
}

/// Starts an engine that knows these answers; the requests it got are kept.
async fn engine(answers: Vec<Answer>) -> (DockerBuilder, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answers.clone(), Arc::clone(&seen)));
        }
    });
    (builder(&[("DOCKER_HOST", &address)]), requests)
}

async fn serve(mut stream: TcpStream, answers: Vec<Answer>, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    seen.lock().unwrap().push(head.clone());
    let missing = Answer {
        to: "",
        status: "404 Not Found",
        body: r#"{"message":"page not found"}"#.into(),
        breaks: false,
        listens: true,
    };
    let ping = answer("/_ping", "OK");
    let found = answers.iter().chain([&ping]).find(|answer| line.contains(answer.to));
    let Answer { status, body, breaks, listens, .. } = found.unwrap_or(&missing);
    if *listens && head.to_lowercase().contains("transfer-encoding: chunked") {
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => body.push(byte),
                Err(_) => return,
            }
        }
    }
    let length = body.len() + if *breaks { 1_000 } else { 0 };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // The other side may have left already.
    drop(stream.write_all(text.as_bytes()).await);
    if !listens {
        std::future::pending::<()>().await;
    }
}

fn target() -> ImageIdentifier {
    "registry.example:5000/shop:v1".parse().unwrap()
}

fn login(password: &str) -> Login {
    Login { server: "https://r".into(), username: "AWS".into(), password: password.into() }
}

fn tagged() -> Answer {
    Answer { status: "201 Created", ..answer("/tag?", "") }
}

async fn push(answers: Vec<Answer>) -> Result<surefoot::names::Digest, WorldError> {
    let (builder, _) = engine(answers).await;
    builder.push("x:v1", &target(), &login("p"), &Silence).await
}

fn digest_line() -> String {
    format!("{{\"status\":\"v1: digest: {DIGEST} size: 528\"}}\n")
}

fn stream_error(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!("{{\"errorDetail\":{{\"message\":{text}}},\"error\":{text}}}\n")
}

#[tokio::test]
async fn a_password_of_any_signs_arrives_whole() {
    let (builder, requests) =
        engine(vec![tagged(), answer("/push", &digest_line()), answer("/distribution", "{}")])
            .await;
    let password = "~~~>>>???~>?ÿþ";
    builder.push("x:v1", &target(), &login(password), &Silence).await.unwrap();
    let requests = requests.lock().unwrap();
    let push = requests.iter().find(|request| request.contains("/push")).unwrap();
    let header = push
        .lines()
        .find_map(|line| line.to_lowercase().starts_with("x-registry-auth: ").then(|| &line[17..]))
        .unwrap();
    assert!(!header.contains(['+', '/']), "{header}");
    let login: serde_json::Value =
        serde_json::from_slice(&URL_SAFE.decode(header.trim()).unwrap()).unwrap();
    assert_eq!(login["password"], password);
    assert_eq!(login["username"], "AWS");
}

#[tokio::test]
async fn an_engine_that_cannot_ask_the_registry_is_believed() {
    let digest = push(vec![tagged(), answer("/push", &digest_line())]).await.unwrap();
    assert_eq!(digest.as_str(), DIGEST);
}

#[tokio::test]
async fn two_digests_are_one_too_many() {
    let registry = format!("{{\"Descriptor\":{{\"digest\":\"{OTHER}\"}},\"Platforms\":[]}}");
    let answers =
        vec![tagged(), answer("/push", &digest_line()), answer("/distribution", &registry)];
    let (code, message, _) = refusal(push(answers).await);
    assert_eq!(code, "digest-mismatch");
    assert!(message.contains(DIGEST) && message.contains(OTHER), "{message}");
}

#[tokio::test]
async fn refusals_of_the_registry_keep_their_meaning() {
    for (text, expected) in [
        ("no basic auth credentials", "push-denied"),
        ("name unknown: The repository with name 'shop' does not exist", "no-repository"),
        (
            "tag invalid: The image tag 'v1' already exists … because the tag is immutable.",
            "tag-taken",
        ),
    ] {
        let answers = vec![tagged(), answer("/push", &stream_error(text))];
        assert_eq!(refusal(push(answers).await).0, expected, "{text}");
    }
    let expired = "denied: Your authorization token has expired. Reauthenticate and try again.";
    let answers = vec![tagged(), answer("/push", &stream_error(expired))];
    let error = push(answers).await.unwrap_err();
    let obstacle = Obstacle::ExpiredCredentials;
    assert!(matches!(error, WorldError::Unreachable { obstacle: o, .. } if o == obstacle));
}

#[tokio::test]
async fn an_engine_that_vanishes_while_building_is_no_answer() {
    let project = Project::new("FROM scratch\n");
    let broken = Answer { breaks: true, ..answer("/build", "{\"stream\":\"Step 1/1\\n\"}\n") };
    let (builder, _) = engine(vec![broken]).await;
    let (answer, kept) = build(&builder, &project.request(), &ImageName::new()).await;
    let error = answer.unwrap_err();
    assert!(
        matches!(
            error,
            WorldError::Unreachable { place: Place::Docker, obstacle: Obstacle::Network, .. }
        ),
        "{error:?}"
    );
    assert_eq!(kept.lines(), ["Step 1/1"]);
}

/// The classic builder stumbles over any image that somebody removes while it looks at its cache.
#[tokio::test]
async fn a_build_that_lost_its_cache_is_begun_anew_but_not_for_ever() {
    let project = Project::new("FROM scratch\n");
    let lost = stream_error(&format!("unable to find image \"{DIGEST}\""));
    let (builder, requests) = engine(vec![answer("/build", &lost)]).await;
    let (answer, _) = build(&builder, &project.request(), &ImageName::new()).await;
    let (code, message, _) = refusal(answer);
    assert_eq!(code, "build-failed");
    assert!(message.contains("unable to find image"), "{message}");
    let requests = requests.lock().unwrap();
    let builds = requests.iter().filter(|request| request.contains("/build")).count();
    assert_eq!(builds, 4);
}

#[tokio::test]
async fn an_engine_that_refuses_without_listening_does_not_hold_us() {
    let project = Project::new("FROM scratch\n");
    let large = std::fs::File::create(project.path().join("large")).unwrap();
    large.set_len(50_000_000).unwrap();
    let deaf = Answer {
        status: "400 Bad Request",
        listens: false,
        ..answer("/build", r#"{"message":"dockerfile parse error line 2"}"#)
    };
    let (builder, _) = engine(vec![deaf]).await;
    let (answer, _) = build(&builder, &project.request(), &ImageName::new()).await;
    let (code, message, _) = refusal(answer);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("build-failed", "dockerfile parse error line 2")
    );
}

#[tokio::test]
async fn a_build_without_an_image_is_refused() {
    let project = Project::new("FROM scratch\n");
    let (builder, _) = engine(vec![answer("/build", "{\"stream\":\"all done\\n\"}\n")]).await;
    let (answer, _) = build(&builder, &project.request(), &ImageName::new()).await;
    let (code, message, details) = refusal(answer);
    assert_eq!(code, "build-failed");
    assert!(message.contains("without naming an image"), "{message}");
    assert_eq!(details, ["all done"]);
}

#[tokio::test]
async fn garbage_for_an_answer_is_refused() {
    let project = Project::new("FROM scratch\n");
    let (builder, _) = engine(vec![answer("/build", "<html>proxy says no</html>\n")]).await;
    let (answer, _) = build(&builder, &project.request(), &ImageName::new()).await;
    assert_eq!(refusal(answer).0, "build-failed");
}

#[tokio::test]
async fn the_classic_api_is_spoken_to_an_engine_without_buildkit() {
    let project = Project::new("FROM scratch\n");
    let inspected = r#"{"Id":"sha256:12","Os":"linux","Architecture":"amd64","Size":7}"#;
    let (builder, requests) = engine(vec![
        answer("/build", "{\"aux\":{\"ID\":\"sha256:12\"}}\n{\"stream\":\"ok\\n\"}\n"),
        answer("/images/sha256:12/json", inspected),
    ])
    .await;
    let image = build(&builder, &project.request(), &ImageName::new()).await.0.unwrap();
    assert_eq!((image.id.as_str(), image.size), ("sha256:12", 7));
    let requests = requests.lock().unwrap();
    let build = requests.iter().find(|request| request.contains("/build")).unwrap();
    let line = build.lines().next().unwrap();
    assert!(line.contains("version=1") && line.contains("platform=linux%2Famd64"), "{line}");
    assert!(!line.contains("session="), "{line}");
}

#[tokio::test]
async fn another_platform_is_refused_whatever_the_engine_was_told() {
    let project = Project::new("FROM scratch\n");
    let inspected = r#"{"Id":"sha256:12","Os":"linux","Architecture":"arm64","Size":7}"#;
    let (builder, _) = engine(vec![
        answer("/build", "{\"aux\":{\"ID\":\"sha256:12\"}}\n"),
        answer("/images/sha256:12/json", inspected),
    ])
    .await;
    let (answer, _) = build(&builder, &project.request(), &ImageName::new()).await;
    let (code, message, _) = refusal(answer);
    assert_eq!(code, "wrong-platform");
    assert!(message.contains("linux/arm64"), "{message}");
}
