//! The clock of an outage, and who is held against which objective.

use serde_json::Value;

use super::{BATCH, CHECK, LOST, STACK, asked, line, machine_of, run};
use crate::drstack::Ran;

/// A table that a failover restores, which takes longer than starting instances.
const TABLE: &str = r#"
[table.features]
name    = "acme-features"
posture = "cold"
rto     = "4h"
"#;

fn moment(report: &Value, of: &str) -> jiff::Timestamp {
    report["clock"][of].as_str().unwrap_or_else(|| panic!("no {of}: {report:#}")).parse().expect("a time")
}

fn report(ran: &Ran) -> Value {
    line(ran, "report")
}

#[test]
fn a_component_is_held_against_its_own_rto_and_the_stack_against_its_own() {
    let tight = STACK
        .replace("capacity       = 4", "capacity       = 4\nrto            = \"10m\"\nposture = \"hot\"");
    let machine = machine_of(&format!("{tight}{CHECK}"));
    let args = "failover s --auto-approve --json --detected-at";
    let ran = run(&machine, &format!("{args} 2025-12-31T23:59:00Z"), Some("lost.toml")).code(3);
    let late = report(&ran);
    assert_eq!((&late["rto_seconds"], &late["objectives"][0]["rto_seconds"]), (&900.into(), &600.into()));
    assert_eq!(late["objectives"][0]["component"], "pool.batch", "{late:#}");
    assert!(late["objectives"][0]["recovery_seconds"].as_f64() > Some(600.0), "{late:#}");

    // A tight objective of one pool does not judge the others.
    let tight = STACK.replace("tier           = 1", "tier           = 1\nrto            = \"5m\"");
    let machine = machine_of(&format!("{tight}{CHECK}"));
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    let met = report(&ran);
    assert!(met["recovery_seconds"].as_f64() > Some(300.0), "the third tier is later than that: {met:#}");
    assert!(met["objectives"][0]["recovery_seconds"].as_f64() < Some(300.0), "{met:#}");
}

/// B5: what was restored counts, although nothing waits for it.
#[test]
fn the_recovery_ends_when_the_last_data_is_restored() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TABLE}"));
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml"));
    let report = report(&ran);
    let took = moment(&report, "data").duration_since(moment(&report, "detected")).as_secs_f64();
    assert!(report["recovery_seconds"].as_f64() >= Some(took) && took > 500.0, "{report:#}");
}

/// B3: a run that is complete and no recovery does not end the outage.
#[test]
fn an_outage_lasts_until_what_serves_was_asked() {
    let machine = machine_of(&format!("{STACK}{BATCH}"));
    let begun = "failover s --auto-approve --json --detected-at 2025-12-31T23:30:00Z";
    let first = report(&run(&machine, begun, Some("lost.toml")).unasked());
    assert_eq!((&first["verdict"], &first["complete"]), (&"capacity".into(), &true.into()));
    let second = report(&run(&machine, "failover s --auto-approve --json", Some("lost.toml")).unasked());
    assert_eq!(second["clock"]["detected"], first["clock"]["detected"], "{second:#}");
    // The check is written and applied once the primary is back; the next run asks.
    machine.write("s/stack.toml", &format!("{STACK}{CHECK}"));
    run(&machine, "apply s --auto-approve", None).ok();
    let asked = report(&run(&machine, "failover s --auto-approve --json", Some("lost.toml")).code(3));
    assert_eq!(asked["clock"]["detected"], first["clock"]["detected"], "{asked:#}");
    assert_eq!(asked["verdict"], "recovered", "{asked:#}");
    assert!(asked["recovery_seconds"].as_f64() > Some(1800.0), "{asked:#}");
    // From here on nothing is an outage any more.
    let again = report(&run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok());
    assert_eq!((&again["verdict"], &again["recovery_seconds"]), (&"nothing-to-do".into(), &Value::Null));
    assert_eq!(again["clock"]["detected"], Value::Null, "{again:#}");
}

#[test]
fn a_part_is_partial_and_the_rest_has_an_outage_of_its_own() {
    let machine = asked();
    let ran = run(&machine, "failover s --only pool.serving --auto-approve --json", Some("lost.toml")).ok();
    let part = report(&ran);
    assert_eq!(
        (&part["verdict"], &part["in_primary"]),
        (&"partial".into(), &serde_json::json!(["bucket.models", "pool.batch"]))
    );
    let said = run(&machine, "failover s --only pool.serving --auto-approve", Some("lost.toml")).ok();
    assert!(said.stdout.contains("Nothing to do"), "{said:?}");
    let whole = report(&run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok());
    assert_eq!(whole["verdict"], "recovered", "{whole:#}");
    assert!(moment(&whole, "detected") > moment(&part, "done"), "{whole:#}");
    assert_eq!(whole["in_primary"], serde_json::json!([]), "{whole:#}");
}

#[test]
fn what_is_accepted_as_it_is_goes_on_and_is_no_failure() {
    let stack = STACK.replace("capacity       = 8", "capacity       = 40");
    let machine = machine_of(&format!("{stack}{CHECK}"));
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 12 }}\n"));
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    machine.write("less.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 30 }}\n"));
    // Above the minimum of the stack, and still less than it wants.
    let ran = run(&machine, "failover s --auto-approve", Some("less.toml")).code(3);
    assert!(ran.stderr.contains("--accept-degraded` accepts this"), "{ran:?}");
    assert!(ran.stdout.contains("DEGRADED: us-west-2 serves after"), "{ran:?}");
    run(&machine, "failover s --auto-approve --accept-degraded", Some("less.toml")).ok();

    let machine = machine_of(&format!("{stack}{CHECK}"));
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 12 }}\n"));
    let ran = run(&machine, "failover s --auto-approve --accept-degraded --json", Some("short.toml"));
    assert_eq!(report(&ran)["verdict"], "degraded", "{ran:?}");

    // Accepted from the start, and in time: no RTO is missed, and none is met.
    let machine = machine_of(&format!("{stack}{CHECK}"));
    machine.write("less.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 30 }}\n"));
    let ran = run(&machine, "failover s --auto-approve --accept-degraded", Some("less.toml"));
    let (said, page) = (&ran.stdout, "the whole");
    assert!(!said.contains("NOT MET") && !said.contains("is met"), "{ran:?}");
    assert!(said.contains("(below), which the operator accepted; ") && said.contains(page), "{ran:?}");
}

/// B21: the stack is not late because of a component that allows itself longer.
#[test]
fn what_allows_itself_longer_does_not_judge_the_stack() {
    let stack = STACK
        .replace("15m", "8m")
        .replace("capacity       = 4", "capacity       = 4\nrto            = \"1h\"");
    let machine = machine_of(&format!("{stack}{CHECK}"));
    let plan = run(&machine, "plan s", None).ok();
    let says = "RTO 8m: met, after 3m 10s for all that has no longer RTO of its own";
    assert!(plan.stdout.contains(says), "{plan:?}");
    let ran = run(
        &machine,
        "failover s --auto-approve --json --detected-at 2025-12-31T23:59:00Z",
        Some("lost.toml"),
    );
    let report = report(&ran);
    let seconds = |of: &str| report[of].as_f64().unwrap_or_else(|| panic!("no {of}: {report:#}"));
    assert!(seconds("covered_seconds") < seconds("recovery_seconds"), "{report:#}");
}
