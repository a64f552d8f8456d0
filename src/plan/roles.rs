//! Roles that a service needs and the account does not have: what creates them.

use super::inventory::{Inventory, Seen};

/// The principal that pulls images. Source: App Runner developer guide, security_iam_service-with-iam.
pub const PULLS: &str = "build.apprunner.amazonaws.com";
/// The principal that runs instances. Source: the same.
pub const RUNS: &str = "tasks.apprunner.amazonaws.com";
/// AWS's own policy for pulling from ECR. Source: AWS managed policy reference.
const PULL_POLICY: &str =
    "arn:aws:iam::aws:policy/service-role/AWSAppRunnerServicePolicyForECRAccess";

/// A role to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub name: String,
    /// Who may assume it.
    pub principal: &'static str,
    /// The managed policy that is attached to it.
    pub policy: Option<&'static str>,
}

impl NewRole {
    /// The role that App Runner pulls with.
    pub fn access(name: &str) -> Self {
        Self { name: name.to_owned(), principal: PULLS, policy: Some(PULL_POLICY) }
    }

    /// The role that instances run with; what it may do is for the application to say.
    pub fn instance(name: &str) -> Self {
        Self { name: name.to_owned(), principal: RUNS, policy: None }
    }

    /// Its trust policy.
    pub fn trust(&self) -> String {
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\
             {{\"Service\":\"{}\"}},\"Action\":\"sts:AssumeRole\"}}]}}",
            self.principal
        )
    }

    /// The commands that create it by hand.
    pub fn commands(&self) -> Vec<String> {
        let (name, trust) = (&self.name, self.trust());
        let create = format!(
            "create it: `aws iam create-role --role-name {name} --assume-role-policy-document '{trust}'`"
        );
        let attach = |policy: &str| {
            format!(
                "let it pull: `aws iam attach-role-policy --role-name {name} --policy-arn {policy}`"
            )
        };
        std::iter::once(create).chain(self.policy.map(attach)).collect()
    }
}

/// The roles that are named, or looked up by their usual names, and not there.
pub fn missing(seen: &Inventory) -> Vec<NewRole> {
    let has_access =
        seen.service.as_ref().is_some_and(|service| service.configuration.access_role.is_some());
    let access = match &seen.access_role {
        Seen::Missing(name) if !has_access => Some(NewRole::access(name)),
        _ => None,
    };
    let instance = match &seen.instance_role {
        Seen::Missing(name) => Some(NewRole::instance(name)),
        _ => None,
    };
    access.into_iter().chain(instance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_policy_is_json_and_names_one_principal() {
        for (role, principal) in [(NewRole::access("a"), PULLS), (NewRole::instance("i"), RUNS)] {
            let trust: serde_json::Value = serde_json::from_str(&role.trust()).unwrap();
            assert_eq!(trust["Statement"][0]["Principal"]["Service"], principal);
            assert!(role.commands()[0].contains(&role.trust()));
        }
        assert_eq!(NewRole::access("a").commands().len(), 2);
        assert_eq!(NewRole::instance("i").commands().len(), 1);
    }
}
