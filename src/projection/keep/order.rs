//! In which calls images are deleted: an index before its parts, a hundred at a time.

use std::collections::BTreeMap;

use super::{Choice, Picture};
use crate::names::Digest;
use crate::world::registry::MOST_AT_ONCE;

/// The most that one run deletes: what it is about to do must fit into one event of the journal.
pub const LARGEST_RUN: usize = 10_000;

/// The calls, in order. ECR keeps a part for as long as an index names it
/// (`ImageReferencedByManifestList`, ECR service model), and within one call there is no order.
pub fn calls(picture: &Picture, choices: &[Choice]) -> Vec<Vec<Digest>> {
    let going: BTreeMap<&Digest, &Choice> = choices
        .iter()
        .filter(|choice| choice.goes())
        .map(|choice| (&choice.held.image.digest, choice))
        .collect();
    let mut depths: BTreeMap<&Digest, usize> = BTreeMap::new();
    for digest in going.keys() {
        depth(picture, &going, digest, &mut depths);
    }
    let mut levels: BTreeMap<usize, Vec<Digest>> = BTreeMap::new();
    for (digest, depth) in depths {
        levels.entry(depth).or_default().push(digest.clone());
    }
    let mut left = LARGEST_RUN;
    let mut calls = Vec::new();
    for mut level in levels.into_values() {
        level.truncate(left);
        left -= level.len();
        calls.extend(level.chunks(MOST_AT_ONCE).map(<[Digest]>::to_vec));
    }
    calls
}

/// How many indexes that go stand above it. Content cannot name itself, so this ends.
fn depth<'a>(
    picture: &'a Picture,
    going: &BTreeMap<&'a Digest, &Choice>,
    digest: &'a Digest,
    depths: &mut BTreeMap<&'a Digest, usize>,
) -> usize {
    if let Some(depth) = depths.get(digest) {
        return *depth;
    }
    let above = picture.holders_of(digest).iter().filter(|holder| going.contains_key(holder));
    let above = above.map(|holder| depth(picture, going, holder, depths) + 1);
    let found = above.collect::<Vec<_>>().into_iter().max().unwrap_or(0);
    depths.insert(digest, found);
    found
}
