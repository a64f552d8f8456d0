//! Repository policies and lifecycle policies: kept and given back, not evaluated.

use serde_json::{Value, json};

use super::Registry;
use super::refusal::invalid;
use super::request::Request;
use crate::sandbox::ApiError;

impl Registry {
    pub(super) fn lifecycle_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let contents = self.contents();
        let policy = contents.repository(self.voice(), name)?.lifecycle_policy.as_deref();
        let policy = policy.ok_or_else(|| self.voice().no_lifecycle_policy(name))?;
        let mut answer = self.policy_answer(name, "lifecyclePolicyText", policy);
        // The sandbox never evaluates a policy; the epoch is what ECR shows before the first time.
        answer["lastEvaluatedAt"] = 0.into();
        Ok(answer)
    }

    pub(super) fn put_lifecycle_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let policy = read_policy(request, "lifecyclePolicyText")?;
        let mut contents = self.contents();
        contents.change(self.voice(), name)?.lifecycle_policy = Some(policy.to_owned());
        Ok(self.policy_answer(name, "lifecyclePolicyText", policy))
    }

    pub(super) fn delete_lifecycle_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let mut contents = self.contents();
        let policy = contents.change(self.voice(), name)?.lifecycle_policy.take();
        let policy = policy.ok_or_else(|| self.voice().no_lifecycle_policy(name))?;
        Ok(self.policy_answer(name, "lifecyclePolicyText", &policy))
    }

    pub(super) fn repository_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let contents = self.contents();
        let policy = contents.repository(self.voice(), name)?.policy.as_deref();
        let policy = policy.ok_or_else(|| self.voice().no_policy(name))?;
        Ok(self.policy_answer(name, "policyText", policy))
    }

    pub(super) fn set_repository_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let policy = read_policy(request, "policyText")?;
        let mut contents = self.contents();
        contents.change(self.voice(), name)?.policy = Some(policy.to_owned());
        Ok(self.policy_answer(name, "policyText", policy))
    }

    pub(super) fn delete_repository_policy(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let mut contents = self.contents();
        let policy = contents.change(self.voice(), name)?.policy.take();
        let policy = policy.ok_or_else(|| self.voice().no_policy(name))?;
        Ok(self.policy_answer(name, "policyText", &policy))
    }

    fn policy_answer(&self, repository: &str, member: &str, text: &str) -> Value {
        json!({
            "registryId": self.settings().account,
            "repositoryName": repository,
            member: text,
        })
    }
}

fn read_policy<'a>(request: Request<'a>, member: &str) -> Result<&'a str, ApiError> {
    let text = request.required(member)?;
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(text),
        _ => Err(invalid(member, "Member must be a JSON object")),
    }
}
