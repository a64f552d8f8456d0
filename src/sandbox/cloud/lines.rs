//! App Runner's event lines, as recorded from real services.
//!
//! Sources: event logs quoted in App Runner roadmap issues 46, 128, 142, 143 and in public reports.

use super::configuration::HealthCheckConfiguration;
use super::service::{Failure, OperationType};
use super::switches::LogLines;

/// What a running operation is called in its lines.
pub(crate) fn subject(kind: OperationType) -> &'static str {
    match kind {
        OperationType::CreateService => "Service creation",
        OperationType::UpdateService => "Service update",
        OperationType::StartDeployment => "Deployment",
        OperationType::PauseService => "Service pause",
        OperationType::ResumeService => "Service resume",
        OperationType::DeleteService => "Service deletion",
    }
}

fn trigger(kind: OperationType) -> Option<&'static str> {
    match kind {
        OperationType::CreateService => Some("SERVICE_CREATE"),
        OperationType::UpdateService => Some("SERVICE_UPDATE"),
        OperationType::StartDeployment => Some("SERVICE_DEPLOY"),
        _ => None,
    }
}

pub(crate) fn started(kind: OperationType, operation: &str, wording: LogLines) -> String {
    match (wording, trigger(kind)) {
        (LogLines::WithId, Some(trigger)) => {
            format!("Deployment with ID : {operation} started. Triggering event : {trigger}")
        }
        _ => format!("{} started.", subject(kind)),
    }
}

pub(crate) fn artifact(identifier: &str) -> String {
    format!("Deployment Artifact: [Repo Type: ECR], [Image URL: {identifier}]")
}

pub(crate) fn status(status: &str) -> String {
    format!("Service status is set to {status}.")
}

pub(crate) const PIPELINE: &str = "Successfully created pipeline for automatic deployments.";
pub(crate) const PULL_STARTS: &str = "Starting to pull your application image.";
pub(crate) const PULLED: &str = "Successfully pulled image from ECR.";
pub(crate) const PULLED_YOURS: &str = "Successfully pulled your application image from ECR.";
pub(crate) const DEPLOY_STARTS: &str = "Starting to deploy your application image.";
pub(crate) const DEPLOY_FAILED: &str = "Failed to deploy your application image.";
pub(crate) const PROVISIONING: &str = "Provisioning instances and deploying image.";
pub(crate) const HEALTHY: &str = "Health check is successful. Routing traffic to application.";
pub(crate) const ROUTED: &str = "Successfully routed incoming traffic to application.";
pub(crate) const FALSE_ROLE: &str = "Failed to pull your application image. Reason: Invalid Access Role in AuthenticationConfiguration.";

pub(crate) fn pulling(identifier: &str) -> String {
    format!("Pulling image {identifier} from ECR repository.")
}

fn protocol(check: &HealthCheckConfiguration, port: u16, between: &str) -> String {
    if check.protocol == "HTTP" {
        format!("`HTTP`{between}[Path: '{}'], [Port: '{port}'].", check.path)
    } else {
        format!("`TCP` [Port: '{port}'].")
    }
}

pub(crate) fn checking(check: &HealthCheckConfiguration, port: u16) -> String {
    format!("Performing health check on protocol {}", protocol(check, port, " "))
}

fn unhealthy(check: &HealthCheckConfiguration, port: u16) -> String {
    format!(
        "Health check failed on protocol {} Check your configured port number.",
        protocol(check, port, "")
    )
}

pub(crate) fn completed(kind: OperationType, new_image: bool) -> String {
    match (kind, new_image) {
        (OperationType::UpdateService, true) => {
            "Service update completed successfully. New application and configuration is deployed."
                .into()
        }
        (OperationType::UpdateService, false) => {
            "Service update completed successfully. New configuration is deployed.".into()
        }
        _ => format!("{} completed successfully.", subject(kind)),
    }
}

/// The line that names the cause; none where App Runner stays silent about it.
pub(crate) fn cause(
    failure: Failure,
    check: &HealthCheckConfiguration,
    port: u16,
) -> Option<String> {
    const PULL_FAILED: &str = "Failed to pull your application image.";
    Some(match failure {
        Failure::Unhealthy => unhealthy(check, port),
        Failure::Exited { code } => format!(
            "Your application stopped or failed to start. See logs for more information.  Container exit code: {code}"
        ),
        Failure::ImageMissing => format!("{PULL_FAILED} Reason: ECR image doesn't exist."),
        Failure::InvalidAccessRole => FALSE_ROLE.to_owned(),
        Failure::InvalidAccessRoleOlder => format!(
            "{PULL_FAILED} Be sure you configure your service with a valid access role to your ECR repository."
        ),
        Failure::CopyFailed => "Failed to copy the image from ECR.".to_owned(),
        Failure::SecretUnreadable | Failure::DeleteFailed => return None,
    })
}

/// The line that ends a failed operation.
pub(crate) fn failed(
    kind: OperationType,
    operation: &str,
    failure: Failure,
    wording: LogLines,
) -> String {
    if wording == LogLines::WithId && trigger(kind).is_some() {
        let reason = match failure {
            Failure::Unhealthy => " Failure reason : Health check failed.",
            Failure::CopyFailed => " Failure reason : Failed to copy the image from ECR.",
            _ => "",
        };
        return format!("Deployment with ID : {operation} failed.{reason}");
    }
    format!("{} failed. For details, see service logs.", subject(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_lines_are_the_recorded_ones() {
        let tcp = HealthCheckConfiguration::default();
        let http = HealthCheckConfiguration {
            protocol: "HTTP".into(),
            path: "/api/health".into(),
            ..HealthCheckConfiguration::default()
        };
        let cases = [
            (
                Failure::Unhealthy,
                &http,
                Some(
                    "Health check failed on protocol `HTTP`[Path: '/api/health'], [Port: '3000']. Check your configured port number.",
                ),
            ),
            (
                Failure::Unhealthy,
                &tcp,
                Some(
                    "Health check failed on protocol `TCP` [Port: '3000']. Check your configured port number.",
                ),
            ),
            (
                Failure::Exited { code: 1 },
                &tcp,
                Some(
                    "Your application stopped or failed to start. See logs for more information.  Container exit code: 1",
                ),
            ),
            (
                Failure::InvalidAccessRoleOlder,
                &tcp,
                Some(
                    "Failed to pull your application image. Be sure you configure your service with a valid access role to your ECR repository.",
                ),
            ),
            (
                Failure::InvalidAccessRole,
                &tcp,
                Some(
                    "Failed to pull your application image. Reason: Invalid Access Role in AuthenticationConfiguration.",
                ),
            ),
            (
                Failure::ImageMissing,
                &tcp,
                Some("Failed to pull your application image. Reason: ECR image doesn't exist."),
            ),
            (Failure::CopyFailed, &tcp, Some("Failed to copy the image from ECR.")),
            (Failure::SecretUnreadable, &tcp, None),
        ];
        for (failure, check, line) in cases {
            assert_eq!(cause(failure, check, 3000).as_deref(), line, "{failure:?}");
        }
    }

    #[test]
    fn closing_lines_are_the_recorded_ones() {
        use OperationType::{StartDeployment, UpdateService};
        let cases = [
            (
                StartDeployment,
                Failure::Unhealthy,
                LogLines::Classic,
                "Deployment failed. For details, see service logs.",
            ),
            (
                UpdateService,
                Failure::CopyFailed,
                LogLines::Classic,
                "Service update failed. For details, see service logs.",
            ),
            (
                UpdateService,
                Failure::Unhealthy,
                LogLines::WithId,
                "Deployment with ID : e1 failed. Failure reason : Health check failed.",
            ),
            (
                UpdateService,
                Failure::CopyFailed,
                LogLines::WithId,
                "Deployment with ID : e1 failed. Failure reason : Failed to copy the image from ECR.",
            ),
            (
                UpdateService,
                Failure::ImageMissing,
                LogLines::WithId,
                "Deployment with ID : e1 failed.",
            ),
        ];
        for (kind, failure, wording, line) in cases {
            assert_eq!(failed(kind, "e1", failure, wording), line);
        }
    }

    #[test]
    fn opening_lines_are_the_recorded_ones() {
        use OperationType::{CreateService, PauseService, StartDeployment, UpdateService};
        assert_eq!(started(CreateService, "e1", LogLines::Classic), "Service creation started.");
        assert_eq!(started(UpdateService, "e1", LogLines::Classic), "Service update started.");
        assert_eq!(started(PauseService, "e1", LogLines::WithId), "Service pause started.");
        assert_eq!(
            started(StartDeployment, "e1", LogLines::WithId),
            "Deployment with ID : e1 started. Triggering event : SERVICE_DEPLOY"
        );
    }
}
