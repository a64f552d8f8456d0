//! How an update meets what is there: member by member, maps replaced whole.
//!
//! AWS: omitted members are kept (public incident reports, AWS CLI example of update-service);
//! maps of variables are replaced wholesale and an empty map clears (AWS's own `CloudFormation`
//! resource handler). One public script claims that the whole structure is replaced: a switch.

use super::super::configuration::{
    AuthenticationConfiguration, ImageConfiguration, ImageRepository, Names, SourceConfiguration,
};
use super::super::switches::Omitted;

/// What a service starts from: port 8080 and the default of automatic deployments.
pub(super) fn complete(sent: SourceConfiguration) -> SourceConfiguration {
    let public = sent
        .image_repository
        .as_ref()
        .is_some_and(|image| image.image_repository_type == "ECR_PUBLIC");
    SourceConfiguration {
        // Default true, but false where nothing can be tracked (service model).
        auto_deployments_enabled: Some(sent.auto_deployments_enabled.unwrap_or(!public)),
        image_repository: sent.image_repository.map(complete_image),
        ..sent
    }
}

fn complete_image(sent: ImageRepository) -> ImageRepository {
    let image = sent.image_configuration.unwrap_or_default();
    let image = ImageConfiguration {
        port: Some(image.port.unwrap_or_else(|| "8080".to_owned())),
        runtime_environment_variables: cleared(image.runtime_environment_variables),
        runtime_environment_secrets: cleared(image.runtime_environment_secrets),
        start_command: image.start_command.filter(|command| !command.is_empty()),
    };
    ImageRepository { image_configuration: Some(image), ..sent }
}

/// An empty map clears.
fn cleared(names: Option<Names>) -> Option<Names> {
    names.filter(|names| !names.is_empty())
}

pub(super) fn merge(
    current: &SourceConfiguration,
    sent: SourceConfiguration,
    omitted: Omitted,
) -> SourceConfiguration {
    if omitted == Omitted::Replaced {
        return complete(sent);
    }
    let current = current.clone();
    complete(SourceConfiguration {
        code_repository: sent.code_repository.or(current.code_repository),
        image_repository: match (current.image_repository, sent.image_repository) {
            (Some(old), Some(new)) => Some(merge_image(old, new)),
            (old, new) => new.or(old),
        },
        auto_deployments_enabled: sent
            .auto_deployments_enabled
            .or(current.auto_deployments_enabled),
        authentication_configuration: merge_authentication(
            current.authentication_configuration,
            sent.authentication_configuration,
        ),
    })
}

fn merge_image(old: ImageRepository, new: ImageRepository) -> ImageRepository {
    let (before, after) = (old.image_configuration.unwrap_or_default(), new.image_configuration);
    let after = after.unwrap_or_default();
    let merged = ImageConfiguration {
        runtime_environment_variables: after
            .runtime_environment_variables
            .or(before.runtime_environment_variables),
        start_command: after.start_command.or(before.start_command),
        port: after.port.or(before.port),
        runtime_environment_secrets: after
            .runtime_environment_secrets
            .or(before.runtime_environment_secrets),
    };
    ImageRepository { image_configuration: Some(merged), ..new }
}

fn merge_authentication(
    old: Option<AuthenticationConfiguration>,
    new: Option<AuthenticationConfiguration>,
) -> Option<AuthenticationConfiguration> {
    let (Some(before), Some(after)) = (old.clone(), new.clone()) else { return new.or(old) };
    Some(AuthenticationConfiguration {
        connection_arn: after.connection_arn.or(before.connection_arn),
        access_role_arn: after.access_role_arn.or(before.access_role_arn),
    })
}
