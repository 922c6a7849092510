//! A failover is complete when all of it is, and takes nothing away until the failback.

use serde_json::json;

use super::forgotten::{desired, meddle};
use super::{LOST, STACK, run};
use crate::drstack::drstack;

const TRAFFIC: &str = concat!(
    "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
    "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\n",
);

/// What a run of a part leaves undone of the whole is not complete with it.
#[test]
fn a_part_is_not_all_of_a_failover_that_is_under_way() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{TRAFFIC}"));
    machine.write("lost.toml", LOST);
    let fault =
        "[[faults]]\nkind = \"group\"\noperation = \"update\"\nsubject = \"batch\"\nerror = \"denied\"\n";
    machine.write("denied.toml", &format!("{LOST}{fault}"));
    run(&machine, "apply s --auto-approve", None).ok();
    let first = run(&machine, "failover s --auto-approve", Some("denied.toml")).code(1);
    // Traffic waits for its own tier; half of the capacity is not "reached".
    assert!(
        first.stdout.contains("traffic moved") && !first.stdout.contains("capacity reached"),
        "{first:?}"
    );
    let part = run(&machine, "failover s --only pool.serving --auto-approve", Some("denied.toml")).code(1);
    assert!(part.stderr.contains("A failover of the whole stack is under way"), "{part:?}");
    assert!(part.stdout.contains("The failover is NOT COMPLETE"), "{part:?}");
    let apply = run(&machine, "apply s --auto-approve", None).code(4);
    assert!(apply.stderr.contains("is to go on serving, `drstack failback s"), "{apply:?}");
    let rest = run(&machine, "failover s --only pool.serving --auto-approve", Some("lost.toml"));
    assert!(rest.stdout.contains("capacity reached"), "{rest:?}");
    assert_eq!(desired(&machine), [4, 8]);
}

#[test]
fn an_apply_lowers_no_capacity_while_the_standby_serves() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    for fewer in ["2", "0"] {
        machine.write("s/stack.toml", &STACK.replace("= 8", &format!("= {fewer}")));
        let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
        let says = format!(
            "pool.serving/group: its capacity stays 8 until the failback, and is not lowered to {fewer}"
        );
        assert!(plan.stdout.contains(&says), "{plan:?}");
        run(&machine, "apply s --auto-approve", None).ok();
        assert_eq!(desired(&machine), [4, 8]);
        for how in ["", " --with-files"] {
            run(&machine, &format!("failover s --auto-approve{how}"), Some("lost.toml")).unasked();
            assert_eq!(desired(&machine), [4, 8], "{how}");
        }
    }
    let zero = run(&machine, "validate s", None).ok();
    assert!(zero.stderr.contains("warning[DR238]: pool.serving: a failover starts no instance"), "{zero:?}");
    machine.write("s/stack.toml", &STACK.replace("= 8", "= 12"));
    run(&machine, "apply s --auto-approve", None).ok();
    assert_eq!(desired(&machine), [4, 12]);
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(desired(&machine), [1, 3]);
}

/// Users are still led to the standby region: what leads them is not taken away, and no part of the
/// stack is taken for all that serves there.
#[test]
fn a_failback_that_is_under_way_leads_users_back_before_it_shrinks() {
    let machine = drstack();
    let whole = format!("{STACK}{TRAFFIC}[fence.writers]\n");
    machine.write("s/stack.toml", &whole);
    machine.write("lost.toml", LOST);
    machine.write(
        "ft.toml",
        "[[faults]]\nkind = \"traffic-switch\"\noperation = \"update\"\nerror = \"denied\"\n",
    );
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml"));
    run(&machine, "failback s --auto-approve", Some("ft.toml")).code(1);
    for without in
        [format!("{STACK}[fence.writers]\n"), whole.replace("record = \"api\"", "record = \"www\"")]
    {
        machine.write("s/stack.toml", &without);
        let refused = run(&machine, "failback s --auto-approve", None);
        assert!(refused.code != 0 && desired(&machine) == [4, 8], "{refused:?}");
        assert!(!refused.stdout.contains("deleted"), "{refused:?}");
    }
    machine.write("s/stack.toml", &whole);
    let part = run(&machine, "failover s --only pool.batch --auto-approve", Some("lost.toml")).code(3);
    assert!(part.stderr.contains("a failback is not complete"), "{part:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(desired(&machine), [1, 2]);
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// A failover by files that lack what moves users, or tells applications, would move half of the stack.
#[test]
fn files_without_traffic_or_fence_are_refused_by_a_failover() {
    for (with, address) in [(TRAFFIC, "traffic.api"), ("[fence.writers]\n", "fence.writers")] {
        let machine = drstack();
        machine.write("s/stack.toml", &format!("{STACK}{with}"));
        machine.write("lost.toml", LOST);
        run(&machine, "apply s --auto-approve", None).ok();
        machine.write("s/stack.toml", STACK);
        let refused = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).code(3);
        let why = format!("`{address}` was applied, and these files do not name it");
        assert!(refused.stderr.contains(&why), "{refused:?}");
        assert_eq!(desired(&machine), [1, 2]);
        let over = run(&machine, "failover s --unsigned --auto-approve", Some("lost.toml"));
        assert!([0, 3].contains(&over.code) && desired(&machine) == [4, 8], "{over:?}");
    }
}

/// In a planned failover the primary serves: nobody is led from it to nothing.
#[test]
fn a_planned_failover_leads_nobody_to_a_pool_without_instances() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{}{TRAFFIC}", STACK.replace("= 8", "= 0")));
    run(&machine, "apply s --auto-approve", None).ok();
    let held = run(&machine, "failover s --planned --auto-approve", None).code(3);
    assert!(held.stdout.contains("pool.serving/group (it wants no instances)"), "{held:?}");
    assert!(!held.stdout.contains("traffic moved"), "{held:?}");
    run(&machine, "failback s --auto-approve", None).ok();
}

#[test]
fn a_failback_needs_no_files() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    std::fs::remove_dir_all(machine.folder().join("s")).expect("remove the stack");
    let bundle = "failback --bundle s3://demo-control/demo --region us-west-2 --auto-approve";
    let refused = run(&machine, bundle, None).code(64);
    assert!(refused.stderr.contains("`--unsigned`"), "{refused:?}");
    let back = run(&machine, &format!("{bundle} --unsigned"), None).ok();
    assert!(back.stdout.contains("Failed back to us-east-1"), "{back:?}");
    assert_eq!(desired(&machine), [1, 2]);
    machine.write("s/stack.toml", STACK);
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// Nobody knows what a run without a record recovered from.
#[test]
fn a_run_whose_record_is_lost_recovers_nothing_anew() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{}", super::CHECK));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    meddle(&machine, |world| {
        world["buckets"]["demo-control"]["objects"].as_object_mut().expect("objects").remove("mode.json");
    });
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml"));
    assert!(!again.stdout.contains("Recovered in"), "{again:?}");
    assert!(again.stdout.contains("us-west-2 serves; since when is not known."), "{again:?}");
}

/// A pool that was there would stay at its standby size.
#[test]
fn files_with_fewer_pools_are_refused_by_a_failover_and_renamed_ones_are_not() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", STACK.split("[pool.batch]").next().expect("a head"));
    let fewer = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).code(3);
    assert!(fewer.stderr.contains("`pool.batch` was applied, and these files do not name it"), "{fewer:?}");
    assert_eq!(desired(&machine), [1, 2]);
    machine.write("s/stack.toml", &STACK.replace("[pool.batch]", "[pool.jobs]"));
    let renamed = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).unasked();
    assert!(!renamed.stdout.contains("NOT RAISED"), "{renamed:?}");
}

/// A copy that lost its tags may be the stack's: what feeds it goes on.
#[test]
fn a_destroy_keeps_what_feeds_a_copy_that_lost_its_tags() {
    for owner in [json!("foreign"), json!({ "claimed": { "stack": "demo", "address": null } })] {
        let machine = drstack();
        machine.write("s/stack.toml", STACK);
        run(&machine, "apply s --auto-approve", None).ok();
        meddle(&machine, |world| {
            let buckets = world["objects"]["bucket"]["us-west-2"].as_object_mut().expect("buckets");
            buckets.values_mut().for_each(|it| it["owner"] = owner.clone());
        });
        let gone = run(&machine, "destroy s --auto-approve", None).ok();
        assert!(gone.stdout.contains("it still feeds data that is kept"), "{gone:?}");
        let rules = machine.objects()["replication-rule"]["us-east-1"].as_object().map(serde_json::Map::len);
        assert_eq!(rules, Some(1), "{gone:?}");
    }
}

/// Facts of an apply that was never complete are asked for again.
#[test]
fn damaged_facts_before_the_first_complete_apply_keep_nobody_from_it() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine
        .write("denied.toml", "[[faults]]\nkind = \"group\"\noperation = \"create\"\nerror = \"denied\"\n");
    run(&machine, "apply s --auto-approve", Some("denied.toml")).code(1);
    meddle(&machine, |world| world["buckets"]["demo-control"]["objects"]["facts.json"] = json!("{"));
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stderr.contains("the primary is asked anew"), "{plan:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!plan.stderr.contains("asked anew"), "{plan:?}");
}
