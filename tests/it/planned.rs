//! Planned failovers, and what a failback shows, against moto and fakecloud.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran};
use crate::events::refusals;
use crate::lost_region::gpus;
use crate::main_job::apply;
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

const COPY: &str = "acme-models-us-west-2";

/// Returns a stack with a pool, a bucket and, if `table`, a table.
fn stack(table: bool) -> String {
    let table = if table { "[table.features]\nname = \"acme-features\"\n" } else { "" };
    let bucket = "[bucket.models]\nname = \"acme-models\"\nreplication_time_control = true\n";
    gpus(&format!("tag = {{ team = \"search\" }}\n{bucket}{table}"))
}

fn applied(server: &Server, table: bool) -> Drstack {
    applied_with(server, table, &json!([{ "pk": "a", "text": "one" }]))
}

fn applied_with(server: &Server, table: bool, items: &Value) -> Drstack {
    server.boto().seed(&json!([
        { "kind": "bucket", "name": "acme-models", "contents": { "a": "weights", "b": "more" } },
        { "kind": "table", "name": "acme-features", "items": items },
        { "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 4 },
    ]));
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack(table));
    apply(&machine);
    server.find();
    machine
}

fn objects(boto: &Boto<'_>, region: &str, bucket: &str, mut more: Value) -> Value {
    (more["region"], more["bucket"]) = (json!(region), json!(bucket));
    boto.run("objects", &more)
}

/// Writes a metric that an AWS service publishes about itself.
fn says(boto: &Boto<'_>, region: &str, metric: (&str, &str), dimensions: &Value, value: f64) {
    let (namespace, name) = metric;
    let datum = json!({ "region": region, "namespace": namespace, "name": name, "dimensions": dimensions, "value": value, "ago": 90 });
    boto.run("metric", &datum);
}

/// Returns the last line of this type of a component.
#[track_caller]
fn last(lines: &[Value], kind: &str, address: &str) -> Value {
    let is = |line: &&Value| line["type"] == kind && line["address"] == address;
    let found = lines.iter().rfind(is).unwrap_or_else(|| panic!("no {kind} of {address}: {lines:#?}"));
    found["sides"].clone()
}

/// Returns the writes in the primary region.
fn writes_there(server: &Server) -> Vec<String> {
    let reads = ["Describe", "List", "Get", "GET ", "HEAD ", "Scan"];
    let is_write = |call: &String| {
        let operation = call.rsplit('/').next().unwrap_or_default();
        call.starts_with(PRIMARY) && !reads.iter().any(|read| operation.starts_with(read))
    };
    server.calls().into_keys().filter(is_write).collect()
}

/// Runs `drstack ARGS --json`, and calls `then` once it has reported a backlog.
fn waiting(machine: &Drstack, args: &[&str], then: impl FnOnce(&Value)) -> Vec<Value> {
    let mut command = machine.command(args.iter().chain(&["--json"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start drstack");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (mut said, mut then) = (Vec::new(), Some(then));
    for line in &mut lines {
        let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        assert_eq!(refusals(&line), "", "{line}");
        if line["type"] == "backlog"
            && let Some(then) = then.take()
        {
            then(&line["sides"]);
        }
        said.push(line);
    }
    let status = child.wait().expect("wait for drstack");
    // The stack has no check of what serves.
    assert_eq!(status.code(), Some(3), "{status}: {said:#?}");
    said
}

fn failback_shows(machine: &Drstack) -> (Ran, Vec<Value>) {
    let ran = machine.run(["failback", "s", "--dry-run", "--json"]).ok();
    let lines = ran.json();
    (ran, lines)
}

/// moto replicates nothing: the test writes the missing object while drstack waits for it.
#[test]
fn a_planned_failover_begins_once_the_last_object_is_there() {
    let Some(server) = Server::moto() else { return };
    let machine = applied(&server, false);
    let boto = server.boto();
    objects(
        &boto,
        PRIMARY,
        "acme-models",
        json!({ "put": { "c": "newest", "gone": "x" }, "delete": ["gone"] }),
    );
    let rule = json!({ "SourceBucket": "acme-models", "DestinationBucket": COPY, "RuleId": "drstack-fleet-bucket.models" });
    says(&boto, STANDBY, ("AWS/S3", "OperationsPendingReplication"), &rule, 4.0);
    let patience = ["failover", "s", "--planned", "--auto-approve", "--drain-timeout", "1s"];
    server.find();
    let ran = machine.run(patience).code(3);
    assert!(
        ran.stderr.contains("bucket.models: 3 objects to arrive") && ran.stderr.contains("`a`, `b`, `c`"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("CloudWatch says 4 operations waiting at"), "{ran:?}");
    assert!(ran.stderr.contains("nothing was changed"), "{ran:?}");
    let standby = boto.world(STANDBY, &["groups"]);
    assert_eq!(standby["groups"]["drstack-fleet-pool-inference"]["sizes"]["desired"], 1, "{standby:#}");

    server.find();
    let lines = waiting(
        &machine,
        &["failover", "s", "--planned", "--only", "tag:team=search", "--auto-approve"],
        |_| {},
    );
    assert!(lines.iter().all(|it| it["type"] != "backlog"), "the pool refers to no data: {lines:#?}");
    machine.run(["failback", "s", "--auto-approve"]).ok();

    server.find();
    let all = ["failover", "s", "--planned", "--auto-approve"];
    let lines = waiting(&machine, &all, |sides| {
        assert_eq!((&sides["waiting"], &sides["primary_only"]), (&json!(3), &json!(3)), "{sides:#}");
        objects(&boto, STANDBY, COPY, json!({ "copy_from": "acme-models" }));
    });
    // boto3 wrote to the standby bucket only.
    assert_eq!(writes_there(&server), Vec::<String>::new());
    let drained = last(&lines, "backlog", "bucket.models");
    assert_eq!(
        (&drained["waiting"], &drained["compared"], &drained["is_whole"]),
        (&json!(0), &json!(4), &json!(true))
    );
    let report = lines.iter().rfind(|it| it["type"] == "report").expect("a report");
    assert_eq!(report["complete"], true, "{report:#}");
    assert!(report["clock"]["drained"].is_string() && report["clock"]["detected"].is_null(), "{report:#}");
    let standby = boto.world(STANDBY, &["groups"]);
    assert_eq!(standby["groups"]["drstack-fleet-pool-inference"]["sizes"]["desired"], 4, "{standby:#}");

    // While the standby serves, an object is created, one overwritten and one deleted; in the
    // primary one is overwritten.
    objects(&boto, STANDBY, COPY, json!({ "put": { "new": "n", "a": "other weights" }, "delete": ["b"] }));
    objects(&boto, PRIMARY, "acme-models", json!({ "put": { "c": "newer still" } }));
    let (ran, lines) = failback_shows(&machine);
    let sides = last(&lines, "divergence", "bucket.models");
    let counted = [&sides["standby_only"], &sides["primary_only"], &sides["differ"]];
    assert_eq!(counted, [&json!(1), &json!(1), &json!(2)], "{ran:?}");
    assert_eq!(sides["changed"], json!({ "primary": 1, "standby": 3 }), "{sides:#}");
}

#[test]
fn a_primary_that_does_not_answer_is_nothing_for_a_planned_failover() {
    let Some(server) = Server::moto() else { return };
    let machine = applied(&server, false);
    let before = server.boto().world(STANDBY, &["groups"]);
    server.lose(PRIMARY, &[]);
    let ran = machine.run(["failover", "s", "--planned", "--auto-approve"]).code(3);
    assert!(ran.stderr.contains("us-east-1 does not answer yet"), "{ran:?}");
    server.find();
    assert_eq!(server.boto().world(STANDBY, &["groups"]), before);
}

/// Waits for the next second. S3 reports write times in whole seconds, so a write in the second in
/// which a failover begins counts as written since.
fn until_the_next_second() {
    let now = || jiff::Timestamp::now().as_second();
    let this = now();
    while now() == this {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// fakecloud replicates both objects and items.
#[test]
fn replication_drains_by_itself_and_a_table_carries_its_own_way_back() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    let machine = applied(&server, true);
    let boto = server.boto();
    // Objects older than the replication rule never arrive by themselves.
    objects(&boto, STANDBY, COPY, json!({ "copy_from": "acme-models" }));
    objects(&boto, PRIMARY, "acme-models", json!({ "put": { "c": "newest" }, "delete": ["b"] }));
    until_the_next_second();
    let ran = machine.run(["failover", "s", "--planned", "--auto-approve", "--json"]).unasked();
    let lines = ran.json();
    let (bucket, table) =
        (last(&lines, "backlog", "bucket.models"), last(&lines, "backlog", "table.features"));
    assert_eq!((&bucket["waiting"], &bucket["compared"]), (&json!(0), &json!(3)), "{bucket:#}");
    assert_eq!((&table["waiting"], &table["compared"]), (&json!(0), &json!(1)), "{table:#}");
    objects(&boto, STANDBY, COPY, json!({ "put": { "new": "n" } }));
    let (ran, lines) = failback_shows(&machine);
    let sides = last(&lines, "divergence", "bucket.models");
    assert_eq!((&sides["standby_only"], &sides["changed"]["standby"]), (&json!(1), &json!(1)), "{ran:?}");
    let sides = last(&lines, "divergence", "table.features");
    assert_eq!((&sides["standby_only"], &sides["changed"]), (&json!(0), &Value::Null), "{ran:?}");
    let ran = machine.run(["failback", "s", "--auto-approve", "--json"]).ok();
    let lines = ran.json();
    let report = lines.iter().rfind(|it| it["type"] == "report").expect("a report");
    assert_eq!(report["data"][0]["sides"]["standby_only"], 1, "{report:#}");
    let left: Vec<&str> =
        report["on_demand"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        left,
        ["pool.inference/group: 1 instance"],
        "it serves until a spot instance does: {report:#}"
    );
    let serving = &report["in_service"];
    assert_eq!(
        (&serving["before"], &serving["fewest"], &serving["after"]),
        (&json!(4), &json!(1), &json!(1)),
        "{report:#}"
    );
}

#[test]
fn a_table_that_is_too_large_to_compare_is_never_called_drained() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    let text = "x".repeat(390_000);
    // Nine pages of items: more than is read.
    let items: Vec<Value> = (0..24).map(|at| json!({ "pk": format!("key-{at}"), "text": text })).collect();
    let machine = applied_with(&server, true, &json!(items));
    objects(&boto, STANDBY, COPY, json!({ "copy_from": "acme-models" }));
    let pair = json!({ "TableName": "acme-features", "ReceivingRegion": STANDBY });
    says(&boto, PRIMARY, ("AWS/DynamoDB", "ReplicationLatency"), &pair, 1234.0);
    let ran = machine.run(["failover", "s", "--planned", "--auto-approve"]).code(3);
    assert!(ran.stderr.contains("table.features: cannot be told"), "{ran:?}");
    assert!(ran.stderr.contains("CloudWatch says at most 1.2 s behind at"), "{ran:?}");
    assert!(ran.stderr.contains("--not-waiting-for") && !ran.stderr.contains("key-"), "{ran:?}");
    let told = ["failover", "s", "--planned", "--not-waiting-for", "table.features", "--dry-run"];
    let ran = machine.run(told).ok();
    assert!(ran.stdout.contains("bucket.models: nothing to arrive"), "{ran:?}");
    assert!(!ran.stdout.contains("table.features: "), "{ran:?}");
}
