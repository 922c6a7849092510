//! Taking over and handing back on the simulated cloud, as the runbook says it.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const RUNBOOK: &str = include_str!("../../docs/runbook.md");

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

/// The primary region and the services of the whole partition do not answer.
const LOST: &str = "down = [\"us-east-1\", \"global\"]\n";

fn machine() -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// `drstack ARGS` on the simulated cloud, under other settings where some are named.
fn run(machine: &Drstack, args: &str, settings: Option<&str>) -> Ran {
    let more: &[&str] = if let Some(file) = settings { &["--sim", file] } else { &[] };
    machine.run([&["--cloud", "sim"], more, &args.split(' ').collect::<Vec<_>>()[..]].concat())
}

/// The last line of this type that `drstack ARGS --json` writes.
fn line(ran: &Ran, kind: &str) -> Value {
    ran.json().into_iter().rfind(|line| line["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {ran:?}"))
}

/// The fenced commands of the runbook, with the folder in the place of `STACK`.
fn commands() -> Vec<String> {
    let fenced = RUNBOOK.split("```\n").skip(1).step_by(2).flat_map(str::lines);
    fenced.map(|line| line.strip_prefix("drstack ").expect("a command").replace("STACK", "s")).collect()
}

#[test]
fn every_command_of_the_runbook_does_what_it_says() {
    let machine = machine();
    let commands = commands();
    assert_eq!(commands.len(), 8, "{commands:?}");
    let mut served = false;
    for command in &commands {
        // Handing back, and taking over on purpose, are for when the primary answers.
        let answers = command.starts_with("failback") || command.contains("--planned");
        let settings = (!answers).then_some("lost.toml");
        let ran = run(&machine, command, settings).ok();
        served |= command.ends_with("failover s --auto-approve");
        let says = match command.as_str() {
            "failover s --dry-run" if !served => "pool.serving/group in us-west-2: autoscaling:",
            "failover s --dry-run" => "Nothing to do:",
            "failover s --auto-approve" => "the RTO of 15m 0s is met.",
            "failover s --watch" => "Nobody is taking over",
            "failover s --planned --dry-run" => "bucket.models: nothing to arrive",
            "failover s --planned --auto-approve" => "Replication has drained",
            "failback s --dry-run" => "us-west-2 has served since",
            _ => "Handed back to us-east-1",
        };
        assert!(ran.stdout.contains(says), "{command}: {ran:?}");
    }
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_takeover_needs_no_folder_and_no_primary() {
    let machine = machine();
    std::fs::remove_dir_all(machine.folder().join("s")).expect("remove the stack");
    let args = "failover --bundle s3://demo-control/demo --auto-approve --json";
    let report = line(&run(&machine, args, Some("lost.toml")).ok(), "takeover");
    assert_eq!((&report["complete"], &report["epoch"]), (&true.into(), &1.into()), "{report}");
    assert_eq!(report["refused_calls"], serde_json::json!([]), "{report}");
    let serving = |when: &str| report["in_service"][when].as_u64().expect("a count");
    assert_eq!((serving("before"), serving("fewest"), serving("after")), (3, 3, 12), "{report}");
}

#[test]
fn the_first_tier_has_its_capacity_before_the_third_asks_for_any() {
    let machine = machine();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
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
    let ran = run(&machine, "failover s --auto-approve", Some("short.toml")).ok();
    assert!(ran.stdout.contains("DEGRADED pool.serving/group: spot for what on-demand lacks"), "{ran:?}");
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(again.stdout.contains("1 step done") && !again.stdout.contains("DEGRADED"), "{again:?}");
    let nothing = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(nothing.stdout.contains("us-west-2 serves already."), "{nothing:?}");
}

#[test]
fn below_the_minimum_it_is_not_up_and_a_rerun_succeeds_once_there_is_capacity() {
    let machine = machine();
    machine.write("short.toml", &format!("{LOST}capacity = {{ \"g5.xlarge\" = 4 }}\n"));
    let ran = run(&machine, "failover s --auto-approve", Some("short.toml")).code(1);
    assert!(
        ran.stdout.contains("FAILED pool.serving/group")
            && ran.stderr.contains("run `drstack failover` again")
    );
    // The third tier does not go without because the first one did.
    assert!(ran.stderr.contains("changed pool.batch/group"), "{ran:?}");
    let refused = run(&machine, "apply s --auto-approve", None).code(4);
    assert!(refused.stderr.contains("a change to mode `active` is not complete"), "{refused:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_missed_objective_is_said_by_the_exit_code() {
    let machine = machine();
    let args = "failover s --auto-approve --detected-at 2025-12-31T23:00:00Z";
    let ran = run(&machine, args, Some("lost.toml")).code(3);
    assert!(ran.stdout.contains("the RTO of 15m 0s is MISSED."), "{ran:?}");
}

#[test]
fn a_takeover_of_a_part_leaves_the_rest_and_an_apply_keeps_it_so() {
    let machine = machine();
    let ran = run(&machine, "failover s --only tier=1 --auto-approve", Some("lost.toml")).ok();
    assert!(ran.stdout.contains("1 step done") && !ran.stderr.contains("pool.batch"), "{ran:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(back.stdout.contains("1 step done"), "{back:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let slip = run(&machine, "failover s --only tier=9 --auto-approve", None).code(64);
    assert!(slip.stderr.contains("no component is of tier `9`"), "{slip:?}");
}

#[test]
fn what_carries_a_tag_is_taken_over_with_what_it_needs_and_by_its_bundle_too() {
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
    let args = "failover --bundle s3://demo-control/demo --only tag:team=search --auto-approve --json";
    let ran = run(&machine, args, Some("lost.toml")).ok();
    let changed: Vec<String> = ran
        .json()
        .iter()
        .filter(|it| it["event"] == "step_finished")
        .map(|it| it["address"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(changed, ["pool.serving/group"], "{ran:?}");
}

/// Numbers of what is left to arrive in the lines of a bucket or table, in order.
fn backlog(ran: &Ran, address: &str) -> Vec<u64> {
    let lines = ran.json().into_iter().filter(|it| it["type"] == "backlog" && it["address"] == address);
    lines.map(|it| it["sides"]["waiting"].as_u64().expect("a number")).collect()
}

#[test]
fn a_planned_takeover_waits_until_nothing_is_left_to_arrive() {
    let machine = machine();
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
    let report = line(&ran, "takeover");
    let moment = |of: &str| {
        report["clock"][of].as_str().expect("a moment").parse::<jiff::Timestamp>().expect("a time")
    };
    assert!(moment("decided") < moment("drained") && moment("drained") <= moment("started"), "{report}");
    // The primary serves while it waits: the clock of the recovery starts when that is over.
    let took = moment("done").duration_since(moment("drained")).as_secs_f64();
    assert!(report["recovery_seconds"].as_f64().is_some_and(|it| it <= took), "{report}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_planned_takeover_that_cannot_drain_changes_nothing() {
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
    let ran = run(&machine, "failover s --planned --auto-approve", Some("large.toml")).ok();
    assert!(ran.stderr.contains("CloudWatch says 40 operations waiting at"), "{ran:?}");
    assert!(ran.stderr.contains("CloudWatch says 0 operations waiting at"), "{ran:?}");
    assert!(ran.stdout.contains("Replication has drained"), "{ran:?}");
}

#[test]
fn a_planned_takeover_of_a_part_waits_for_what_that_part_refers_to() {
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
    .ok();
    assert!(backlog(&ran, "bucket.models").is_empty(), "{ran:?}");
}

#[test]
fn a_failback_shows_what_has_gone_apart() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    machine.write("apart.toml", "backlog = { acme-models = { waiting = 2, standby_only = 9 } }\n");
    let dry = run(&machine, "failback s --dry-run", Some("apart.toml")).ok();
    let says =
        "bucket.models: 9 objects only in us-west-2, 2 only in us-east-1, 0 on both sides and not the same";
    assert!(
        dry.stdout.contains(says) && dry.stdout.contains("written since the takeover: 9 in us-west-2"),
        "{dry:?}"
    );
    let ran = run(&machine, "failback s --auto-approve --json", Some("apart.toml")).ok();
    assert_eq!(line(&ran, "divergence")["sides"]["standby_only"], 9);
    assert_eq!(line(&ran, "takeover")["data"][0]["sides"]["standby_only"], 9);
}

#[test]
fn while_the_standby_region_serves_nothing_takes_that_away() {
    let machine = machine();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let refused = run(&machine, "destroy s --auto-approve", None).code(3);
    assert!(refused.stderr.contains("hand back first"), "{refused:?}");
    let refused = run(&machine, "failback s --auto-approve", Some("lost.toml")).code(3);
    assert!(refused.stderr.contains("us-east-1 does not answer yet"), "{refused:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_takeover_that_is_killed_anywhere_is_finished_by_the_next() {
    for call in (4..60).step_by(7) {
        let machine = machine();
        machine.write("dies.toml", &format!("{LOST}kill_at = {call}\n"));
        let died = run(&machine, "failover s --auto-approve", Some("dies.toml"));
        assert!([0, 137].contains(&died.code), "{call}: {died:?}");
        // Whoever comes next waits until the dead run's lease is over, which the clock between two runs brings.
        run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
}

#[test]
fn a_planned_takeover_that_is_killed_anywhere_is_finished_without_the_primary() {
    let mut deaths = 0;
    for call in (20..90).step_by(10) {
        let machine = machine();
        let busy = "backlog = { acme-models = { waiting = 9, drains = \"30s\" } }\n";
        machine.write("dies.toml", &format!("{busy}kill_at = {call}\n"));
        let died = run(&machine, "failover s --planned --auto-approve", Some("dies.toml"));
        assert!([0, 137].contains(&died.code), "{call}: {died:?}");
        deaths += usize::from(died.code == 137);
        run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
    }
    assert!(deaths > 3, "{deaths}: most of these calls are never made");
}

#[test]
fn a_cold_pool_gets_its_group_from_the_takeover_and_all_else_from_the_apply() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", &STACK.replace("\"warm\"", "\"cold\"").replace("15m", "4h"));
    let ran = run(&machine, "apply s --auto-approve", None).ok();
    assert!(ran.stdout.contains("A takeover: 2 steps"), "{ran:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
}

const ARCHIVE: &str = include_str!("../../stacks/cold-archive/stack.toml");

/// The archive, without its modules.
fn archive() -> Drstack {
    let machine = drstack();
    let table = ARCHIVE.split_once("[table.catalogue]").expect("a table").1;
    let head = ARCHIVE.split("[module.models]").next().expect("a head");
    machine.write("s/stack.toml", &format!("{head}[table.catalogue]{table}"));
    machine.write("lost.toml", &LOST.replace("us-east-1", "eu-west-1"));
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// What is left to do while the standby region serves: checks are made each time.
const CHECKED: [&str; 1] = ["table.catalogue/check-1"];

/// Addresses of the steps of a plan.
fn planned(machine: &Drstack) -> Vec<String> {
    let lines = run(machine, "plan s --json", None).ok().json();
    let steps = lines.iter().filter(|it| it["type"] == "step");
    steps.map(|it| it["address"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_cold_table_is_restored_checked_kept_by_a_failback_and_served_as_it_is_by_the_next_takeover() {
    let machine = archive();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    let done: Vec<String> = ran
        .json()
        .iter()
        .filter(|it| it["event"] == "step_finished")
        .map(|it| it["address"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(done, ["table.catalogue/table-import", "table.catalogue/check-1"], "{ran:?}");
    let restored = &line(&ran, "takeover")["restored"];
    assert_eq!(restored.as_array().map(Vec::len), Some(1), "{restored}");
    // An apply of the region that serves leaves it alone, and so does a failback.
    assert_eq!(planned(&machine), CHECKED);
    let back = run(&machine, "failback s --auto-approve --json", None).ok();
    let apart = line(&back, "takeover")["not_compared"].clone();
    let told = apart[0].as_str().expect("the restored table");
    assert_eq!(apart.as_array().map(Vec::len), Some(1), "{apart}");
    assert!(
        told.starts_with("table.catalogue/table-import: ") && told.contains("it is not compared"),
        "{told}"
    );
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    let kept = "table.catalogue/table-import: it holds data; delete it with `--delete-data table.catalogue/table-import`";
    assert!(plan.stdout.contains(kept), "{plan:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let again = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&again, "takeover")["complete"], true, "{again:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve --delete-data table.catalogue", None).ok();
    assert!(!run(&machine, "plan s", None).ok().stdout.contains("table-import: it holds"));
}

#[test]
fn a_restore_that_is_killed_at_any_call_brings_one_table() {
    // More calls than the takeover makes.
    for call in 1..200 {
        // Before the call's effect, and after it.
        let how = if call % 2 == 0 { "kill_at" } else { "kill_after" };
        let machine = archive();
        machine.write("dies.toml", &format!("down = [\"eu-west-1\", \"global\"]\n{how} = {call}\n"));
        let died = run(&machine, "failover s --auto-approve", Some("dies.toml"));
        assert!([0, 137].contains(&died.code), "{how} {call}: {died:?}");
        let next = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        assert!(!next.stdout.contains("FAILED"), "{how} {call}: {next:?}");
        assert_eq!(planned(&machine), CHECKED, "{how} {call}");
        if died.code == 0 {
            assert!(call > 20, "it made {call} calls");
            return;
        }
    }
    panic!("the takeover makes more calls than that");
}

#[test]
fn a_takeover_before_any_apply_says_what_is_missing_and_changes_nothing() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    let ran = run(&machine, "failover s --auto-approve", None);
    assert!(ran.code != 0 && ran.stderr.contains("hint: "), "{ran:?}");
}

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

/// On the sim what is asked answers, unless the settings say otherwise.
#[test]
fn without_an_answer_of_the_standby_it_is_not_up_and_traffic_stays_moved() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}{TRAFFIC}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let fault = "[[faults]]\nkind = \"check\"\nsubject = \"traffic.api/answer\"\nerror = \"denied\"\n";
    machine.write("silent.toml", &format!("{LOST}{fault}"));
    let ran = run(&machine, "failover s --auto-approve", Some("silent.toml")).code(1);
    assert!(ran.stderr.contains("changed traffic.api/traffic-switch"), "{ran:?}");
    assert!(ran.stdout.contains("FAILED traffic.api/answer"), "{ran:?}");
    assert!(ran.stderr.contains("run `drstack failover` again"), "{ran:?}");
    let again = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    let clock = &line(&again, "takeover")["clock"];
    assert!(clock["checked"].is_string() && clock["traffic"].is_null(), "traffic had moved: {clock}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(!back.stderr.contains("traffic.api/answer"), "{back:?}");
}

#[test]
fn traffic_comes_back_share_by_share_before_anything_shrinks() {
    let machine = drstack();
    let ramp = "policy = \"weighted\"\nramp = [\"5%\", \"25%\", \"100%\"]\n";
    machine.write("s/stack.toml", &format!("{STACK}{TRAFFIC}{ramp}"));
    machine.write("lost.toml", LOST);
    let weights = "traffic.api/dns-weights";
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    assert!(!ran.stderr.contains(weights), "both regions are needed for it: {ran:?}");

    let shown = run(&machine, "failback s --dry-run", None).ok();
    assert!(shown.stderr.contains("Before that") && shown.stdout.contains(weights), "{shown:?}");
    // The calls of a failback on the sim: the first run takes the primary's share away, then it is killed on its way up.
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
    // After a takeover that nobody handed back, an apply may bring it beforehand.
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let kept = run(&machine, "apply s --auto-approve", None).ok();
    assert!(kept.stderr.contains(weights) || kept.stdout.contains(weights), "{kept:?}");
    let shown = run(&machine, "failback s --dry-run", None).ok();
    assert!(!shown.stderr.contains("Before that"), "{shown:?}");
    let back = run(&machine, "failback s --auto-approve", None).ok();
    assert!(back.stdout.contains("Failback complete") && !back.stdout.contains("Apply complete"), "{back:?}");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// The steps of a plan or a run, in the order in which they are done.
fn done(ran: &Ran) -> Vec<String> {
    let lines = ran.json().into_iter().filter(|line| line["event"] == "step_finished");
    lines.map(|line| line["address"].as_str().expect("an address").to_owned()).collect()
}

#[test]
fn the_primarys_writers_are_denied_by_the_first_apply_after_a_takeover_until_it_is_handed_back() {
    let machine = drstack();
    let fence = "[fence.writers]\ndeny_writers = [\"serving-writers\"]\nbuckets = [\"@bucket.models\"]\n";
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\nwatch = false\n";
    machine.write("s/stack.toml", &format!("{STACK}{fence}{traffic}"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    const DENIAL: &str = "fence.writers/deny-serving-writers";
    let over = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert!(!done(&over).iter().any(|it| it == DENIAL), "{over:?}");
    run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    // IAM does not answer yet.
    let early = run(&machine, "apply s --auto-approve", Some("lost.toml")).code(1);
    assert!(early.stdout.contains(DENIAL), "{early:?}");
    let denied = run(&machine, "apply s --auto-approve --json", None).ok();
    assert_eq!(done(&denied), [DENIAL]);
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failover s --dry-run", Some("lost.toml")).ok();
    let back = done(&run(&machine, "failback s --auto-approve --json", None).ok());
    let at = |address: &str| {
        back.iter().position(|it| it == address).unwrap_or_else(|| panic!("{address}: {back:?}"))
    };
    assert!(
        at(DENIAL) < at("fence.writers/active-region") && at(DENIAL) < at("traffic.api/traffic-switch"),
        "{back:?}"
    );
    run(&machine, "plan s --detailed-exitcode", None).ok();

    // What was not put is not lifted.
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    let back = done(&run(&machine, "failback s --auto-approve --json", None).ok());
    assert!(!back.iter().any(|it| it == DENIAL), "{back:?}");
}
