//! Whole lives of services, faults, the record, and time.

mod waking;

use serde_json::{Value, json};

use super::identity::INSTANCE_ROLE;
use super::image::ImageTable;
use super::instance::Order;
use super::service::Outcome;
use super::trial::{BETTER, CRASHING, GONE, GOOD, LATEST, SICK, Trial};
use super::{Api, Beginning, Call, Cloud, Reply};

const MINUTE: i64 = 60_000;

#[test]
fn a_creation_goes_the_recorded_way() {
    let mut trial = Trial::new();
    let start = trial.now;
    let operation = trial.create(GOOD);
    assert_eq!(trial.service().status.word(), "OPERATION_IN_PROGRESS");
    trial.rest();
    assert_eq!(trial.story(&operation), ["IN_PROGRESS", "SUCCEEDED"]);
    let took = trial.now - start;
    assert!(
        (135_000..=260_000).contains(&took),
        "recorded creations took 135 to 260 s, this one {took} ms"
    );
    let expected = [
        "Service creation started.",
        "Service status is set to OPERATION_IN_PROGRESS.",
        "Pulling image 127.0.0.1:5000/shop@sha256:aa from ECR repository.",
        "Successfully pulled image from ECR.",
        "Provisioning instances and deploying image.",
        "Performing health check on protocol `TCP` [Port: '8080'].",
        "Health check is successful. Routing traffic to application.",
        "Successfully routed incoming traffic to application.",
        "Service creation completed successfully.",
        "Service status is set to RUNNING.",
    ]
    .map(|line| format!("[AppRunner] {line}"));
    assert_eq!(trial.events(), expected);
    let lines = trial
        .cloud
        .logs()
        .lines(&trial.service().service_group(), &format!("deployment/{operation}"));
    assert_eq!(lines.first(), Some(&"[AppRunner] Starting to pull your application image."));
    assert_eq!(lines.last(), Some(&"[AppRunner] Starting to deploy your application image."));
}

#[test]
fn an_update_moves_to_the_new_image_and_says_what_was_deployed() {
    let mut trial = Trial::running(&[]);
    let operation = trial.update(BETTER);
    trial.rest();
    assert_eq!(trial.story(&operation), ["IN_PROGRESS", "SUCCEEDED"]);
    assert_eq!(trial.service().image.as_ref().unwrap().digest, "sha256:ab");
    assert!(trial.said(
        "Service update completed successfully. New application and configuration is deployed."
    ));
}

#[test]
fn an_update_of_the_configuration_alone_does_not_pull() {
    let mut trial = Trial::running(&[]);
    // The image may be gone: App Runner has its own copy.
    trial.images.remove(GOOD);
    let body = json!({"ServiceArn": trial.arn(), "HealthCheckConfiguration": {"Interval": 7}});
    trial.ok("UpdateService", body);
    trial.rest();
    assert_eq!(trial.service().status.word(), "RUNNING");
    assert!(trial.said("Service update completed successfully. New configuration is deployed."));
    assert_eq!(trial.events().iter().filter(|line| line.contains("Pulling image")).count(), 1);
}

#[test]
fn the_first_deployment_that_fails_leaves_create_failed_and_an_update_rebuilds() {
    for image in [SICK, CRASHING, GONE] {
        let mut trial = Trial::new();
        let operation = trial.create(image);
        trial.rest();
        assert_eq!(trial.story(&operation), ["IN_PROGRESS", "FAILED"], "{image}");
        assert_eq!(trial.service().status.word(), "CREATE_FAILED", "{image}");
        let body = trial.by_arn();
        assert_eq!(trial.refused("StartDeployment", body).0, "InvalidRequestException");
        let again = trial.update(image);
        trial.rest();
        assert_eq!(trial.story(&again), ["IN_PROGRESS", "FAILED"], "{image}");
        assert_eq!(trial.service().status.word(), "CREATE_FAILED", "{image}");
        trial.update(GOOD);
        trial.rest();
        assert_eq!(trial.service().status.word(), "RUNNING", "{image}");
    }
}

#[test]
fn before_2023_a_failed_creation_could_not_be_updated() {
    let mut trial = Trial::with(&["update-create-failed=refused"]);
    trial.create(SICK);
    trial.rest();
    let body = trial.update_body(GOOD);
    assert_eq!(
        trial.refused("UpdateService", body).1,
        "Service cannot be updated in the current state: CREATE_FAILED."
    );
}

#[test]
fn a_failed_update_goes_back_to_the_old_image_and_the_old_configuration() {
    for (switch, last) in [("succeeded", "ROLLBACK_SUCCEEDED"), ("failed", "FAILED")] {
        for image in [SICK, CRASHING, GONE] {
            let mut trial = Trial::running(&[&format!("rollback-ends={switch}")]);
            let (before, live) =
                (trial.service().configuration.clone(), trial.service().live.clone());
            let mut body = trial.update_body(image);
            body["InstanceConfiguration"] = json!({"Memory": "4 GB"});
            let operation =
                trial.ok("UpdateService", body)["OperationId"].as_str().unwrap().to_owned();
            assert_eq!(trial.service().configuration.image_identifier(), image);
            trial.rest();
            assert_eq!(
                trial.story(&operation),
                ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", last],
                "{image}"
            );
            assert_eq!(trial.service().status.word(), "RUNNING");
            assert_eq!(trial.service().configuration, before);
            assert_eq!(trial.service().live, live, "the old instance served all the time");
            assert!(trial.said("Service update failed. For details, see service logs."));
        }
    }
}

#[test]
fn a_rollback_that_fails_leaves_the_new_configuration_and_nothing_that_serves() {
    for by_switch in [true, false] {
        let mut trial =
            Trial::running(if by_switch { &["rollback-ends=rollback-failed"] } else { &[] });
        if !by_switch {
            trial.fault(json!({"operation": "UpdateService", "kind": "rollback-failed"}));
        }
        let operation = trial.update(SICK);
        trial.rest();
        assert_eq!(trial.story(&operation).last(), Some(&"ROLLBACK_FAILED"));
        assert_eq!(trial.service().status.word(), "RUNNING");
        assert_eq!(trial.service().configuration.image_identifier(), SICK);
        assert_eq!(trial.service().live, None);
        // And the way out of it works.
        trial.update(GOOD);
        trial.rest();
        assert!(trial.service().live.is_some());
    }
}

#[test]
fn each_failure_has_its_line_and_its_time() {
    let cases = [
        (
            json!({"kind": "fail-pull", "reason": "missing"}),
            "Failed to pull your application image. Reason: ECR image doesn't exist.",
            10,
        ),
        (json!({"kind": "fail-pull"}), "Failed to copy the image from ECR.", 5),
        (
            json!({"kind": "fail-pull", "reason": "role"}),
            "Failed to pull your application image. Reason: Invalid Access Role in AuthenticationConfiguration.",
            40,
        ),
        (
            json!({"kind": "fail-pull", "reason": "role-older"}),
            "Failed to pull your application image. Be sure you configure your service with a valid access role to your ECR repository.",
            40,
        ),
        (
            json!({"kind": "fail-health"}),
            "Health check failed on protocol `TCP` [Port: '8080']. Check your configured port number.",
            20,
        ),
        (
            json!({"kind": "exit-container", "code": 137}),
            "Your application stopped or failed to start. See logs for more information.  Container exit code: 137",
            1,
        ),
    ];
    for (mut fault, line, minutes) in cases {
        let mut trial = Trial::running(&[]);
        fault["operation"] = json!("UpdateService");
        trial.fault(fault);
        let operation = trial.update(BETTER);
        let start = trial.now;
        while !trial.said(line) {
            let due = trial.cloud.next_due().unwrap_or_else(|| panic!("never said: {line}"));
            trial.wait(due - trial.now);
        }
        let took = (trial.now - start) / MINUTE;
        assert!((minutes..=minutes + 2).contains(&took), "{line}: {took} minutes");
        assert_eq!(trial.story(&operation).last(), Some(&"ROLLBACK_IN_PROGRESS"), "{line}");
        let stream = format!("deployment/{operation}");
        let group = trial.service().service_group();
        assert!(
            trial
                .cloud
                .logs()
                .lines(&group, &stream)
                .contains(&"[AppRunner] Failed to deploy your application image.")
        );
    }
}

#[test]
fn the_newer_wording_names_deployment_and_reason() {
    let mut trial = Trial::running(&["log-lines=with-id"]);
    let operation = trial.update(SICK);
    trial.rest();
    assert!(trial.said(&format!(
        "Deployment with ID : {operation} started. Triggering event : SERVICE_UPDATE"
    )));
    assert!(trial.said(&format!(
        "Deployment with ID : {operation} failed. Failure reason : Health check failed."
    )));
}

#[test]
fn the_false_role_line_comes_after_the_true_one_and_only_by_switch() {
    const FALSE: &str = "Failed to pull your application image. Reason: Invalid Access Role in AuthenticationConfiguration.";
    for (position, said) in [("off", false), ("on", true)] {
        let mut trial = Trial::running(&[&format!("false-role-line={position}")]);
        trial.update(SICK);
        trial.rest();
        assert_eq!(trial.said(FALSE), said);
    }
}

#[test]
fn health_failures_come_by_record_or_by_thresholds() {
    for (position, within) in
        [("recorded", 17 * MINUTE..22 * MINUTE), ("thresholds", 0..4 * MINUTE)]
    {
        let mut trial = Trial::running(&[&format!("health-failure={position}")]);
        let operation = trial.update(SICK);
        let start = trial.now;
        while trial.story(&operation).len() == 1 {
            let due = trial.cloud.next_due().unwrap();
            trial.wait(due - trial.now);
        }
        assert!(within.contains(&(trial.now - start)), "{position}: {}", trial.now - start);
    }
}

#[test]
fn operations_may_be_pending_first() {
    let mut trial = Trial::with(&["operation-starts=pending"]);
    let operation = trial.create(GOOD);
    assert_eq!(trial.story(&operation), ["PENDING"]);
    trial.rest();
    assert_eq!(trial.story(&operation), ["PENDING", "IN_PROGRESS", "SUCCEEDED"]);
}

#[test]
fn pausing_and_resuming_keep_the_stored_image() {
    let mut trial = Trial::running(&[]);
    let pause = trial.start("PauseService");
    let body = trial.by_arn();
    assert_eq!(
        trial.refused("PauseService", body.clone()).1,
        "Service cannot be paused in the current state: OPERATION_IN_PROGRESS."
    );
    trial.rest();
    assert_eq!(
        (trial.service().status.word(), trial.story(&pause)),
        ("PAUSED", vec!["IN_PROGRESS", "SUCCEEDED"])
    );
    assert_eq!(trial.service().live, None);
    assert!(trial.ok("PauseService", body.clone()).get("OperationId").is_none());
    assert_eq!(trial.refused("StartDeployment", body.clone()).0, "InvalidRequestException");
    let update = trial.update_body(BETTER);
    assert_eq!(
        trial.refused("UpdateService", update).1,
        "Service cannot be updated in the current state: PAUSED."
    );
    trial.images.remove(GOOD);
    trial.start("ResumeService");
    trial.rest();
    assert_eq!(trial.service().status.word(), "RUNNING");
    assert!(trial.service().live.is_some());
    assert!(trial.ok("ResumeService", body).get("OperationId").is_none());
}

#[test]
fn a_paused_service_can_be_updated_only_under_its_switch() {
    let mut trial = Trial::running(&["update-paused=accepted"]);
    trial.start("PauseService");
    trial.rest();
    let body = json!({"ServiceArn": trial.arn(), "HealthCheckConfiguration": {"Interval": 7}});
    assert!(trial.ok("UpdateService", body).get("OperationId").is_none());
    assert_eq!(trial.service().configuration.health_check.interval, 7);
}

#[test]
fn a_resumption_that_fails_leaves_the_service_paused() {
    let mut trial = Trial::running(&[]);
    trial.start("PauseService");
    trial.rest();
    trial.fault(json!({"operation": "ResumeService", "kind": "fail-health"}));
    let operation = trial.start("ResumeService");
    trial.rest();
    assert_eq!(
        (trial.service().status.word(), trial.story(&operation)),
        ("PAUSED", vec!["IN_PROGRESS", "FAILED"])
    );
}

#[test]
fn a_deleted_service_is_described_for_a_while_and_its_name_is_free() {
    let mut trial = Trial::running(&[]);
    trial.start("DeleteService");
    let body = trial.by_arn();
    trial.rest();
    let gone = trial.ok("DescribeService", body.clone())["Service"].clone();
    assert_eq!(gone["Status"], "DELETED");
    assert!(gone["DeletedAt"].is_number());
    assert_eq!(trial.refused("DeleteService", body.clone()).0, "InvalidStateException");
    let again = trial.create_body(GOOD);
    trial.ok("CreateService", again);
    trial.wait(60 * MINUTE);
    assert_eq!(trial.refused("DescribeService", body).0, "ResourceNotFoundException");
}

#[test]
fn under_its_switch_a_name_is_free_only_when_the_old_service_is_gone() {
    let mut trial = Trial::running(&["name-reuse=when-gone", "deleted-visible-minutes=5"]);
    trial.start("DeleteService");
    trial.rest();
    let body = trial.create_body(GOOD);
    assert_eq!(trial.refused("CreateService", body.clone()).0, "InvalidRequestException");
    trial.wait(5 * MINUTE);
    trial.ok("CreateService", body);
}

#[test]
fn a_deletion_can_fail_and_be_tried_again() {
    let mut trial = Trial::running(&[]);
    trial.fault(json!({"operation": "DeleteService", "kind": "fail-delete"}));
    let operation = trial.start("DeleteService");
    trial.rest();
    assert_eq!(
        (trial.service().status.word(), trial.story(&operation)),
        ("DELETE_FAILED", vec!["IN_PROGRESS", "FAILED"])
    );
    trial.start("DeleteService");
    trial.rest();
    assert_eq!(trial.service().status.word(), "DELETED");
}

#[test]
fn a_pushed_tag_starts_a_deployment_and_a_failed_one_is_not_tried_again() {
    let mut trial = Trial::new();
    let mut body = trial.create_body(LATEST);
    body["SourceConfiguration"]["AutoDeploymentsEnabled"] = json!(true);
    trial.ok("CreateService", body);
    trial.rest();
    assert!(trial.said("Successfully created pipeline for automatic deployments."));
    trial.images.name(LATEST, "sha256:ab");
    trial.wait(1_000);
    assert_eq!(trial.service().operations.last().unwrap().kind.word(), "START_DEPLOYMENT");
    trial.rest();
    assert_eq!(trial.service().image.as_ref().unwrap().digest, "sha256:ab");
    trial.images.name(LATEST, "sha256:bb");
    trial.wait(1_000);
    trial.rest();
    trial.wait(10 * MINUTE);
    assert_eq!(trial.service().operations.len(), 3);
    assert_eq!(trial.service().image.as_ref().unwrap().digest, "sha256:ab");
}

#[test]
fn without_auto_deployments_a_pushed_tag_waits_for_start_deployment() {
    let mut trial = Trial::new();
    trial.create(LATEST);
    trial.rest();
    trial.images.name(LATEST, "sha256:ab");
    trial.wait(10 * MINUTE);
    assert_eq!(trial.service().operations.len(), 1);
    trial.start("StartDeployment");
    trial.rest();
    assert!(trial.said("Deployment completed successfully."));
    assert_eq!(trial.service().image.as_ref().unwrap().digest, "sha256:ab");
}

fn with_secret(trial: &mut Trial, role: bool) -> String {
    let answer = trial.answer(
        Api::SecretsManager,
        "CreateSecret",
        json!({"Name": "db", "SecretString": "{\"user\":\"ada\"}"}),
    );
    let Reply::Body(secret) = answer.reply else { panic!("{answer:?}") };
    let mut body = trial.create_body(GOOD);
    let reference = format!("{}:user::", secret["ARN"].as_str().unwrap());
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
        json!({"RuntimeEnvironmentSecrets": {"USER": reference}});
    if role {
        body["InstanceConfiguration"] =
            json!({"InstanceRoleArn": trial.cloud.identity().instance_role_arn()});
    }
    trial.ok("CreateService", body)["OperationId"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_that_cannot_be_read_fails_the_deployment_without_a_cause_and_without_application_logs()
{
    let mut without_role = Trial::new();
    with_secret(&mut without_role, false);
    let mut denied = Trial::new();
    let deny =
        json!({"Statement": [{"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}]});
    denied.answer(
        Api::Iam,
        "PutRolePolicy",
        json!({"RoleName": INSTANCE_ROLE, "PolicyName": "n", "PolicyDocument": deny.to_string()}),
    );
    with_secret(&mut denied, true);
    for mut trial in [without_role, denied] {
        trial.rest();
        assert_eq!(trial.service().status.word(), "CREATE_FAILED");
        assert!(trial.said("Service creation failed. For details, see service logs."));
        assert!(
            !trial
                .events()
                .iter()
                .any(|line| line.contains("Reason") || line.contains("Health check failed"))
        );
        assert!(!trial.cloud.logs().has_group(&trial.service().application_group()));
    }
    let mut readable = Trial::new();
    with_secret(&mut readable, true);
    readable.rest();
    assert_eq!(readable.service().status.word(), "RUNNING");
}

/// A world whose orders go outside.
fn outside() -> (Cloud, ImageTable, Value) {
    let trial = Trial::new();
    let cloud = Cloud::new(Beginning { speed: 1, ..Beginning::default() });
    let mut body = trial.create_body(GOOD);
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
        json!({"Port": "3000", "RuntimeEnvironmentVariables": {"A": "1"}});
    (cloud, trial.images, body)
}

/// Lets time pass as the driver does: every order is carried out before the next thing happens.
fn drive(cloud: &mut Cloud, images: &ImageTable, until: i64) -> Vec<Order> {
    let mut orders = Vec::new();
    loop {
        let fresh = cloud.take_orders();
        for order in &fresh {
            if let Order::Route { service_id, to: Some(to) } = order {
                cloud.confirm_route(service_id, to);
            }
        }
        orders.extend(fresh);
        let Some(due) = cloud.next_due().filter(|due| *due <= until) else { break };
        cloud.advance(due, images);
    }
    cloud.advance(until, images);
    orders.extend(cloud.take_orders());
    orders
}

fn make(cloud: &mut Cloud, images: &ImageTable, operation: &str, body: Value, now: i64) -> Value {
    match cloud.call(&Call::new(Api::AppRunner, operation, body), images, now).reply {
        Reply::Body(body) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn orders_go_out_in_the_order_of_a_deployment_without_a_gap() {
    let (mut cloud, images, body) = outside();
    let made = make(&mut cloud, &images, "CreateService", body, 0);
    let orders = drive(&mut cloud, &images, MINUTE);
    let [Order::Start(first)] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(
        (first.port, first.repository.as_str(), first.digest.as_str()),
        (3000, "shop", "sha256:aa")
    );
    assert_eq!(first.environment["PORT"], "3000");
    assert_eq!(first.environment["A"], "1");
    cloud.wrote(&first.instance, MINUTE, "hello");
    cloud.report(&first.instance, Outcome::Healthy, MINUTE, &images);
    let orders = drive(&mut cloud, &images, 30 * MINUTE);
    assert!(matches!(orders.as_slice(), [Order::Route { to: Some(_), .. }]), "{orders:?}");
    assert_eq!(cloud.service("shop").unwrap().status.word(), "RUNNING");
    let arn = made["Service"]["ServiceArn"].clone();
    make(
        &mut cloud,
        &images,
        "UpdateService",
        json!({"ServiceArn": arn, "HealthCheckConfiguration": {"Interval": 6}}),
        30 * MINUTE,
    );
    let orders = drive(&mut cloud, &images, 32 * MINUTE);
    let [Order::Start(second)] = orders.as_slice() else { panic!("{orders:?}") };
    cloud.report(&second.instance, Outcome::Healthy, 32 * MINUTE, &images);
    let orders = drive(&mut cloud, &images, 40 * MINUTE);
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert!(matches!(&orders[0], Order::Route { to: Some(to), .. } if *to == second.instance));
    assert!(matches!(&orders[1], Order::Stop { instance } if *instance == first.instance));
    let service = cloud.service("shop").unwrap();
    assert_eq!(
        cloud.logs().lines(&service.application_group(), &format!("instance/{}", first.instance)),
        ["hello"]
    );
}

#[test]
fn an_operation_does_not_succeed_before_the_traffic_has_moved() {
    let (mut cloud, images, body) = outside();
    make(&mut cloud, &images, "CreateService", body, 0);
    let orders = drive(&mut cloud, &images, 5 * MINUTE);
    let [Order::Start(order)] = orders.as_slice() else { panic!("{orders:?}") };
    cloud.report(&order.instance, Outcome::Healthy, 5 * MINUTE, &images);
    cloud.advance(30 * MINUTE, &images);
    assert_eq!(cloud.service("shop").unwrap().status.word(), "OPERATION_IN_PROGRESS");
    drive(&mut cloud, &images, 32 * MINUTE);
    assert_eq!(cloud.service("shop").unwrap().status.word(), "RUNNING");
}

#[test]
fn an_instance_that_dies_is_replaced_and_the_traffic_follows() {
    let (mut cloud, images, body) = outside();
    make(&mut cloud, &images, "CreateService", body, 0);
    let orders = drive(&mut cloud, &images, 5 * MINUTE);
    let [Order::Start(first)] = orders.as_slice() else { panic!("{orders:?}") };
    cloud.report(&first.instance, Outcome::Healthy, 5 * MINUTE, &images);
    drive(&mut cloud, &images, 10 * MINUTE);
    cloud.report(&first.instance, Outcome::Exited { code: 137 }, 11 * MINUTE, &images);
    let orders = drive(&mut cloud, &images, 12 * MINUTE);
    let [Order::Stop { .. }, Order::Start(second)] = orders.as_slice() else {
        panic!("{orders:?}")
    };
    cloud.report(&second.instance, Outcome::Healthy, 12 * MINUTE, &images);
    let orders = drive(&mut cloud, &images, 12 * MINUTE);
    assert!(
        matches!(orders.as_slice(), [Order::Route { to: Some(to), .. }] if *to == second.instance)
    );
}

#[test]
fn a_world_is_stored_and_read_again_in_the_middle_of_an_update() {
    let (mut cloud, images, body) = outside();
    let made = make(&mut cloud, &images, "CreateService", body, 0);
    let orders = drive(&mut cloud, &images, 5 * MINUTE);
    let [Order::Start(first)] = orders.as_slice() else { panic!("{orders:?}") };
    cloud.report(&first.instance, Outcome::Healthy, 5 * MINUTE, &images);
    drive(&mut cloud, &images, 10 * MINUTE);
    let arn = made["Service"]["ServiceArn"].clone();
    let mut source = json!(cloud.service("shop").unwrap().configuration.source);
    source["ImageRepository"]["ImageIdentifier"] = json!(BETTER);
    make(
        &mut cloud,
        &images,
        "UpdateService",
        json!({"ServiceArn": arn, "SourceConfiguration": source}),
        10 * MINUTE,
    );
    drive(&mut cloud, &images, 11 * MINUTE);
    let stored = serde_json::to_string(&cloud).unwrap();
    let mut again: Cloud = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, cloud);
    again.revive(20 * MINUTE);
    let orders = drive(&mut again, &images, 20 * MINUTE);
    let digests: Vec<_> = orders
        .iter()
        .filter_map(|order| match order {
            Order::Start(order) => Some(order.digest.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        digests,
        ["sha256:ab", "sha256:aa"],
        "the new one and the old one, each with its own image"
    );
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let life = || {
        let mut trial = Trial::running(&[]);
        trial.update(SICK);
        trial.rest();
        trial.start("PauseService");
        trial.rest();
        serde_json::to_string(&trial.cloud).unwrap()
    };
    assert_eq!(life(), life());
}

fn reply_to(trial: &mut Trial, operation: &str, body: Value) -> Reply {
    trial.answer(Api::AppRunner, operation, body).reply
}

#[test]
fn each_fault_of_a_call_strikes_once_and_has_its_effect_or_not() {
    for (kind, code, effect) in [
        ("throttle", "ThrottlingException", false),
        ("error-before-effect", "InternalServiceErrorException", false),
        ("error-after-effect", "InternalServiceErrorException", true),
        ("cut-before-effect", "cut", false),
        ("cut-after-effect", "cut", true),
        ("expired-credentials", "ExpiredTokenException", false),
        ("access-denied", "AccessDeniedException", false),
        ("garbage-answer", "garbage", true),
    ] {
        let mut trial = Trial::running(&[]);
        trial.fault(json!({"operation": "UpdateService", "kind": kind}));
        let body = trial.update_body(BETTER);
        let reply = reply_to(&mut trial, "UpdateService", body.clone());
        match (&reply, code) {
            (Reply::Refusal(error), _) => assert_eq!(error.code, code),
            (Reply::Cut, "cut") | (Reply::Garbage, "garbage") => {}
            other => panic!("{kind}: {other:?}"),
        }
        assert_eq!(trial.service().operations.len(), if effect { 2 } else { 1 }, "{kind}");
        let call = trial.cloud.record().calls().last().unwrap().clone();
        assert_eq!(
            (call.outcome.as_str(), call.effective, call.operation_id.is_some()),
            (code, effect, effect),
            "{kind}"
        );
        trial.rest();
        let again = reply_to(&mut trial, "UpdateService", body);
        assert!(matches!(again, Reply::Body(_)), "{kind}: it strikes once");
    }
}

#[test]
fn a_refusal_by_app_runner_is_not_an_effect_even_when_the_answer_is_lost() {
    let mut trial = Trial::running(&[]);
    trial.update(BETTER);
    trial.fault(json!({"operation": "UpdateService", "kind": "cut-after-effect"}));
    let body = trial.update_body(GOOD);
    assert_eq!(reply_to(&mut trial, "UpdateService", body), Reply::Cut);
    assert!(!trial.cloud.record().calls().last().unwrap().effective);
}

#[test]
fn answers_can_be_slow_and_can_lag() {
    let mut trial = Trial::running(&[]);
    trial.wait(MINUTE);
    trial
        .fault(json!({"operation": "DescribeService", "kind": "slow-answer", "milliseconds": 300}));
    let body = trial.by_arn();
    assert_eq!(trial.answer(Api::AppRunner, "DescribeService", body.clone()).delay, 300);
    trial.update(BETTER);
    trial.fault(json!({"operation": "DescribeService", "kind": "lag", "milliseconds": 1_000}));
    assert_eq!(trial.ok("DescribeService", body.clone())["Service"]["Status"], "RUNNING");
    assert_eq!(
        trial.ok("DescribeService", body.clone())["Service"]["Status"],
        "OPERATION_IN_PROGRESS"
    );
    trial.fault(json!({"operation": "ListOperations", "kind": "lag", "milliseconds": 1_000}));
    let count = |trial: &mut Trial| {
        trial.ok("ListOperations", body.clone())["OperationSummaryList"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut trial), 1);
    assert_eq!(count(&mut trial), 2);
}

#[test]
fn an_operation_can_be_slow() {
    let mut times = Vec::new();
    for factor in [1, 10] {
        let mut trial = Trial::running(&[]);
        trial.fault(
            json!({"operation": "UpdateService", "kind": "slow-operation", "factor": factor}),
        );
        let start = trial.now;
        trial.update(BETTER);
        trial.rest();
        assert_eq!(trial.service().status.word(), "RUNNING");
        times.push(trial.now - start);
    }
    assert!(times[1] > 5 * times[0], "{times:?}");
}

#[test]
fn somebody_else_comes_before_or_after_and_waits_for_a_busy_service() {
    let mut trial = Trial::running(&[]);
    trial.fault(json!({"operation": "UpdateService", "kind": "foreign", "service": "shop", "before": true, "act": {"do": "update", "image": BETTER}}));
    let body = trial.update_body(GOOD);
    let refused = trial.ask(
        "UpdateService",
        json!({"ServiceArn": body["ServiceArn"], "HealthCheckConfiguration": {"Interval": 9}}),
    );
    assert_eq!(refused.unwrap_err().code, "InvalidStateException");
    trial.rest();
    assert_eq!(trial.service().configuration.image_identifier(), BETTER);
    for (act, last) in [
        (json!({"do": "update"}), "UPDATE_SERVICE"),
        (json!({"do": "replace-environment"}), "UPDATE_SERVICE"),
        (json!({"do": "deploy"}), "START_DEPLOYMENT"),
        (json!({"do": "pause"}), "PAUSE_SERVICE"),
        (json!({"do": "delete"}), "DELETE_SERVICE"),
    ] {
        let mut trial = Trial::running(&[]);
        trial.fault(json!({"operation": "UpdateService", "kind": "foreign", "service": "shop", "after-milliseconds": 5, "act": act}));
        trial.update(BETTER);
        trial.rest();
        let kinds: Vec<_> =
            trial.service().operations.iter().map(|operation| operation.kind.word()).collect();
        assert_eq!(kinds, ["CREATE_SERVICE", "UPDATE_SERVICE", last]);
    }
}

#[test]
fn maintenance_makes_a_service_busy_without_an_operation() {
    let mut trial = Trial::running(&[]);
    trial.fault(json!({"operation": "ListServices", "kind": "maintenance", "service": "shop", "milliseconds": MINUTE}));
    trial.ok("ListServices", json!({}));
    assert_eq!(trial.service().status.word(), "OPERATION_IN_PROGRESS");
    assert_eq!(trial.service().operations.len(), 1);
    let body = trial.update_body(BETTER);
    assert_eq!(trial.refused("UpdateService", body).0, "InvalidStateException");
    trial.wait(MINUTE);
    trial.update(BETTER);
}

#[test]
fn rates_are_limited_by_switch() {
    let mut trial = Trial::with(&["calls-per-second=2"]);
    trial.ok("ListServices", json!({}));
    trial.ok("ListServices", json!({}));
    assert_eq!(trial.refused("ListServices", json!({})).0, "ThrottlingException");
    trial.wait(1_000);
    trial.ok("ListServices", json!({}));
}

#[test]
fn small_switches_have_their_effect() {
    let mut trial = Trial::with(&[
        "start-deployment-refusal=invalid-state",
        "type-prefix=namespace",
        "role-lag-seconds=15",
    ]);
    trial.create(GOOD);
    let body = trial.by_arn();
    assert_eq!(trial.refused("StartDeployment", body).0, "InvalidStateException");
    assert_eq!(trial.cloud.error_type(Api::AppRunner, "X"), "com.amazonaws.apprunner#X");
    assert_eq!(trial.cloud.error_type(Api::Logs, "X"), "X");
    let trust = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "build.apprunner.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    trial.answer(
        Api::Iam,
        "CreateRole",
        json!({"RoleName": "fresh", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let mut body = trial.create_body(GOOD);
    body["ServiceName"] = json!("second");
    body["SourceConfiguration"]["AuthenticationConfiguration"]["AccessRoleArn"] =
        json!("arn:aws:iam::123456789012:role/fresh");
    assert!(
        trial.refused("CreateService", body.clone()).1.starts_with("Error in assuming access role")
    );
    trial.wait(15_000);
    trial.ok("CreateService", body);
    // It may be assumed and may not pull: App Runner needs 40 minutes to say so.
    trial.rest();
    assert_eq!(trial.cloud.service("second").unwrap().status.word(), "CREATE_FAILED");
}

#[test]
fn log_lines_arrive_late_by_switch() {
    let mut trial = Trial::with(&["logs-lag-seconds=10"]);
    trial.create(GOOD);
    let body = json!({"logGroupName": trial.service().service_group(), "logStreamName": "events"});
    let early = trial.answer(Api::Logs, "GetLogEvents", body.clone()).reply;
    assert!(matches!(early, Reply::Refusal(error) if error.code == "ResourceNotFoundException"));
    trial.wait(10_000);
    let late = trial.answer(Api::Logs, "GetLogEvents", body).reply;
    assert!(matches!(late, Reply::Body(body) if !body["events"].as_array().unwrap().is_empty()));
}

#[test]
fn the_record_has_hashes_and_no_values() {
    let mut trial = Trial::new();
    let mut body = trial.create_body(GOOD);
    body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"] =
        json!({"RuntimeEnvironmentVariables": {"TOKEN": "s3cret"}});
    trial.ok("CreateService", body.clone());
    trial.answer(
        Api::SecretsManager,
        "CreateSecret",
        json!({"Name": "db", "SecretString": "s3cret"}),
    );
    trial.ok("ListServices", json!({}));
    let calls: Vec<_> = trial.cloud.record().calls().cloned().collect();
    assert_eq!(calls[0].sha256, super::canonical::fingerprint(&body));
    assert_eq!(calls.iter().map(|call| call.mutating).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(calls.iter().map(|call| call.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(!serde_json::to_string(&calls).unwrap().contains("s3cret"));
    trial.cloud.clear();
    assert_eq!(trial.cloud.record().calls().count(), 0);
}

#[test]
fn keys_expire_by_name() {
    let mut trial = Trial::new();
    trial.cloud.expire_key("AKIAOLD");
    let mut call = Call::new(Api::AppRunner, "ListServices", json!({}));
    call.access_key = Some("AKIAOLD".into());
    let reply = trial.cloud.call(&call, &trial.images, trial.now).reply;
    assert!(matches!(reply, Reply::Refusal(error) if error.code == "ExpiredTokenException"));
    call.access_key = Some("AKIANEW".into());
    assert!(matches!(trial.cloud.call(&call, &trial.images, trial.now).reply, Reply::Body(_)));
}

#[test]
fn a_service_from_source_code_lives_without_an_instance() {
    let mut trial = Trial::new();
    let body = json!({"ServiceName": "code", "SourceConfiguration": {"CodeRepository": {"RepositoryUrl": "https://github.com/a/b"}}});
    trial.ok("CreateService", body);
    trial.rest();
    assert_eq!(trial.service().status.word(), "RUNNING");
    let body = trial.update_body(GOOD);
    assert_eq!(trial.refused("UpdateService", body).0, "InvalidRequestException");
}
