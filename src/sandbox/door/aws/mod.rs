//! AWS over HTTP: App Runner, ECR, CloudWatch Logs, Secrets Manager, STS and IAM on one port.
//!
//! JSON services are told apart by `X-Amz-Target`, Query services by `Version`. Signatures are not
//! verified; that there is one is. Beside them `/_sandbox/` shows and steers the world.

mod control;
mod driver;
#[cfg(test)]
mod fake;
mod request;
mod response;
pub mod seam;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde_json::json;
use tokio::net::TcpListener;

use super::super::cloud::{Answer, Api, Call, Cloud, Reply};
use super::super::{Clock, Timestamp};
use request::Incoming;
use seam::{Ecr, Runtime};

/// A layer part over the ECR API has up to 20 MB, a third more as base64.
const MOST_BODY: usize = 64 * 1024 * 1024;

/// Everything behind the door.
#[derive(Clone)]
pub struct Behind {
    /// The simulated world.
    pub cloud: Arc<Mutex<Cloud>>,
    /// Answers ECR and finds images.
    pub registry: Arc<dyn Ecr>,
    /// Runs instances.
    pub runtime: Arc<dyn Runtime>,
    /// Tells the time.
    pub clock: Clock,
}

impl Behind {
    fn lock(&self) -> MutexGuard<'_, Cloud> {
        // A panic while the lock was held leaves a world that is whole: every change is one call.
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Serves until `stop` is ready; drives the cloud and its instances meanwhile.
///
/// Instances are left as they are at the end: whoever made the runtime shuts it down.
pub async fn serve(
    behind: Behind,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let driver = tokio::spawn(driver::drive(behind.clone()));
    let served = axum::serve(listener, router(behind)).with_graceful_shutdown(stop).await;
    driver.abort();
    served
}

/// The routes, for whoever brings a listener of their own.
pub fn router(behind: Behind) -> Router {
    Router::new()
        .route("/_sandbox/", get(control::summary))
        .route("/_sandbox/calls", get(control::calls))
        .route("/_sandbox/faults", get(control::faults).post(control::add_faults))
        .route("/_sandbox/switches", get(control::switches).post(control::set_switches))
        .route("/_sandbox/expire", post(control::expire))
        .route("/_sandbox/age", post(control::age))
        .route("/_sandbox/clear", post(control::clear))
        .route("/", any(answer))
        .fallback(any(answer))
        .with_state(behind)
}

async fn answer(State(behind): State<Behind>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return response::plain(413, "the request is larger than 64 MB\n");
    };
    let request_id = behind.lock().request_id();
    let incoming = match request::read(&head, &body) {
        Ok(incoming) => incoming,
        Err(refused) => return response::refused(&behind, &refused, &request_id),
    };
    let answer = perform(&behind, &incoming).await;
    if answer.delay > 0 {
        late(answer.delay).await;
    }
    match answer.reply {
        Reply::Body(body) => response::success(&incoming, &body, &request_id),
        Reply::Refusal(error) => {
            let kind = behind.lock().error_type(incoming.call.api, &error.code);
            response::error(incoming.call.api, &error, &kind, &request_id)
        }
        Reply::Cut => response::cut(),
        Reply::Garbage => response::garbage(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a late answer is late in real time: the edge of the door"
)]
async fn late(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

async fn perform(behind: &Behind, incoming: &Incoming) -> Answer {
    let call = &incoming.call;
    let mut answer = match call.api {
        Api::Ecr => ask_registry(behind, call),
        _ => behind.lock().call(call, &*behind.registry, behind.now()),
    };
    if call.operation == "CreateService" {
        give_address(behind, &mut answer).await;
    }
    answer
}

/// Let in, and recorded, by the cloud; answered by the registry.
fn ask_registry(behind: &Behind, call: &Call) -> Answer {
    let now = behind.now();
    let admitted = behind.lock().admit(call, &*behind.registry, now);
    match admitted {
        Err(answer) => answer,
        Ok(ticket) => {
            let result = behind.registry.answer(&call.operation, &call.body, now);
            behind.lock().settle(ticket, result, &*behind.registry)
        }
    }
}

/// A new service gets its address on loopback before anyone hears of it.
async fn give_address(behind: &Behind, answer: &mut Answer) {
    let waiting: Vec<String> = behind
        .lock()
        .services()
        .filter(|service| service.url.ends_with(".awsapprunner.com"))
        .map(|service| service.id.clone())
        .collect();
    for id in waiting {
        let url = behind.runtime.service_url(&id).await;
        behind.lock().set_url(&id, &url);
        if let Reply::Body(body) = &mut answer.reply
            && body["Service"]["ServiceId"].as_str() == Some(id.as_str())
        {
            body["Service"]["ServiceUrl"] = json!(url);
        }
    }
}

/// The bytes of an answer.
fn body(bytes: impl Into<Bytes>) -> Body {
    Body::from(bytes.into())
}
