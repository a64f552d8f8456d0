//! What the simulated App Runner shows, in surefoot's words.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::DateTime;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::super::Timestamp;
use super::super::super::cloud::service as theirs;
use crate::release::{Configuration, HealthCheck, MARK, Protocol, Values};
use crate::world::service::{Operation, Origin, Service};

/// A view of a service; nothing where it shows what surefoot cannot hold.
pub(super) fn service(view: &Value) -> Option<Service> {
    let source = &view["SourceConfiguration"];
    let image = &source["ImageRepository"]["ImageConfiguration"];
    let mut variables = BTreeMap::new();
    let mut mark = None;
    for (name, value) in image["RuntimeEnvironmentVariables"].as_object().into_iter().flatten() {
        let value = value.as_str()?.to_owned();
        if name == MARK {
            mark = Some(value);
        } else {
            variables.insert(name.parse().ok()?, value);
        }
    }
    let values = Values::new(variables);
    Some(Service {
        arn: parsed(&view["ServiceArn"])?,
        id: view["ServiceId"].as_str()?.to_owned(),
        name: parsed(&view["ServiceName"])?,
        url: view["ServiceUrl"].as_str()?.to_owned(),
        status: word(&view["Status"])?,
        origin: Origin::Ecr(parsed(&source["ImageRepository"]["ImageIdentifier"])?),
        configuration: configuration(view, &values)?,
        values,
        mark,
        public: true,
        kept_as_is: BTreeMap::new(),
        updated_at: None,
    })
}

fn configuration(view: &Value, values: &Values) -> Option<Configuration> {
    let source = &view["SourceConfiguration"];
    let image = &source["ImageRepository"]["ImageConfiguration"];
    let instance = &view["InstanceConfiguration"];
    let mut secrets = BTreeMap::new();
    for (name, value) in image["RuntimeEnvironmentSecrets"].as_object().into_iter().flatten() {
        secrets.insert(name.parse().ok()?, value.as_str()?.to_owned());
    }
    Some(Configuration {
        port: text(&image["Port"]),
        start_command: text(&image["StartCommand"]),
        environment: values.hashed(),
        secrets,
        access_role: parsed(&source["AuthenticationConfiguration"]["AccessRoleArn"]),
        instance_role: parsed(&instance["InstanceRoleArn"]),
        cpu: text(&instance["Cpu"]),
        memory: text(&instance["Memory"]),
        health_check: check(&view["HealthCheckConfiguration"])?,
        auto_deployments: source["AutoDeploymentsEnabled"].as_bool().unwrap_or(false),
    })
}

fn check(check: &Value) -> Option<HealthCheck> {
    let number = |name: &str| i32::try_from(check[name].as_i64()?).ok();
    Some(HealthCheck {
        protocol: match check["Protocol"].as_str()? {
            "HTTP" => Protocol::Http,
            _ => Protocol::Tcp,
        },
        path: text(&check["Path"])?,
        interval: number("Interval")?,
        timeout: number("Timeout")?,
        healthy_threshold: number("HealthyThreshold")?,
        unhealthy_threshold: number("UnhealthyThreshold")?,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn parsed<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn word<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// An operation as it was at a moment; nothing before it was listed.
pub(super) fn operation(operation: &theirs::Operation, seen_at: Timestamp) -> Option<Operation> {
    let (at, status) = *operation.history.iter().rev().find(|(at, _)| *at <= seen_at)?;
    let status = status.word();
    let status = word(&Value::from(status))?;
    let status: crate::world::service::OperationStatus = status;
    let moment = DateTime::from_timestamp_millis;
    Some(Operation {
        id: operation.id.parse().ok()?,
        kind: operation.kind.word().to_owned(),
        ended_at: status.is_terminal().then(|| moment(at)).flatten(),
        status,
        started_at: moment(operation.started_at()),
    })
}
