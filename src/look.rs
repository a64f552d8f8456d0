//! Looks at the world once, read only, all questions side by side.

use std::path::PathBuf;

use futures_util::join;

use crate::names::{ImageIdentifier, Reference, Region, RepositoryName, ServiceName};
use crate::plan::inventory::{Inventory, Named, Seen};
use crate::plan::target::Wish;
use crate::world::identity::Caller;
use crate::world::service::{Operation, Service, ServiceStatus};
use crate::world::{World, WorldError};

/// Where an access role is looked for when none is named. Source: the name AWS's console gives it.
pub const STANDARD_ACCESS_ROLE: &str = "AppRunnerECRAccessRole";

/// How many operations are looked at.
const NEWEST: usize = 20;

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Questions {
    /// Where.
    pub region: Region,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The service.
    pub service: ServiceName,
    /// The repository.
    pub repository: Option<RepositoryName>,
    /// The image.
    pub wish: Option<Wish>,
    /// The project.
    pub directory: PathBuf,
    /// The name of the access role that is configured.
    pub access_role: Option<String>,
    /// The name of the instance role that is configured.
    pub instance_role: Option<String>,
}

/// Looks. The first question is who we are: without an answer nothing else has a meaning.
pub async fn look(world: &World, asked: &Questions) -> Result<Inventory, WorldError> {
    let caller = world.identity.caller().await?;
    look_as(world, caller, asked).await
}

/// The same, where it is known who we are.
pub async fn look_as(
    world: &World,
    caller: Caller,
    asked: &Questions,
) -> Result<Inventory, WorldError> {
    let (service, repository, checkout, context, engine, image, instance_role) = join!(
        service(world, asked),
        repository(world, asked),
        world.source.checkout(&asked.directory),
        context(world, asked),
        engine(world, asked),
        image(world, asked),
        role(world, asked.instance_role.as_deref()),
    );
    let (service, operations) = service?;
    let access_role = access_role(world, asked, service.as_ref()).await;
    let previous_in_registry = previous(world, service.as_ref()).await;
    Ok(Inventory {
        caller,
        region: asked.region.clone(),
        endpoint: asked.endpoint.clone(),
        service,
        operations,
        repository: repository?,
        checkout: checkout?,
        context,
        engine,
        image: image?,
        access_role,
        instance_role,
        previous_in_registry,
    })
}

async fn service(
    world: &World,
    asked: &Questions,
) -> Result<(Option<Service>, Vec<Operation>), WorldError> {
    let Some(service) = world.services.find(&asked.service).await? else {
        return Ok((None, Vec::new()));
    };
    let operations = world.services.operations(&service.arn, Some(NEWEST)).await?;
    Ok((Some(service), operations))
}

async fn repository(
    world: &World,
    asked: &Questions,
) -> Result<Option<crate::world::registry::Repository>, WorldError> {
    match &asked.repository {
        Some(name) => world.registry.find(name).await,
        None => Ok(None),
    }
}

async fn context(
    world: &World,
    asked: &Questions,
) -> Option<Result<crate::world::builder::BuildContext, WorldError>> {
    match &asked.wish {
        Some(Wish::Build(request)) => Some(world.builder.survey(request).await),
        _ => None,
    }
}

async fn engine(
    world: &World,
    asked: &Questions,
) -> Option<Result<crate::world::builder::Engine, WorldError>> {
    match &asked.wish {
        Some(Wish::Build(_)) => Some(world.builder.engine().await),
        _ => None,
    }
}

async fn image(world: &World, asked: &Questions) -> Result<Option<Named>, WorldError> {
    let Some(Wish::Reference { repository, reference }) = &asked.wish else { return Ok(None) };
    let name = match reference {
        Reference::Tag(tag) => format!("{repository}:{tag}"),
        Reference::Digest(digest) => format!("{repository}@{digest}"),
    };
    let (held, found) = (world.registry.find(repository).await?, async {
        world.registry.image(repository, reference).await
    });
    let (Some(held), Some(image)) = (held, found.await?) else {
        return Ok(Some(Named::Missing { repository: repository.clone(), name }));
    };
    let platforms = world.registry.platforms(repository, &image.digest).await?;
    let identifier = ImageIdentifier::by_digest(&held.uri, &image.digest).map_err(|error| {
        WorldError::refused(crate::world::Place::Ecr, "bad-uri", error.to_string())
    })?;
    Ok(Some(Named::There { identifier, image, platforms }))
}

/// The configured role; else, where the service has none, the one of the standard name.
async fn access_role(world: &World, asked: &Questions, service: Option<&Service>) -> Seen {
    let kept = service.is_some_and(|service| service.configuration.access_role.is_some());
    match asked.access_role.as_deref() {
        None if kept => Seen::NotAsked,
        None => role(world, Some(STANDARD_ACCESS_ROLE)).await,
        named => role(world, named).await,
    }
}

/// A role by name. What IAM does not tell is not held against anybody.
async fn role(world: &World, name: Option<&str>) -> Seen {
    let Some(name) = name else { return Seen::NotAsked };
    match world.identity.role(name).await {
        Ok(Some(role)) => Seen::Found(role),
        Ok(None) => Seen::Missing(name.to_owned()),
        Err(error) => Seen::CannotTell(name.to_owned(), error.to_string()),
    }
}

async fn previous(world: &World, service: Option<&Service>) -> Option<bool> {
    let service = service.filter(|service| service.status != ServiceStatus::CreateFailed)?;
    let image = service.release()?.image;
    world
        .registry
        .image(&image.repository, &image.reference)
        .await
        .ok()
        .map(|found| found.is_some())
}
