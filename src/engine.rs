//! The loop: ask what is next, make it true, write it down, show it.
//!
//! Durable first, then true, then visible. A first run and a resumed one are this same call.

use crate::config::Times;
use crate::event::deployment::{Deployment, Next};
use crate::event::{Event, Interruption};
use crate::ledger::{Ledger, LedgerError};
use crate::names::OperationId;
use crate::plan::Step;
use crate::plan::inventory::Inventory;
use crate::step::{self, Bench, Flight, Outcome, StepError, Told};
use crate::stop::Stop;
use crate::view::View;
use crate::world::{Obstacle, Place, Progress, World};

/// After so many unclear answers to one call the deployment pauses: the other side is ill.
const UNCLEAR_ANSWERS: u32 = 3;

/// Said after a first signal, where a call that changes something is under way.
const STOPPING: &str = "stopping, as soon as the call under way is answered; a second Ctrl-C does not \
                        wait for that. Then: `surefoot resume`";

/// What the engine works with.
pub struct Engine<'a> {
    /// The outside.
    pub world: &'a World,
    /// The journal of this service, held open for appending.
    pub ledger: &'a mut Ledger,
    /// What a person sees.
    pub view: &'a dyn View,
    /// How long things may take.
    pub times: Times,
    /// Whether a person wants us to stop.
    pub stop: Stop,
    /// What planning saw, where it was in this very process.
    pub inventory: Option<Inventory>,
    /// Whether the application's log is shown while waiting.
    pub tail: bool,
    /// Lines of logs that were shown in this process.
    pub told: Told,
}

impl Engine<'_> {
    /// Brings a deployment to its end, or to where it cannot go on now.
    pub async fn run(&mut self, mut deployment: Deployment) -> Result<Deployment, LedgerError> {
        let mut unclear = 0;
        loop {
            let outcome = match deployment.next() {
                Next::Rest => return Ok(deployment),
                Next::Announce(event) => (*event).into(),
                _ if self.stop.requested().is_some() => self.interrupted().into(),
                Next::Begin(step) => self.begin(&deployment, step).await,
                Next::Perform { step, in_doubt } => self.perform(&deployment, step, in_doubt).await,
            };
            let outcome = bounded(outcome, &mut unclear);
            let pause = matches!(outcome.event, Event::Interrupted { .. });
            deployment = self.record(deployment, &outcome)?;
            if pause {
                return Ok(deployment);
            }
        }
    }

    /// Durable, then true, then visible. What the state refuses is never written.
    fn record(&mut self, before: Deployment, outcome: &Outcome) -> Result<Deployment, LedgerError> {
        let after = before.evolve(&outcome.event)?;
        let at = self.world.clock.now();
        let number = after.plan.number;
        self.ledger.append(number, &outcome.event, &outcome.values, at)?;
        self.view.event(&outcome.event, &after, at, self.world.clock.elapsed());
        Ok(after)
    }

    async fn begin(&self, deployment: &Deployment, step: Step) -> Outcome {
        let known = self.ledger.operations();
        let bench = self.bench(deployment, &known, false);
        match self.interruptible(step::observe(step, &bench), &bench.flight).await {
            Ok((observed, payload)) => Event::StepStarted { step, observed, payload }.into(),
            Err(error) => without_outcome(step, error),
        }
    }

    async fn perform(&self, deployment: &Deployment, step: Step, in_doubt: bool) -> Outcome {
        let known = self.ledger.operations();
        let bench = self.bench(deployment, &known, in_doubt);
        match self.interruptible(step::settle(step, &bench), &bench.flight).await {
            Ok(outcome) => outcome,
            Err(error) => without_outcome(step, error),
        }
    }

    fn bench<'b>(
        &'b self,
        deployment: &'b Deployment,
        known: &'b [OperationId],
        in_doubt: bool,
    ) -> Bench<'b> {
        Bench {
            world: self.world,
            deployment,
            vault: self.ledger,
            times: &self.times,
            progress: self.view,
            inventory: self.inventory.as_ref(),
            journalled_operations: known,
            in_doubt,
            tail: self.tail,
            told: self.told.clone(),
            flight: Flight::default(),
        }
    }

    /// Runs something until it ends, or until a person wants us to stop. A call under way that changes
    /// the service may be answered; everything else is dropped at once.
    async fn interruptible<T>(
        &self,
        work: impl Future<Output = Result<T, StepError>>,
        flight: &Flight,
    ) -> Result<T, StepError> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = self.stop.wait() => {}
        }
        if !flight.is_under_way() {
            return Err(StepError::Interrupted(self.signal()));
        }
        self.view.report(Progress::Notice(STOPPING.to_owned()));
        tokio::select! {
            biased;
            result = &mut work => result,
            () = flight.landed() => Err(StepError::Interrupted(self.signal())),
            () = self.world.clock.sleep(self.times.interrupt_grace) => {
                Err(StepError::Interrupted(self.signal()))
            }
        }
    }

    fn interrupted(&self) -> Event {
        Event::Interrupted { because: self.signal() }
    }

    fn signal(&self) -> Interruption {
        let name = self.stop.requested().unwrap_or_default();
        Interruption::Signal { name: name.to_owned() }
    }
}

fn without_outcome(step: Step, error: StepError) -> Outcome {
    match error {
        StepError::Refused(failure) => Event::StepFailed { step, failure: *failure },
        StepError::Unanswered { reason } => Event::AnswerLost { step, because: reason },
        StepError::Interrupted(because) => Event::Interrupted { because },
        StepError::Overtaken(evidence) => Event::AttentionNeeded { evidence },
    }
    .into()
}

/// Looks again after an unclear answer, but not for ever.
fn bounded(outcome: Outcome, unclear: &mut u32) -> Outcome {
    let Event::AnswerLost { because, .. } = &outcome.event else {
        if !matches!(outcome.event, Event::StepStarted { .. }) {
            *unclear = 0;
        }
        return outcome;
    };
    *unclear += 1;
    if *unclear < UNCLEAR_ANSWERS {
        return outcome;
    }
    let (place, obstacle, reason) = (Place::AppRunner, Obstacle::Broken, because.clone());
    Event::Interrupted { because: Interruption::Unreachable { place, obstacle, reason } }.into()
}
