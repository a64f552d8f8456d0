//! What a log line, a refusal or a health answer means, and what to do about it.
//!
//! App Runner never says why an operation failed; its log does. The table is the catalogue of what
//! users of App Runner hit, with the texts they quote.

use crate::event::{Cause, HealthReport};
use crate::names::ImageIdentifier;

/// One row of the catalogue.
struct Known {
    /// All of these must occur in the text.
    texts: &'static [&'static str],
    code: &'static str,
    what: &'static str,
    fix: &'static str,
}

/// App Runner's own log. The first failure line of an operation decides: later ones are
/// consequences, and "Invalid Access Role" is also written, falsely, while App Runner goes back.
const SERVICE_LINES: &[Known] = &[
    Known {
        texts: &["ECR image doesn't exist"],
        code: "image-missing",
        what: "ECR does not hold the image",
        fix: "check that no lifecycle policy deletes it, then `surefoot deploy` again",
    },
    Known {
        texts: &["Invalid Access Role in AuthenticationConfiguration"],
        code: "access-role",
        what: "App Runner cannot pull with the access role",
        fix: "its trust policy must name `build.apprunner.amazonaws.com`",
    },
    Known {
        texts: &["valid access role to your ECR repository"],
        code: "access-role",
        what: "App Runner cannot pull with the access role",
        fix: "its trust policy must name `build.apprunner.amazonaws.com`, and \
              `ecr:GetAuthorizationToken` needs Resource `*`",
    },
    Known {
        texts: &["Failed to copy the image from ECR"],
        code: "image-pull",
        what: "App Runner could not copy the image",
        fix: "check the access role and the repository's key, then `surefoot deploy` again",
    },
    Known {
        texts: &["Failed to pull your application image"],
        code: "image-pull",
        what: "App Runner could not pull the image",
        fix: "check the access role's trust and permissions",
    },
    Known {
        texts: &["Container exit code: 137"],
        code: "out-of-memory",
        what: "the application was killed, most likely for its memory",
        fix: "raise `memory` in [service] of surefoot.toml",
    },
    Known {
        texts: &["stopped or failed to start"],
        code: "container-exited",
        what: "the application stopped by itself",
        fix: "read why in its last lines: `surefoot logs`",
    },
    Known {
        texts: &["Health check failed on protocol", "HTTP"],
        code: "health-check-http",
        what: "the application does not answer App Runner's health check with 200",
        fix: "check port and path in surefoot.toml; the path must need no login",
    },
    Known {
        texts: &["Health check failed on protocol", "TCP"],
        code: "health-check-tcp",
        what: "nothing listens on the port that App Runner checks",
        fix: "set `port` in [service] of surefoot.toml to the port the application listens on, on 0.0.0.0",
    },
    Known {
        texts: &["Health check failed"],
        code: "health-check",
        what: "the application does not pass App Runner's health check",
        fix: "check port and path in surefoot.toml",
    },
];

/// What CreateService and UpdateService answer when they refuse.
const REFUSALS: &[Known] = &[
    Known {
        texts: &["InvalidStateException"],
        code: "service-busy",
        what: "the service cannot be updated in its current state",
        fix: "wait until `surefoot status` says RUNNING, then deploy again",
    },
    Known {
        texts: &["Error in assuming instance role"],
        code: "instance-role",
        what: "App Runner cannot assume the instance role",
        fix: "its trust policy must name `tasks.apprunner.amazonaws.com`",
    },
    Known {
        texts: &["Error in assuming access role"],
        code: "access-role",
        what: "App Runner cannot assume the access role",
        fix: "its trust policy must name `build.apprunner.amazonaws.com`",
    },
    Known {
        texts: &["Authentication configuration is invalid"],
        code: "access-role",
        what: "App Runner needs an access role to pull from a private repository",
        fix: "set `access_role` in [service] of surefoot.toml",
    },
    Known {
        texts: &["iam:PassRole"],
        code: "pass-role",
        what: "these credentials may not hand a role to App Runner",
        fix: "allow `iam:PassRole` on both roles to whoever deploys",
    },
    Known {
        texts: &["service-linked role"],
        code: "service-linked-role",
        what: "the first service of an account needs a service-linked role",
        fix: "allow `iam:CreateServiceLinkedRole` once to whoever deploys",
    },
    Known {
        texts: &["already exists"],
        code: "name-taken",
        what: "there is a service of this name already",
        fix: "look at it: `surefoot status`; then deploy again, which will update it",
    },
    Known {
        texts: &["ServiceQuotaExceededException"],
        code: "quota",
        what: "the account has as many services as it may",
        fix: "delete one that failed to create, or ask AWS for more",
    },
    Known {
        texts: &["SubscriptionRequired"],
        code: "closed-to-new-accounts",
        what: "this account may be closed to App Runner",
        fix: "App Runner takes no new customers since 2026-04-30; AWS points to ECS Express Mode",
    },
    Known {
        texts: &["AccessDenied"],
        code: "access-denied",
        what: "these credentials may not do this",
        fix: "see what is missing: `surefoot preflight`",
    },
];

/// What the application's own last lines tell.
const APPLICATION_LINES: &[Known] = &[
    Known {
        texts: &["exec format error"],
        code: "wrong-platform",
        what: "the image is built for another processor",
        fix: "App Runner runs linux/amd64 only",
    },
    Known {
        texts: &["listening on", "127.0.0.1"],
        code: "bound-to-loopback",
        what: "the application listens on 127.0.0.1 only",
        fix: "let it listen on 0.0.0.0",
    },
    Known {
        texts: &["listening on", "localhost"],
        code: "bound-to-loopback",
        what: "the application listens on localhost only",
        fix: "let it listen on 0.0.0.0",
    },
    Known {
        texts: &["DisallowedHost"],
        code: "host-refused",
        what: "the application refuses the host name it is asked by",
        fix: "allow the App Runner host name (Django: ALLOWED_HOSTS)",
    },
];

/// The cause that a line of App Runner's log names, if it names one.
pub fn service_line(line: &str) -> Option<Cause> {
    find(SERVICE_LINES, line)
}

/// The image that a line of App Runner's log says is pulled.
pub fn pulled(line: &str) -> Option<ImageIdentifier> {
    let (_, rest) = line.split_once("Pulling image ")?;
    rest.split(' ').next()?.parse().ok()
}

/// The cause behind a refusal of App Runner.
pub fn refusal(text: &str) -> Option<Cause> {
    find(REFUSALS, text)
}

/// The cause of a failed operation: what the application says outweighs what App Runner says, and
/// no word of either means that nothing was ever started. `written` says whether the application ever
/// wrote anything, where that is known.
pub fn failure(seen: Option<&Cause>, written: Option<bool>, log: &[String]) -> Option<Cause> {
    let said = log.iter().rev().find_map(|line| find(APPLICATION_LINES, line));
    said.or_else(|| seen.cloned()).or_else(|| (written == Some(false)).then(never_started))
}

/// The cause of a failed health gate, from what it saw and what the application wrote.
pub fn unhealthy(health: &HealthReport, log: &[String]) -> Option<Cause> {
    let said = log.iter().rev().find_map(|line| find(APPLICATION_LINES, line));
    said.or_else(|| by_status(health))
}

fn by_status(health: &HealthReport) -> Option<Cause> {
    let (code, what, fix) = match health.status? {
        404 => (
            "health-path",
            "the health path does not exist",
            "bring it back, or set `path` in [health] of surefoot.toml",
        ),
        401 | 403 => (
            "health-path",
            "the health path needs a login",
            "let it be public, or set another `path` in [health] of surefoot.toml",
        ),
        400 => (
            "host-refused",
            "the application refuses the request",
            "check which host names it allows",
        ),
        500..=599 => (
            "application-error",
            "the application answers with an error",
            "read why: `surefoot logs`",
        ),
        _ => return None,
    };
    // What the gate found out itself says it better, and is not said twice.
    let what = health.findings.last().map_or(what, String::as_str);
    Some(cause(code, what, fix, None))
}

fn never_started() -> Cause {
    let fix = "check the secrets' ARNs, the instance role, and the VPC connector's way out";
    cause("never-started", "no container was ever started", fix, None)
}

fn find(table: &[Known], text: &str) -> Option<Cause> {
    let row = table.iter().find(|row| row.texts.iter().all(|part| text.contains(part)))?;
    Some(cause(row.code, row.what, row.fix, Some(text)))
}

fn cause(code: &str, what: &str, fix: &str, line: Option<&str>) -> Cause {
    Cause {
        code: code.into(),
        what: what.into(),
        line: line.map(|line| crate::text::printable(line, 400)),
        fix: fix.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_failure_line_has_its_cause() {
        for (line, code) in [
            (
                "[AppRunner] Health check failed on protocol `HTTP`[Path: '/api/health'], [Port: '3000']. Check your configured port number.",
                "health-check-http",
            ),
            (
                "[AppRunner] Health check failed on protocol `HTTP` [Path: '/x'], [Port: '1'].",
                "health-check-http",
            ),
            (
                "[AppRunner] Health check failed on protocol `TCP` [Port: '3000']. Check your configured port number.",
                "health-check-tcp",
            ),
            (
                "Deployment with ID : e199 failed. Failure reason : Health check failed.",
                "health-check",
            ),
            (
                "Deployment with ID : e199 failed. Failure reason : Failed to copy the image from ECR.",
                "image-pull",
            ),
            (
                "Your application stopped or failed to start. See logs for more information.  Container exit code: 1",
                "container-exited",
            ),
            (
                "Your application stopped or failed to start. See logs for more information.  Container exit code: 137",
                "out-of-memory",
            ),
            (
                "Failed to pull your application image. Be sure you configure your service with a valid access role to your ECR repository.",
                "access-role",
            ),
            (
                "Failed to pull your application image. Reason: Invalid Access Role in AuthenticationConfiguration.",
                "access-role",
            ),
            (
                "Failed to pull your application image. Reason: ECR image doesn't exist.",
                "image-missing",
            ),
        ] {
            assert_eq!(service_line(line).map(|cause| cause.code).as_deref(), Some(code), "{line}");
        }
        assert_eq!(service_line("[AppRunner] Service status is set to RUNNING."), None);
        assert_eq!(
            service_line("[AppRunner] Health check is successful. Routing traffic to application."),
            None
        );
    }

    #[test]
    fn what_the_gate_found_out_is_not_told_in_other_words() {
        use crate::event::HealthOutcome;
        use crate::projection::examples;
        for status in [400, 401, 404, 503] {
            let found = examples::health(HealthOutcome::Failed, status, &["said", "why"]);
            assert_eq!(unhealthy(&found, &[]).unwrap().what, "why", "{status}");
        }
        let silent = examples::health(HealthOutcome::Failed, 404, &[]);
        assert_eq!(unhealthy(&silent, &[]).unwrap().what, "the health path does not exist");
    }

    #[test]
    fn the_application_knows_better_than_app_runner() {
        let seen =
            service_line("Your application stopped or failed to start.  Container exit code: 1");
        let log = vec!["exec /bin/sh: exec format error".to_owned()];
        assert_eq!(failure(seen.as_ref(), Some(true), &log).unwrap().code, "wrong-platform");
        assert_eq!(failure(seen.as_ref(), Some(true), &[]).unwrap().code, "container-exited");
        assert_eq!(failure(None, Some(false), &[]).unwrap().code, "never-started");
        assert_eq!(failure(None, Some(true), &[]), None);
    }

    #[test]
    fn a_log_that_cannot_be_read_does_not_say_that_nothing_was_started() {
        assert_eq!(failure(None, None, &[]), None);
    }
}
