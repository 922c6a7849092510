//! An apply stores the levels that it observed, even if it had nothing to do.

use serde_json::Value;

use crate::drstack::{Drstack, drstack};
use crate::reservations::one_pool;

/// Returns the levels of the group in the control bucket.
fn levels(machine: &Drstack) -> Value {
    let path = machine.folder().join(".drstack/sim/world.json");
    let world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    let facts = world["world"]["buckets"]["acme-control"]["objects"]["facts.json"].as_str().expect("text");
    let facts: Value = serde_json::from_str(facts).expect("JSON");
    facts["facts"]["primary/group/serve"]["levels"].clone()
}

#[test]
fn an_apply_that_changes_nothing_keeps_the_capacity_that_it_saw_once_a_day() {
    let machine = drstack();
    machine.write("s/stack.toml", &one_pool(""));
    machine.write("soon.toml", "between_runs = \"1s\"\n");
    machine.write("later.toml", "between_runs = \"30h\"\n");
    let apply = |sim: &str| {
        let ran = machine.run(["apply", "s", "--auto-approve", "--cloud", "sim", "--sim", sim]).ok();
        (ran.stdout.contains("No changes."), levels(&machine))
    };
    let (_, first) = apply("soon.toml");
    assert_eq!((first.as_array().map(Vec::len), &first[0]["value"]), (Some(1), &Value::from(4)));
    let (is_idle, next) = apply("later.toml");
    assert!(is_idle && next[0]["value"] == 4 && next[0]["at"] != first[0]["at"], "{first} {next}");
    assert_eq!(next.as_array().map(Vec::len), Some(1));
    assert_eq!(apply("soon.toml"), (true, next), "once a day is enough");
}
