//! Instances that make room for spot instances end one by one, and only if there is spot capacity.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::cloud::Cloud;
use drstack_core::kind::{
    Capabilities, Capacity, Demand, Erased, FieldChange, Kind, KindRegistry, Lookup, Operation, Revised,
};
use drstack_sim::Sim;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::toys::{call, config, run, scope};

/// Number of units that a large instance counts.
const LARGE: u32 = 4;

/// A pool whose instances are all bought in the same way.
struct Pool;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spec {
    count: u32,
    on_demand: bool,
    types: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Live {
    types: Vec<String>,
    on_demand: u32,
    spot: u32,
}

impl Kind for Pool {
    const NAME: &'static str = "pool";
    const SUMMARY: &'static str = "instances";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    const CAPABILITIES: Capabilities = Capabilities {
        capacity: Some(&Erased::<Self>::NEW),
        revised: Some(&Erased::<Self>::NEW),
        ..Capabilities::NONE
    };
    type Spec = Spec;
    type Live = Live;

    fn diff(_spec: &Spec, _live: &Live) -> Vec<FieldChange> {
        Vec::new()
    }
    fn expect(spec: &Spec, _id: &str) -> Live {
        let on_demand = if spec.on_demand { spec.count } else { 0 };
        Live { types: spec.types.clone(), on_demand, spot: spec.count - on_demand }
    }
    fn prior(_action: drstack_core::kind::Action) -> Duration {
        Duration::from_secs(60)
    }
}

impl Revised for Pool {
    const ROUNDS: usize = 2;

    fn expect_after(spec: &Spec, id: &str, _before: &Live) -> Live {
        Self::expect(spec, id)
    }
}

fn instances(live: &Live) -> Demand {
    let weights = BTreeMap::from([("large".to_owned(), LARGE)]);
    let count = live.on_demand + live.spot;
    Demand { types: live.types.clone(), weights, count, on_demand: live.on_demand }
}

impl Capacity for Pool {
    fn demand(spec: &Spec) -> Demand {
        instances(&Self::expect(spec, ""))
    }
    fn serving(live: &Live) -> u32 {
        live.on_demand + live.spot
    }
    fn bought(live: &Live) -> Option<Demand> {
        Some(instances(live))
    }
    fn by_hand(_spec: &Spec, _region: &str) -> String {
        String::new()
    }
    fn during(spec: &Spec, id: &str, _before: &Live) -> Live {
        Self::expect(spec, id)
    }
    fn exchanged(live: &Live, on_demand: u32, spot: u32) -> Live {
        Live { on_demand, spot, ..live.clone() }
    }
}

fn kinds() -> KindRegistry {
    KindRegistry::new(&[&Erased::<Pool>::NEW])
}

fn sim(text: &str) -> Sim {
    Sim::in_memory(
        config(&format!("latency = '0s'\njitter = '0s'\n{text}")),
        kinds(),
        &scope("fleet"),
        vec![],
    )
    .unwrap()
}

fn spec(count: u32, on_demand: bool, types: &[&str]) -> Value {
    json!({ "count": count, "on_demand": on_demand, "types": types })
}

async fn make(sim: &Sim, name: &str, spec: &Value) {
    sim.create("pool", &call("pool", name), spec).await.unwrap();
}

async fn update(sim: &Sim, name: &str, spec: &Value) {
    sim.update("pool", &call("pool", name), name, spec, &[]).await.unwrap();
}

/// Returns the on-demand and spot instances of a pool, and all that it runs by type.
fn serving(sim: &Sim, name: &str) -> (u64, u64, Vec<(String, u32)>) {
    let world = sim.world();
    let object = &world.objects["pool"]["us-west-2"][name];
    let count = |of: &str| object.live[of].as_u64().unwrap();
    (count("on_demand"), count("spot"), object.runs.clone().into_iter().collect())
}

/// Returns the distinct counts of a pool in order, read every second.
async fn watched(sim: &Sim, name: &str, seconds: u32) -> Vec<(u64, u64)> {
    let mut seen = Vec::new();
    for _ in 0..seconds {
        let (on_demand, spot, _) = serving(sim, name);
        seen.push((on_demand, spot));
        sleep(Duration::from_secs(1)).await;
    }
    seen.dedup();
    seen
}

const SMALL: &[&str] = &["small"];

#[test]
fn each_spot_instance_is_launched_before_an_on_demand_one_ends() {
    run(async {
        let sim = sim("");
        make(&sim, "a", &spec(6, true, SMALL)).await;
        update(&sim, "a", &spec(2, false, SMALL)).await;
        let begun = sim.world().age;
        assert_eq!(watched(&sim, "a", 300).await, [(2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]);
        assert_eq!(serving(&sim, "a"), (0, 2, vec![("small".to_owned(), 2)]));
        assert_eq!(sim.world().objects["pool"]["us-west-2"]["a"].exchange, None);
        assert_eq!(sim.world().age - begun, 300_000);
    });
}

#[test]
fn without_spot_or_without_room_it_stops_and_goes_on_once_there_is_some() {
    for limits in ["spot = { small = 0 }", "capacity = { small = 3 }", "quota = { small = 3 }"] {
        run(async {
            let sim = sim(limits);
            make(&sim, "a", &spec(2, true, SMALL)).await;
            make(&sim, "b", &spec(1, true, SMALL)).await;
            update(&sim, "a", &spec(2, false, SMALL)).await;
            assert_eq!(watched(&sim, "a", 600).await, [(2, 0)], "{limits}");
            // The deletion of another pool makes room; other settings provide spot capacity.
            let sim = match limits.starts_with("spot") {
                true => sim.restart(config("spot = { small = 2 }")).unwrap(),
                false => sim,
            };
            sim.delete("pool", &call("pool", "b"), "b").await.unwrap();
            sleep(Duration::from_secs(600)).await;
            assert_eq!(serving(&sim, "a"), (0, 2, vec![("small".to_owned(), 2)]), "{limits}");
        });
    }
}

#[test]
fn spot_that_is_shared_goes_to_whoever_comes_first() {
    run(async {
        let sim = sim("spot = { small = 3 }");
        for name in ["a", "b"] {
            make(&sim, name, &spec(2, true, SMALL)).await;
        }
        for name in ["a", "b"] {
            update(&sim, name, &spec(2, false, SMALL)).await;
        }
        // Reading changes nothing.
        let unseen = sim.restart(config("spot = { small = 3 }\nbetween_runs = '20m'")).unwrap();
        sleep(Duration::from_mins(20)).await;
        for sim in [sim, unseen] {
            assert_eq!((serving(&sim, "a").0, serving(&sim, "b").0), (0, 1));
        }
    });
}

#[test]
fn a_larger_type_ends_once_as_much_serves_in_its_place() {
    run(async {
        let sim = sim("");
        make(&sim, "a", &spec(8, true, &["large"])).await;
        assert_eq!(serving(&sim, "a").2, [("large".to_owned(), 2)]);
        update(&sim, "a", &spec(4, false, SMALL)).await;
        assert_eq!(serving(&sim, "a"), (4, 0, vec![("large".to_owned(), 1)]));
        assert_eq!(watched(&sim, "a", 300).await, [(4, 0), (4, 1), (4, 2), (4, 3), (4, 4), (0, 4)]);
        assert_eq!(serving(&sim, "a").2, [("small".to_owned(), 4)]);
    });
}

#[test]
fn one_that_grows_launches_what_it_lacks_first() {
    run(async {
        let sim = sim("spot = { small = 4 }");
        make(&sim, "a", &spec(2, true, SMALL)).await;
        update(&sim, "a", &spec(5, false, SMALL)).await;
        assert_eq!(serving(&sim, "a"), (2, 3, vec![("small".to_owned(), 5)]));
        assert_eq!(watched(&sim, "a", 600).await, [(2, 3), (2, 4), (1, 4)]);
    });
}

/// The on-demand instances that it keeps take no spot capacity, and make none.
#[test]
fn one_that_grows_gets_no_more_spot_than_there_is() {
    run(async {
        let sim = sim("spot = { small = 4 }");
        make(&sim, "a", &spec(2, true, SMALL)).await;
        let more = spec(8, false, SMALL);
        sim.update("pool", &call("pool", "a"), "a", &more, &[]).await.unwrap_err();
        assert_eq!(serving(&sim, "a"), (2, 0, vec![("small".to_owned(), 2)]));
    });
}

#[test]
fn a_killed_program_leaves_what_the_next_one_goes_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let open = |folder: &std::path::Path| {
        Sim::open(folder, config("between_runs = '80s'"), kinds(), &scope("fleet"), vec![]).unwrap()
    };
    run(async {
        let sim = open(folder.path());
        make(&sim, "a", &spec(3, true, SMALL)).await;
        update(&sim, "a", &spec(3, false, SMALL)).await;
        for file in ["world.json", "world.log"] {
            std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(serving(&sim, "a"), (3, 1, vec![("small".to_owned(), 4)]));
    });
    run(async {
        let (killed, ended) = (open(copy.path()), open(folder.path()));
        assert_eq!((serving(&killed, "a").0, serving(&ended, "a").0), (2, 1));
        sleep(Duration::from_secs(600)).await;
        assert_eq!(serving(&killed, "a"), serving(&ended, "a"));
        assert_eq!(serving(&killed, "a").0, 0);
    });
}

#[test]
fn what_is_changed_meanwhile_begins_anew() {
    run(async {
        let sim = sim("");
        make(&sim, "a", &spec(3, true, SMALL)).await;
        update(&sim, "a", &spec(3, false, SMALL)).await;
        sleep(Duration::from_secs(61)).await;
        assert_eq!(serving(&sim, "a").0, 3);
        update(&sim, "a", &spec(5, true, SMALL)).await;
        assert_eq!(watched(&sim, "a", 600).await, [(5, 0)]);
        sim.delete("pool", &call("pool", "a"), "a").await.unwrap();
        sleep(Duration::from_secs(600)).await;
    });
}
