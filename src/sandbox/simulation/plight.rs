//! What may befall a service at a named instant of its deployment, and how the deployment ends then.
//!
//! The matrix strikes every moment with weather, and asks that the end stays the same. Here the world
//! itself turns, and the end is another one: `tests/it/crash/endings.rs` has every end by name.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::super::cloud::chance::Chance;
use super::super::cloud::fault::{Fault, FaultKind};
use super::super::cloud::switches::{Pull, Switches};
use super::super::door::ports::{
    Application, Calm, Door, Ended, FlightRecorder, Mishap, Moment, Shelf, StrangersAct, Weather,
    run_one,
};
use super::invariants::{Contender, Violation, check, idle, misbehaves};
use super::matrix;
use super::situation::{Ground, Situation, Twist, prepare};
use super::stranger::{Act, perform};
use super::wish::WishedImage;
use super::{CANARY, SERVICE, repository};
use crate::event::deployment::Deployment;
use crate::names::ImageIdentifier;
use crate::problem::Problem;
use crate::projection::problem_of;

/// After so many processes a deployment must be over.
const LIVES: usize = 12;
/// Between two processes a person takes this long.
const BETWEEN: i64 = 20_000;
/// A stranger looks again after so long whether App Runner has let go.
const PATIENCE: i64 = 1_000;
/// What a stranger starts is over after this.
const AFTER_A_STRANGER: i64 = 600_000;
/// The calls that change a service.
const CHANGES: [&str; 2] = ["CreateService", "UpdateService"];
/// A slow operation takes so many times longer.
const SLOWNESS: u32 = 25;

/// What befalls the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plight {
    /// Nothing does.
    Nothing,
    /// App Runner's next operation fails, and its own rollback, too: `ROLLBACK_FAILED`.
    RollbackFailed,
    /// Somebody pauses it.
    Paused,
    /// Somebody deletes it.
    Deleted,
    /// Somebody deletes it, and AWS no longer knows it.
    Forgotten,
    /// The image that is gone back to vanishes from ECR.
    ImageGone,
    /// App Runner takes tags only, and the tag that was asked for names something else.
    TagMoved,
    /// Whatever runs answers 500 from now on.
    Sick,
    /// App Runner's next operation outlasts the deadline.
    Slow,
    /// Somebody else changes a variable of it.
    Overtaken,
    /// Somebody else deploys an image of theirs, which answers well.
    Replaced,
}

impl Plight {
    /// All.
    pub const ALL: [Self; 11] = [
        Self::Nothing,
        Self::RollbackFailed,
        Self::Paused,
        Self::Deleted,
        Self::Forgotten,
        Self::ImageGone,
        Self::TagMoved,
        Self::Sick,
        Self::Slow,
        Self::Overtaken,
        Self::Replaced,
    ];
}

/// When: right after something became durable, or took effect, before anything else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instant {
    /// The image is in ECR; what runs now was not looked at yet.
    BeforeCapture,
    /// What runs now is known; nothing was asked for yet.
    BeforeChange,
    /// Our call took effect, and the power went before its answer came: the next process must find
    /// out.
    InDoubt,
    /// Our operation runs. Who wants App Runner for himself gets it the moment it ends.
    DuringOperation,
    /// Our operation succeeded; nothing is proven yet.
    BeforeProof,
    /// The release is proven by identifier; its health was not asked for yet.
    BeforeHealth,
    /// The way back is decided; nothing was asked for yet.
    BeforeRollback,
    /// The call for the way back took effect, and the power went before its answer came.
    BackInDoubt,
    /// Our way back runs.
    DuringRollback,
}

impl Instant {
    /// All, in their order.
    pub const ALL: [Self; 9] = [
        Self::BeforeCapture,
        Self::BeforeChange,
        Self::InDoubt,
        Self::DuringOperation,
        Self::BeforeProof,
        Self::BeforeHealth,
        Self::BeforeRollback,
        Self::BackInDoubt,
        Self::DuringRollback,
    ];

    /// The event that has just become durable then; none where an answer is lost instead.
    const fn event(self, way: Way) -> Option<&'static str> {
        Some(match self {
            Self::BeforeCapture if matches!(way, Way::Manual) => "PreflightPassed",
            Self::BeforeCapture => "DigestPushed",
            Self::BeforeChange => "PreviousCaptured",
            Self::InDoubt | Self::BackInDoubt => return None,
            Self::DuringOperation if matches!(way, Way::First | Way::FirstBack) => "CreateIssued",
            Self::DuringOperation => "UpdateIssued",
            Self::BeforeProof => "OperationSucceeded",
            Self::BeforeHealth => "ReleaseVerified",
            Self::BeforeRollback => "RollbackStarted",
            Self::DuringRollback => "RollbackIssued",
        })
    }

    /// Which of the calls that change the service loses its answer, from 1. Where App Runner takes
    /// tags only, it refuses each one by digest first.
    const fn unanswered(self, plight: Plight) -> Option<u64> {
        let calls = if matches!(plight, Plight::TagMoved) { 2 } else { 1 };
        match self {
            Self::InDoubt => Some(calls),
            Self::BackInDoubt => Some(2 * calls),
            _ => None,
        }
    }
}

/// What was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A deployment of a release that does not pass its gate, so that it is taken back.
    Sick,
    /// A deployment of a good release.
    Well,
    /// The same, killed at that instant (before the way back: at the last one), and taken back:
    /// `surefoot resume --rollback`.
    Back,
    /// `surefoot rollback`.
    Manual,
    /// The first deployment of a service, of a good release.
    First,
    /// The same, killed at that instant, and to be taken back.
    FirstBack,
}

impl Way {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Sick, Self::Well, Self::Back, Self::Manual, Self::First, Self::FirstBack];

    /// Whether it is killed, and a person wants the way back.
    const fn is_backwards(self) -> bool {
        matches!(self, Self::Back | Self::FirstBack)
    }
}

/// How it ended.
pub struct Ending {
    /// The phase and the exit code after each process that ended by itself, without repetitions.
    pub ends: Vec<(&'static str, u8)>,
    /// Whether the instant ever came.
    pub came: bool,
    /// What a person reads at last.
    pub problem: Option<Problem>,
    /// What is wrong.
    pub violations: Vec<Violation>,
}

/// Lets something befall the service at an instant of a deployment, and lives on until that is over.
pub fn befall(plight: Plight, instant: Instant, way: Way) -> Ending {
    let ground = ground(plight, way);
    let came = Arc::new(AtomicBool::new(false));
    let cuts = way.is_backwards().then(|| instant.min(Instant::BeforeHealth).event(way)).flatten();
    let fate = Fate {
        door: ground.door.clone(),
        journal: ground.session.journal.clone(),
        seen: 0,
        changes: 0,
        unanswered: false,
        plight,
        way,
        instant,
        cuts: Mutex::new(cuts),
        came: Arc::clone(&came),
    };
    ground.session.machine.change_weather(Box::new(fate));
    let (ends, mut violations) = live(&ground, way);
    violations.extend(idle(&ground.session));
    violations.extend(check(&ground.door, &[Contender::of(&ground.session)]));
    let problem = ground.session.newest().as_ref().and_then(problem_of);
    Ending { ends, came: came.load(Ordering::Relaxed), problem, violations }
}

fn ground(plight: Plight, way: Way) -> Ground {
    let by_tag = plight == Plight::TagMoved;
    let situation = match way {
        Way::Manual => Situation::Rollback,
        Way::First | Way::FirstBack => Situation::Create,
        _ if by_tag => Situation::UnhealthyAfterTag,
        _ => Situation::Unhealthy,
    };
    let mut switches = Switches::default();
    if by_tag {
        switches.digest_identifier = Pull::Refused;
    }
    if plight == Plight::Forgotten {
        switches.deleted_visible_minutes = 0;
    }
    let mut ground =
        prepare(situation, 7, (switches, Twist::default()), matrix::times(), Box::new(Calm));
    let mut state = ground.door.state();
    if way != Way::Sick {
        state.applications.clear();
    }
    if let WishedImage::Earlier(release) = &mut ground.wish.image {
        let tag = "1111111".parse().expect("a tag");
        let digest = state.shelf.put(&repository(), &tag, Situation::CONTEXT);
        let uri = state.shelf.uri(&repository());
        release.image = ImageIdentifier::by_digest(&uri, &digest).expect("a digest");
    }
    drop(state);
    ground
}

/// One process after the other.
fn live(ground: &Ground, way: Way) -> (Vec<(&'static str, u8)>, Vec<Violation>) {
    let session = &ground.session;
    let (mut ends, mut violations) = (Vec::new(), Vec::new());
    for _ in 0..LIVES {
        let newest = session.newest();
        if newest.as_ref().is_some_and(Deployment::is_over) {
            break;
        }
        let ended = match newest {
            None => run_one(&session.machine, session.deploy(&ground.wish)),
            Some(_) => run_one(&session.machine, session.resume(way.is_backwards())),
        };
        violations.extend(misbehaves(&ended));
        if matches!(ended, Ended::With(_))
            && let (phase, Some(code)) = matrix::name(session.newest().as_ref())
        {
            ends.push((phase, code.number()));
        }
        ground.door.pass(BETWEEN);
    }
    ends.dedup();
    (ends, violations)
}

/// Waits for the instant, and lets it befall.
struct Fate {
    door: Door,
    journal: FlightRecorder,
    /// Writes that were looked at.
    seen: u64,
    /// Calls that changed the service, or tried to.
    changes: u64,
    /// Whether the answer to the newest of them was lost just now.
    unanswered: bool,
    plight: Plight,
    way: Way,
    instant: Instant,
    /// The power goes after this event, once.
    cuts: Mutex<Option<&'static str>>,
    came: Arc<AtomicBool>,
}

impl Weather for Fate {
    fn strike(&mut self, moment: &Moment) -> Option<Mishap> {
        if std::mem::take(&mut self.unanswered) && !self.came.swap(true, Ordering::Relaxed) {
            self.happen();
        }
        if self.loses_its_answer(moment) {
            return Some(Mishap::CutAfter);
        }
        let writes = self.journal.writes();
        if std::mem::replace(&mut self.seen, writes) == writes {
            return None;
        }
        let written = self.journal.written();
        let newest = written.last()?.type_name.as_str();
        if Some(newest) == self.instant.event(self.way) && !self.came.swap(true, Ordering::Relaxed)
        {
            self.happen();
        }
        if newest == "ReleaseVerified" {
            self.talk();
        }
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.take_if(|event| newest == *event).map(|_| Mishap::CutBefore)
    }
}

impl Fate {
    fn loses_its_answer(&mut self, moment: &Moment) -> bool {
        if !CHANGES.contains(&moment.call) {
            return false;
        }
        self.changes += 1;
        self.unanswered = self.instant.unanswered(self.plight) == Some(self.changes);
        self.unanswered
    }

    fn happen(&self) {
        let forward = self.instant < Instant::BeforeRollback;
        let shelf_tag = if forward { "1111111" } else { "before" };
        let next = |kind| {
            for call in CHANGES {
                self.door.state().cloud.add_fault(Fault::once(call, FaultKind::clone(&kind)));
            }
        };
        match self.plight {
            Plight::Nothing => {}
            Plight::RollbackFailed => {
                next(FaultKind::ExitContainer { code: 1 });
                next(FaultKind::RollbackFailed);
            }
            Plight::Slow => next(FaultKind::SlowOperation { factor: SLOWNESS }),
            Plight::Sick => self.sicken(),
            Plight::ImageGone => {
                let context =
                    if self.way == Way::Manual { Situation::CONTEXT } else { Situation::BEFORE };
                self.door.state().shelf.delete(&repository(), &Shelf::digest_of(context));
                self.note("lifecycle rule deletes an image");
            }
            Plight::TagMoved => {
                let tag = shelf_tag.parse().expect("a tag");
                self.door.state().shelf.put(&repository(), &tag, &"3".repeat(64));
                self.note("stranger moves a tag");
            }
            Plight::Paused => self.meddle(Act::Pause),
            Plight::Deleted | Plight::Forgotten => self.meddle(Act::Delete),
            Plight::Overtaken => self.meddle(Act::ChangeVariable),
            Plight::Replaced => self.meddle(Act::ChangeImage),
        }
    }

    fn note(&self, what: &'static str) {
        let mut state = self.door.state();
        let at = state.now;
        state.chronicle.acts.push(StrangersAct { at, what, on_images: true });
    }

    /// The application writes a value of its environment into its log, where it has that value.
    fn talk(&self) {
        let mut state = self.door.state();
        let at = state.now;
        let Some(service) = state.cloud.service(SERVICE) else { return };
        let has_it = json!(service.configuration.source).to_string().contains(CANARY);
        let live = service.live.clone().filter(|_| has_it);
        if let Some(live) = live {
            state.cloud.wrote(&live, at, &format!("starting with {CANARY}"));
        }
    }

    fn sicken(&self) {
        for context in [Situation::CONTEXT, Situation::BEFORE] {
            let digest = Shelf::digest_of(context).to_string();
            self.door.state().applications.insert(digest, Application::Sick);
        }
    }

    /// Somebody else acts as soon as App Runner lets them.
    fn meddle(&self, act: Act) {
        while !perform(&self.door, act, &mut Chance::new(1)) {
            self.door.pass(PATIENCE);
        }
        self.door.pass(AFTER_A_STRANGER);
    }
}
