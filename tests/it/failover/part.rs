//! Failing over a part of the stack.

use super::{LOST, STACK, done, machine, run};
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
    let args =
        "failover --bundle s3://demo-control/demo --unsigned --only tag:team=search --auto-approve --json";
    let ran = run(&machine, args, Some("lost.toml")).unasked();
    assert_eq!(done(&ran), ["pool.serving/group"], "{ran:?}");
}
