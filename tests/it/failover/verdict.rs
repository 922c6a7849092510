//! The verdict of a failover, and how a failover that is short of its minimum goes on.

use serde_json::{Value, json};

use super::{BATCH, CHECK, LOST, STACK, line, machine, machine_of, run};
use crate::drstack::{Drstack, Ran, drstack};

/// A name that leads to a pool of 40 instances.
const TRAFFIC: &str = r#"
[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
after          = ["@pool.serving"]
"#;

/// Returns a machine with 21 of 40 instances available and a minimum of 24, with settings for a
/// lost primary and for one that is back.
fn short() -> Drstack {
    let stack = STACK.replace("capacity       = 8", "capacity       = 40");
    let machine = machine_of(&format!("{stack}{BATCH}{TRAFFIC}"));
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 21 }}\n"));
    machine.write("back.toml", "capacity = { \"g5.xlarge\" = 21 }\n");
    machine
}

/// Returns the command that the last hint of `ran` names.
fn named(ran: &Ran) -> String {
    let hint = ran.stderr.rsplit("hint: ").next().expect("a hint");
    let command = hint.split('`').nth(1).unwrap_or_else(|| panic!("no command in {hint}"));
    command.strip_prefix("drstack ").expect("a command of drstack").to_owned()
}

fn moved(ran: &Ran) -> bool {
    ran.stderr.contains("changed traffic.api/traffic-switch")
}

#[test]
fn a_failover_that_is_short_of_its_minimum_goes_on_with_the_command_that_its_hint_names() {
    let machine = short();
    let failed = run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    assert!(!moved(&failed) && failed.stdout.contains("21 of 40 instances in service"), "{failed:?}");
    let command = named(&failed);
    assert_eq!(command, "failover s --minimum pool.serving=52%");
    // It goes on, and is late: the outage lasts since the first run.
    let on = run(&machine, &format!("{command} --auto-approve --json"), Some("short.toml")).code(3);
    assert!(moved(&on), "{on:?}");
    let report = line(&on, "report");
    assert!(report["recovery_seconds"].as_f64() > report["rto_seconds"].as_f64(), "{report:#}");
    assert_eq!((&report["verdict"], &report["complete"]), (&json!("degraded"), &json!(true)), "{report:#}");
    let serving = json!({ "address": "pool.serving/group", "wanted": 40, "in_service": 21 });
    assert!(report["pools"].as_array().is_some_and(|it| it.contains(&serving)), "{report:#}");
    assert!(report["degraded"].to_string().contains("at least 21 of 40 instances"), "{report:#}");
    let world = std::fs::read_to_string(machine.folder().join(".drstack/sim/world.json")).expect("a world");
    assert!(world.contains("\\\"minimum\\\":{\\\"pool.serving\\\":\\\"52%\\\"}"), "kept with the mode");
}

/// Pasted as it is, a command that the simulation names is none on AWS.
#[test]
fn a_command_that_a_hint_names_leads_to_the_same_cloud() {
    let machine = short();
    let failed = machine.run("failover s --auto-approve --cloud sim --sim short.toml".split(' ')).code(1);
    let command = named(&failed);
    assert_eq!(command, "failover s --cloud sim --sim short.toml --minimum pool.serving=52%");
    machine.run(command.split(' ').chain(["--auto-approve"])).code(3);
    let machine = short();
    let folder = machine.folder().display().to_string();
    let failed = drstack().run([
        "-C",
        &folder,
        "failover",
        "s",
        "--auto-approve",
        "--cloud",
        "sim",
        "--sim",
        "short.toml",
    ]);
    let command = named(&failed.code(1));
    assert_eq!(
        command,
        format!("failover s -C {folder} --cloud sim --sim short.toml --minimum pool.serving=52%")
    );
}

#[test]
fn what_was_accepted_once_is_no_failure_of_a_later_run_and_is_said_each_time() {
    let machine = short();
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    run(&machine, "failover s --auto-approve --minimum 20%", Some("short.toml")).code(3);
    // The outage is over: this run repairs, and is measured against no objective.
    let again = run(&machine, "failover s --auto-approve", Some("short.toml")).ok();
    assert!(again.stdout.contains("us-west-2 has served since 2026-01-01T"), "{again:?}");
    assert!(again.stdout.contains(", DEGRADED (below); this run went over it again"), "{again:?}");
    assert!(again.stdout.contains("DEGRADED pool.serving/group: at least 8 of 40 instances"), "{again:?}");
    let plan = run(&machine, "plan s", Some("back.toml")).ok();
    let says = "pool.serving/group: DEGRADED: 21 of 40 instances in service; this failover accepts 20%";
    assert!(plan.stdout.contains(says), "{plan:?}");
    let applied = run(&machine, "apply s --auto-approve", Some("back.toml")).ok();
    assert!(applied.stdout.contains("\nDEGRADED pool.serving/group: at least 8 of 40"), "{applied:?}");
    let refused = run(&machine, "destroy s --auto-approve", Some("back.toml")).code(3);
    assert_eq!(named(&refused), "failback s");
    run(&machine, "failback s --auto-approve", Some("back.toml")).ok();
    // The minimum was accepted for that failover alone.
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
}

#[test]
fn each_command_after_a_short_failover_names_one_that_works() {
    let machine = short();
    run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    let plan = run(&machine, "plan s", Some("back.toml")).ok();
    assert!(plan.stderr.contains("run `drstack failover s --minimum pool.serving=52%`"), "{plan:?}");
    let refused = run(&machine, "apply s --auto-approve", Some("back.toml")).code(4);
    assert_eq!(named(&refused), "failover s --minimum pool.serving=52%");
    let lost = run(&machine, "failback s --auto-approve", Some("short.toml")).code(3);
    assert!(lost.stderr.contains("to fail over all the same, run `drstack failover s`"), "{lost:?}");
    let refused = run(&machine, "destroy s --auto-approve", Some("back.toml")).code(3);
    assert_eq!(named(&refused), "failback s");
    let back = run(&machine, "failback s --auto-approve", Some("back.toml")).ok();
    assert!(back.stdout.contains("Failed back to us-east-1"), "{back:?}");
    run(&machine, "destroy s --auto-approve", Some("back.toml")).ok();
}

#[test]
fn a_minimum_that_makes_no_sense_is_refused() {
    let machine = machine();
    for slip in ["0%", "101%", "0", "-5", "pool.serving=0%", "pool.srving=40%", "bucket.models=40%"] {
        let ran = run(&machine, &format!("failover s --auto-approve --minimum={slip}"), None).code(64);
        assert!(ran.stderr.contains("minimum"), "{slip}: {ran:?}");
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn nothing_in_service_is_never_a_recovery() {
    let machine = machine_of(&format!("{STACK}{CHECK}").replace("capacity       = 8", "capacity       = 0"));
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).code(1);
    let report = line(&ran, "report");
    assert_eq!((&report["verdict"], &report["recovery_seconds"]), (&json!("not-complete"), &Value::Null));
    assert!(ran.stderr.contains("nothing is in service in pool.serving: this is no recovery"), "{ran:?}");
    let starts = "--region us-west-2 --auto-scaling-group-name drstack-demo-pool-serving --min-size N";
    assert!(ran.stderr.contains(starts), "{ran:?}");
    let said = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(!said.stdout.contains("Recovered") && !said.stdout.contains("RTO"), "{said:?}");

    // No instance of any type is available: no minimum helps, and traffic stays where it is.
    let machine = machine_of(&format!(
        "{}{BATCH}{TRAFFIC}",
        STACK.replace("\"warm\"", "\"pilot-light\"").replace("15m", "1h")
    ));
    machine.write("none.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 0 }}\n"));
    let ran = run(&machine, "failover s --auto-approve", Some("none.toml")).code(1);
    assert!(!moved(&ran) && !ran.stderr.contains("--minimum"), "{ran:?}");
    let ran = run(&machine, "failover s --auto-approve --minimum 1", Some("none.toml")).code(1);
    assert!(!moved(&ran), "{ran:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
}

#[test]
fn what_nobody_asks_is_capacity_and_a_failover_that_only_asks_again_did_nothing() {
    let machine = machine();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).unasked();
    let report = line(&ran, "report");
    assert_eq!((&report["verdict"], &report["recovery_seconds"]), (&json!("capacity"), &Value::Null));
    assert!(ran.stderr.contains("`[[pool.batch.check]]`"), "{ran:?}");
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert!(again.stdout.contains("Nothing to do: us-west-2 serves already."), "{again:?}");

    let machine = super::asked();
    let verdict = |settings| {
        line(&run(&machine, "failover s --auto-approve --json", Some(settings)).ok(), "report")["verdict"]
            .clone()
    };
    assert_eq!([verdict("lost.toml"), verdict("lost.toml")], ["recovered", "nothing-to-do"]);

    // A check of data alone shows nothing about what serves.
    let data = "[[pool.serving.check]]\nobject = \"@bucket.models\"\nkey = \"model\"\n";
    let machine = machine_of(&format!("{STACK}{data}sha256 = \"{}\"\n", "0f".repeat(32)));
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert!(ran.stderr.contains("checks asked for data only"), "{ran:?}");
}

#[test]
fn a_failover_that_does_nothing_recovered_nothing() {
    let hot = STACK
        .replace("\"warm\"", "\"hot\"")
        .replace("tier           = 1", "purchase = { standby = \"on-demand\" }");
    let hot = hot.replace("tier           = 3", "purchase = { standby = \"on-demand\" }");
    let machine = machine_of(&hot);
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).unasked();
    assert_eq!(line(&ran, "report")["verdict"], "nothing-to-do", "{ran:?}");
}
