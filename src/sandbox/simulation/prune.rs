//! `surefoot prune --apply` between two processes: the real look, the real choice and the real
//! deletion, by what the journal remembers then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::cloud::chance::Chance;
use super::super::door::ports::Pruned;
use super::mutant::Guard;
use super::process::{Session, Stopped};
use super::weather::Strikes;
use super::{repository, stream};
use crate::event::Event;
use crate::ledger::Entry;
use crate::names::Digest;
use crate::projection::{
    Deletions, Limits, Memory, Picture, Recorded, calls, candidates, choose, missing, remember,
};
use crate::prune::{Pruning, delete, look};
use crate::world::World;

/// What deployments of the usual size keep.
const KEEP: u32 = 10;

/// When somebody prunes, by a chance of its own: whatever else is drawn stays what it was.
pub(super) struct Pruner {
    chance: Chance,
    /// Somebody prunes here at all.
    prunes: bool,
    /// Nothing younger goes.
    grace: Duration,
}

impl Pruner {
    /// The pruner of a seed, on one machine.
    pub(super) fn of(seed: u64, machine: usize) -> Self {
        let mut chance = Chance::new(seed ^ 0x9a11e ^ ((machine as u64) << 32));
        let prunes = chance.draw().is_multiple_of(3);
        let grace = if chance.draw().is_multiple_of(2) { 0 } else { 2 };
        Self { chance, prunes, grace: Duration::from_hours(grace) }
    }

    /// Whether it is time before the next process.
    pub(super) fn is_due(&mut self, over: bool) -> bool {
        self.prunes && (over || self.chance.draw().is_multiple_of(4))
    }

    /// Nothing younger goes.
    pub(super) fn grace(&self) -> Duration {
        self.grace
    }
}

impl Session {
    /// Prunes, where nothing is missing. What it deleted although the journal offers it is noted in
    /// the world, as is what it deleted while it was in use.
    pub(super) async fn prune(&self, grace: Duration, strikes: &Strikes) -> Result<(), Stopped> {
        let mut ledger = self.ledger()?;
        let records: Vec<Recorded> = ledger.entries().iter().map(Entry::recorded).collect();
        let world = self.world();
        let limits = Limits { keep: KEEP, older_than: None, grace, own_tags: vec!["*".to_owned()] };
        let Some(picture) = self.picture(&world, &records).await? else { return Ok(()) };
        let choices = choose(&picture, &limits);
        let images: Vec<Digest> = calls(&picture, &choices).into_iter().flatten().collect();
        if !missing(&picture, KEEP, &[]).is_empty() || images.is_empty() {
            return Ok(());
        }
        let (none, at) = (BTreeMap::new(), world.clock.now());
        let begun = Event::PruneStarted {
            repository: repository(),
            keep: KEEP,
            images,
            bytes: 0,
            asked: None,
        };
        ledger.append_beside(&begun, &none, at)?;
        let stop = self.machine.stop();
        let pruning = Pruning { world: &world, stop: &stop, limits: &limits, without_history: &[] };
        let deletions = delete(&pruning, picture, &choices).await;
        strikes.add("pruned between two processes");
        self.judge(&records, &deletions);
        ledger.append_beside(&ended(deletions), &none, world.clock.now())?;
        Ok(())
    }

    /// What is there, and what is known of it: nothing, where that guard is taken away.
    async fn picture(
        &self,
        world: &World,
        records: &[Recorded],
    ) -> Result<Option<Picture>, Stopped> {
        let blind = self.is_without(Guard::Keep);
        let memories: Vec<Memory> =
            if blind { Vec::new() } else { vec![remember(&stream(), records)] };
        Ok(look(world, &repository(), memories, BTreeMap::new()).await?)
    }

    /// What the journal offered before is there afterwards.
    fn judge(&self, records: &[Recorded], deletions: &Deletions) {
        let offered: BTreeSet<Digest> = candidates(records)
            .iter()
            .filter_map(|candidate| candidate.release.image.digest().cloned())
            .collect();
        let machine = self.machine.number();
        let mut state = self.machine.door().state();
        let pruned =
            deletions.deleted.iter().map(|digest| Pruned { machine, digest: digest.clone() });
        state.chronicle.pruned.extend(pruned);
        for digest in deletions.deleted.iter().filter(|digest| offered.contains(digest)) {
            state.pruned_in_need.push(format!("{} is offered for a rollback", digest.short()));
        }
    }
}

fn ended(deletions: Deletions) -> Event {
    Event::ImagesPruned {
        deleted: deletions.deleted,
        not_there: deletions.not_there,
        failures: Vec::new(),
        repository: Some(repository()),
        bytes: 0,
        found: false,
    }
}
