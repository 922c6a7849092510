//! The world between runs: what the next program finds.

use std::path::Path;
use std::time::Instant;

use drstack_core::cloud::Cloud;
use drstack_core::control::Condition;
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;
use drstack_sim::{Sim, WorldError};
use serde_json::json;

use crate::toys::*;

fn open(folder: &Path) -> Sim {
    Sim::open(folder, config(""), kinds(), &scope("fleet"), seeds("web", 40)).unwrap()
}

#[test]
fn the_next_program_finds_the_world_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let before = run(async {
        let sim = open(folder.path());
        let made = create(&sim, "net", "a", &net("10.0.0.0/16")).await.unwrap();
        create(&sim, "group", "api", &group(&made.id, 2)).await.unwrap();
        let control = sim.control(&scope("fleet"), "acme");
        control.ensure().await.unwrap();
        control.put("lock", b"me".to_vec(), Condition::Absent).await.unwrap();
        sim.world()
    });
    run(async {
        let sim = open(folder.path());
        let after = sim.world();
        assert_eq!(
            (after.objects, after.facts, after.buckets),
            (before.objects, before.facts, before.buckets)
        );
        // A minute has passed, and links are still known.
        assert_eq!(after.age, before.age + 60_000);
        let net = sim.list_owned("net", &scope("fleet"), Place::Standby, &[]).await.unwrap().remove(0);
        assert!(delete(&sim, "net", "a", &net.id).await.is_err());
    });
}

#[test]
fn a_killed_program_loses_nothing_that_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let before = run(async {
        let sim = open(folder.path());
        for n in 0..5 {
            create(&sim, "net", &n.to_string(), &net("10.0.0.0/16")).await.unwrap();
        }
        // The files as they are during the run: if the program is killed now, this is what is left.
        let copy = tempfile::tempdir().unwrap();
        for file in ["world.json", "world.log"] {
            if let Ok(bytes) = std::fs::read(folder.path().join(file)) {
                std::fs::write(copy.path().join(file), bytes).unwrap();
            }
        }
        (sim.inventory(), copy)
    });
    assert_eq!(open(before.1.path()).inventory(), before.0);
}

#[test]
fn what_was_there_from_the_start_is_planted_once() {
    let folder = tempfile::tempdir().unwrap();
    let query = FactQuery::primary("group", "web");
    let sim = open(folder.path());
    sim.set_fact(&query, Some(json!({"capacity": 60}))).unwrap();
    assert!(sim.remove("group", &scope("fleet"), Place::Primary, "web").unwrap());
    drop(sim);
    // The stack grew: new seeds are added, and objects that were changed or removed by hand stay
    // so.
    let mut more = seeds("web", 40);
    more.extend(seeds("api", 7));
    let sim = Sim::open(folder.path(), config(""), kinds(), &scope("fleet"), more).unwrap();
    let groups: Vec<String> = sim.inventory().into_keys().collect();
    assert_eq!(groups, ["us-east-1/group/api"]);
    let facts = sim.world().facts;
    assert_eq!(facts[&query.key()], json!({"capacity": 60}));
    assert_eq!(facts[&FactQuery::primary("group", "api").key()], json!({"capacity": 7}));
}

#[test]
fn the_same_run_leaves_the_same_bytes() {
    let world = || {
        let folder = tempfile::tempdir().unwrap();
        let rough = config("throttle = 0.2\n[[faults]]\nerror = 'internal'\nshare = 0.2");
        let sim = Sim::open(folder.path(), rough, kinds(), &scope("fleet"), seeds("web", 40)).unwrap();
        run(async {
            let specs: Vec<_> = (0..20).map(|n| (n.to_string(), group("n", n))).collect();
            let all = specs.iter().map(|(name, spec)| create(&sim, "group", name, spec));
            futures_util::future::join_all(all).await;
        });
        let calls = sim.calls();
        drop(sim);
        (calls, std::fs::read_to_string(folder.path().join("world.json")).unwrap())
    };
    assert_eq!(world(), world());
}

#[test]
fn a_world_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let second = Sim::open(folder.path(), config(""), kinds(), &scope("fleet"), Vec::new());
    assert!(matches!(second.err(), Some(WorldError::InUse { .. })));
}

#[test]
fn two_thousand_resources_are_kept_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    run(async {
        let sim = open(folder.path());
        for n in 0..2000 {
            create(&sim, "group", &n.to_string(), &group("n", 1)).await.unwrap();
        }
    });
    let (made, begun) = (begun.elapsed(), Instant::now());
    assert_eq!(open(folder.path()).inventory().len(), 2001);
    println!("2000 resources made and kept in {made:?}, opened again in {:?}", begun.elapsed());
    assert!(made.as_secs() < 30, "{made:?}");
}
