//! Failovers and a failback on the simulated cloud, as the runbook describes them.

mod clock;
mod damaged;
mod exchanged;
mod forgotten;
mod hands;
mod led;
mod order;
mod overlooked;
mod part;
mod patient;
mod planned;
mod restored;
mod second_action;
mod traffic;
mod unproven;
mod unready;
mod verdict;
mod ways_on;
mod whole;
mod with_files;
mod writers;

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const RUNBOOK: &str = include_str!("../../docs/guide/runbook.md");

const STACK: &str = r#"
[stack]
name    = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "demo-control"
rto     = "15m"

[bucket.models]
name = "acme-models"

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows        = "serve"
network        = "@network.standby"
instance_types = ["g5.xlarge"]
capacity       = 8
buckets        = ["@bucket.models"]
tier           = 1

[pool.batch]
follows        = "batch"
network        = "@network.standby"
instance_types = ["g4dn.xlarge"]
capacity       = 4
tier           = 3
"#;

/// The checks that a failover makes of the pools.
const CHECK: &str = concat!(
    "[[pool.serving.check]]\nhttp = \"https://standby.example.com/healthz\"\n",
    "[[pool.batch.check]]\nhttp = \"https://batch.example.com/healthz\"\n",
);

/// The check of the pool for which no traffic waits.
const BATCH: &str = "[[pool.batch.check]]\nhttp = \"https://batch.example.com/healthz\"\n";

/// The primary region and the services of the whole partition do not answer.
const LOST: &str = "down = [\"us-east-1\", \"global\"]\n";

fn machine() -> Drstack {
    machine_of(STACK)
}

/// Returns a machine with the stack and the check.
fn asked() -> Drstack {
    machine_of(&format!("{STACK}{CHECK}"))
}

fn machine_of(stack: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", stack);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// Runs `drstack ARGS` on the simulated cloud, with other settings if the caller names some.
/// Runs a command on the simulated cloud. Commands that its output names lead there too; they are
/// returned without the words for it, as `args` are.
fn run(machine: &Drstack, args: &str, settings: Option<&str>) -> Ran {
    let more: &[&str] = if let Some(file) = settings { &["--sim", file] } else { &[] };
    let ran = machine.run([&["--cloud", "sim"], more, &args.split(' ').collect::<Vec<_>>()[..]].concat());
    let words =
        settings.map_or_else(|| " --cloud sim".to_owned(), |file| format!(" --cloud sim --sim {file}"));
    let plain = |text: &str| text.replace(&words, "");
    Ran { stdout: plain(&ran.stdout), stderr: plain(&ran.stderr), ..ran }
}

/// Returns the last line of this type that `drstack ARGS --json` writes.
fn line(ran: &Ran, kind: &str) -> Value {
    ran.json().into_iter().rfind(|line| line["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {ran:?}"))
}

/// Returns the steps of a run, in the order in which they finished.
fn done(ran: &Ran) -> Vec<String> {
    let lines = ran.json().into_iter().filter(|line| line["event"] == "step_finished");
    lines.map(|line| line["address"].as_str().expect("an address").to_owned()).collect()
}

/// Returns the fenced commands of the runbook, with the folder in place of `STACK`.
fn commands() -> Vec<String> {
    let fenced = RUNBOOK.split("```\n").skip(1).step_by(2).flat_map(str::lines);
    fenced.map(|line| line.strip_prefix("drstack ").expect("a command").replace("STACK", "s")).collect()
}

#[test]
fn every_command_of_the_runbook_does_what_it_says() {
    let machine = asked();
    let commands = commands();
    assert_eq!(commands.len(), 8, "{commands:?}");
    let mut served = false;
    for command in &commands {
        // A failback and a planned failover need a primary that answers.
        let answers = command.starts_with("failback") || command.contains("--planned");
        let settings = (!answers).then_some("lost.toml");
        let ran = run(&machine, command, settings).ok();
        served |= command.ends_with("failover s --auto-approve");
        let says = match command.as_str() {
            "failover s --dry-run" if !served => "pool.serving/group in us-west-2: autoscaling:",
            // Only the checks are left to run.
            "failover s --dry-run" => "Plan: 0 to add, 0 to change, 0 to destroy; 2 checks.",
            "failover s --auto-approve" => "the RTO of 15m 0s is met.",
            "failover s --watch" => "No failover is running",
            "failover s --planned --dry-run" => "bucket.models: nothing to arrive",
            "failover s --planned --auto-approve" => "Replication has drained",
            "failback s --dry-run" => "us-west-2 has served since",
            _ => "Failed back to us-east-1",
        };
        assert!(ran.stdout.contains(says), "{command}: {ran:?}");
    }
    // B8: a check is no addition.
    let left = run(&machine, "plan s --detailed-exitcode", None).ok();
    assert!(left.stdout.contains("No changes."), "{left:?}");
}

#[test]
fn a_failover_needs_no_folder_and_no_primary() {
    let machine = machine();
    std::fs::remove_dir_all(machine.folder().join("s")).expect("remove the stack");
    let args = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --auto-approve --json";
    let report = line(&run(&machine, args, Some("lost.toml")).unasked(), "report");
    assert_eq!((&report["complete"], &report["epoch"]), (&true.into(), &1.into()), "{report}");
    assert_eq!(report["refused_calls"], serde_json::json!([]), "{report}");
    let serving = |when: &str| report["in_service"][when].as_u64().expect("a count");
    assert_eq!((serving("before"), serving("fewest"), serving("after")), (3, 3, 12), "{report}");
}

#[test]
fn the_first_tier_has_its_capacity_before_the_third_asks_for_any() {
    let machine = machine();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).unasked();
    let events: Vec<Value> = ran.json().into_iter().filter(|line| line["type"] == "event").collect();
    let at = |event: &str, address: &str| {
        let is = |it: &Value| it["event"] == event && it["address"] == address;
        events.iter().position(is).unwrap_or_else(|| panic!("no {event} of {address}: {events:?}"))
    };
    assert!(at("step_finished", "pool.serving/group") < at("step_started", "pool.batch/group"));
}

#[test]
fn what_on_demand_lacks_comes_from_spot_and_a_later_run_brings_the_rest() {
    let machine = machine();
    machine.write("short.toml", &format!("{LOST}on_demand = {{ \"g5.xlarge\" = 5 }}\n"));
    let ran = run(&machine, "failover s --auto-approve", Some("short.toml")).unasked();
    assert!(ran.stdout.contains("DEGRADED pool.serving/group: spot for what on-demand lacks"), "{ran:?}");
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert!(again.stdout.contains("1 step done") && !again.stdout.contains("DEGRADED"), "{again:?}");
    let nothing = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert!(nothing.stdout.contains("us-west-2 serves already."), "{nothing:?}");
}

#[test]
fn below_the_minimum_it_is_not_up_and_a_rerun_succeeds_once_there_is_capacity() {
    let machine = machine();
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 4 }}\n"));
    let ran = run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    assert!(
        ran.stdout.contains("FAILED pool.serving/group")
            && ran.stderr.contains("run `drstack failover s` again")
    );
    // The third tier fails over even though the first one failed.
    assert!(ran.stderr.contains("changed pool.batch/group"), "{ran:?}");
    let refused = run(&machine, "apply s --auto-approve", None).code(4);
    assert!(refused.stderr.contains("a change to mode `active` is not complete"), "{refused:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_missed_objective_is_said_by_the_exit_code() {
    let machine = asked();
    let args = "failover s --auto-approve --detected-at 2025-12-31T23:00:00Z";
    let ran = run(&machine, args, Some("lost.toml")).code(3);
    assert!(ran.stdout.contains("the RTO of 15m 0s is MISSED."), "{ran:?}");
}

#[test]
fn a_failback_shows_what_has_gone_apart() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("apart.toml", "backlog = { acme-models = { waiting = 2, standby_only = 9 } }\n");
    let dry = run(&machine, "failback s --dry-run", Some("apart.toml")).ok();
    let says =
        "bucket.models: 9 objects only in us-west-2, 2 only in us-east-1, 0 on both sides and not the same";
    assert!(
        dry.stdout.contains(says) && dry.stdout.contains("written since the failover: 9 in us-west-2"),
        "{dry:?}"
    );
    let ran = run(&machine, "failback s --auto-approve --json", Some("apart.toml")).ok();
    assert_eq!(line(&ran, "divergence")["sides"]["standby_only"], 9);
    assert_eq!(line(&ran, "report")["data"][0]["sides"]["standby_only"], 9);
}

#[test]
fn while_the_standby_region_serves_nothing_takes_that_away() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    let refused = run(&machine, "destroy s --auto-approve", None).code(3);
    assert!(refused.stderr.contains("fail back first"), "{refused:?}");
    let refused = run(&machine, "failback s --auto-approve", Some("lost.toml")).code(3);
    assert!(refused.stderr.contains("us-east-1 does not answer yet"), "{refused:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_failover_that_is_killed_anywhere_is_finished_by_the_next() {
    for call in (4..60).step_by(7) {
        let machine = machine();
        machine.write("dies.toml", &format!("{LOST}kill_at = {call}\n"));
        let died = run(&machine, "failover s --auto-approve", Some("dies.toml"));
        assert!([3, 137].contains(&died.code), "{call}: {died:?}");
        // The next failover waits for the dead run's lease to expire, which the time between two
        // runs brings.
        run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

/// Regions that were changed in the files and not applied: the failover would look in one and change
/// things in another.
#[test]
fn a_failover_by_files_that_name_other_regions_is_refused_and_the_bundle_named() {
    let machine = machine();
    for (region, other) in [("us-east-1", "us-east-2"), ("us-west-2", "eu-west-1")] {
        machine.write("s/stack.toml", &STACK.replace(region, other));
        for how in ["", " --planned", " --dry-run"] {
            let refused = run(&machine, &format!("failover s --auto-approve{how}"), None).code(3);
            assert!(
                refused.stderr.contains(&format!(
                    "the files say from {}",
                    if other == "us-east-2" { other } else { "us-east-1" }
                )),
                "{refused:?}"
            );
            assert!(
                refused.stderr.contains(
                    "`drstack failover --bundle s3://demo-control/demo --region us-west-2 --unsigned`"
                ),
                "{refused:?}"
            );
        }
    }
    let command = "failover --bundle s3://demo-control/demo --region us-west-2 --unsigned --auto-approve";
    run(&machine, command, Some("lost.toml")).unasked();
}

/// The outage does not begin anew with each run: a run after a dead one is late by what that took.
#[test]
fn a_failover_that_goes_on_counts_from_when_the_outage_was_noticed_first() {
    let machine = machine();
    machine.write("dies.toml", &format!("{LOST}kill_at = 32\n"));
    let noticed = "2025-12-31T22:00:00Z";
    let died =
        run(&machine, &format!("failover s --auto-approve --detected-at {noticed}"), Some("dies.toml"));
    assert_eq!(died.code, 137, "{died:?}");
    let back = run(&machine, "failback s --dry-run", None).ok();
    assert!(back.stdout.contains("A failover to us-west-2 is under way since"), "{back:?}");
    // It was cut off, and no region has refused it anything: there is no shortage to accept.
    let apply = run(&machine, "apply s --auto-approve", None).code(4);
    assert!(apply.stderr.contains("drstack failover s"), "{apply:?}");
    assert!(!apply.stderr.contains("--minimum"), "{apply:?}");
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).code(3);
    let report = line(&ran, "report");
    assert_eq!(report["clock"]["detected"], noticed, "{report:#}");
}

#[test]
fn a_cold_pool_gets_its_group_from_the_failover_and_all_else_from_the_apply() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", &STACK.replace("\"warm\"", "\"cold\"").replace("15m", "4h"));
    let ran = run(&machine, "apply s --auto-approve", None).ok();
    assert!(
        ran.stdout.contains("A failover after this apply would take about ")
            && ran.stdout.contains(", in 2 steps (RTO 4h: met; "),
        "{ran:?}"
    );
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    // The failover makes the group itself.
    let counted = "Instances in service: 0 before, never fewer than 0, 12 at the end.";
    assert!(ran.stdout.contains(counted), "{ran:?}");
}

/// B9: the stack still names the pool, and a plan does not say otherwise.
#[test]
fn a_group_that_its_pool_needs_no_more_is_deleted_for_that_reason() {
    let machine = machine();
    let cold = STACK.replace("\"warm\"", "\"cold\"").replace("15m", "4h");
    machine.write("s/stack.toml", &cold);
    let expect_reason = |ran: &Ran| {
        let reason = "`: its component needs none in this posture and mode\n";
        assert_eq!(ran.stdout.matches(reason).count(), 2, "{ran:?}");
        assert!(!ran.stdout.contains("no longer names it"), "{ran:?}");
    };
    expect_reason(&run(&machine, "plan s", None).ok());
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    expect_reason(&run(&machine, "failback s --dry-run", None).ok());
}

#[test]
fn a_failover_before_any_apply_says_what_is_missing_and_changes_nothing() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    let ran = run(&machine, "failover s --auto-approve", None);
    assert!(ran.code != 0 && ran.stderr.contains("hint: "), "{ran:?}");
}
