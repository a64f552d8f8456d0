//! Over random lives: after a prune every release that `rollback` offers is there, every service's
//! image is there, and no index misses a part. Without any one of the rules, it is not so.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::rules::{self, RULES, Rule};
use super::scene::{Scene, digest_of, scenes};
use super::{Choice, Picture, calls, choose_by};
use crate::event::Event;
use crate::names::Digest;
use crate::projection::{Recorded, candidates};

/// What would be wrong after a prune by these rules.
fn complaint(rules: &[Rule], scene: &Scene) -> Option<String> {
    let journals = scene.journals();
    let picture = scene.picture(&journals);
    let choices = choose_by(rules, &picture, &scene.limits());
    after(scene, &journals, &picture, &choices)
}

/// What would be wrong after these choices were carried out.
fn after(
    scene: &Scene,
    journals: &[Vec<Recorded>],
    picture: &Picture,
    choices: &[Choice],
) -> Option<String> {
    let gone: BTreeSet<Digest> = calls(picture, choices).into_iter().flatten().collect();
    let there = |digest: &Digest| picture.holds(digest) && !gone.contains(digest);
    let lost = |digest: &Digest| gone.contains(digest);
    rollbacks(scene, journals, picture, &gone)
        .or_else(|| {
            let used =
                picture.services.iter().filter_map(|service| service.image.as_ref()?.digest());
            used.into_iter().find(|digest| lost(digest)).map(|it| format!("a service runs {it}"))
        })
        .or_else(|| {
            let whole = picture.images().map(|held| &held.image.digest).filter(|it| there(it));
            let parts = whole.flat_map(|index| picture.parts_of(index));
            parts.into_iter().find(|part| lost(part)).map(|part| format!("an index misses {part}"))
        })
        .or_else(|| promises(scene, picture, &gone))
        .or_else(|| order(picture, choices))
}

/// What `rollback --list` offers after the prune is there, and it offers as much as was to be kept.
fn rollbacks(
    scene: &Scene,
    journals: &[Vec<Recorded>],
    picture: &Picture,
    gone: &BTreeSet<Digest>,
) -> Option<String> {
    let offered = |records: &[Recorded]| -> Vec<Digest> {
        let digests = candidates(records).into_iter();
        let digests = digests.map(|one| one.release.image.digest().unwrap().clone());
        digests.filter(|digest| picture.holds(digest)).collect()
    };
    for (journal, memory) in journals.iter().zip(&picture.memories) {
        let live: Vec<&Digest> = memory.live.iter().flat_map(super::Named::digests).collect();
        let mut before: Vec<Digest> = Vec::new();
        for digest in offered(journal) {
            if !live.contains(&&digest) && !before.contains(&digest) {
                before.push(digest);
            }
        }
        let mut after = journal.clone();
        after.push(Recorded {
            deployment: None,
            event: Ok(Event::ImagesPruned {
                deleted: gone.iter().cloned().collect(),
                not_there: Vec::new(),
                failures: Vec::new(),
                repository: None,
                bytes: 0,
                found: false,
            }),
            ..match journal.last() {
                Some(last) => last.clone(),
                None => continue,
            }
        });
        let after = offered(&after);
        if let Some(digest) = after.iter().find(|digest| gone.contains(digest)) {
            return Some(format!("a rollback is offered to {digest}"));
        }
        let promised = before.iter().take(scene.keep as usize);
        if let Some(digest) = promised.into_iter().find(|digest| !after.contains(digest)) {
            return Some(format!("no rollback is offered to {digest} any more"));
        }
    }
    None
}

/// What else must never go.
fn promises(scene: &Scene, picture: &Picture, gone: &BTreeSet<Digest>) -> Option<String> {
    let of =
        |what: &str, digest: &Digest| gone.contains(digest).then(|| format!("{what} {digest}"));
    for life in &scene.lives {
        if let Some(found) = life.unfinished.and_then(|image| of("unfinished", &digest_of(image))) {
            return Some(found);
        }
    }
    for memory in &picture.memories {
        let good = memory.good.iter().chain(&memory.live).flat_map(super::Named::digests);
        if let Some(found) = good.into_iter().find_map(|digest| of("good or live", digest)) {
            return Some(found);
        }
    }
    scene.things.iter().enumerate().find_map(|(number, thing)| {
        let young = thing.there && u64::try_from(thing.hours).unwrap() < scene.grace_hours;
        let foreign = thing.tag.is_some();
        (young || foreign).then(|| of("young or named by others", &digest_of(number))).flatten()
    })
}

/// An index goes in an earlier call than its parts.
fn order(picture: &Picture, choices: &[Choice]) -> Option<String> {
    let calls = calls(picture, choices);
    let place = |digest: &Digest| calls.iter().position(|call| call.contains(digest));
    for choice in choices.iter().filter(|choice| choice.goes()) {
        let index = &choice.held.image.digest;
        let parts = picture.parts_of(index).iter().filter_map(&place);
        if parts.into_iter().any(|part| Some(part) <= place(index)) {
            return Some(format!("{index} goes after its parts"));
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_that_is_needed_goes(scene in scenes()) {
        let complaint = complaint(&RULES, &scene);
        prop_assert!(complaint.is_none(), "{}", complaint.unwrap());
    }
}

/// Whether some scene complains of this.
fn is_noticed(wrong: impl Fn(&Scene) -> Option<String>) -> bool {
    // The first case that complains is enough: a smaller one would prove no more.
    let config =
        Config { cases: 400, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let ended = TestRunner::new_with_rng(config, random).run(&scenes(), |scene| {
        prop_assert!(wrong(&scene).is_none());
        Ok(())
    });
    ended.is_err()
}

#[test]
fn without_any_one_of_the_rules_something_needed_goes() {
    let needed: [(&str, Rule); 7] = [
        ("runs_now", rules::runs_now),
        ("live", rules::live),
        ("rollback_targets", rules::rollback_targets),
        ("unsettled", rules::unsettled),
        ("marked_good", rules::marked_good),
        ("foreign_tags", rules::foreign_tags),
        ("young", rules::young),
    ];
    for (name, rule) in needed {
        let others: Vec<Rule> =
            RULES.into_iter().filter(|one| !std::ptr::fn_addr_eq(*one, rule)).collect();
        assert_eq!(others.len(), RULES.len() - 1);
        let noticed = is_noticed(|scene| complaint(&others, scene));
        assert!(noticed, "`{name}` is missed by nobody: the property proves nothing of it");
    }
}

#[test]
fn without_a_look_into_the_indexes_parts_of_them_go() {
    assert!(is_noticed(|scene| {
        let journals = scene.journals();
        let choices = choose_by(&RULES, &scene.blind(&journals), &scene.limits());
        after(scene, &journals, &scene.picture(&journals), &choices)
    }));
}
