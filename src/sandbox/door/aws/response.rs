//! Writing an answer: AWS JSON 1.0 and 1.1, Query XML.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::request::{Incoming, Refused};
use super::{Behind, body};
use crate::sandbox::ApiError;
use crate::sandbox::cloud::Api;

fn content_type(api: Api) -> &'static str {
    match api {
        Api::AppRunner => "application/x-amz-json-1.0",
        Api::Logs | Api::SecretsManager | Api::Ecr => "application/x-amz-json-1.1",
        Api::Sts | Api::Iam => "text/xml",
    }
}

fn namespace(api: Api) -> &'static str {
    match api {
        Api::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

fn is_query(api: Api) -> bool {
    matches!(api, Api::Sts | Api::Iam)
}

fn build(status: u16, kind: &str, request_id: &str, bytes: Body) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-amzn-requestid", request_id)
        .body(bytes)
        .expect("status and headers are ours and valid")
}

pub(super) fn success(incoming: &Incoming, answer: &Value, request_id: &str) -> Response {
    let api = incoming.call.api;
    let text = if is_query(api) {
        query_success(api, &incoming.call.operation, answer, request_id)
    } else {
        answer.to_string()
    };
    build(200, content_type(api), request_id, body(text))
}

fn query_success(api: Api, operation: &str, answer: &Value, request_id: &str) -> String {
    let mut text = format!("<{operation}Response xmlns=\"{}\">", namespace(api));
    if !answer.is_null() {
        element(&format!("{operation}Result"), answer, &mut text);
    }
    let metadata =
        format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>");
    text.push_str(&metadata);
    write!(text, "</{operation}Response>").expect("a String takes all");
    text
}

pub(super) fn error(api: Api, error: &ApiError, kind: &str, request_id: &str) -> Response {
    let text = if is_query(api) {
        query_error(api, error, request_id)
    } else {
        json_error(api, error, kind).to_string()
    };
    build(error.status, content_type(api), request_id, body(text))
}

/// App Runner and Secrets Manager write `Message`, the others `message` (service models).
fn json_error(api: Api, error: &ApiError, kind: &str) -> Value {
    let mut answer = Map::from_iter([("__type".to_owned(), json!(kind))]);
    if error.code != "UnknownOperationException" {
        let member = match api {
            Api::AppRunner | Api::SecretsManager => "Message",
            _ => "message",
        };
        answer.insert(member.to_owned(), json!(error.message));
    }
    Value::Object(answer)
}

fn query_error(api: Api, error: &ApiError, request_id: &str) -> String {
    let mut text = format!("<ErrorResponse xmlns=\"{}\">", namespace(api));
    let blame = if error.status >= 500 { "Receiver" } else { "Sender" };
    let answer = json!({"Code": error.code, "Message": error.message, "Type": blame});
    element("Error", &answer, &mut text);
    write!(text, "<RequestId>{request_id}</RequestId></ErrorResponse>")
        .expect("a String takes all");
    text
}

/// Lists become `<member>` elements, as in the Query protocol.
fn element(name: &str, value: &Value, text: &mut String) {
    write!(text, "<{name}>").expect("a String takes all");
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                element(name, value, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                element("member", item, text);
            }
        }
        Value::String(plain) => escape(plain, text),
        Value::Null => {}
        other => text.push_str(&other.to_string()),
    }
    write!(text, "</{name}>").expect("a String takes all");
}

fn escape(plain: &str, text: &mut String) {
    for character in plain.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            // XML 1.0 knows no other control characters.
            control if control.is_control() && !matches!(control, '\t' | '\n' | '\r') => {
                text.push('\u{fffd}');
            }
            other => text.push(other),
        }
    }
}

pub(super) fn refused(behind: &Behind, refused: &Refused, request_id: &str) -> Response {
    let kind = behind.lock().error_type(refused.api, &refused.error.code);
    error(refused.api, &refused.error, &kind, request_id)
}

pub(super) fn plain(status: u16, text: &str) -> Response {
    build(status, "text/plain", "-", body(text.to_owned()))
}

/// Promises a thousand bytes and breaks off: the client never learns what became of its call.
pub(super) fn cut() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<axum::body::Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let mut response = build(200, "application/x-amz-json-1.0", "-", Body::from_stream(broken));
    response.headers_mut().insert("content-length", 1_000.into());
    response
}

pub(super) fn garbage() -> Response {
    build(200, "text/html", "-", body("<html>\u{1}{\"Service\": \u{fffd}"))
}

pub(super) fn json_answer(status: u16, answer: &Value) -> Response {
    build(status, "application/json", "-", body(format!("{answer}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_become_xml_with_members_and_escapes() {
        let mut text = String::new();
        element(
            "Role",
            &json!({"Arn": "a&<b>\u{1}", "Tags": [{"Key": "k"}], "Used": {}, "N": 3, "B": false}),
            &mut text,
        );
        assert_eq!(
            text,
            "<Role><Arn>a&amp;&lt;b&gt;\u{fffd}</Arn><B>false</B><N>3</N><Tags><member><Key>k</Key></member></Tags><Used></Used></Role>"
        );
    }
}
