//! `drstack status`: what it says of a stack in each state, and how it ends.

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};
use crate::reservations::one_pool;
use crate::sync::{applied, deploy};

/// A check, without which no failover is known to have recovered the pool.
const CHECK: &str = "\n[[pool.inference.check]]\nhttp = \"http://127.0.0.1:9/\"\n";

fn status(machine: &Drstack, args: &str) -> Ran {
    machine.run(format!("status s --cloud sim{args}").split(' '))
}

/// Returns the lines of one type of `status --json`, which ends with `code`.
fn lines(machine: &Drstack, args: &str, code: i32, kind: &str) -> Vec<Value> {
    let ran = status(machine, &format!(" --json{args}")).code(code);
    ran.json().into_iter().filter(|line| line["type"] == kind).collect()
}

/// Returns weight and check of each finding that is more than a note.
fn findings(machine: &Drstack, args: &str, code: i32) -> Vec<(String, String)> {
    let all = lines(machine, args, code, "finding");
    let text = |it: &Value, field: &str| it[field].as_str().expect("a text").to_owned();
    let pairs = all.iter().map(|it| (text(it, "weight"), text(it, "check")));
    pairs.filter(|(weight, _)| weight != "note").collect()
}

/// Returns how `component` stands: its check, and whether that is known.
fn state(machine: &Drstack, args: &str, code: i32, component: &str) -> (Value, Value) {
    let all = lines(machine, args, code, "component_state");
    let found = all.into_iter().find(|it| it["address"] == component).expect("the component");
    (found["check"].clone(), found["weight"].clone())
}

fn of(weight: &str, check: &str) -> (String, String) {
    (weight.to_owned(), check.to_owned())
}

#[test]
fn a_stack_that_was_never_applied_lacks_everything_and_an_apply_makes_it_ready() {
    let machine = drstack();
    machine.write("s/stack.toml", &one_pool(CHECK));
    let never = status(&machine, "").code(3);
    assert!(never.stdout.contains("NOT READY: 3 findings"), "{never:?}");
    assert!(never.stdout.contains("there is none of a complete apply"), "{never:?}");
    assert!(never.stdout.contains("run `drstack apply s --cloud sim`"), "{never:?}");
    let behind = of("not_ready", "behind");
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "bundle"), behind.clone(), behind]);
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    let ready = status(&machine, "").ok();
    assert!(ready.stdout.contains("READY: nothing was found that a failover would lack"), "{ready:?}");
    assert!(ready.stdout.contains("Not compared: the data of both regions"), "{ready:?}");
    let [summary] = &lines(&machine, "", 0, "status")[..] else { panic!("one line") };
    assert_eq!(
        (&summary["ready"], &summary["not_ready"], &summary["unknown"]),
        (&true.into(), &0.into(), &0.into())
    );
    let predicted = summary["forecast"]["total_seconds"].as_f64().expect("a time");
    let pool =
        lines(&machine, "", 0, "component_state").into_iter().find(|it| it["address"] == "pool.inference");
    assert_eq!(pool.expect("the pool")["serves_seconds"].as_f64(), Some(predicted));
}

#[test]
fn a_deploy_is_behind_until_a_sync_and_changed_files_until_an_apply() {
    let machine = applied(CHECK);
    let before = machine.objects();
    deploy(&machine, |group| group["image"]["id"] = "ami-00000000000000001".into());
    let behind = status(&machine, "").code(3);
    assert!(
        behind.stdout.contains("pool.inference: 3 changes to make: image, launch-template, group"),
        "{behind:?}"
    );
    assert!(behind.stdout.contains("run `drstack sync s --cloud sim`"), "{behind:?}");
    assert!(behind.stdout.contains("-> \"ami-00000000000000001\""), "{behind:?}");
    assert_eq!(machine.objects(), before, "a status changes nothing");
    assert_eq!(state(&machine, "", 3, "pool.inference").0, "behind");
    assert_eq!(state(&machine, "", 3, "network.standby").0, Value::Null);
    machine.run("sync s --cloud sim".split(' ')).ok();
    assert_eq!(findings(&machine, "", 0), []);
    machine.write("s/stack.toml", &one_pool(&format!("standby_share = \"100%\"\n{CHECK}")));
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "files"), of("not_ready", "behind")]);
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    assert_eq!(findings(&machine, "", 0), []);
}

#[test]
fn what_only_a_person_brings_over_is_named_as_that() {
    let machine = crate::sync::behind();
    let all = findings(&machine, "", 3);
    assert!(all.contains(&of("not_ready", "person")), "{all:?}");
    let next = lines(&machine, "", 3, "finding").into_iter().find(|it| it["check"] == "person");
    assert_eq!(next.expect("a finding")["next"], "drstack apply s --cloud sim");
}

#[test]
fn a_lost_primary_is_not_known_and_leads_to_the_failover() {
    let machine = applied(CHECK);
    let lost = " --sim lost.toml";
    let unknown = status(&machine, lost).code(1);
    assert!(unknown.stdout.contains("NOT KNOWN: "), "{unknown:?}");
    let findings = findings(&machine, lost, 1);
    assert!(
        !findings.is_empty() && findings.iter().all(|it| *it == of("unknown", "unanswered")),
        "{findings:?}"
    );
    assert_eq!(state(&machine, lost, 1, "pool.inference"), ("unanswered".into(), "unknown".into()));
    let over = machine.run("failover s --cloud sim --auto-approve --sim lost.toml".split(' ')).ok();
    assert!(over.stdout.contains("in us-west-2"), "{over:?}");
    let serves = status(&machine, "").code(3);
    assert!(serves.stdout.contains("us-west-2 serves, and nothing stands by for it"), "{serves:?}");
    machine.run("failback s --cloud sim --auto-approve".split(' ')).ok();
    assert_eq!(crate::status::findings(&machine, "", 0), []);
}

#[test]
fn a_bundle_that_is_gone_or_damaged_and_a_damaged_lock_are_found() {
    let machine = applied(CHECK);
    let edit = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let path = machine.folder().join(".drstack/sim/world.json");
        let mut world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
        change(world["world"]["buckets"]["acme-control"]["objects"].as_object_mut().expect("objects"));
        machine.write(".drstack/sim/world.json", &world.to_string());
    };
    edit(&|objects| objects["lock.json"] = "{}".into());
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "lock")]);
    machine.run("unlock s --cloud sim --force".split(' ')).ok();
    assert_eq!(findings(&machine, "", 0), []);
    edit(&|objects| objects["bundle.json"] = "{}".into());
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "bundle")]);
    let [summary] = &lines(&machine, "", 3, "status")[..] else { panic!("one line") };
    assert!(summary["bundle"].is_null(), "what it says of itself counts for nothing: {summary}");
    edit(&|objects| drop(objects.remove("bundle.json")));
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "bundle")]);
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    assert_eq!(findings(&machine, "", 0), []);
}

#[test]
fn a_failover_that_is_predicted_to_miss_its_rto_or_that_nothing_asks_is_a_finding() {
    let machine = drstack();
    machine.write("s/stack.toml", &crate::forecast::POOLS.replace("15m", "10m"));
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    let late = status(&machine, "").code(3);
    assert!(late.stdout.contains("a failover is predicted to take 12m, and the RTO is 10m"), "{late:?}");
    assert!(late.stdout.contains("no check asks whether"), "{late:?}");
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "objective"), of("not_ready", "unasked")]);
}

/// What was not answered is not known, whatever rests on it, and is no page in the night.
#[test]
fn what_was_refused_or_throttled_is_not_known_and_nothing_else() {
    let data = "\n[bucket.models]\nname = \"acme-models\"\n";
    let machine = applied(&format!("buckets = [\"@bucket.models\"]\n{CHECK}{data}"));
    for (kind, operation) in
        [("group", "list"), ("instance-role", "read"), ("group", "capture"), ("image", "list")]
    {
        for error in ["denied", "expired"] {
            let fault =
                format!("[[faults]]\nkind = \"{kind}\"\noperation = \"{operation}\"\nerror = \"{error}\"\n");
            machine.write("blind.toml", &fault);
            let all = findings(&machine, " --sim blind.toml", 1);
            let is_unknown = all.iter().all(|it| *it == of("unknown", "unanswered"));
            assert!(!all.is_empty() && is_unknown, "{kind} {operation} {error}: {all:?}");
        }
    }
    assert_eq!(findings(&machine, "", 0), []);
}

/// A table that a failover restored is as old as it is by then, and hides each newer export.
#[test]
fn a_table_that_a_failover_left_restored_is_no_readiness() {
    let cold = "\n[table.archive]\nname = \"acme-archive\"\nposture = \"cold\"\n";
    let machine = applied(&format!("{CHECK}{cold}"));
    assert_eq!(findings(&machine, "", 0), []);
    machine.run("failover s --cloud sim --auto-approve --sim lost.toml".split(' ')).ok();
    machine.run("failback s --cloud sim --auto-approve".split(' ')).ok();
    assert_eq!(findings(&machine, "", 3), [of("not_ready", "restored")]);
    let all = lines(&machine, "", 3, "finding");
    let found = all.iter().find(|it| it["check"] == "restored").expect("a finding");
    let next = found["next"].as_str().expect("a command").trim_start_matches("drstack ").to_owned();
    machine.run(format!("{next} --auto-approve").split(' ')).ok();
    assert_eq!(findings(&machine, "", 0), []);
}

/// What is made anew in the place of lost data is empty: a person makes it, and no sync.
#[test]
fn a_copy_that_is_gone_is_made_anew_by_a_person_who_knows_that_it_is_empty() {
    let machine = applied(&format!("{CHECK}\n[bucket.models]\nname = \"acme-models\"\n"));
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    world["world"]["objects"]["bucket"]["us-west-2"] = serde_json::json!({});
    machine.write(".drstack/sim/world.json", &world.to_string());
    let why = "bucket.models/bucket: the data was there and is gone: what is made anew is empty";
    for _ in 0..2 {
        let gone = status(&machine, "").code(3);
        assert!(gone.stdout.contains(why), "{gone:?}");
        let left = machine.run(["sync", "s", "--cloud", "sim"]).code(3);
        assert!(left.stderr.contains(why), "{left:?}");
        assert_eq!(machine.objects()["bucket"]["us-west-2"], serde_json::json!({}));
    }
    let apply = machine.run(["apply", "s", "--cloud", "sim", "--auto-approve"]).ok();
    assert!(apply.stdout.contains(why), "{apply:?}");
    machine.run(["sync", "s", "--cloud", "sim", "--check"]).ok();
}

/// A bundle that cannot be read once is no bundle without data.
#[test]
fn a_sync_that_could_not_read_what_was_there_makes_nothing_again() {
    let machine = applied(&format!("{CHECK}\n[bucket.models]\nname = \"acme-models\"\n"));
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    world["world"]["objects"]["bucket"]["us-west-2"] = serde_json::json!({});
    machine.write(".drstack/sim/world.json", &world.to_string());
    let mut refused = 0;
    for at in 1..=6 {
        let fault = format!(
            "[[faults]]\noperation = \"control\"\nsubject = \"bundle.json\"\nerror = \"denied\"\nat = {at}\n"
        );
        machine.write("blind.toml", &fault);
        let ran = machine.run("sync s --cloud sim --sim blind.toml".split(' '));
        refused += usize::from(ran.stderr.contains("was denied"));
        assert!(!ran.stderr.contains("created bucket.models"), "{at}: {ran:?}");
        assert_eq!(machine.objects()["bucket"]["us-west-2"], serde_json::json!({}), "{at}");
    }
    assert!(refused > 0, "the read that says what was there was denied once");
}

/// What nothing but time brings about is behind as well: a failover now has less.
#[test]
fn a_pool_that_is_not_up_yet_is_not_ready_for_the_sync_either() {
    let machine = applied(&format!("posture = \"hot\"\n{CHECK}"));
    let path = machine.folder().join(".drstack/sim/world.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(path).expect("a world")).expect("JSON");
    let groups = world["world"]["objects"]["group"]["us-west-2"].as_object_mut().expect("groups");
    let group = groups.values_mut().next().expect("one");
    for field in ["on_demand", "spot"] {
        group["live"][field] = 0.into();
    }
    machine.write(".drstack/sim/world.json", &world.to_string());
    for command in ["sync s --check", "sync s", "status s", "apply s --auto-approve"] {
        let ran = machine.run(format!("{command} --cloud sim").split(' ')).code(3);
        assert!(format!("{ran:?}").contains("instances in service"), "{command}: {ran:?}");
    }
}

/// The forecast is of the stack as it stands, and says so where mending it makes it longer.
#[test]
fn a_forecast_with_a_restored_table_promises_nothing_for_after_it() {
    let table = "\n[table.orders]\nname = \"acme-orders\"\nposture = \"cold\"\nrto = \"4h\"\n";
    let machine = applied(&format!("{CHECK}{table}"));
    machine.write("lost.toml", "down = [\"us-east-1\", \"global\"]\n");
    machine.run("failover s --cloud sim --sim lost.toml --auto-approve".split(' '));
    machine.run("failback s --cloud sim --auto-approve".split(' ')).ok();
    machine.run("sync s --cloud sim".split(' '));
    let before = status(&machine, "").code(3);
    assert!(
        before.stdout.contains("A failover that serves what an earlier one restored would"),
        "{before:?}"
    );
    assert!(!before.stdout.contains("once all of this is mended"), "{before:?}");
}

/// The guide explains every check that the program knows.
#[test]
fn each_check_is_in_the_guide() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/events.schema.json")).expect("JSON");
    let checks = schema["$defs"]["Check"]["oneOf"].as_array().expect("the checks");
    assert!(checks.len() > 10, "{checks:?}");
    let guide = include_str!("../../docs/guide/status.md");
    for check in checks {
        let row = format!("| `{}` |", check["const"].as_str().expect("a name"));
        assert!(guide.contains(&row), "docs/guide/status.md has no row {row}");
    }
}

/// What a failover would launch, and the account may not run or the region does not offer, is found before it.
#[test]
fn quotas_and_types_that_the_standby_region_lacks_are_found_and_a_failover_proves_it() {
    let machine = applied(CHECK);
    let lost = "down = [\"us-east-1\", \"global\"]\n";
    let world = std::fs::read(machine.folder().join(".drstack/sim/world.json")).expect("a world");
    let supply = of("not_ready", "supply");
    for (settings, found, said, code) in [
        (
            "quota = { \"g5.xlarge\" = 2 }\n",
            vec![supply.clone()],
            "the quotas of the account leave room for 1",
            1,
        ),
        ("quota = { \"g5.xlarge\" = 5 }\n", vec![], "READY: nothing was found", 0),
        ("not_offered = [\"g5.xlarge\"]\n", vec![supply], "g5.xlarge is not offered in us-west-2", 1),
        ("not_offered = [\"g5.xlarge@us-east-1\"]\n", vec![], "READY: nothing was found", 0),
    ] {
        machine.write("region.toml", settings);
        assert_eq!(
            findings(&machine, " --sim region.toml", if found.is_empty() { 0 } else { 3 }),
            found,
            "{settings}"
        );
        let shown = status(&machine, " --sim region.toml");
        assert!(shown.stdout.contains(said), "{settings}: {shown:?}");
        machine.write("region.toml", &format!("{settings}{lost}"));
        machine.run("failover s --cloud sim --auto-approve --sim region.toml".split(' ')).code(code);
        machine.write(".drstack/sim/world.json", std::str::from_utf8(&world).expect("JSON"));
        std::fs::remove_file(machine.folder().join(".drstack/sim/world.log")).ok();
    }
}

/// A failover climbs down to other sizes, and so does what is said of it.
#[test]
fn other_sizes_count_in_what_a_region_has() {
    let machine = applied(&CHECK.replace("\n[[", "\nlarger = { \"g5.4xlarge\" = 4 }\n[["));
    machine.write("region.toml", "not_offered = [\"g5.xlarge\"]\n");
    let shown = status(&machine, " --sim region.toml").ok();
    let said = "g5.xlarge is not offered in us-west-2: a failover takes g5.4xlarge in their place";
    assert!(shown.stdout.contains(said), "{shown:?}");
}

/// A failover that began where nothing was applied goes on nowhere: each hint leads out of it.
#[test]
fn a_failover_that_needs_what_only_an_apply_makes_is_led_back() {
    let traffic = concat!(
        "\n[traffic.api]\nzone = \"example.com\"\nrecord = \"api\"\nprimary_target = \"east.example.com\"\n",
        "standby_target = \"west.example.com\"\nprobe = \"https://api.example.com/healthz\"\n",
    );
    let machine = applied(&format!("{CHECK}{traffic}"));
    machine.run("destroy s --cloud sim --auto-approve".split(' ')).ok();
    machine.run("failover s --cloud sim --auto-approve --unsigned --sim lost.toml".split(' ')).code(1);
    let shown = status(&machine, "").code(3);
    assert!(shown.stdout.contains("needs what only an apply makes, once it is failed back"), "{shown:?}");
    assert!(shown.stdout.contains("run `drstack failback s --cloud sim`"), "{shown:?}");
    assert!(!shown.stdout.contains("run `drstack failover"), "{shown:?}");
    machine.run("failback s --cloud sim --auto-approve".split(' ')).ok();
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    status(&machine, "").ok();
}

/// Nobody knows whether a failover comes up where the question is denied.
#[test]
fn a_region_that_does_not_say_what_it_has_is_not_called_ready() {
    let machine = applied(CHECK);
    machine.write("denied.toml", "[[faults]]\nkind = \"supply\"\nerror = \"denied\"\n");
    let shown = status(&machine, " --sim denied.toml").code(1);
    assert!(shown.stdout.contains("NOT KNOWN: 1 thing could not be looked at"), "{shown:?}");
    assert!(shown.stdout.contains("could not look at its instance types and quotas"), "{shown:?}");
}

const DATA: &str = concat!(
    "\n[bucket.models]\nname = \"acme-models\"\nrpo = \"5s\"\n",
    "[bucket.logs]\nname = \"acme-logs\"\n[table.orders]\nname = \"acme-orders\"\n",
);

/// What replication has yet to bring is what a failover would lose: held against the RPO, and never guessed.
#[test]
fn a_status_with_data_says_what_a_failover_would_lose() {
    let machine = applied(&format!("{CHECK}{DATA}"));
    let (unknown, lost) = (of("unknown", "data"), of("not_ready", "data"));
    for (backlog, found, said) in [
        ("", vec![], "bucket.models: the same on both sides (0 objects compared)"),
        ("acme-logs = { waiting = 3 }", vec![], "bucket.logs: 3 objects on the way, the oldest written "),
        ("acme-orders = { waiting = 4, drains = \"15s\" }", vec![], "table.orders: the same on both sides"),
        (
            "acme-orders = { waiting = 4 }",
            vec![unknown.clone()],
            "table.orders: not known: 4 items not in step",
        ),
        // By the time that the table is in step, the object has waited for longer than the RPO.
        (
            "acme-orders = { waiting = 1, drains = \"15s\" }, acme-models = { waiting = 2 }",
            vec![lost],
            "bucket.models: 2 objects missing, the oldest written 2",
        ),
        ("acme-logs = { untold = true }", vec![unknown], "`acme-logs` has more objects than are compared"),
    ] {
        machine.write("data.toml", &format!("backlog = {{ {backlog} }}\n"));
        let code = match found.first() {
            None => 0,
            Some((weight, _)) => {
                if weight == "unknown" {
                    1
                } else {
                    3
                }
            }
        };
        assert_eq!(findings(&machine, " --data --sim data.toml", code), found, "{backlog}");
        let shown = status(&machine, " --data --sim data.toml").code(code);
        assert!(
            shown.stdout.contains(said) && !shown.stdout.contains("Not compared"),
            "{backlog}: {shown:?}"
        );
    }
    machine.write("denied.toml", "[[faults]]\nkind = \"object\"\nerror = \"denied\"\n");
    let denied = status(&machine, " --data --sim denied.toml").code(1);
    assert!(denied.stdout.contains("bucket.logs: not known: could not compare both sides"), "{denied:?}");
    let both = lines(&machine, " --data", 0, "divergence");
    assert_eq!(both.len(), 3, "{both:#?}");
}
