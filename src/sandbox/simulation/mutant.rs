//! Guards taken away, in the simulation only: each by giving the unchanged engine a world or a clock
//! that defeats it. Somebody must notice: `docs/reliability.md` has the table.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::config::Times;
use crate::names::{ServiceArn, ServiceName};
use crate::world::WorldError;
use crate::world::service::{Change, Issued, Operation, Service, Services};

/// A guard of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// Looking before acting: without it every unclear call is blindly repeated.
    Look,
    /// The settle window: without it one look decides.
    Settle,
    /// The mark: without it whatever happened after a call is ours.
    Mark,
    /// Durable first: without it the newest event is lost with the power.
    DurableFirst,
    /// The keep-set: without it a prune knows neither journal nor services.
    Keep,
}

impl Guard {
    /// All that can be taken away.
    pub const ALL: [Self; 5] =
        [Self::Look, Self::Settle, Self::Mark, Self::DurableFirst, Self::Keep];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Settle => "settle",
            Self::Mark => "mark",
            Self::DurableFirst => "durable-first",
            Self::Keep => "keep",
        }
    }

    /// The times without it.
    pub(super) fn defeat_times(self, times: Times) -> Times {
        match self {
            Self::Settle => Times { settle: Duration::ZERO, ..times },
            _ => times,
        }
    }
}

/// What a machine remembers of the service over its processes, for worlds that mislead it.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    service: Option<Service>,
    operations: Vec<Operation>,
    /// A call left and was not clearly answered.
    doubt: bool,
    mark: Option<String>,
}

/// App Runner, as it looks to somebody without a guard.
pub(super) struct Misled {
    pub(super) guard: Guard,
    pub(super) inner: Box<dyn Services>,
    pub(super) memory: Memory,
}

impl Misled {
    fn seen<T>(&self, use_it: impl FnOnce(&mut Seen) -> T) -> T {
        use_it(&mut self.memory.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_blind(&self) -> bool {
        self.guard == Guard::Look && self.seen(|seen| seen.doubt)
    }

    fn show(&self, found: Option<Service>) -> Option<Service> {
        self.seen(|seen| {
            if self.guard == Guard::Look {
                seen.service.clone_from(&found);
            }
            let mut found = found?;
            if self.guard == Guard::Mark && seen.mark.is_some() {
                found.mark.clone_from(&seen.mark);
            }
            Some(found)
        })
    }

    fn leave(&self, change: &Change<'_>) {
        self.seen(|seen| {
            seen.doubt = true;
            seen.mark = Some(change.mark.to_string());
        });
    }

    fn answered(&self, answer: &Result<Issued, WorldError>) {
        if answer.is_ok() {
            self.seen(|seen| seen.doubt = false);
        }
    }
}

#[async_trait]
impl Services for Misled {
    async fn find(&self, name: &ServiceName) -> Result<Option<Service>, WorldError> {
        if self.is_blind() {
            return Ok(self.seen(|seen| seen.service.clone()));
        }
        Ok(self.show(self.inner.find(name).await?))
    }

    async fn describe(&self, arn: &ServiceArn) -> Result<Option<Service>, WorldError> {
        Ok(self.show(self.inner.describe(arn).await?))
    }

    async fn all(&self) -> Result<Vec<Service>, WorldError> {
        if self.guard == Guard::Keep {
            return Ok(Vec::new());
        }
        self.inner.all().await
    }

    async fn operations(
        &self,
        arn: &ServiceArn,
        limit: Option<usize>,
    ) -> Result<Vec<Operation>, WorldError> {
        if self.is_blind() {
            return Ok(self.seen(|seen| seen.operations.clone()));
        }
        let found = self.inner.operations(arn, limit).await?;
        self.seen(|seen| seen.operations.clone_from(&found));
        Ok(found)
    }

    async fn create(&self, name: &ServiceName, change: &Change<'_>) -> Result<Issued, WorldError> {
        self.leave(change);
        let answer = self.inner.create(name, change).await;
        self.answered(&answer);
        answer
    }

    async fn update(&self, arn: &ServiceArn, change: &Change<'_>) -> Result<Issued, WorldError> {
        self.leave(change);
        let answer = self.inner.update(arn, change).await;
        self.answered(&answer);
        answer
    }

    async fn preview_create(
        &self,
        name: &ServiceName,
        change: &Change<'_>,
    ) -> Result<Value, WorldError> {
        self.inner.preview_create(name, change).await
    }

    async fn preview_update(
        &self,
        arn: &ServiceArn,
        change: &Change<'_>,
    ) -> Result<Value, WorldError> {
        self.inner.preview_update(arn, change).await
    }
}
