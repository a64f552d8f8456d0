//! Which steps a deployment takes, in order.

use super::{Intent, Step, TargetOrigin};
use crate::config::value::AutoDeployments;

/// The steps that bring about what is asked for. A rollback moves the service to a release that ECR
/// holds, and proves it; a deployment may build and push before, and tidy up after.
pub fn of(intent: &Intent, auto_deployments: AutoDeployments) -> Vec<Step> {
    let target = match intent {
        Intent::Deploy { target, .. } => Some(target),
        Intent::Rollback { .. } => None,
    };
    let builds = target.is_some_and(|one| matches!(one.origin, TargetOrigin::Build { .. }));
    let mut steps = vec![Step::Preflight];
    if builds {
        steps.extend([Step::EnsureRepository, Step::BuildImage, Step::PushImage]);
    }
    steps.extend([
        Step::CapturePrevious,
        Step::ChangeService,
        Step::AwaitOperation,
        Step::VerifyRelease,
        Step::CheckHealth,
    ]);
    if target.is_some_and(|target| target.latest) {
        steps.push(Step::TagLatest);
    }
    if target.is_some() && auto_deployments == AutoDeployments::Restore {
        steps.push(Step::RestoreAutoDeployments);
    }
    steps
}
