//! Judges what was seen: what would make the deployment fail later, and what to do about it now.

use super::findings::Finding;
use super::inventory::{Inventory, Named, Seen, unfit};
use super::roles::{NewRole, PULLS, RUNS};
use crate::config::HealthGate;
use crate::config::value::HealthFrom;
use crate::names::{RepositoryName, ServiceName};
use crate::problem::ExitCode;
use crate::release::Protocol;
use crate::world::registry::Platform;
use crate::world::service::{Origin, Service, ServiceStatus};
use crate::world::{Obstacle, WorldError};

/// What is asked for, as far as the checks need it.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The repository.
    pub repository: Option<&'a RepositoryName>,
    /// The health gate.
    pub health: &'a HealthGate,
    /// The port that the configuration names.
    pub port: Option<&'a str>,
}

/// Every check, in the order in which they are shown.
pub fn judge(seen: &Inventory, checks: &Checks<'_>) -> Vec<Finding> {
    let mut findings = vec![credentials(seen)];
    findings.extend(seen.engine.as_ref().map(engine));
    findings.extend(seen.context.as_ref().map(context));
    findings.extend(seen.image.as_ref().map(image));
    findings.extend(checks.repository.map(|name| repository(seen, name)));
    findings.push(service(seen, checks));
    findings.extend(seen.service.as_ref().and_then(|service| previous(seen, service)));
    findings.push(port(seen, checks));
    findings.push(health(seen, checks));
    findings.push(access_role(seen));
    findings.push(role("instance role", RUNS, &seen.instance_role));
    findings
}

fn credentials(seen: &Inventory) -> Finding {
    let reason =
        format!("account {}, {}, as {}", seen.caller.account, seen.region, seen.caller.arn);
    Finding::passed("AWS credentials", reason)
}

/// Docker, reached or not, with what starts it.
fn engine(engine: &Result<crate::world::builder::Engine, WorldError>) -> Finding {
    let error = match engine {
        Ok(engine) => {
            return Finding::passed("Docker", format!("{} at {}", engine.version, engine.address));
        }
        Err(error) => error,
    };
    let code = match error {
        WorldError::Unreachable { obstacle: Obstacle::NotRunning, .. } => "docker-not-running",
        _ => "docker-unusable",
    };
    Finding::failed("Docker", ExitCode::Docker, code, error.to_string())
        .fix("start Docker (`sudo systemctl start docker`, or Docker Desktop), then run this again")
        .fix("Docker is elsewhere? Set DOCKER_HOST, for example unix://$HOME/.colima/default/docker.sock")
        .fix("an image that is in ECR already needs no Docker: `surefoot deploy --image REPOSITORY:TAG`")
}

fn context(context: &Result<crate::world::builder::BuildContext, WorldError>) -> Finding {
    match context {
        Ok(context) => {
            let size = crate::config::units::format_bytes(context.bytes);
            Finding::passed("build context", format!("{} files, {size}", context.files))
        }
        Err(error) => {
            let code = error.code().unwrap_or("build-context");
            Finding::failed("build context", ExitCode::Build, code, text(error))
                .fix("name another with [build] dockerfile and context in surefoot.toml")
        }
    }
}

/// The world's own text, without its code.
fn text(error: &WorldError) -> String {
    match error {
        WorldError::Refused { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn image(image: &Named) -> Finding {
    match image {
        Named::Missing { repository, name } => {
            let reason = format!("ECR does not hold {name}");
            Finding::failed("image", ExitCode::Preflight, "image-missing", reason).fix(format!(
                "list what is there: `aws ecr describe-images --repository-name {repository}`"
            ))
        }
        Named::There { image, platforms, .. } if runs_here(platforms) => {
            Finding::passed("image", format!("{}, linux/amd64", image.digest))
        }
        Named::There { image, platforms, .. } => {
            let of: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            let reason = format!("{} runs on {}, not on linux/amd64", image.digest, of.join(", "));
            Finding::failed("image", ExitCode::Preflight, "wrong-platform", reason)
                .fix("build it for linux/amd64: App Runner runs nothing else")
        }
    }
}

fn runs_here(platforms: &[Platform]) -> bool {
    platforms.iter().any(Platform::is_linux_amd64)
}

fn repository(seen: &Inventory, name: &RepositoryName) -> Finding {
    let check = format!("repository {name}");
    match &seen.repository {
        Some(repository) => Finding::passed(check, repository.uri.clone()),
        None if seen.image.is_some() => {
            let reason = format!("ECR in {} has no repository {name}", seen.region);
            Finding::failed(check, ExitCode::Preflight, "no-repository", reason)
        }
        None => Finding::passed(check, "will be created, scanning on push"),
    }
}

fn service(seen: &Inventory, checks: &Checks<'_>) -> Finding {
    let check = format!("service {}", checks.service);
    let Some(service) = &seen.service else {
        return Finding::passed(check, "does not exist; will be created");
    };
    if let Some(finding) = unfit(service) {
        return finding;
    }
    match service.status {
        ServiceStatus::CreateFailed => {
            let reason = "its creation failed; the update rebuilds it, and there is no way back";
            Finding::warned(check, reason)
        }
        ServiceStatus::OperationInProgress => {
            Finding::warned(check, "busy with another operation, which will be waited for")
        }
        _ => Finding::passed(check, format!("{}, will be updated", service.status)),
    }
}

/// The image to go back to: without it a rollback cannot be kept.
fn previous(seen: &Inventory, service: &Service) -> Option<Finding> {
    let Origin::Ecr(image) = &service.origin else { return None };
    let check = "way back";
    Some(match (seen.previous_in_registry, image.digest()) {
        (Some(false), _) => {
            let reason = format!(
                "ECR no longer holds {}, so a failed deployment cannot be taken back by surefoot",
                image.short()
            );
            Finding::warned(check, reason).fix(format!(
                "look for a lifecycle policy that deletes images in use: \
                 `aws ecr get-lifecycle-policy --repository-name {}`",
                image.repository
            ))
        }
        (None, _) => Finding::cannot_tell(
            check,
            format!("ECR did not say whether it holds {}", image.short()),
        ),
        (Some(true), Some(digest)) => {
            Finding::passed(check, format!("{} is in ECR", digest.short()))
        }
        (Some(true), None) => {
            let reason =
                format!("{} is a tag: what it names today may not be what runs", image.short());
            Finding::warned(check, reason)
        }
    })
}

fn port(seen: &Inventory, checks: &Checks<'_>) -> Finding {
    let live = seen.service.as_ref().and_then(|service| service.configuration.port.clone());
    match (checks.port, live) {
        (Some(port), Some(live)) if port != live => {
            Finding::warned("port", format!("it changes from {live} to {port}"))
        }
        (Some(port), _) => Finding::passed("port", port.to_owned()),
        (None, Some(live)) => Finding::passed("port", format!("{live}, as it is")),
        (None, None) => Finding::passed("port", "8080, as nothing else is configured"),
    }
}

fn health(seen: &Inventory, checks: &Checks<'_>) -> Finding {
    let private = seen.service.as_ref().is_some_and(|service| !service.public);
    if checks.health.from == HealthFrom::Nowhere {
        return Finding::warned(
            "health path",
            "not asked ([health] from = \"none\"): stays unproven",
        );
    }
    if private && checks.health.from == HealthFrom::Service {
        let reason = "the service is private and cannot be asked from the internet";
        return Finding::failed("health path", ExitCode::Preflight, "private-service", reason)
            .fix("set [health] from = \"https://…\" to an address that reaches it, or \"none\"");
    }
    let own = seen.service.as_ref().map(|service| &service.configuration.health_check);
    let path = &checks.health.path;
    match own {
        Some(own) if own.protocol == Protocol::Tcp => Finding::passed(
            "health path",
            format!("{path}; App Runner itself only checks the TCP port"),
        ),
        _ => Finding::passed("health path", path.clone()),
    }
}

fn access_role(seen: &Inventory) -> Finding {
    let kept = seen.service.as_ref().and_then(|service| service.configuration.access_role.clone());
    match (&seen.access_role, kept) {
        (Seen::NotAsked, Some(role)) => {
            Finding::passed("access role", format!("{}, as it is", role.role_name()))
        }
        (Seen::Missing(name), None) => missing_access_role(name),
        (seen, _) => role("access role", PULLS, seen),
    }
}

fn missing_access_role(name: &str) -> Finding {
    let reason =
        format!("there is no role {name}, and App Runner cannot pull from ECR without one");
    let finding = Finding::failed("access role", ExitCode::Preflight, "no-access-role", reason);
    with_commands(finding, &NewRole::access(name))
        .fix("or name another with [service] access_role in surefoot.toml")
}

fn with_commands(finding: Finding, role: &NewRole) -> Finding {
    let by_us = format!("let surefoot create {}: `surefoot preflight --fix`", role.name);
    role.commands().into_iter().fold(finding.fix(by_us), Finding::fix)
}

fn role(check: &str, principal: &str, seen: &Seen) -> Finding {
    match seen {
        Seen::NotAsked => Finding::skipped(check, "none is configured"),
        Seen::CannotTell(name, why) => {
            Finding::cannot_tell(check, format!("IAM did not say whether {name} is right: {why}"))
        }
        Seen::Missing(name) => {
            let reason = format!("there is no role {name}");
            let finding = Finding::failed(check, ExitCode::Preflight, "no-role", reason);
            let role = match principal {
                PULLS => NewRole::access(name),
                _ => NewRole::instance(name),
            };
            with_commands(finding, &role)
        }
        Seen::Found(role) if role.trusts.iter().any(|service| service == principal) => {
            Finding::passed(check, format!("{}, trusts {principal}", role.arn.role_name()))
        }
        Seen::Found(role) => {
            let trusts = role.trusts.join(", ");
            let reason = format!("{} trusts {trusts}, not {principal}", role.arn.role_name());
            Finding::failed(check, ExitCode::Preflight, "role-trust", reason)
                .fix(format!("let its trust policy name `{principal}`"))
        }
    }
}
