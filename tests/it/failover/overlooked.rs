//! What a run overlooked once: a name that leads nowhere, a stack under another name, a record that says
//! nothing, tags that one resource has lost.

use serde_json::{Value, json};

use super::forgotten::{desired, meddle, take_tags, world};
use super::{BATCH, CHECK, LOST, STACK, run};
use crate::drstack::{Drstack, drstack};

fn applied(stack: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", stack);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

fn groups(machine: &Drstack) -> Value {
    world(machine)["world"]["objects"]["group"].clone()
}

/// A destroy of a stack that was renamed found nothing of the new name, and said that nothing was left.
#[test]
fn a_destroy_asks_as_a_plan_does_whether_the_stack_has_another_name() {
    let text = STACK.replace("control = \"demo-control\"\n", "");
    let machine = applied(&text);
    machine.write("s/stack.toml", &text.replace("name    = \"demo\"", "name    = \"demo2\""));
    let before = groups(&machine);
    for command in ["plan s", "plan s --destroy", "destroy s --auto-approve"] {
        let refused = run(&machine, command, None).code(3);
        assert!(refused.stderr.contains("is this `demo` under another name?"), "{refused:?}");
    }
    assert_eq!(groups(&machine), before);
    machine.write("s/stack.toml", &text);
    run(&machine, "destroy s --auto-approve", None).ok();
}

/// The record is damaged, and all else says that the primary serves, or nothing does: no apply moves to the
/// standby region.
#[test]
fn no_apply_moves_to_the_standby_region_on_the_word_of_a_damaged_record() {
    for is_said_twice in [true, false] {
        let machine = applied(STACK);
        meddle(&machine, |world| {
            world["buckets"]["demo-control"]["objects"]["mode.json"] = json!("{}");
            if !is_said_twice {
                let parameters = world["objects"]["parameter"]["us-west-2"].as_object_mut();
                parameters.expect("parameters").remove("/drstack/demo/mode").expect("a second record");
            }
        });
        let before = groups(&machine);
        let refused = run(&machine, "apply s --auto-approve --mode active", None).code(3);
        assert!(
            refused.stderr.contains("use `drstack failover STACK`: it records the mode anew"),
            "{refused:?}"
        );
        assert_eq!(groups(&machine), before);
        run(&machine, "apply s --auto-approve --mode standby", None).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

/// A planned failover can ask where the name leads: a switch alone moves nobody.
#[test]
fn a_planned_failover_begins_only_where_the_record_is_that_leads_users() {
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/\"\n";
    let machine = applied(&format!("{STACK}{BATCH}{traffic}"));
    let mut gone = Value::Null;
    meddle(&machine, |world| gone = std::mem::take(&mut world["objects"]["dns-record"]["global"]));
    meddle(&machine, |world| world["objects"]["dns-record"]["global"] = json!({}));
    assert_eq!(gone.as_object().map(serde_json::Map::len), Some(1));
    let before = groups(&machine);
    let refused = run(&machine, "failover s --planned --auto-approve", None).code(3);
    assert!(refused.stdout.contains("traffic.api/dns-record: no name leads users without it"), "{refused:?}");
    assert_eq!(groups(&machine), before);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --planned --auto-approve", None).ok();
}

/// No prediction is held against an RTO where there is nothing to fail over with.
#[test]
fn a_plan_promises_no_recovery_without_a_bundle() {
    let machine = applied(&format!("{STACK}{CHECK}"));
    let plan = "plan s --require-rto";
    assert!(run(&machine, plan, None).ok().stdout.contains("A failover now would take"));
    // Who could not look does not take it for gone.
    let blind = "[[faults]]\noperation = \"control\"\nsubject = \"bundle.json\"\nerror = \"denied\"\n";
    machine.write("blind.toml", blind);
    let unseen = run(&machine, plan, Some("blind.toml")).code(1);
    assert!(!unseen.stderr.contains("without the bundle"), "{unseen:?}");
    meddle(&machine, |world| world["buckets"] = json!({}));
    let lacks = run(&machine, plan, None).code(3);
    assert!(!lacks.stdout.contains("A failover now would take"), "{lacks:?}");
    assert!(lacks.stderr.contains("no RTO is met without the bundle"), "{lacks:?}");
    // Nothing is known of the primary: the files have to say what the pools are.
    machine
        .write("f/stack.toml", &STACK.replace("instance_types = [\"g5.xlarge\"]\ncapacity       = 8\n", ""));
    let lost = run(&machine, "failover f --without-control --auto-approve", Some("lost.toml")).code(1);
    assert!(
        lost.stderr.contains("`image`, `instance_types` and `capacity` in the place of `follows`"),
        "{lost:?}"
    );
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, plan, None).ok();
}

/// What only an id leads to, and nothing uses, cannot be found without its tags: the refusal names them.
#[test]
fn an_endpoint_that_lost_its_tags_is_named_with_the_tags_to_give() {
    let machine = applied(STACK);
    take_tags(&machine, &["gateway-endpoint"], &json!("foreign"));
    let refused = run(&machine, "apply s --auto-approve", None).code(1);
    let said = "give it the tags `drstack:stack` with the value demo, `drstack:address` with the value network.standby/endpoint-s3";
    assert!(refused.stderr.contains(said), "{refused:?}");
}

/// A check asks what runs, and not what that was started from.
#[test]
fn a_template_that_lost_its_tags_keeps_no_check_from_asking() {
    let machine = applied(&format!("{STACK}{CHECK}"));
    take_tags(&machine, &["launch-template"], &json!("foreign"));
    let over = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(over.stdout.contains("it is raised as it runs"), "{over:?}");
    assert!(over.stdout.contains("Recovered in"), "{over:?}");
    assert_eq!(desired(&machine), [4, 8]);
}

/// A failover that is run again after a planned one changes nothing, and begins nothing.
#[test]
fn a_failover_after_a_planned_one_says_that_the_region_serves_already() {
    let machine = applied(&format!("{STACK}{CHECK}"));
    run(&machine, "failover s --planned --auto-approve", None).ok();
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(again.stdout.contains("Nothing to do: us-west-2 serves already"), "{again:?}");
}

/// An export lies in the control bucket, and goes with it: nothing is restored from it after that.
#[test]
fn an_export_goes_with_the_control_bucket() {
    let cold = "[table.archive]\nname = \"acme-archive\"\nposture = \"cold\"\n";
    let machine = applied(&format!("{}{cold}", STACK.replace("rto     = \"15m\"\n", "")));
    let copies = || {
        world(&machine)["world"]["objects"]["table-copy"]["us-west-2"].as_object().map(serde_json::Map::len)
    };
    assert_eq!(copies(), Some(1));
    run(&machine, "destroy s --auto-approve --delete-data bucket.models --delete-data control", None).ok();
    assert_eq!(copies(), Some(0));
    let again = run(&machine, "apply s --auto-approve", None).ok();
    assert!(again.stdout.contains("+ table-export"), "{again:?}");
}

/// A failover makes no copy, and asks whether each is there: one that is gone keeps traffic where it is, until
/// somebody decides to go without.
#[test]
fn a_copy_that_is_gone_is_no_recovery() {
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/\"\n";
    let table = "[table.features]\nname = \"acme-features\"\n";
    let stack = format!("{STACK}{CHECK}{traffic}{table}").replace(
        "buckets        = [\"@bucket.models\"]\n",
        "buckets        = [\"@bucket.models\"]\ntables         = [\"@table.features\"]\n",
    );
    for (kind, component) in [("bucket", "bucket.models"), ("table-replica", "table.features")] {
        let machine = applied(&stack);
        meddle(&machine, |world| world["objects"][kind]["us-west-2"] = json!({}));
        let switches = || world(&machine)["world"]["objects"]["traffic-switch"].clone();
        let before = switches();
        let lost = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
        assert!(lost.stdout.contains(&format!("BLOCKED {component}/{kind}: ")), "{lost:?}");
        assert!(lost.stdout.contains(&format!("`--not-waiting-for {component}`")), "{lost:?}");
        assert_eq!(switches(), before, "traffic stays");
        assert_eq!(desired(&machine), [4, 8], "and capacity is there for it");
        let without = format!("failover s --auto-approve --not-waiting-for {component}");
        run(&machine, &without, Some("lost.toml")).code(1);
        assert_ne!(switches(), before, "traffic moves on somebody's word");
        run(&machine, "failback s --auto-approve", None);
    }
}

/// What runs needs no image: one that is gone keeps nobody from moving to it.
#[test]
fn an_image_that_is_gone_holds_no_traffic_of_what_runs() {
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/\"\n";
    let machine = applied(&format!("{STACK}{CHECK}{traffic}").replace("\"warm\"", "\"hot\""));
    meddle(&machine, |world| world["objects"]["image"]["us-west-2"] = json!({}));
    let over = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(over.stdout.contains("Recovered in"), "{over:?}");
}

/// Where nobody can look, a copy counts as the last apply left it, and the report says so.
#[test]
fn a_report_names_the_data_that_nobody_could_look_at() {
    let machine = applied(&format!("{STACK}{CHECK}"));
    let fault = "[[faults]]\nkind = \"bucket\"\noperation = \"read\"\nerror = \"denied\"\n";
    machine.write("blind.toml", &format!("{LOST}{fault}"));
    let over = run(&machine, "failover s --auto-approve", Some("blind.toml")).ok();
    assert!(over.stdout.contains("Recovered in"), "{over:?}");
    assert!(over.stdout.contains("NOT LOOKED AT: the data of bucket.models"), "{over:?}");
    let machine = applied(&format!("{STACK}{CHECK}"));
    let over = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(!over.stdout.contains("NOT LOOKED AT"), "{over:?}");
}

/// A destroy that cannot be whole says so before it destroys anything.
#[test]
fn the_control_bucket_goes_with_the_whole_stack_or_nothing_goes() {
    let machine = applied(STACK);
    let before = groups(&machine);
    let args = "destroy s --auto-approve --target pool.batch --delete-data control";
    for args in [args, "plan s --destroy --target pool.batch --delete-data control"] {
        let refused = run(&machine, args, None).code(64);
        assert!(refused.stderr.contains("the control bucket goes only with the whole stack"), "{refused:?}");
        assert_eq!(groups(&machine), before);
    }
}

/// An epoch that nobody can read stops every writer: it is no older one that stays.
#[test]
fn an_epoch_that_cannot_be_read_is_written_again() {
    let machine = applied(&format!("{STACK}[fence.writers]\n"));
    let epoch = |machine: &Drstack| {
        world(machine)["world"]["objects"]["parameter"]["us-west-2"]["/drstack/demo/epoch"]["live"]["value"]
            .clone()
    };
    assert_eq!(epoch(&machine), "0");
    for damage in ["x", "", "-3"] {
        meddle(&machine, |world| {
            world["objects"]["parameter"]["us-west-2"]["/drstack/demo/epoch"]["live"]["value"] =
                json!(damage);
        });
        let plan = run(&machine, "plan s --detailed-exitcode", None).code(2);
        assert!(plan.stdout.contains("~ epoch"), "{plan:?}");
        run(&machine, "apply s --auto-approve", None).ok();
        assert_eq!(epoch(&machine), "0");
    }
}
