//! What was pushed before: an image that is there need not be built again.

use super::Recorded;
use crate::event::Event;
use crate::names::{Digest, RepositoryName, Tag};
use crate::plan::{Plan, TargetOrigin};

/// What was pushed last from this very context: its digest, and the tag that it got.
pub fn pushed(
    records: &[Recorded],
    repository: &RepositoryName,
    context: &str,
) -> Option<(Digest, Tag)> {
    let mut same_context = Vec::new();
    let mut pushed = None;
    for entry in records {
        match &entry.event {
            Ok(Event::DeploymentPlanned(plan)) if builds(plan, repository, context) => {
                same_context.push(entry.deployment);
            }
            Ok(Event::DigestPushed { digest, tag, .. })
                if same_context.contains(&entry.deployment) =>
            {
                pushed = Some((digest.clone(), tag.clone()));
            }
            _ => {}
        }
    }
    pushed
}

fn builds(plan: &Plan, repository: &RepositoryName, context: &str) -> bool {
    plan.target().is_some_and(|target| {
        let same = matches!(&target.origin, TargetOrigin::Build { context: c, .. } if c == context);
        same && target.repository == *repository
    })
}
