//! Every shipped stack, from the first plan to the complete destroy, and every module, as its
//! README describes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::drstack::{Drstack, Ran, drstack};

/// Returns the folders of `within`, sorted. Without any, the test reads the wrong folder.
fn folders(within: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(within);
    let entries = std::fs::read_dir(root).expect("a folder of folders");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() > 3, "{folders:?}");
    folders
}

fn run(machine: &Drstack, command: &str, stack: &Path, more: &[&str]) -> Ran {
    let stack = stack.to_str().expect("UTF-8");
    machine.run([&[command, stack, "--cloud", "sim"], more].concat())
}

/// Returns the field `field` of the lines of type `kind`.
fn said(ran: &Ran, kind: &str, field: &str) -> Vec<String> {
    let lines = ran.json().into_iter().filter(|line| line["type"] == kind);
    lines.map(|line| line[field].as_str().expect("a text").to_owned()).collect()
}

/// Returns the addresses that a plan creates.
fn additions(machine: &Drstack, stack: &Path) -> BTreeSet<String> {
    let plan = run(machine, "plan", stack, &["--json"]).ok();
    let steps = plan.json().into_iter().filter(|line| line["type"] == "step" && line["action"] == "create");
    steps.map(|line| line["address"].as_str().expect("a text").to_owned()).collect()
}

/// Destroys the stack: first all resources without data, then the rest with the control bucket.
fn destroy(machine: &Drstack, stack: &Path) {
    let first = run(machine, "destroy", stack, &["--json", "--auto-approve"]).ok();
    let kept = said(&first, "kept", "address");
    assert!(!kept.is_empty(), "{first:?}");
    let mut more = vec!["--auto-approve", "--delete-data", "control"];
    more.extend(kept.iter().flat_map(|address| ["--delete-data", address]));
    let second = run(machine, "destroy", stack, &more).ok();
    assert!(second.stdout.contains("is deleted"), "{second:?}");
}

/// Fails over with the primary region lost, and back. The services of `many-services`, which are there
/// to be counted, are not asked.
fn fails_over_and_back(machine: &Drstack, stack: &Path) {
    let text = std::fs::read_to_string(stack.join("stack.toml")).expect("a stack");
    let primary = text.split("primary = \"").nth(1).and_then(|it| it.split('"').next()).expect("a region");
    machine.write("lost.toml", &format!("down = [\"{primary}\", \"global\"]\n"));
    let lost = ["--sim", "lost.toml", "--json", "--auto-approve"];
    let ran = run(machine, "failover", stack, &lost);
    let report = ran.json().into_iter().rfind(|line| line["type"] == "report").expect("a report");
    let is_asked = !stack.ends_with("many-services");
    let expected = if is_asked { ("recovered", 0) } else { ("capacity", 3) };
    assert_eq!(
        (report["verdict"].as_str(), ran.code),
        (Some(expected.0), expected.1),
        "{report:#} {}",
        ran.stderr
    );
    if is_asked {
        assert!(report["recovery_seconds"].as_f64() <= report["rto_seconds"].as_f64(), "{report:#}");
    }
    assert_eq!(report["refused_calls"], Value::Array(Vec::new()), "{report:#}");
    run(machine, "failback", stack, &["--auto-approve"]).ok();
    run(machine, "plan", stack, &["--detailed-exitcode"]).ok();
}

fn lives_and_dies(stack: &Path) {
    let machine = drstack();
    let first = additions(&machine, stack);
    assert!(!first.is_empty(), "{}", stack.display());
    run(&machine, "apply", stack, &["--auto-approve"]).ok();
    let plan = run(&machine, "plan", stack, &["--detailed-exitcode"]).ok();
    assert!(plan.stdout.contains("\nNo changes. "), "{plan:?}");
    run(&machine, "plan", stack, &["--mode", "active"]).ok();
    fails_over_and_back(&machine, stack);
    for (format, begin) in [("dot", "digraph"), ("mermaid", "graph LR"), ("json", "{"), ("svg", "<svg")] {
        let graph = run(&machine, "graph", stack, &["--format", format]).ok();
        assert!(graph.stdout.starts_with(begin), "{format}: {graph:?}");
        assert!(graph.stdout.lines().count() > first.len(), "{format}: {graph:?}");
    }
    destroy(&machine, stack);
    assert_eq!(additions(&machine, stack), first, "{}", stack.display());
}

#[test]
fn every_stack_is_made_kept_drawn_and_taken_away() {
    for stack in folders("stacks") {
        lives_and_dies(&stack);
    }
}

/// B29: both regions write the sessions, so no role that only reads takes the place of the primary's.
#[test]
fn the_pools_that_serve_in_both_regions_keep_the_rights_of_the_primarys() {
    let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/active-active");
    let made = additions(&drstack(), &stack);
    assert!(made.contains("pool.serving[\"rank\"]/group"), "{made:?}");
    assert!(!made.iter().any(|it| it.ends_with("/instance-role")), "{made:?}");
}

#[test]
fn the_number_of_services_is_an_input_and_a_pool_follows_its_group() {
    let (machine, stack) = (drstack(), Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/many-services"));
    let groups = |services: &str| {
        let plan = run(&machine, "plan", &stack, &["--json", "-i", services]).ok();
        let addresses = said(&plan, "step", "address");
        addresses.into_iter().filter(|it| it.ends_with("/group")).collect::<Vec<_>>()
    };
    assert_eq!(groups("services=1"), ["module.service[\"000\"].module.serving.pool.inference/group"]);
    assert_eq!(groups("services=37").len(), 37);
}

/// Returns the rows of a README's table of `what`s: name, and the row.
fn rows<'t>(readme: &'t str, what: &str) -> Vec<(&'t str, &'t str)> {
    let table = readme.lines().skip_while(|line| !line.starts_with(&format!("| {what} |")));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| (row.split('`').nth(1).expect("a name in backticks"), row)).collect()
}

/// Returns a default as a README writes it.
fn shown(default: Option<&Value>) -> String {
    match default {
        None => "-".to_owned(),
        Some(value @ (Value::String(_) | Value::Array(_))) => format!("`{value}`"),
        Some(value) => value.to_string(),
    }
}

#[test]
fn every_module_has_a_readme_of_its_inputs_and_outputs() {
    for folder in folders("modules") {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the module");
        let (readme, module) = (read("README.md"), read("module.toml"));
        let module: Value = toml::from_str(&module).expect("TOML");
        let keys = |table: &str| module[table].as_object().expect("a table").keys().collect::<BTreeSet<_>>();
        for (what, table) in [("input", "inputs"), ("output", "outputs")] {
            let named: BTreeSet<String> =
                rows(&readme, what).iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(named.iter().collect::<BTreeSet<_>>(), keys(table), "{}", folder.display());
        }
        for (name, row) in rows(&readme, "input") {
            let input = &module["inputs"][name];
            let (kind, default) = (input["type"].as_str().expect("a type"), shown(input.get("default")));
            let begin = format!("| `{name}` | {kind} | {default} |");
            assert!(row.starts_with(&begin), "{}: `{begin}` in `{row}`", folder.display());
        }
    }
}
