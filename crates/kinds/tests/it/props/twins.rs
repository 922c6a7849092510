//! Of two groups with one address, the one in service is used, and neither is deleted.

use drstack_core::cloud::{Found, Owner};
use drstack_core::kind::Place;
use drstack_sim::{Holder, Sim};
use serde_json::Value;

use super::planted::Flaw;
use super::program::scope;
use super::scene::{Case, Scene, cases, expect_done};
use super::service::Service;
use super::{finds, holds, run};

/// Creates an empty twin of each group in service, with an id that sorts before the other's.
fn plant_twins(scene: &Scene, sim: &Sim) -> Vec<String> {
    let groups = sim.see(|world| {
        let groups = world.objects.get("group").and_then(|it| it.get("us-west-2")).into_iter().flatten();
        let ours = groups.filter_map(|(id, object)| match &object.owner {
            Holder::Stack { address, .. } => Some((id.clone(), address.clone(), object.live.clone())),
            _ => None,
        });
        ours.collect::<Vec<_>>()
    });
    let serves = |live: &Value| live["on_demand"] != 0 || live["spot"] != 0;
    let mut planted = Vec::new();
    for (id, address, mut live) in groups.into_iter().filter(|(.., live)| serves(live)) {
        for field in ["on_demand", "spot"] {
            live[field] = 0.into();
        }
        let id = format!("!{id}");
        let found = Found { id: id.clone(), owner: Owner::Ours(address), live };
        sim.put("group", &scope(&scene.stack), Place::Standby, &found).unwrap();
        planted.push(id);
    }
    planted
}

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let sim = scene.later(&scene.stands);
        let twins = plant_twins(&scene, &sim);
        let service = Service::of(&sim);
        let desk = scene.desk(&sim, None).watching(&service);
        expect_done(scene.program(&desk, "beside").apply().await);
        service.expect_no_dip();
        let groups = sim.see(|world| world.objects.get("group").cloned().unwrap_or_default());
        let there = |id: &String| groups.values().any(|groups| groups.contains_key(id));
        assert!(twins.iter().all(there), "{twins:?}");
    });
}

#[test]
fn an_empty_twin_never_takes_the_place_of_what_serves() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_choice_by_the_order_of_ids_is_found_by_the_property_of_twins() {
    finds(cases(), |case| check(&case, Some(Flaw::FirstTwin)));
}
