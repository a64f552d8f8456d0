//! What was seen of the world before a plan was made. Data only: looking is done in `look`.

use crate::event::Failure;
use crate::names::{ImageIdentifier, Region, RepositoryName, ServiceName};
use crate::plan::findings::Finding;
use crate::problem::ExitCode;
use crate::world::WorldError;
use crate::world::builder::{BuildContext, Engine};
use crate::world::identity::{Caller, Role};
use crate::world::registry::{Image, Platform, Repository};
use crate::world::service::{Operation, Origin, Service, ServiceStatus};
use crate::world::source::Checkout;

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Who AWS takes us for.
    pub caller: Caller,
    /// Where.
    pub region: Region,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The service, where it exists.
    pub service: Option<Service>,
    /// Its newest operations, newest first.
    pub operations: Vec<Operation>,
    /// The repository, where it exists.
    pub repository: Option<Repository>,
    /// The tree, where git knows it.
    pub checkout: Option<Checkout>,
    /// What would be built, where something would be.
    pub context: Option<Result<BuildContext, WorldError>>,
    /// The engine that would build, where something would be built.
    pub engine: Option<Result<Engine, WorldError>>,
    /// The image asked for by name, where one was.
    pub image: Option<Named>,
    /// The role App Runner pulls with, where one is needed or named.
    pub access_role: Seen,
    /// The role of the application, where one is named.
    pub instance_role: Seen,
    /// Whether ECR still holds the image that runs now; `None` where it cannot say.
    pub previous_in_registry: Option<bool>,
}

/// An image asked for by name.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// ECR holds it.
    There {
        /// It, by digest.
        identifier: ImageIdentifier,
        /// Its details.
        image: Image,
        /// What it runs on.
        platforms: Vec<Platform>,
    },
    /// ECR does not.
    Missing {
        /// Where it was looked for.
        repository: RepositoryName,
        /// It, as it was asked for.
        name: String,
    },
}

/// A role, as far as it could be seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Seen {
    /// None is needed, or the service has one.
    #[default]
    NotAsked,
    /// It exists.
    Found(Role),
    /// It does not.
    Missing(String),
    /// IAM did not say.
    CannotTell(String, String),
}

impl Seen {
    /// The role, where it was seen.
    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Found(role) => Some(role),
            _ => None,
        }
    }
}

/// Why nothing is gone back on where there is no service any more.
pub fn nothing_to_go_back_on(service: &ServiceName, image: &ImageIdentifier) -> Failure {
    let what = format!("there is no service `{service}` any more: a rollback does not make one");
    Failure::new(ExitCode::Preflight, "service-gone", what)
        .because("its network, its scaling and its address went with it")
        .hint(format!(
            "to make a new one of that image: `surefoot deploy --image {image} --service-name \
             {service}`"
        ))
}

/// Why a service cannot be deployed to, with its way on; `None` where it can.
pub fn unfit(service: &Service) -> Option<Finding> {
    let name = &service.name;
    let check = format!("service {name}");
    let failed = |code: &str, reason: String| {
        Finding::failed(check.clone(), ExitCode::Preflight, code, reason)
    };
    if let Origin::Code(repository) = &service.origin {
        let reason =
            format!("`{name}` is built from source code in {repository}, not from an image");
        let fix = "App Runner cannot switch it: create a service of another name";
        return Some(failed("service-from-code", reason).fix(fix));
    }
    match &service.status {
        ServiceStatus::Paused => {
            let reason = format!("`{name}` is paused");
            let fix =
                format!("resume it: `aws apprunner resume-service --service-arn {}`", service.arn);
            Some(failed("service-paused", reason).fix(fix))
        }
        ServiceStatus::DeleteFailed => {
            let reason = format!("deleting `{name}` failed, and nothing else is possible with it");
            let fix = format!(
                "delete it again: `aws apprunner delete-service --service-arn {}`",
                service.arn
            );
            Some(failed("service-delete-failed", reason).fix(fix))
        }
        ServiceStatus::Unknown(word) => {
            let reason =
                format!("App Runner says that `{name}` is {word}, which surefoot does not know");
            Some(failed("service-state-unknown", reason).fix("look at it in the AWS console"))
        }
        // A busy service is waited for; a deleted one is created anew; a failed one is rebuilt.
        ServiceStatus::Running
        | ServiceStatus::OperationInProgress
        | ServiceStatus::CreateFailed
        | ServiceStatus::Deleted => None,
    }
}
