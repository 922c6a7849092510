//! A stack whose name, standby region or control bucket changed in its files, or a second stack with
//! the same name, is recognized by every command, and a refused run changes nothing.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

const WORLD: &str = ".drstack/sim/world.json";
const LOST: &str = "down = [\"us-east-1\", \"global\"]\n";

fn head(name: &str, standby: &str, control: Option<&str>) -> String {
    let control = control.map_or_else(String::new, |it| format!("control = \"{it}\"\n"));
    format!(
        "[stack]\nname = \"{name}\"\nprimary = \"us-east-1\"\nstandby = \"{standby}\"\nposture = \"warm\"\n{control}"
    )
}

fn bucket(component: &str) -> String {
    format!("[bucket.{component}]\nname = \"acme-{component}\"\n")
}

fn traffic(component: &str) -> String {
    format!(
        "[traffic.{component}]\nzone = \"example.com\"\nrecord = \"{component}\"\nprimary_target = \"{component}-east.example.com\"\nstandby_target = \"{component}-west.example.com\"\nprobe = \"https://{component}.example.com/healthz\"\nwatch = false\n"
    )
}

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

fn applied(stack: &str) -> Drstack {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", stack);
    run(&machine, "apply s --auto-approve").ok();
    machine
}

/// Returns what drstack made in the simulated cloud, and the control buckets.
fn world(machine: &Drstack) -> Value {
    let text = std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world");
    let world: Value = serde_json::from_str(&text).expect("JSON");
    let mut made: Vec<String> = Vec::new();
    for (kind, regions) in world["world"]["objects"].as_object().expect("kinds") {
        for (region, objects) in regions.as_object().expect("regions") {
            // What a stack only names appears when it is read.
            let objects = objects.as_object().expect("objects").iter();
            let objects = objects.filter(|(_, it)| it["owner"].is_object());
            made.extend(objects.map(|(id, it)| format!("{kind} {region} {id} {}", it["live"])));
        }
    }
    serde_json::json!([made, world["world"]["buckets"]])
}

/// Asserts that the command ends with exit 3, says this, and changes nothing.
fn expect_refused(machine: &Drstack, line: &str, why: &str, hint: &str) {
    let before = world(machine);
    let refused = run(machine, line).code(3);
    assert!(refused.stderr.contains(why), "{line}: {refused:?}");
    assert!(refused.stderr.contains(hint), "{line}: {refused:?}");
    assert!(world(machine) == before, "{line} changed something: {refused:?}");
}

#[test]
fn another_standby_region_is_refused_where_the_control_bucket_has_its_name_from_it() {
    let machine = applied(&(head("demo", "us-west-2", None) + &bucket("models")));
    let other = head("demo", "us-west-1", None) + &bucket("models");
    machine.write("s/stack.toml", &other);
    let why = "`demo` has nothing in us-west-1, and bucket.models/replication-role, bucket.models/replication-rule elsewhere";
    let hint = "write `standby = \"us-west-2\"` again";
    for line in ["plan s", "apply s --auto-approve", "destroy s --auto-approve", "failback s --auto-approve"]
    {
        expect_refused(&machine, line, why, hint);
    }
}

#[test]
fn a_new_stack_in_which_another_name_has_the_copies_is_refused() {
    let machine = applied(&(head("demo", "us-west-2", None) + &bucket("models")));
    let renamed = head("store", "us-west-2", None) + &bucket("models") + &traffic("api");
    machine.write("s/stack.toml", &renamed);
    let why = "(bucket.models/bucket) belongs to stack `demo`, and `store` has nothing yet";
    for line in ["plan s", "apply s --auto-approve"] {
        expect_refused(&machine, line, why, "write `name = \"demo\"` again");
    }
    // Another stack leaves it out.
    machine.write("s/stack.toml", &(head("store", "us-west-2", None) + &traffic("api")));
    run(&machine, "apply s --auto-approve").ok();
}

#[test]
fn a_second_stack_with_the_same_name_takes_nothing_over() {
    let first = head("demo", "us-west-2", Some("team1-control")) + &traffic("a");
    let machine = applied(&first);
    machine.write("other/stack.toml", &(head("demo", "us-west-2", Some("team2-control")) + &bucket("b")));
    let why = "this stack is kept in the control bucket `team1-control`, not in `team2-control`";
    for line in ["plan other", "apply other --auto-approve", "failback other --auto-approve"] {
        expect_refused(&machine, line, why, "where this is another stack, give it another `name`");
    }
    let mode = "apply other --auto-approve --mode standby";
    expect_refused(&machine, mode, "deletes all that the stack has (traffic.a)", "give it another `name`");
    run(&machine, "plan s --detailed-exitcode").code(0);
}

#[test]
fn a_destroy_by_the_files_of_another_stack_is_not_done_without_asking() {
    let head = head("demo", "us-west-2", Some("demo-control"));
    let machine = applied(&format!("{head}{}", traffic("a")));
    machine.write("other/stack.toml", &format!("{head}{}", bucket("b")));
    let why = "deletes all that the stack has (traffic.a)";
    let named = "destroy other --target traffic.a --auto-approve";
    expect_refused(
        &machine,
        "destroy other --auto-approve",
        why,
        "`drstack destroy STACK --target 'traffic.a'`",
    );
    run(&machine, "plan s --detailed-exitcode").code(0);
    run(&machine, named).ok();
    run(&machine, "destroy other --auto-approve").ok();
}

/// The day of the outage: what was applied is named, whatever the files say.
#[test]
fn a_failover_by_files_of_another_name_or_control_names_the_bundle() {
    let machine = applied(&(head("demo", "us-west-2", Some("my-control")) + &traffic("api")));
    let bundle = "`drstack failover --bundle s3://my-control/demo --region us-west-2 --unsigned --cloud sim";
    for (name, control, why) in [
        ("demo", "my-control2", "that the stack is kept in `my-control`"),
        ("shop", "my-control", "`my-control` is of stack `demo`"),
    ] {
        machine.write("s/stack.toml", &(head(name, "us-west-2", Some(control)) + &traffic("api")));
        expect_refused(&machine, "failover s --auto-approve --sim lost.toml", why, bundle);
    }
    let command = "failover --bundle s3://my-control/demo --region us-west-2 --unsigned --auto-approve";
    run(&machine, &format!("{command} --sim lost.toml")).unasked();
}
