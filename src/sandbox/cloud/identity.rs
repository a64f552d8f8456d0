//! STS and IAM: who calls, which roles exist, what they may do.
//!
//! Calls: STS service model 2011-06-15, IAM service model 2010-05-08. Requests arrive as flat
//! Query parameters (`ActionNames.member.1`), answers leave as trees that the door turns into XML.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chance::Chance;
use super::policy::{Decision, Evaluation, Question, evaluate, items};
use super::refusal::refuse;
use crate::sandbox::{ApiError, Timestamp};

/// The role that pulls images; exists from the start.
pub const ACCESS_ROLE: &str = "AppRunnerECRAccessRole";
/// The role that programs have; exists from the start.
pub const INSTANCE_ROLE: &str = "AppRunnerInstanceRole";
/// The user whom the sandbox's credentials belong to.
pub const USER: &str = "sandbox";
/// Trusted by access roles (App Runner developer guide, security_iam_service-with-iam).
pub(crate) const BUILD_SERVICE: &str = "build.apprunner.amazonaws.com";
/// Trusted by instance roles.
pub(crate) const TASKS_SERVICE: &str = "tasks.apprunner.amazonaws.com";
/// AWS's own policy for access roles.
pub(crate) const PULL_POLICY: &str =
    "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Role {
    name: String,
    path: String,
    id: String,
    arn: String,
    trust: String,
    description: Option<String>,
    session_seconds: u32,
    tags: BTreeMap<String, String>,
    created: Timestamp,
    attached: Vec<String>,
    inline: BTreeMap<String, Value>,
}

/// Roles, and the policies of the one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    account: String,
    roles: BTreeMap<String, Role>,
    user_policies: BTreeMap<String, Value>,
}

type Parameters<'a> = &'a Value;

fn text<'a>(parameters: Parameters<'a>, name: &str) -> Option<&'a str> {
    parameters.get(name).and_then(Value::as_str)
}

fn invalid_input(message: impl Into<String>) -> ApiError {
    refuse("InvalidInput", message)
}

fn required<'a>(parameters: Parameters<'a>, name: &str) -> Result<&'a str, ApiError> {
    text(parameters, name).filter(|text| !text.is_empty()).ok_or_else(|| {
        let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        refuse("ValidationError", format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"))
    })
}

/// `Name.member.1`, `Name.member.2`, …
fn list<'a>(parameters: Parameters<'a>, name: &str) -> Vec<&'a str> {
    (1..).map_while(|number| text(parameters, &format!("{name}.member.{number}"))).collect()
}

fn no_role(name: &str) -> ApiError {
    let message = format!("The role with name {name} cannot be found.");
    ApiError { status: 404, ..refuse("NoSuchEntity", message) }
}

fn document(parameters: Parameters<'_>, name: &str) -> Result<Value, ApiError> {
    let wrong = |_| refuse("MalformedPolicyDocument", "Syntax errors in policy.");
    let document: Value = serde_json::from_str(required(parameters, name)?).map_err(wrong)?;
    if document.get("Statement").is_none() {
        return Err(refuse("MalformedPolicyDocument", "Missing required field Statement"));
    }
    Ok(document)
}

fn date(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

fn trust_of(service: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole",
    }]})
    .to_string()
}

/// The documents of the managed policies that the sandbox knows.
fn managed(arn: &str) -> Option<Value> {
    let actions = match arn {
        PULL_POLICY => json!([
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:GetAuthorizationToken"
        ]),
        "arn:aws:iam::aws:policy/AdministratorAccess" => json!("*"),
        "arn:aws:iam::aws:policy/SecretsManagerReadWrite" => json!("secretsmanager:*"),
        "arn:aws:iam::aws:policy/AWSAppRunnerFullAccess" => {
            json!(["apprunner:*", "iam:PassRole", "iam:CreateServiceLinkedRole"])
        }
        _ => return None,
    };
    Some(json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}))
}

impl Identity {
    /// An account with the two roles of App Runner and a user who may do everything.
    pub(crate) fn new(account: &str, region: &str, chance: &mut Chance) -> Self {
        let anything = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let mut identity = Self {
            account: account.to_owned(),
            roles: BTreeMap::new(),
            user_policies: BTreeMap::from([("Everything".to_owned(), anything)]),
        };
        identity.add_role(ACCESS_ROLE, "/", &trust_of(BUILD_SERVICE), 0, chance);
        identity.add_role(INSTANCE_ROLE, "/", &trust_of(TASKS_SERVICE), 0, chance);
        let reads = json!({"Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
             "Resource": format!("arn:aws:secretsmanager:{region}:{account}:secret:*")},
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"},
        ]});
        if let Some(role) = identity.roles.get_mut(ACCESS_ROLE) {
            role.attached.push(PULL_POLICY.to_owned());
        }
        if let Some(role) = identity.roles.get_mut(INSTANCE_ROLE) {
            role.inline.insert("ReadSecrets".to_owned(), reads);
        }
        identity
    }

    fn add_role(
        &mut self,
        name: &str,
        path: &str,
        trust: &str,
        now: Timestamp,
        chance: &mut Chance,
    ) {
        let role = Role {
            name: name.to_owned(),
            path: path.to_owned(),
            id: chance.unique("AROA"),
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.account),
            trust: trust.to_owned(),
            description: None,
            session_seconds: 3_600,
            tags: BTreeMap::new(),
            created: now,
            attached: Vec::new(),
            inline: BTreeMap::new(),
        };
        self.roles.insert(name.to_owned(), role);
    }

    /// ARN of the role that pulls images.
    pub fn access_role_arn(&self) -> String {
        self.roles.get(ACCESS_ROLE).map(|role| role.arn.clone()).unwrap_or_default()
    }

    /// ARN of the role that programs have.
    pub fn instance_role_arn(&self) -> String {
        self.roles.get(INSTANCE_ROLE).map(|role| role.arn.clone()).unwrap_or_default()
    }

    fn user_arn(&self) -> String {
        format!("arn:aws:iam::{}:user/{USER}", self.account)
    }

    fn by_arn(&self, arn: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.arn == arn)
    }

    /// Whether this service can take on the role by now.
    pub(crate) fn assumable(&self, arn: &str, service: &str, created_before: Timestamp) -> bool {
        let Some(role) = self.by_arn(arn).filter(|role| role.created <= created_before) else {
            return false;
        };
        let Ok(trust) = serde_json::from_str::<Value>(&role.trust) else { return false };
        items(&trust["Statement"]).iter().any(|statement| {
            let actions = items(&statement["Action"]);
            let trusted = items(&statement["Principal"]["Service"]);
            statement["Effect"] == "Allow"
                && trusted.iter().any(|name| name.as_str() == Some(service))
                && actions
                    .iter()
                    .any(|action| matches!(action.as_str(), Some("sts:AssumeRole" | "sts:*" | "*")))
        })
    }

    /// Whether a role may do something, its trust aside.
    pub(crate) fn may(&self, role_arn: &str, action: &str, resource: &str) -> bool {
        let Some(role) = self.by_arn(role_arn) else { return false };
        let managed = known_managed(&role.attached);
        let question = Question { action, resource, context: &BTreeMap::new() };
        evaluate(&policies(role, &managed), &question).decision == Decision::Allowed
    }

    /// The refusal for a user who may not do something.
    pub(crate) fn check_user(&self, action: &str, resource: &str) -> Result<(), String> {
        let policies: Vec<_> = self.user_policies.iter().map(|(n, d)| (n.as_str(), d)).collect();
        let question = Question { action, resource, context: &BTreeMap::new() };
        let evaluation = evaluate(&policies, &question);
        let because = match evaluation.decision {
            Decision::Allowed => return Ok(()),
            Decision::ExplicitDeny => "with an explicit deny in an identity-based policy",
            // A grant that hangs on a condition key we were not given is not held against the caller.
            Decision::ImplicitDeny if !evaluation.missing.is_empty() => return Ok(()),
            Decision::ImplicitDeny => "because no identity-based policy allows the action",
        };
        Err(self.denial(action, resource, because))
    }

    pub(crate) fn denial(&self, action: &str, resource: &str, because: &str) -> String {
        format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} {because}",
            self.user_arn()
        )
    }

    pub(crate) fn answer_sts(
        &self,
        operation: &str,
        parameters: Parameters<'_>,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Value, ApiError> {
        match operation {
            "GetCallerIdentity" => Ok(json!({
                "UserId": "AIDASANDBOXSANDBOX000", "Account": self.account, "Arn": self.user_arn(),
            })),
            "AssumeRole" => self.assume(parameters, now, chance),
            _ => Err(super::unknown_action(operation)),
        }
    }

    fn assume(
        &self,
        parameters: Parameters<'_>,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Value, ApiError> {
        let arn = required(parameters, "RoleArn")?;
        let session = required(parameters, "RoleSessionName")?;
        let role = self.by_arn(arn).ok_or_else(|| ApiError {
            status: 403,
            ..refuse(
                "AccessDenied",
                format!(
                    "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                    self.user_arn()
                ),
            )
        })?;
        let seconds: i64 =
            text(parameters, "DurationSeconds").and_then(|s| s.parse().ok()).unwrap_or(3_600);
        let assumed = format!("arn:aws:sts::{}:assumed-role/{}/{session}", self.account, role.name);
        Ok(json!({
            "Credentials": {
                "AccessKeyId": chance.unique("ASIA"), "SecretAccessKey": chance.hexadecimal(),
                "SessionToken": chance.hexadecimal(), "Expiration": date(now + seconds * 1_000),
            },
            "AssumedRoleUser": {"AssumedRoleId": format!("{}:{session}", role.id), "Arn": assumed},
        }))
    }

    pub(crate) fn answer_iam(
        &mut self,
        operation: &str,
        parameters: Parameters<'_>,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Value, ApiError> {
        match operation {
            "GetRole" => Ok(json!({"Role": describe(self.role(parameters)?)})),
            "CreateRole" => self.create_role(parameters, now, chance),
            "PutRolePolicy" => self.put_role_policy(parameters),
            "AttachRolePolicy" => self.attach(parameters),
            "ListAttachedRolePolicies" => self.list_attached(parameters),
            "SimulatePrincipalPolicy" => self.simulate(parameters),
            "PutUserPolicy" => self.put_user_policy(parameters),
            "DeleteUserPolicy" => self.delete_user_policy(parameters),
            _ => Err(super::unknown_action(operation)),
        }
    }

    fn role(&self, parameters: Parameters<'_>) -> Result<&Role, ApiError> {
        let name = required(parameters, "RoleName")?;
        self.roles.get(name).ok_or_else(|| no_role(name))
    }

    fn role_mut(&mut self, parameters: Parameters<'_>) -> Result<&mut Role, ApiError> {
        let name = required(parameters, "RoleName")?;
        self.roles.get_mut(name).ok_or_else(|| no_role(name))
    }

    fn create_role(
        &mut self,
        parameters: Parameters<'_>,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Value, ApiError> {
        let name = required(parameters, "RoleName")?;
        if self.roles.contains_key(name) {
            let message = format!("Role with name {name} already exists.");
            return Err(ApiError { status: 409, ..refuse("EntityAlreadyExists", message) });
        }
        document(parameters, "AssumeRolePolicyDocument")?;
        let trust = required(parameters, "AssumeRolePolicyDocument")?;
        let path = text(parameters, "Path").unwrap_or("/");
        self.add_role(name, path, trust, now, chance);
        let role = self.role_mut(parameters)?;
        role.description = text(parameters, "Description").map(ToOwned::to_owned);
        if let Some(seconds) = text(parameters, "MaxSessionDuration").and_then(|s| s.parse().ok()) {
            role.session_seconds = seconds;
        }
        for number in 1.. {
            let part = |name: &str| text(parameters, &format!("Tags.member.{number}.{name}"));
            let (Some(key), Some(value)) = (part("Key"), part("Value")) else { break };
            role.tags.insert(key.to_owned(), value.to_owned());
        }
        Ok(json!({"Role": describe(role)}))
    }

    fn put_role_policy(&mut self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        let policy = document(parameters, "PolicyDocument")?;
        let name = required(parameters, "PolicyName")?.to_owned();
        self.role_mut(parameters)?.inline.insert(name, policy);
        Ok(Value::Null)
    }

    fn put_user_policy(&mut self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        require_user(parameters)?;
        let policy = document(parameters, "PolicyDocument")?;
        self.user_policies.insert(required(parameters, "PolicyName")?.to_owned(), policy);
        Ok(Value::Null)
    }

    fn delete_user_policy(&mut self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        require_user(parameters)?;
        let name = required(parameters, "PolicyName")?;
        if self.user_policies.remove(name).is_none() {
            let message = format!("The user policy with name {name} cannot be found.");
            return Err(ApiError { status: 404, ..refuse("NoSuchEntity", message) });
        }
        Ok(Value::Null)
    }

    fn attach(&mut self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        let arn = required(parameters, "PolicyArn")?;
        if managed(arn).is_none() {
            let message = format!("Policy {arn} does not exist or is not attachable.");
            return Err(ApiError { status: 404, ..refuse("NoSuchEntity", message) });
        }
        let role = self.role_mut(parameters)?;
        if !role.attached.iter().any(|attached| attached == arn) {
            role.attached.push(arn.to_owned());
        }
        Ok(Value::Null)
    }

    fn list_attached(&self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        let rows: Vec<_> = self
            .role(parameters)?
            .attached
            .iter()
            .map(|arn| json!({"PolicyName": arn.rsplit('/').next().unwrap_or(arn), "PolicyArn": arn}))
            .collect();
        Ok(json!({"AttachedPolicies": rows, "IsTruncated": false}))
    }

    fn simulate(&self, parameters: Parameters<'_>) -> Result<Value, ApiError> {
        let source = required(parameters, "PolicySourceArn")?;
        let actions = list(parameters, "ActionNames");
        if actions.is_empty() {
            return Err(invalid_input(
                "1 validation error detected: Value null at 'actionNames' failed to satisfy constraint: Member must not be null",
            ));
        }
        let mut resources = list(parameters, "ResourceArns");
        if resources.is_empty() {
            resources.push("*");
        }
        let context = context_of(parameters);
        let attached = self.by_arn(source).map(|role| role.attached.as_slice()).unwrap_or_default();
        let managed = known_managed(attached);
        let policies = self.policies_of(source, &managed)?;
        let mut results = Vec::new();
        for action in &actions {
            for resource in &resources {
                let question = Question { action, resource, context: &context };
                results.push(result_row(&question, &evaluate(&policies, &question)));
            }
        }
        Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
    }

    fn policies_of<'a>(
        &'a self,
        source: &str,
        managed: &'a [(String, Value)],
    ) -> Result<Vec<(&'a str, &'a Value)>, ApiError> {
        if source == self.user_arn() {
            return Ok(self.user_policies.iter().map(|(n, d)| (n.as_str(), d)).collect());
        }
        if let Some(role) = self.by_arn(source) {
            return Ok(policies(role, managed));
        }
        if source.contains(":assumed-role/") || !source.starts_with("arn:aws:iam::") {
            return Err(invalid_input(format!(
                "Invalid Entity Arn: {source} does not clearly define entity type and name."
            )));
        }
        let message = format!("The entity {source} cannot be found.");
        Err(ApiError { status: 404, ..refuse("NoSuchEntity", message) })
    }
}

/// The managed and the inline policies of a role.
fn policies<'a>(role: &'a Role, managed: &'a [(String, Value)]) -> Vec<(&'a str, &'a Value)> {
    let attached = managed
        .iter()
        .filter(|(arn, _)| role.attached.contains(arn))
        .map(|(arn, document)| (arn.as_str(), document));
    let inline = role.inline.iter().map(|(name, document)| (name.as_str(), document));
    attached.chain(inline).collect()
}

fn require_user(parameters: Parameters<'_>) -> Result<(), ApiError> {
    let name = required(parameters, "UserName")?;
    if name == USER {
        return Ok(());
    }
    let message = format!("The user with name {name} cannot be found.");
    Err(ApiError { status: 404, ..refuse("NoSuchEntity", message) })
}

fn known_managed(attached: &[String]) -> Vec<(String, Value)> {
    attached.iter().filter_map(|arn| Some((arn.clone(), managed(arn)?))).collect()
}

fn context_of(parameters: Parameters<'_>) -> BTreeMap<String, Vec<String>> {
    (1..)
        .map_while(|number| {
            let entry = format!("ContextEntries.member.{number}");
            let name = text(parameters, &format!("{entry}.ContextKeyName"))?;
            let values = list(parameters, &format!("{entry}.ContextKeyValues"));
            Some((name.to_owned(), values.into_iter().map(ToOwned::to_owned).collect()))
        })
        .collect()
}

fn result_row(question: &Question<'_>, evaluation: &Evaluation<'_>) -> Value {
    let matched: Vec<_> = evaluation
        .by
        .iter()
        // The model's enum has no "IAM Policy"; `none` is what it offers for the unknown.
        .map(|name| json!({"SourcePolicyId": name, "SourcePolicyType": "none"}))
        .collect();
    json!({
        "EvalActionName": question.action, "EvalResourceName": question.resource,
        "EvalDecision": evaluation.decision.word(), "MatchedStatements": matched,
        "MissingContextValues": evaluation.missing,
    })
}

fn describe(role: &Role) -> Value {
    let trust: String = form_urlencoded::byte_serialize(role.trust.as_bytes()).collect();
    let mut answer = json!({
        "Path": role.path, "RoleName": role.name, "RoleId": role.id, "Arn": role.arn,
        "CreateDate": date(role.created), "MaxSessionDuration": role.session_seconds,
        // IAM encodes a space as %20 (RFC 3986), not as a plus sign.
        "AssumeRolePolicyDocument": trust.replace('+', "%20"), "RoleLastUsed": {},
    });
    if let Some(description) = &role.description {
        answer["Description"] = json!(description);
    }
    if !role.tags.is_empty() {
        let tags: Vec<_> = role.tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
        answer["Tags"] = json!(tags);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn fresh() -> Identity {
        Identity::new(ACCOUNT, "us-east-1", &mut Chance::new(1))
    }

    #[expect(clippy::needless_pass_by_value, reason = "calls read better")]
    fn iam(identity: &mut Identity, operation: &str, parameters: Value) -> Result<Value, ApiError> {
        identity.answer_iam(operation, &parameters, 1_000, &mut Chance::new(2))
    }

    fn decision(identity: &mut Identity, source: &str, action: &str, resource: &str) -> String {
        let parameters = json!({"PolicySourceArn": source, "ActionNames.member.1": action, "ResourceArns.member.1": resource});
        let answer = iam(identity, "SimulatePrincipalPolicy", parameters).unwrap();
        answer["EvaluationResults"][0]["EvalDecision"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_two_roles_trust_the_right_services_from_the_start() {
        let identity = fresh();
        let (access, instance) = (identity.access_role_arn(), identity.instance_role_arn());
        assert!(identity.assumable(&access, BUILD_SERVICE, 0));
        assert!(!identity.assumable(&access, TASKS_SERVICE, 0));
        assert!(identity.assumable(&instance, TASKS_SERVICE, 0));
        assert!(!identity.assumable("arn:aws:iam::123456789012:role/none", TASKS_SERVICE, 0));
        assert!(identity.may(&access, "ecr:BatchGetImage", "*"));
        assert!(!identity.may(&instance, "ecr:BatchGetImage", "*"));
    }

    #[test]
    fn trust_policies_come_back_url_encoded() {
        let answer = iam(&mut fresh(), "GetRole", json!({"RoleName": ACCESS_ROLE})).unwrap();
        let encoded = answer["Role"]["AssumeRolePolicyDocument"].as_str().unwrap();
        assert!(encoded.starts_with("%7B%22"), "{encoded}");
        let (key, _) = form_urlencoded::parse(encoded.as_bytes()).next().unwrap();
        assert!(key.contains(BUILD_SERVICE), "{key}");
        let missing = iam(&mut fresh(), "GetRole", json!({"RoleName": "none"})).unwrap_err();
        assert_eq!((missing.status, missing.code.as_str()), (404, "NoSuchEntity"));
        assert_eq!(missing.message, "The role with name none cannot be found.");
    }

    #[test]
    fn simulation_answers_allowed_denied_and_neither() {
        let mut identity = fresh();
        let user = identity.user_arn();
        let role = identity.instance_role_arn();
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-abcdef";
        assert_eq!(decision(&mut identity, &user, "apprunner:UpdateService", "*"), "allowed");
        assert_eq!(
            decision(&mut identity, &role, "secretsmanager:GetSecretValue", secret),
            "allowed"
        );
        assert_eq!(decision(&mut identity, &role, "apprunner:UpdateService", "*"), "implicitDeny");
        let deny = json!({"Statement": [{"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}]});
        iam(&mut identity, "PutRolePolicy", json!({"RoleName": INSTANCE_ROLE, "PolicyName": "no", "PolicyDocument": deny.to_string()})).unwrap();
        assert_eq!(
            decision(&mut identity, &role, "secretsmanager:GetSecretValue", secret),
            "explicitDeny"
        );
        let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{INSTANCE_ROLE}/x");
        let parameters = json!({"PolicySourceArn": session, "ActionNames.member.1": "a:b"});
        assert_eq!(
            iam(&mut identity, "SimulatePrincipalPolicy", parameters).unwrap_err().code,
            "InvalidInput"
        );
    }

    #[test]
    fn roles_are_made_with_policies_and_refused_twice() {
        let mut identity = fresh();
        let make = json!({"RoleName": "mine", "AssumeRolePolicyDocument": trust_of(BUILD_SERVICE)});
        let answer = iam(&mut identity, "CreateRole", make.clone()).unwrap();
        let arn = answer["Role"]["Arn"].as_str().unwrap().to_owned();
        assert_eq!(iam(&mut identity, "CreateRole", make).unwrap_err().code, "EntityAlreadyExists");
        assert!(identity.assumable(&arn, BUILD_SERVICE, 1_000));
        assert!(!identity.assumable(&arn, BUILD_SERVICE, 999), "not yet propagated");
        iam(
            &mut identity,
            "AttachRolePolicy",
            json!({"RoleName": "mine", "PolicyArn": PULL_POLICY}),
        )
        .unwrap();
        let listed =
            iam(&mut identity, "ListAttachedRolePolicies", json!({"RoleName": "mine"})).unwrap();
        assert_eq!(
            listed["AttachedPolicies"][0]["PolicyName"],
            "AWSAppRunnerServicePolicyForECRAccess"
        );
        assert!(identity.may(&arn, "ecr:BatchGetImage", "*"));
        assert_eq!(
            iam(
                &mut identity,
                "AttachRolePolicy",
                json!({"RoleName": "mine", "PolicyArn": "arn:aws:iam::aws:policy/None"})
            )
            .unwrap_err()
            .code,
            "NoSuchEntity"
        );
        assert_eq!(
            iam(
                &mut identity,
                "CreateRole",
                json!({"RoleName": "bad", "AssumeRolePolicyDocument": "{"})
            )
            .unwrap_err()
            .code,
            "MalformedPolicyDocument"
        );
        assert_eq!(iam(&mut identity, "ListUsers", json!({})).unwrap_err().code, "InvalidAction");
    }

    #[test]
    fn the_user_may_do_everything_until_told_otherwise() {
        let mut identity = fresh();
        assert!(identity.check_user("apprunner:UpdateService", "*").is_ok());
        let deny = json!({"Statement": [{"Effect": "Deny", "Action": "apprunner:UpdateService", "Resource": "*"}]});
        iam(
            &mut identity,
            "PutUserPolicy",
            json!({"UserName": USER, "PolicyName": "no", "PolicyDocument": deny.to_string()}),
        )
        .unwrap();
        let message = identity.check_user("apprunner:UpdateService", "*").unwrap_err();
        assert!(
            message.contains("is not authorized to perform: apprunner:UpdateService"),
            "{message}"
        );
        assert!(identity.check_user("apprunner:DescribeService", "*").is_ok());
        iam(&mut identity, "DeleteUserPolicy", json!({"UserName": USER, "PolicyName": "no"}))
            .unwrap();
        iam(
            &mut identity,
            "DeleteUserPolicy",
            json!({"UserName": USER, "PolicyName": "Everything"}),
        )
        .unwrap();
        assert!(
            identity
                .check_user("apprunner:DescribeService", "*")
                .unwrap_err()
                .contains("no identity-based policy")
        );
    }

    #[test]
    fn a_role_can_be_taken_on() {
        let identity = fresh();
        let mut chance = Chance::new(1);
        let parameters = json!({"RoleArn": identity.access_role_arn(), "RoleSessionName": "me"});
        let answer = identity.answer_sts("AssumeRole", &parameters, 0, &mut chance).unwrap();
        assert_eq!(answer["Credentials"]["Expiration"], "1970-01-01T01:00:00Z");
        let nobody =
            json!({"RoleArn": "arn:aws:iam::123456789012:role/none", "RoleSessionName": "me"});
        assert_eq!(
            identity.answer_sts("AssumeRole", &nobody, 0, &mut chance).unwrap_err().status,
            403
        );
        let me = identity.answer_sts("GetCallerIdentity", &Value::Null, 0, &mut chance).unwrap();
        assert_eq!(me["Account"], ACCOUNT);
    }
}
