//! The events of a stream, gathered by deployment and folded.

use std::collections::BTreeMap;

use super::Recorded;
use crate::event::Event;
use crate::event::deployment::Deployment;
use crate::names::DeploymentNumber;

/// One deployment's events with the state they lead to.
#[derive(Debug, Clone)]
pub(super) struct Folded<'a> {
    /// Its number.
    pub(super) number: DeploymentNumber,
    /// Its events, in order.
    pub(super) events: Vec<&'a Recorded>,
    /// Where they lead, or why that cannot be said.
    pub(super) state: Result<Deployment, String>,
}

impl<'a> Folded<'a> {
    /// The newest of its own events: what was said of it afterwards does not count.
    pub(super) fn end(&self) -> &'a Recorded {
        let beside = |record: &&&Recorded| {
            matches!(record.event, Ok(Event::ReleaseMarked { .. } | Event::ImagesPruned { .. }))
        };
        let own = self.events.iter().rev().find(|record| !beside(record));
        own.copied().unwrap_or(self.events[0])
    }
}

/// Every deployment of the stream, by number.
pub(super) fn fold(records: &[Recorded]) -> Vec<Folded<'_>> {
    let mut gathered: BTreeMap<DeploymentNumber, Vec<&Recorded>> = BTreeMap::new();
    for record in records {
        if let Some(number) = record.deployment {
            gathered.entry(number).or_default().push(record);
        }
    }
    gathered
        .into_iter()
        .map(|(number, events)| {
            let state = replay(&events);
            Folded { number, events, state }
        })
        .collect()
}

fn replay(records: &[&Recorded]) -> Result<Deployment, String> {
    let events = records.iter().map(|record| known(record)).collect::<Result<Vec<&Event>, _>>()?;
    Deployment::replay(events).map_err(|illegal| illegal.to_string())
}

fn known(record: &Recorded) -> Result<&Event, String> {
    record.event.as_ref().map_err(|raw| {
        format!("event {} ({}) was written by a newer surefoot", record.sequence, raw.type_name)
    })
}
