//! `drstack runs`: what the control bucket says of past runs.

use serde_json::{Map, Value, json};

use crate::drstack::{Drstack, Ran, drstack};
use crate::reservations::one_pool;

const CHECK: &str = "\n[[pool.inference.check]]\nhttp = \"http://127.0.0.1:9/\"\n";
const LOST: &str = "down = [\"us-east-1\", \"global\"]\n";

fn run(machine: &Drstack, line: &str) -> Ran {
    machine.run(line.split(' ').chain(["--cloud", "sim"]))
}

/// Returns a machine on which an apply was killed at its work, and the next one completed it.
fn killed_and_completed() -> Drstack {
    for call in 20.. {
        let machine = drstack();
        machine.write("s/stack.toml", &one_pool(CHECK));
        machine.write("dies.toml", &format!("kill_at = {call}\n"));
        let died = run(&machine, "apply s --auto-approve --sim dies.toml");
        if died.stderr.contains("created ") {
            died.code(137);
            run(&machine, "apply s --auto-approve").ok();
            return machine;
        }
    }
    unreachable!("some call is made while a step is under way");
}

/// Changes the objects of the control bucket by hand.
fn meddle<T>(machine: &Drstack, change: impl FnOnce(&mut Map<String, Value>) -> T) -> T {
    let path = ".drstack/sim/world.json";
    let text = std::fs::read_to_string(machine.folder().join(path)).expect("a world");
    let mut world: Value = serde_json::from_str(&text).expect("JSON");
    let objects = world["world"]["buckets"]["acme-control"]["objects"].as_object_mut().expect("objects");
    let told = change(objects);
    machine.write(path, &world.to_string());
    told
}

/// Returns the lines of one type of `runs --json`.
fn lines(machine: &Drstack, args: &str, kind: &str) -> Vec<Value> {
    let ran = run(machine, &format!("runs s --json{args}")).ok();
    ran.json().into_iter().filter(|line| line["type"] == kind).collect()
}

#[test]
fn a_stack_without_a_run_says_so() {
    let machine = drstack();
    machine.write("s/stack.toml", &one_pool(CHECK));
    let never = run(&machine, "runs s").code(1);
    assert!(never.stderr.contains("control bucket `acme-control` does not exist"), "{never:?}");
    run(&machine, "apply s --auto-approve").ok();
    meddle(&machine, |objects| objects.retain(|key, _| !key.starts_with("runs/")));
    let none = run(&machine, "runs s").ok();
    assert!(none.stdout.contains("No run has changed anything yet"), "{none:?}");
}

#[test]
fn a_run_that_was_killed_is_told_from_one_that_ended_and_names_what_it_had_begun() {
    let machine = killed_and_completed();
    let all = lines(&machine, "", "past_run");
    let states: Vec<&Value> = all.iter().map(|it| &it["state"]).collect();
    assert_eq!(states, [&json!("done"), &json!("cut_off")], "{all:#?}");
    let (last, first) = (&all[0], &all[1]);
    assert_eq!(last["steps"], last["done"], "{last:#}");
    assert_eq!((&first["purpose"], &first["ended"]), (&json!("apply"), &Value::Null));
    assert!(first["begun"].as_u64().expect("a number") > 0, "{first:#}");

    let list = run(&machine, "runs s").ok();
    let name = first["run"].as_str().expect("a name");
    let row = list.stdout.lines().find(|line| line.starts_with(name)).expect("its row");
    assert!(row.contains("cut off, ") && row.contains(" begun"), "{row}");
    let page = run(&machine, &format!("runs s --show {name}")).ok();
    assert!(page.stdout.contains("begun, and no end is known"), "{page:?}");
    let taken = format!("Run {} took over.", last["run"].as_str().expect("a name"));
    assert!(page.stdout.contains(&taken), "{page:?}");
    let begun = lines(&machine, &format!(" --show {name}"), "past_step");
    let open = begun.iter().filter(|it| it["state"] == "begun").count() as u64;
    assert_eq!(Some(open), first["begun"].as_u64(), "{begun:#?}");
}

#[test]
fn a_failover_is_listed_with_its_verdict_and_shown_as_it_was_also_while_the_primary_is_lost() {
    let machine = killed_and_completed();
    machine.write("lost.toml", LOST);
    let over = run(&machine, "failover s --auto-approve --sim lost.toml").ok();
    let report = over.stdout.lines().find(|it| it.starts_with("Recovered in ")).expect("a verdict");
    let bundle = "runs --bundle s3://acme-control/fleet --region us-west-2 --sim lost.toml";
    for command in ["runs s --sim lost.toml", bundle] {
        let list = run(&machine, command).ok();
        let row = list.stdout.lines().nth(1).expect("a row");
        assert!(row.contains("failover") && row.contains("done: recovered, served after"), "{list:?}");
    }
    let [newest, ..] = &lines(&machine, "", "past_run")[..] else { panic!("a run") };
    assert_eq!(newest["verdict"], "recovered");
    let name = newest["run"].as_str().expect("a name");
    let page = run(&machine, &format!("{bundle} --show {name}")).ok();
    assert!(page.stdout.contains(report), "{page:?}");
    let kept = lines(&machine, &format!(" --show {name}"), "report");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["recovery_seconds"], newest["recovery_seconds"]);
}

/// The last step is not the end of a failover: who serves is still to be asked, and its report to be written.
#[test]
fn a_failover_that_died_before_its_report_is_cut_off() {
    let machine = killed_and_completed();
    machine.write("lost.toml", LOST);
    run(&machine, "failover s --auto-approve --sim lost.toml").ok();
    meddle(&machine, |objects| objects.retain(|key, _| !key.ends_with("/report.json")));
    let [newest, ..] = &lines(&machine, "", "past_run")[..] else { panic!("a run") };
    assert_eq!((&newest["state"], &newest["verdict"]), (&json!("cut_off"), &Value::Null), "{newest:#}");
    assert_eq!(newest["steps"], newest["done"], "{newest:#}");
}

#[test]
fn a_step_that_failed_makes_its_run_failed_and_its_error_is_shown() {
    let machine = drstack();
    machine.write("s/stack.toml", &one_pool(CHECK));
    machine
        .write("denied.toml", "[[faults]]\nkind = \"group\"\noperation = \"create\"\nerror = \"denied\"\n");
    run(&machine, "apply s --auto-approve --sim denied.toml").code(1);
    let list = run(&machine, "runs s").ok();
    assert!(list.stdout.contains("failed, 1 failed"), "{list:?}");
    let name = list.stdout.lines().nth(1).and_then(|it| it.split(' ').next()).expect("a name");
    let page = run(&machine, &format!("runs s --show {name}")).ok();
    assert!(page.stdout.contains("create pool.inference/group  FAILED: "), "{page:?}");
    let unknown = run(&machine, "runs s --show 1999").code(64);
    assert!(unknown.stderr.contains("has no run `1999`"), "{unknown:?}");
}

#[test]
fn a_report_that_cannot_be_read_is_named_and_its_run_is_listed_all_the_same() {
    let machine = killed_and_completed();
    machine.write("lost.toml", LOST);
    run(&machine, "failover s --auto-approve --sim lost.toml").ok();
    let key = meddle(&machine, |objects| {
        let key = objects.keys().find(|it| it.ends_with("report.json")).expect("a report").clone();
        objects.insert(key.clone(), "{\"stack\":".into());
        key
    });
    let list = run(&machine, "runs s").ok();
    assert!(list.stderr.contains(&format!("`{key}` cannot be read")), "{list:?}");
    let row = list.stdout.lines().nth(1).expect("a row");
    assert!(row.contains("failover") && row.ends_with("done"), "{row}");
}
