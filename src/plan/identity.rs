//! The identity of a deployment: derived from what was seen, so that a dry run and the run after it
//! send the same bytes, and two attempts never share one.

use crate::names::{DeploymentId, DeploymentNumber, OperationId, StreamName};

/// The facts an identity follows from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The service.
    pub stream: &'a StreamName,
    /// The number the deployment will have.
    pub number: DeploymentNumber,
    /// The hash of the newest event of the stream: unique once there has been any event.
    pub head: &'a str,
    /// The newest operation seen: tells apart two attempts from two empty journals.
    pub newest_operation: Option<&'a OperationId>,
    /// This machine since it was started, this user, this history directory: tells apart two
    /// contenders that see the same world at the same moment.
    pub place: &'a str,
}

impl Facts<'_> {
    /// The identity of the deployment itself.
    pub fn deployment(&self) -> DeploymentId {
        let operation = self.newest_operation.map_or("", OperationId::as_str);
        DeploymentId::derived_from(&[
            &self.stream.to_string(),
            &self.number.to_string(),
            self.head,
            operation,
            self.place,
        ])
    }
}

/// The mark of the rollback inside a deployment: its own, never the deployment's or the captured one.
pub fn rollback_mark(deployment: &DeploymentId) -> DeploymentId {
    DeploymentId::derived_from(&[deployment.as_str(), "rollback"])
}

/// The mark of the update that gives auto-deployments back.
pub fn restore_mark(deployment: &DeploymentId) -> DeploymentId {
    DeploymentId::derived_from(&[deployment.as_str(), "restore auto-deployments"])
}

/// Every mark that a deployment may plant: its own, its rollback's, that of giving auto-deployments back.
pub fn marks(deployment: &DeploymentId) -> [DeploymentId; 3] {
    [deployment.clone(), rollback_mark(deployment), restore_mark(deployment)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_never_carries_the_mark_of_what_it_takes_back() {
        let id = DeploymentId::derived_from(&["x"]);
        assert_ne!(rollback_mark(&id), id);
        assert_ne!(restore_mark(&id), id);
        assert_ne!(restore_mark(&id), rollback_mark(&id));
    }

    #[test]
    fn each_fact_counts() {
        let stream: StreamName = "123456789012/eu-central-1/shop".parse().unwrap();
        let operation: OperationId = "ab".parse().unwrap();
        let facts = Facts {
            stream: &stream,
            number: DeploymentNumber(1),
            head: "",
            newest_operation: None,
            place: "here",
        };
        let ids = [
            facts.deployment(),
            Facts { number: DeploymentNumber(2), ..facts }.deployment(),
            Facts { head: "f", ..facts }.deployment(),
            Facts { newest_operation: Some(&operation), ..facts }.deployment(),
            Facts { place: "there", ..facts }.deployment(),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(facts.deployment(), facts.deployment());
    }
}
