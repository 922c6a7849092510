//! Every command that the program or its documentation names exists, with every option that is
//! named with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::drstack::{Drstack, drstack};

/// Texts of the repository that name commands to users.
const TEXTS: &[&str] =
    &["src", "crates/core/src", "crates/app/src", "crates/kinds/src", "docs", "README.md", "examples"];

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut open, mut found): (Vec<PathBuf>, _) =
        (TEXTS.iter().map(|it| root.join(it)).collect(), Vec::new());
    while let Some(path) = open.pop() {
        match std::fs::read_dir(&path) {
            Ok(inside) => open.extend(inside.map(|it| it.expect("an entry").path())),
            Err(_) => found.push(path),
        }
    }
    found
}

/// Returns the texts between backticks that begin with the program's name, each in one line.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in text.split('`').skip(1) {
        if let Some(rest) = piece.strip_prefix("drstack ").filter(|it| it.len() < 200) {
            found.push(rest.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// Returns the help of `command`; empty if there is no such command.
fn help(machine: &Drstack, command: &str) -> String {
    let ran = machine.run([command, "--help"]);
    if ran.code == 0 { ran.stdout } else { String::new() }
}

#[test]
fn every_command_that_is_named_exists_with_its_options() {
    let machine = drstack();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for command in commands(&text) {
            let mut words = command.split(' ');
            let name = words.next().unwrap_or_default();
            // A placeholder, or a name that is inserted at run time.
            if !name.bytes().all(|it| it.is_ascii_lowercase()) || name.is_empty() {
                continue;
            }
            count += 1;
            let help = known.entry(name.to_owned()).or_insert_with(|| help(&machine, name));
            let missing = words.filter(|it| it.starts_with("--")).map(|it| {
                it.split(['=', '|', ',', ']', ')', '.', ';', '{', '\\', '"'])
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            });
            let missing: Vec<String> =
                missing.filter(|it| it.len() > 2 && !help.contains(it.as_str())).collect();
            if help.is_empty() || !missing.is_empty() {
                wrong.push(format!("{}: `drstack {command}` {missing:?}", file.display()));
            }
        }
    }
    assert!(count > 100, "{count} commands were found: where are the others?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
