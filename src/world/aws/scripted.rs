//! An AWS endpoint for tests: answers as the script says, remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Connection, Patience};

/// What the endpoint was asked.
#[derive(Debug, Clone)]
pub(in crate::world) struct Asked {
    /// The operation, without the service's name: `UpdateService`.
    pub operation: String,
    /// The path, for the image door.
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub(in crate::world) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub(in crate::world) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(in crate::world) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    pub(in crate::world) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// An error as AWS JSON services tell it.
    pub(in crate::world) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "__type": code, "message": message }))
    }

    pub(in crate::world) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    asked: Mutex<Vec<Asked>>,
}

/// The endpoint.
#[derive(Clone)]
pub(in crate::world) struct Endpoint {
    script: Arc<Script>,
    pub address: std::net::SocketAddr,
}

impl Endpoint {
    pub(in crate::world) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script::default());
        let router = axum::Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { script, address }
    }

    /// Answers this operation so, next. The last answer of an operation stays.
    pub(in crate::world) fn on(&self, operation: &str, answer: Answer) -> &Self {
        let mut answers = self.script.answers.lock().unwrap();
        answers.entry(operation.to_owned()).or_default().push_back(answer);
        drop(answers);
        self
    }

    pub(in crate::world) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    pub(in crate::world) fn asked_for(&self, operation: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.operation == operation).collect()
    }

    pub(in crate::world) fn connection(&self) -> Connection {
        connection_to(self.address)
    }
}

/// A connection with little patience, for tests that let it run out.
pub(in crate::world) fn connection_to(address: std::net::SocketAddr) -> Connection {
    let patience = Patience {
        connect: Duration::from_secs(5),
        attempt: Duration::from_secs(5),
        operation: Duration::from_secs(20),
        attempts: 2,
        pause: Duration::from_millis(1),
    };
    let region = "eu-central-1".parse().unwrap();
    Connection::to_endpoint(&format!("http://{address}"), &region, patience)
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let header = |value: &axum::http::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let headers: HashMap<String, String> =
        parts.headers.iter().map(|(name, value)| (name.to_string(), header(value))).collect();
    let asked = Asked {
        operation: operation(&headers, &body),
        path: parts.uri.path().to_owned(),
        headers,
        body: body.to_vec(),
    };
    let key = if asked.operation.is_empty() { &asked.path } else { &asked.operation };
    let found = next_answer(&script, key);
    script.asked.lock().unwrap().push(asked);
    let mut response = Response::builder().status(found.status);
    for (name, value) in &found.headers {
        response = response.header(name, value);
    }
    response.body(axum::body::Body::from(found.body)).unwrap()
}

/// AWS JSON names the operation in a header, AWS Query in the body.
fn operation(headers: &HashMap<String, String>, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target") {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let action = form_urlencoded::parse(body).find(|(name, _)| name == "Action");
    action.map(|(_, action)| action.into_owned()).unwrap_or_default()
}

fn next_answer(script: &Script, key: &str) -> Answer {
    let mut answers = script.answers.lock().unwrap();
    match answers.get_mut(key) {
        Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
        Some(queue) => queue.front().unwrap().clone(),
        None => Answer::text(599, &format!("nothing is scripted for `{key}`")),
    }
}

/// What a bare socket does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Rude {
    /// Reads the request, then resets the connection.
    Resets,
    /// Reads the request, then never says anything.
    StaysSilent,
    /// Reads the request, then speaks no HTTP.
    Babbles,
    /// Begins an answer and breaks off.
    BreaksOff,
}

/// A socket that behaves badly.
pub(in crate::world) async fn rude(manner: Rude) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 16_384];
                let _read = socket.read(&mut buffer).await;
                match manner {
                    Rude::Resets => socket.set_zero_linger().unwrap(),
                    Rude::StaysSilent => std::future::pending().await,
                    Rude::Babbles => socket.write_all(b"what? no.\r\n\r\n").await.unwrap(),
                    Rude::BreaksOff => socket
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"Serv")
                        .await
                        .unwrap(),
                }
            });
        }
    });
    address
}

/// An address where nothing listens.
pub(in crate::world) async fn closed() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
