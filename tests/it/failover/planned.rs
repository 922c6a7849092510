//! Planned failovers: no step begins before replication has delivered everything.

use super::{CHECK, LOST, STACK, asked, line, machine, machine_of, run};
use crate::drstack::{Ran, drstack};

/// Returns the backlog of a bucket or table in each line about it, in order.
fn backlog(ran: &Ran, address: &str) -> Vec<u64> {
    let lines = ran.json().into_iter().filter(|it| it["type"] == "backlog" && it["address"] == address);
    lines.map(|it| it["sides"]["waiting"].as_u64().expect("a number")).collect()
}

#[test]
fn a_planned_failover_waits_until_nothing_is_left_to_arrive() {
    let machine = asked();
    machine.write("busy.toml", "backlog = { acme-models = { waiting = 120, drains = \"2m\" } }\n");
    let dry = run(&machine, "failover s --planned --dry-run", Some("busy.toml")).ok();
    assert!(dry.stdout.contains("bucket.models: 120 objects to arrive, the oldest written"), "{dry:?}");
    let ran = run(&machine, "failover s --planned --auto-approve --json", Some("busy.toml")).ok();
    let seen = backlog(&ran, "bucket.models");
    assert!(seen.len() > 5 && seen.is_sorted_by(|a, b| a > b) && seen.last() == Some(&0), "{seen:?}");
    let lines = ran.json();
    let last = lines.iter().rposition(|it| it["type"] == "backlog").expect("a look");
    let first = lines.iter().position(|it| it["event"] == "run_started").expect("a run");
    assert!(last < first, "nothing begins before it has drained");
    let report = line(&ran, "report");
    let moment = |of: &str| {
        report["clock"][of].as_str().expect("a moment").parse::<jiff::Timestamp>().expect("a time")
    };
    assert!(moment("decided") < moment("drained") && moment("drained") <= moment("started"), "{report}");
    // The primary serves during the drain, so the recovery time starts when the drain ends.
    let took = moment("done").duration_since(moment("drained")).as_secs_f64();
    assert!(report["recovery_seconds"].as_f64().is_some_and(|it| it <= took), "{report}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_planned_failover_that_cannot_drain_changes_nothing() {
    let machine = machine();
    let said = |settings: &str, says: &[&str]| {
        machine.write("sim.toml", settings);
        let ran =
            run(&machine, "failover s --planned --auto-approve --drain-timeout 1m", Some("sim.toml")).code(3);
        assert!(says.iter().all(|it| ran.stderr.contains(it)), "{ran:?}");
        assert!(ran.stderr.contains("nothing was changed"), "{ran:?}");
        run(&machine, "plan s --detailed-exitcode", None).ok();
    };
    let never = "backlog = { acme-models = { waiting = 7 } }\n";
    said(never, &["has not drained after", "bucket.models: 7 objects to arrive"]);
    let untold = "backlog = { acme-models = { untold = true } }\n";
    said(untold, &["bucket.models: cannot be told: `acme-models` has more objects than are compared"]);
    said(LOST, &["us-east-1 does not answer yet"]);
    let fails = "[[faults]]\nkind = \"object\"\nerror = \"denied\"\n";
    said(fails, &["bucket.models: could not look", "denied"]);
    let slip = "failover s --planned --not-waiting-for bucket.mdoels --dry-run";
    let slip = run(&machine, slip, None).code(64);
    assert!(slip.stderr.contains("did you mean `bucket.models`?"), "{slip:?}");
    let itself = "failover s --planned --not-waiting-for bucket.models --dry-run";
    run(&machine, itself, Some("sim.toml")).ok();
    let unplanned = run(&machine, "failover s --drain-timeout 1m", None).code(64);
    assert!(unplanned.stderr.contains("--planned"), "{unplanned:?}");
}

#[test]
fn a_bucket_too_large_to_compare_has_drained_once_s3_counts_none() {
    let machine = drstack();
    let rule = "name = \"acme-models\"\nreplication_time_control = true";
    machine.write("s/stack.toml", &STACK.replace("name = \"acme-models\"", rule));
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write(
        "large.toml",
        "backlog = { acme-models = { untold = true, waiting = 40, drains = \"1m\" } }\n",
    );
    let ran = run(&machine, "failover s --planned --auto-approve", Some("large.toml")).unasked();
    assert!(ran.stderr.contains("CloudWatch says 40 operations waiting at"), "{ran:?}");
    assert!(ran.stderr.contains("CloudWatch says 0 operations waiting at"), "{ran:?}");
    assert!(ran.stdout.contains("Replication has drained"), "{ran:?}");
}

#[test]
fn a_planned_failover_of_a_part_waits_for_what_that_part_refers_to() {
    let machine = machine();
    machine.write("busy.toml", "backlog = { acme-models = { waiting = 5 } }\n");
    run(
        &machine,
        "failover s --planned --only pool.serving --drain-timeout 30s --auto-approve",
        Some("busy.toml"),
    )
    .code(3);
    let ran = run(
        &machine,
        "failover s --planned --only pool.batch/group --auto-approve --json",
        Some("busy.toml"),
    )
    .unasked();
    assert!(backlog(&ran, "bucket.models").is_empty(), "{ran:?}");
}

#[test]
fn a_planned_failover_that_is_killed_anywhere_is_finished_without_the_primary() {
    let mut deaths = 0;
    for call in (20..90).step_by(10) {
        let machine = machine();
        let busy = "backlog = { acme-models = { waiting = 9, drains = \"30s\" } }\n";
        machine.write("dies.toml", &format!("{busy}kill_at = {call}\n"));
        let died = run(&machine, "failover s --planned --auto-approve", Some("dies.toml"));
        assert!([3, 137].contains(&died.code), "{call}: {died:?}");
        deaths += usize::from(died.code == 137);
        run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
    assert!(deaths > 3, "{deaths}: most of these calls are never made");
}

/// Until users are led away, the primary is written to: a planned failover that goes on waits for that, too.
#[test]
fn a_planned_failover_that_died_before_traffic_moved_drains_again() {
    let traffic = concat!(
        "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
        "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n",
    );
    let machine = machine_of(&format!("{STACK}{CHECK}{traffic}[fence.writers]\n"));
    let fault = "[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", fault);
    run(&machine, "failover s --planned --auto-approve", Some("denied.toml")).code(1);
    machine.write("late.toml", "backlog = { acme-models = { waiting = 7 } }\n");
    let again = "failover s --planned --auto-approve --drain-timeout 1m";
    let late = run(&machine, again, Some("late.toml")).code(3);
    assert!(late.stderr.contains("bucket.models: 7 objects to arrive"), "{late:?}");
    // What leads on says so.
    for (command, code) in [("status s", 3), ("sync s", 3), ("apply s --auto-approve", 4), ("plan s", 0)] {
        let said = run(&machine, command, None).code(code);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains("`drstack failover --planned s`"), "{command}: {said:?}");
    }
    // Where the primary is lost meanwhile, a planned one is no way on.
    let lost = run(&machine, "status s", Some("lost.toml")).code(3);
    assert!(lost.stdout.contains("`drstack failover s`") && !lost.stdout.contains("--planned"), "{lost:?}");
    let apply = run(&machine, "apply s --auto-approve", Some("lost.toml")).code(4);
    assert!(
        apply.stderr.contains("`drstack failover s`") && !apply.stderr.contains("--planned"),
        "{apply:?}"
    );
    let stuck = run(&machine, again, Some("lost.toml")).code(3);
    assert!(stuck.stderr.contains("where it is lost, run this without `--planned`"), "{stuck:?}");
    let on = run(&machine, &again.replace(" --drain-timeout 1m", ""), None).ok();
    assert!(on.stderr.contains("changed traffic.api/traffic-switch"), "{on:?}");
    // Now the standby region is written to.
    run(&machine, again, Some("late.toml")).ok();
}

/// What goes on with a part goes on with that part.
#[test]
fn hints_of_a_part_that_is_under_way_name_the_part() {
    let machine = machine_of(&format!("{STACK}{CHECK}"));
    let fault = "down = [\"us-east-1\", \"global\"]\n[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", fault);
    run(&machine, "failover s --only pool.batch --auto-approve", Some("denied.toml")).code(1);
    for (command, code) in [("status s", 3), ("sync s", 3), ("apply s --auto-approve", 4)] {
        let said = run(&machine, command, None).code(code);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains("`drstack failover --only pool.batch s`"), "{command}: {said:?}");
    }
}
