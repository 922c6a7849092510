//! What was never exported is not restored, what nobody applied does not begin an outage, and what the
//! files leave out is not left behind.

use serde_json::Value;

use super::{LOST, STACK, run};
use crate::drstack::{Drstack, Ran, drstack};

/// Traffic that waits for a cold table.
const COLD: &str = concat!(
    "[table.orders]\nname = \"acme-orders\"\nposture = \"cold\"\nrto = \"4h\"\ntier = 1\n",
    "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
    "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\ntier = 1\n",
);

fn with(more: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{more}"));
    machine.write("lost.toml", LOST);
    let fault = "[[faults]]\nkind = \"table-export\"\noperation = \"create\"\nerror = \"denied\"\n";
    machine.write("unexported.toml", fault);
    machine
}

fn lost(machine: &Drstack, args: &str) -> Ran {
    run(machine, &format!("{args} --auto-approve"), Some("lost.toml"))
}

fn count(machine: &Drstack, kind: &str, region: &str) -> usize {
    machine.objects()[kind][region].as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn a_cold_table_that_was_never_exported_is_not_restored_and_holds_traffic() {
    let machine = with(COLD);
    run(&machine, "apply s --auto-approve", Some("unexported.toml")).code(1);
    let over = lost(&machine, "failover s").code(1);
    let why = "BLOCKED table.orders/table-import: there is no complete export of it, so there is nothing to restore it from";
    assert!(over.stdout.contains(why) && over.stdout.contains("NOT COMPLETE"), "{over:?}");
    assert!(!over.stdout.contains("traffic moved") && !over.stdout.contains("Recovered"), "{over:?}");
    let on = lost(&machine, "failover s --not-waiting-for table.orders").code(1);
    assert!(on.stdout.contains("traffic switched") && on.stdout.contains(why), "{on:?}");
    assert!(!on.stdout.contains("Recovered"), "{on:?}");
    assert_eq!(count(&machine, "table-import", "us-west-2"), 0);
}

#[test]
fn what_was_restored_is_checked_also_where_its_exports_are_gone() {
    let machine = with(&format!("{COLD}[[table.orders.check]]\ntable = \"@table.orders\"\n"));
    run(&machine, "apply s --auto-approve", None).ok();
    lost(&machine, "failover s").code(3);
    meddle(&machine, |world| {
        let exports = world["objects"].as_object_mut().expect("objects").remove("table-copy");
        assert!(exports.is_some(), "{world}");
    });
    let again = lost(&machine, "failover s").code(3);
    assert!(again.stderr.contains("created table.orders/check-1"), "{again:?}");
    assert!(!again.stdout.contains("BLOCKED"), "{again:?}");
}

#[test]
fn a_table_of_the_files_that_was_never_applied_is_missed_or_gone_without() {
    for posture in ["cold", "pilot-light"] {
        let machine = with(COLD);
        run(&machine, "apply s --auto-approve", None).ok();
        let new = format!(
            "[table.fresh]\nname = \"acme-fresh\"\nposture = \"{posture}\"\nrto = \"4h\"\ntier = 1\n"
        );
        machine.write("s/stack.toml", &format!("{STACK}{COLD}{new}"));
        let refused = lost(&machine, "failover s --with-files").code(3);
        assert!(refused.stdout.contains("add `--not-waiting-for table.fresh`"), "{posture}: {refused:?}");
        let on = lost(&machine, "failover s --with-files --not-waiting-for table.fresh").code(1);
        assert!(on.stdout.contains("traffic moved"), "{posture}: {on:?}");
        assert!(on.stdout.contains("BLOCKED table.fresh"), "{posture}: {on:?}");
        assert!(!on.stdout.contains("Recovered"), "{posture}: {on:?}");
    }
}

#[test]
fn a_replica_that_is_deleted_goes_only_once_the_export_is_there() {
    let machine = with("");
    let table = |posture: &str| {
        format!("{STACK}[table.orders]\nname = \"acme-orders\"\nposture = \"{posture}\"\nrto = \"4h\"\n")
    };
    machine.write("s/stack.toml", &table("warm"));
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &table("cold"));
    let apply = "apply s --auto-approve --delete-data table.orders/table-replica";
    let denied = run(&machine, apply, Some("unexported.toml")).code(1);
    assert!(!denied.stderr.contains("deleted table.orders/table-replica"), "{denied:?}");
    assert_eq!(count(&machine, "table-replica", "us-west-2"), 1);
    run(&machine, apply, None).ok();
    assert_eq!(count(&machine, "table-replica", "us-west-2"), 0);
    assert_eq!(count(&machine, "table-copy", "us-west-2"), 1);
}

#[test]
fn a_failover_of_a_destroyed_stack_begins_no_outage() {
    let machine = with("");
    // Its pool has a role, which no failover makes.
    let (serving, traffic) = (STACK.split("[pool.batch]").next(), COLD.split_once("[traffic"));
    let stack = format!("{}[traffic{}", serving.expect("a head"), traffic.expect("its traffic").1);
    machine.write("s/stack.toml", &stack);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "destroy s --auto-approve", None).ok();
    for settings in [None, Some("lost.toml")] {
        let refused = run(&machine, "failover s --auto-approve", settings).code(1);
        assert!(refused.stderr.contains("no step of the failover is possible now"), "{refused:?}");
        assert!(refused.stderr.contains("the mode is unchanged"), "{refused:?}");
    }
    run(&machine, "destroy s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn without_a_bundle_the_files_have_to_name_all_that_stands() {
    for (gone, id) in [("pool.batch", "drstack-demo-pool-batch"), ("traffic.api", "drstack-demo-traffic-api")]
    {
        let machine = with(COLD);
        run(&machine, "apply s --auto-approve", None).ok();
        meddle(&machine, |world| {
            let kept = world["buckets"]["demo-control"]["objects"].as_object_mut().expect("objects");
            kept.remove("bundle.json").expect("a bundle");
        });
        let all = format!("{STACK}{COLD}");
        let tables = all.split("\n[").filter(|it| !it.starts_with(&format!("{gone}]")));
        let rest = tables.collect::<Vec<_>>().join("\n[");
        assert!(rest.len() < all.len(), "{gone} is left out");
        machine.write("s/stack.toml", &rest);
        let refused = lost(&machine, "failover s --unsigned").code(3);
        let why = format!("`{id}` in us-west-2 is of `{gone}`, and these files do not name it");
        assert!(refused.stderr.contains(&why), "{refused:?}");
        let part = lost(&machine, "failover s --unsigned --only pool.serving").unasked();
        assert!(part.stdout.contains("capacity reached"), "{part:?}");
    }
}

#[test]
fn a_pool_that_wants_no_instances_is_predicted_to_miss_the_rto() {
    let machine = with("");
    machine.write("s/stack.toml", &STACK.replace("capacity       = 4", "capacity       = 0"));
    let plan = run(&machine, "plan s --require-rto", None).code(3);
    assert!(plan.stderr.contains("no failover meets an RTO while a pool wants no instances"), "{plan:?}");
    assert!(plan.stdout.contains("RTO 15m: not met while a pool wants no instances"), "{plan:?}");
}

/// Changes the objects of the simulated world by hand.
fn meddle(machine: &Drstack, change: impl FnOnce(&mut Value)) {
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    change(&mut world["world"]);
    machine.write(".drstack/sim/world.json", &world.to_string());
}

#[test]
fn a_replica_that_is_still_being_made_serves_nothing() {
    let machine = with(COLD);
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &format!("{STACK}{}", COLD.replace("cold", "pilot-light")));
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &format!("{STACK}{COLD}"));
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |world| {
        world["objects"]["table-replica"]["us-west-2"]["acme-orders"]["live"]["status"] = "CREATING".into();
    });
    let over = lost(&machine, "failover s").code(1);
    assert!(
        over.stdout.contains("is there for table.orders/table-replica, and serves nothing yet"),
        "{over:?}"
    );
    assert!(!over.stdout.contains("traffic moved") && !over.stdout.contains("Recovered"), "{over:?}");
    assert!(over.stdout.contains("--not-waiting-for table.orders"), "{over:?}");
}

#[test]
fn a_part_is_named_as_the_stack_names_it() {
    let machine = with("");
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &STACK.replace("pool.batch", "pool.bulk"));
    let refused = lost(&machine, "failover s --with-files --only pool.batch").code(64);
    assert!(refused.stderr.contains("`pool.batch` names nothing of this stack"), "{refused:?}");
    assert!(refused.stderr.contains("did you mean `pool.bulk`?"), "{refused:?}");
}

#[test]
fn without_a_bundle_a_cold_table_that_the_files_leave_out_is_missed() {
    let machine = with(COLD);
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |world| {
        let kept = world["buckets"]["demo-control"]["objects"].as_object_mut().expect("objects");
        kept.remove("bundle.json").expect("a bundle");
    });
    let traffic = COLD.split_once("[traffic").expect("traffic").1;
    machine.write("s/stack.toml", &format!("{STACK}[traffic{traffic}"));
    let refused = lost(&machine, "failover s --unsigned").code(3);
    let why = "the last run followed table acme-orders of the primary, and these files do not name it";
    assert!(refused.stderr.contains(why), "{refused:?}");
}

#[test]
fn traffic_moves_though_control_bucket_and_zones_are_lost_and_its_alarm_is_made_again() {
    let traffic = COLD.split_once("[traffic").expect("traffic").1;
    let (first, _) = STACK.split_once("[pool.serving]").expect("a head");
    let pool = "[pool.web]\nimage = \"ami-0123456789abcdef0\"\nnetwork = \"@network.standby\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 4\n";
    let queue = "[queue.jobs]\nname = \"acme-jobs\"\n";
    let machine = with("");
    machine.write("s/stack.toml", &format!("{first}{pool}{queue}[traffic{traffic}"));
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |world| {
        world["buckets"].as_object_mut().expect("buckets").clear();
    });
    let over = lost(&machine, "failover s --without-control").unasked();
    assert!(over.stdout.contains("traffic switched"), "{over:?}");
    let machine = with("");
    machine.write("s/stack.toml", &format!("{first}{pool}[traffic{traffic}"));
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |world| {
        world["objects"]["alarm"]["us-west-2"].as_object_mut().expect("alarms").clear();
    });
    let over = lost(&machine, "failover s").unasked();
    assert!(over.stderr.contains("created traffic.api/alarm"), "{over:?}");
    assert!(over.stdout.contains("traffic moved"), "{over:?}");
}

/// Credentials that may not read are not a region that does not answer: waiting never helps.
#[test]
fn a_failback_tells_a_denied_look_from_a_silent_region() {
    let machine = with(COLD);
    run(&machine, "apply s --auto-approve", None).ok();
    lost(&machine, "failover s").code(3);
    for (error, said, unsaid) in [
        ("denied", "not all of us-east-1 can be looked at", "does not answer yet"),
        ("expired", "not all of us-east-1 can be looked at", "does not answer yet"),
        ("internal", "us-east-1 does not answer yet", "not all of us-east-1"),
    ] {
        let fault = "[[faults]]\nkind = \"health-check\"\noperation = \"list\"\n";
        machine.write("faults.toml", &format!("{fault}error = \"{error}\"\n"));
        let refused = run(&machine, "failback s --auto-approve", Some("faults.toml")).code(3);
        assert!(refused.stderr.contains(said) && !refused.stderr.contains(unsaid), "{error}: {refused:?}");
    }
    run(&machine, "failback s --auto-approve", None).ok();
}
