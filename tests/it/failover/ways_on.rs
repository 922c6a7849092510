//! What a failover and a plan name as the way on, in the very state.

use super::{LOST, STACK, asked, machine, machine_of, run};

/// An instance profile is global: no failover creates it.
#[test]
fn after_a_destroy_a_failover_names_what_creates_what_it_lacks() {
    let machine = machine();
    run(&machine, "destroy s --auto-approve", None).ok();
    let watched = run(&machine, "failover s --watch", None).ok();
    assert!(!watched.stderr.contains("warning: there is no bundle"), "{watched:?}");
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(ran.stderr.contains("warning: there is no bundle of a complete apply"), "{ran:?}");
    assert!(ran.stderr.contains("once us-east-1 answers, run `drstack apply STACK`"), "{ran:?}");
    assert!(ran.stderr.contains("once us-east-1 answers, run `drstack failback STACK`"), "{ran:?}");
    assert!(!ran.stderr.contains("fix the "), "{ran:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_call_that_is_denied_asks_for_the_permission_and_for_no_minimum() {
    let machine = asked();
    let fault = "[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", &format!("{LOST}{fault}"));
    let ran = run(&machine, "failover s --auto-approve", Some("denied.toml")).code(1);
    assert!(ran.stderr.contains("hint: allow `group:update`"), "{ran:?}");
    assert!(!ran.stderr.contains("--minimum"), "{ran:?}");
}

#[test]
fn a_plan_while_the_standby_region_serves_waits_for_the_lost_primary() {
    let machine = asked();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let ran = run(&machine, "plan s", Some("lost.toml"));
    let hint = "hint: us-west-2 serves meanwhile; run this again once";
    assert!(ran.stderr.contains(hint) && !ran.stderr.contains("fix the items"), "{ran:?}");
}

#[test]
fn a_field_that_components_inherit_is_named_once() {
    let machine = machine_of(STACK);
    machine.write("s/stack.toml", &STACK.replace("\"15m\"", "\"20m\""));
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(64);
    assert!(ran.stderr.contains(": `[stack] rto` differs"), "{ran:?}");
    assert!(ran.stderr.contains("hint: fail over with what was applied: `--unsigned`"), "{ran:?}");
    // A component's own value still is one of its differences.
    machine.write("s/stack.toml", &STACK.replace("tier           = 1", "tier           = 1\nrto = \"20m\""));
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(64);
    assert!(ran.stderr.contains(": `pool.serving` differs"), "{ran:?}");
}
