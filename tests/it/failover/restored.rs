//! Tables that a failover restores from an export.

use serde_json::Value;

use super::{LOST, done, line, run};
use crate::drstack::{Drstack, drstack};

const ARCHIVE: &str = include_str!("../../../stacks/cold-archive/stack.toml");

/// The archive stack, without its modules and its pool.
fn archive() -> Drstack {
    let machine = drstack();
    let table = ARCHIVE.split_once("[table.catalogue]").expect("a table").1;
    let table = table.split("# What a failover starts").next().expect("its end");
    let head = ARCHIVE.split("[module.models]").next().expect("a head");
    machine.write("s/stack.toml", &format!("{head}[table.catalogue]{table}"));
    machine.write("lost.toml", &LOST.replace("us-east-1", "eu-west-1"));
    run(&machine, "apply s --auto-approve", None).ok();
    machine
}

/// The steps left while the standby region serves.
const NOTHING: [&str; 0] = [];

/// Returns the addresses of the steps of a plan.
fn planned(machine: &Drstack) -> Vec<String> {
    let lines = run(machine, "plan s --json", None).ok().json();
    let steps = lines.iter().filter(|it| it["type"] == "step");
    steps.map(|it| it["address"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_cold_table_is_restored_checked_kept_by_a_failback_and_served_as_it_is_by_the_next_failover() {
    let machine = archive();
    run(&machine, "plan s --detailed-exitcode", None).ok();
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(done(&ran), ["table.catalogue/table-import", "table.catalogue/check-1"], "{ran:?}");
    let restored = &line(&ran, "report")["restored"];
    assert_eq!(restored.as_array().map(Vec::len), Some(1), "{restored}");
    // An apply in mode active leaves the table alone, and so does a failback.
    assert_eq!(planned(&machine), NOTHING);
    let back = run(&machine, "failback s --auto-approve --json", None).ok();
    let apart = line(&back, "report")["not_compared"].clone();
    let told = apart[0].as_str().expect("the restored table");
    assert_eq!(apart.as_array().map(Vec::len), Some(1), "{apart}");
    assert!(
        told.starts_with("table.catalogue/table-import: ") && told.contains("it is not compared"),
        "{told}"
    );
    let plan = run(&machine, "plan s --detailed-exitcode", None).ok();
    let kept = "table.catalogue/table-import: `acme-archive-catalogue` holds data; delete it with `--delete-data table.catalogue/table-import`";
    assert!(plan.stdout.contains(kept), "{plan:?}");
    run(&machine, "apply s --auto-approve", None).ok();
    let again = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(line(&again, "report")["complete"], true, "{again:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    run(&machine, "apply s --auto-approve --delete-data table.catalogue", None).ok();
    assert!(!run(&machine, "plan s", None).ok().stdout.contains("holds data"));
}

#[test]
fn a_restore_that_is_killed_at_any_call_brings_one_table() {
    // More calls than the failover makes.
    for call in 1..200 {
        // The run dies before the call's effect, or after it.
        let how = if call % 2 == 0 { "kill_at" } else { "kill_after" };
        let machine = archive();
        machine.write("dies.toml", &format!("down = [\"eu-west-1\", \"global\"]\n{how} = {call}\n"));
        let died = run(&machine, "failover s --auto-approve", Some("dies.toml"));
        assert!([0, 137].contains(&died.code), "{how} {call}: {died:?}");
        let next = run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        assert!(!next.stdout.contains("FAILED"), "{how} {call}: {next:?}");
        assert_eq!(planned(&machine), NOTHING, "{how} {call}");
        if died.code == 0 {
            assert!(call > 20, "it made {call} calls");
            return;
        }
    }
    panic!("the failover makes more calls than that");
}

/// Makes the restored table one of an older export, as the exports of later applies do.
fn age(machine: &Drstack) {
    let path = machine.folder().join(".drstack/sim/world.json");
    let text = std::fs::read_to_string(&path).expect("a world");
    let mut world: Value = serde_json::from_str(&text).expect("JSON");
    let tables = &mut world["world"]["objects"]["table-import"]["eu-central-1"];
    let table = tables.as_object_mut().and_then(|it| it.values_mut().next()).expect("a table");
    assert_eq!(table["live"]["export"], "newest");
    table["live"]["export"] = "01767225600000-6f0c2f2b".into();
    std::fs::write(path, world.to_string()).expect("a world");
}

/// B7
#[test]
fn a_failover_says_before_its_question_that_a_table_is_an_earlier_one_and_how_to_get_newer_data() {
    let machine = archive();
    let lost = Some("lost.toml");
    let of = "table.catalogue/table-import: an earlier failover restored it from export ";
    let first = run(&machine, "failover s --dry-run", lost).ok();
    assert!(!first.stdout.contains(of), "{first:?}");
    run(&machine, "failover s --auto-approve", lost).ok();
    // While the table serves, no advice is to delete it.
    let serving = run(&machine, "failover s --dry-run", lost).ok();
    assert!(serving.stdout.contains(&format!("{of}`newest`: it holds that")), "{serving:?}");
    assert!(!serving.stdout.contains("--delete-data"), "{serving:?}");
    run(&machine, "failback s --auto-approve", None).ok();
    let same = run(&machine, "failover s --dry-run", lost).ok();
    assert!(same.stdout.contains("it is served as it is: there is no newer export\n"), "{same:?}");
    age(&machine);
    let newer = "apply s --auto-approve --delete-data table.catalogue/table-import";
    let hint = newer.replace(" s --auto-approve", " STACK");
    for command in ["failover s --dry-run", "failover s", "plan s --mode active"] {
        let ran = run(&machine, command, lost);
        let note = ran.stdout.lines().find(|it| it.trim().starts_with(of));
        let note = note.unwrap_or_else(|| panic!("{command} does not say it: {ran:?}"));
        for said in
            ["`01767225600000-6f0c2f2b` of 2026-01-01T00:00:00Z (", "export `newest` in its place", &hint]
        {
            assert!(note.contains(said), "{command}: {said}: {note}");
        }
    }
    let again = run(&machine, "failover s --auto-approve --json", lost).ok();
    let restored = line(&again, "report")["restored"].to_string();
    assert!(restored.contains("2026-01-01T00:00:00Z") && !restored.contains("--delete-data"), "{restored}");
    run(&machine, "failback s --auto-approve", None).ok();
    // The hint works while the primary is lost.
    run(&machine, newer, lost);
    let ran = run(&machine, "failover s --auto-approve --json", lost).ok();
    assert_eq!(done(&ran), ["table.catalogue/table-import", "table.catalogue/check-1"], "{ran:?}");
}

/// A table can be a replica or restored, not both: what another posture has left serves in the
/// other's place, and nothing is made beside it.
#[test]
fn what_another_posture_has_left_serves_as_it_is_and_goes_once_it_serves_no_more() {
    let machine = archive();
    let posture = |of: &str| {
        let stack = std::fs::read_to_string(machine.folder().join("s/stack.toml")).expect("a stack");
        let stack = stack.replace("\"pilot-light\"", "\"cold\"").replace("\"cold\"", &format!("\"{of}\""));
        machine.write("s/stack.toml", &stack);
    };
    let of = |kind: &str| machine.objects()[kind]["eu-central-1"].as_object().map_or(0, serde_json::Map::len);
    let kinds = || (of("table-import"), of("table-replica"));
    run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
    run(&machine, "failback s --auto-approve", None).ok();
    let there = ["table-import", "table-replica"];
    for (at, next) in ["pilot-light", "cold"].into_iter().enumerate() {
        let (left, wanted) = (there[at % 2], there[(at + 1) % 2]);
        let before = kinds();
        posture(next);
        let applied = run(&machine, "apply s --auto-approve", None);
        if wanted == "table-replica" {
            let why = format!(
                "table.catalogue/{wanted}: `acme-archive-catalogue` stands for table.catalogue/{left}, and making this"
            );
            assert!(applied.stdout.contains(&why), "{applied:?}");
        }
        let over = run(&machine, "failover s --auto-approve --with-files", Some("lost.toml")).ok();
        let serves =
            format!("`acme-archive-catalogue` is there for table.catalogue/{left}: it serves as it is");
        assert!(over.stdout.contains(&serves), "{over:?}");
        for named in [String::new(), format!("/{left}"), format!("/{wanted}")] {
            let line = format!("apply s --auto-approve --delete-data table.catalogue{named}");
            run(&machine, &line, None);
            assert_eq!(kinds(), before, "{line} deletes what serves");
        }
        run(&machine, "failback s --auto-approve", None).ok();
        assert_eq!(kinds(), before);
        run(&machine, &format!("apply s --auto-approve --delete-data table.catalogue/{left}"), None).ok();
        run(&machine, "plan s --detailed-exitcode", None).ok();
        assert_eq!(of(left), 0);
    }
}

#[test]
fn a_destroy_that_takes_the_control_bucket_names_the_exports_that_go_with_it() {
    let machine = archive();
    let kept = "table.catalogue/table-copy: table-copy of `drstack-cold-archive-eu-central-1/exports/cold-archive/acme-archive-catalogue`";
    for (more, fate) in
        [("", "stays as it is: a setting"), (" --delete-data control", "goes with the control bucket")]
    {
        let plan = run(&machine, &format!("plan s --destroy{more}"), None).ok();
        assert!(plan.stdout.contains(&format!("{kept} {fate}\n")), "{more}: {plan:?}");
    }
}

/// What a stack no longer names is not compared by its failback, which says so. What it names otherwise is refused:
/// its copy would go uncompared, and an empty one would take its place.
#[test]
fn a_failback_names_each_copy_that_it_does_not_compare() {
    let machine = drstack();
    let bucket = |name: &str| {
        format!(
            "{}[bucket.models]\nname = \"{name}\"\n",
            super::STACK.split("[bucket.").next().expect("a head")
        )
    };
    machine.write("lost.toml", LOST);
    machine.write("backlog.toml", "backlog = { acme-models = { standby_only = 500 } }\n");
    let of = |stack: &str, code: i32| {
        machine.write("s/stack.toml", stack);
        let back = machine.run("failback s --dry-run --cloud sim --sim backlog.toml".split(' ')).code(code);
        back.stdout
    };
    machine.write("s/stack.toml", &bucket("acme-models"));
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml"));
    assert!(of(&bucket("acme-models"), 0).contains("500 objects only in us-west-2"));
    let left = "bucket.models/bucket: the stack no longer names this copy, and it is not compared";
    let said = of(bucket("x").split("[bucket.").next().expect("a head"), 0);
    assert!(said.contains(left) && !said.contains("the same on both sides"), "{said}");
    let other =
        bucket("acme-models").replace("\"acme-models\"\n", "\"acme-models\"\nstandby_name = \"acme-x\"\n");
    for stack in [bucket("acme-other"), other] {
        let said = of(&stack, 1);
        let why = "bucket.models/bucket: `acme-models-us-west-2` holds data of us-west-2 and stays until the failback";
        assert!(said.contains(why) && said.contains("write its name again, fail back"), "{said}");
        let refused = run(&machine, "failback s --auto-approve", None).code(3);
        assert!(refused.stderr.contains("a failback is not possible now"), "{refused:?}");
    }
}

/// A run that was cut off while a table is restored: the next one waits for it, and a table that was
/// not restored whole is no recovery.
#[test]
fn who_goes_on_waits_for_the_table_that_is_being_restored() {
    let path = ".drstack/sim/world.json";
    let meddled = |with: &dyn Fn(&mut Value, u64)| {
        let machine = archive();
        run(&machine, "failover s --auto-approve", Some("lost.toml")).ok();
        let text = std::fs::read_to_string(machine.folder().join(path)).expect("a world");
        let mut world: Value = serde_json::from_str(&text).expect("JSON");
        let age = world["world"]["age"].as_u64().expect("an age");
        let tables = &mut world["world"]["objects"]["table-import"]["eu-central-1"];
        with(tables.as_object_mut().and_then(|it| it.values_mut().next()).expect("a table"), age);
        machine.write(path, &world.to_string());
        machine
    };
    let machine = meddled(&|table, age| {
        table["then"] = table["live"].clone();
        table["live"]["status"] = "CREATING".into();
        table["ready"] = (age + 30 * 60 * 1000).into();
    });
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert_eq!(done(&ran), ["table.catalogue/table-import", "table.catalogue/check-1"], "{ran:?}");
    let ran = run(&machine, "failover s --auto-approve --json", Some("lost.toml")).ok();
    assert!(!done(&ran).contains(&"table.catalogue/table-import".to_owned()), "it was waited for: {ran:?}");
    let machine = meddled(&|table, _| table["live"]["failure"] = "3 items could not be read".into());
    let ran = run(&machine, "failover s --auto-approve", Some("lost.toml")).code(1);
    assert!(ran.stdout.contains("was not restored whole") && !ran.stdout.contains("Recovered"), "{ran:?}");
}

const AUDIT: &str = concat!(
    "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\ncontrol = \"demo-control\"\nposture = \"warm\"\nrto = \"4h\"\n",
    "[table.audit]\nname = \"acme-audit\"\nposture = \"cold\"\n",
);

/// What an earlier failover has restored, or a replica of before, serves in its place: the prediction
/// counts no restore that will not be.
#[test]
fn a_prediction_restores_nothing_that_is_there() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", AUDIT);
    let first = run(&machine, "apply s --auto-approve", None).ok();
    assert!(first.stdout.contains("A failover after this apply would take about 10m 0s"), "{first:?}");
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    run(&machine, "failback s --auto-approve", None).ok();
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stdout.contains("A failover now would have nothing to do."), "{plan:?}");
    run(&machine, "apply s --auto-approve --delete-data table.audit", None).ok();
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stdout.contains("A failover now would take about 10m 0s"), "{plan:?}");

    let machine = drstack();
    machine.write("s/stack.toml", &AUDIT.replace("posture = \"cold\"\n", ""));
    run(&machine, "apply s --auto-approve", None).ok();
    machine.write("s/stack.toml", AUDIT);
    let plan = run(&machine, "plan s", None).ok();
    assert!(!plan.stdout.contains("10m 0s"), "{plan:?}");
}

/// The table that serves has the new name: nothing is kept under the old one, to be deleted.
#[test]
fn a_restored_table_that_is_renamed_is_not_offered_for_deletion() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    machine.write("s/stack.toml", AUDIT);
    run(&machine, "apply s --auto-approve", None).ok();
    run(&machine, "failover s --auto-approve", Some("lost.toml")).unasked();
    machine.write("s/stack.toml", &AUDIT.replace("table.audit", "table.log"));
    let plan = run(&machine, "plan s", None).ok();
    assert!(plan.stdout.contains("renamed: it was table.audit/table-import"), "{plan:?}");
    assert!(!plan.stdout.contains("--delete-data"), "{plan:?}");
}

/// A table that nobody would restore is missed, whatever the files call it by now.
#[test]
fn files_without_a_cold_table_are_refused_by_a_failover() {
    let machine = drstack();
    machine.write("lost.toml", LOST);
    let more = format!("{AUDIT}[table.keys]\nname = \"acme-keys\"\nposture = \"cold\"\n");
    machine.write("s/stack.toml", &more);
    run(&machine, "apply s --auto-approve", None).ok();
    let why = "`acme-keys` of `table.keys` was applied, and these files restore no such table";
    for files in [AUDIT.to_owned(), more.replace("acme-keys", "acme-keys2")] {
        machine.write("s/stack.toml", &files);
        let refused = run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).code(3);
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    machine.write("s/stack.toml", &more.replace("table.keys", "table.codes"));
    run(&machine, "failover s --with-files --auto-approve", Some("lost.toml")).unasked();
    let tables = machine.objects()["table-import"]["us-west-2"].as_object().map(serde_json::Map::len);
    assert_eq!(tables, Some(2));
}
