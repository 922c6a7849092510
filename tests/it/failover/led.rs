//! Whether users are led to the standby region: a failover says that it recovered only where it knows.

use serde_json::Value;

use super::{CHECK, STACK, machine_of, run};
use crate::drstack::Drstack;

const TRAFFIC: &str = concat!(
    "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
    "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n",
);

/// A failover asks DNS nothing: what an apply that died has left of it, it knows from that apply's journal alone.
#[test]
fn a_failover_after_an_apply_that_died_at_the_name_is_no_recovery_where_nothing_reads_what_it_switched() {
    let old = format!("{STACK}{CHECK}{TRAFFIC}");
    let changes =
        [old.replace("traffic.api", "traffic.front"), old.replace("record = \"api\"", "record = \"api2\"")];
    let (mut recovered, mut doubted) = (0, 0);
    for (new, calls) in changes.iter().flat_map(|new| (40..112).step_by(4).map(move |calls| (new, calls))) {
        let machine = machine_of(&old);
        machine.write("s/stack.toml", new);
        machine.write("dies.toml", &format!("kill_at = {calls}\n"));
        if run(&machine, "apply s --auto-approve", Some("dies.toml")).code == 0 {
            continue;
        }
        let bundle = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --auto-approve";
        let over = run(&machine, bundle, Some("lost.toml"));
        let led = leads(&machine);
        match over.code {
            0 => {
                assert!(led, "{calls}: {over:?}");
                recovered += 1;
            }
            3 => {
                let said =
                    "nobody knows whether traffic.api leads users to us-west-2: this is no recovery yet";
                assert!(over.stderr.contains(said), "{calls}: {over:?}");
                assert!(!over.stdout.contains("traffic moved"), "{calls}: {over:?}");
                doubted += 1;
            }
            _ => assert!(over.stdout.contains("BLOCKED"), "{calls}: {over:?}"),
        }
    }
    assert!(recovered > 3 && doubted > 3, "{recovered} recovered, {doubted} doubted");
}

/// A failback has its own files, and publishes nothing of what it did to the name.
#[test]
fn a_failback_that_changed_the_name_leaves_the_next_failover_in_doubt_until_an_apply() {
    let stack = format!("{STACK}{CHECK}{TRAFFIC}");
    let machine = machine_of(&stack);
    let bundle = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --auto-approve";
    run(&machine, bundle, Some("lost.toml")).ok();
    // One that changes nothing of it casts no doubt.
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, bundle, Some("lost.toml")).ok();
    machine.write("s/stack.toml", &stack.replace("west.example.com", "west2.example.com"));
    run(&machine, "failback s --auto-approve", None).ok();
    let over = run(&machine, bundle, Some("lost.toml")).code(3);
    assert!(over.stderr.contains("nobody knows whether traffic.api leads users"), "{over:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, bundle, Some("lost.toml")).ok();
    // While the standby region serves, an apply and another failover are no reason for doubt.
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
}

/// True if there is a record, and a check that reads the alarm of a switch which leads to the standby region.
fn leads(machine: &Drstack) -> bool {
    let objects = machine.objects();
    let all = |kind: &str| -> Vec<(String, Value)> {
        let regions = objects[kind].as_object().into_iter().flatten();
        regions.flat_map(|(_, all)| all.as_object().cloned().unwrap_or_default()).collect()
    };
    let switches = all("traffic-switch").into_iter().filter(|(_, it)| it["live"]["active"] == true);
    let active: Vec<String> = switches.map(|(id, _)| id).collect();
    let read = |it: &Value| {
        it["live"]["of"]["alarm"]["alarm"].as_str().is_some_and(|it| active.iter().any(|id| id == it))
    };
    !all("dns-record").is_empty() && all("health-check").iter().any(|(_, it)| read(it))
}
