//! Buckets of other accounts under names that the stack would choose: drstack refuses them by name
//! and never uses them as its own.

use serde_json::Value;

use crate::drstack::{Drstack, drstack};

const STACK: &str = r#"
[stack]
name = "demo"
primary = "us-east-1"
standby = "us-west-2"
posture = "warm"

[bucket.models]
name = "acme-models"
"#;

const WORLD: &str = ".drstack/sim/world.json";

/// Returns a machine whose simulated cloud has a bucket of this name that another account owns.
fn squatted(bucket: &str) -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.run(["plan", "s", "--cloud", "sim"]).ok();
    let path = machine.folder().join(WORLD);
    let mut world: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    world["world"]["accounts"] = serde_json::json!({ bucket: "210987654321" });
    std::fs::write(path, world.to_string()).expect("write");
    machine
}

fn world(machine: &Drstack) -> Value {
    let text = std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world");
    serde_json::from_str::<Value>(&text).expect("JSON")["world"].clone()
}

#[test]
fn a_standby_bucket_of_another_account_is_refused_and_nothing_replicates_to_it() {
    let machine = squatted("acme-models-us-west-2");
    let ran = machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).code(1);
    let said = "bucket `acme-models-us-west-2` may belong to another account than 123456789012";
    assert!(ran.stdout.contains(said), "{ran:?}");
    let world = world(&machine);
    assert!(world["objects"]["replication-rule"]["us-east-1"].as_object().is_none_or(|it| it.is_empty()));
    assert!(world["buckets"]["drstack-demo-us-west-2"]["objects"].get("bundle.json").is_none(), "{world:#}");
}

/// F3: a squatted name is met with another one.
#[test]
fn names_that_another_account_has_are_replaced_in_the_stack_file() {
    for (bucket, line) in [
        ("acme-models-us-west-2", "standby_name = \"acme-models-copy-7f3a\"\n"),
        ("drstack-demo-us-west-2", "control = \"demo-control-7f3a\"\n"),
    ] {
        let machine = squatted(bucket);
        machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).code(1);
        let text = match line.starts_with("control") {
            true => STACK.replacen("[stack]\n", &format!("[stack]\n{line}"), 1),
            false => format!("{STACK}{line}"),
        };
        machine.write("s/stack.toml", &text);
        machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).ok();
        machine.run(["plan", "s", "--detailed-exitcode", "--cloud", "sim"]).ok();
        let world = world(&machine);
        let rule =
            &world["objects"]["replication-rule"]["us-east-1"]["acme-models/drstack-demo-bucket.models"];
        assert_ne!(rule["live"]["destination"], bucket, "{rule:#}");
    }
}

#[test]
fn a_primary_bucket_of_another_account_is_refused_and_stays_as_it_is() {
    let machine = squatted("acme-models");
    let ran = machine.run(["apply", "s", "--auto-approve", "--cloud", "sim"]).code(1);
    let said = "bucket `acme-models` may belong to another account than 123456789012";
    assert!(ran.stdout.contains(said), "{ran:?}");
    let versioning = &world(&machine)["objects"]["bucket-versioning"]["us-east-1"]["acme-models"];
    assert_eq!(versioning["live"]["enabled"], false, "{versioning:#}");
}

#[test]
fn a_control_bucket_of_another_account_is_neither_read_nor_written() {
    let machine = squatted("drstack-demo-us-west-2");
    for command in ["plan", "apply", "failover"] {
        let args = [command, "s", "--cloud", "sim"].into_iter();
        let ran = machine.run(args.chain((command != "plan").then_some("--auto-approve"))).code(1);
        let said = "bucket `drstack-demo-us-west-2` may belong to another account than 123456789012";
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert!(ran.stderr.contains("hint: "), "{ran:?}");
    }
    assert!(world(&machine)["buckets"].get("drstack-demo-us-west-2").is_none());
}

#[test]
fn the_account_is_kept_in_facts_and_bundle_and_asked_anew_where_an_older_version_kept_none() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}[sim]\naccount = \"111122223333\"\n"));
    let apply = ["apply", "s", "--auto-approve", "--cloud", "sim"];
    machine.run(apply).ok();
    let kept = |machine: &Drstack, key: &str| -> Value {
        let text = world(machine)["buckets"]["drstack-demo-us-west-2"]["objects"][key].clone();
        serde_json::from_str(text.as_str().expect("text")).expect("JSON")
    };
    let account = "111122223333";
    let bundle = kept(&machine, "bundle.json");
    assert_eq!(bundle["bundle"]["facts"]["standby/account/"]["value"], account, "{bundle:#}");
    let facts = kept(&machine, "facts.json");
    assert!(facts.to_string().contains(account), "{facts:#}");
    let rules = world(&machine)["objects"]["replication-rule"]["us-east-1"].clone();
    assert_eq!(rules["acme-models/drstack-demo-bucket.models"]["live"]["account"], account, "{rules:#}");
    let roles = world(&machine)["objects"]["replication-role"]["global"].to_string();
    assert!(roles.contains(r#"{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#), "{roles}");

    // The bundle of a drstack version that did not know accounts.
    let mut older = drstack_core::bundle::Bundle::from_bytes(
        world(&machine)["buckets"]["drstack-demo-us-west-2"]["objects"]["bundle.json"]
            .as_str()
            .expect("text")
            .as_bytes(),
    )
    .expect("a bundle");
    older.facts.answers.remove("standby/account/").expect("an account");
    for found in older.elsewhere.values_mut() {
        found.live.as_object_mut().expect("an object").remove("account");
    }
    let path = machine.folder().join(WORLD);
    let mut all: Value = serde_json::from_slice(&std::fs::read(&path).expect("a world")).expect("JSON");
    let text = String::from_utf8(older.to_bytes().expect("JSON")).expect("text");
    all["world"]["buckets"]["drstack-demo-us-west-2"]["objects"]["bundle.json"] = text.into();
    std::fs::write(path, all.to_string()).expect("write");
    machine.run(["failover", "s", "--auto-approve", "--cloud", "sim"]).unasked();
    machine.run(["failback", "s", "--auto-approve", "--cloud", "sim"]).ok();
    machine.run(apply).ok();
    let bundle = kept(&machine, "bundle.json");
    assert_eq!(bundle["bundle"]["facts"]["standby/account/"]["value"], account, "asked anew");
}

#[cfg(feature = "aws")]
mod on_moto {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::lost_region::{seed_whole, whole_stack};
    use crate::main_job::{apply, seed, stack};
    use crate::servers::{PRIMARY, STANDBY, Server};

    const SQUATTER: &str = "210987654321";

    #[test]
    fn every_request_that_names_a_bucket_names_its_owner_in_the_whole_life_of_a_stack() {
        let Some(server) = Server::moto() else { return };
        seed_whole(&server.boto());
        let machine = server.drstack();
        machine.write("s/stack.toml", &whole_stack());
        let run = |args: &[&str]| {
            server.find();
            let ran = machine.run(args);
            if args[0] == "failover" {
                ran.unasked()
            } else {
                ran.ok()
            };
            assert_eq!(server.bare(), BTreeMap::new(), "{args:?}");
            let asked = format!("{STANDBY}/sts/GetCallerIdentity");
            let calls = server.calls();
            assert!(calls.contains_key(&asked) && calls.keys().any(|it| it.contains("/s3/")), "{calls:?}");
            assert!(!calls.contains_key(&format!("{PRIMARY}/sts/GetCallerIdentity")), "{calls:?}");
        };
        run(&["apply", "s", "--auto-approve"]);
        let alarm = |state: &str| {
            let alarm = json!({ "region": STANDBY, "do": "alarm", "alarm": "drstack-fleet-traffic-api", "state": state });
            server.boto().run("traffic", &alarm);
        };
        let world = server.boto().world(PRIMARY, &["buckets", "roles"]);
        for bucket in ["acme-models", "acme-archive"] {
            let replication = &world["buckets"][bucket]["replication"];
            assert_eq!(replication["Rules"][0]["Destination"]["Account"], "123456789012", "{replication:#}");
            let role = replication["Role"].as_str().and_then(|it| it.rsplit('/').next()).expect("a role");
            for policy in world["roles"][role]["inline"].as_object().expect("policies").values() {
                for statement in policy["Statement"].as_array().expect("statements") {
                    let of = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
                    assert_eq!(of, "123456789012", "{policy:#}");
                }
            }
        }
        alarm("ALARM");
        run(&["failover", "s", "--auto-approve"]);
        alarm("OK");
        run(&["failback", "s", "--auto-approve"]);
        let data = [
            "table.features",
            "bucket.models",
            "bucket.archive",
            "pool.inference",
            "pool.ranking",
            "control",
        ];
        let data: Vec<&str> = data.iter().flat_map(|it| ["--delete-data", it]).collect();
        run(&[&["destroy", "s", "--auto-approve"], &data[..]].concat());
    }

    #[test]
    fn a_bucket_that_another_account_made_and_tagged_is_not_taken_for_the_stacks_own() {
        let Some(server) = Server::moto() else { return };
        let boto = server.boto();
        let tagged = |name: &str, address: &str| {
            json!([{ "kind": "bucket", "name": name, "versioning": true,
                "tags": { "drstack:stack": "fleet", "drstack:address": address, "drstack:source": "acme-models" } }])
        };
        for (name, address) in
            [("acme-models-us-west-2", "bucket.models/bucket"), ("acme-control", "control/bucket")]
        {
            server.reset();
            seed(&boto);
            boto.run("seed_primary", &json!({ "region": STANDBY, "objects": tagged(name, address) }));
            server.squat(name, SQUATTER);
            let machine = server.drstack();
            machine.write("s/stack.toml", &stack("warm"));
            let ran = machine.run(["apply", "s", "--auto-approve"]).code(1);
            let said = format!("bucket `{name}` may belong to another account than 123456789012");
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains(&said), "{ran:?}");
            let world = boto.world(PRIMARY, &["buckets"]);
            assert!(world["buckets"]["acme-models"]["replication"].is_null(), "{world:#}");
            let standby = boto.world(STANDBY, &["buckets"]);
            assert_eq!(standby["buckets"][name]["objects"], json!([]), "{standby:#}");
            server.find();
        }
        // The owner of the bucket decides, not its existence.
        server.reset();
        seed(&boto);
        let machine = server.drstack();
        machine.write("s/stack.toml", &stack("warm"));
        apply(&machine);
    }
}
