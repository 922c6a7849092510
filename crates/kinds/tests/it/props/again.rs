//! A destroyed stack is the same when it is applied again, with its data or without; and a destroy
//! deletes everything.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::plan::Intent;
use drstack_sim::Sim;

use super::planted::Flaw;
use super::scene::{Case, Scene, cases, expect_done, owned};
use super::{finds, holds, run};

/// Returns the addresses of the data that a destroy keeps.
async fn data(scene: &Scene, sim: &Sim) -> BTreeSet<String> {
    let kept = scene.plan(&scene.later(sim), Intent::Destroy).await.report.kept;
    // A resource that carries the stack's tags without proof of ownership is kept, whatever the
    // operator names.
    kept.into_iter().map(|it| it.address).filter(|it| !it.contains(".theirs/")).collect()
}

async fn destroyed(scene: &Scene, sim: &Sim, run: &str) -> Sim {
    let sim = scene.later(sim);
    let desk = scene.desk(&sim, None);
    expect_done(scene.program(&desk, run).destroy().await);
    scene.later(&sim)
}

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(&case.afresh(), flaw).await;
        let mut sim = scene.begin();
        scene.applied(&sim, "first").await;
        let data = data(&scene, &sim).await;
        for (round, delete_data) in [BTreeSet::new(), data].into_iter().enumerate() {
            scene.delete_data = delete_data;
            sim = destroyed(&scene, &sim, &format!("destroy-{round}")).await;
            scene.applied(&sim, &format!("again-{round}")).await;
            scene.expect_same(&sim).await;
        }
    });
}

/// Destroys the existing stack with a stack file that has changed since its apply.
fn check_all(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let sim = scene.begin();
        let data = data(&scene, &sim).await;
        scene.delete_data.extend(data);
        let sim = destroyed(&scene, &sim, "destroy").await;
        assert_eq!(owned(&sim.world()), BTreeMap::new());
    });
}

#[test]
fn destroyed_and_applied_again_is_the_same_world() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_destroy_takes_what_an_older_stack_left() {
    holds(cases(), |case| check_all(&case, None));
}

#[test]
fn orphans_that_are_not_looked_for_are_found_by_the_property_of_destroys() {
    finds(cases(), |case| check_all(&case, Some(Flaw::NoOrphans)));
}
