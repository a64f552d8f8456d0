//! Where a deployment leaves the service, and what to type next. The most important line of any
//! error: true in every phase.

use crate::config::value::AutoDeployments;
use crate::event::deployment::{Deployment, Phase};
use crate::event::evidence::{says_gone, says_paused};
use crate::event::{Failure, RolledBackBy};
use crate::plan::{Intent, Step};
use crate::release::Release;
use crate::world::service::OperationStatus;

use super::history::{target_digest, target_tag};

/// Where that leaves the service.
pub fn standing(state: &Deployment) -> String {
    let service = &state.plan.stream.service;
    match &state.phase {
        Phase::Succeeded => format!("`{service}` runs {}.", target_name(state)),
        Phase::RolledBack { .. } => rolled_back(state),
        Phase::Failed { .. } => failed(state),
        Phase::RollbackFailing { failure, .. } | Phase::RollbackFailed { failure, .. } => {
            stuck(state, failure)
        }
        Phase::Attention { .. } => {
            let decide = format!(
                "What `{service}` shall run is for a person to decide; nothing more was changed."
            );
            format!("{decide}{}", not_given_back(state))
        }
        Phase::Abandoned { .. } => {
            let side = service_side(state);
            format!("Closed without touching AWS. {side}{}", not_given_back(state))
        }
        Phase::Forward | Phase::Failing { .. } => on_the_way(state),
        Phase::RollingBack { .. } => on_the_way_back(state),
    }
}

/// Exact commands, the most useful first: that is the one which is typed.
pub fn next_commands(state: &Deployment) -> Vec<String> {
    advice(state).into_iter().rev().map(|advice| advice.command).collect()
}

/// Something to type, and what for.
pub(super) struct Advice {
    /// What for.
    pub(super) purpose: &'static str,
    /// What to type.
    pub(super) command: String,
}

/// What to type next, and what for; most useful last.
pub(super) fn advice(state: &Deployment) -> Vec<Advice> {
    let service = &state.plan.stream.service;
    let surefoot = |purpose, what: &str| Advice {
        purpose,
        command: format!("surefoot {what} --service-name {service}"),
    };
    let show = surefoot("see the whole story", &format!("show {}", state.plan.number.0));
    match &state.phase {
        Phase::Succeeded | Phase::Abandoned { .. } => vec![
            surefoot("see all deployments", "history"),
            surefoot("see where it stands", "status"),
        ],
        Phase::RolledBack { because } => vec![show, surefoot(anew(because), "deploy")],
        Phase::Failed { because } => after_failure(state, because, show, surefoot),
        Phase::RollbackFailed { failure, .. } if failure.code == "rollback-image-gone" => vec![
            show,
            surefoot("to put a release of yours there", "deploy"),
            surefoot("see what can still be gone back to", "rollback --list"),
        ],
        Phase::RollbackFailed { .. } | Phase::Attention { .. } => {
            let mut advice = vec![show];
            advice.extend(settling(state, &surefoot));
            advice.push(surefoot("see what AWS says the service runs", "status"));
            advice
        }
        Phase::Forward
        | Phase::Failing { .. }
        | Phase::RollingBack { .. }
        | Phase::RollbackFailing { .. } => {
            let mut advice = vec![surefoot("see where it stands", "status")];
            if can_be_taken_back(state) {
                advice.push(surefoot("go back instead", "resume --rollback"));
            }
            advice.push(surefoot("go on where it stopped", "resume"));
            advice
        }
    }
}

/// What settles a service of which a person must decide what it shall run.
fn settling(state: &Deployment, surefoot: &impl Fn(&'static str, &str) -> Advice) -> Vec<Advice> {
    if let Intent::Rollback { to, .. } = state.plan.intent {
        return vec![surefoot("to go back all the same", &format!("rollback {}", to.0))];
    }
    let forward = surefoot("to put a release of yours there", "deploy");
    let back = match obstacle(state) {
        Some(Obstacle::Gone) => return vec![forward],
        Some(Obstacle::Paused) => return vec![forward, wake(state)],
        Some(Obstacle::Unhealthy) => {
            Some(surefoot("see what can be gone back to", "rollback --list"))
        }
        None => {
            state.previous().map(|_| surefoot("to go back to the last good release", "rollback"))
        }
    };
    back.into_iter().chain([forward]).collect()
}

/// What stands in the way of going back to the release before.
enum Obstacle {
    Gone,
    Paused,
    Unhealthy,
}

fn obstacle(state: &Deployment) -> Option<Obstacle> {
    match &state.phase {
        Phase::RollbackFailed { failure, .. } if failure.code == "rollback-unhealthy" => {
            Some(Obstacle::Unhealthy)
        }
        Phase::Attention { evidence } => {
            let gone = says_gone(evidence).then_some(Obstacle::Gone);
            gone.or(says_paused(evidence).then_some(Obstacle::Paused))
        }
        _ => None,
    }
}

fn wake(state: &Deployment) -> Advice {
    let (region, arn) = (&state.plan.stream.region, state.service());
    let arn = arn.map_or_else(|| "ARN".to_owned(), ToString::to_string);
    Advice {
        purpose: "first let a paused service run again",
        command: format!("aws apprunner resume-service --region {region} --service-arn {arn}"),
    }
}

/// Whether `resume --rollback` could still do something that `resume` does not.
fn can_be_taken_back(state: &Deployment) -> bool {
    let change = state.intention.as_ref().is_some_and(|i| i.step == Step::ChangeService);
    let touched = change || state.done.issued.is_some();
    let deploys = matches!(state.plan.intent, Intent::Deploy { .. });
    matches!(state.phase, Phase::Forward) && deploys && !state.backwards && touched
}

/// What another deployment would be for.
fn anew(because: &Failure) -> &'static str {
    // Then it was a person's wish, and there is nothing to fix.
    if because.code == "taken-back" { "deploy again" } else { "fix it, then deploy again" }
}

fn after_failure(
    state: &Deployment,
    because: &Failure,
    show: Advice,
    surefoot: impl Fn(&'static str, &str) -> Advice,
) -> Vec<Advice> {
    let mut advice = vec![show];
    if let (Some(issued), None) = (&state.done.issued, state.previous()) {
        let arn = &issued.service;
        advice.push(Advice {
            purpose: "or delete the service (surefoot never does)",
            command: format!(
                "aws apprunner delete-service --region {} --service-arn {arn}",
                state.plan.stream.region
            ),
        });
    }
    advice.push(match state.plan.intent {
        Intent::Deploy { .. } => surefoot(anew(because), "deploy"),
        Intent::Rollback { .. } => surefoot("see what AWS says the service runs", "status"),
    });
    advice
}

/// The release asked for, as a person names it.
pub(super) fn target_name(state: &Deployment) -> String {
    match (target_tag(state), target_digest(state)) {
        (Some(tag), Some(digest)) => format!("{tag} ({})", digest.short()),
        (Some(tag), None) => tag.to_string(),
        (None, Some(digest)) => match state.plan.intent {
            Intent::Rollback { to, image_only, .. } => {
                let what = if image_only { "image" } else { "release" };
                format!("the {what} of {to} ({})", digest.short())
            }
            Intent::Deploy { .. } => digest.short().to_owned(),
        },
        (None, None) => "the new release".into(),
    }
}

/// The release before, as a person names it.
pub(super) fn previous_name(state: &Deployment) -> String {
    state.previous().map_or_else(|| "an earlier release".into(), name)
}

fn name(release: &Release) -> String {
    release.image.short()
}

/// What was turned off for the deployment alone, and may be so still.
fn not_given_back(state: &Deployment) -> &'static str {
    let is_owed = state.plan.auto_deployments == AutoDeployments::Restore
        && state.previous().is_some_and(|release| release.configuration.auto_deployments)
        && state.done.issued.as_ref().is_some_and(|it| !it.release.configuration.auto_deployments)
        && !state.done.steps.contains(&Step::RestoreAutoDeployments);
    let was_begun =
        state.intention.as_ref().map(|it| it.step) == Some(Step::RestoreAutoDeployments);
    match (is_owed, was_begun) {
        (false, _) => "",
        // What came of it is not in the journal.
        (true, true) => {
            " surefoot turned auto-deployments off for it, and may not have given them back."
        }
        (true, false) => {
            " surefoot turned auto-deployments off for it, and has not given them back."
        }
    }
}

fn rolled_back(state: &Deployment) -> String {
    let by = match state.done.operation {
        // What App Runner could not bring back, we did.
        Some(OperationStatus::Succeeded | OperationStatus::RollbackFailed) | None => "",
        Some(_) => " by App Runner itself",
    };
    let stays = match state.plan.intent {
        Intent::Deploy { .. } => format!(" {} stays in ECR.", target_name(state)),
        Intent::Rollback { .. } => String::new(),
    };
    format!("Rolled back{by} to {}, proven.{stays}", previous_name(state))
}

fn stuck(state: &Deployment, failure: &Failure) -> String {
    let service = &state.plan.stream.service;
    let (target, previous) = (target_name(state), previous_name(state));
    if failure.code == "rollback-unhealthy" {
        return format!("Stuck: `{service}` is back at {previous}, which does not answer well.");
    }
    // Then the way back was never asked for.
    if failure.code == "rollback-image-gone" && state.done.proof.is_some() {
        return format!(
            "Stuck: `{service}` cannot be brought back to {previous}, and is still configured with \
             {target}."
        );
    }
    format!(
        "Stuck: `{service}` could be brought neither to {target} nor back to {previous}; what it \
         runs now is not proven."
    )
}

fn failed(state: &Deployment) -> String {
    let service = &state.plan.stream.service;
    let Some(_) = &state.done.issued else { return before_the_change(state) };
    let serves = match &state.done.operation {
        Some(OperationStatus::Succeeded) | None => {
            format!("`{service}` is left as it is, configured with {}.", target_name(state))
        }
        Some(status) if state.previous().is_some() => {
            format!("`{service}` is left as App Runner left it ({status}).")
        }
        Some(_) => format!("`{service}` is left as App Runner left it; nothing serves there."),
    };
    if state.previous().is_some() {
        return serves;
    }
    format!("There is nothing to roll back to: no release ran before this one. {serves}")
}

fn before_the_change(state: &Deployment) -> String {
    let effects = [Step::EnsureRepository, Step::PushImage, Step::ChangeService];
    if state.done.already_live.is_some() {
        return service_side(state);
    }
    if !effects.iter().any(|step| state.done.steps.contains(step)) {
        return "Nothing was changed.".into();
    }
    let image = match &state.done.pushed {
        Some((digest, tag)) => format!(" The image {tag} ({}) is in ECR.", digest.short()),
        None => String::new(),
    };
    format!("{}{image}", service_side(state))
}

/// What the service itself has to show for it so far.
fn service_side(state: &Deployment) -> String {
    let service = &state.plan.stream.service;
    if state.done.already_live.is_some() {
        return format!("`{service}` runs this very release already; nothing was asked for.");
    }
    if state.done.issued.is_some() {
        return after_the_change(state);
    }
    let pending = state.intention.as_ref().is_some_and(|i| i.step == Step::ChangeService);
    if pending {
        return "The change may have reached App Runner, or not: `resume` looks first.".into();
    }
    match &state.done.captured {
        Some(captured) if captured.ran().is_some() => untouched(state),
        Some(captured) => format!("`{service}` is as it was ({}).", captured.status),
        None if state.done.steps.contains(&Step::CapturePrevious) => {
            format!("There is no service `{service}` yet.")
        }
        None => format!("`{service}` was not touched."),
    }
}

/// What is said of a release that was there before, and that nothing of ours replaced.
fn untouched(state: &Deployment) -> String {
    let (service, previous) = (&state.plan.stream.service, previous_name(state));
    match &state.phase {
        Phase::Failed { because } if because.code == "changed-meanwhile" => {
            format!("Somebody else changed `{service}` meanwhile; this deployment did not.")
        }
        Phase::Failed { .. } => format!("`{service}` still runs {previous}."),
        // Nobody has looked since.
        _ => format!("`{service}` was not changed; it ran {previous} when it was looked at."),
    }
}

fn after_the_change(state: &Deployment) -> String {
    let (service, target) = (&state.plan.stream.service, target_name(state));
    if let Some(at_work) = at_work(state) {
        return at_work;
    }
    match &state.done.operation {
        None => format!("App Runner accepted {target} for `{service}`."),
        Some(OperationStatus::Succeeded) if state.done.proof.is_none() => {
            format!(
                "App Runner says it finished; that `{service}` runs {target} is not proven yet."
            )
        }
        Some(OperationStatus::Succeeded) => {
            format!("`{service}` runs {target}, proven by identifier and operation.")
        }
        Some(status) => format!("App Runner's operation ended {status}."),
    }
}

fn at_work(state: &Deployment) -> Option<String> {
    let operation = state.at_work()?;
    Some(format!("App Runner goes on with operation {operation} by itself; it cannot be stopped."))
}

fn on_the_way(state: &Deployment) -> String {
    let word = if state.interrupted.is_some() { "Paused" } else { "Not at its end," };
    let back = if state.backwards { ", to be taken back as a person asked" } else { "" };
    format!("{word} {}{back}. {}", place(state), before_or_after(state))
}

fn before_or_after(state: &Deployment) -> String {
    let pending = state.intention.is_some();
    if state.done.issued.is_none() && !pending {
        before_the_change(state)
    } else {
        service_side(state)
    }
}

/// `after step 3 of 8 (push image)`.
fn place(state: &Deployment) -> String {
    let steps = &state.plan.steps;
    let done = match (state.current_step(), &state.phase) {
        (Some(current), _) => steps.iter().position(|step| *step == current).unwrap_or(0),
        // A refused step counts among the done ones; it is the last of them.
        (None, Phase::Failing { .. }) => {
            let last = steps.iter().rposition(|step| state.done.steps.contains(step)).unwrap_or(0);
            return format!(
                "at step {} of {} ({}), which failed",
                last + 1,
                steps.len(),
                steps[last]
            );
        }
        (None, _) => steps.len(),
    };
    match done.checked_sub(1).and_then(|last| steps.get(last)) {
        Some(last) => format!("after step {done} of {} ({last})", steps.len()),
        None => format!("before step 1 of {}", steps.len()),
    }
}

fn on_the_way_back(state: &Deployment) -> String {
    let word = if state.interrupted.is_some() { "Paused" } else { "Not at its end," };
    let previous = previous_name(state);
    let now = match &state.phase {
        Phase::RollingBack { by: RolledBackBy::AppRunner, .. } => {
            "App Runner went back by itself; that is not proven yet.".to_owned()
        }
        Phase::RollingBack { issued: Some(_), settled: false, .. } => {
            at_work(state).unwrap_or_else(|| "App Runner accepted it.".into())
        }
        Phase::RollingBack { issued: Some(_), .. } => {
            "App Runner says it finished; that is not proven yet.".into()
        }
        _ if state.intention.is_some() => {
            "The change back may have reached App Runner, or not: `resume` looks first.".into()
        }
        _ => format!(
            "`{}` is still configured with {}.",
            state.plan.stream.service,
            target_name(state)
        ),
    };
    format!("{word} on the way back to {previous}. {now}")
}
