//! A request that arrives after its sender gave it up. AWS accepts what was signed within the last
//! five minutes.

use serde_json::Value;

use super::super::super::Timestamp;
use super::super::super::cloud::{Api, Call, Reply};
use super::services::issued;
use super::{Effect, State};
use crate::names::DeploymentId;

/// Such a request.
pub(super) struct Delivery {
    pub(super) at: Timestamp,
    pub(super) machine: usize,
    pub(super) operation: &'static str,
    pub(super) body: Value,
    pub(super) mark: DeploymentId,
    pub(super) late: Timestamp,
    /// As it was when the request left.
    pub(super) intended: bool,
    /// As it was when the request left.
    pub(super) over: bool,
}

impl State {
    /// Lets a request arrive later.
    pub(super) fn deliver_later(&mut self, delivery: Delivery) {
        self.deliveries.push(delivery);
    }

    /// The first request that arrives by then.
    pub(super) fn next_delivery(&mut self, by: Timestamp) -> Option<Delivery> {
        let due = self.deliveries.iter().enumerate().filter(|(_, delivery)| delivery.at <= by);
        let (first, _) = due.min_by_key(|(_, delivery)| delivery.at)?;
        Some(self.deliveries.remove(first))
    }

    /// It arrives, and nobody hears the answer.
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        let Delivery { at, machine, operation, body, mark, late, intended, over } = delivery;
        let Reply::Body(answer) = self.call(&Call::new(Api::AppRunner, operation, body)) else {
            return;
        };
        if let Ok(issued) = issued(&answer) {
            let (service, operation) = (issued.arn, issued.operation);
            let left = at - late;
            self.effects.push(Effect {
                machine,
                mark,
                service,
                operation,
                at,
                intended,
                over,
                left,
                late,
            });
        }
    }
}
