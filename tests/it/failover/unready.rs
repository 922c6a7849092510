//! What is as the stack has it, and is not ready: no command says that all is well.

use super::{STACK, run};
use crate::drstack::drstack;

/// A group that found fewer instances than it wants has nothing to change, and is not what a failover
/// was promised.
#[test]
fn an_apply_and_a_failback_that_leave_a_group_short_say_so() {
    let machine = drstack();
    let short = "capacity = { \"g5.xlarge@us-west-2\" = 3 }\n";
    machine.write("short.toml", short);
    machine.write("lost.toml", &format!("down = [\"us-east-1\", \"global\"]\n{short}"));
    machine.write("s/stack.toml", STACK);
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &STACK.replace("capacity       = 8", "capacity       = 16"));
    run(&machine, "apply s --auto-approve", Some("short.toml")).code(1);
    let why = "us-west-2 is as the stack has it, and not ready yet: pool.serving/group: 3 of 4 instances in service";
    let again = run(&machine, "apply s --auto-approve", Some("short.toml")).code(3);
    assert!(again.stdout.contains("No changes.") && again.stderr.contains(why), "{again:?}");
    run(&machine, "apply s --target pool.batch --auto-approve", Some("short.toml")).ok();
    run(&machine, "apply s --target pool.serving --auto-approve", Some("short.toml")).code(3);
    // With something else to change, too.
    machine.write(
        "s/stack.toml",
        &STACK.replace("capacity       = 8", "capacity       = 16").replace("= 4\n", "= 8\n"),
    );
    let more = run(&machine, "apply s --auto-approve", Some("short.toml")).code(3);
    assert!(more.stdout.contains("Apply complete") && more.stderr.contains(why), "{more:?}");
    run(&machine, "plan s --detailed-exitcode", Some("short.toml")).ok();

    run(&machine, "failover s --auto-approve --minimum 10%", Some("lost.toml")).code(3);
    run(&machine, "failback s --auto-approve", Some("short.toml")).code(1);
    let back = run(&machine, "failback s --auto-approve", Some("short.toml")).code(3);
    // Since when is not known any more: the record says when the failback began.
    assert!(back.stdout.contains("us-west-2 has served.\n"), "{back:?}");
    assert!(!back.stdout.contains("written since the failover"), "{back:?}");
    assert!(back.stdout.contains("Failed back to us-east-1") && back.stderr.contains(why), "{back:?}");
    let serves = run(&machine, "failback s --auto-approve", Some("short.toml")).ok();
    assert!(serves.stdout.contains("nothing to fail back from"), "{serves:?}");
}
