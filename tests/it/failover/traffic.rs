//! Traffic in a failover: names that lead to the region that serves.

use serde_json::Value;

use super::{BATCH, LOST, STACK, done, line, run};
use crate::drstack::drstack;

/// A name that the pool serves.
const TRAFFIC: &str = r#"
[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
after          = ["@pool.serving"]
"#;

/// On the sim every check is answered, unless the settings say otherwise.
#[test]
fn without_an_answer_of_the_standby_it_is_not_up_and_traffic_stays_moved() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let fault = "[[faults]]\nkind = \"check\"\nsubject = \"traffic.api/answer\"\nerror = \"denied\"\n";
    machine.write("silent.toml", &format!("{LOST}{fault}"));
    let ran = run(&machine, "failover s --auto-approve", Some("silent.toml")).code(1);
    assert!(ran.stderr.contains("changed traffic.api/traffic-switch"), "{ran:?}");
    assert!(ran.stdout.contains("FAILED traffic.api/answer"), "{ran:?}");
    assert!(ran.stderr.contains("run `drstack failover s` again"), "{ran:?}");
    let again = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    let clock = &line(&again, "report")["clock"];
    assert!(clock["checked"].is_string() && clock["traffic"].is_null(), "traffic had moved: {clock}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(!back.stderr.contains("traffic.api/answer"), "{back:?}");
}

/// One run tells all that is in the way, so that the next one need not find the second.
#[test]
fn traffic_that_is_held_names_all_that_failed() {
    let machine = drstack();
    let traffic = TRAFFIC.replace("after          = [\"@pool.serving\"]\n", "tier = 3\n");
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{traffic}"));
    run(&machine, "apply s --auto-approve", None).ok();
    let fault = "[[faults]]\nkind = \"group\"\noperation = \"update\"\nerror = \"denied\"\n";
    machine.write("denied.toml", &format!("{LOST}{fault}"));
    let ran = run(&machine, "failover s --auto-approve", Some("denied.toml")).code(1);
    assert!(
        ran.stderr.contains("it waits for pool.batch/group and pool.serving/group, which failed"),
        "{ran:?}"
    );
    let without = "failover s --not-waiting-for pool.batch --not-waiting-for pool.serving";
    assert!(ran.stderr.contains(&format!("`drstack {without}`")), "{ran:?}");
    let on = run(&machine, &format!("{without} --auto-approve"), Some("denied.toml")).code(1);
    assert!(on.stderr.contains("changed traffic.api/traffic-switch"), "{on:?}");
}

/// The standby region has the traffic, and is sick: the reason to go back.
#[test]
fn a_failback_waits_for_nothing_of_the_region_that_it_leaves() {
    let check = "[[pool.serving.check]]\nhttp = \"http://127.0.0.1:9/\"\n";
    for policy in ["policy = \"weighted\"\n", "policy = \"weighted\"\nramp = [\"50%\", \"100%\"]\n"] {
        for after in ["after          = [\"@pool.serving\"]\n", ""] {
            let machine = drstack();
            let traffic = TRAFFIC.replace("after          = [\"@pool.serving\"]\n", after);
            machine.write("s/stack.toml", &format!("{STACK}{check}{BATCH}{traffic}{policy}"));
            let none = "capacity = { \"g5.xlarge\" = 0 }\n";
            machine.write("none.toml", none);
            machine.write("lost.toml", &format!("{LOST}{none}"));
            let fault = "[[faults]]\nkind = \"check\"\nsubject = \"pool.serving\"\nerror = \"internal\"\n";
            machine.write("sick.toml", fault);
            machine.write("enough.toml", LOST);
            run(&machine, "apply s --auto-approve", None).ok();
            // Nothing to be had there, and an operator who moved the traffic all the same.
            let without =
                "failover s --auto-approve --not-waiting-for pool.serving --not-waiting-for pool.batch";
            run(&machine, without, Some("lost.toml")).code(1);
            let back = run(&machine, "failback s --auto-approve", Some("none.toml")).ok();
            assert!(back.stdout.contains("Failback complete"), "{back:?}");
            // What serves there fails its check by now.
            run(&machine, "failover s --auto-approve", Some("enough.toml")).ok();
            let back = run(&machine, "failback s --auto-approve", Some("sick.toml")).ok();
            assert!(back.stdout.contains("Failback complete"), "{back:?}");
            assert!(!back.stderr.contains("check-1"), "{back:?}");
            run(&machine, "plan s --detailed-exitcode", None).ok();
        }
    }
}

#[test]
fn traffic_comes_back_share_by_share_before_anything_shrinks() {
    let machine = drstack();
    let ramp = "policy = \"weighted\"\nramp = [\"5%\", \"25%\", \"100%\"]\n";
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}{ramp}"));
    machine.write("lost.toml", LOST);
    let weights = "traffic.api/dns-weights";
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(!ran.stderr.contains(weights), "both regions are needed for it: {ran:?}");

    let shown = run(&machine, "failback s --dry-run", None).ok();
    assert!(shown.stderr.contains("Before that") && shown.stdout.contains(weights), "{shown:?}");
    // The calls of a failback on the sim: the first change removes the primary's share, and the run
    // fails while it raises it.
    machine.write(
        "dies.toml",
        "[[faults]]\nkind = \"dns-weights\"\noperation = \"update\"\nat = 3\nerror = \"denied\"\n",
    );
    let failed = run(&machine, "failback s --auto-approve", Some("dies.toml")).code(1);
    assert!(failed.stdout.contains(&format!("FAILED {weights}")), "{failed:?}");
    assert!(!failed.stderr.contains("changed pool.serving/group"), "the standby serves still: {failed:?}");
    assert!(failed.stdout.contains("First part complete: 1 step done"), "{failed:?}");
    assert!(!failed.stdout.contains("Apply complete"), "nothing was applied: {failed:?}");
    let again = run(&machine, "failback s --auto-approve --json", None).ok();
    let events: Vec<Value> = again.json().into_iter().filter(|line| line["type"] == "event").collect();
    let at = |event: &str, address: &str| {
        let is = |it: &Value| it["event"] == event && it["address"] == address;
        events.iter().position(is).unwrap_or_else(|| panic!("no {event} of {address}: {events:?}"))
    };
    assert!(at("step_finished", weights) < at("step_started", "pool.serving/group"), "{events:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
    // After a failover without a failback, an apply may bring it beforehand.
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let kept = run(&machine, "apply s --auto-approve", None).ok();
    assert!(kept.stderr.contains(weights) || kept.stdout.contains(weights), "{kept:?}");
    let shown = run(&machine, "failback s --dry-run", None).ok();
    assert!(!shown.stderr.contains("Before that"), "{shown:?}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(back.stdout.contains("Failback complete") && !back.stdout.contains("Apply complete"), "{back:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_planned_failover_moves_traffic_share_by_share_before_it_switches_and_goes_back_from_anywhere() {
    let machine = drstack();
    let gradual = "policy = \"weighted\"\nstandby_share = \"10%\"\nramp = [\"5%\", \"25%\", \"100%\"]\n";
    machine.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}{gradual}"));
    machine.write("lost.toml", LOST);
    // By then spot instances serve again.
    machine.write("later.toml", "between_runs = \"1h\"\n");
    let (weights, switch) = ("traffic.api/dns-weights", "traffic.api/traffic-switch");
    run(&machine, "apply s --auto-approve", None).ok();
    let before = run(&machine, "plan s --detailed-exitcode", None).ok();
    let shown = run(&machine, "failover s --planned --dry-run", None).ok();
    assert!(shown.stdout.contains(weights) && !shown.stdout.contains(" new: "), "{shown:?}");
    let shown = run(&machine, "failover s --planned --dry-run --json", None).ok().json();
    let ramp = shown.iter().find(|it| it["type"] == "step" && it["address"] == weights).expect("a ramp");
    assert_eq!(
        ramp["estimate_seconds"], 243.0,
        "a minute before each of three shares, and one after: {ramp}"
    );

    // B26: the sim holds each share as long as AWS's gate does.
    let drill = drstack();
    drill.write("s/stack.toml", &format!("{STACK}{BATCH}{TRAFFIC}{gradual}"));
    run(&drill, "apply s --auto-approve", None).ok();
    let ran = run(&drill, "failover s --planned --auto-approve --json", None).ok();
    let lines = ran.json();
    let ended = lines.iter().find(|it| it["event"] == "step_finished" && it["address"] == weights);
    let took = ended.and_then(|it| it["elapsed_seconds"].as_f64()).expect("a ramp");
    assert!((240.0..260.0).contains(&took), "a minute for each of four: {took} s");
    assert!(line(&ran, "report")["ramped_seconds"].as_f64().is_some_and(|it| it >= 60.0), "{ran:?}");

    // The run fails during the ramp: the switch is unchanged, and a failback does not take the
    // primary's traffic from it.
    let denied = "[[faults]]\nkind = \"dns-weights\"\noperation = \"update\"\nat = 2\nerror = \"denied\"\n";
    machine.write("dies.toml", denied);
    let failed = run(&machine, "failover s --planned --auto-approve", Some("dies.toml")).code(1);
    assert!(failed.stdout.contains(&format!("FAILED {weights}")), "{failed:?}");
    assert!(!failed.stderr.contains(&format!("changed {switch}")), "{failed:?}");
    assert!(failed.stderr.contains("run `drstack failover s --planned` again"), "{failed:?}");
    let shown = run(&machine, "failback s --dry-run", None).ok();
    assert!(!shown.stderr.contains("Before that"), "{shown:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(run(&machine, "plan s --detailed-exitcode", Some("later.toml")).ok().stdout, before.stdout);

    // The primary is lost during the ramp: the switch alone decides.
    run(&machine, "failover s --planned --auto-approve", Some("dies.toml")).code(1);
    let lost = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(!lost.stderr.contains(weights), "{lost:?}");
    run(&machine, "failback s --auto-approve", None).ok();

    let ran = run(&machine, "failover s --planned --auto-approve --json", None).ok();
    let order = done(&ran);
    let at = |address: &str| order.iter().position(|it| it == address).unwrap_or_else(|| panic!("{order:?}"));
    assert!(at("pool.serving/group") < at(weights) && at(weights) < at(switch), "{order:?}");
    let rest = run(&machine, "plan s --json", None).ok();
    assert!(!rest.stdout.contains(weights), "it is as an apply wants it: {rest:?}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(!back.stdout.contains("First part"), "the standby serves alone already: {back:?}");
    assert_eq!(run(&machine, "plan s --detailed-exitcode", Some("later.toml")).ok().stdout, before.stdout);
}
