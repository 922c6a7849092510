//! A cold table against moto and fakecloud: an apply exports it, a failover restores it while the
//! primary hangs, a failback keeps it, and a destroy that names it deletes it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::main_job::{apply, expected, nothing_to_do, steps};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

const STACK: &str = r#"
[stack]
name    = "fleet"
primary = "us-east-1"
standby = "us-west-2"
posture = "cold"
control = "acme-control"

[table.features]
name = "acme-features"

[[table.features.check]]
table    = "@table.features"
item     = { pk = "a" }
writable = true
"#;

/// The arguments of a failover.
const FAILOVER: [&str; 4] = ["failover", "s", "--auto-approve", "--json"];

/// Longest time until a server has received a request for an import.
const BEGIN: Duration = Duration::from_secs(60);

/// Returns a machine with an applied stack whose table is exported.
fn applied(server: &Server) -> Drstack {
    server.boto().seed(&json!([{
        "kind": "table", "name": "acme-features", "index": ["by-model", "model"],
        "items": [{ "pk": "a", "model": "m", "text": "one" }, { "pk": "b", "model": "n", "text": "two" }],
    }]));
    let machine = server.drstack();
    machine.write("s/stack.toml", STACK);
    apply(&machine);
    nothing_to_do(&machine);
    server.find();
    machine
}

fn table(boto: &Boto<'_>, region: &str) -> Value {
    boto.world(region, &["tables"])["tables"]["acme-features"].clone()
}

/// Returns the attributes of the items that the application wrote.
fn texts(table: &Value) -> Vec<(Value, Value, Value)> {
    let items = table["items"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> = items
        .iter()
        .map(|it| (it["pk"]["S"].clone(), it["model"]["S"].clone(), it["text"]["S"].clone()))
        .collect();
    all.sort_by_key(|(pk, ..)| pk.to_string());
    all
}

/// Returns the calls to the primary region, or to a service of the whole partition.
fn calls_elsewhere(server: &Server) -> Vec<String> {
    let away = |call: &String| !call.starts_with(STANDBY) || call.contains("/iam/");
    server.calls().into_keys().filter(away).collect()
}

fn imports(server: &Server) -> u64 {
    let calls = server.calls();
    calls.get(&format!("{STANDBY}/dynamodb/ImportTable")).copied().unwrap_or(0)
}

/// Asserts that the restored table has all items, the same keys, and the settings of the stack.
fn expect_restored(server: &Server) {
    let boto = server.boto();
    let (primary, standby) = (table(&boto, PRIMARY), table(&boto, STANDBY));
    assert_eq!(texts(&standby), texts(&primary), "{standby:#}");
    assert_eq!(texts(&standby).len(), 2);
    for field in ["keys", "indexes", "billing"] {
        assert_eq!(standby[field], primary[field], "{field}: {standby:#}");
    }
    assert_eq!((&standby["status"], &standby["protected"]), (&json!("ACTIVE"), &json!(true)), "{standby:#}");
    assert_eq!(standby["recovery"], "ENABLED");
    assert_eq!(standby["tags"]["drstack:address"], "table.features/table-import");
    let export = standby["tags"]["drstack:source"].as_str().expect("an export");
    let objects = boto.world(STANDBY, &["buckets"])["buckets"]["acme-control"]["objects"].to_string();
    assert!(objects.contains(&format!("/{export}/manifest-summary.json")), "{export}: {objects}");
}

fn restored_on(server: &Server) {
    let machine = applied(server);
    server.black_out("hang");
    let ran = machine.run(FAILOVER).ok();
    assert_eq!(calls_elsewhere(server), [""; 0], "{ran:?}");
    assert_eq!(imports(server), 1);
    server.find();
    expect_restored(server);
    let report = ran.json().into_iter().find(|line| line["type"] == "report").expect("a report");
    let restored = report["restored"][0].as_str().expect("what was restored");
    assert!(restored.contains("it holds what was there at 20"), "{restored}");

    // An apply of the standby region that serves has nothing to do: it exports nothing. A failback
    // keeps what was written there.
    let nothing = expected(&[]);
    assert_eq!(steps(&machine.run(["plan", "s", "--json"]).ok()), nothing);
    assert_eq!(steps(&apply(&machine)), nothing);
    let back = machine.run(["failback", "s", "--auto-approve"]).ok();
    assert!(back.stdout.contains("is in us-west-2 alone: the failback does not copy it"), "{back:?}");
    assert!(back.stdout.contains("NOT COMPARED table.features/table-import"), "{back:?}");
    nothing_to_do(&machine);
    expect_restored(server);
    machine.run(["apply", "s", "--auto-approve", "--delete-data", "table.features"]).ok();
    let boto = server.boto();
    assert_eq!((table(&boto, STANDBY), texts(&table(&boto, PRIMARY)).len()), (Value::Null, 2));
    nothing_to_do(&machine);
}

/// A failover is killed as soon as it has requested the import. The next one creates no second
/// table, and completes the first one.
fn resumed_on(server: &Server) {
    let machine = applied(server);
    server.black_out("hang");
    server.slow(Duration::from_millis(40));
    let mut child =
        machine.command(&FAILOVER).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start");
    let begin = Instant::now();
    while imports(server) == 0 {
        assert!(begin.elapsed() < BEGIN, "no import: {:?}", server.calls());
        std::thread::yield_now();
    }
    child.kill().expect("kill drstack");
    child.wait().expect("bury drstack");
    server.slow(Duration::ZERO);
    machine.run(["unlock", "s", "--force"]).ok();
    machine.run(FAILOVER).ok();
    assert_eq!(imports(server), 1, "{:?}", server.calls());
    server.find();
    expect_restored(server);
}

#[test]
fn a_cold_table_is_restored_on_moto() {
    let Some(server) = Server::moto() else { return };
    restored_on(&server);
}

#[test]
fn a_cold_table_is_restored_on_fakecloud() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    restored_on(&server);
}

#[test]
fn a_restore_that_was_killed_is_finished_by_the_next_on_fakecloud() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    resumed_on(&server);
}

/// Removes all exports, as a lifecycle rule of the user might.
fn remove_exports(boto: &Boto<'_>) {
    let objects = boto.world(STANDBY, &["buckets"])["buckets"]["acme-control"]["objects"].clone();
    for key in objects.as_array().expect("objects").iter().filter_map(Value::as_str) {
        if key.starts_with("exports/") {
            boto.run(
                "item",
                &json!({ "region": STANDBY, "bucket": "acme-control", "key": key, "delete": true }),
            );
        }
    }
}

/// Exports whose objects are gone do not count.
#[test]
fn an_export_that_is_gone_from_the_bucket_is_made_anew() {
    let Some(server) = Server::moto() else { return };
    let machine = applied(&server);
    remove_exports(&server.boto());
    let both =
        expected(&[("create", "table.features/table-copy"), ("create", "table.features/table-export")]);
    assert_eq!(steps(&apply(&machine)), both);
    nothing_to_do(&machine);
}

/// A table that an earlier failover restored is data: the next failover serves it unchanged and
/// reports that, and so does each later apply.
#[test]
fn a_second_failover_replaces_nothing_that_the_first_one_restored() {
    let Some(server) = Server::moto() else { return };
    let (machine, boto) = (applied(&server), server.boto());
    machine.run(FAILOVER).ok();
    let written =
        json!({ "region": STANDBY, "table": "acme-features", "pk": "c", "text": "during the outage" });
    boto.run("item", &written);
    machine.run(["failback", "s", "--auto-approve"]).ok();
    remove_exports(&boto);
    apply(&machine);
    server.find();
    server.black_out("hang");
    let again = machine.run(FAILOVER).ok();
    assert_eq!((imports(&server), calls_elsewhere(&server)), (0, Vec::new()));
    let stays = "export cannot be changed in place; it stays as it is";
    assert!(again.stdout.contains(&format!("{stays}: a failover replaces nothing")), "{again:?}");
    let report = again.json().into_iter().find(|line| line["type"] == "report").expect("a report");
    assert_eq!(report["complete"], true);
    let earlier = "table.features/table-import: an earlier failover restored it from export";
    assert!(report["restored"][0].as_str().is_some_and(|it| it.starts_with(earlier)), "{report}");
    server.find();
    assert_eq!(texts(&table(&boto, STANDBY)).len(), 3);
    let active = apply(&machine);
    assert!(
        active.stdout.contains(&format!("{stays}: it holds what the standby region serves")),
        "{active:?}"
    );
}
