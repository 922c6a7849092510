//! What a pipeline shows of a run: the page of `--summary` and the annotations of GitHub Actions.

use std::path::Path;

use crate::drstack::{Drstack, Ran, drstack};
use crate::sync::behind;

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
