//! What each call takes, refuses and answers.

use serde_json::{Value, json};

use super::super::trial::{BETTER, GOOD, INDEX, LATEST, Trial};
use super::super::{Api, Reply};

fn code_and_text((code, text): &(String, String)) -> (&str, &str) {
    (code, text)
}

#[test]
fn a_new_service_is_answered_with_every_default_filled_in() {
    let mut trial = Trial::new();
    let mut body = trial.create_body(GOOD);
    body["InstanceConfiguration"] = json!({"Cpu": "1 vCPU", "Memory": "3 GB"});
    let answer = trial.ok("CreateService", body);
    let service = &answer["Service"];
    assert_eq!(service["Status"], "OPERATION_IN_PROGRESS");
    assert_eq!(service["CreatedAt"], service["UpdatedAt"]);
    assert_eq!(service["InstanceConfiguration"], json!({"Cpu": "1024", "Memory": "3072"}));
    assert_eq!(
        service["HealthCheckConfiguration"],
        json!({"Protocol": "TCP", "Path": "/", "Interval": 5, "Timeout": 2, "HealthyThreshold": 1, "UnhealthyThreshold": 5})
    );
    let scaling = &service["AutoScalingConfigurationSummary"];
    assert_eq!(scaling["AutoScalingConfigurationName"], "DefaultConfiguration");
    assert_eq!(scaling["AutoScalingConfigurationRevision"], 1);
    assert_eq!(service["NetworkConfiguration"]["EgressConfiguration"]["EgressType"], "DEFAULT");
    assert_eq!(
        service["NetworkConfiguration"]["IngressConfiguration"]["IsPubliclyAccessible"],
        true
    );
    let id = service["ServiceId"].as_str().unwrap();
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    assert_eq!(
        service["ServiceArn"],
        format!("arn:aws:apprunner:us-east-1:123456789012:service/shop/{id}")
    );
    assert!(service["ServiceUrl"].as_str().unwrap().ends_with(".us-east-1.awsapprunner.com"));
    assert_eq!(answer["OperationId"].as_str().unwrap().len(), 32);
}

#[test]
fn auto_deployments_are_on_unless_the_image_is_public() {
    let mut trial = Trial::new();
    let mut body = trial.create_body(LATEST);
    body["SourceConfiguration"].as_object_mut().unwrap().remove("AutoDeploymentsEnabled");
    let answer = trial.ok("CreateService", body);
    assert_eq!(answer["Service"]["SourceConfiguration"]["AutoDeploymentsEnabled"], true);
    let public = json!({"ServiceName": "public", "SourceConfiguration": {"ImageRepository": {
        "ImageIdentifier": "public.ecr.aws/a/b:1", "ImageRepositoryType": "ECR_PUBLIC"}}});
    let answer = trial.ok("CreateService", public);
    assert_eq!(answer["Service"]["SourceConfiguration"]["AutoDeploymentsEnabled"], false);
}

#[test]
fn names_images_sizes_and_checks_outside_of_the_model_are_refused() {
    let changes: [(&str, Value); 17] = [
        ("/ServiceName", json!("abc")),
        ("/ServiceName", json!("-abcd")),
        ("/ServiceName", json!("a".repeat(41))),
        ("/ServiceName", Value::Null),
        ("/SourceConfiguration", Value::Null),
        ("/SourceConfiguration", json!({})),
        ("/SourceConfiguration/ImageRepository/ImageIdentifier", json!("nginx")),
        ("/SourceConfiguration/ImageRepository/ImageIdentifier", json!("10.0.0.1:5000/shop:v1")),
        ("/SourceConfiguration/ImageRepository/ImageIdentifier", json!("127.0.0.1:5000/Shop:v1")),
        ("/SourceConfiguration/ImageRepository/ImageRepositoryType", json!("HUB")),
        (
            "/SourceConfiguration/ImageRepository/ImageConfiguration",
            json!({"StartCommand": "a\nb"}),
        ),
        ("/SourceConfiguration/ImageRepository/ImageConfiguration", json!({"Port": "0"})),
        ("/InstanceConfiguration", json!({"Cpu": "3 vCPU"})),
        ("/InstanceConfiguration", json!({"Memory": "5 GB"})),
        ("/InstanceConfiguration", json!({"Cpu": "256", "Memory": "4 GB"})),
        ("/HealthCheckConfiguration", json!({"Timeout": 0})),
        ("/Tags", json!([{"Key": "aws:mine", "Value": ""}])),
    ];
    for (place, value) in changes {
        let mut trial = Trial::new();
        let mut body = trial.create_body(GOOD);
        body["InstanceConfiguration"] = json!({});
        body["HealthCheckConfiguration"] = json!({});
        body["Tags"] = json!([]);
        body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] = json!({});
        *body.pointer_mut(place).unwrap() = value.clone();
        let (code, text) = trial.refused("CreateService", body);
        assert_eq!(code, "InvalidRequestException", "{place} {value}: {text}");
        assert_eq!(trial.cloud.services().count(), 0, "{place}");
    }
}

#[test]
fn wrong_types_are_a_serialization_matter() {
    let mut trial = Trial::new();
    for (name, value) in
        [("Port", json!(8080)), ("RuntimeEnvironmentVariables", json!([{"A": "b"}]))]
    {
        let mut body = trial.create_body(GOOD);
        body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] = json!({name: value});
        assert_eq!(trial.refused("CreateService", body).0, "SerializationException", "{name}");
    }
}

#[test]
fn recorded_messages_are_word_for_word() {
    let mut trial = Trial::new();
    trial.create(GOOD);
    let body = trial.create_body(GOOD);
    let taken = trial.refused("CreateService", body);
    assert_eq!(
        code_and_text(&taken),
        ("InvalidRequestException", "Service with the provided name already exists: shop.")
    );
    let body = trial.update_body(BETTER);
    let busy = trial.refused("UpdateService", body);
    assert_eq!(
        code_and_text(&busy),
        (
            "InvalidStateException",
            "Service cannot be updated in the current state: OPERATION_IN_PROGRESS."
        )
    );
    let body = trial.by_arn();
    let early = trial.refused("StartDeployment", body);
    assert_eq!(
        code_and_text(&early),
        (
            "InvalidRequestException",
            "Can't start a deployment on the specified service, because it isn't in RUNNING state."
        )
    );
}

#[test]
fn roles_are_looked_at_in_every_call() {
    let mut trial = Trial::new();
    let (access, instance) =
        (trial.cloud.identity().access_role_arn(), trial.cloud.identity().instance_role_arn());
    let mut none = trial.create_body(GOOD);
    none["SourceConfiguration"]["AuthenticationConfiguration"] = json!({});
    let refusal = trial.refused("CreateService", none);
    assert_eq!(
        code_and_text(&refusal),
        ("InvalidRequestException", "Authentication configuration is invalid.")
    );
    let mut swapped = trial.create_body(GOOD);
    swapped["SourceConfiguration"]["AuthenticationConfiguration"]["AccessRoleArn"] =
        json!(instance);
    assert_eq!(
        trial.refused("CreateService", swapped).1,
        format!("Error in assuming access role {instance}")
    );
    let mut swapped = trial.create_body(GOOD);
    swapped["InstanceConfiguration"] = json!({"InstanceRoleArn": access});
    assert_eq!(
        trial.refused("CreateService", swapped).1,
        format!("Error in assuming instance role {access}")
    );
    let mut public = trial.create_body("public.ecr.aws/a/b:1");
    public["SourceConfiguration"]["ImageRepository"]["ImageRepositoryType"] = json!("ECR_PUBLIC");
    assert_eq!(
        trial.refused("CreateService", public).1,
        "Authentication configuration is invalid."
    );
}

#[test]
fn a_caller_who_may_not_pass_the_role_is_told() {
    let mut trial = Trial::new();
    let deny =
        json!({"Statement": [{"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"}]});
    let answer = trial.answer(
        Api::Iam,
        "PutUserPolicy",
        json!({"UserName": "sandbox", "PolicyName": "n", "PolicyDocument": deny.to_string()}),
    );
    assert_eq!(answer.reply, Reply::Body(Value::Null));
    let body = trial.create_body(GOOD);
    let (code, text) = trial.refused("CreateService", body);
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("is not authorized to perform: iam:PassRole"), "{text}");
}

#[test]
fn an_update_merges_members_and_replaces_maps() {
    let mut trial = Trial::new();
    let mut body = trial.create_body(GOOD);
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] = json!({"Port": "3000", "StartCommand": "run", "RuntimeEnvironmentVariables": {"A": "1", "B": "2"}});
    body["InstanceConfiguration"] = json!({"Memory": "3 GB"});
    trial.ok("CreateService", body);
    trial.rest();
    let mut body = trial.update_body(BETTER);
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
        json!({"RuntimeEnvironmentVariables": {"B": "3"}});
    body["InstanceConfiguration"] = json!({"Cpu": "2 vCPU", "Memory": "4 GB"});
    body["HealthCheckConfiguration"] = json!({"Path": "/healthz"});
    let service = trial.ok("UpdateService", body)["Service"].clone();
    assert_eq!(
        service["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"],
        json!({"Port": "3000", "StartCommand": "run", "RuntimeEnvironmentVariables": {"B": "3"}})
    );
    assert_eq!(service["InstanceConfiguration"]["Memory"], "4096");
    assert_eq!(service["HealthCheckConfiguration"]["Interval"], 5);
    trial.rest();
    let mut body = trial.update_body(BETTER);
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
        json!({"RuntimeEnvironmentVariables": {}});
    let service = trial.ok("UpdateService", body)["Service"].clone();
    assert_eq!(
        service["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"],
        json!({"Port": "3000", "StartCommand": "run"})
    );
}

#[test]
fn under_its_switch_the_source_is_replaced_whole() {
    for (position, port) in [("kept", "3000"), ("replaced", "8080")] {
        let mut trial = Trial::with(&[&format!("source-configuration={position}")]);
        let mut body = trial.create_body(GOOD);
        body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
            json!({"Port": "3000"});
        trial.ok("CreateService", body);
        trial.rest();
        trial.update(BETTER);
        assert_eq!(trial.service().configuration.port().to_string(), port, "{position}");
    }
}

#[test]
fn under_its_switch_partial_health_checks_fall_back_to_defaults() {
    for (position, interval) in [("kept", 9), ("replaced", 5)] {
        let mut trial = Trial::with(&[&format!("health-check={position}")]);
        let mut body = trial.create_body(GOOD);
        body["HealthCheckConfiguration"] = json!({"Interval": 9});
        trial.ok("CreateService", body);
        trial.rest();
        let body = json!({"ServiceArn": trial.arn(), "HealthCheckConfiguration": {"Timeout": 3}});
        let service = trial.ok("UpdateService", body)["Service"].clone();
        assert_eq!(service["HealthCheckConfiguration"]["Interval"], interval, "{position}");
    }
}

#[test]
fn an_update_that_changes_nothing_starts_nothing() {
    let mut trial = Trial::running(&[]);
    let before = trial.service().clone();
    let body = trial.update_body(GOOD);
    let answer = trial.ok("UpdateService", body);
    assert!(answer.get("OperationId").is_none(), "{answer}");
    assert_eq!(answer["Service"]["Status"], "RUNNING");
    assert_eq!(trial.service(), &before);
    let body = trial.by_arn();
    assert!(trial.ok("UpdateService", body).get("OperationId").is_none());
}

#[test]
fn image_forms_are_taken_or_refused_as_the_switches_say() {
    let tagged = "127.0.0.1:5000/shop:v1@sha256:aa";
    for (switch, image) in
        [("digest-identifier", GOOD), ("tag-and-digest", tagged), ("index-image", INDEX)]
    {
        for (position, taken, status) in
            [("works", true, "RUNNING"), ("fails", true, "CREATE_FAILED"), ("refused", false, "")]
        {
            let mut trial = Trial::with(&[&format!("{switch}={position}")]);
            let body = trial.create_body(image);
            let answer = trial.ask("CreateService", body);
            assert_eq!(answer.is_ok(), taken, "{switch}={position}");
            if taken {
                trial.rest();
                assert_eq!(trial.service().status.word(), status, "{switch}={position}");
            } else {
                assert!(answer.unwrap_err().message.contains("mage identifier"), "{switch}");
            }
        }
    }
}

#[test]
fn refusals_behind_switches_come_only_when_they_are_set() {
    let port = json!({"ImageConfiguration": {"RuntimeEnvironmentVariables": {"PORT": "1"}}});
    let secret = json!({"ImageConfiguration": {"RuntimeEnvironmentSecrets": {"S": "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-abcdef"}}});
    let auto = Value::Null;
    for (switch, default, refused, change) in [
        ("port-variable", "accepted", "refused", &port),
        ("secret-without-role", "fails", "refused", &secret),
        ("auto-deployments-with-digest", "accepted", "refused", &auto),
        ("new-services", "accepted", "refused", &auto),
        ("service-quota", "30", "0", &auto),
    ] {
        for (position, taken) in [(default, true), (refused, false)] {
            for texts in ["analogous", "terse"] {
                let mut trial =
                    Trial::with(&[&format!("{switch}={position}"), &format!("texts={texts}")]);
                let mut body = trial.create_body(GOOD);
                body["SourceConfiguration"]["AutoDeploymentsEnabled"] = json!(true);
                if let Some(change) = change.as_object() {
                    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
                        change["ImageConfiguration"].clone();
                }
                assert_eq!(trial.ask("CreateService", body).is_ok(), taken, "{switch}={position}");
            }
        }
    }
}

#[test]
fn a_full_region_is_a_matter_of_quota() {
    let mut trial = Trial::with(&["service-quota=1"]);
    trial.create(GOOD);
    let mut body = trial.create_body(GOOD);
    body["ServiceName"] = json!("second");
    assert_eq!(trial.refused("CreateService", body).0, "ServiceQuotaExceededException");
}

#[test]
fn a_service_that_is_not_there_is_not_found_by_any_call() {
    let mut trial = Trial::running(&[]);
    let gone = json!({"ServiceArn": "arn:aws:apprunner:us-east-1:123456789012:service/shop/00"});
    for operation in [
        "UpdateService",
        "StartDeployment",
        "PauseService",
        "ResumeService",
        "DeleteService",
        "DescribeService",
        "ListOperations",
    ] {
        assert_eq!(
            trial.refused(operation, gone.clone()).0,
            "ResourceNotFoundException",
            "{operation}"
        );
        assert_eq!(trial.refused(operation, json!({})).0, "InvalidRequestException", "{operation}");
        assert_eq!(
            trial.refused(operation, json!({"ServiceArn": "x"})).0,
            "InvalidRequestException",
            "{operation}"
        );
    }
    let terse = Trial::running(&["texts=terse"]).refused("DescribeService", gone).1;
    assert_eq!(terse, "No such resource");
    assert_eq!(trial.refused("ListConnections", json!({})).0, "UnknownOperationException");
}

#[test]
fn lists_have_pages_and_newest_operations_come_first() {
    let mut trial = Trial::running(&[]);
    for number in 0..3 {
        trial.wait(1_000);
        let mut body = trial.create_body(GOOD);
        body["ServiceName"] = json!(format!("other{number}"));
        trial.ok("CreateService", body);
    }
    let first = trial.ok("ListServices", json!({"MaxResults": 3}));
    assert_eq!(first["ServiceSummaryList"].as_array().unwrap().len(), 3);
    let rest = trial.ok("ListServices", json!({"MaxResults": 3, "NextToken": first["NextToken"]}));
    assert_eq!(rest["ServiceSummaryList"][0]["ServiceName"], "shop");
    assert!(rest.get("NextToken").is_none());
    assert!(rest["ServiceSummaryList"][0]["CreatedAt"].as_f64().unwrap().fract() == 0.0);
    for wrong in [json!({"MaxResults": 0}), json!({"MaxResults": 21}), json!({"NextToken": "x"})] {
        assert_eq!(trial.refused("ListServices", wrong).0, "InvalidRequestException");
    }
    let shop = trial.cloud.service("shop").unwrap().arn.clone();
    trial.ok("PauseService", json!({"ServiceArn": shop}));
    let listed = trial.ok("ListOperations", json!({"ServiceArn": shop}));
    let kinds: Vec<_> = listed["OperationSummaryList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["Type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["PAUSE_SERVICE", "CREATE_SERVICE"]);
    assert!(listed["OperationSummaryList"][0].get("EndedAt").is_none());
    assert!(listed["OperationSummaryList"][1].get("EndedAt").is_some());
}

#[test]
fn tags_come_and_go() {
    let mut trial = Trial::running(&[]);
    let arn = trial.arn();
    trial.ok("TagResource", json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}));
    trial.ok("UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]}));
    assert_eq!(
        trial.ok("ListTagsForResource", json!({"ResourceArn": arn}))["Tags"],
        json!([{"Key": "b", "Value": "2"}])
    );
    assert_eq!(
        trial.refused("TagResource", json!({"ResourceArn": arn, "Tags": [{"Key": "aws:x"}]})).0,
        "InvalidRequestException"
    );
}

#[test]
fn auto_scaling_is_described_by_arn_and_by_name() {
    let mut trial = Trial::new();
    let arn = super::default_auto_scaling("us-east-1");
    for arn in [
        arn.as_str(),
        "arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration",
    ] {
        let answer = trial
            .ok("DescribeAutoScalingConfiguration", json!({"AutoScalingConfigurationArn": arn}));
        assert_eq!(answer["AutoScalingConfiguration"]["MaxSize"], 25);
    }
}

#[test]
fn what_is_seen_lags_when_the_switches_say_so() {
    let mut trial = Trial::running(&["operations-lag-seconds=30", "service-lag-seconds=10"]);
    trial.wait(60_000);
    let operation = trial.update(BETTER);
    let count = |trial: &mut Trial| {
        let body = trial.by_arn();
        trial.ok("ListOperations", body)["OperationSummaryList"].as_array().unwrap().len()
    };
    let status = |trial: &mut Trial| {
        let body = trial.by_arn();
        trial.ok("DescribeService", body)["Service"]["Status"].as_str().unwrap().to_owned()
    };
    assert_eq!((count(&mut trial), status(&mut trial).as_str()), (1, "RUNNING"), "{operation}");
    trial.wait(10_000);
    assert_eq!((count(&mut trial), status(&mut trial).as_str()), (1, "OPERATION_IN_PROGRESS"));
    trial.wait(20_000);
    assert_eq!(count(&mut trial), 2);
}

#[test]
fn a_new_service_is_not_seen_before_the_lag_is_over() {
    let mut trial = Trial::with(&["service-lag-seconds=10"]);
    trial.create(GOOD);
    let body = trial.by_arn();
    assert_eq!(trial.refused("DescribeService", body.clone()).0, "ResourceNotFoundException");
    trial.wait(10_000);
    trial.ok("DescribeService", body);
}
