//! Objects of the control bucket and copies that are damaged or gone: each command says so, and some
//! command goes on.

use serde_json::json;

use super::forgotten::{desired, meddle};
use super::{LOST, STACK, run};
use crate::drstack::drstack;

/// What a failover would begin with is missing: a plan says so, and the apply that it names helps.
#[test]
fn a_plan_says_that_the_bundle_or_its_bucket_is_gone() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    run(&machine, "apply s --auto-approve", None).ok();
    let gone = |why: &str| {
        let plan = run(&machine, "plan s", None).ok();
        let said = format!("{why}; `drstack apply STACK` puts it in place");
        assert!(plan.stderr.contains(&said), "{plan:?}");
        run(&machine, "apply s --auto-approve", None).ok();
        let plan = run(&machine, "plan s", None).ok();
        assert!(!plan.stderr.contains("puts it in place"), "{plan:?}");
    };
    meddle(&machine, |world| {
        let bucket = world["buckets"]["demo-control"]["objects"].as_object_mut().expect("objects");
        bucket.remove("bundle.json").expect("a bundle");
    });
    gone("there is no bundle in `demo-control`, and a failover from a machine without these files needs one");
    meddle(&machine, |world| world["buckets"] = json!({}));
    gone(
        "control bucket `demo-control` does not exist: a failover needs `--without-control`, and files that leave nothing of a pool to the primary (no `follows`)",
    );
}

/// One damaged object ends nothing: facts come from the bundle, and a failover raises what exists
/// without the bundle.
#[test]
fn a_damaged_record_of_facts_or_bundle_keeps_nobody_from_going_on() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    let damage = |key: &str| {
        meddle(&machine, |world| world["buckets"]["demo-control"]["objects"][key] = json!("{"));
    };
    run(&machine, "apply s --auto-approve", None).ok();
    damage("facts.json");
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stderr.contains("what the bundle has of it counts"), "{plan:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(!plan.stderr.contains("what the bundle has of it counts"), "{plan:?}");
    damage("bundle.json");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    let over = run(&machine, "failover s --auto-approve --unsigned", Some("lost.toml")).unasked();
    assert!(over.stdout.contains("it stays as it is: it needs pool.serving/instance-profile"), "{over:?}");
    assert_eq!(desired(&machine), [4, 8]);
    damage("facts.json");
    run(&machine, "failback s --auto-approve", None).code(1);
    run(&machine, "apply s --auto-approve", None);
}

/// Before the first failover the second record is the only one.
#[test]
fn a_damaged_second_record_is_made_anew_by_the_commands_that_the_hint_names() {
    for way in ["failback s --auto-approve", "apply s --mode standby --auto-approve"] {
        let machine = drstack();
        machine.write("s/stack.toml", STACK);
        run(&machine, "apply s --auto-approve", None).ok();
        meddle(&machine, |world| {
            let parameters = &mut world["objects"]["parameter"]["us-west-2"];
            parameters["/drstack/demo/mode"]["live"]["value"] = "{".into();
        });
        let refused = run(&machine, "plan s", None).code(3);
        assert!(refused.stderr.contains("`/drstack/demo/mode` cannot be read"), "{refused:?}");
        assert!(refused.stderr.contains("`drstack failback STACK`"), "{refused:?}");
        run(&machine, way, None).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

/// A newer record says that the failback is complete, and what serves says that there was none: who wrote
/// it is unknown, and what serves is neither deleted nor reduced.
#[test]
fn a_record_of_a_failback_that_never_was_deletes_nothing() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    meddle(&machine, |world| {
        let record = &mut world["buckets"]["demo-control"]["objects"]["mode.json"];
        let mut value: serde_json::Value =
            serde_json::from_str(record.as_str().expect("text")).expect("a record");
        value["mode"] = "standby".into();
        value["epoch"] = (value["epoch"].as_u64().expect("an epoch") + 1).into();
        *record = value.to_string().into();
    });
    let before = desired(&machine);
    for command in ["plan s", "apply s --auto-approve", "destroy s --auto-approve"] {
        let refused = run(&machine, command, None).code(3);
        let why = "the control bucket `demo-control` says that us-east-1 serves, and";
        assert!(refused.stderr.contains(why), "{command}: {refused:?}");
        assert_eq!(desired(&machine), before, "{command}");
    }
    run(&machine, "apply s --mode active --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    assert_eq!(desired(&machine), before);
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// A copy that will never be one is no copy: an apply makes it again, or asks before it deletes data.
#[test]
fn a_copy_that_failed_is_not_taken_for_one() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}[table.orders]\nname = \"acme-orders\"\n"));
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |world| {
        for image in world["objects"]["image"]["us-west-2"].as_object_mut().expect("images").values_mut() {
            image["live"]["state"] = "failed".into();
        }
        world["objects"]["table-replica"]["us-west-2"]["acme-orders"]["live"]["status"] =
            "CREATION_FAILED".into();
    });
    run(&machine, "plan s --detailed-exitcode", None);
    let ran = run(&machine, "apply s --auto-approve", None).code(1);
    let way = "allow it with `--delete-data table.orders/table-replica`";
    assert!(ran.stdout.contains(way) && ran.stderr.contains("created pool.serving/image"), "{ran:?}");
    run(&machine, "apply s --auto-approve --delete-data table.orders/table-replica", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// What a failover would begin with is said where that is no longer what stands.
#[test]
fn a_failback_with_other_files_and_a_destroy_of_a_part_say_that_the_bundle_is_of_before() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", STACK);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("s/stack.toml", STACK.split("[pool.batch]").next().expect("a head"));
    let old = "the bundle in `demo-control` is of other files";
    for command in ["failback s --auto-approve", "plan s"] {
        let ran = run(&machine, command, None).ok();
        assert!(ran.stderr.contains(old), "{command}: {ran:?}");
    }
    run(&machine, "apply s --auto-approve", None).ok();
    assert!(!run(&machine, "plan s", None).ok().stderr.contains(old));
    let gone = run(&machine, "destroy s --auto-approve --target pool.serving", None).ok();
    assert!(gone.stderr.contains("the bundle still has what was destroyed"), "{gone:?}");
}
