//! Deletes: an index before its parts, at most a hundred a call, with a look before each call.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Pruning;
use super::look::{look, services};
use crate::names::Digest;
use crate::projection::{Choice, Deletions, Picture, Stopped, calls, choose, missing};
use crate::world::{Obstacle, WorldError};

/// How often one call is made where ECR asks for patience or does not answer.
const ATTEMPTS: u32 = 6;

/// The first pause between two of them; the following ones double.
const PAUSE: Duration = Duration::from_millis(500);

/// Deletes what was chosen, unless it is needed by now.
pub async fn delete(pruning: &Pruning<'_>, seen: Picture, choices: &[Choice]) -> Deletions {
    let mut deletions = Deletions::default();
    let calls = calls(&seen, choices);
    let fresh = look(pruning.world, &seen.repository, seen.memories.clone(), seen.parts().clone());
    let mut picture = match fresh.await {
        Ok(Some(picture)) => picture,
        Ok(None) => return Deletions { stopped: Some(Stopped::RepositoryGone), ..deletions },
        Err(error) => return Deletions { stopped: Some(Stopped::Blind(error)), ..deletions },
    };
    for (place, call) in calls.into_iter().enumerate() {
        if let Err(stopped) = one_call(pruning, &mut picture, place, &call, &mut deletions).await {
            deletions.stopped = Some(stopped);
            break;
        }
    }
    deletions
}

async fn one_call(
    pruning: &Pruning<'_>,
    picture: &mut Picture,
    place: usize,
    call: &[Digest],
    deletions: &mut Deletions,
) -> Result<(), Stopped> {
    if let Some(signal) = pruning.stop.requested() {
        return Err(Stopped::Signal(signal));
    }
    if place > 0 {
        picture.services = services(pruning.world).await.map_err(Stopped::Blind)?;
    }
    let missing = missing(picture, pruning.limits.keep, pruning.without_history);
    if !missing.is_empty() {
        return Err(Stopped::Incomplete(missing));
    }
    let wanted = still_to_go(pruning, picture, call, deletions);
    if wanted.is_empty() {
        return Ok(());
    }
    patiently(pruning, picture, wanted, deletions).await
}

/// Those that nothing needs by now, and that no index names which ECR did not delete.
fn still_to_go(
    pruning: &Pruning<'_>,
    picture: &Picture,
    call: &[Digest],
    deletions: &mut Deletions,
) -> Vec<Digest> {
    let choices = choose(picture, pruning.limits);
    let going = choices.iter().filter(|choice| choice.goes());
    let going: BTreeSet<&Digest> = going.map(|choice| &choice.held.image.digest).collect();
    let failed = deletions.failed.iter().map(|failed| &failed.digest);
    let staying = below(picture, &mut failed.chain(&deletions.spared));
    let (wanted, spared): (Vec<&Digest>, Vec<&Digest>) = call
        .iter()
        .filter(|digest| picture.holds(digest))
        .partition(|digest| going.contains(digest) && !staying.contains(digest));
    deletions.not_there.extend(call.iter().filter(|digest| !picture.holds(digest)).cloned());
    deletions.spared.extend(spared.into_iter().cloned());
    wanted.into_iter().cloned().collect()
}

/// Everything that these indexes name, and what that names.
fn below<'p>(
    picture: &'p Picture,
    indexes: &mut dyn Iterator<Item = &Digest>,
) -> BTreeSet<&'p Digest> {
    let mut left: Vec<&Digest> = indexes.flat_map(|index| picture.parts_of(index)).collect();
    let mut found = BTreeSet::new();
    while let Some(part) = left.pop() {
        if found.insert(part) {
            left.extend(picture.parts_of(part));
        }
    }
    found
}

/// One call, repeated where it certainly or possibly had no effect. In between we look: what is
/// gone is not asked for again.
async fn patiently(
    pruning: &Pruning<'_>,
    picture: &Picture,
    mut left: Vec<Digest>,
    deletions: &mut Deletions,
) -> Result<(), Stopped> {
    let registry = &pruning.world.registry;
    let mut pause = PAUSE;
    for attempt in 1.. {
        let error = match registry.delete(&picture.repository, &left).await {
            Ok(outcomes) => {
                deletions.note(outcomes);
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            WorldError::Unreachable { obstacle: Obstacle::Throttled, .. } => {}
            WorldError::Unanswered { .. } => {
                let gone = gone(pruning, picture, &left).await?;
                left.retain(|digest| !gone.contains(digest));
                deletions.deleted.extend(gone);
            }
            _ => return Err(told(error)),
        }
        if left.is_empty() {
            return Ok(());
        }
        if attempt >= ATTEMPTS {
            return Err(Stopped::World(error));
        }
        pruning.world.clock.sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}

/// Which of these are gone, after a call that was not answered.
async fn gone(
    pruning: &Pruning<'_>,
    picture: &Picture,
    asked: &[Digest],
) -> Result<BTreeSet<Digest>, Stopped> {
    let there = pruning.world.registry.images(&picture.repository).await;
    let there = there.map_err(Stopped::Unknown)?.ok_or(Stopped::RepositoryGone)?;
    let there: BTreeSet<&Digest> = there.iter().map(|held| &held.image.digest).collect();
    Ok(asked.iter().filter(|digest| !there.contains(digest)).cloned().collect())
}

fn told(error: WorldError) -> Stopped {
    match error.code() {
        Some("RepositoryNotFoundException") => Stopped::RepositoryGone,
        _ => Stopped::World(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_stands_anywhere_below_an_index_that_stays_stays_too() {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let parts = BTreeMap::from([
            (digest("index"), vec![digest("index below"), digest("image")]),
            (digest("index below"), vec![digest("image below")]),
            (digest("another"), vec![digest("image of another")]),
        ]);
        let picture = Picture::new(
            "shop".parse().unwrap(),
            Vec::new(),
            parts,
            Vec::new(),
            Vec::new(),
            chrono::DateTime::UNIX_EPOCH,
        );
        let found = below(&picture, &mut [digest("index")].iter());
        let expected = [digest("index below"), digest("image"), digest("image below")];
        assert_eq!(found, expected.iter().collect());
    }
}
