//! Somebody else, who works on the same service and the same registry.

use serde_json::{Value, json};

use super::super::Timestamp;
use super::super::cloud::chance::Chance;
use super::super::cloud::fault::{Fault, FaultKind};
use super::super::cloud::service::ServiceStatus;
use super::super::cloud::{Api, Call, Reply};
use super::super::door::ports::{Door, Machine, Shelf, State, StrangersAct};
use super::situation::Situation;
use super::weather::{Strikes, pick, span};
use super::{SERVICE, repository};
use crate::names::Tag;

/// What a stranger does at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    ChangeVariable,
    ChangeImage,
    ReplaceEnvironment,
    Deploy,
    Pause,
    Delete,
    DropPrevious,
    DropTarget,
    MoveTag,
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::ChangeVariable | Self::ReplaceEnvironment | Self::ChangeImage => {
                "stranger changes the service"
            }
            Self::Deploy => "stranger deploys",
            Self::Pause => "stranger pauses the service",
            Self::Delete => "stranger deletes the service",
            Self::DropPrevious | Self::DropTarget => "lifecycle rule deletes an image",
            Self::MoveTag => "stranger moves a tag",
        }
    }
}

impl Act {
    const fn is_on_images(self) -> bool {
        matches!(self, Self::DropPrevious | Self::DropTarget | Self::MoveTag)
    }
}

/// So often a busy service is tried again.
const PATIENCE: u32 = 40;
/// So often, and after so long, whoever lurks looks up.
const LURKING: u32 = 100;
const LOOKS_UP: Timestamp = 15_000;

const ACTS: [Act; 12] = [
    Act::ChangeVariable,
    Act::ChangeVariable,
    Act::ChangeImage,
    Act::ChangeImage,
    Act::ReplaceEnvironment,
    Act::ReplaceEnvironment,
    Act::Deploy,
    Act::Pause,
    Act::Delete,
    Act::DropPrevious,
    Act::DropTarget,
    Act::MoveTag,
];

/// A stranger's day: a few acts at random moments.
pub(super) async fn wander(machine: &Machine, mut chance: Chance, strikes: &Strikes) {
    for _ in 0..=chance.draw() % 3 {
        if chance.draw().is_multiple_of(3) {
            lurk(machine).await;
        } else {
            machine.rest(span(&mut chance, 1_500_000)).await;
        }
        let act = ACTS[pick(&mut chance, ACTS.len())];
        // A busy service is tried again, as people do.
        for _ in 0..PATIENCE {
            if perform(machine.door(), act, &mut chance) {
                strikes.add(act.name());
                break;
            }
            machine.rest(30_000).await;
        }
    }
}

/// Waits until a call that changes the service was struck, so that somebody is in doubt: there the
/// danger is.
async fn lurk(machine: &Machine) {
    let is_doubtful = || {
        let state = machine.door().state();
        state.chronicle.hindrances.iter().any(|one| one.call.ends_with("ateService"))
    };
    for _ in 0..LURKING {
        if is_doubtful() {
            return;
        }
        machine.rest(LOOKS_UP).await;
    }
}

/// Comes after so many milliseconds, and changes one variable.
pub(super) async fn intrude(machine: &Machine, after: Timestamp) {
    machine.rest(after).await;
    // A busy service is tried again, as people do.
    for _ in 0..PATIENCE {
        if perform(machine.door(), Act::ChangeVariable, &mut Chance::new(1)) {
            return;
        }
        machine.rest(30_000).await;
    }
}

/// What somebody else does, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Meddling {
    /// There is nobody.
    #[default]
    Nobody,
    /// They change one variable.
    Variable,
    /// They deploy an image of theirs, and App Runner can neither finish that nor take it back.
    BrokenImage,
    /// They deploy what is configured anew, and App Runner takes that back.
    FailedRestart,
}

/// Does it.
pub(super) fn meddle(door: &Door, what: Meddling) {
    let curse = |call: &str, kind| door.state().cloud.add_fault(Fault::once(call, kind));
    let act = match what {
        Meddling::Nobody => return,
        Meddling::Variable => Act::ChangeVariable,
        Meddling::BrokenImage => {
            curse("UpdateService", FaultKind::ExitContainer { code: 1 });
            curse("UpdateService", FaultKind::RollbackFailed);
            Act::ChangeImage
        }
        Meddling::FailedRestart => {
            curse("StartDeployment", FaultKind::ExitContainer { code: 1 });
            Act::Deploy
        }
    };
    perform(door, act, &mut Chance::new(1));
}

/// Deploys that many times before anything else happens: the list of operations is long.
pub(super) fn a_past(door: &Door, deployments: u32) {
    for _ in 0..deployments {
        perform(door, Act::Deploy, &mut Chance::new(1));
        door.pass(3_600_000);
    }
}

/// True where it is done, or never can be.
pub(super) fn perform(door: &Door, act: Act, chance: &mut Chance) -> bool {
    let mut state = door.state();
    let done = if act.is_on_images() {
        on_images(&mut state, act)
    } else {
        on_service(&mut state, act, chance)
    };
    if done == Some(true) {
        let (at, what, on_images) = (state.now, act.name(), act.is_on_images());
        state.chronicle.acts.push(StrangersAct { at, what, on_images });
    }
    done != Some(false)
}

/// Always done, but where tags do not move.
fn on_images(state: &mut State, act: Act) -> Option<bool> {
    let tag: Tag = "before".parse().expect("a tag");
    match act {
        Act::DropPrevious => {
            state.shelf.delete(&repository(), &Shelf::digest_of(Situation::BEFORE));
        }
        Act::DropTarget => {
            state.shelf.delete(&repository(), &Shelf::digest_of(Situation::CONTEXT));
        }
        _ if !state.shelf.may_move(&repository(), &tag) => return None,
        _ => drop(state.shelf.put(&repository(), &tag, &"3".repeat(64))),
    }
    Some(true)
}

/// Whether it is done; none where there is no service, or where it is so already.
fn on_service(state: &mut State, act: Act, chance: &mut Chance) -> Option<bool> {
    if act == Act::ChangeImage {
        state.shelf.put(&repository(), &"theirs".parse().expect("a tag"), &"2".repeat(64));
    }
    let image = format!("{}@{}", state.shelf.uri(&repository()), Shelf::digest_of(&"2".repeat(64)));
    let service = state.cloud.service(SERVICE)?;
    // App Runner would refuse it.
    if service.status == ServiceStatus::OperationInProgress {
        return Some(false);
    }
    let source = json!(service.configuration.source);
    let (operation, body) = request(act, &service.arn, source, &image, chance);
    let (now, shelf) = (state.now, state.shelf.clone());
    let answer = state.cloud.call(&Call::new(Api::AppRunner, operation, body), &shelf, now);
    let Reply::Body(answer) = answer.reply else { return Some(false) };
    answer["OperationId"].is_string().then_some(true)
}

fn request(
    act: Act,
    arn: &str,
    mut source: Value,
    image: &str,
    chance: &mut Chance,
) -> (&'static str, Value) {
    let fresh = format!("{:x}", chance.draw());
    match act {
        Act::ChangeImage => source["ImageRepository"]["ImageIdentifier"] = image.into(),
        Act::ChangeVariable => {
            source["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"]["THEIRS"] =
                fresh.into();
        }
        Act::ReplaceEnvironment => {
            source["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"] =
                json!({"THEIRS": fresh});
        }
        Act::Deploy => return ("StartDeployment", json!({"ServiceArn": arn})),
        Act::Pause => return ("PauseService", json!({"ServiceArn": arn})),
        _ => return ("DeleteService", json!({"ServiceArn": arn})),
    }
    ("UpdateService", json!({"ServiceArn": arn, "SourceConfiguration": source}))
}
