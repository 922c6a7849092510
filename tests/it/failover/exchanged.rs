//! After a failback, on-demand instances make room for spot ones, if there is spot capacity.

use serde_json::Value;

use super::{line, machine, run};
use crate::drstack::{Drstack, Ran};

/// Returns how the instances of each group were bought, with its types.
fn bought(machine: &Drstack) -> Vec<(Value, Value, Value)> {
    let path = machine.folder().join(".drstack/sim/world.json");
    let world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    let groups = world["world"]["objects"]["group"]["us-west-2"].as_object().expect("groups");
    let mut bought: Vec<_> = groups.values().map(|it| &it["live"]).collect();
    bought.sort_by_key(|live| live["types"].to_string());
    let numbers = |live: &Value| (live["types"][0].clone(), live["on_demand"].clone(), live["spot"].clone());
    bought.into_iter().map(numbers).collect()
}

fn numbers(batch: (u32, u32), serving: (u32, u32)) -> Vec<(Value, Value, Value)> {
    let of = |of: &str, (on_demand, spot): (u32, u32)| (of.into(), on_demand.into(), spot.into());
    vec![of("g4dn.xlarge", batch), of("g5.xlarge", serving)]
}

fn plan(machine: &Drstack, settings: &str) -> Ran {
    run(machine, "plan s --detailed-exitcode", Some(settings)).ok()
}

#[test]
fn a_failback_says_what_is_on_demand_still_and_so_do_plans_until_spot_is_to_be_had() {
    let machine = machine();
    assert_eq!(bought(&machine), numbers((0, 1), (0, 2)));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert_eq!(bought(&machine), numbers((4, 0), (8, 0)));
    machine.write("lack.toml", "between_runs = \"1h\"\nspot = { \"g4dn.xlarge\" = 0, \"g5.xlarge\" = 1 }");
    let back = run(&machine, "failback s --auto-approve", Some("lack.toml")).ok();
    assert!(back.stdout.contains("pool.batch/group: 1 instance still on-demand;"), "{back:?}");
    assert!(back.stdout.contains("pool.serving/group: 2 instances still on-demand;"), "{back:?}");
    assert_eq!(bought(&machine), numbers((1, 0), (2, 0)));
    // An hour later one spot instance serves, and no more spot capacity is available.
    let lacking = plan(&machine, "lack.toml");
    for said in
        ["pool.batch/group: 1 instance still on-demand", "pool.serving/group: 1 instance still on-demand"]
    {
        assert!(lacking.stdout.contains(said), "{lacking:?}");
    }
    let applied = run(&machine, "apply s --auto-approve", Some("lack.toml")).ok();
    assert!(applied.stdout.contains("1 instance still on-demand"), "{applied:?}");
    assert_eq!(bought(&machine), numbers((1, 0), (1, 1)));
    machine.write("later.toml", "between_runs = \"1h\"");
    let later = plan(&machine, "later.toml");
    assert!(!later.stdout.contains("on-demand"), "{later:?}");
    assert_eq!(bought(&machine), numbers((0, 1), (0, 2)));
}

#[test]
fn a_failover_may_come_while_instances_are_exchanged() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "failback s --auto-approve", None).ok();
    // A spot instance was launched, and the on-demand one beside it has not ended yet.
    machine.write("soon.toml", "between_runs = \"3m 2s\"\ndown = [\"us-east-1\", \"global\"]");
    let soon = run(&machine, "failover s --auto-approve --json", Some("soon.toml")).unasked();
    let report = line(&soon, "report");
    assert_eq!(report["complete"], true, "{report}");
    assert_eq!(report["in_service"]["after"], 12, "{report}");
    assert!(report["in_service"]["fewest"].as_u64() >= Some(3), "{report}");
    assert_eq!(bought(&machine), numbers((4, 0), (8, 0)));
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn an_apply_leaves_an_exchange_alone_and_a_destroy_ends_it() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "failback s --auto-approve", None).ok();
    machine.write("soon.toml", "between_runs = \"3m 2s\"\n");
    let applied = run(&machine, "apply s --auto-approve", Some("soon.toml")).ok();
    assert!(applied.stdout.contains("2 instances still on-demand"), "{applied:?}");
    assert_eq!(bought(&machine), numbers((1, 1), (2, 1)), "one more was launched beside them");
    run(&machine, "destroy s --auto-approve", None).ok();
    assert_eq!(bought(&machine), []);
}
