//! The door from outside: raw HTTP against a listener on loopback.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::fake::{FakeRegistry, FakeRuntime};
use super::{Behind, serve};
use crate::sandbox::cloud::{Beginning, Cloud};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/apprunner/aws4_request, SignedHeaders=host, Signature=0";
/// Far above any honest run; a test that waits this long has found a defect.
const PATIENCE: u32 = 3_000;

struct Door {
    address: String,
    behind: Behind,
    runtime: Arc<FakeRuntime>,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
}

struct Heard {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Door {
    /// A clock that runs a second with every look: no real time passes for App Runner.
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let runtime = Arc::new(FakeRuntime::default());
        let looks = AtomicI64::new(1_000_000_000_000);
        let behind = Behind {
            cloud: Arc::new(Mutex::new(Cloud::new(Beginning::default()))),
            registry: Arc::new(FakeRegistry),
            runtime: runtime.clone(),
            clock: Arc::new(move || looks.fetch_add(1_000, Ordering::Relaxed)),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(behind.clone(), listener, async move { drop(stopped.await) }));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, behind, runtime, client, stop: Some(stop) }
    }

    async fn send(&self, headers: &[(&str, &str)], body: String) -> reqwest::Result<Heard> {
        let mut request = self.client.post(&self.address).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Heard { status, headers, text: answer.text().await? })
    }

    async fn ask(&self, target: &str, body: Value) -> Heard {
        let headers = [("x-amz-target", target), ("authorization", SIGNED)];
        self.send(&headers, body.to_string()).await.unwrap()
    }

    async fn query(&self, text: &str) -> Heard {
        self.send(&[("authorization", SIGNED)], text.to_owned()).await.unwrap()
    }

    async fn control(&self, path: &str, body: Option<Value>) -> Heard {
        let url = format!("{}/_sandbox/{path}", self.address);
        let request = match body {
            Some(body) => self.client.post(url).body(body.to_string()),
            None => self.client.get(url),
        };
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Heard { status, headers, text: answer.text().await.unwrap() }
    }

    async fn fault(&self, fault: Value) {
        let heard = self.control("faults", Some(fault)).await;
        assert_eq!(heard.status, 200, "{}", heard.text);
    }

    async fn create(&self, letter: &str) -> Value {
        let heard = self
            .ask(
                "AppRunner.CreateService",
                json!({"ServiceName": "shop", "SourceConfiguration": self.source(letter)}),
            )
            .await;
        assert_eq!(heard.status, 200, "{}", heard.text);
        heard.json()
    }

    fn source(&self, letter: &str) -> Value {
        let role = self.behind.lock().identity().access_role_arn();
        json!({
            "ImageRepository": {"ImageIdentifier": format!("127.0.0.1:5000/shop@sha256:{}", letter.repeat(64)), "ImageRepositoryType": "ECR"},
            "AuthenticationConfiguration": {"AccessRoleArn": role}, "AutoDeploymentsEnabled": false,
        })
    }

    /// Waits for the end of the newest operation and says how it ended.
    async fn outcome(&self, arn: &Value) -> String {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..PATIENCE {
            tick.tick().await;
            let rows =
                self.ask("AppRunner.ListOperations", json!({"ServiceArn": arn})).await.json();
            let newest = &rows["OperationSummaryList"][0];
            if newest.get("EndedAt").is_some() {
                return newest["Status"].as_str().unwrap().to_owned();
            }
        }
        panic!("the operation does not end");
    }
}

#[tokio::test]
async fn each_protocol_has_its_content_type_and_error_body() {
    let door = Door::open().await;
    for (target, kind, member) in [
        ("AppRunner.DescribeService", "application/x-amz-json-1.0", "Message"),
        ("secretsmanager.GetSecretValue", "application/x-amz-json-1.1", "Message"),
        ("Logs_20140328.GetLogEvents", "application/x-amz-json-1.1", "message"),
        (
            "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
            "application/x-amz-json-1.1",
            "message",
        ),
    ] {
        let heard = door.ask(target, json!({})).await;
        assert_eq!((heard.status, heard.header("content-type")), (400, kind), "{target}");
        assert!(!heard.header("x-amzn-requestid").is_empty(), "{target}");
        let body = heard.json();
        assert!(body["__type"].is_string() && body[member].is_string(), "{target}: {body}");
        let unknown = door
            .ask(&format!("{}.Nonsense", target.split('.').next().unwrap()), json!({}))
            .await
            .json();
        if !target.starts_with("Amazon") {
            assert_eq!(unknown["__type"], "UnknownOperationException", "{target}");
        }
    }
    assert_eq!(
        door.ask("Nobody.Knows", json!({})).await.json()["__type"],
        "UnknownOperationException"
    );
}

#[tokio::test]
async fn query_services_answer_in_xml() {
    let door = Door::open().await;
    let me = door.query("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!((me.status, me.header("content-type")), (200, "text/xml"));
    assert!(
        me.text.contains("<GetCallerIdentityResult><Account>123456789012</Account>"),
        "{}",
        me.text
    );
    assert!(me.text.contains("<ResponseMetadata><RequestId>"), "{}", me.text);
    let none = door.query("Action=GetRole&Version=2010-05-08&RoleName=none").await;
    assert_eq!(none.status, 404);
    assert!(
        none.text.contains("<Code>NoSuchEntity</Code>")
            && none.text.contains("<Type>Sender</Type>"),
        "{}",
        none.text
    );
    let unknown = door.query("Action=ListUsers&Version=2010-05-08").await;
    assert!(unknown.text.contains("<Code>InvalidAction</Code>"), "{}", unknown.text);
    assert!(door.query("Version=2010-05-08").await.text.contains("<Code>MissingAction</Code>"));
}

#[tokio::test]
async fn who_does_not_sign_is_refused() {
    let door = Door::open().await;
    let heard =
        door.send(&[("x-amz-target", "AppRunner.ListServices")], "{}".into()).await.unwrap();
    assert_eq!(heard.json()["__type"], "MissingAuthenticationTokenException");
    let heard = door
        .send(
            &[("x-amz-target", "AppRunner.ListServices"), ("authorization", "Bearer x")],
            "{}".into(),
        )
        .await
        .unwrap();
    assert_eq!(heard.json()["__type"], "IncompleteSignatureException");
    let heard = door.send(&[], "Action=GetCallerIdentity&Version=2011-06-15".into()).await.unwrap();
    assert!(
        heard.status == 403 && heard.text.contains("<Code>MissingAuthenticationToken</Code>"),
        "{}",
        heard.text
    );
    door.control("expire", Some(json!({"access-key": "AKIATEST"}))).await;
    assert_eq!(
        door.ask("AppRunner.ListServices", json!({})).await.json()["__type"],
        "ExpiredTokenException"
    );
    assert!(
        door.query("Action=GetCallerIdentity&Version=2011-06-15")
            .await
            .text
            .contains("<Code>ExpiredToken</Code>")
    );
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let door = Door::open().await;
    for body in ["[]", "{", "\"x\"", "\u{0}"] {
        let headers = [("x-amz-target", "AppRunner.ListServices"), ("authorization", SIGNED)];
        let heard = door.send(&headers, body.into()).await.unwrap();
        assert_eq!(heard.json()["__type"], "SerializationException", "{body:?}");
    }
}

#[tokio::test]
async fn a_deployment_runs_an_instance_and_a_failed_one_leaves_it_serving() {
    let door = Door::open().await;
    let made = door.create("a").await;
    let service = &made["Service"];
    let (arn, id) = (&service["ServiceArn"], service["ServiceId"].as_str().unwrap());
    assert!(service["ServiceUrl"].as_str().unwrap().starts_with("127.0.0.1:"), "{service}");
    assert_eq!(door.outcome(arn).await, "SUCCEEDED");
    let running = door.runtime.running();
    assert_eq!((running.len(), running[0].port), (1, 8080));
    let live = running[0].instance_id.0.clone();
    assert_eq!(door.runtime.route_of(id), Some(live.clone()));
    let group = format!("/aws/apprunner/shop/{id}/application");
    let lines = door
        .ask(
            "Logs_20140328.GetLogEvents",
            json!({"logGroupName": group, "logStreamName": format!("instance/{live}")}),
        )
        .await;
    assert_eq!(lines.json()["events"][0]["message"], "hello from the program");
    for letter in ["b", "c", "d", "e"] {
        let heard = door
            .ask(
                "AppRunner.UpdateService",
                json!({"ServiceArn": arn, "SourceConfiguration": door.source(letter)}),
            )
            .await;
        assert_eq!(heard.status, 200, "{letter}: {}", heard.text);
        assert_eq!(door.outcome(arn).await, "ROLLBACK_SUCCEEDED", "{letter}");
        assert_eq!(door.runtime.route_of(id), Some(live.clone()), "{letter}");
    }
    door.ask("AppRunner.PauseService", json!({"ServiceArn": arn})).await;
    assert_eq!(door.outcome(arn).await, "SUCCEEDED");
}

#[tokio::test]
async fn lost_answers_look_lost_and_may_have_had_their_effect() {
    for (kind, made) in [("cut-before-effect", false), ("cut-after-effect", true)] {
        let door = Door::open().await;
        door.fault(json!({"operation": "CreateService", "kind": kind})).await;
        let headers = [("x-amz-target", "AppRunner.CreateService"), ("authorization", SIGNED)];
        let body = json!({"ServiceName": "shop", "SourceConfiguration": door.source("a")});
        assert!(door.send(&headers, body.to_string()).await.is_err(), "{kind}");
        assert_eq!(door.behind.lock().service("shop").is_some(), made, "{kind}");
        let calls = door.control("calls", None).await.json();
        assert_eq!(
            (calls[0]["outcome"].as_str(), calls[0]["effective"].as_bool()),
            (Some("cut"), Some(made))
        );
    }
}

#[tokio::test]
async fn garbage_is_not_json() {
    let door = Door::open().await;
    door.fault(json!({"operation": "*", "kind": "garbage-answer"})).await;
    let heard = door.ask("AppRunner.ListServices", json!({})).await;
    assert!(heard.status == 200 && serde_json::from_str::<Value>(&heard.text).is_err());
}

#[tokio::test]
async fn calls_to_the_registry_are_recorded_and_struck_like_all_others() {
    let door = Door::open().await;
    let target = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories";
    assert_eq!(door.ask(target, json!({})).await.json(), json!({"repositories": []}));
    door.fault(json!({"operation": "DescribeRepositories", "kind": "error-before-effect"})).await;
    let heard = door.ask(target, json!({})).await;
    assert_eq!((heard.status, heard.json()["__type"].as_str()), (500, Some("ServerException")));
    let calls = door.control("calls?since=1", None).await.json();
    assert_eq!((calls.as_array().unwrap().len(), calls[0]["service"].as_str()), (1, Some("ecr")));
}

#[tokio::test]
async fn the_world_is_shown_and_steered() {
    let door = Door::open().await;
    door.create("a").await;
    let summary = door.control("", None).await.json();
    assert_eq!(summary["services"][0]["name"], "shop");
    let set = door
        .control("switches", Some(json!({"rollback-ends": "failed", "service-quota": 3})))
        .await
        .json();
    assert_eq!(
        (set["rollback-ends"].as_str(), set["service-quota"].as_u64()),
        (Some("failed"), Some(3))
    );
    assert_eq!(
        door.control("switches", Some(json!({"service-quota": 4, "nonsense": "x"}))).await.status,
        400
    );
    let shown = door.control("switches", None).await.json();
    assert_eq!(shown["now"]["service-quota"], 3, "all or none");
    assert!(!shown["table"].as_array().unwrap().is_empty());
    assert_eq!(
        door.control("faults", Some(json!({"operation": "*", "kind": "x"}))).await.status,
        400
    );
    assert_eq!(door.control("expire", Some(json!({}))).await.status, 400);
    door.fault(json!([{"operation": "*", "kind": "throttle"}])).await;
    door.control("clear", Some(json!({}))).await;
    assert_eq!(door.control("faults", None).await.json(), json!([]));
    assert_eq!(door.control("calls", None).await.json(), json!([]));
}

#[tokio::test]
async fn the_door_closes_when_it_is_told_to() {
    let mut door = Door::open().await;
    door.stop.take().unwrap().send(()).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..PATIENCE {
        tick.tick().await;
        if door.client.get(format!("{}/_sandbox/", door.address)).send().await.is_err() {
            return;
        }
    }
    panic!("still open");
}
