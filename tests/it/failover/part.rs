//! Failing over a part of the stack.

use serde_json::json;

use super::{LOST, STACK, asked, done, line, machine, run};
use crate::drstack::drstack;

#[test]
fn a_failover_of_a_part_leaves_the_rest_and_an_apply_keeps_it_so() {
    let machine = machine();
    let ran = run(&machine, "failover s --only tier=1 --auto-approve", Some("lost.toml")).unasked();
    assert!(ran.stdout.contains("1 step done") && !ran.stderr.contains("changed pool.batch"), "{ran:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(back.stdout.contains("1 step done"), "{back:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let slip = run(&machine, "failover s --only tier=9 --auto-approve", None).code(64);
    assert!(slip.stderr.contains("no component is of tier `9`"), "{slip:?}");
}

#[test]
fn what_carries_a_tag_is_sealed_with_what_it_needs_and_by_its_bundle_too() {
    let machine = drstack();
    let stack = STACK.replace("tier           = 1", "tag            = { team = \"search\" }");
    machine.write("s/stack.toml", &stack);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let slip = run(&machine, "failover s --only tag:team=serach --auto-approve", None).code(64);
    assert!(slip.stderr.contains("no component has the tag `team=serach`"), "{slip:?}");
    assert!(slip.stderr.contains("did you mean `tag:team=search`?"), "{slip:?}");
    let slip = run(&machine, "failover s --only tag:team --auto-approve", None).code(64);
    assert!(slip.stderr.contains("hint: write it as `tag:team=search`"), "{slip:?}");
    let slip = run(&machine, "failover s --only pool.srving --auto-approve", None).code(64);
    assert!(slip.stderr.contains("error: `pool.srving` names nothing of this stack"), "{slip:?}");
    std::fs::remove_dir_all(machine.folder().join("s")).expect("remove the stack");
    let args = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --only tag:team=search --auto-approve --json";
    let ran = run(&machine, args, Some("lost.toml")).unasked();
    assert_eq!(done(&ran), ["pool.serving/group"], "{ran:?}");
}

/// What serves "already" has served before: the first failover of a part is recorded, also if nothing
/// has to change for it.
#[test]
fn a_part_for_which_nothing_has_to_change_is_recorded() {
    let machine = machine();
    let failed = |part: &str| {
        let args = format!("failover s --only {part} --auto-approve");
        run(&machine, &args, Some("lost.toml")).unasked()
    };
    let bucket = failed("bucket.models");
    let said = "Nothing had to change. It is recorded that us-west-2 serves this part (epoch 1). \
                Still in the primary region: pool.batch and pool.serving.";
    assert!(bucket.stdout.contains(said) && !bucket.stdout.contains("already"), "{bucket:?}");
    // Only what was looked at is counted: a network has eight resources.
    assert!(!bucket.stdout.contains("17 resources match"), "{bucket:?}");
    let network = failed("network.standby");
    assert!(
        network.stdout.contains("It is recorded that us-west-2 serves this part (epoch 2)"),
        "{network:?}"
    );
    assert!(network.stderr.contains("`[[network.standby.check]]`"), "{network:?}");
    let again = failed("network.standby");
    assert!(again.stdout.contains("Nothing to do: us-west-2 serves already."), "{again:?}");
}

#[test]
fn data_that_was_not_asked_for_is_named_as_still_in_the_primary_region() {
    let machine = asked();
    let pools = "failover s --only pool.serving --only pool.batch --auto-approve --json";
    let part = line(&run(&machine, pools, Some("lost.toml")).ok(), "report");
    assert_eq!((&part["verdict"], &part["in_primary"]), (&json!("partial"), &json!(["bucket.models"])));
    let whole = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let said = "Nothing had to change. It is recorded that us-west-2 serves (epoch 2).";
    assert!(whole.stdout.contains(said) && !whole.stdout.contains("the RTO of"), "{whole:?}");
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(again.stdout.contains("Nothing to do: us-west-2 serves already."), "{again:?}");
}

/// Who does not wait for a pool does not leave it as it is: users are led to it.
#[test]
fn a_part_raises_what_its_traffic_does_not_wait_for() {
    let machine = drstack();
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\n";
    machine.write("s/stack.toml", &format!("{STACK}{traffic}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let how = "failover s --only traffic.api --not-waiting-for pool.serving --auto-approve --json";
    let over = run(&machine, how, Some("lost.toml"));
    assert!(done(&over).iter().any(|it| it == "pool.serving/group"), "{over:?}");
}
