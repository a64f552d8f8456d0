//! The situations that the matrix strikes, and the ground that every situation stands on.

use serde_json::json;

use super::super::cloud::chance::Chance;
use super::super::cloud::instance::{Behaviour, Behaviours};
use super::super::cloud::switches::Switches;
use super::super::cloud::{Api, Beginning, Call};
use super::super::door::ports::{Application, Door, Shelf, Weather};
use super::process::Session;
use super::wish::{Wish, WishedImage};
use super::{CANARY, REGION, SERVICE, repository};
use crate::config::overlay::HealthCheckOverlay;
use crate::config::value::AutoDeployments;
use crate::config::{Overlay, Times};
use crate::names::{Digest, ImageIdentifier, ValueHash, VariableName};
use crate::release::{Configuration, Protocol, Release};
use crate::world::registry::Mutability;

/// What is deployed onto what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// The first deployment of a service.
    Create,
    /// The first one, of a program that does not pass its gate.
    CreateUnhealthy,
    /// The first one, of a program that App Runner gives up on.
    CreateFails,
    /// A service whose creation failed is rebuilt.
    Rebuild,
    /// An update, built and pushed, with changes to the configuration.
    Update,
    /// An update that App Runner takes back.
    AppRunnerTakesBack,
    /// An update that our gate takes back.
    Unhealthy,
    /// The same, where the previous identifier is a tag.
    UnhealthyAfterTag,
    /// An update whose operation outlasts the deadline.
    Late,
    /// A manual rollback.
    Rollback,
    /// The release runs already.
    NothingToChange,
    /// An update that gives auto-deployments back.
    Restore,
}

impl Situation {
    /// All.
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::CreateUnhealthy,
        Self::CreateFails,
        Self::Rebuild,
        Self::Update,
        Self::AppRunnerTakesBack,
        Self::Unhealthy,
        Self::UnhealthyAfterTag,
        Self::Late,
        Self::Rollback,
        Self::NothingToChange,
        Self::Restore,
    ];

    /// The context that is built and deployed.
    pub const CONTEXT: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    /// The context of what runs before.
    pub const BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// Whether a service is there before.
    fn is_first(self) -> bool {
        matches!(self, Self::Create | Self::CreateUnhealthy | Self::CreateFails)
    }
}

/// What else may be so, whatever the situation.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Twist {
    /// Tags of the repository do not move.
    immutable: bool,
    /// The repository is not there yet, where nothing was deployed before.
    absent: bool,
    /// The service deploys by itself what its tag names, and is to keep that.
    automatic: bool,
    /// Change the mark even where nothing else differs.
    force_restart: bool,
}

impl Twist {
    /// Each in one seed of eight.
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let mut is = || chance.draw().is_multiple_of(8);
        Self { immutable: is(), absent: is(), automatic: is(), force_restart: is() }
    }
}

/// A prepared world with one session in front of it.
pub(super) struct Ground {
    /// The world.
    pub(super) door: Door,
    /// The machine.
    pub(super) session: Session,
    /// What it wants.
    pub(super) wish: Wish,
}

/// The world before a situation, and what is wanted in it.
pub(super) fn prepare(
    situation: Situation,
    seed: u64,
    (switches, twist): (Switches, Twist),
    times: Times,
    weather: Box<dyn Weather>,
) -> Ground {
    let beginning =
        Beginning { seed, region: REGION.into(), speed: 1, switches: Switches::default() };
    let door = Door::new(beginning);
    manners(&door, situation);
    if !(twist.absent && situation.is_first()) {
        let mutability = if twist.immutable { Mutability::Immutable } else { Mutability::Mutable };
        door.state().shelf.add(&repository(), mutability);
    }
    if !situation.is_first() {
        put_service(&door, situation, twist.automatic || situation == Situation::Restore);
    }
    *door.state().cloud.switches_mut() = switches;
    if situation == Situation::Late {
        slow(&door);
    }
    let session = session(&door, seed, times, weather);
    let force_restart = twist.force_restart;
    let wish = Wish { force_restart, ..wish(situation, &door) };
    Ground { door, session, wish }
}

/// A machine that is ready to deploy.
pub(super) fn session(door: &Door, seed: u64, times: Times, weather: Box<dyn Weather>) -> Session {
    let machine = door.machine(weather);
    machine.check_out(super::super::door::ports::Tree {
        context: Situation::CONTEXT.into(),
        commit: None,
    });
    let mut session = Session::new(machine, times, seed);
    let (name, value) = colour("green");
    session.values.insert(ValueHash::of(&name, &value), value);
    session
}

fn colour(value: &str) -> (VariableName, String) {
    ("COLOUR".parse().expect("a variable"), value.to_owned())
}

fn manners(door: &Door, situation: Situation) {
    let target = Shelf::digest_of(Situation::CONTEXT).to_string();
    let before = Shelf::digest_of(Situation::BEFORE).to_string();
    let mut behaviours = Behaviours::default();
    let mut state = door.state();
    match situation {
        Situation::AppRunnerTakesBack | Situation::CreateFails => {
            behaviours.by_digest.insert(target, Behaviour::Exits { code: 1 });
        }
        Situation::Rebuild => {
            behaviours.by_digest.insert(before, Behaviour::Exits { code: 1 });
        }
        Situation::Unhealthy | Situation::UnhealthyAfterTag | Situation::CreateUnhealthy => {
            state.applications.insert(target, Application::Sick);
        }
        _ => {}
    }
    state.cloud.behave(behaviours);
}

/// The operation of the deployment takes longer than the deadline allows.
fn slow(door: &Door) {
    use super::super::cloud::fault::{Fault, FaultKind};
    let kind = FaultKind::SlowOperation { factor: 25 };
    door.state().cloud.add_fault(Fault::once("UpdateService", kind));
}

/// A service that somebody made by hand, with a value that nobody may ever see.
fn put_service(door: &Door, situation: Situation, automatic: bool) {
    let mut state = door.state();
    let tag = "before".parse().expect("a tag");
    let digest = state.shelf.put(&repository(), &tag, Situation::BEFORE);
    let uri = state.shelf.uri(&repository());
    let image = match situation {
        Situation::UnhealthyAfterTag => format!("{uri}:before"),
        _ => format!("{uri}@{digest}"),
    };
    let role = state.cloud.identity().access_role_arn();
    let body = json!({
        "ServiceName": SERVICE,
        "SourceConfiguration": {
            "ImageRepository": {
                "ImageIdentifier": image, "ImageRepositoryType": "ECR",
                "ImageConfiguration": {
                    "Port": "8080",
                    "RuntimeEnvironmentVariables": {"COLOUR": "blue", "TOKEN": CANARY},
                },
            },
            "AutoDeploymentsEnabled": automatic,
            "AuthenticationConfiguration": {"AccessRoleArn": role},
        },
        "HealthCheckConfiguration": {
            "Protocol": "HTTP", "Path": "/healthz", "Interval": 10, "Timeout": 5,
            "HealthyThreshold": 2, "UnhealthyThreshold": 3,
        },
    });
    let (at, call) = (state.now, Call::new(Api::AppRunner, "CreateService", body));
    let shelf = state.shelf.clone();
    state.cloud.call(&call, &shelf, at);
    state.reach(at + 3_600_000);
}

fn wish(situation: Situation, door: &Door) -> Wish {
    let state = door.state();
    let uri = state.shelf.uri(&repository());
    let by_digest = |digest: &Digest| ImageIdentifier::by_digest(&uri, digest).expect("a digest");
    let before = by_digest(&Shelf::digest_of(Situation::BEFORE));
    let role = state.cloud.identity().access_role_arn().parse().ok();
    let built = WishedImage::Built {
        context: Situation::CONTEXT.into(),
        tag: "1111111".parse().expect("a tag"),
    };
    let wish = match situation {
        Situation::NothingToChange => Wish::of(WishedImage::There(before)),
        Situation::Rollback => {
            let configuration = Configuration { access_role: role.clone(), ..earlier() };
            Wish::of(WishedImage::Earlier(Box::new(Release { image: before, configuration })))
        }
        Situation::Restore => {
            Wish { auto_deployments: AutoDeployments::Restore, latest: true, ..Wish::of(built) }
        }
        Situation::Update => Wish { latest: true, overlay: overlay(), ..Wish::of(built) },
        _ => Wish { overlay: overlay(), ..Wish::of(built) },
    };
    Wish { access_role: role, ..wish }
}

/// Everything that can change does.
fn overlay() -> Overlay {
    let (name, value) = colour("green");
    Overlay {
        port: Some("9090".into()),
        environment_set: [(name.clone(), ValueHash::of(&name, &value))].into(),
        memory: Some("3072".into()),
        health_check: Some(HealthCheckOverlay {
            protocol: Some(Protocol::Http),
            path: Some("/ready".into()),
            ..HealthCheckOverlay::default()
        }),
        ..Overlay::default()
    }
}

/// An earlier configuration that differs from what lives.
fn earlier() -> Configuration {
    let (name, value) = colour("green");
    Configuration {
        port: Some("7070".into()),
        cpu: Some("1024".into()),
        memory: Some("2048".into()),
        environment: [(name.clone(), ValueHash::of(&name, &value))].into(),
        ..Configuration::default()
    }
}
