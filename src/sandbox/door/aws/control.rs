//! `/_sandbox/`: shows the world and steers it. JSON in, JSON out.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Behind;
use super::response::json_answer;
use crate::sandbox::cloud::fault::Fault;
use crate::sandbox::cloud::switches::TABLE;

fn shown(value: &impl Serialize) -> Response {
    match serde_json::to_value(value) {
        Ok(value) => json_answer(200, &value),
        Err(error) => json_answer(500, &json!({"error": error.to_string()})),
    }
}

fn wrong(message: impl Into<String>) -> Response {
    json_answer(400, &json!({"error": message.into()}))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))
}

pub(super) async fn summary(State(behind): State<Behind>) -> Response {
    let now = behind.now();
    let mut cloud = behind.lock();
    cloud.advance(now, &*behind.registry);
    shown(&cloud.summary())
}

/// All calls, or those after `?since=NUMBER`.
pub(super) async fn calls(State(behind): State<Behind>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let since = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "since")
        .and_then(|(_, number)| number.parse::<u64>().ok())
        .unwrap_or(0);
    let cloud = behind.lock();
    let calls: Vec<_> = cloud.record().calls().filter(|call| call.number > since).collect();
    shown(&calls)
}

pub(super) async fn faults(State(behind): State<Behind>) -> Response {
    shown(&behind.lock().faults())
}

/// One fault or a list of them.
pub(super) async fn add_faults(State(behind): State<Behind>, body: Bytes) -> Response {
    let sent: Value = match read(&body) {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let list = if sent.is_array() { sent } else { json!([sent]) };
    match serde_json::from_value::<Vec<Fault>>(list) {
        Ok(faults) => {
            let mut cloud = behind.lock();
            for fault in faults {
                cloud.add_fault(fault);
            }
            shown(&cloud.faults())
        }
        Err(error) => wrong(error.to_string()),
    }
}

pub(super) async fn switches(State(behind): State<Behind>) -> Response {
    shown(&json!({"now": behind.lock().switches(), "table": TABLE}))
}

/// `{"rollback-ends": "failed", …}`; all of them or none.
pub(super) async fn set_switches(State(behind): State<Behind>, body: Bytes) -> Response {
    let wishes: Map<String, Value> = match read(&body) {
        Ok(wishes) => wishes,
        Err(response) => return response,
    };
    let mut cloud = behind.lock();
    let mut switches = cloud.switches().clone();
    for (name, position) in &wishes {
        let position = position.as_str().map_or_else(|| position.to_string(), ToOwned::to_owned);
        if let Err(message) = switches.set(name, &position) {
            return wrong(message);
        }
    }
    *cloud.switches_mut() = switches;
    shown(cloud.switches())
}

/// `{"access-key": "AKIA…"}`: calls with this key are answered with an expired token.
pub(super) async fn expire(State(behind): State<Behind>, body: Bytes) -> Response {
    let sent: Value = match read(&body) {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    match sent["access-key"].as_str() {
        Some(key) => {
            behind.lock().expire_key(key);
            shown(&json!({"expired": key}))
        }
        None => wrong("`access-key` is missing"),
    }
}

/// `{"repository": "shop", "milliseconds": 86400000}`: its images were pushed so much earlier; with
/// `digest`, that one alone.
pub(super) async fn age(State(behind): State<Behind>, body: Bytes) -> Response {
    let sent: Value = match read(&body) {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    match (sent["repository"].as_str(), sent["milliseconds"].as_i64()) {
        (Some(repository), Some(by)) => {
            let aged = behind.registry.age(repository, sent["digest"].as_str(), by);
            shown(&json!({"aged": aged}))
        }
        _ => wrong("`repository` and `milliseconds` are needed"),
    }
}

pub(super) async fn clear(State(behind): State<Behind>) -> Response {
    behind.lock().clear();
    shown(&json!({"cleared": ["calls", "faults", "expired keys"]}))
}
