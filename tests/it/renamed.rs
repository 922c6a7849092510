//! A renamed component, module, table, pool or DNS name: its resources are kept as they are, in
//! place.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const STACK: &str = r#"
[stack]
name    = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"
control = "demo-control"

[bucket.models]
name = "acme-models"

[table.features]
name = "acme-features"

[network.standby]
cidr = "10.64.0.0/16"

[pool.serving]
follows        = "serve"
network        = "@network.standby"
instance_types = ["g5.xlarge"]
capacity       = 8
buckets        = ["@bucket.models"]

[traffic.api]
zone           = "example.com"
record         = "api"
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
after          = ["@pool.serving"]
watch          = false

[module.training]
source = "../training"
"#;

const MODULE: &str = "[bucket.checkpoints]\nname = \"acme-checkpoints\"\n";

fn machine() -> Drstack {
    let machine = drstack();
    machine.write("training/module.toml", MODULE);
    machine.write("s/stack.toml", STACK);
    run(&machine, "apply s --auto-approve").ok();
    machine
}

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

fn text<'l>(line: &'l Value, key: &str) -> &'l str {
    line[key].as_str().expect("text")
}

/// Returns each step that a run did, in order: `delete bucket.models/replication-rule`.
fn done(ran: &Ran) -> Vec<String> {
    let lines = ran.json().into_iter().filter(|line| line["event"] == "step_finished");
    lines.map(|line| format!("{} {}", text(&line, "action"), text(&line, "address"))).collect()
}

/// Applies the stack with `from` renamed to `to`. Returns the steps that were done.
fn renamed(machine: &Drstack, [from, to]: [&str; 2]) -> Vec<String> {
    let ends = [("[", "]"), ("\"@", "\"")];
    let text = ends.iter().fold(STACK.to_owned(), |text, (before, after)| {
        text.replace(&format!("{before}{from}{after}"), &format!("{before}{to}{after}"))
    });
    machine.write("s/stack.toml", &text);
    let done = done(&run(machine, "apply s --auto-approve --json").ok());
    run(machine, "plan s --detailed-exitcode").code(0);
    done
}

fn deleted(done: &[String]) -> Vec<&str> {
    done.iter().filter_map(|it| it.strip_prefix("delete ")).collect()
}

#[test]
fn a_bucket_and_its_module_keep_the_copy_and_its_rule_goes_after_the_new_one() {
    for (names, old, new) in [
        (["bucket.models", "bucket.weights"], "bucket.models", "bucket.weights"),
        (
            ["module.training", "module.learning"],
            "module.training.bucket.checkpoints",
            "module.learning.bucket.checkpoints",
        ),
    ] {
        let done = renamed(&machine(), names);
        let rule = format!("{old}/replication-rule");
        assert_eq!(deleted(&done), [rule.as_str()], "{done:#?}");
        let at =
            |step: &str| done.iter().position(|it| it == step).unwrap_or_else(|| panic!("{step}: {done:#?}"));
        assert!(at(&format!("create {new}/replication-rule")) < at(&format!("delete {rule}")), "{done:#?}");
        assert!(done.contains(&format!("update {new}/bucket")), "{done:#?}");
        assert!(done.contains(&format!("update {new}/replication-role")), "{done:#?}");
    }
}

#[test]
fn a_table_a_network_and_a_pool_are_tagged_anew_and_nothing_else() {
    for (kind, count) in [("table.features", 1), ("network.standby", 8), ("pool.serving", 5)] {
        let to = format!("{}.renamed", kind.split('.').next().expect("a kind"));
        let done = renamed(&machine(), [kind, &to]);
        let updates = done.iter().filter(|it| it.starts_with(&format!("update {to}/"))).count();
        assert_eq!((updates, done.len()), (count, count), "{done:#?}");
    }
}

#[test]
fn a_name_that_leads_to_the_stack_is_answered_all_the_time() {
    let machine = machine();
    let first = renamed(&machine, ["traffic.api", "traffic.web"]);
    assert_eq!(deleted(&first), ["traffic.api/alarm"], "{first:#?}");
    assert!(first.contains(&"update traffic.web/dns-record".to_owned()), "{first:#?}");
}

#[test]
fn once_traffic_has_moved_the_new_alarm_moves_it_before_it_is_heeded() {
    let machine = machine();
    run(&machine, "failover s --auto-approve").unasked();
    let done = renamed(&machine, ["traffic.api", "traffic.web"]);
    let at =
        |step: &str| done.iter().position(|it| it == step).unwrap_or_else(|| panic!("{step}: {done:#?}"));
    assert!(at("update traffic.web/traffic-switch") < at("update traffic.web/alarm-check"), "{done:#?}");
    assert!(at("update traffic.web/alarm-check") < at("delete traffic.api/alarm"), "{done:#?}");
}

#[test]
fn a_pool_that_is_renamed_and_changed_at_once_is_kept_if_the_stack_says_so() {
    let changed = STACK
        .replace("[pool.serving]", "[pool.inference]")
        .replace("@pool.serving", "@pool.inference")
        .replace("g5.xlarge", "g5.2xlarge");
    let machine = machine();
    machine.write("s/stack.toml", &changed);
    let guessed = run(&machine, "plan s --json").ok().json();
    let mut notes = guessed.iter().filter(|line| line["type"] == "note");
    let question = notes.find(|it| it["address"] == "pool.serving").expect("a question");
    assert!(text(question, "text").contains("`to = \"pool.inference\"`"), "{question}");

    let said = format!("{changed}\n[[moved]]\nfrom = \"pool.serving\"\nto = \"pool.inference\"\n");
    machine.write("s/stack.toml", &said);
    let done = done(&run(&machine, "apply s --auto-approve --json").ok());
    assert_eq!(deleted(&done), [""; 0], "{done:#?}");
    assert!(done.contains(&"update pool.inference/group".to_owned()), "{done:#?}");
    // The line can stay.
    run(&machine, "plan s --detailed-exitcode").code(0);
}

/// A switch that was left on would keep users in a region that has shrunk.
#[test]
fn a_failback_leads_users_back_by_the_name_that_led_them_there() {
    let machine = machine();
    run(&machine, "failover s --auto-approve").unasked();
    machine.write("s/stack.toml", &STACK.replace("[traffic.api]", "[traffic.web]"));
    let ran = run(&machine, "failback s --auto-approve").code(3);
    assert!(ran.stderr.contains("`traffic.web` has another name than"), "{ran:?}");
    machine.write("s/stack.toml", &without_traffic());
    let ran = run(&machine, "failback s --auto-approve").code(3);
    assert!(ran.stderr.contains("write it into the stack again"), "{ran:?}");
    machine.write("s/stack.toml", &STACK.replace("[traffic.api]", "[traffic.web]"));
    run(&machine, "apply s --auto-approve").ok();
    let ran = run(&machine, "failback s --auto-approve --json").ok();
    assert!(done(&ran).contains(&"update traffic.web/traffic-switch".to_owned()), "{ran:?}");
    run(&machine, "plan s --detailed-exitcode").code(0);
}

fn without_traffic() -> String {
    let (head, rest) = STACK.split_once("[traffic.api]").expect("traffic");
    let (_, rest) = rest.split_once("[module").expect("a module");
    format!("{head}[module{rest}")
}

#[test]
fn what_leads_users_to_the_standby_region_stays_while_it_serves() {
    let machine = machine();
    run(&machine, "failover s --auto-approve").unasked();
    machine.write("s/stack.toml", &without_traffic());
    // A bundle without it could not be failed back by.
    let ran = run(&machine, "apply s --auto-approve").code(3);
    assert!(ran.stderr.contains("of `traffic.api` says that us-west-2 serves"), "{ran:?}");
    machine.write("s/stack.toml", STACK);
    run(&machine, "plan s --detailed-exitcode").code(0);
    run(&machine, "failback s --auto-approve").ok();
}

/// The check that reads the alarm is global, so it cannot be told of the new one.
#[test]
fn an_alarm_that_is_in_use_stays_while_the_primary_does_not_answer() {
    let machine = machine();
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    run(&machine, "failover s --auto-approve --sim lost.toml").unasked();
    machine.write("s/stack.toml", &STACK.replace("[traffic.api]", "[traffic.web]"));
    let ran = run(&machine, "apply s --auto-approve --sim lost.toml --json").code(1);
    assert_eq!(deleted(&done(&ran)), [""; 0]);
}

#[test]
fn what_is_deleted_is_named_in_the_plan_in_lines_and_in_progress() {
    let machine = machine();
    machine.write("s/stack.toml", &STACK.replace("traffic.api", "traffic.web").replace("\"api\"", "\"web\""));
    let alarm = "alarm `drstack-demo-traffic-api`: the stack no longer names it";
    let plan = run(&machine, "plan s").ok();
    assert!(plan.stdout.contains(alarm), "{plan:?}");
    let lines = run(&machine, "plan s --json").ok().json();
    let goes = |line: &&Value| line["type"] == "step" && line["address"] == "traffic.api/alarm";
    assert_eq!(lines.iter().find(goes).map(|it| &it["id"]), Some(&"drstack-demo-traffic-api".into()));
    let ran = run(&machine, "apply s --auto-approve").ok();
    assert!(ran.stderr.contains("deleted traffic.api/alarm `drstack-demo-traffic-api` ("), "{ran:?}");
}

#[cfg(feature = "aws")]
mod moto {
    //! The same renames against moto, read back with boto3.

    use serde_json::Value;

    use crate::main_job::{apply, nothing_to_do, seed, stack};
    use crate::servers::{PRIMARY, STANDBY, Server};

    const GROUP: &str = "drstack-fleet-pool-inference";

    /// Returns the ids of the group's instances.
    fn instances(standby: &Value) -> Vec<String> {
        let all = standby["groups"][GROUP]["instances"].as_array().expect("instances");
        let mut ids: Vec<String> = all.iter().map(ToString::to_string).collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_renamed_bucket_and_pool_keep_their_copy_rule_role_and_instances() {
        let Some(server) = Server::moto() else { return };
        let boto = server.boto();
        seed(&boto);
        let machine = server.drstack();
        machine.write("s/stack.toml", &stack("warm"));
        apply(&machine);
        let before = boto.world(STANDBY, &[]);

        let renamed = stack("warm")
            .replace("bucket.models", "bucket.weights")
            .replace("pool.inference", "pool.serving")
            .replace("table.features", "table.rows")
            .replace("network.standby", "network.other");
        machine.write("s/stack.toml", &renamed);
        apply(&machine);
        nothing_to_do(&machine);

        let (primary, standby) = (boto.world(PRIMARY, &[]), boto.world(STANDBY, &[]));
        let replication = &primary["buckets"]["acme-models"]["replication"];
        let ids: Vec<&Value> =
            replication["Rules"].as_array().expect("rules").iter().map(|it| &it["ID"]).collect();
        assert_eq!(ids, ["drstack-fleet-bucket.weights"]);
        assert_eq!(replication["Rules"][0]["Status"], "Enabled");
        let role = replication["Role"].as_str().and_then(|it| it.rsplit('/').next()).expect("a role");
        assert_eq!(role, "drstack-fleet-bucket-models-replication");
        let address = |object: &Value, tags: &str| object[tags]["drstack:address"].clone();
        assert_eq!(address(&primary["roles"][role], "tags"), "bucket.weights/replication-role");
        let copy = &standby["buckets"][format!("acme-models-{STANDBY}")];
        assert_eq!(address(copy, "tags"), "bucket.weights/bucket");
        assert_eq!(address(&standby["tables"]["acme-features"], "tags"), "table.rows/table-replica");
        assert_eq!(instances(&standby), instances(&before));
        assert_eq!(standby["groups"].as_object().map(serde_json::Map::len), Some(1));
        let templates = standby["launch_templates"].as_object().expect("templates");
        let templates: Vec<Value> = templates.values().map(|it| address(it, "Tags")).collect();
        assert_eq!(templates, ["pool.serving/launch-template"]);
        let profile = &primary["profiles"]["drstack-fleet-pool-inference-instances"];
        assert_eq!(address(profile, "tags"), "pool.serving/instance-profile");
        assert_eq!(
            standby["vpcs"].as_object().map(serde_json::Map::len),
            before["vpcs"].as_object().map(serde_json::Map::len)
        );
    }
}

/// Returns the steps that `step` of a plan's lines waits for, directly or not.
fn before(lines: &[Value], step: &str) -> Vec<String> {
    let name = |it: &Value| format!("{} {}", text(it, "action"), text(it, "address"));
    let steps: Vec<&Value> = lines.iter().filter(|it| it["type"] == "step").collect();
    let start = steps.iter().position(|it| name(it) == step).unwrap_or_else(|| panic!("{step}: {steps:#?}"));
    let (mut open, mut found) = (vec![start], Vec::new());
    while let Some(at) = open.pop() {
        for field in ["needs", "after"] {
            for need in steps[at][field].as_array().into_iter().flatten() {
                let need = usize::try_from(need.as_u64().expect("a step")).expect("a step");
                if !found.contains(&need) {
                    found.push(need);
                    open.push(need);
                }
            }
        }
    }
    found.into_iter().map(|at| name(steps[at])).collect()
}

#[test]
fn instances_have_their_endpoints_before_they_start_and_until_their_subnets_are_gone() {
    let machine = drstack();
    machine.write("training/module.toml", MODULE);
    machine.write("s/stack.toml", STACK);
    let first = run(&machine, "plan s --json").ok().json();
    let started = before(&first, "create pool.serving/group");
    for part in ["endpoint-s3", "endpoint-dynamodb", "route-table"] {
        assert!(started.contains(&format!("create network.standby/{part}")), "{part}: {started:#?}");
    }
    run(&machine, "apply s --auto-approve").ok();
    machine.write("s/stack.toml", &STACK.replace("10.64.0.0/16", "10.65.0.0/16"));
    let changed = run(&machine, "plan s --json").ok().json();
    for part in ["endpoint-s3", "endpoint-dynamodb", "route-table"] {
        let left = before(&changed, &format!("delete network.standby/{part}"));
        for earlier in ["update pool.serving/group", "delete network.standby/subnet-us-west-2a"] {
            assert!(left.contains(&earlier.to_owned()), "{part} waits for {left:#?}");
        }
    }
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").code(0);
}

/// A renamed pool that serves is counted by what it is, and keeps the name of its group.
#[test]
fn a_renamed_pool_that_serves_is_counted() {
    let machine = machine();
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    let lost = "failover s --auto-approve --cloud sim --sim lost.toml".split(' ');
    machine.run(lost);
    let moved = "[[moved]]\nfrom = \"pool.serving\"\nto = \"pool.answers\"\n";
    machine.write("s/stack.toml", &format!("{}{moved}", STACK.replace("pool.serving", "pool.answers")));
    let plan = run(&machine, "plan s --verbose").ok();
    assert!(plan.stdout.contains("renamed: it was pool.serving/group"), "{plan:?}");
    assert!(!plan.stdout.contains("0 of 8 instances in service"), "{plan:?}");
    assert!(plan.stdout.contains("name: \"drstack-demo-pool-serving\""), "{plan:?}");
    for known in ["\" (id of pool.answers/launch-template)", "\" (id of network.standby/subnet-us-west-2a)"] {
        assert!(plan.stdout.contains(known), "{known}: {plan:?}");
    }
}

/// Two renames of two releases, in one file, over a stack that has had neither.
#[test]
fn a_chain_of_renames_is_accepted_and_followed() {
    let machine = machine();
    let chain = "[[moved]]\nfrom = \"bucket.models\"\nto = \"bucket.second\"\n\n[[moved]]\nfrom = \"bucket.second\"\nto = \"bucket.third\"\n";
    let text = STACK.replace("[bucket.models]", "[bucket.third]").replace("@bucket.models", "@bucket.third");
    machine.write("s/stack.toml", &format!("{text}\n{chain}"));
    let plan = run(&machine, "plan s").ok();
    assert!(plan.stdout.contains("renamed: it was bucket.models/bucket"), "{plan:?}");
    run(&machine, "apply s --auto-approve").ok();
    run(&machine, "plan s --detailed-exitcode").code(0);
    // Names that lead back to themselves lead nowhere.
    let circle = chain.replace("bucket.third", "bucket.models");
    machine.write("s/stack.toml", &format!("{text}\n{circle}"));
    let refused = run(&machine, "plan s").code(65);
    assert!(refused.stderr.contains("is not in the stack"), "{refused:?}");
}
