//! The mode record is lost while the standby region serves: no capacity is reduced, and each state
//! has a command that goes on.

use serde_json::{Value, json};

use super::{LOST, STACK, line, run};
use crate::drstack::{Drstack, drstack};

const WORLD: &str = ".drstack/sim/world.json";

/// Returns a machine with a stack of stated instances whose standby region serves.
fn serving() -> Drstack {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}[fence.writers]\n"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine
}

/// Runs the command that goes on. A failover of a stack without checks is no recovery.
fn go_on(machine: &Drstack, way: &str) {
    let ran = run(machine, way, None);
    if way.starts_with("failover") {
        ran.unasked()
    } else {
        ran.ok()
    };
}

pub(super) fn world(machine: &Drstack) -> Value {
    let text = std::fs::read_to_string(machine.folder().join(WORLD)).expect("a world");
    serde_json::from_str(&text).expect("JSON")
}

/// Changes the world without drstack.
pub(super) fn meddle(machine: &Drstack, with: impl FnOnce(&mut Value)) {
    let mut snapshot = world(machine);
    with(&mut snapshot["world"]);
    machine.write(WORLD, &snapshot.to_string());
}

/// Returns what serves and what applications read: desired instances of each group, and each
/// parameter except the second mode record.
fn told(machine: &Drstack) -> Value {
    let world = world(machine)["world"]["objects"].clone();
    let live = |kind: &str, field: &str| -> Value {
        let all = world[kind]["us-west-2"].as_object().expect("objects").iter();
        let all = all.filter(|(id, _)| !id.ends_with("/mode"));
        all.map(|(id, it)| (id.clone(), it["live"][field].clone())).collect::<serde_json::Map<_, _>>().into()
    };
    json!([live("group", "desired"), live("parameter", "value")])
}

/// Asserts that plan, apply and destroy refuse with exit 3, say `why` and a way on, and leave what
/// serves.
fn expect_refused(machine: &Drstack, why: &str, hint: &str) {
    let before = told(machine);
    for command in ["plan s", "apply s --auto-approve", "destroy s --auto-approve"] {
        let ran = run(machine, command, None).code(3);
        assert!(ran.stderr.contains(why) && ran.stderr.contains(hint), "{command}: {ran:?}");
    }
    assert_eq!(told(machine), before);
}

/// Asserts that the standby region serves as before, in epoch 1, and that no doubt is left.
fn expect_whole(machine: &Drstack, before: &Value) {
    run(machine, "plan s --detailed-exitcode", None).ok();
    assert_eq!(told(machine), *before);
    assert_eq!(before[1]["/drstack/demo/epoch"], "1");
}

const ANEW: &str = "run `drstack apply STACK --mode active` if that is so; else run `drstack failover STACK`";

#[test]
fn a_deleted_record_of_the_mode_is_not_standby() {
    for way in ["apply s --mode active --auto-approve", "failover s --auto-approve"] {
        let machine = serving();
        let before = told(&machine);
        meddle(&machine, |world| {
            world["buckets"]["demo-control"]["objects"].as_object_mut().expect("keys").remove("mode.json");
        });
        let why = "has no record of which region serves, and the parameter `/drstack/demo/mode` says that us-west-2 serves (epoch 1)";
        expect_refused(&machine, why, ANEW);
        run(&machine, "apply s --mode standby --auto-approve", None).code(3);
        go_on(&machine, way);
        expect_whole(&machine, &before);
    }
}

#[test]
fn a_deleted_control_bucket_is_made_anew_in_the_mode_that_serves() {
    let machine = serving();
    let before = told(&machine);
    meddle(&machine, |world| world["buckets"] = json!({}));
    expect_refused(&machine, "has no record of which region serves", ANEW);
    let lost = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(lost.stderr.contains("drstack failover STACK --without-control"), "{lost:?}");
    let anew = run(&machine, "apply s --mode active --auto-approve --json", None).ok();
    assert_eq!(
        (&line(&anew, "mode_recorded")["mode"], &line(&anew, "mode_recorded")["epoch"]),
        (&json!("active"), &json!(1))
    );
    expect_whole(&machine, &before);
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// F4: a stack without fence and traffic has lost both records of its mode.
#[test]
fn what_a_failover_raised_says_so_itself() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    let before = told(&machine);
    let forget = || {
        meddle(&machine, |world| {
            world["buckets"] = json!({});
            world["objects"]["parameter"]["us-west-2"] = json!({});
        });
    };
    forget();
    let why = "has no record of which region serves, and pool.batch/group, pool.serving/group says that us-west-2 serves (epoch 1)";
    expect_refused(&machine, why, ANEW);
    run(&machine, "apply s --mode active --auto-approve", None).ok();
    assert_eq!(told(&machine)[0], before[0]);
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    forget();
    // The epoch does not fall either.
    let why = "pool.serving/group says that us-east-1 serves (epoch 2)";
    expect_refused(&machine, why, "run `drstack apply STACK --mode standby` if that is so");
    run(&machine, "apply s --mode standby --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

const EC2: [&str; 6] =
    ["gateway-endpoint", "launch-template", "route-table", "security-group", "subnet", "vpc"];

fn count(machine: &Drstack) -> [Option<usize>; 6] {
    EC2.map(|kind| world(machine)["world"]["objects"][kind]["us-west-2"].as_object().map(|it| it.len()))
}

/// Takes the tags of these kinds away; returns the owners as they were.
pub(super) fn take_tags(machine: &Drstack, kinds: &[&str], left: &Value) -> Value {
    let mut before = json!({});
    meddle(machine, |world| {
        for kind in kinds {
            let Some(all) = world["objects"][kind]["us-west-2"].as_object_mut() else { continue };
            for (id, it) in all {
                before[kind][id] = std::mem::replace(&mut it["owner"], left.clone());
            }
        }
    });
    before
}

fn give_back(machine: &Drstack, before: &Value) {
    meddle(machine, |world| {
        for (kind, all) in before.as_object().expect("kinds") {
            for (id, owner) in all.as_object().expect("ids") {
                world["objects"][kind]["us-west-2"][id]["owner"] = owner.clone();
            }
        }
    });
}

pub(super) fn desired(machine: &Drstack) -> Vec<Value> {
    let mut all: Vec<Value> = told(machine)[0].as_object().expect("groups").values().cloned().collect();
    all.sort_by_key(Value::as_u64);
    all
}

/// F10: all EC2 tags are gone, and the groups with their Auto Scaling tags need only a number.
#[test]
fn a_failover_raises_what_lost_the_tags_of_what_it_runs_on() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let before = count(&machine);
    take_tags(&machine, &EC2, &json!("foreign"));
    run(&machine, "apply s --auto-approve", None).code(1);
    assert_eq!(count(&machine), before, "an apply makes no second network");
    let over = run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    assert!(over.stdout.contains("it is raised as it runs"), "{over:?}");
    assert_eq!(desired(&machine), [4, 8]);
    assert_eq!(count(&machine), before, "nothing is made beside it");
}

/// F10: one kind has lost all of its tags, or the one that says which it is.
#[test]
fn what_lost_its_tags_is_named_until_it_has_them_again() {
    for kind in ["group", "launch-template", "security-group", "subnet", "vpc"] {
        for left in [json!("foreign"), json!({ "claimed": { "stack": "demo", "address": null } })] {
            let machine = drstack();
            machine.write("s/stack.toml", STACK);
            machine.write("lost.toml", LOST);
            run(&machine, "apply s --auto-approve", None).ok();
            let before = count(&machine);
            let owners = take_tags(&machine, &[kind], &left);
            let ids: Vec<String> = owners[kind].as_object().expect("ids").keys().cloned().collect();
            for command in ["plan s", "apply s --auto-approve"] {
                let refused = run(&machine, command, None).code(1);
                let said = format!("{}{}", refused.stdout, refused.stderr);
                let names = |it: &String| said.contains(&format!("`{it}`"));
                assert!(ids.iter().any(names) && said.contains("`drstack:address`"), "{kind} {left}: {said}");
            }
            let gone = run(&machine, "plan s --destroy", None);
            assert!(ids.iter().all(|it| gone.stdout.contains(&format!("`{it}`"))), "{kind} {left}: {gone:?}");
            run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
            assert_eq!(desired(&machine), [4, 8], "{kind} {left}");
            assert_eq!(count(&machine), before, "nothing is made beside {kind} {left}");
            give_back(&machine, &owners);
            run(&machine, "failback s --auto-approve", None).ok();
            run(&machine, "plan s --detailed-exitcode", None).ok();
            run(&machine, "destroy s --auto-approve", None).ok();
        }
    }
}

/// A4: before the first failover too.
#[test]
fn another_control_bucket_is_refused_before_any_failover() {
    let machine = drstack();
    machine.write("s/stack.toml", STACK);
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", &STACK.replace("demo-control", "demo-other"));
    let why = "this stack is kept in the control bucket `demo-control`, not in `demo-other`";
    expect_refused(&machine, why, "write `control = \"demo-control\"` in `[stack]`");
    // To move there is said once.
    run(&machine, "apply s --mode standby --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    machine.write("s/stack.toml", STACK);
    let why = "this stack is kept in the control bucket `demo-other`, not in `demo-control`";
    expect_refused(&machine, why, "write `control = \"demo-other\"` in `[stack]`");
}

#[test]
fn another_control_bucket_is_not_another_stack() {
    let machine = serving();
    let before = told(&machine);
    let stack = format!("{STACK}[fence.writers]\n");
    machine.write("s/stack.toml", &stack.replace("demo-control", "demo-other"));
    let why = "this stack is kept in the control bucket `demo-control`, not in `demo-other`";
    expect_refused(&machine, why, "write `control = \"demo-control\"` in `[stack]`");
    machine.write("s/stack.toml", &stack);
    expect_whole(&machine, &before);
    // The control bucket may change, if the operator says which region serves.
    machine.write("s/stack.toml", &stack.replace("demo-control", "demo-other"));
    run(&machine, "apply s --mode active --auto-approve", None).ok();
    expect_whole(&machine, &before);
    machine.write("s/stack.toml", &stack);
    let why = "this stack is kept in the control bucket `demo-other`, not in `demo-control`";
    expect_refused(&machine, why, "write `control = \"demo-other\"` in `[stack]`");
}

#[test]
fn a_damaged_record_of_the_mode_is_made_anew() {
    for way in ["apply s --mode active --auto-approve", "failover s --auto-approve"] {
        let machine = serving();
        let before = told(&machine);
        meddle(&machine, |world| {
            world["buckets"]["demo-control"]["objects"]["mode.json"] = "{\"mode\":".into();
        });
        expect_refused(&machine, "the record of which region serves is damaged", ANEW);
        go_on(&machine, way);
        expect_whole(&machine, &before);
    }
}

#[test]
fn a_record_that_says_another_mode_than_the_second_one_is_not_believed() {
    let machine = serving();
    let before = told(&machine);
    meddle(&machine, |world| {
        let record = &mut world["buckets"]["demo-control"]["objects"]["mode.json"];
        let says_standby = record.as_str().expect("a record").replace("active", "standby");
        assert!(says_standby.contains("\"standby\""), "{says_standby}");
        *record = says_standby.into();
    });
    expect_refused(
        &machine,
        "the control bucket `demo-control` says that us-east-1 serves, and the parameter",
        ANEW,
    );
    go_on(&machine, "apply s --mode active --auto-approve");
    expect_whole(&machine, &before);
}

#[test]
fn the_highest_epoch_there_is_does_not_fall() {
    let machine = serving();
    meddle(&machine, |world| {
        let record = &mut world["buckets"]["demo-control"]["objects"]["mode.json"];
        let highest =
            record.as_str().expect("a record").replace("\"epoch\":1", &format!("\"epoch\":{}", u64::MAX));
        assert!(highest.contains(&u64::MAX.to_string()), "{highest}");
        *record = highest.into();
    });
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(told(&machine)[1]["/drstack/demo/epoch"], u64::MAX.to_string());
}

#[test]
fn where_both_records_are_lost_the_fence_says_which_region_serves() {
    let machine = serving();
    meddle(&machine, |world| {
        world["buckets"]["demo-control"]["objects"].as_object_mut().expect("keys").remove("mode.json");
        let parameters = world["objects"]["parameter"]["us-west-2"].as_object_mut().expect("parameters");
        parameters.remove("/drstack/demo/mode").expect("a second record");
    });
    expect_refused(&machine, "fence.writers/active-region", ANEW);
    run(&machine, "failback s --auto-approve", None).ok();
    assert_eq!(told(&machine)[1]["/drstack/demo/epoch"], "2");
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

#[test]
fn a_failover_from_the_files_needs_no_control_bucket() {
    let machine = drstack();
    let head = STACK.split("[pool.serving]").next().expect("a head");
    machine.write("s/stack.toml", &format!("{head}[fence.writers]\n"));
    machine.write("lost.toml", LOST);
    run(&machine, "apply s --auto-approve", None).ok();
    let early = run(&machine, "failover s --without-control --auto-approve", Some("lost.toml")).code(64);
    assert!(early.stderr.contains("leave `--without-control` out"), "{early:?}");
    let mut emptied = world(&machine)["world"]["buckets"].clone();
    emptied["demo-control"]["objects"] = json!({});
    meddle(&machine, |world| world["buckets"] = json!({}));
    let ran = run(&machine, "failover s --without-control --auto-approve", Some("lost.toml")).unasked();
    assert!(ran.stderr.contains("no lock keeps other runs out"), "{ran:?}");
    let parameters = world(&machine)["world"]["objects"]["parameter"]["us-west-2"].clone();
    assert_eq!(parameters["/drstack/demo/active-region"]["live"]["value"], "us-west-2");
    // An emptied bucket counts as a lost one.
    meddle(&machine, |world| world["buckets"] = emptied);
    let again = run(&machine, "failover s --without-control --auto-approve", Some("lost.toml")).code(3);
    assert!(!again.stderr.contains("`demo-control` answers"), "{again:?}");
    meddle(&machine, |world| world["buckets"] = json!({}));
    assert_eq!(world(&machine)["world"]["buckets"], json!({}), "no bucket is made in a failover");
    run(&machine, "apply s --auto-approve", None).code(3);
    run(&machine, "apply s --mode active --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    // The second mode record is deleted with the control bucket.
    run(&machine, "destroy s --delete-data control --auto-approve", None).ok();
    let left = world(&machine)["world"]["objects"]["parameter"]["us-west-2"].clone();
    assert!(left.as_object().is_none_or(serde_json::Map::is_empty), "{left}");
}

#[test]
fn a_stack_that_never_failed_over_is_asked_nothing() {
    let machine = drstack();
    machine.write("s/stack.toml", &format!("{STACK}[fence.writers]\n"));
    run(&machine, "apply s --auto-approve", None).ok();
    let ran = run(&machine, "apply s --mode active --auto-approve", None).code(64);
    assert!(ran.stderr.contains("`drstack failover STACK`"), "{ran:?}");
    let same = run(&machine, "failback s", None).ok();
    assert!(same.stdout.contains("nothing to fail back from"), "{same:?}");
}

/// With another standby region nothing of the stack is in sight, and its record neither.
#[test]
fn a_failback_that_finds_nothing_says_so() {
    let machine = drstack();
    let head = STACK.split("[pool.").next().expect("a head").replace("control", "# control");
    let head = head.split("[bucket.").next().expect("a head");
    let pool = "image = \"ami-1\"\ninstance_types = [\"g5.xlarge\"]\ncapacity = 8\n";
    let stack = format!(
        "{head}[network.own]\ncidr = \"10.70.0.0/16\"\n[pool.one]\nnetwork = \"@network.own\"\n{pool}"
    );
    machine.write("s/stack.toml", &stack);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", None).unasked();
    machine.write("s/stack.toml", &stack.replace("us-west-2", "us-west-1"));
    let refused = run(&machine, "failback s --auto-approve", None).code(3);
    let why = "nothing of this stack is in us-west-1, and `drstack-demo-us-west-1` has no record of it";
    assert!(refused.stderr.contains(why) && refused.stderr.contains("another `standby`"), "{refused:?}");
    machine.write("s/stack.toml", &stack);
    run(&machine, "failback s --auto-approve", None).ok();
}

/// A group that loses its tags while it serves is counted, and has them again.
#[test]
fn a_group_that_lost_its_tags_while_it_serves_is_counted() {
    let machine = serving();
    take_tags(&machine, &["group"], &json!("foreign"));
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml"));
    assert!(again.stdout.contains("has lost its tags"), "{again:?}");
    assert!(
        !again.stdout.contains("nothing in service") && !again.stderr.contains("nothing in service"),
        "{again:?}"
    );
    let owners = world(&machine)["world"]["objects"]["group"]["us-west-2"].clone();
    assert!(!owners.to_string().contains("foreign"), "{owners}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}

/// Without the tag of its address too: it is counted, has its tags again, and nobody is told to delete
/// what serves.
#[test]
fn a_group_that_lost_the_tag_of_its_address_while_it_serves_is_counted() {
    let machine = serving();
    take_tags(&machine, &["group"], &json!({ "claimed": { "stack": "demo", "address": null } }));
    let again = run(&machine, "failover s --auto-approve", Some("lost.toml"));
    let said = format!("{}{}", again.stdout, again.stderr);
    for wrong in ["nothing in service", "delete it yourself", "0 of "] {
        assert!(!said.contains(wrong), "{wrong}: {again:?}");
    }
    assert!(!machine.objects()["group"].to_string().contains("claimed"), "{again:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "plan s --detailed-exitcode", None).ok();
}
