#!/usr/bin/env python3
"""Checks every answer of the sandbox against AWS's own service models.

    python3 -m venv VENV && VENV/bin/pip install botocore
    VENV/bin/python tests/botocore/check.py http://127.0.0.1:PORT --image 127.0.0.1:PORT/repo@sha256:...

The image must become healthy on TCP port 8080. The sandbox should run fast (speed 600 or more):
the script waits for a handful of operations. Prints one line per failure and, at the end,
`N passed, N failed`; exits 1 on failure.

Where the sandbox follows recorded answers of the real App Runner against the model:
ids have 32 hexadecimal digits without dashes, an update that changes nothing has no OperationId.
Its own exception: image identifiers on loopback.
"""
import argparse
import json
import re
import sys
import time
import urllib.error
import urllib.request

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

ACCOUNT, REGION = "123456789012", "?"
ACCESS = f"arn:aws:iam::{ACCOUNT}:role/AppRunnerECRAccessRole"
INSTANCE = f"arn:aws:iam::{ACCOUNT}:role/AppRunnerInstanceRole"

# Members whose pattern and length the real service itself does not keep.
UNDASHED = {"OperationId", "ServiceId", "Id"}
HEX = re.compile(r"^[0-9a-f]{32}$")
LOOPBACK = re.compile(r"^(127\.0\.0\.1|localhost):\d+/")
# Errors any AWS service can answer, beside the modelled ones.
COMMON = {
    "ThrottlingException", "Throttling", "ExpiredTokenException", "ExpiredToken",
    "AccessDeniedException", "AccessDenied", "UnknownOperationException", "InvalidAction",
    "SerializationException", "MissingAuthenticationTokenException", "ValidationException",
    "MissingAuthenticationToken", "ValidationError", "InternalFailure",
}

passed, failures = 0, []


def check(condition, text):
    global passed
    if condition:
        passed += 1
    else:
        failures.append(text)
        print("FAILED:", text)


def walk(shape, value, path, raw, allow_missing=()):
    """Every member the model knows has its type; no member is unknown to the model."""
    kind = shape.type_name
    if kind == "structure":
        check(isinstance(value, dict), f"{path}: not a structure")
        for name in shape.required_members:
            check(name in value or name in allow_missing, f"{path}.{name}: required and missing")
        if isinstance(raw, dict):
            for name in raw:
                check(name in shape.members, f"{path}.{name}: unknown to the model")
        for name, member in shape.members.items():
            if name in value:
                wire = raw.get(name) if isinstance(raw, dict) else None
                walk(member, value[name], f"{path}.{name}", wire)
    elif kind == "list":
        check(isinstance(value, list), f"{path}: not a list")
        limits(shape, len(value), path)
        for at, item in enumerate(value):
            walk(shape.member, item, f"{path}[{at}]", raw[at] if isinstance(raw, list) else None)
    elif kind == "map":
        check(isinstance(value, dict), f"{path}: not a map")
        for key, item in value.items():
            walk(shape.key, key, f"{path} key", None)
            walk(shape.value, item, f"{path}.{key}", raw.get(key) if isinstance(raw, dict) else None)
    else:
        scalar(shape, value, path, raw)


def limits(shape, size, path):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    check(low is None or size >= low, f"{path}: shorter or smaller than {low}")
    check(high is None or size <= high, f"{path}: longer or larger than {high}")


def scalar(shape, value, path, raw):
    kind = shape.type_name
    types = {"string": str, "integer": int, "long": int, "boolean": bool, "double": float,
             "float": float, "blob": bytes}
    if kind == "timestamp":
        check(hasattr(value, "year"), f"{path}: not a time")
        check(raw is None or isinstance(raw, (int, float, str)), f"{path}: not a time on the wire")
        return
    if path.endswith("AssumeRolePolicyDocument"):
        check(isinstance(value, dict), f"{path}: botocore could not decode the policy")
        return
    check(isinstance(value, types[kind]), f"{path}: {type(value).__name__} where {kind} belongs")
    if raw is not None and kind in ("string", "integer", "long", "boolean"):
        check(isinstance(raw, types[kind]), f"{path}: {raw!r} on the wire where {kind} belongs")
    if kind in ("integer", "long"):
        limits(shape, value, path)
    if kind != "string":
        return
    name = path.rsplit(".", 1)[-1]
    if name in UNDASHED and len(value) == 32:
        check(HEX.match(value), f"{path}: {value} is not 32 hexadecimal digits")
        return
    if name == "ImageIdentifier" and LOOPBACK.match(value):
        check(True, path)
        return
    limits(shape, len(value), path)
    if shape.enum:
        check(value in shape.enum, f"{path}: {value} is not in {shape.enum}")
    pattern = shape.metadata.get("pattern")
    if pattern and "\\p{" not in pattern and "\\u10000" not in pattern:
        check(re.search(f"^(?:{pattern})$", value, re.S), f"{path}: {value!r} does not match {pattern}")


class Service:
    """A botocore client whose every answer is checked."""

    def __init__(self, name, endpoint, key="AKIASANDBOXSANDBOX00"):
        session = botocore.session.get_session()
        config = Config(retries={"max_attempts": 0}, parameter_validation=False, read_timeout=20)
        self.client = session.create_client(
            name, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=key,
            aws_secret_access_key="sandbox", config=config)
        self.model = self.client.meta.service_model
        self.name, self.raw, self.headers = name, None, {}
        self.covered = set()
        self.client.meta.events.register("before-parse.*.*", self._keep)

    def _keep(self, response_dict, **_):
        self.headers = response_dict["headers"]
        try:
            self.raw = json.loads(response_dict["body"])
        except ValueError:
            self.raw = None

    def _call(self, operation, parameters):
        return self.client._make_api_call(operation, parameters)

    def ok(self, operation, allow_missing=(), **parameters):
        model = self.model.operation_model(operation)
        self.covered.add(operation)
        path = f"{self.name}.{operation}"
        try:
            answer = self._call(operation, parameters)
        except Exception as error:
            check(False, f"{path}: {error}")
            return {}
        check("x-amzn-requestid" in self.headers, f"{path}: no request id header")
        expected = {"1.0": "application/x-amz-json-1.0", "1.1": "application/x-amz-json-1.1"}.get(
            self.model.metadata.get("jsonVersion"), "text/xml")
        check(self.headers.get("content-type") == expected, f"{path}: content type {self.headers.get('content-type')}")
        if model.output_shape:
            body = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
            walk(model.output_shape, body, path, self.raw, allow_missing)
        return answer

    def refused(self, operation, code, text="", status=400, **parameters):
        model = self.model.operation_model(operation)
        path = f"{self.name}.{operation} -> {code}"
        try:
            self._call(operation, parameters)
            check(False, f"{path}: was not refused")
        except ClientError as error:
            got = error.response["Error"]
            check(got["Code"] == code, f"{path}: got {got['Code']}: {got.get('Message')}")
            check(text in got.get("Message", ""), f"{path}: text {got.get('Message')!r} lacks {text!r}")
            known = {e.metadata.get("error", {}).get("code", e.name) for e in model.error_shapes}
            check(code in known | COMMON, f"{path}: not among the modelled errors {sorted(known)}")
            got_status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            check(got_status == status, f"{path}: status {got_status}")
        except Exception as error:
            check(False, f"{path}: {type(error).__name__}: {error}")


def control(endpoint, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{endpoint}/_sandbox/{path}", data=data, timeout=10) as answer:
        return json.load(answer)


def wait(runner, arn, operation):
    for _ in range(600):
        rows = runner.ok("ListOperations", ServiceArn=arn)["OperationSummaryList"]
        row = next((row for row in rows if row["Id"] == operation), None)
        if row and row["Status"] not in ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
            return row["Status"]
        time.sleep(0.1)
    check(False, f"operation {operation} did not end within a minute")
    return "?"


def source(image, **configuration):
    return {"ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR",
                                "ImageConfiguration": configuration},
            "AutoDeploymentsEnabled": False,
            "AuthenticationConfiguration": {"AccessRoleArn": ACCESS}}


def app_runner(endpoint, image, secret):
    runner = Service("apprunner", endpoint)
    name = f"check-{int(time.time()) % 1_000_000}"
    made = runner.ok(
        "CreateService", ServiceName=name,
        SourceConfiguration=source(image, Port="8080", RuntimeEnvironmentVariables={"A": "1"},
                                   RuntimeEnvironmentSecrets={"S": secret}),
        InstanceConfiguration={"Cpu": "1 vCPU", "Memory": "2 GB", "InstanceRoleArn": INSTANCE},
        HealthCheckConfiguration={"Protocol": "TCP"}, Tags=[{"Key": "team", "Value": "x"}])
    if not made:
        return runner, None, None
    service = made["Service"]
    arn = service["ServiceArn"]
    check(service["InstanceConfiguration"]["Cpu"] == "1024", "Cpu comes back in units")
    check("://" not in service["ServiceUrl"], "ServiceUrl has no scheme")
    app_runner_busy(runner, arn, name, image)
    check(wait(runner, arn, made["OperationId"]) == "SUCCEEDED", "the creation succeeds")
    listing(runner, arn)
    app_runner_refusals(runner, name, image, arn)
    app_runner_life(runner, arn, image)
    group = f"/aws/apprunner/{name}/{service['ServiceId']}"
    return runner, group, arn


def app_runner_busy(runner, arn, name, image):
    busy = "in the current state: OPERATION_IN_PROGRESS."
    runner.refused("UpdateService", "InvalidStateException", busy, ServiceArn=arn,
                   HealthCheckConfiguration={"Interval": 6})
    runner.refused("StartDeployment", "InvalidRequestException", "isn't in RUNNING state", ServiceArn=arn)
    runner.refused("PauseService", "InvalidStateException", "", ServiceArn=arn)
    runner.refused("DeleteService", "InvalidStateException", "", ServiceArn=arn)
    runner.refused("CreateService", "InvalidRequestException",
                   f"Service with the provided name already exists: {name}.", ServiceName=name,
                   SourceConfiguration=source(image))


def listing(runner, arn):
    runner.ok("DescribeService", ServiceArn=arn)
    runner.ok("ListServices")
    runner.ok("ListServices", MaxResults=1)
    runner.ok("ListOperations", ServiceArn=arn, MaxResults=1)
    runner.ok("ListTagsForResource", ResourceArn=arn)
    runner.ok("TagResource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    runner.ok("UntagResource", ResourceArn=arn, TagKeys=["a"])
    scaling = runner.ok("DescribeService", ServiceArn=arn)["Service"]["AutoScalingConfigurationSummary"]
    runner.ok("DescribeAutoScalingConfiguration",
              AutoScalingConfigurationArn=scaling["AutoScalingConfigurationArn"])


def app_runner_refusals(runner, name, image, arn):
    gone = arn[:-4] + "0000"
    for operation in ["DescribeService", "ListOperations", "StartDeployment", "PauseService",
                      "ResumeService", "DeleteService", "UpdateService"]:
        runner.refused(operation, "ResourceNotFoundException", ServiceArn=gone)
        runner.refused(operation, "InvalidRequestException", ServiceArn="no arn")
        runner.refused(operation, "InvalidRequestException")
    for operation, more in [("TagResource", {"Tags": []}), ("UntagResource", {"TagKeys": []}),
                            ("ListTagsForResource", {})]:
        runner.refused(operation, "ResourceNotFoundException", ResourceArn=gone, **more)
    runner.refused("TagResource", "InvalidRequestException", ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])
    runner.refused("ListServices", "InvalidRequestException", MaxResults=21)
    runner.refused("ListServices", "InvalidRequestException", NextToken="x")
    runner.refused("ListOperations", "InvalidRequestException", ServiceArn=arn, MaxResults=0)
    runner.refused("DescribeAutoScalingConfiguration", "ResourceNotFoundException",
                   AutoScalingConfigurationArn=f"arn:aws:apprunner:{REGION}:{ACCOUNT}:autoscalingconfiguration/None/1/1")
    new = name + "-x"
    bad = [
        dict(ServiceName="abc", SourceConfiguration=source(image)),
        dict(ServiceName=new),
        dict(ServiceName=new, SourceConfiguration={}),
        dict(ServiceName=new, SourceConfiguration=source("docker.io/library/nginx")),
        dict(ServiceName=new, SourceConfiguration=source(image, Port="http")),
        dict(ServiceName=new, SourceConfiguration=source(image), InstanceConfiguration={"Cpu": "3 vCPU"}),
        dict(ServiceName=new, SourceConfiguration=source(image), InstanceConfiguration={"Cpu": "256", "Memory": "12288"}),
        dict(ServiceName=new, SourceConfiguration=source(image), HealthCheckConfiguration={"Interval": 21}),
        dict(ServiceName=new, SourceConfiguration=source(image), HealthCheckConfiguration={"Protocol": "UDP"}),
    ]
    for parameters in bad:
        runner.refused("CreateService", "InvalidRequestException", **parameters)
    without = source(image)
    del without["AuthenticationConfiguration"]
    runner.refused("CreateService", "InvalidRequestException", "Authentication configuration is invalid.",
                   ServiceName=new, SourceConfiguration=without)
    swapped = source(image)
    swapped["AuthenticationConfiguration"] = {"AccessRoleArn": INSTANCE}
    runner.refused("CreateService", "InvalidRequestException", "Error in assuming access role", ServiceName=new,
                   SourceConfiguration=swapped)
    runner.refused("CreateService", "InvalidRequestException", "Error in assuming instance role", ServiceName=new,
                   SourceConfiguration=source(image), InstanceConfiguration={"InstanceRoleArn": ACCESS})


def app_runner_life(runner, arn, image):
    same = runner.ok("UpdateService", ("OperationId",), ServiceArn=arn, SourceConfiguration=source(image))
    check("OperationId" not in same, "an update that changes nothing has no OperationId")
    changed = runner.ok("UpdateService", ServiceArn=arn, HealthCheckConfiguration={"Interval": 6})
    check(wait(runner, arn, changed.get("OperationId")) == "SUCCEEDED", "the update succeeds")
    deployed = runner.ok("StartDeployment", ServiceArn=arn)
    check(wait(runner, arn, deployed.get("OperationId")) == "SUCCEEDED", "the deployment succeeds")
    paused = runner.ok("PauseService", ServiceArn=arn)
    check(wait(runner, arn, paused.get("OperationId")) == "SUCCEEDED", "the pause succeeds")
    again = runner.ok("PauseService", ServiceArn=arn)
    check("OperationId" not in again, "a second pause starts nothing")
    runner.refused("UpdateService", "InvalidStateException", "PAUSED", ServiceArn=arn,
                   HealthCheckConfiguration={"Interval": 7})
    runner.refused("StartDeployment", "InvalidRequestException", "isn't in RUNNING state", ServiceArn=arn)
    resumed = runner.ok("ResumeService", ServiceArn=arn)
    check(wait(runner, arn, resumed.get("OperationId")) == "SUCCEEDED", "the resumption succeeds")


def app_runner_end(runner, arn):
    deleted = runner.ok("DeleteService", ServiceArn=arn)
    check(wait(runner, arn, deleted.get("OperationId")) == "SUCCEEDED", "the deletion succeeds")
    gone = runner.ok("DescribeService", ServiceArn=arn)["Service"]
    check(gone["Status"] == "DELETED" and "DeletedAt" in gone, "a deleted service is still described")


def logs(endpoint, group):
    service = Service("logs", endpoint)
    groups = service.ok("DescribeLogGroups", logGroupNamePrefix=group)["logGroups"]
    check(any(g["logGroupName"] == f"{group}/service" for g in groups), "the service group exists")
    service.ok("DescribeLogGroups", limit=1)
    name = f"{group}/service"
    streams = service.ok("DescribeLogStreams", logGroupName=name)["logStreams"]
    check(any(s["logStreamName"].startswith("deployment/") for s in streams), "deployment streams exist")
    service.ok("DescribeLogStreams", logGroupName=name, orderBy="LastEventTime", descending=True, limit=1)
    events = service.ok("GetLogEvents", logGroupName=name, logStreamName="events", startFromHead=True)
    check(events["events"][0]["message"] == "[AppRunner] Service creation started.", "the first line is the recorded one")
    again = service.ok("GetLogEvents", logGroupName=name, logStreamName="events",
                       nextToken=events["nextForwardToken"], startFromHead=True)
    check(again["nextForwardToken"] == events["nextForwardToken"], "the forward token stands still at the end")
    service.ok("GetLogEvents", logGroupName=name, logStreamName="events", limit=1, startTime=0)
    found = service.ok("FilterLogEvents", logGroupName=name, filterPattern='"routed incoming"')
    check(len(found["events"]) >= 1, "a phrase is found")
    service.ok("FilterLogEvents", logGroupName=name, logStreamNames=["events"], limit=1)
    for operation, more in [("DescribeLogStreams", {}), ("FilterLogEvents", {}),
                            ("GetLogEvents", {"logStreamName": "events"})]:
        service.refused(operation, "ResourceNotFoundException", "The specified log group does not exist.",
                        logGroupName="/none", **more)
    service.refused("GetLogEvents", "ResourceNotFoundException", "The specified log stream does not exist.",
                    logGroupName=name, logStreamName="none")
    service.refused("DescribeLogGroups", "InvalidParameterException", limit=51)
    service.refused("FilterLogEvents", "InvalidParameterException", logGroupName=name, filterPattern="{ $.x = 1 }")
    service.refused("DescribeLogStreams", "InvalidParameterException", logGroupName=name, nextToken="?")


def secrets(endpoint):
    service = Service("secretsmanager", endpoint)
    name = f"check/db-{int(time.time() * 1000)}"
    made = service.ok("CreateSecret", Name=name, SecretString='{"password":"p"}', Description="d",
                      Tags=[{"Key": "a", "Value": "b"}])
    arn = made.get("ARN", "")
    for identifier in [name, arn, arn[:-7]]:
        got = service.ok("GetSecretValue", SecretId=identifier)
        check(got.get("SecretString") == '{"password":"p"}', f"the value is found by {identifier}")
        service.ok("DescribeSecret", SecretId=identifier)
    service.ok("PutSecretValue", SecretId=name, SecretString='{"password":"q"}')
    service.ok("GetSecretValue", SecretId=name, VersionStage="AWSPREVIOUS")
    binary = service.ok("CreateSecret", Name=name + "-binary", SecretBinary=b"\x00\x01")
    got = service.ok("GetSecretValue", SecretId=binary.get("ARN", ""))
    check(got.get("SecretBinary") == b"\x00\x01", "binary values survive")
    service.ok("ListSecrets", MaxResults=1)
    service.ok("ListSecrets", Filters=[{"Key": "name", "Values": [name]}])
    missing = "Secrets Manager can't find the specified secret."
    for operation in ["GetSecretValue", "DescribeSecret", "PutSecretValue", "DeleteSecret"]:
        more = {"SecretString": "x"} if operation == "PutSecretValue" else {}
        service.refused(operation, "ResourceNotFoundException", missing, SecretId="none", **more)
    service.refused("CreateSecret", "ResourceExistsException", Name=name)
    service.refused("CreateSecret", "ValidationException", Name="no spaces please")
    service.refused("PutSecretValue", "InvalidRequestException", SecretId=name)
    service.refused("DeleteSecret", "InvalidParameterException", SecretId=name, RecoveryWindowInDays=1)
    service.ok("DeleteSecret", SecretId=name + "-binary", ForceDeleteWithoutRecovery=True)
    doomed = service.ok("CreateSecret", Name=name + "-doomed", SecretString="x")
    service.ok("DeleteSecret", SecretId=doomed.get("ARN", ""), RecoveryWindowInDays=7)
    service.refused("GetSecretValue", "InvalidRequestException", SecretId=name + "-doomed")
    service.ok("DescribeSecret", SecretId=name + "-doomed")
    return arn


def identity(endpoint):
    sts, iam = Service("sts", endpoint), Service("iam", endpoint)
    me = sts.ok("GetCallerIdentity")
    check(me.get("Account") == ACCOUNT, "the account is the sandbox's")
    sts.ok("AssumeRole", RoleArn=ACCESS, RoleSessionName="check")
    sts.refused("AssumeRole", "AccessDenied", status=403, RoleArn=ACCESS + "None", RoleSessionName="check")
    role = iam.ok("GetRole", RoleName="AppRunnerECRAccessRole")["Role"]
    trusted = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    check(trusted == "build.apprunner.amazonaws.com", "the access role trusts build.apprunner")
    name = f"check-{int(time.time() * 1000)}"
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    iam.ok("CreateRole", RoleName=name, AssumeRolePolicyDocument=trust, Description="d", Tags=[{"Key": "a", "Value": "b"}])
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    iam.ok("PutRolePolicy", RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    managed = "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess"
    iam.ok("AttachRolePolicy", RoleName=name, PolicyArn=managed)
    iam.ok("ListAttachedRolePolicies", RoleName=name)
    arn = iam.ok("GetRole", RoleName=name)["Role"]["Arn"]
    answer = iam.ok("SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=["ecr:BatchGetImage", "s3:GetObject", "sqs:SendMessage"],
                    ResourceArns=["*"], ContextEntries=[{"ContextKeyName": "aws:x", "ContextKeyValues": ["y"], "ContextKeyType": "string"}])
    decisions = [row["EvalDecision"] for row in answer.get("EvaluationResults", [])]
    check(decisions == ["allowed", "explicitDeny", "implicitDeny"], f"decisions are {decisions}")
    user = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
    iam.ok("SimulatePrincipalPolicy", PolicySourceArn=user, ActionNames=["apprunner:UpdateService"])
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "x:*", "Resource": "*"}]}
    iam.ok("PutUserPolicy", UserName="sandbox", PolicyName="p", PolicyDocument=json.dumps(document))
    iam.ok("DeleteUserPolicy", UserName="sandbox", PolicyName="p")
    for operation, more in [("GetRole", {}), ("ListAttachedRolePolicies", {}), ("AttachRolePolicy", {"PolicyArn": managed}),
                            ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": json.dumps(policy)})]:
        iam.refused(operation, "NoSuchEntity", "The role with name none cannot be found.", 404, RoleName="none", **more)
    iam.refused("CreateRole", "EntityAlreadyExists", status=409, RoleName=name, AssumeRolePolicyDocument=trust)
    iam.refused("CreateRole", "MalformedPolicyDocument", RoleName=name + "x", AssumeRolePolicyDocument="{")
    iam.refused("AttachRolePolicy", "NoSuchEntity", status=404, RoleName=name, PolicyArn="arn:aws:iam::aws:policy/None")
    iam.refused("SimulatePrincipalPolicy", "NoSuchEntity", status=404, PolicySourceArn=ACCESS + "None", ActionNames=["a:b"])
    iam.refused("SimulatePrincipalPolicy", "InvalidInput", ActionNames=["a:b"],
                PolicySourceArn=f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y")


def protocol(endpoint):
    """What a client library cannot ask for."""
    runner = Service("apprunner", endpoint)
    for operation in ["ListConnections", "AssociateCustomDomain"]:
        runner.refused(operation, "UnknownOperationException")
    Service("iam", endpoint).refused("ListUsers", "InvalidAction")
    for target, key, status in [("AppRunner.ListServices", "Message", 400), ("Logs_20140328.DescribeLogGroups", "message", 400)]:
        request = urllib.request.Request(endpoint, data=b"{}", headers={"X-Amz-Target": target})
        try:
            urllib.request.urlopen(request, timeout=10)
            check(False, f"{target} without a signature is answered")
        except urllib.error.HTTPError as error:
            body = json.load(error)
            check(error.code == status and "MissingAuthenticationToken" in body["__type"] and key in body, f"{target}: {body}")


def faults(endpoint):
    runner = Service("apprunner", endpoint)
    for kind, code, status in [("throttle", "ThrottlingException", 400), ("access-denied", "AccessDeniedException", 400),
                               ("expired-credentials", "ExpiredTokenException", 400),
                               ("error-before-effect", "InternalServiceErrorException", 500)]:
        control(endpoint, "faults", {"operation": "ListServices", "kind": kind})
        runner.refused("ListServices", code, status=status)
    for kind in ["cut-before-effect", "cut-after-effect"]:
        control(endpoint, "faults", {"operation": "ListServices", "kind": kind})
        try:
            runner.client.list_services()
            check(False, f"{kind}: an answer came")
        except (HTTPClientError, ClientError) as error:
            check(isinstance(error, HTTPClientError), f"{kind}: {error}")
    control(endpoint, "faults", {"operation": "GetCallerIdentity", "kind": "throttle"})
    Service("sts", endpoint).refused("GetCallerIdentity", "Throttling")
    control(endpoint, "expire", {"access-key": "AKIAEXPIREDEXPIRED00"})
    Service("apprunner", endpoint, "AKIAEXPIREDEXPIRED00").refused("ListServices", "ExpiredTokenException")
    Service("sts", endpoint, "AKIAEXPIREDEXPIRED00").refused("GetCallerIdentity", "ExpiredToken", status=403)
    calls = control(endpoint, "calls")
    check(calls[-1]["outcome"] == "ExpiredToken", "the record shows the refusal")
    check(all(len(call["sha256"]) == 64 for call in calls), "every call has its hash")
    control(endpoint, "clear", {})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("endpoint")
    parser.add_argument("--image", required=True, help="identifier of an image that becomes healthy")
    arguments = parser.parse_args()
    global REGION
    REGION = control(arguments.endpoint, "")["region"]
    secret = secrets(arguments.endpoint)
    identity(arguments.endpoint)
    runner, group, arn = app_runner(arguments.endpoint, arguments.image, secret)
    if group:
        logs(arguments.endpoint, group)
        app_runner_end(runner, arn)
    protocol(arguments.endpoint)
    faults(arguments.endpoint)
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
