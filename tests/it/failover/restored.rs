//! Tables that a failover restores from an export.

use super::{LOST, done, line, run};
use crate::drstack::{Drstack, drstack};

const ARCHIVE: &str = include_str!("../../../stacks/cold-archive/stack.toml");

/// The archive stack, without its modules and its pool.
fn archive() -> Drstack {
    let machine = drstack();
    let table = ARCHIVE.split_once("[table.catalogue]").expect("a table").1;
    let table = table.split("# What a failover starts").next().expect("its end");
    let head = ARCHIVE.split("[module.models]").next().expect("a head");
    machine.write("s/stack.toml", &format!("{head}[table.catalogue]{table}"));
    machine.write("lost.toml", &LOST.replace("us-east-1", "eu-west-1"));
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// The steps left while the standby region serves.
const NOTHING: [&str; 0] = [];

/// Returns the addresses of the steps of a plan.
fn planned(machine: &Drstack) -> Vec<String> {
    let lines = run(machine, "plan s --json", None).ok().json();
    let steps = lines.iter().filter(|it| it["type"] == "step");
    steps.map(|it| it["address"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_cold_table_is_restored_checked_kept_by_a_failback_and_served_as_it_is_by_the_next_failover() {
    let machine = archive();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(done(&ran), ["table.catalogue/table-import", "table.catalogue/check-1"], "{ran:?}");
    let restored = &line(&ran, "report")["restored"];
    assert_eq!(restored.as_array().map(Vec::len), Some(1), "{restored}");
    // An apply in mode active leaves the table alone, and so does a failback.
    assert_eq!(planned(&machine), NOTHING);
    let back = run(&machine, "failback s --auto-approve --json", None).ok();
    let apart = line(&back, "report")["not_compared"].clone();
    let told = apart[0].as_str().expect("the restored table");
    assert_eq!(apart.as_array().map(Vec::len), Some(1), "{apart}");
    assert!(
        told.starts_with("table.catalogue/table-import: ") && told.contains("it is not compared"),
        "{told}"
    );
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    let kept = "table.catalogue/table-import: `acme-archive-catalogue` holds data; delete it with `--delete-data table.catalogue/table-import`";
    assert!(plan.stdout.contains(kept), "{plan:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let again = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&again, "report")["complete"], true, "{again:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve --delete-data table.catalogue", None).ok();
    assert!(!run(&machine, "plan s", None).ok().stdout.contains("holds data"));
}

#[test]
fn a_restore_that_is_killed_at_any_call_brings_one_table() {
    // More calls than the failover makes.
    for call in 1..200 {
        // The run dies before the call's effect, or after it.
        let how = if call % 2 == 0 { "kill_at" } else { "kill_after" };
        let machine = archive();
        machine.write("dies.toml", &format!("down = [\"eu-west-1\", \"global\"]\n{how} = {call}\n"));
        let died = run(&machine, "failover s --auto-approve", Some("dies.toml"));
        assert!([0, 137].contains(&died.code), "{how} {call}: {died:?}");
        let next = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        assert!(!next.stdout.contains("FAILED"), "{how} {call}: {next:?}");
        assert_eq!(planned(&machine), NOTHING, "{how} {call}");
        if died.code == 0 {
            assert!(call > 20, "it made {call} calls");
            return;
        }
    }
    panic!("the failover makes more calls than that");
}
