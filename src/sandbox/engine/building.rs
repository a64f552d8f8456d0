//! `POST /build`: takes the context to disk, then builds and tells.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};

use axum::body::Body;
use futures_util::StreamExt as _;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Engine;
use super::api::{Query, failure, lines, refused};
use super::build::{Build, BuildError, Order};
use super::dockerfile::Instruction;
use super::images::{Image, normal};
use super::tree::Tree;

pub(super) async fn answer(
    engine: Engine,
    query: &Query,
    request: Request<Body>,
) -> Response<Body> {
    if query.one("version") == Some("2") {
        return refused(
            StatusCode::BAD_REQUEST,
            "BuildKit is not part of the embedded engine; use the classic builder",
        );
    }
    if query.one("remote").is_some() {
        return refused(
            StatusCode::BAD_REQUEST,
            "the embedded engine builds from a sent context only",
        );
    }
    let order = match order(query) {
        Ok(order) => order,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    let names: Vec<String> = query.all("t").map(normal).collect();
    let context = match receive(request.into_body()).await {
        Ok(file) => file,
        Err(error) => {
            return refused(
                StatusCode::BAD_REQUEST,
                &format!("the build context could not be read: {error}"),
            );
        }
    };
    let (sender, receiver) = mpsc::unbounded_channel();
    let (ready, begun) = tokio::sync::oneshot::channel();
    // Building reads and writes files and compresses: not a task for the async threads.
    tokio::task::spawn_blocking(move || build(&engine, order, context, &names, &sender, ready));
    match begun.await {
        Ok(None) => lines(receiver),
        Ok(Some((status, message))) => refused(status, &message),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the build ended without a word"),
    }
}

type Refusal = Option<(StatusCode, String)>;

fn build(
    engine: &Engine,
    order: Order,
    context: File,
    names: &[String],
    sender: &mpsc::UnboundedSender<Value>,
    ready: tokio::sync::oneshot::Sender<Refusal>,
) {
    let find = |name: &str| engine.images().find(name).cloned();
    // A client that went away does not stop the build: Docker's would, and nothing depends on it.
    let say = |line| drop(sender.send(line));
    let context = match Tree::index(context) {
        Ok(context) => context,
        Err(error) => {
            let message = format!("Error processing tar file: {error}");
            drop(ready.send(Some((StatusCode::INTERNAL_SERVER_ERROR, message))));
            return;
        }
    };
    let build = Build { order, context, store: &engine.store, find: &find, say: &say };
    let instructions = match build.read() {
        Ok(instructions) => instructions,
        Err(error) => {
            let status = match error {
                BuildError::Parse(_) => StatusCode::BAD_REQUEST,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            drop(ready.send(Some((status, error.to_string()))));
            return;
        }
    };
    drop(ready.send(None));
    finish(engine, &build, &instructions, names);
}

fn finish(engine: &Engine, build: &Build<'_>, instructions: &[Instruction], names: &[String]) {
    let image: Image = match build.run(instructions) {
        Ok(image) => image,
        Err(error) => return (build.say)(failure(&error.to_string())),
    };
    let id = image.id.clone();
    let mut images = engine.images();
    images.add(image);
    (build.say)(json!({"aux": {"ID": id}}));
    let short: String = id.trim_start_matches("sha256:").chars().take(12).collect();
    (build.say)(json!({"stream": format!("Successfully built {short}\n")}));
    for name in names {
        images.name(name, &id);
        (build.say)(json!({"stream": format!("Successfully tagged {name}\n")}));
    }
}

fn order(query: &Query) -> Result<Order, String> {
    Ok(Order {
        dockerfile: query.one("dockerfile").unwrap_or("Dockerfile").to_owned(),
        arguments: map(query, "buildargs")?,
        labels: map(query, "labels")?,
        platform: query.one("platform").unwrap_or("linux/amd64").to_owned(),
        target: query.one("target").map(str::to_lowercase),
    })
}

/// A JSON object in the query; an argument without value is null and means nothing here.
fn map(query: &Query, name: &str) -> Result<BTreeMap<String, String>, String> {
    let Some(text) = query.one(name) else { return Ok(BTreeMap::new()) };
    let read: BTreeMap<String, Option<String>> =
        serde_json::from_str(text).map_err(|error| format!("error reading {name}: {error}"))?;
    Ok(read.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// The context goes to a file: it may be larger than the memory.
async fn receive(body: Body) -> Result<File, axum::BoxError> {
    let mut file = tempfile::tempfile()?;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        file.write_all(&chunk?)?;
    }
    file.rewind()?;
    Ok(file)
}
