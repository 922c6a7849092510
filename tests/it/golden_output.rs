//! The program's output, word for word: the life of a stack on the simulated cloud, in
//! `tests/golden/`.
//!
//! `DRSTACK_BLESS=1 cargo test --no-default-features golden` writes the files anew. Read the
//! difference as a user would.

use std::fmt::Write;
use std::path::Path;

use crate::drstack::{Drstack, drstack};

const COMMANDS: &[&str] = &[
    "validate stacks/fleet-routing",
    "plan stacks/fleet-routing",
    "plan stacks/fleet-routing --target bucket.models --verbose",
    "apply stacks/fleet-routing --auto-approve",
    "plan stacks/fleet-routing",
    "plan stacks/fleet-routing --mode active",
    "failover stacks/fleet-routing --dry-run",
    "failover stacks/fleet-routing --auto-approve",
    "failover stacks/fleet-routing --auto-approve",
    "apply stacks/fleet-routing --auto-approve",
    "failback stacks/fleet-routing --dry-run",
    "failback stacks/fleet-routing --auto-approve",
    "unlock stacks/fleet-routing --force",
    "graph stacks/fleet-routing",
    "destroy stacks/fleet-routing --auto-approve",
    "destroy stacks/fleet-routing --auto-approve --delete-data bucket.models",
    "failover stacks/fleet-routing --auto-approve",
    "plan stacks/nowhere",
    "explain DR201",
];

fn copy(machine: &Drstack, file: &str) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
    machine.write(file, &text);
}

/// Returns `text` with `RUN` for the random end of each run's id.
fn without_runs(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    // An id is `20260101T001503Z-29cb97c8`.
    while let Some(at) = rest.find("Z-").filter(|at| at + 10 <= rest.len()) {
        let end = &rest[at + 2..at + 10];
        let is_run = end.bytes().all(|it| it.is_ascii_hexdigit());
        out.push_str(&rest[..at + 2]);
        out.push_str(if is_run { "RUN" } else { end });
        rest = &rest[at + 10..];
    }
    out.push_str(rest);
    out
}

/// Returns `line` with `n` for the number of steps that had ended: `[n/32]`.
fn without_number(line: &str) -> String {
    let number = line.strip_prefix("  [").and_then(|it| it.split_once('/'));
    let is_number = |it: &str| !it.is_empty() && it.trim().bytes().all(|it| it.is_ascii_digit());
    match number.filter(|(number, _)| is_number(number)) {
        Some((_, rest)) => format!("  [n/{rest}"),
        None => line.to_owned(),
    }
}

/// True for a line about the start or the end of one step.
fn is_of_step(line: &str) -> bool {
    let doing = ["  creating ", "  changing ", "  deleting ", "  [n/"];
    doing.iter().any(|it| line.starts_with(it)) && !line.contains("still ")
}

#[test]
fn golden_output_of_the_life_of_a_stack() {
    let machine = drstack();
    copy(&machine, "stacks/fleet-routing/stack.toml");
    copy(&machine, "modules/training-checkpoints/module.toml");
    machine.write("sim.toml", "jitter = \"0s\"\n");
    let mut said = String::new();
    for command in COMMANDS {
        let ran = machine.run(command.split(' ').chain(["--cloud", "sim", "--sim", "sim.toml"]));
        let _ = write!(said, "$ drstack {command} --cloud sim\n{}", ran.stdout);
        // Steps that run at the same time may start and end in either order.
        let (mut steps, rest): (Vec<String>, Vec<String>) =
            ran.stderr.lines().map(without_number).partition(|line| is_of_step(line));
        steps.sort_unstable();
        steps.into_iter().chain(rest).for_each(|line| {
            let _ = writeln!(said, "! {line}");
        });
        let _ = writeln!(said, "exit {}\n", ran.code);
    }
    let said = without_runs(&said);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fleet-routing.txt");
    if std::env::var_os("DRSTACK_BLESS").is_some_and(|it| it == "1") {
        std::fs::write(&file, &said).expect("write");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = said.lines().zip(expected.lines()).position(|(now, before)| now != before);
    assert!(
        said == expected,
        "{} differs from line {}; if the new text is better, keep it with `DRSTACK_BLESS=1 cargo test --no-default-features golden`",
        file.display(),
        differs.unwrap_or(said.lines().count().min(expected.lines().count())) + 1
    );
}
