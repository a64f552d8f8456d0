//! What surefoot asks of App Runner, as JSON: the members that the real adapter sends, and no others.

use serde_json::{Map, Value, json};

use crate::release::{Configuration, HealthCheck, MARK, Protocol};
use crate::world::service::Change;

/// The members that CreateService and UpdateService share.
pub(super) fn body(change: &Change<'_>) -> Value {
    let configuration = &change.release.configuration;
    let mut body = Map::new();
    body.insert("SourceConfiguration".into(), source(change));
    if let Some(instance) = instance(configuration) {
        body.insert("InstanceConfiguration".into(), instance);
    }
    body.insert("HealthCheckConfiguration".into(), check(&configuration.health_check));
    Value::Object(body)
}

fn source(change: &Change<'_>) -> Value {
    let configuration = &change.release.configuration;
    let mut source = json!({
        "ImageRepository": {
            "ImageIdentifier": change.release.image.to_string(),
            "ImageRepositoryType": "ECR",
            "ImageConfiguration": image(change),
        },
        "AutoDeploymentsEnabled": configuration.auto_deployments,
    });
    if let Some(role) = &configuration.access_role {
        source["AuthenticationConfiguration"] = json!({"AccessRoleArn": role.as_str()});
    }
    source
}

fn image(change: &Change<'_>) -> Value {
    let configuration = &change.release.configuration;
    let mut variables: Map<String, Value> =
        change.values.iter().map(|(name, value)| (name.to_string(), value.into())).collect();
    variables.insert(MARK.into(), change.mark.as_str().into());
    let mut image = json!({
        "RuntimeEnvironmentVariables": variables,
        "RuntimeEnvironmentSecrets": configuration.secrets,
    });
    if let Some(port) = &configuration.port {
        image["Port"] = port.as_str().into();
    }
    if let Some(command) = &configuration.start_command {
        image["StartCommand"] = command.as_str().into();
    }
    image
}

fn instance(configuration: &Configuration) -> Option<Value> {
    let mut instance = Map::new();
    for (name, value) in [("Cpu", &configuration.cpu), ("Memory", &configuration.memory)] {
        instance.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into())));
    }
    let role = configuration.instance_role.as_ref();
    instance.extend(role.map(|role| ("InstanceRoleArn".to_owned(), role.as_str().into())));
    (!instance.is_empty()).then_some(Value::Object(instance))
}

fn check(check: &HealthCheck) -> Value {
    json!({
        "Protocol": match check.protocol { Protocol::Tcp => "TCP", Protocol::Http => "HTTP" },
        "Path": check.path, "Interval": check.interval, "Timeout": check.timeout,
        "HealthyThreshold": check.healthy_threshold,
        "UnhealthyThreshold": check.unhealthy_threshold,
    })
}
