//! `--with-files`: what was edited after the last apply counts in a failover if the operator says so.

use super::{CHECK, LOST, STACK, line, machine_of, run};

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
