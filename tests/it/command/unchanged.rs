//! What nobody asked to change is what it was, to the byte, whichever way App Runner turns out.

use serde_json::{Value, json};
use surefoot::sandbox::cloud::switches::TABLE;

use super::support::{ACCOUNT, Project, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/AppRunnerECRAccessRole";
const INSTANCE_ROLE: &str = "arn:aws:iam::123456789012:role/AppRunnerInstanceRole";
const CONNECTOR: &str = "arn:aws:apprunner:eu-central-1:123456789012:vpcconnector/inner/1/\
                         0123456789abcdef0123456789abcdef";

/// A service as somebody made it by hand, with everything that a careless update would lose.
fn made_by_hand(world: &World, image: &str, secret: &str) -> Value {
    json!({
        "ServiceName": "shop",
        "SourceConfiguration": {
            "ImageRepository": {
                "ImageIdentifier": image,
                "ImageRepositoryType": "ECR",
                "ImageConfiguration": {
                    "Port": "8000",
                    "StartCommand": "/app --verbose 'two words'",
                    "RuntimeEnvironmentVariables": {
                        "LOG_LEVEL": "debug", "EMPTY_": "", "QUOTES": "a \"b\" 'c' \\d é\n$HOME",
                    },
                    "RuntimeEnvironmentSecrets": {"TOKEN": secret},
                },
            },
            "AutoDeploymentsEnabled": true,
            "AuthenticationConfiguration": {"AccessRoleArn": ROLE},
        },
        "InstanceConfiguration": {"Cpu": "512", "Memory": "1024", "InstanceRoleArn": INSTANCE_ROLE},
        "HealthCheckConfiguration": {
            "Protocol": "HTTP", "Path": "/healthz", "Interval": 7, "Timeout": 3,
            "HealthyThreshold": 2, "UnhealthyThreshold": 6,
        },
        "NetworkConfiguration": {
            "EgressConfiguration": {"EgressType": "VPC", "VpcConnectorArn": CONNECTOR},
            "IngressConfiguration": {"IsPubliclyAccessible": true},
            "IpAddressType": "IPV4",
        },
        "Tags": [{"Key": "team", "Value": "shop"}, {"Key": "cost", "Value": "42"}],
    })
    .as_object_mut()
    .map(|body| {
        assert!(world.variables.contains_key("AWS_ENDPOINT_URL"));
        Value::Object(std::mem::take(body))
    })
    .unwrap()
}

/// The secret that the instance reads; its value is never seen by surefoot.
const CANARY: &str = "canary-value-of-the-secret";

fn secret(world: &World) -> String {
    let body =
        json!({"Name": "shop/token", "SecretString": CANARY, "ClientRequestToken": "0".repeat(32)});
    let (status, answer) = world.call("secretsmanager.CreateSecret", &body);
    assert_eq!(status, 200, "{answer}");
    answer["ARN"].as_str().unwrap().to_owned()
}

/// A world with that service, and the project that is about to be deployed to it.
fn prepared(world: &World) -> Project<'_> {
    let project = Project::new(world, "shop");
    let seed = project.cloned("seed");
    // The image to begin with is a tag, as the console makes it.
    seed.run(&["deploy", "--service-name", "seed"]).exits(0);
    let image = world.image("seed").split_once('@').unwrap().0.to_owned() + ":latest";
    let secret = secret(world);
    world.app_runner("DeleteService", &json!({"ServiceArn": world.arn("seed")}));
    world.app_runner("CreateService", &made_by_hand(world, &image, &secret));
    world.idle("shop");
    // The list may lag behind the status.
    world.until("its creation is over", || {
        !matches!(world.operations("shop")[0].1.as_str(), "PENDING" | "IN_PROGRESS")
    });
    assert_eq!(world.operations("shop")[0].1, "SUCCEEDED", "{}", world.service_log("shop"));
    project.release("release two");
    project
}

/// Everything but the image, our mark and what App Runner itself writes: as text, for the bytes.
fn shape(world: &World) -> String {
    let mut service = world.describe("shop");
    for name in ["UpdatedAt", "Status"] {
        service.as_object_mut().unwrap().remove(name);
    }
    let source = &mut service["SourceConfiguration"]["ImageRepository"];
    source["ImageIdentifier"] = Value::Null;
    let variables = &mut source["ImageConfiguration"]["RuntimeEnvironmentVariables"];
    variables.as_object_mut().unwrap().remove("SUREFOOT_DEPLOYMENT");
    let tags = world.app_runner("ListTagsForResource", &json!({"ResourceArn": world.arn("shop")}));
    format!("{}\n{}", serde_json::to_string_pretty(&service).unwrap(), tags["Tags"])
}

/// Deploys a first time by tag to digest and a second time by digest to digest.
fn nothing_but_the_image_changes(world: &World) {
    let project = prepared(world);
    let before = shape(world);
    let first = world.image("shop");
    project.deploy();
    assert_eq!(before, shape(world));
    assert_ne!(first, world.image("shop"));
    project.release("release three");
    project.deploy();
    assert_eq!(before, shape(world));
    assert_eq!(world.ask("shop", "/healthz").0, 200);
}

#[test]
fn everything_but_image_and_mark_is_byte_equal_after_a_deployment() {
    assert!(ROLE.contains(ACCOUNT));
    nothing_but_the_image_changes(&World::open());
}

#[test]
fn the_same_where_an_update_replaces_what_it_leaves_out() {
    nothing_but_the_image_changes(&World::switched(&[
        "source-configuration=replaced",
        "health-check=replaced",
    ]));
}

#[test]
fn the_same_where_everything_lags_and_is_worded_otherwise() {
    nothing_but_the_image_changes(&World::switched(&[
        "operations-lag-seconds=30",
        "service-lag-seconds=10",
        "logs-lag-seconds=10",
        "texts=terse",
        "type-prefix=namespace",
        "log-lines=with-id",
        "operation-starts=pending",
        "start-deployment-refusal=invalid-state",
    ]));
}

/// Switches that decide about creating and deleting, refuse the service made by hand, or are
/// tried together above.
/// Throttling by rate pauses a deployment wherever the reads meet it: `faults` tries that with resumes.
const NOT_HERE: &[&str] = &[
    "calls-per-second",
    "auto-deployments-with-digest",
    "digest-identifier",
    "health-check",
    "log-lines",
    "logs-lag-seconds",
    "new-services",
    "operation-starts",
    "operations-lag-seconds",
    "service-lag-seconds",
    "service-quota",
    "source-configuration",
    "start-deployment-refusal",
    "texts",
    "type-prefix",
];

#[test]
fn the_same_in_every_other_position_of_every_switch() {
    let world = World::open();
    let project = prepared(&world);
    let before = shape(&world);
    for row in TABLE.iter().filter(|row| !NOT_HERE.contains(&row.name)) {
        for position in &row.positions[1..] {
            world.switch(row.name, position);
            project.release(&format!("{} {position}", row.name));
            project.run(&["deploy"]).exits(0);
            // Back first: our own looking is not to be throttled either.
            world.switch(row.name, row.positions[0]);
            assert_eq!(before, shape(&world), "{}={position}", row.name);
        }
    }
}

#[test]
fn a_digest_that_is_refused_is_replaced_by_the_unique_tag() {
    let world = World::switched(&["digest-identifier=refused"]);
    let project = Project::new(&world, "shop");
    project.deploy().says("tag");
    assert!(world.image("shop").ends_with(&format!(":{}", project.tag())));
    project.release("release two");
    project.deploy();
    assert!(world.image("shop").ends_with(&format!(":{}", project.tag())));
    world.nothing_was_done_twice();
}

#[test]
fn a_digest_that_cannot_be_pulled_is_a_failed_deployment_that_was_taken_back() {
    let world = World::open();
    let project = prepared(&world);
    let before = (shape(&world), world.image("shop"));
    world.switch("digest-identifier", "fails");
    project.run(&["deploy"]).exits(12);
    assert_eq!(before, (shape(&world), world.image("shop")));
}

#[test]
fn auto_deployments_that_are_refused_beside_a_digest_are_off_and_said() {
    let world = World::open();
    let project = prepared(&world);
    let on = shape(&world);
    assert!(on.contains("\"AutoDeploymentsEnabled\": true"));
    world.switch("auto-deployments-with-digest", "refused");
    project.deploy().says("off");
    assert_eq!(
        on.replace("\"AutoDeploymentsEnabled\": true", "\"AutoDeploymentsEnabled\": false"),
        shape(&world)
    );
}

#[test]
fn auto_deployments_are_restored_by_a_second_update_where_that_is_asked_for() {
    let world = World::open();
    let mut project = prepared(&world);
    let before = shape(&world);
    project.set("SUREFOOT_AUTO_DEPLOYMENTS", "restore");
    world.clear();
    project.deploy();
    assert_eq!(before, shape(&world));
    assert_eq!(world.effective("UpdateService").len(), 2);
    world.nothing_was_done_twice();
    project.set("SUREFOOT_AUTO_DEPLOYMENTS", "off");
    project.release("release three");
    project.deploy();
    assert!(shape(&world).contains("\"AutoDeploymentsEnabled\": false"));
}

#[test]
fn a_value_is_set_and_removed_by_name_and_the_others_stay() {
    let world = World::open();
    let project = prepared(&world);
    project.write("surefoot.toml", "[environment]\nADDED = \"new\"\nunset = [\"LOG_LEVEL\"]\n");
    project.commit("settings");
    let before = shape(&world);
    project.deploy();
    let after = shape(&world);
    let expected =
        before.replace("\"EMPTY_\": \"\",\n", "\"ADDED\": \"new\",\n          \"EMPTY_\": \"\",\n");
    let lines = |text: &str| {
        let mut lines: Vec<String> =
            text.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect();
        lines.retain(|line| !line.starts_with("\"LOG_LEVEL\""));
        lines.sort();
        lines
    };
    let mut wanted = lines(&expected);
    if !wanted.contains(&"\"ADDED\": \"new\"".to_owned()) {
        wanted.push("\"ADDED\": \"new\"".to_owned());
        wanted.sort();
    }
    assert_eq!(wanted, lines(&after));
    assert!(!after.contains("LOG_LEVEL"));
}

#[test]
fn no_value_of_a_secret_or_of_the_environment_is_ever_shown_or_kept_in_an_event() {
    let world = World::open();
    let project = prepared(&world);
    project.write("surefoot.toml", "[environment]\nPASSWORD = \"canary-plain-value\"\n");
    project.commit("a value that should have been a secret");
    let mut said = String::new();
    for arguments in [
        &["deploy", "--dry-run"][..],
        &["deploy", "--dry-run", "--json"],
        &["deploy", "--json", "--tail"],
        &["status"],
        &["history", "--json"],
        &["show", "1", "--json"],
        &["show", "1", "--events"],
        &["show", "1", "--events", "--json"],
        &["preflight", "--json"],
    ] {
        let ended = project.run(arguments).exits(0);
        said.push_str(&ended.out);
        said.push_str(&ended.err);
    }
    said.push_str(&serde_json::to_string(&world.calls()).unwrap());
    for canary in [CANARY, "canary-plain-value"] {
        assert!(!said.contains(canary), "{canary} was shown");
    }
    assert!(said.contains("PASSWORD"), "names are shown");
    let calls = world.calls();
    assert!(
        !calls.iter().any(|call| call["operation"] == "GetSecretValue"),
        "values are never read"
    );
}
