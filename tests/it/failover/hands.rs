//! Somebody deletes, renames or takes something in the standby region: what drstack says of it is so, and some
//! command leads on.

use serde_json::Value;

use super::{BATCH, CHECK, LOST, STACK, machine_of, run};
use crate::drstack::Drstack;

/// A name that users find the standby region by, and a fence.
const TRAFFIC: &str = concat!(
    "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
    "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n",
);

const TABLE: &str = "[table.features]\nname = \"acme-features\"\n";

const COLD: &str = "[table.orders]\nname = \"acme-orders\"\nposture = \"cold\"\nrto = \"4h\"\n";

/// Changes the objects of the simulated cloud by hand.
fn meddle(machine: &Drstack, change: impl FnOnce(&mut Value)) {
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    change(&mut world["world"]["objects"]);
    machine.write(".drstack/sim/world.json", &world.to_string());
}

/// Takes the tags of all objects of a kind in a region away.
fn untag(objects: &mut Value, kind: &str, region: &str) {
    let all = objects[kind][region].as_object_mut().unwrap_or_else(|| panic!("no {kind} in {region}"));
    assert!(!all.is_empty(), "no {kind} in {region}");
    all.values_mut().for_each(|it| it["owner"] = "foreign".into());
}

fn there(machine: &Drstack, kind: &str) -> Vec<String> {
    let objects = machine.objects();
    objects[kind]["us-west-2"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

/// Only the primary makes a replica, so no failover does, and only a failover completes a failover.
#[test]
fn a_replica_that_is_deleted_while_the_standby_region_serves_is_made_by_an_apply_in_between() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}{TABLE}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    meddle(&machine, |objects| {
        assert!(objects.as_object_mut().expect("objects").remove("table-replica").is_some(), "no replica");
    });
    let over = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(over.stdout.contains("BLOCKED table.features/table-replica"), "{over:?}");
    assert!(over.stdout.contains("run `drstack apply STACK` while the primary answers"), "{over:?}");
    let apply = run(&machine, "apply s --auto-approve", None).code(3);
    assert!(apply.stderr.contains("created table.features/table-replica"), "{apply:?}");
    assert!(apply.stderr.contains("run `drstack failover s` again"), "{apply:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// What a failover can do, it does: an apply takes no part of it over.
#[test]
fn an_apply_waits_for_a_failover_that_has_more_to_do() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}{TABLE}"));
    machine.write("none.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 3 }}\n"));
    run(&machine, "failover s --auto-approve", Some("none.toml")).code(1);
    meddle(&machine, |objects| {
        assert!(objects.as_object_mut().expect("objects").remove("table-replica").is_some(), "no replica");
    });
    let apply = run(&machine, "apply s --auto-approve", None).code(4);
    assert!(apply.stderr.contains("a change to mode `active` is not complete"), "{apply:?}");
    assert!(there(&machine, "table-replica").is_empty());
}

/// The health check asks the old alarm until traffic can be handed over to the new one.
#[test]
fn the_alarm_of_a_renamed_name_stays_while_its_handover_is_blocked() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    let before = there(&machine, "alarm");
    meddle(&machine, |objects| untag(objects, "launch-template", "us-west-2"));
    machine
        .write("s/stack.toml", &format!("{STACK}{CHECK}{}", TRAFFIC.replace("traffic.api", "traffic.front")));
    let apply = run(&machine, "apply s --auto-approve", None).code(1);
    assert!(apply.stdout.contains("traffic.front/traffic-switch: traffic stays where it is"), "{apply:?}");
    assert!(apply.stdout.contains("is or may be in use, and what uses it is not changed now"), "{apply:?}");
    let after = there(&machine, "alarm");
    assert!(before.iter().all(|it| after.contains(it)), "{before:?} {after:?}");
}

/// A failover would restore the table under a name that another has.
#[test]
fn a_cold_table_whose_name_is_another_s_is_blocked_before_the_failover() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}{COLD}"));
    run(&machine, "status s", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    meddle(&machine, |objects| untag(objects, "table-import", "us-west-2"));
    let why = "table.orders/table-import: a failover would be blocked: `acme-orders` exists without the tags";
    for (command, code) in [("status s", 3), ("apply s --auto-approve", 1), ("sync s", 1), ("plan s", 1)] {
        let ran = run(&machine, command, None).code(code);
        assert!(ran.stdout.contains(why), "{command}: {ran:?}");
    }
    // Nobody knows what a look would have shown that is denied.
    let fault = "[[faults]]\nkind = \"table-import\"\noperation = \"read\"\nerror = \"denied\"\n";
    machine.write("blind.toml", fault);
    let blind = run(&machine, "status s", Some("blind.toml")).code(1);
    assert!(blind.stdout.contains("not known: ") && blind.stdout.contains("NOT KNOWN"), "{blind:?}");
}

/// A failover makes no image, so another one brings nothing.
#[test]
fn what_only_an_apply_makes_is_left_to_one_while_the_standby_region_serves() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    meddle(&machine, |objects| objects["image"]["us-west-2"] = serde_json::json!({}));
    let status = run(&machine, "status s", None).code(3);
    assert!(status.stdout.contains("run `drstack apply s`"), "{status:?}");
    assert!(!status.stdout.contains("run `drstack failover s`"), "{status:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let status = run(&machine, "status s", None).code(3);
    assert!(!status.stdout.contains("run `drstack apply s`"), "{status:?}");
}

/// What runs needs no image, so it holds nothing; whoever fails over has to know that nothing more comes up from it.
#[test]
fn a_failover_says_that_an_image_is_gone() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    meddle(&machine, |objects| objects["image"]["us-west-2"] = serde_json::json!({}));
    for command in ["failover s --dry-run", "failover s --auto-approve"] {
        let ran = run(&machine, command, Some("lost.toml")).ok();
        let said = "pool.serving/image: its copy is gone: what runs goes on, and no instance can be launched from it";
        assert!(ran.stdout.contains(said), "{command}: {ran:?}");
    }
}

/// What has the stack's name and not its tags may be its own: whoever destroys it has to know.
#[test]
fn a_destroy_names_what_it_leaves_without_tags() {
    let more = "[fence.writers]\n[queue.jobs]\nname = \"demo-jobs\"\n";
    let stack = format!("{STACK}{BATCH}{more}");
    for (kind, region) in [
        ("parameter", "us-west-2"),
        ("queue", "us-west-2"),
        ("replication-role", "global"),
        ("alarm", "us-west-2"),
    ] {
        let machine = machine_of(&format!("{stack}{TRAFFIC}"));
        meddle(&machine, |objects| untag(objects, kind, region));
        for command in ["plan s --destroy", "destroy s --auto-approve", "destroy s --auto-approve"] {
            let ran = run(&machine, command, None);
            assert!(ran.stdout.contains("tags"), "{kind} {command}: {ran:?}");
        }
        let left = machine.objects()[kind][region].as_object().map_or(0, serde_json::Map::len);
        assert!(left > 0, "{kind}: another's is not deleted");
    }
}

/// Dropping the weights is a change of the record, and moves users as the weights do.
#[test]
fn nothing_shrinks_before_a_record_that_gets_another_policy_has_led_users_away() {
    let weighted = "policy = \"weighted\"\nramp = [\"5%\", \"100%\"]\n";
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}{weighted}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    // The files drop the weights, which say that the standby region serves alone.
    machine.write("s/stack.toml", &format!("{STACK}{CHECK}{TRAFFIC}"));
    machine.write(
        "denied.toml",
        "[[faults]]\nkind = \"dns-record\"\noperation = \"update\"\nerror = \"denied\"\n",
    );
    let failed = run(&machine, "failback s --auto-approve", Some("denied.toml")).code(1);
    assert!(failed.stdout.contains("FAILED traffic.api/dns-record"), "{failed:?}");
    assert!(!failed.stderr.contains("changed pool.serving/group"), "{failed:?}");
    let back = run(&machine, "failback s --auto-approve --json", None).ok();
    let done: Vec<String> = super::done(&back);
    let at = |address: &str| done.iter().position(|it| it == address).unwrap_or_else(|| panic!("{done:?}"));
    assert!(at("traffic.api/dns-record") < at("pool.serving/group"), "{done:?}");
}

/// The rule works with what the role allows: the old copy is fed until the new one is there.
#[test]
fn a_role_allows_the_old_copy_until_the_new_one_is_made() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    let roles = || machine.objects()["replication-role"].clone();
    let before = roles();
    let moved = format!("{STACK}{CHECK}")
        .replace("[bucket.models]\n", "[bucket.models]\nstandby_name = \"acme-new\"\n");
    assert!(moved.contains("standby_name"), "{moved}");
    machine.write("s/stack.toml", &moved);
    machine
        .write("denied.toml", "[[faults]]\nkind = \"bucket\"\noperation = \"create\"\nerror = \"denied\"\n");
    let failed = run(&machine, "apply s --auto-approve", Some("denied.toml")).code(1);
    assert!(failed.stderr.contains("skipped bucket.models/replication-role"), "{failed:?}");
    assert_eq!(roles(), before);
    run(&machine, "apply s --auto-approve", None).ok();
    assert_ne!(roles(), before);
}

/// Where the new copy is another stack's, nothing of the old replication changes.
#[test]
fn a_role_stays_as_it_is_where_the_new_copy_is_another_s() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    let roles = || machine.objects()["replication-role"].clone();
    let before = roles();
    let other = serde_json::json!({"stack": {"stack": "other", "address": "bucket.y/bucket"}});
    meddle(&machine, |objects| {
        let all = objects["bucket"]["us-west-2"].as_object_mut().expect("buckets");
        let mut taken = all.values().next().expect("a copy").clone();
        taken["owner"] = other;
        all.insert("acme-new".to_owned(), taken);
    });
    let moved = "[bucket.models]\nstandby_name = \"acme-new\"\n";
    machine.write("s/stack.toml", &format!("{STACK}{CHECK}").replace("[bucket.models]\n", moved));
    let apply = run(&machine, "apply s --auto-approve", None).code(1);
    assert!(
        apply.stdout.contains("bucket.models/replication-role: it stays as it is: it needs"),
        "{apply:?}"
    );
    assert_eq!(roles(), before);
}

/// A group keeps the name that its stack and component give it, and only a failover of a cold pool makes it.
#[test]
fn a_cold_pool_whose_group_has_the_name_of_another_is_blocked_before_the_failover() {
    let cold = STACK.replace("posture = \"warm\"", "posture = \"cold\"").replace("\"15m\"", "\"8h\"");
    let cold = format!("{cold}{CHECK}");
    let machine = machine_of(&cold);
    assert!(there(&machine, "group").is_empty(), "a cold pool has no group");
    run(&machine, "failover s --auto-approve", Some("lost.toml"));
    let name = there(&machine, "group").into_iter().find(|it| it.contains("serving")).expect("a group");
    for (owner, why) in [
        (Value::from("foreign"), "has the name that this stack gives, and no tags"),
        (
            serde_json::json!({"stack": {"stack": "other", "address": "pool.x/group"}}),
            "belongs to stack `other`",
        ),
    ] {
        let other = machine_of(&cold);
        let mut group = machine.objects()["group"]["us-west-2"][&name].clone();
        group["owner"] = owner;
        // It has been there for long.
        (group["created"], group["ready"]) = (0.into(), 0.into());
        meddle(&other, |objects| objects["group"]["us-west-2"][&name] = group);
        let status = run(&other, "status s", None).code(3);
        assert!(status.stdout.contains("pool.serving/group: a failover would be blocked"), "{status:?}");
        assert!(status.stdout.contains(why), "{status:?}");
    }
}

/// A failover that was killed while it asked for a table has left one without tags.
#[test]
fn a_destroy_names_the_table_that_a_failover_began_to_restore() {
    let machine = machine_of(&format!("{STACK}{CHECK}{COLD}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml"));
    run(&machine, "failback s --auto-approve", None).ok();
    meddle(&machine, |objects| untag(objects, "table-import", "us-west-2"));
    let why = "table.orders/table-import: `acme-orders` has the name under which a failover restores it";
    for command in ["plan s --destroy", "destroy s --auto-approve"] {
        let ran = run(&machine, command, None).ok();
        assert!(ran.stdout.contains(why), "{command}: {ran:?}");
    }
    assert_eq!(there(&machine, "table-import"), ["acme-orders"]);
}

/// A change of mode that is not complete goes first: no other command works until then.
#[test]
fn a_status_names_no_command_that_waits_for_the_change_of_mode() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    machine.write(
        "denied.toml",
        "[[faults]]\nkind = \"traffic-switch\"\noperation = \"update\"\nerror = \"denied\"\n",
    );
    run(&machine, "failback s --auto-approve", Some("denied.toml")).code(1);
    let status = run(&machine, "status s", None).code(3);
    assert!(status.stdout.contains("run `drstack failback s`"), "{status:?}");
    for refused in ["run `drstack sync", "run `drstack apply"] {
        assert!(!status.stdout.contains(refused), "{status:?}");
    }
    run(&machine, "failback s --auto-approve", None).ok();
}

/// What runs may be led to by a weight, or by a record of another tool: nothing of it goes unsaid.
#[test]
fn capacity_that_goes_is_named_with_what_is_in_service() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    let said = "1 instance is in service in `drstack-demo-pool-batch` and ends with it: whoever is led to it gets no answer";
    let part = run(&machine, "plan s --destroy --target pool.batch", None).ok();
    assert!(part.stdout.contains(said), "{part:?}");
    let whole = run(&machine, "plan s --destroy", None).ok();
    assert!(!whole.stdout.contains(said), "{whole:?}");
    let (without, _) = STACK.split_once("[pool.batch]").expect("the pool");
    machine.write("s/stack.toml", without);
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stdout.contains(said), "{plan:?}");
}

/// Users who are led to a region whose writers are told to stop are worse off than those who stay.
#[test]
fn a_failback_leads_nobody_to_writers_that_it_could_not_tell() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}[fence.writers]\n"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    let fault =
        "[[faults]]\nsubject = \"epoch\"\nkind = \"parameter\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", fault);
    let denied = run(&machine, "failback s --auto-approve", Some("denied.toml")).code(1);
    assert!(denied.stderr.contains("FAILED changing fence.writers/epoch"), "{denied:?}");
    assert!(!denied.stderr.contains("changed traffic.api/traffic-switch"), "{denied:?}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    let at = |of: &str| back.stderr.find(of).unwrap_or_else(|| panic!("no {of}: {back:?}"));
    assert!(at("changed fence.writers/active-region") < at("changed traffic.api/traffic-switch"), "{back:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// What is being deleted, or never came up, has a name and serves nobody.
#[test]
fn a_replica_that_cannot_serve_holds_the_failover() {
    for (status, serves) in [("ACTIVE", true), ("UPDATING", true), ("CREATING", false), ("DELETING", false)]
        .into_iter()
        .chain([("INACCESSIBLE_ENCRYPTION_CREDENTIALS", false), ("ARCHIVED", false)])
    {
        let machine = machine_of(&format!("{STACK}{CHECK}{TRAFFIC}{TABLE}"));
        meddle(&machine, |objects| {
            objects["table-replica"]["us-west-2"]["acme-features"]["live"]["status"] = status.into();
        });
        for command in ["failover s --auto-approve", "failover s --planned --auto-approve"] {
            let settings = (!command.contains("planned")).then_some("lost.toml");
            let dry = run(&machine, &format!("{command} --dry-run").replace(" --auto-approve", ""), settings);
            assert_eq!(dry.code == 0, serves, "{status}, {command}: {dry:?}");
        }
        let over = run(&machine, "failover s --auto-approve", Some("lost.toml"));
        assert_eq!(over.code == 0, serves, "{status}: {over:?}");
        if !serves {
            assert!(
                over.stdout.contains("BLOCKED table.features/table-replica: the replica is "),
                "{over:?}"
            );
            assert!(!over.stderr.contains("changed traffic.api/traffic-switch"), "{over:?}");
            let without = "failover s --auto-approve --not-waiting-for table.features";
            let on = run(&machine, without, Some("lost.toml")).code(1);
            assert!(on.stderr.contains("changed traffic.api/traffic-switch"), "{on:?}");
        }
    }
}

/// Data that somebody deletes while it serves is made again of what there is: what was written since is lost.
#[test]
fn data_that_is_gone_while_it_serves_is_said_to_be_lost() {
    let machine = machine_of(&format!("{STACK}{CHECK}{TABLE}{COLD}"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "apply s --auto-approve", None).ok();
    meddle(&machine, |objects| {
        let all = objects.as_object_mut().expect("objects");
        assert!(all.remove("table-replica").is_some() && all.remove("table-import").is_some(), "both");
    });
    let apply = run(&machine, "apply s --auto-approve", None);
    for address in ["table.features/table-replica", "table.orders/table-import"] {
        let said = format!(
            "{address}: where a failover left it, it was there and is gone: what was written to it in us-west-2 since is lost"
        );
        assert!(apply.stdout.contains(&said), "{apply:?}");
    }
}
