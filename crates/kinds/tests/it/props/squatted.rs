//! A bucket that another account created under the stack's name for it, with the stack's own tags,
//! never counts as the stack's.

use std::collections::BTreeMap;

use drstack_core::cloud::{Found, Owner};
use drstack_core::graph::Resource;
use drstack_core::kind::Place;
use drstack_core::plan::Intent;
use drstack_sim::Sim;
use proptest::prelude::*;

use super::planted::Flaw;
use super::program::{End, scope};
use super::scene::{Case, Scene, cases, objects};
use super::{finds, holds, run};

/// The account that created the buckets first.
const SQUATTER: &str = "210987654321";

/// Creates each of these buckets as another account that imitates the stack.
fn squat(sim: &Sim, scene: &Scene, buckets: &[Resource]) {
    let (kinds, scope) = (drstack_kinds::kinds(), scope(&scene.stack));
    for bucket in buckets {
        let id = bucket.name.clone().unwrap();
        let live = kinds.get("bucket").unwrap().expect(&bucket.spec, &id).unwrap();
        let found = Found { id: id.clone(), owner: Owner::Ours(bucket.address.clone()), live };
        sim.put("bucket", &scope, Place::Standby, &found).unwrap();
        sim.give(&id, SQUATTER).unwrap();
    }
}

/// Returns the squatter's buckets to the byte, and the rules that copy into one of them.
fn theirs(sim: &Sim, buckets: &[Resource]) -> (BTreeMap<String, String>, Vec<String>) {
    let (world, names) = (sim.world(), buckets.iter().filter_map(|it| it.name.as_deref()));
    let names: Vec<&str> = names.collect();
    let of = |wanted: &'static str| objects(&world).filter(move |(kind, ..)| *kind == wanted);
    let all = of("bucket").filter(|(.., id, _)| names.contains(id));
    let all = all.map(|(.., id, object)| (id.to_owned(), serde_json::to_string(object).unwrap()));
    let into = of("replication-rule")
        .filter(|(.., object)| object.live["destination"].as_str().is_some_and(|it| names.contains(&it)));
    (all.collect(), into.map(|(.., id, _)| id.to_owned()).collect())
}

fn check(case: &Case, whole: bool, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(&case.afresh(), None).await;
        scene.plant(flaw);
        let sim = scene.begin();
        let graph = scene.plan(&sim, Intent::Converge).await.compiled.graph;
        let all = graph.resources.into_values().filter(|it| it.kind == "bucket");
        let buckets: Vec<Resource> = all.take(if whole { usize::MAX } else { 1 }).collect();
        squat(&sim, &scene, &buckets);
        let (before, _) = theirs(&sim, &buckets);
        let end = scene.program(&scene.desk(&sim, None), "first").apply().await;
        let (after, into) = theirs(&sim, &buckets);
        assert_eq!(after, before, "another account's bucket is as it was");
        assert_eq!(into, [""; 0], "nothing is copied into another account's bucket");
        // The failure names each bucket, with the account that would have to own it.
        let End::Failed(said) = end else {
            assert!(buckets.is_empty(), "{end:?}");
            return;
        };
        for bucket in &buckets {
            let name = bucket.name.as_deref().unwrap();
            let refused = format!("bucket `{name}` may belong to another account than 123456789012");
            assert!(said.contains(&refused), "{name}: {said}");
        }
    });
}

#[test]
fn a_bucket_of_another_account_is_never_taken_for_the_stacks_own_whatever_its_tags_say() {
    holds((cases(), any::<bool>()), |(case, whole)| check(&case, whole, None));
}

#[test]
fn a_call_that_names_no_owner_is_found_by_the_property_of_other_accounts() {
    finds((cases(), any::<bool>()), |(case, whole)| check(&case, whole, Some(Flaw::NamesNoOwner)));
}
