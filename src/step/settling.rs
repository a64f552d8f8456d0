//! Did it happen? App Runner has no idempotency token: only looking tells, and only with patience.
//!
//! The rules (`docs/reliability.md`): an operation that was not known before the call is a
//! candidate; it is ours only if the settled service carries our mark, or, where App Runner has
//! taken it back since, if nothing else can explain it; one empty list proves nothing; where
//! somebody else destroyed the evidence, nobody guesses.

use std::collections::BTreeSet;

use super::operation::{operations, pulled};
use super::patience::Patience;
use super::{Bench, StepError};
use crate::event::{Event, Interruption, Observation, evidence};
use crate::names::{DeploymentId, ImageIdentifier, OperationId};
use crate::world::service::{Operation, OperationStatus, Service, ServiceStatus};
use crate::world::{Obstacle, Place, Progress};

/// A call that may have been made.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The mark that it carried.
    pub mark: &'a DeploymentId,
    /// The image that it asked for.
    pub image: &'a ImageIdentifier,
    /// What was seen right before it.
    pub observed: &'a Observation,
}

/// What looking came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The call took effect; the service, and the operation where it is listed.
    Happened(Box<Service>, Option<OperationId>),
    /// It did not.
    DidNot,
    /// It cannot be known.
    Unknown(Vec<String>),
}

/// What one look suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sight {
    Ours(Option<OperationId>),
    Nothing,
    Undecided,
    Destroyed(Vec<String>),
}

/// Looks until it is clear, or until the settle window has passed, which is longer than
/// ListOperations can lag.
pub async fn did_it_happen(bench: &Bench<'_>, call: Call<'_>) -> Result<Answer, StepError> {
    let clock = bench.world.clock.as_ref();
    let mut quiet = Patience::begin(clock, bench.times.settle);
    let patience = Patience::begin(clock, bench.times.deploy_timeout);
    let mut arrival = Arrival::default();
    while !patience.is_over() {
        // Of the time before the look: what is seen in it may be as old as that.
        let settled = quiet.is_over();
        let (seen, listed) = look(bench, call).await.map_err(proves_nothing)?;
        let marked = seen.as_ref().is_some_and(|service| carries(service, call.mark));
        let sight = match &seen {
            Some(service) => judge(call, service, &listed),
            None => absent(call.observed),
        };
        match (arrival.doubt(sight, marked, settled), seen) {
            (Sight::Ours(Some(operation)), Some(service)) => {
                return Ok(Answer::Happened(Box::new(service), Some(operation)));
            }
            // The call has arrived; the list may lag behind that.
            (Sight::Ours(None), _) if !arrival.awaited => {
                arrival.awaited = true;
                quiet.renew();
            }
            (Sight::Ours(None), Some(service)) if settled => {
                return Ok(Answer::Happened(Box::new(service), None));
            }
            (Sight::Destroyed(evidence), _) if settled => return Ok(Answer::Unknown(evidence)),
            (Sight::Nothing, _) if settled => return Ok(Answer::DidNot),
            // An operation at work decides nothing, and the window begins anew when it has ended.
            (Sight::Undecided, _) => quiet.renew(),
            _ => {}
        }
        if !marked {
            arrival.before.extend(listed.into_iter().map(|operation| operation.id));
        }
        let what = "whether the last call took effect".to_owned();
        bench.progress.report(Progress::Waiting { what });
        clock.sleep(bench.times.poll).await;
    }
    Err(StepError::Interrupted(Interruption::StillBusy { operation: None }))
}

/// A call that arrives while we look.
#[derive(Default)]
struct Arrival {
    /// The operations that were listed before the service carried our mark: theirs, as it seems.
    before: BTreeSet<OperationId>,
    /// Whether the list was given its time since the mark was there.
    awaited: bool,
}

impl Arrival {
    /// What was there before our mark is not taken for what brought it, until nothing else can be.
    fn doubt(&self, sight: Sight, marked: bool, settled: bool) -> Sight {
        let is_decided = settled && self.awaited;
        match sight {
            Sight::Ours(Some(id)) if marked && self.before.contains(&id) && !is_decided => {
                Sight::Ours(None)
            }
            sight => sight,
        }
    }
}

/// A service that carries the mark of a call that was believed never to have arrived: it did, and has
/// to be looked at again.
pub(super) fn surfaced(service: Option<&Service>, mark: &DeploymentId) -> Result<(), StepError> {
    if !service.is_some_and(|service| carries(service, mark)) {
        return Ok(());
    }
    Err(StepError::Unanswered { reason: "the service carries our own mark".into() })
}

/// Who may not look knows nothing of the call: a refusal here must not end the deployment.
fn proves_nothing(error: StepError) -> StepError {
    let StepError::Refused(failure) = error else { return error };
    let (place, obstacle) = (Place::AppRunner, Obstacle::InvalidCredentials);
    StepError::Interrupted(Interruption::Unreachable { place, obstacle, reason: failure.what })
}

/// The service, and what App Runner lists of it that was not known before the call.
async fn look(
    bench: &Bench<'_>,
    call: Call<'_>,
) -> Result<(Option<Service>, Vec<Operation>), StepError> {
    let Some(service) = bench.world.services.find(&bench.deployment.plan.stream.service).await?
    else {
        return Ok((None, Vec::new()));
    };
    let listed = operations(bench, &service.arn, Some(super::REMEMBERED_OPERATIONS)).await?;
    let mut candidates = candidates(call.observed, listed);
    if let [one] = &candidates[..]
        && taken_back(one)
        && pulled(bench, &service.id, one).await.is_some_and(|image| is_another(&image, call.image))
    {
        // Somebody else's, who asked for another image in vain: it explains nothing of ours.
        candidates.clear();
    }
    Ok((Some(service), candidates))
}

/// The operations that were not known before the call.
fn candidates(observed: &Observation, listed: Vec<Operation>) -> Vec<Operation> {
    let known = |operation: &Operation| observed.known_operations.contains(&operation.id);
    listed.into_iter().filter(|operation| !known(operation)).collect()
}

/// A tag may stand for the digest that was asked for; another digest does not.
fn is_another(pulled: &ImageIdentifier, asked: &ImageIdentifier) -> bool {
    match (pulled.digest(), asked.digest()) {
        (Some(pulled), Some(asked)) => pulled != asked,
        _ => false,
    }
}

/// Who deletes a service deletes what could tell: only where none was there before, none now means
/// that nothing happened.
fn absent(observed: &Observation) -> Sight {
    match observed.status {
        None => Sight::Nothing,
        Some(_) => Sight::Destroyed(vec![format!(
            "{}: somebody deleted it, and the list of its operations with it",
            evidence::GONE
        )]),
    }
}

/// What a service and its unknown operations say about a call.
fn judge(call: Call<'_>, service: &Service, candidates: &[Operation]) -> Sight {
    let (observed, marked) = (call.observed, carries(service, call.mark));
    let at_work = service.status == ServiceStatus::OperationInProgress;
    let busy = at_work || candidates.iter().any(|operation| !operation.status.is_terminal());
    match candidates {
        // Ours may be at work and not be listed yet, behind one of somebody else's that has ended.
        [one] if marked && at_work && one.status.is_terminal() => Sight::Undecided,
        [one] if marked && bears_a_mark(one, service) => Sight::Ours(Some(one.id.clone())),
        // The service carries our mark, so there is an operation of ours that is not listed yet.
        [] | [_] if marked => Sight::Ours(None),
        _ if busy => Sight::Undecided,
        [one] if taken_back(one) && unchanged(service, observed) => {
            Sight::Ours(Some(one.id.clone()))
        }
        [] if unchanged(service, observed) => Sight::Nothing,
        [] => Sight::Destroyed(vec![
            "the service carries neither our mark nor the one before, and lists no new operation"
                .into(),
        ]),
        several => Sight::Destroyed(evidence(service, marked, several)),
    }
}

fn carries(service: &Service, mark: &DeploymentId) -> bool {
    service.mark.as_deref() == Some(mark.as_str())
}

/// Whether an operation can be why the service carries a new mark: one that changes services, and that
/// was not taken back. While App Runner takes it back it is not over, and nothing newer can have begun; a
/// creation that failed leaves its mark behind.
fn bears_a_mark(operation: &Operation, service: &Service) -> bool {
    let stands = match operation.status {
        OperationStatus::RollbackSucceeded => false,
        OperationStatus::Failed => service.status == ServiceStatus::CreateFailed,
        _ => true,
    };
    changes(operation) && stands
}

fn taken_back(operation: &Operation) -> bool {
    let failed = matches!(
        operation.status,
        OperationStatus::Failed
            | OperationStatus::RollbackFailed
            | OperationStatus::RollbackSucceeded
    );
    failed && changes(operation)
}

fn changes(operation: &Operation) -> bool {
    matches!(operation.kind.as_str(), "UPDATE_SERVICE" | "CREATE_SERVICE")
}

fn unchanged(service: &Service, observed: &Observation) -> bool {
    service.mark == observed.mark
        && service.release().map(|release| release.image.to_string()) == observed.image
}

fn evidence(service: &Service, marked: bool, candidates: &[Operation]) -> Vec<String> {
    let mark = service.mark.as_deref().unwrap_or("none");
    let whose = if marked { "that" } else { "not that" };
    let mut lines =
        vec![format!("the service carries the mark {mark}, which is {whose} of our call")];
    lines.extend(candidates.iter().map(|operation| {
        format!("{} {} is {}, and may not be ours", operation.kind, operation.id, operation.status)
    }));
    lines
}

/// The end of a deployment whose truth cannot be known from here.
pub fn attention(evidence: Vec<String>) -> Event {
    Event::AttentionNeeded { evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::examples;
    use crate::release::Values;
    use crate::world::service::Origin;

    const OURS: &str = "fkyafoowjqapjwlgot44vh4i6u";

    /// The service as it was before the call, and what was seen of it.
    fn before() -> (Service, Observation) {
        let release = examples::release("v1.4.1");
        let issue = examples::issue("v1.4.1", "0ef3a41b0ef3a41b0ef3a41b0ef3a41b");
        let service = Service {
            arn: issue.service,
            id: issue.service_id,
            name: "shop".parse().unwrap(),
            url: issue.url,
            status: ServiceStatus::Running,
            origin: Origin::Ecr(release.image.clone()),
            configuration: release.configuration,
            values: Values::default(),
            mark: Some("before".into()),
            public: true,
            kept_as_is: std::collections::BTreeMap::new(),
            updated_at: None,
        };
        let observed = Observation {
            status: Some(ServiceStatus::Running),
            image: Some(release.image.to_string()),
            mark: service.mark.clone(),
            known_operations: Vec::new(),
        };
        (service, observed)
    }

    fn operation(kind: &str, status: OperationStatus) -> Operation {
        Operation {
            id: "8f2c1d7e8f2c1d7e8f2c1d7e8f2c1d7e".parse().unwrap(),
            kind: kind.into(),
            status,
            started_at: None,
            ended_at: None,
        }
    }

    fn sight(service: &Service, observed: &Observation, candidates: &[Operation]) -> Sight {
        let (mark, image) = (OURS.parse().unwrap(), examples::release("v1.4.2").image);
        judge(Call { mark: &mark, image: &image, observed }, service, candidates)
    }

    #[test]
    fn our_mark_and_one_change_that_stands_are_ours() {
        let (before, observed) = before();
        let marked = Service { mark: Some(OURS.into()), ..before };
        for status in [OperationStatus::InProgress, OperationStatus::Succeeded] {
            let one = operation("UPDATE_SERVICE", status);
            let ours = Sight::Ours(Some(one.id.clone()));
            assert_eq!(sight(&marked, &observed, &[one]), ours);
        }
    }

    /// Killed right after the call, and taken up while App Runner takes it back, or after it gave up.
    #[test]
    fn a_change_that_fails_is_ours_as_long_as_its_mark_is_there() {
        let (before, observed) = before();
        let marked = Service { mark: Some(OURS.into()), ..before };
        for (status, ended) in [
            (ServiceStatus::OperationInProgress, OperationStatus::RollbackInProgress),
            (ServiceStatus::CreateFailed, OperationStatus::Failed),
        ] {
            let one = operation("CREATE_SERVICE", ended);
            let service = Service { status, ..marked.clone() };
            let ours = Sight::Ours(Some(one.id.clone()));
            assert_eq!(sight(&service, &observed, &[one]), ours);
        }
    }

    #[test]
    fn what_cannot_have_borne_our_mark_is_somebody_elses_and_ours_is_awaited() {
        let (before, observed) = before();
        let marked = Service { mark: Some(OURS.into()), ..before };
        for one in [
            operation("UPDATE_SERVICE", OperationStatus::RollbackSucceeded),
            operation("UPDATE_SERVICE", OperationStatus::Failed),
            operation("START_DEPLOYMENT", OperationStatus::Succeeded),
        ] {
            assert_eq!(sight(&marked, &observed, &[one]), Sight::Ours(None));
        }
    }

    /// A call that arrived late: the list lags, and shows what a stranger did before it.
    #[test]
    fn behind_an_operation_that_has_ended_ours_may_be_at_work() {
        let (before, observed) = before();
        let status = ServiceStatus::OperationInProgress;
        let marked = Service { mark: Some(OURS.into()), status, ..before };
        let theirs = operation("UPDATE_SERVICE", OperationStatus::Succeeded);
        assert_eq!(sight(&marked, &observed, std::slice::from_ref(&theirs)), Sight::Undecided);
        let idle = Service { status: ServiceStatus::Running, ..marked };
        let several = [operation("UPDATE_SERVICE", OperationStatus::Succeeded), theirs];
        let Sight::Destroyed(evidence) = sight(&idle, &observed, &several) else { panic!() };
        assert!(evidence[0].ends_with("which is that of our call"), "{evidence:?}");
    }

    #[test]
    fn what_was_listed_before_our_mark_is_ours_only_once_nothing_else_can_be() {
        let theirs = operation("UPDATE_SERVICE", OperationStatus::InProgress).id;
        let found = Sight::Ours(Some(theirs.clone()));
        let mut arrival = Arrival::default();
        assert_eq!(arrival.doubt(found.clone(), true, false), found, "it came with the mark");
        arrival.before.insert(theirs);
        assert_eq!(arrival.doubt(found.clone(), true, true), Sight::Ours(None));
        assert_eq!(
            arrival.doubt(found.clone(), false, false),
            found,
            "taken back: it bears no mark"
        );
        arrival.awaited = true;
        assert_eq!(arrival.doubt(found.clone(), true, false), Sight::Ours(None));
        assert_eq!(arrival.doubt(found.clone(), true, true), found);
    }

    #[test]
    fn one_change_that_was_taken_back_is_ours_only_on_an_unchanged_service() {
        let (before, observed) = before();
        let one = operation("UPDATE_SERVICE", OperationStatus::RollbackSucceeded);
        let ours = Sight::Ours(Some(one.id.clone()));
        assert_eq!(sight(&before, &observed, std::slice::from_ref(&one)), ours);
        let changed = Service { mark: Some("theirs".into()), ..before };
        assert!(matches!(sight(&changed, &observed, &[one]), Sight::Destroyed(_)));
    }

    #[test]
    fn a_pause_explains_nothing_of_ours() {
        let (before, observed) = before();
        let paused = operation("PAUSE_SERVICE", OperationStatus::Failed);
        assert!(matches!(sight(&before, &observed, &[paused]), Sight::Destroyed(_)));
    }

    #[test]
    fn while_app_runner_is_at_work_nothing_is_decided() {
        let (before, observed) = before();
        let busy = Service { status: ServiceStatus::OperationInProgress, ..before.clone() };
        assert_eq!(sight(&busy, &observed, &[]), Sight::Undecided);
        let one = operation("UPDATE_SERVICE", OperationStatus::Pending);
        assert_eq!(sight(&before, &observed, &[one]), Sight::Undecided);
        assert_eq!(sight(&before, &observed, &[]), Sight::Nothing);
    }

    #[test]
    fn an_operation_that_pulled_another_digest_is_another() {
        let (ours, theirs) = (examples::release("v1.4.2").image, examples::release("v1.4.1").image);
        assert!(is_another(&theirs, &ours));
        assert!(!is_another(&ours, &ours));
        let tag: ImageIdentifier = format!("{}:v1.4.2", ours.repository_uri()).parse().unwrap();
        assert!(!is_another(&tag, &ours), "a tag may name what was asked for");
    }
}
