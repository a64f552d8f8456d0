//! Checks what would make the deployment fail later.
//!
//! Leaves behind: what is doubtful. Undo: none; it only reads.

use super::{Bench, Outcome, StepError};
use crate::event::{Event, Failure};
use crate::look::{Questions, look};
use crate::plan::findings::{Finding, Outcome as Result_};
use crate::plan::preflight::{Checks, judge};
use crate::plan::target::Wish;
use crate::plan::{Intent, Plan, TargetOrigin};
use crate::world::Progress;

/// Nothing but a look tells.
pub(super) async fn inspect(_bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    Ok(None)
}

/// Judges what planning saw, or, in a later process, what a fresh look sees.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let plan = &bench.deployment.plan;
    let fresh;
    let seen = if let Some(seen) = bench.inventory {
        seen
    } else {
        fresh = look(bench.world, &questions(plan)).await?;
        &fresh
    };
    let findings = judge(seen, &checks(plan));
    if let Some(failure) = refusal(&findings) {
        return Err(failure.into());
    }
    let warnings = warnings(&findings);
    for warning in &warnings {
        bench.progress.report(Progress::Notice(warning.clone()));
    }
    Ok(Event::PreflightPassed { warnings }.into())
}

/// The failure that stops a deployment: the first finding that failed, with the others behind it.
pub fn refusal(findings: &[Finding]) -> Option<Failure> {
    let mut failed = findings.iter().filter(|finding| finding.outcome == Result_::Failed);
    let first = failed.next()?;
    let what = format!("{}: {}", first.check, first.reason);
    let mut failure = Failure::new(first.exit, &first.code, what);
    failure.hints.clone_from(&first.fix);
    for other in failed {
        failure = failure.because(format!("also {}: {}", other.check, other.reason));
        failure.hints.splice(0..0, other.fix.iter().cloned());
    }
    Some(failure)
}

/// What is doubtful, in a line each.
pub fn warnings(findings: &[Finding]) -> Vec<String> {
    let doubtful =
        |finding: &&Finding| matches!(finding.outcome, Result_::Warned | Result_::CannotTell);
    findings.iter().filter(doubtful).map(|f| format!("{}: {}", f.check, f.reason)).collect()
}

fn questions(plan: &Plan) -> Questions {
    let wish = plan.target().map(|target| match &target.origin {
        TargetOrigin::Build { request, .. } => Wish::Build(request.without_arguments()),
        TargetOrigin::Registry { image } => Wish::Reference {
            repository: image.repository.clone(),
            reference: image.reference.clone(),
        },
    });
    let directory = match &wish {
        Some(Wish::Build(request)) => request.context.clone(),
        _ => std::path::PathBuf::from("."),
    };
    let (access_role, instance_role) = roles(plan);
    Questions {
        region: plan.stream.region.clone(),
        endpoint: plan.endpoint.clone(),
        service: plan.stream.service.clone(),
        repository: plan.target().map(|target| target.repository.clone()),
        wish,
        directory,
        access_role,
        instance_role,
    }
}

fn roles(plan: &Plan) -> (Option<String>, Option<String>) {
    let name = |role: &Option<crate::names::RoleArn>| {
        role.as_ref().map(|role| role.role_name().to_owned())
    };
    match &plan.intent {
        Intent::Deploy { overlay, .. } => {
            (name(&overlay.access_role), name(&overlay.instance_role))
        }
        Intent::Rollback { release, .. } => {
            (name(&release.configuration.access_role), name(&release.configuration.instance_role))
        }
    }
}

fn checks(plan: &Plan) -> Checks<'_> {
    let port = match &plan.intent {
        Intent::Deploy { overlay, .. } => overlay.port.as_deref(),
        Intent::Rollback { release, .. } => release.configuration.port.as_deref(),
    };
    Checks {
        service: &plan.stream.service,
        repository: plan.target().map(|target| &target.repository),
        health: &plan.health,
        port,
    }
}
