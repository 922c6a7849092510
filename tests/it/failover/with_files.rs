//! `--with-files`: what was edited after the last apply counts in a failover if the operator says so.

use super::{CHECK, LOST, STACK, line, machine_of, run};
use crate::drstack::Drstack;

#[test]
fn files_that_are_newer_than_what_was_applied_count_only_if_the_operator_says_so() {
    let stack = format!("{}{CHECK}", STACK.replace("capacity       = 8", "capacity       = 40"));
    let machine = machine_of(&stack);
    // There are eight of the usual instances, and many of another type.
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 8 }}\n"));
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    machine.write("s/stack.toml", &stack.replace("[\"g5.xlarge\"]", "[\"g5.xlarge\", \"g6.xlarge\"]"));
    let asked = run(&machine, "failover s --auto-approve", Some("short.toml")).code(64);
    assert!(asked.stderr.contains("`pool.serving` differ"), "{asked:?}");
    let same = run(&machine, "failover s --auto-approve --unsigned", Some("short.toml")).code(1);
    assert!(same.stderr.contains("with what was applied (`--with-files` takes the files)"), "{same:?}");
    let ran = run(&machine, "failover s --with-files --auto-approve --json", Some("short.toml"));
    let report = line(&ran, "report");
    assert_eq!(
        (&report["verdict"], &report["in_service"]["after"]),
        (&"recovered".into(), &44.into()),
        "{report:#}"
    );
    assert_eq!(report["refused_calls"], serde_json::json!([]), "{report:#}");
}

#[test]
fn files_that_are_invalid_are_refused_before_anything_is_done() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    machine.write("s/stack.toml", &format!("{STACK}[pool.typo]\nfollow = \"x\"\n"));
    let ran = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).code(65);
    assert!(ran.stderr.contains("did you mean `follows`?"), "{ran:?}");
}

/// Returns a machine that failed over with files that say 8 instances in place of 6.
fn grown() -> (Drstack, String) {
    let six = format!("{}{CHECK}", STACK.replace("capacity       = 8", "capacity       = 6"));
    let machine = machine_of(&six);
    machine.write("s/stack.toml", &six.replace("capacity       = 6", "capacity       = 8"));
    let ran = run(&machine, "failover s --with-files --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&ran, "report")["in_service"]["after"], 12, "{ran:?}");
    (machine, six)
}

/// What a failover began with is kept until the failback, and no run of it takes capacity back.
#[test]
fn a_failover_that_began_with_files_goes_on_with_them() {
    let (machine, six) = grown();
    let plan = run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    assert!(plan.stdout.contains("Plan: 0 to add, 0 to change, 0 to destroy"), "{plan:?}");
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(
        again.stderr.contains("This failover began with the files of the stack: it goes on"),
        "{again:?}"
    );

    // The folder has again what was applied: nothing says which is meant.
    machine.write("s/stack.toml", &six);
    let asked = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(64);
    assert!(asked.stderr.contains("began with other files than these"), "{asked:?}");
    assert!(asked.stderr.contains("`pool.serving` differ"), "{asked:?}");
    let on = run(&machine, "failover s --auto-approve --unsigned --json", Some("lost.toml")).ok();
    assert_eq!(line(&on, "report")["in_service"]["after"], 12, "{on:?}");

    // On another machine, without the files.
    let bundle = "failover --bundle s3://demo-control/demo --region us-west-2 --auto-approve --json";
    let asked = run(&machine, bundle, Some("lost.toml")).code(64);
    assert!(asked.stderr.contains("began with other files than what was applied"), "{asked:?}");
    let on = run(&machine, &format!("{bundle} --unsigned"), Some("lost.toml")).ok();
    assert_eq!(line(&on, "report")["in_service"]["after"], 12, "{on:?}");

    // The next failover is another one.
    run(&machine, "failback s --auto-approve", None).ok();
    let next = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&next, "report")["in_service"]["after"], 10, "{next:?}");
}

/// Once an apply has taken the files over, what was applied counts again.
#[test]
fn an_apply_takes_over_what_a_failover_began_with() {
    let (machine, six) = grown();
    // The files of before would take back what the failover came up with, and so would others.
    for files in [six.clone(), six.replace("capacity       = 6", "capacity       = 9")] {
        machine.write("s/stack.toml", &files);
        let refused = run(&machine, "apply s --auto-approve", None).code(3);
        assert!(refused.stderr.contains("the failover began with other files than these"), "{refused:?}");
        assert!(refused.stderr.contains("pool.serving"), "{refused:?}");
        assert!(refused.stderr.contains("`drstack apply s --with-files`"), "{refused:?}");
        let plan = run(&machine, "plan s", None).ok();
        assert!(plan.stderr.contains("warning: the failover began with other files"), "{plan:?}");
    }
    run(&machine, "apply s --auto-approve --with-files", None).ok();
    let on = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&on, "report")["in_service"]["after"], 13, "{on:?}");
    assert!(!on.stderr.contains("it goes on with those"), "{on:?}");
}

/// Without the kept files nothing shrinks that the operator did not accept.
#[test]
fn a_lost_stack_of_a_failover_is_not_replaced_unasked() {
    let (machine, _) = grown();
    let path = machine.folder().join(".drstack/sim/world.json");
    let world = std::fs::read_to_string(&path).expect("a world").replace("failover/", "elsewhere/");
    std::fs::write(&path, world).expect("a world");
    let asked = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(64);
    assert!(asked.stderr.contains(".json` in `demo-control` no longer has them"), "{asked:?}");
    run(&machine, "failover s --auto-approve --with-files", Some("lost.toml")).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
}

#[test]
fn files_and_what_was_applied_cannot_both_be_meant() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    let ran = run(&machine, "failover s --with-files --unsigned --auto-approve", Some("lost.toml")).code(64);
    assert!(ran.stderr.contains("cannot be used with"), "{ran:?}");
}
