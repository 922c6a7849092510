//! A run that cannot read some facts changes nothing outside the standby region that a run with all
//! facts would not change too.

use std::collections::BTreeSet;

use drstack_core::compile::queries;
use drstack_sim::{Failure, Fault, Operation, Sim};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::planted::Flaw;
use super::scene::{Case, Scene, cases, shape};
use super::{finds, holds, run};

const FAILURES: [Failure; 4] =
    [Failure::Denied, Failure::Throttled, Failure::Internal, Failure::TimeoutAfterEffect];

/// The error of reading a fact, and the share of such calls: half of them, or all.
fn refusals() -> impl Strategy<Value = (Failure, f64)> {
    (select(&FAILURES[..]), select(&[0.5, 1.0][..]))
}

/// Lets other rules replicate every bucket of the stack from now on, with a role that is not the
/// stack's.
fn replicate_by_others(scene: &Scene, sim: &Sim) {
    for query in queries(&scene.stack).iter().filter(|it| it.kind == "bucket") {
        let fact = json!({"versioning": true, "foreign_role": "arn:aws:iam::123456789012:role/theirs"});
        sim.set_fact(query, Some(fact)).unwrap();
    }
}

/// Returns all resources outside the standby region.
fn outside(scene: &Scene, sim: &Sim) -> BTreeSet<String> {
    let standby = format!("{}/", scene.stack.facts.standby);
    shape(&sim.world()).into_iter().filter(|it| !it.starts_with(&standby)).collect()
}

fn check(case: &Case, (error, share): (Failure, f64), flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let informed = scene.begin();
        replicate_by_others(&scene, &informed);
        let before = outside(&scene, &informed);
        scene.applied(&informed, "first").await;
        let sim = scene.begin_with(|config| {
            config.faults.push(Fault {
                kind: None,
                operation: Some(Operation::Capture),
                region: None,
                subject: None,
                error,
                share: Some(share),
                at: None,
            });
        });
        replicate_by_others(&scene, &sim);
        let _ = scene.apply(&sim, "first").await;
        let may_be: BTreeSet<String> = &before | &outside(&scene, &informed);
        let guessed: Vec<String> = outside(&scene, &sim).difference(&may_be).cloned().collect();
        assert_eq!(guessed, [""; 0], "there could be {may_be:#?}");
    });
}

#[test]
fn what_is_changed_outside_of_the_standby_region_never_rests_on_a_fact_that_was_not_read() {
    holds((cases(), refusals()), |(case, refusal)| check(&case, refusal, None));
}

#[test]
fn a_fact_that_was_not_read_and_is_taken_for_the_default_is_found_by_the_property_of_facts() {
    finds((cases(), refusals()), |(case, refusal)| check(&case, refusal, Some(Flaw::GuessesFacts)));
}
