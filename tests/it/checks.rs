//! Checks and the fence against moto.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Cloud, CloudError, Scope};
use drstack_core::kind::Place;
use drstack_kinds::aws::{Aws, AwsCloud};
use serde_json::{Value, json};

use crate::drstack::Drstack;
use crate::main_job::{apply, nothing_to_do, steps};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

/// Names the check that a separate process makes. The SDK takes its endpoint from the environment.
const SPEC: &str = "DRSTACK_TEST_CHECK";

/// Prefix of the answer that such a process prints.
const SAID: &str = "CHECK SAID ";

/// Runs as a test, and, if [`SPEC`] names a check, as the separate process that makes this check.
#[test]
fn a_check_that_reaches_nobody_is_not_answered() {
    let Ok(spec) = std::env::var(SPEC) else {
        let nobody = "http://127.0.0.1:9";
        let said =
            looked_at(nobody, &json!({ "table": { "name": "features", "item": {}, "writable": false } }));
        assert_eq!(said.map(|(class, _)| class).as_deref(), Some("unreachable"));
        return;
    };
    one_look(&serde_json::from_str(&spec).expect("JSON"));
}

fn one_look(spec: &Value) {
    let address = Address::parse("pool.inference/check-1").expect("an address");
    let scope = Scope {
        stack: "fleet".into(),
        primary: PRIMARY.into(),
        standby: STANDBY.into(),
        secrets: Arc::default(),
    };
    let (place, name, token) = (Place::Standby, Some(address.to_string()), "00ff".to_owned());
    let call = Call { scope, place, address, name, token };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = runtime.block_on(async {
        let cloud = AwsCloud::new(Aws::connect(PRIMARY, STANDBY).await.expect("clients"));
        cloud.create("check", &call, spec).await
    });
    let said: Result<Value, CloudError> = said.map(|found| found.live);
    let line = json!({ "held": said.as_ref().ok(), "error": said.as_ref().err() });
    writeln!(std::io::stdout(), "{SAID}{line}").expect("say it");
}

/// Returns the class and the message of the check's error; `None` if the check holds.
fn looked(server: &Server, probe: &Value) -> Option<(String, String)> {
    looked_at(server.endpoint(), probe)
}

fn looked_at(endpoint: &str, probe: &Value) -> Option<(String, String)> {
    let spec = json!({ "probe": probe, "timeout": 20 });
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "checks::a_check_that_reaches_nobody_is_not_answered", "--nocapture"])
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ACCOUNT_ID", "123456789012")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(SPEC, spec.to_string())
        .output()
        .expect("run a look");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once(SAID)).unwrap_or_else(|| panic!("{output:?}"));
    let said: Value = serde_json::from_str(line.1).expect("JSON");
    if said["error"].is_null() {
        assert_eq!(said["held"]["held"]["timeout"], spec["timeout"], "{said}");
        return None;
    }
    let text = |key: &str| said["error"][key].as_str().unwrap_or_default().to_owned();
    Some((text("class"), text("message")))
}

fn says(class: &str, message: &str) -> Option<(String, String)> {
    Some((class.to_owned(), message.to_owned()))
}

#[test]
fn a_table_is_read_and_where_it_is_allowed_written_in_the_standby_region_alone() {
    let Some(server) = Server::moto() else { return };
    let table = |item: Value, writable: bool| json!({ "table": { "name": "features", "item": item, "writable": writable } });
    let absent = says("not_yet", "there is no table `features` in us-west-2");
    assert_eq!(looked(&server, &table(json!({}), false)), absent);
    let boto = server.boto();
    let objects = json!([{ "kind": "table", "name": "features", "items": [{ "pk": "a", "text": "one" }] }]);
    boto.run("seed_primary", &json!({ "region": STANDBY, "objects": objects }));
    server.find();
    assert_eq!(looked(&server, &table(json!({}), false)), None);
    assert_eq!(looked(&server, &table(json!({ "pk": "a" }), false)), None);
    let other = json!({ "pk": "canary" });
    let missing = says("not_yet", "table `features` has no such item yet");
    assert_eq!(looked(&server, &table(other.clone(), false)), missing);
    assert!(!server.calls().keys().any(|call| call.contains("UpdateItem")), "{:?}", server.calls());
    assert_eq!(looked(&server, &table(other.clone(), true)), None);
    assert_eq!(looked(&server, &table(other, false)), None, "it was written");
    // A key of the wrong shape must not pass.
    let wrong = looked(&server, &table(json!({ "id": "a" }), false)).expect("a refusal");
    assert_eq!(wrong.0, "invalid", "{wrong:?}");
    let primary = server.calls().keys().filter(|call| call.starts_with(PRIMARY)).count();
    assert_eq!(primary, 0, "{:?}", server.calls());
}

#[test]
fn an_object_has_to_have_the_content_that_the_stack_names() {
    let Some(server) = Server::moto() else { return };
    // SHA-256 of "weights", by sha256sum.
    const RIGHT: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";
    let object =
        |key: &str, sha256: &str| json!({ "object": { "bucket": "copies", "key": key, "sha256": sha256 } });
    assert_eq!(looked(&server, &object("m", RIGHT)), says("not_yet", "there is no `m` in `copies` yet"));
    let objects = json!([{ "kind": "bucket", "name": "copies", "contents": { "m": "weights", "big": "x".repeat(3_000_000) } }]);
    server.boto().run("seed_primary", &json!({ "region": STANDBY, "objects": objects }));
    assert_eq!(
        looked(&server, &object("other", RIGHT)),
        says("not_yet", "there is no `other` in `copies` yet")
    );
    assert_eq!(looked(&server, &object("m", RIGHT)), None);
    let (class, message) = looked(&server, &object("big", RIGHT)).expect("another content");
    assert_eq!(class, "invalid", "{message}");
    let big = drstack_core::cloud::sha256("x".repeat(3_000_000).as_bytes());
    assert_eq!(message, format!("`big` of `copies` has the SHA-256 {big}, not {RIGHT}"));
    assert_eq!(looked(&server, &object("big", &big)), None);
}

/// A stack whose only component is a fence.
fn fenced(server: &Server, more: &str) -> Drstack {
    let machine = server.drstack();
    let text =
        "[stack]\nname = \"fleet\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n";
    machine.write("s/stack.toml", &format!("{text}{more}"));
    machine
}

fn parameters(boto: &Boto<'_>, set: &Value) -> Value {
    boto.run("parameters", &json!({ "region": STANDBY, "path": "/drstack/fleet", "set": set }))
}

#[test]
fn the_fence_is_made_mended_and_taken_away() {
    let Some(server) = Server::moto() else { return };
    let (boto, machine) = (server.boto(), fenced(&server, "[fence.writers]\n"));
    apply(&machine);
    nothing_to_do(&machine);
    let made = parameters(&boto, &json!({}));
    let region = &made["/drstack/fleet/active-region"];
    assert_eq!((&region["value"], &region["type"]), (&json!(PRIMARY), &json!("String")), "{made}");
    assert_eq!(region["tags"]["drstack:stack"], "fleet");
    assert_eq!(region["tags"]["drstack:address"], "fence.writers/active-region");
    let epoch = made["/drstack/fleet/epoch"]["value"].as_str().expect("a text");
    assert!(epoch.parse::<u64>().is_ok(), "{made}");
    assert_eq!(boto.run("parameters", &json!({ "region": PRIMARY, "path": "/drstack" })), json!({}));

    // The region is neither of the two: the standby's name would be a witness of a failover.
    let others = json!({ "/drstack/fleet/active-region": "eu-west-1", "/drstack/fleet/theirs": "x" });
    parameters(&boto, &others);
    let ran = apply(&machine);
    let address = "fence.writers/active-region".to_owned();
    assert_eq!(steps(&ran), [("update".to_owned(), address)].into(), "{ran:?}");
    assert_eq!(parameters(&boto, &json!({}))["/drstack/fleet/active-region"]["value"], PRIMARY);

    // The record of who serves goes with the control bucket.
    let left = |more: &[&str]| -> Vec<String> {
        machine.run([&["destroy", "s", "--auto-approve"], more].concat()).ok();
        parameters(&boto, &json!({})).as_object().expect("names").keys().cloned().collect()
    };
    assert_eq!(left(&[]), ["/drstack/fleet/mode", "/drstack/fleet/theirs"]);
    assert_eq!(left(&["--delete-data", "control"]), ["/drstack/fleet/theirs"]);
}

#[test]
fn a_parameter_of_somebody_else_is_left_alone() {
    let Some(server) = Server::moto() else { return };
    let (boto, machine) = (server.boto(), fenced(&server, "[fence.writers]\n"));
    parameters(&boto, &json!({ "/drstack/fleet/epoch": "theirs" }));
    let ran = machine.run(["apply", "s", "--auto-approve"]).code(1);
    assert!(ran.stdout.contains("`/drstack/fleet/epoch` exists without the tags of a stack"), "{ran:?}");
    assert_eq!(parameters(&boto, &json!({}))["/drstack/fleet/epoch"]["value"], "theirs");
}

#[test]
fn an_application_writes_where_the_fence_says_and_never_with_an_older_epoch() {
    let Some(server) = Server::moto() else { return };
    let (boto, machine) = (server.boto(), fenced(&server, "[fence.writers]\n"));
    boto.seed(&json!([{ "kind": "table", "name": "orders" }]));
    apply(&machine);
    parameters(&boto, &json!({ "/drstack/fleet/epoch": "7" }));
    let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/fence.md");
    let application = |region: &str, more: Value| {
        let mut args = json!({ "doc": doc, "stack": "fleet", "standby": STANDBY, "region": region });
        args.as_object_mut().expect("a table").extend(more.as_object().expect("a table").clone());
        boto.run("fence", &args)
    };
    let write = json!({ "table": "orders", "pk": "a" });
    let answer = |may, written: Value| json!({ "may_write": may, "epoch": 7, "written": written });
    assert_eq!(application(PRIMARY, write.clone()), answer(true, json!(true)));
    assert_eq!(application(STANDBY, json!({})), answer(false, Value::Null));
    // The table refuses a writer that remembers an old epoch, whatever the writer believes.
    let late = application(PRIMARY, json!({ "table": "orders", "pk": "a", "epoch": 6 }));
    assert_eq!(late["written"], false, "{late}");
    parameters(&boto, &json!({ "/drstack/fleet/active-region": STANDBY }));
    assert_eq!(application(PRIMARY, write), answer(false, json!(false)));
    assert_eq!(application(STANDBY, json!({})), answer(true, Value::Null));
}

#[test]
fn writers_of_the_primary_are_denied_once_it_answers_again_and_keep_what_is_theirs() {
    let Some(server) = Server::moto() else { return };
    let boto = server.boto();
    boto.seed(&json!([
        { "kind": "role", "name": "serving-writers" },
        // moto cannot import an empty table.
        { "kind": "table", "name": "orders", "items": [{ "pk": "a" }] },
        { "kind": "bucket", "name": "acme-orders" },
    ]));
    let data =
        "[table.orders]\nname = \"orders\"\nposture = \"cold\"\n[bucket.orders]\nname = \"acme-orders\"\n";
    let fence = "[fence.writers]\ndeny_writers = [\"serving-writers\"]\nbuckets = [\"@bucket.orders\"]\ntables = [\"@table.orders\"]\n";
    let machine = fenced(&server, &format!("{data}{fence}"));
    let inline = || boto.world(PRIMARY, &["roles"])["roles"]["serving-writers"]["inline"].clone();
    let before = inline();
    apply(&machine);
    nothing_to_do(&machine);
    assert_eq!(inline(), before);

    server.black_out("hang");
    machine.run(["failover", "s", "--auto-approve"]).unasked();
    server.find();
    assert_eq!(inline(), before, "a failover calls no IAM");
    apply(&machine);
    nothing_to_do(&machine);
    let denied = inline();
    assert_eq!(denied["theirs"], before["theirs"], "{denied:#}");
    let statements = denied["drstack-fleet-deny-writers"]["Statement"].as_array().expect("a policy").clone();
    let resources: Vec<&Value> = statements.iter().map(|it| &it["Resource"]).collect();
    assert_eq!(
        resources,
        [&json!(["arn:aws:s3:::acme-orders/*"]), &json!(["arn:aws:dynamodb:us-east-1:*:table/orders"])]
    );
    assert!(statements.iter().all(|it| it["Effect"] == "Deny"), "{denied:#}");
    machine.run(["failback", "s", "--auto-approve"]).ok();
    assert_eq!(inline(), before);
    nothing_to_do(&machine);
}

#[test]
fn a_role_that_is_not_there_is_not_made() {
    let Some(server) = Server::moto() else { return };
    server.boto().seed(&json!([{ "kind": "bucket", "name": "acme-orders" }]));
    let fence = "[bucket.orders]\nname = \"acme-orders\"\n[fence.writers]\ndeny_writers = [\"nobody\"]\nbuckets = [\"@bucket.orders\"]\n";
    let ran = fenced(&server, fence).run(["apply", "s", "--auto-approve"]).code(1);
    assert!(ran.stderr.contains("there is no role `nobody` to fence"), "{ran:?}");
}
