//! Reading a request: whose API, which operation, what body, which key.

use http::request::Parts;
use serde_json::{Map, Value};

use crate::sandbox::ApiError;
use crate::sandbox::cloud::{Api, Call};

/// A request that was understood.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) call: Call,
}

/// A request that was not, in the words of the protocol it seems to speak.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) api: Api,
    pub(super) error: ApiError,
}

/// Target prefixes of the JSON services (service models).
const TARGETS: [(&str, Api); 4] = [
    ("AppRunner", Api::AppRunner),
    ("Logs_20140328", Api::Logs),
    ("secretsmanager", Api::SecretsManager),
    ("AmazonEC2ContainerRegistry_V20150921", Api::Ecr),
];

fn refuse(api: Api, status: u16, code: &str, message: &str) -> Refused {
    let error = ApiError { status, code: code.to_owned(), message: message.to_owned() };
    Refused { api, error }
}

pub(super) fn read(head: &Parts, body: &[u8]) -> Result<Incoming, Refused> {
    match head.headers.get("x-amz-target").map(|target| target.to_str().unwrap_or("")) {
        Some(target) => read_json(head, target, body),
        None => read_query(head, body),
    }
}

fn read_json(head: &Parts, target: &str, body: &[u8]) -> Result<Incoming, Refused> {
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    let Some((_, api)) = TARGETS.iter().find(|(name, _)| *name == prefix) else {
        return Err(refuse(Api::AppRunner, 400, "UnknownOperationException", ""));
    };
    let access_key = access_key(head).map_err(|missing| match missing {
        Unsigned::Missing => {
            let text = "Missing Authentication Token";
            refuse(*api, 400, "MissingAuthenticationTokenException", text)
        }
        Unsigned::Malformed => {
            let text = "Authorization header requires 'Credential' parameter.";
            refuse(*api, 400, "IncompleteSignatureException", text)
        }
    })?;
    let body =
        if body.is_empty() { Ok(Value::Object(Map::new())) } else { serde_json::from_slice(body) };
    let Ok(body @ Value::Object(_)) = body else {
        return Err(refuse(*api, 400, "SerializationException", "The body is not a JSON object"));
    };
    let call = Call { api: *api, operation: operation.to_owned(), body, access_key };
    Ok(Incoming { call })
}

fn read_query(head: &Parts, body: &[u8]) -> Result<Incoming, Refused> {
    let from_url = head.uri.query().unwrap_or("").as_bytes();
    let text = if body.is_empty() { from_url } else { body };
    let parameters: Map<String, Value> = form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned(), Value::from(value)))
        .collect();
    let word = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let api = if word("Version") == "2010-05-08" { Api::Iam } else { Api::Sts };
    let operation = word("Action");
    if operation.is_empty() {
        return Err(refuse(
            api,
            400,
            "MissingAction",
            "The request must contain the parameter Action",
        ));
    }
    let access_key = access_key(head).map_err(|missing| match missing {
        Unsigned::Missing => {
            let text = "Request is missing Authentication Token";
            refuse(api, 403, "MissingAuthenticationToken", text)
        }
        Unsigned::Malformed => {
            let text = "Authorization header requires 'Credential' parameter.";
            refuse(api, 400, "IncompleteSignature", text)
        }
    })?;
    let mut parameters = parameters;
    parameters.remove("Action");
    parameters.remove("Version");
    let body = Value::Object(parameters);
    Ok(Incoming { call: Call { api, operation, body, access_key } })
}

enum Unsigned {
    Missing,
    Malformed,
}

/// `AWS4-HMAC-SHA256 Credential=KEY/date/region/service/aws4_request, …`
fn access_key(head: &Parts) -> Result<Option<String>, Unsigned> {
    let header = head.headers.get("authorization").ok_or(Unsigned::Missing)?;
    let text = header.to_str().map_err(|_| Unsigned::Malformed)?;
    let credential = text.split("Credential=").nth(1).ok_or(Unsigned::Malformed)?;
    let key = credential.split('/').next().filter(|key| !key.is_empty());
    key.map(|key| Some(key.to_owned())).ok_or(Unsigned::Malformed)
}
