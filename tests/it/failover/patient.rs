//! Looking is as patient as doing: a read of the control bucket that fails or is garbled once ends no
//! failover.

use super::{LOST, asked, line, run};

/// Attempts of the simulated client, which retries throttled calls as the SDK does.
const ATTEMPTS: u32 = 10;

/// Returns a fault at the call of this number that reads `key`.
fn fault(key: &str, error: &str, at: u32) -> String {
    format!(
        "[[faults]]\noperation = \"control\"\nkind = \"get\"\nsubject = \"{key}\"\nerror = \"{error}\"\nat = {at}\n"
    )
}

#[test]
fn one_read_that_fails_or_is_garbled_ends_no_failover() {
    for key in ["bundle.json", "lock.json", "mode.json"] {
        for error in ["garbled", "internal", "throttled", "timeout-after-effect"] {
            let machine = asked();
            let times = if error == "throttled" { ATTEMPTS } else { 1 };
            let faults: String = (1..=times).map(|at| fault(key, error, at)).collect();
            machine.write("bad.toml", &format!("{LOST}{faults}"));
            let ran = run(&machine, "failover s --auto-approve", Some("bad.toml"));
            assert_eq!(ran.code, 0, "{error} of {key}: {ran:?}");
        }
    }
}

#[test]
fn an_object_that_is_damaged_is_no_error_of_the_stack() {
    for (key, code) in [("bundle.json", 1), ("lock.json", 4)] {
        let machine = asked();
        let faults: String = (1..40).map(|at| fault(key, "garbled", at)).collect();
        machine.write("bad.toml", &format!("{LOST}{faults}"));
        let ran = run(&machine, "failover s --auto-approve", Some("bad.toml"));
        assert_eq!(ran.code, code, "{key}: {ran:?}");
    }
}

/// A lease is no longer than a lease, whatever the clock of the machine that died.
#[test]
fn a_dead_failover_whose_clock_was_ahead_is_waited_for_as_long_as_any_other() {
    let machine = asked();
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    let objects = &mut world["world"]["buckets"]["demo-control"]["objects"];
    objects["lock.json"] = serde_json::json!({
        "state": "held", "owner": "ann", "host": "laptop", "purpose": "failover", "run": "ahead",
        "since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:01:00Z", "epoch": 9,
    })
    .to_string()
    .into();
    std::fs::write(&path, world.to_string()).expect("write");
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    let took = line(&ran, "report")["recovery_seconds"].as_f64().expect("a time");
    assert!(took < 600.0, "{took} s: {ran:?}");
}
