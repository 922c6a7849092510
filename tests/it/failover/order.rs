//! Data, then capacity, then checks, then traffic, and the reverse in a failback, in stacks without
//! `after`.

use serde_json::{Value, json};

use super::{BATCH, LOST, STACK, line, run};
use crate::drstack::{Drstack, Ran, drstack};

/// A name that the pools serve.
const TRAFFIC: &str = r#"
[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
tier           = 1
"#;

/// A table that the failover restores, and a check of it.
const TABLE: &str = r#"
[table.features]
name    = "acme-features"
posture = "cold"
rto     = "4h"
tier    = 1

[[table.features.check]]
table = "@table.features"
"#;

const SWITCH: &str = "traffic.api/traffic-switch";
const GROUP: &str = "pool.serving/group";
const IMPORT: &str = "table.features/table-import";

fn machine(more: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}{more}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// The steps' events, with the order of their starts and ends.
struct Events(Vec<Value>);

impl Events {
    fn of(ran: &Ran) -> Self {
        Self(ran.json().into_iter().filter(|line| line["type"] == "event").collect())
    }

    fn at(&self, event: &str, address: &str) -> usize {
        let is = |it: &Value| it["event"] == event && it["address"] == address;
        self.0.iter().position(is).unwrap_or_else(|| panic!("no {event} of {address}: {:?}", self.0))
    }

    /// Asserts that each of these steps has ended before the next one begins.
    fn expect(&self, order: &[&str]) {
        for two in order.windows(2) {
            let (ended, begun) = (self.at("step_finished", two[0]), self.at("step_started", two[1]));
            assert!(ended < begun, "{} before {}: {:?}", two[0], two[1], self.0);
        }
    }
}

#[test]
fn a_cold_failover_moves_traffic_after_the_table_is_restored_and_the_pool_serves() {
    let machine = machine(TABLE);
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml"));
    let events = Events::of(&ran);
    events.expect(&[IMPORT, GROUP, SWITCH, "traffic.api/answer"]);
    events.expect(&["table.features/check-1", SWITCH]);
}

#[test]
fn the_order_is_said_by_validate_and_plan_and_counted_in_the_predicted_time() {
    let machine = machine(TABLE);
    let says = "traffic.api moves after: restored table.features; pool.serving; checks of table.features.";
    for command in ["validate s", "plan s", "apply s --auto-approve", "failover s --dry-run"] {
        let ran = match command {
            "validate s" => machine.run(["validate", "s"]).ok(),
            other => run(&machine, other, None).ok(),
        };
        assert!(ran.stdout.contains(says), "{command}: {ran:?}");
    }
    // The table is restored, two tiers of pools are raised and the last one is asked: 600, twice 180
    // and 10 seconds. An apply predicts this time.
    let shown = run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    assert!(shown.stdout.contains("Estimated time: 16m 10s"), "{shown:?}");
    let shown = run(&machine, "plan s", None).ok();
    assert!(shown.stdout.contains("would take about 16m 10s, in 7 steps (RTO 15m: MISSED; "), "{shown:?}");
}

#[test]
fn an_after_that_leaves_out_a_pool_is_warned_of_at_validate() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}after = []\n"));
    let ran = machine.run(["validate", "s"]).ok();
    assert!(ran.stderr.contains("DR257") && ran.stderr.contains("pool.serving"), "{ran:?}");
    assert!(!ran.stderr.contains("pool.batch"), "a later tier is not waited for anyway: {ran:?}");
    assert!(ran.stdout.contains("traffic.api moves at once in a failover"), "{ran:?}");
    let named = format!("{STACK}{BATCH}{TRAFFIC}after = [\"@pool.serving\"]\n");
    machine.write("s/stack.toml", &named);
    let ran = machine.run(["validate", "s"]).ok();
    assert!(!ran.stderr.contains("DR257"), "{ran:?}");
}

#[test]
fn a_part_that_moves_traffic_raises_its_pool_first_and_keeps_it() {
    let machine = machine("");
    let shown = run(&machine, "failover s --only traffic.api --dry-run", Some("lost.toml")).ok();
    let says = "Along with traffic.api, which needs it first: pool.serving.";
    assert!(shown.stderr.contains(says) && shown.stdout.contains(GROUP), "{shown:?}");
    let ran = run(&machine, "failover s --only traffic.api --auto-approve --json", Some("lost.toml")).ok();
    Events::of(&ran).expect(&[GROUP, SWITCH]);
    assert_eq!(line(&ran, "report")["in_service"]["after"], 9, "8 of the pool, 1 of the other one");
    let plan = run(&machine, "plan s", None).ok();
    assert!(!plan.stdout.contains(GROUP), "it is in mode active, and stays so: {plan:?}");
}

#[test]
fn a_part_that_moves_traffic_tells_the_writers_where_it_went() {
    let machine = machine("[fence.writers]\n");
    let ran = run(&machine, "failover s --only traffic.api --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&ran, "along")["needs"], json!(["fence.writers", "pool.serving"]));
    Events::of(&ran).expect(&["fence.writers/epoch", "fence.writers/active-region"]);
}

#[test]
fn a_failback_moves_traffic_before_anything_shrinks() {
    let machine = machine("");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let fault = "[[faults]]\nkind = \"traffic-switch\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("stuck.toml", fault);
    let stuck = run(&machine, "failback s --auto-approve", Some("stuck.toml")).code(1);
    assert!(!stuck.stderr.contains(&format!("changed {GROUP}")), "users are still there: {stuck:?}");
    let back = run(&machine, "failback s --auto-approve --json", None).ok();
    let events = Events::of(&back);
    events.expect(&[SWITCH, GROUP]);
    events.expect(&[SWITCH, "pool.batch/group"]);
}

#[test]
fn traffic_stays_where_its_pool_fails_and_the_hint_moves_it_without() {
    let machine = machine("");
    let fault = "[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", &format!("{LOST}{fault}"));
    let ran = run(&machine, "failover s --auto-approve", Some("denied.toml")).code(1);
    assert!(!ran.stderr.contains(&format!("changed {SWITCH}")), "{ran:?}");
    let says = "traffic.api has not moved: it waits for pool.serving/group, which failed";
    let hint = "`drstack failover s --not-waiting-for pool.serving`";
    assert!(ran.stderr.contains(says) && ran.stderr.contains(hint), "{ran:?}");
    let slip = run(&machine, "failover s --auto-approve --not-waiting-for pool.srving", None).code(64);
    assert!(slip.stderr.contains("did you mean `pool.serving`?"), "{slip:?}");
    let args = "failover s --auto-approve --not-waiting-for pool.serving";
    let ran = run(&machine, args, Some("denied.toml")).code(1);
    assert!(ran.stderr.contains(&format!("changed {SWITCH}")), "{ran:?}");
}

#[test]
fn a_planned_failover_moves_shares_once_the_pool_serves() {
    let machine = machine("policy = \"weighted\"\nramp = [\"5%\", \"100%\"]\n");
    let ran = run(&machine, "failover s --planned --auto-approve --json", None).ok();
    Events::of(&ran).expect(&[GROUP, "traffic.api/dns-weights", SWITCH]);
}
