//! What a pipeline shows of a run: the page of `--summary` and the annotations of GitHub Actions.

use std::path::Path;

use crate::drstack::{Drstack, Ran, drstack};
use crate::sync::{applied, behind, deploy};

fn page(machine: &Drstack, args: &str) -> (Ran, String) {
    let ran = machine.run(format!("{args} --cloud sim --summary page.md").split(' '));
    let path = machine.folder().join("page.md");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    (ran, text)
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_page_of_a_sync_says_how_it_ended_what_changed_and_what_is_left() {
    let machine = behind();
    let (ran, text) = page(&machine, "sync s");
    ran.code(3);
    let parts = [
        "## drstack sync: not ready (exit 3)\n",
        "**a person is needed for pool.inference/launch-template: ",
        "Changed in us-east-1 since it was last captured:",
        "| what | field | was | is |",
        "\"ami-00000000000000001\"",
        "Left to a person:",
        "| change | pool.inference/launch-template |",
        "Sync complete: ",
    ];
    expect(&text, &parts);
    let (ran, text) = page(&machine, "status s");
    ran.code(3);
    expect(
        &text,
        &["## drstack status: not ready (exit 3)", "**fleet: NOT READY", "| component | posture |"],
    );
    machine.run("apply s --cloud sim --auto-approve".split(' ')).ok();
    let (ran, text) = page(&machine, "sync s");
    ran.ok();
    assert!(text.starts_with("## drstack sync: done\n"), "{text}");
}

#[test]
fn each_command_of_a_job_adds_to_the_page_that_the_job_names_and_a_listing_adds_nothing() {
    let machine = behind();
    let path = machine.folder().join("summary.md");
    let machine = machine.env("GITHUB_STEP_SUMMARY", path.to_str().expect("a path"));
    machine.run("sync s --check --cloud sim".split(' ')).code(3);
    machine.run("plan s --cloud sim".split(' ')).ok();
    machine.run("kinds".split(' ')).ok();
    let text = std::fs::read_to_string(&path).expect("a page");
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(heads, ["## drstack sync: not ready (exit 3)", "## drstack plan: done"], "{text}");
}

/// A summary is no reason to fail, and no reason for a runbook to stop.
#[test]
fn a_page_that_cannot_be_written_is_a_warning() {
    let machine = behind();
    let ran = machine.run("status s --cloud sim --summary nowhere/page.md".split(' ')).code(3);
    assert!(ran.stderr.contains("warning: `nowhere/page.md` cannot be written"), "{ran:?}");
    assert!(!Path::new("nowhere").exists());
}

#[test]
fn errors_are_annotated_beside_the_change_in_github_actions_and_nowhere_else() {
    let stack =
        "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warmish\"\n";
    for (variable, is_shown) in [("GITHUB_ACTIONS", true), ("GITLAB_CI", false)] {
        let machine = drstack().env(variable, "true");
        machine.write("s/stack.toml", stack);
        let ran = machine.run("validate s".split(' ')).code(65);
        let found = ran.stderr.lines().find(|line| line.starts_with("::"));
        assert_eq!(found.is_some(), is_shown, "{ran:?}");
        if let Some(line) = found {
            assert!(
                line.starts_with("::error title=DR") && line.contains("file=s/stack.toml,line=5,col="),
                "{line}"
            );
        }
        assert!(!ran.stdout.contains("::error"), "results are no place for it: {ran:?}");
    }
}

/// Runs `examples/ci/sync.sh` for the stack of `machine`, with a program that works on the simulated cloud.
fn step(machine: &Drstack, variables: &[(&str, &str)]) -> std::process::Output {
    let program = machine.write(
        "drstack.sh",
        &format!("#!/bin/sh\nset -f\nexec {} \"$@\" --cloud sim $MORE\n", env!("CARGO_BIN_EXE_drstack")),
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("an executable");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/sync.sh");
    std::process::Command::new("sh")
        .arg(script)
        .current_dir(machine.folder())
        .env("DRSTACK", program)
        .env("STACK", "s")
        .env("PAUSE", "0")
        .envs(variables.iter().copied())
        .output()
        .expect("run sh")
}

#[test]
fn the_pipeline_step_brings_the_standby_region_in_line_and_says_whether_it_is_ready() {
    let check = "\n[[pool.inference.check]]\nhttp = \"http://127.0.0.1:9/\"\n";
    let machine = applied(check);
    deploy(&machine, |group| group["image"]["id"] = "ami-00000000000000001".into());
    let looked = step(&machine, &[("CHECK", "1")]);
    assert_eq!(looked.status.code(), Some(3), "{looked:?}");
    let ran = step(&machine, &[("SUMMARY", "page.md")]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(machine.folder().join("page.md")).expect("a page");
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(heads, ["## drstack sync: done", "## drstack status: done"], "{text}");
    assert_eq!(step(&machine, &[("CHECK", "1")]).status.code(), Some(0));
}

/// In line is not ready: nothing asks what serves here.
#[test]
fn the_pipeline_step_fails_where_a_failover_would_lack_something() {
    let machine = applied("");
    let ran = step(&machine, &[]);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("NOT READY"), "{ran:?}");
}

#[test]
fn the_pipeline_step_waits_for_a_lock_and_takes_no_option_for_a_stack() {
    // The next tries come soon on the simulated clock: the dead run has the lock for a minute.
    let waited = (1..400).step_by(7).find_map(|call| {
        let machine = applied("");
        deploy(&machine, |group| group["image"]["id"] = "ami-00000000000000001".into());
        machine.write("soon.toml", "between_runs = \"20s\"\n");
        machine.write("dies.toml", &format!("between_runs = \"1h\"\nkill_at = {call}\n"));
        let died = step(&machine, &[("MORE", "--sim dies.toml")]);
        assert_eq!(died.status.code(), Some(137), "{died:?}");
        let next = step(&machine, &[("MORE", "--sim soon.toml")]);
        String::from_utf8_lossy(&next.stderr)
            .contains("another run has the lock: trying again")
            .then_some(next)
    });
    let waited = waited.expect("some call is made under the lock");
    // It is in line in the end; nothing asks what serves.
    assert_eq!(waited.status.code(), Some(3), "{waited:?}");
    assert!(String::from_utf8_lossy(&waited.stdout).contains("NOT READY: 1 finding."), "{waited:?}");
    let machine = applied("");
    for hostile in ["-x", "--help", ""] {
        let ran = step(&machine, &[("STACK", hostile)]);
        assert!(!ran.status.success() && ran.stdout.is_empty(), "{hostile}: {ran:?}");
    }
}

/// What the examples of a pipeline name exists.
#[test]
fn the_examples_of_a_pipeline_call_the_script_and_name_the_role() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci");
    for file in ["github/drstack-sync/action.yml", "gitlab/drstack.yml"] {
        let text = std::fs::read_to_string(root.join(file)).expect("an example");
        expect(&text, &["sync.sh", "--role sync", "STACK", "SIGNING_KEY"]);
        assert!(!text.contains('\t'), "YAML has no tabs: {file}");
    }
    // Nothing that a person typed goes into a shell but by a variable.
    let action = std::fs::read_to_string(root.join("github/drstack-sync/action.yml")).expect("the action");
    let script = action.split("run: |").nth(1).expect("its script");
    assert!(!script.contains("${{"), "{script}");
}
