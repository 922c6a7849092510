//! Groups on the simulated cloud whose updates launch instances: those that serve stay.

use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Cloud, Scope};
use drstack_core::kind::Place;
use drstack_sim::{Sim, SimConfig};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

fn scope() -> Scope {
    Scope {
        stack: "fleet".into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        secrets: Arc::default(),
    }
}

fn sim(limits: &str) -> Sim {
    let config = SimConfig {
        latency: SignedDuration::ZERO,
        jitter: SignedDuration::ZERO,
        ..SimConfig::from_toml(limits).unwrap()
    };
    Sim::in_memory(config, drstack_kinds::kinds(), &scope(), vec![]).unwrap()
}

/// Returns the call that concerns the group of this pool.
fn call(pool: &str) -> Call {
    Call {
        scope: scope(),
        place: Place::Standby,
        address: Address::parse(&format!("pool.{pool}/group")).unwrap(),
        name: None,
        token: "1".to_owned(),
    }
}

/// Returns the spec of a group with so many instances, of which `unit` is the weight if it is not 1.
fn spec(size: u32, on_demand_percentage: u32, unit: u32) -> Value {
    let size = size * unit;
    let mut spec = json!({
        "name": "g", "template": "lt-1", "template_version": "1", "subnets": [], "types": ["g5.xlarge"],
        "min": size, "max": size, "desired": size, "on_demand_percentage": on_demand_percentage,
    });
    if unit > 1 {
        spec["sizes"] = json!({ "others": ["g5.large"], "units": { "g5.xlarge": unit, "g5.large": 1 } });
    }
    spec
}

/// Returns the spec of a group that fails over to so many instances, on this rung.
fn failover(size: u32, rung: u32) -> Value {
    let mut spec = spec(size, 100, 1);
    spec["failover"] = json!({ "minimum": 1, "rung": rung });
    spec
}

const WHOLE: u32 = 0;
const SPOT: u32 = 1;

async fn make(sim: &Sim, pool: &str, spec: &Value) -> String {
    let mut named = spec.clone();
    named["name"] = pool.into();
    sim.create("group", &call(pool), &named).await.unwrap().id
}

async fn update(sim: &Sim, pool: &str, id: &str, spec: &Value) {
    sim.update("group", &call(pool), id, spec, &[]).await.unwrap();
    sleep(Duration::from_mins(5)).await;
}

/// Returns the on-demand and spot capacity in service, and the number of instances.
fn serving(sim: &Sim, id: &str) -> (u64, u64, u32) {
    let world = sim.world();
    let object = &world.objects["group"]["us-west-2"][id];
    let count = |of: &str| object.live[of].as_u64().unwrap();
    (count("on_demand"), count("spot"), object.runs.values().sum())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    drstack_sim::runtime().unwrap().block_on(future)
}

/// Until the failback the stack's capacity is a floor no lower than what serves: on-demand, or spot in its
/// place. What an exchange has still to retire is no part of it.
#[test]
fn a_failover_wants_no_less_than_serves() {
    let kinds = drstack_kinds::kinds();
    let group = kinds.get("group").unwrap();
    let live = |min: u32, desired: u32, on_demand: u32, spot: u32| {
        let mut live = group.expect(&failover(desired, WHOLE), "g").unwrap();
        let fields = [("min", min), ("desired", desired), ("on_demand", on_demand), ("spot", spot)];
        fields.iter().for_each(|(field, value)| live[field] = json!(value));
        live
    };
    let kept = |size: u32, live: &Value| {
        let spec = group.capacity().unwrap().not_below(&failover(size, WHOLE), live).unwrap();
        spec.map(|it| it["desired"].as_u64().unwrap())
    };
    let serves = live(8, 8, 8, 0);
    assert_eq!((kept(2, &serves), kept(8, &serves), kept(12, &serves)), (Some(8), None, None));
    // Spot serves for what on-demand lacks.
    assert_eq!(kept(2, &live(8, 8, 3, 5)), Some(8));
    // Two spot instances are still to be retired, or were when the run was cut off.
    assert_eq!(kept(8, &live(8, 10, 8, 2)), None);
    // What is wanted and does not serve is nothing to keep.
    assert_eq!((kept(2, &live(8, 8, 3, 0)), kept(4, &live(8, 8, 3, 0))), (Some(3), None));
    // It was raised by hand, or by a policy of its own.
    assert_eq!(kept(8, &live(8, 12, 12, 0)), Some(12));
    // While the primary serves, the stack's size counts.
    let standby = group.capacity().unwrap().not_below(&spec(2, 0, 1), &serves).unwrap();
    assert_eq!(standby, None);
}

/// Two pools fail over where there is no on-demand capacity and little spot capacity. What the
/// first one runs is not there for the second one to take.
#[test]
fn spot_instances_stay_while_their_group_asks_for_on_demand_ones() {
    run(async {
        let sim = sim("spot = { 'g5.xlarge' = 4 }\non_demand = { 'g5.xlarge' = 0 }");
        let first = make(&sim, "a", &spec(2, 0, 1)).await;
        let second = make(&sim, "b", &spec(1, 0, 1)).await;
        update(&sim, "a", &first, &failover(4, WHOLE)).await;
        assert_eq!(serving(&sim, &first), (0, 2, 2));
        update(&sim, "b", &second, &failover(4, WHOLE)).await;
        update(&sim, "b", &second, &failover(4, SPOT)).await;
        assert_eq!(serving(&sim, &second), (0, 2, 2));
        update(&sim, "a", &first, &failover(4, SPOT)).await;
        assert_eq!(serving(&sim, &first), (0, 2, 2));
    });
}

/// Fewer may be launched now than run already.
#[test]
fn what_serves_stays_where_less_can_be_had_by_now() {
    run(async {
        let sim = sim("");
        let id = make(&sim, "a", &spec(3, 0, 1)).await;
        for limits in ["capacity", "quota", "spot"] {
            let config = SimConfig::from_toml(&format!("{limits} = {{ 'g5.xlarge' = 1 }}")).unwrap();
            let sim = sim.restart(config).unwrap();
            update(&sim, "a", &id, &spec(5, 0, 1)).await;
            assert_eq!(serving(&sim, &id), (0, 3, 3), "{limits}");
        }
    });
}

/// Types that are no longer wanted serve until others do in their place.
#[test]
fn instances_of_other_types_stay_as_far_as_the_wanted_ones_cannot_be_had() {
    run(async {
        let sim = sim("capacity = { 'g6.xlarge' = 1 }");
        let id = make(&sim, "a", &spec(3, 0, 1)).await;
        let other = |size| {
            let mut spec = spec(size, 0, 1);
            spec["types"] = json!(["g6.xlarge"]);
            spec
        };
        update(&sim, "a", &id, &other(4)).await;
        assert_eq!(serving(&sim, &id), (0, 4, 4));
        let runs = sim.world().objects["group"]["us-west-2"][&id].runs.clone();
        assert_eq!(runs, [("g5.xlarge".to_owned(), 3), ("g6.xlarge".to_owned(), 1)].into());
    });
}

/// A pool names a smaller type, and so one usual instance counts 6 units instead of 2.
#[test]
fn running_instances_count_by_the_weights_that_their_group_has_now() {
    run(async {
        let sim = sim("");
        for (before, after) in [(100, 0), (0, 0), (100, 100)] {
            let id = make(&sim, "a", &spec(1, before, 2)).await;
            update(&sim, "a", &id, &spec(1, after, 6)).await;
            sleep(Duration::from_hours(1)).await;
            let (on_demand, spot) = if after == 100 { (6, 0) } else { (0, 6) };
            assert_eq!(serving(&sim, &id), (on_demand, spot, 1), "{before} % to {after} %");
            sim.delete("group", &call("a"), &id).await.unwrap();
        }
    });
}

/// An instance that counts less than a new one ends as soon as a new one serves: all of that counts,
/// also what the group did not lack.
#[test]
fn an_instance_of_another_type_makes_room_for_one_new_instance_not_two() {
    run(async {
        let sim = sim("");
        let mut other = spec(1, 100, 2);
        other["types"] = json!(["g6.xlarge"]);
        other["sizes"]["units"] = json!({ "g6.xlarge": 2, "g5.large": 1 });
        let id = make(&sim, "a", &other).await;
        update(&sim, "a", &id, &spec(1, 0, 6)).await;
        sleep(Duration::from_hours(1)).await;
        assert_eq!(serving(&sim, &id), (0, 6, 1));
    });
}
