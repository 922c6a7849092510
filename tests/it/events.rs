//! The JSON lines of `--json` match `schemas/events.schema.json`, and the schema lists no others.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::CloudError;
use drstack_core::engine::event::{Event, Outcome, StepError};
use drstack_core::kind::Action;
use serde_json::{Value, json};

use crate::drstack::{Drstack, drstack};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../schemas/events.schema.json")).expect("JSON"));

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("a JSON Schema"));

/// Returns the schema's objections to `line`; empty if the line is valid.
pub(crate) fn refusals(line: &Value) -> String {
    VALIDATOR.iter_errors(line).map(|error| format!("{}: {error}\n", error.instance_path())).collect()
}

/// Returns the names after `#/$defs/` in the choices of `schema`.
fn choices(schema: &Value) -> BTreeSet<String> {
    let choices = schema["oneOf"].as_array().expect("choices");
    let name =
        |it: &Value| it["$ref"].as_str().and_then(|it| it.rsplit('/').next()).expect("a name").to_owned();
    choices.iter().map(name).collect()
}

/// Returns an event as `--json` writes it.
fn line(event: &Event) -> Value {
    let mut line = serde_json::to_value(event).expect("JSON");
    line["version"] = json!(2);
    line["type"] = json!("event");
    line
}

/// Returns the name of `event` in the schema. A new event does not compile until it has one.
fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run_started",
        Event::StepStarted { .. } => "step_started",
        Event::StepWaiting { .. } => "step_waiting",
        Event::StepDegraded { .. } => "step_degraded",
        Event::StepFinished { .. } => "step_finished",
        Event::Draining { .. } => "draining",
        Event::RunFinished { .. } => "run_finished",
    }
}

fn finished(outcome: Outcome) -> Event {
    let address = Address::parse("bucket.models/bucket").expect("an address");
    let elapsed = Duration::from_millis(1500);
    Event::StepFinished { step: 0, address, action: Action::Create, id: None, outcome, elapsed }
}

fn failed(error: StepError) -> Event {
    finished(Outcome::Failed { error })
}

fn cloud_errors() -> Vec<CloudError> {
    let (operation, message) = ("s3:CreateBucket".to_owned(), "said".to_owned());
    let (region, code) = ("us-west-2".to_owned(), "InvalidBucketName".to_owned());
    vec![
        CloudError::Throttled { operation: operation.clone() },
        CloudError::Denied { operation: operation.clone(), message: message.clone() },
        CloudError::Expired { operation: operation.clone(), message: message.clone() },
        CloudError::Untrusted {
            operation: operation.clone(),
            region: region.clone(),
            message: message.clone(),
        },
        CloudError::Unreachable {
            operation: operation.clone(),
            region: region.clone(),
            message: message.clone(),
        },
        CloudError::Forbidden { operation: operation.clone(), region },
        CloudError::NoCapacity { operation: operation.clone(), message: message.clone() },
        CloudError::Quota { operation: operation.clone(), message: message.clone() },
        CloudError::Conflict { operation: operation.clone(), message: message.clone() },
        CloudError::NotYet { operation: "check".to_owned(), message: message.clone(), output: String::new() },
        CloudError::Invalid { operation: operation.clone(), code, message: message.clone() },
        CloudError::Other { operation, message },
    ]
}

/// Returns one event of each name, outcome, cause and class of error.
fn events() -> Vec<Event> {
    let address = Address::parse("bucket.models/bucket").expect("an address");
    let mut events = vec![
        Event::RunStarted { run: "r".to_owned(), steps: 1 },
        Event::StepStarted {
            step: 0,
            address: address.clone(),
            action: Action::Delete,
            id: Some("acme".to_owned()),
        },
        Event::StepWaiting { step: 0, waiting_for: "replica is CREATING".to_owned(), output: None },
        Event::StepDegraded { step: 0, address: address.clone(), rung: "spot: none left".to_owned() },
        Event::Draining { running: 1 },
        Event::RunFinished { done: 1, failed: 0, skipped: 0, unfinished: 0, elapsed: Duration::ZERO },
        finished(Outcome::Done),
        finished(Outcome::Skipped { because: 0 }),
        finished(Outcome::Unfinished),
        failed(StepError::Deadline { seconds: 5, waiting_for: "it".to_owned() }),
        failed(StepError::NeverReady { message: "no".to_owned() }),
        failed(StepError::Internal { message: "no".to_owned() }),
    ];
    events.extend(cloud_errors().into_iter().map(|error| failed(StepError::Cloud { error })));
    events
}

#[test]
fn every_event_fits_the_schema_and_comes_back_from_its_line() {
    let mut names = BTreeSet::new();
    for event in events() {
        let line = line(&event);
        assert_eq!(refusals(&line), "", "{line}");
        assert_eq!(line["event"], name(&event));
        assert_eq!(serde_json::from_value::<Event>(line).expect("an event"), event);
        names.insert(name(&event).to_owned());
    }
    assert_eq!(names, choices(&SCHEMA["$defs"]["event"]));
}

#[test]
fn what_is_no_line_of_drstack_is_refused() {
    let good =
        json!({"version": 2, "type": "kept", "address": "bucket.models/bucket", "text": "it holds data"});
    assert_eq!(refusals(&good), "");
    for (field, value) in
        [("version", json!(3)), ("type", json!("keeps")), ("text", json!(1)), ("more", json!(1))]
    {
        let mut bad = good.clone();
        bad[field] = value;
        assert_ne!(refusals(&bad), "", "{bad}");
    }
    for field in ["version", "type", "address", "text"] {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(field);
        assert_ne!(refusals(&bad), "", "{bad}");
    }
    let mut bad = line(&finished(Outcome::Unfinished));
    bad["outcome"] = json!("failed");
    assert_ne!(refusals(&bad), "", "a failure without its error: {bad}");
}

/// A stack that produces every kind of line.
const STACK: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[bucket.models]
name = "acme-models"

[table.features]
name = "acme-features"
"#;

/// Returns a machine whose pool matches its spec, and whose instances are gone.
fn without_instances() -> Drstack {
    let machine = drstack();
    let pool = "[network.standby]\ncidr = \"10.64.0.0/16\"\n[pool.serving]\nfollows = \"serve\"\nnetwork = \"@network.standby\"\n";
    machine.write("s/stack.toml", &format!("{STACK}{pool}"));
    machine.run(["apply", "s", "--cloud", "sim", "--auto-approve"]).ok();
    let world = machine.folder().join(".drstack/sim/world.json");
    let text = std::fs::read_to_string(world).expect("the world");
    let gone = text.replace("\"spot\":1", "\"spot\":0");
    assert_ne!(gone, text);
    machine.write(".drstack/sim/world.json", &gone);
    machine
}

/// Returns a machine whose pool answers for a name.
fn with_traffic() -> Drstack {
    let machine = drstack();
    let pool = "[network.standby]\ncidr = \"10.64.0.0/16\"\n[pool.serving]\nfollows = \"serve\"\nnetwork = \"@network.standby\"\n";
    let traffic = "[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\nstandby_target = \"west.example.com\"\nprobe = \"https://api.example.com/\"\n";
    machine.write("s/stack.toml", &format!("{STACK}{pool}{traffic}"));
    machine.run(["apply", "s", "--cloud", "sim", "--auto-approve"]).ok();
    machine
}

/// Returns the types of the lines of `drstack ARGS --json`, which all have to match the schema.
fn types(machine: &Drstack, code: i32, args: &str) -> BTreeSet<String> {
    let ran = machine.run(args.split(' ').chain(["--json"])).code(code);
    ran.json().iter().map(|line| line["type"].as_str().expect("a type").to_owned()).collect()
}

#[test]
fn every_command_writes_lines_of_the_schema_and_every_type_of_it_is_written() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("bad/stack.toml", &STACK.replace("posture", "posture = \"warm\"\npostur"));
    machine
        .write("denied.toml", "[[faults]]\nkind = \"bucket\"\noperation = \"create\"\nerror = \"denied\"\n");
    machine.write("moved/stack.toml", &STACK.replace("posture", "control = \"demo-moved\"\nposture"));
    machine.write("down.toml", "down = [\"us-east-1\"]\n");
    let runs = [
        (0, "init new"),
        (0, "validate s --cloud sim"),
        (65, "validate bad"),
        (65, "plan bad --cloud sim"),
        (64, "plan --nonsense"),
        (64, "apply s --cloud sim"),
        (0, "plan s --cloud sim --out today.plan"),
        (0, "show today.plan"),
        (0, "graph s --cloud sim"),
        (1, "apply s --cloud sim --auto-approve --sim denied.toml"),
        (0, "apply s --cloud sim --auto-approve"),
        (1, "plan s --cloud sim --sim down.toml"),
        (0, "output s --cloud sim"),
        (4, "apply today.plan --cloud sim"),
        (0, "unlock s --cloud sim"),
        (0, "keys new key"),
        (0, "failover s --cloud sim --dry-run"),
        (3, "failover s --cloud sim --auto-approve --planned"),
        (0, "failback s --cloud sim --auto-approve"),
        (0, "runs s --cloud sim"),
        (3, "plan moved --cloud sim"),
        (0, "apply moved --cloud sim --auto-approve --mode standby"),
        (0, "destroy moved --cloud sim --auto-approve --delete-data bucket.models --delete-data control"),
        (0, "kinds"),
        (0, "explain DR201"),
        (64, "explain DR999"),
    ];
    let mut seen: BTreeSet<String> =
        runs.iter().flat_map(|(code, args)| types(&machine, *code, args)).collect();
    let runs = machine.run(["runs", "s", "--cloud", "sim"]).ok();
    let failed = runs.stdout.lines().find(|row| row.contains("failed")).expect("the denied apply");
    let name = failed.split(' ').next().expect("a name");
    seen.extend(types(&machine, 0, &format!("runs s --cloud sim --show {name}")));
    seen.extend(types(&without_instances(), 0, "plan s --cloud sim"));
    seen.extend(types(&with_traffic(), 0, "failover s --cloud sim --only traffic.api --dry-run"));
    seen.extend(types(&crate::sync::behind(), 3, "sync s --cloud sim --check"));
    seen.extend(types(&crate::sync::behind(), 3, "status s --cloud sim"));
    let state = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/discover/old.tfstate");
    seen.extend(types(&machine, 0, &format!("discover --tfstate {state} --standby us-west-2 found")));
    assert_eq!(seen, choices(&SCHEMA));
}
