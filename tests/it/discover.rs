//! `drstack discover`: a stack from what Terraform knows, and what that would not bring back.
//!
//! `tests/discover/terraform.tfstate` is Terraform's own, of `tests/discover/main.tf` on moto.

use std::path::Path;

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/discover").join(name);
    path.display().to_string()
}

fn discover(machine: &Drstack, state: &str, more: &str) -> Ran {
    let state = fixture(state);
    let args = ["discover", "--tfstate", &state].into_iter().chain(more.split(' '));
    let ran = machine.run(args);
    let written = std::fs::read_to_string(machine.folder().join("mine/stack.toml")).unwrap_or_default();
    for text in [&ran.stdout, &ran.stderr, &written] {
        // The user data is in base64: `#!/bin/sh`.
        let has_secret = ["planted-secret", "IyEvYmluL3No"].iter().any(|it| text.contains(it));
        assert!(!has_secret, "a secret: {text}");
    }
    ran
}

fn stack(machine: &Drstack) -> String {
    std::fs::read_to_string(machine.folder().join("mine/stack.toml")).expect("a stack")
}

/// Returns what is said of each type: its state.
fn states(ran: &Ran) -> Vec<(String, String)> {
    let all = ran.json().into_iter().filter(|it| it["type"] == "discovered");
    let text = |it: &Value| it.as_str().expect("a text").to_owned();
    all.map(|it| (text(&it["of"]), text(&it["state"]))).collect()
}

#[test]
fn the_stack_of_a_real_state_is_valid_plans_and_fails_over_as_written() {
    let machine = drstack();
    let found = discover(&machine, "terraform.tfstate", "--standby us-west-2 mine").ok();
    assert!(found.stdout.contains("Would it serve in us-west-2? Not by drstack alone"), "{found:?}");
    for said in [
        "not protected     aws_lb ",
        "not protected     aws_ssm_parameter",
        "protected         aws_dynamodb_table",
    ] {
        assert!(found.stdout.contains(said), "{said}: {found:?}");
    }
    let text = stack(&machine);
    for line in [
        "name    = \"mine\"",
        "primary = \"us-east-1\"",
        "follows = \"acme-serving\"",
        "name = \"acme-texts\"",
        "[bucket.acme-models]",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // The primary has the range that comes first.
    assert!(text.contains("cidr = \"10.128.0.0/16\""), "{text}");
    machine.run(["validate", "mine"]).ok();
    machine.run("apply mine --cloud sim --auto-approve".split(' ')).ok();
    machine.run("plan mine --cloud sim --detailed-exitcode".split(' ')).ok();
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    machine.run("failover mine --cloud sim --auto-approve --sim lost.toml".split(' ')).unasked();
}

/// What a person wrote stays to the letter.
#[test]
fn a_second_look_adds_what_is_new_and_changes_nothing_else() {
    let machine = drstack();
    discover(&machine, "terraform.tfstate", "--standby us-west-2 mine").ok();
    let whole = stack(&machine);
    discover(&machine, "terraform.tfstate", "mine").ok();
    assert_eq!(stack(&machine), whole);
    let (head, rest) = whole.split_once("# Queues of").expect("queues");
    let (_, tail) = rest.split_once("# Auto Scaling").expect("pools");
    let mine = format!(
        "{head}# mine\n[queue.pictures]\nname = \"acme-images\"\nposture = \"pilot-light\"\n\n# Auto Scaling{tail}"
    );
    machine.write("mine/stack.toml", &mine);
    let again = discover(&machine, "terraform.tfstate", "mine").ok();
    assert!(again.stdout.contains("Added to `mine/stack.toml`: queue.acme-texts."), "{again:?}");
    let text = stack(&machine);
    assert!(text.starts_with(&mine) && text[mine.len()..].contains("name = \"acme-texts\""), "{text}");
    assert!(!text[mine.len()..].contains("acme-images"), "{text}");
    machine.run(["validate", "mine"]).ok();
}

#[test]
fn an_old_state_and_its_modules_are_read_and_a_cluster_is_no_pool() {
    let machine = drstack();
    let found = discover(&machine, "old.tfstate", "--standby eu-central-1 mine --json").ok();
    let mut states = states(&found);
    states.sort();
    let of = |kind: &str, state: &str| (kind.to_owned(), state.to_owned());
    let expected = [
        of("aws_autoscaling_group", "not"),
        of("aws_db_instance", "not"),
        of("aws_dynamodb_table", "protected"),
        of("aws_s3_bucket", "partly"),
    ];
    assert_eq!(states, expected);
    let text = stack(&machine);
    assert!(text.contains("primary = \"eu-west-1\"") && !text.contains("[pool"), "{text}");
    assert!(text.contains("[table.acme-orders]          # module.orders.aws_dynamodb_table.this"), "{text}");
    machine.run(["validate", "mine"]).ok();
}

#[test]
fn what_is_no_state_is_refused_and_nothing_is_written() {
    let machine = drstack();
    for (text, said) in [
        ("not json", "it is not a state"),
        ("{\"version\": 9}", "version 9 of the state format; 3 and 4 can be read"),
        ("{\"encrypted_data\": \"x\", \"version\": 4}", "it is encrypted"),
        ("{\"version\": 4, \"resources\": []}", "says its region"),
    ] {
        machine.write("bad.tfstate", text);
        let refused =
            machine.run("discover --tfstate bad.tfstate --standby us-west-2 mine".split(' ')).code(64);
        assert!(refused.stderr.contains(said), "{text}: {refused:?}");
    }
    let refused = discover(&machine, "terraform.tfstate", "mine").code(64);
    assert!(refused.stderr.contains("`--standby us-west-2`"), "{refused:?}");
    let refused = discover(&machine, "terraform.tfstate", "--standby us-east-1 mine").code(64);
    assert!(refused.stderr.contains("us-east-1 cannot be the standby region of itself"), "{refused:?}");
    assert!(!machine.folder().join("mine/stack.toml").exists());
}

/// Returns a state with these objects: type, label and name.
fn state(all: &[(&str, &str, &str)]) -> String {
    let resources: Vec<Value> = all
        .iter()
        .map(|(of, label, name)| {
            let attributes = serde_json::json!({ "id": name, "name": name, "bucket": name, "region": "us-east-1" });
            serde_json::json!({ "mode": "managed", "type": of, "name": label, "instances": [{ "attributes": attributes }] })
        })
        .collect();
    serde_json::json!({ "version": 4, "resources": resources }).to_string()
}

#[test]
fn what_no_stack_can_name_is_left_out_and_nothing_is_written_twice() {
    let machine = drstack();
    let odd = [
        ("aws_s3_bucket", "old", "My_Old.Bucket"),
        ("aws_s3_bucket", "new", "acme-new"),
        ("aws_autoscaling_group", "odd", "a-${stack.name}"),
        ("aws_autoscaling_group", "line", "a\nb"),
        ("aws_sqs_queue", "jobs", "acme-jobs"),
        ("aws_sqs_queue", "jobs\n[queue.x]", "acme-more"),
    ];
    machine.write("odd.tfstate", &state(&odd));
    machine
        .run("discover --tfstate odd.tfstate --tfstate odd.tfstate --standby us-west-2 mine".split(' '))
        .ok();
    let text = stack(&machine);
    machine.run(["validate", "mine"]).ok();
    assert_eq!(text.matches("\"acme-jobs\"").count(), 1, "{text}");
    assert!(!text.contains("My_Old") && text.contains("follows = \"a-$${stack.name}\""), "{text}");
    let plan = machine.run("plan mine --cloud sim".split(' ')).ok();
    assert!(!plan.stdout.contains("a-mine"), "{plan:?}");
    for region in ["nowhere", "US-WEST-2", "''"] {
        let refused =
            machine.run(["discover", "--tfstate", "odd.tfstate", "--standby", region, "other"]).code(64);
        assert!(refused.stderr.contains("is not the name of a region"), "{refused:?}");
    }
}

/// A dead-letter queue of one queue is made with it, and one of several is a component that they name.
#[test]
fn dead_letter_queues_are_written_once() {
    let queue = |label: &str, dead: &str| {
        let policy = format!(
            "{{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:{dead}\",\"maxReceiveCount\":3}}"
        );
        let policy = if dead.is_empty() { String::new() } else { policy };
        let attributes = serde_json::json!({ "id": label, "name": label, "region": "us-east-1", "redrive_policy": policy });
        serde_json::json!({ "mode": "managed", "type": "aws_sqs_queue", "name": label, "instances": [{ "attributes": attributes }] })
    };
    let all = [
        queue("a", "shared"),
        queue("b", "shared"),
        queue("shared", ""),
        queue("c", "own"),
        queue("own", ""),
    ];
    let machine = drstack();
    machine.write("queues.tfstate", &serde_json::json!({ "version": 4, "resources": all }).to_string());
    machine.run("discover --tfstate queues.tfstate --standby us-west-2 mine".split(' ')).ok();
    machine.run(["validate", "mine"]).ok();
    let text = stack(&machine);
    assert!(!text.contains("\"own\""), "{text}");
    assert_eq!(text.matches("dead_letters = \"@queue.shared\"").count(), 2, "{text}");
    assert_eq!(text.matches("name = \"shared\"").count(), 1, "{text}");
    // A second look knows them, and a new queue that shares one names it.
    machine.run("discover --tfstate queues.tfstate mine".split(' ')).ok();
    assert_eq!(stack(&machine), text);
    let more = [&all[..], &[queue("d", "shared")]].concat();
    machine.write("queues.tfstate", &serde_json::json!({ "version": 4, "resources": more }).to_string());
    machine.run("discover --tfstate queues.tfstate mine".split(' ')).ok();
    let after = stack(&machine);
    assert!(after[text.len()..].contains("name = \"d\"\ndead_letters = \"@queue.shared\""), "{after}");
    machine.run(["validate", "mine"]).ok();
}

/// A stack that a person wrote stays valid, in whatever way it was written.
#[test]
fn a_stack_that_is_valid_stays_valid() {
    let head =
        "[stack]\nname = \"mine\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n";
    let machine = drstack();
    let all =
        [("aws_s3_bucket", "models", "acme-models"), ("aws_autoscaling_group", "serving", "acme-serving")];
    machine.write("some.tfstate", &state(&all));
    for (written, code) in [
        ("[bucket.mine]\nname = \"mine-models\"\n", 0),
        ("[network.other]\ncidr = \"10.9.0.0/16\"\n", 0),
        ("bucket = { mine = { name = \"mine-models\" } }\n", 65),
        (
            "[inputs]\nc = { type = \"string\", default = \"acme\" }\n[bucket.b]\nname = \"${input.c}-models\"\n",
            0,
        ),
        ("[bucket.b]\nfor_each = [\"models\"]\nname = \"acme-${each.key}\"\n", 0),
    ] {
        let text = if written.starts_with("bucket") {
            format!("{written}{head}")
        } else {
            format!("{head}{written}")
        };
        machine.write("mine/stack.toml", &text);
        machine.run(["validate", "mine"]).ok();
        let ran = machine.run("discover --tfstate some.tfstate mine".split(' ')).code(code);
        machine.run(["validate", "mine"]).ok();
        let after = stack(&machine);
        assert!(after.starts_with(&text), "{written}: {after}");
        assert_eq!(after == text, code != 0, "{written}: {ran:?}");
        assert!(written.contains("${") <= !after[text.len()..].contains("acme-models"), "{written}: {after}");
    }
}
