//! The JSON Schemas: the files are what this build prints, every good stack is valid, and an editor
//! can show the mistakes of bad ones.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::drstack::drstack;

/// Bad stacks whose mistake an editor can show without drstack.
const REFUSED: [&str; 9] = [
    "array-of-tables",
    "bad-tier-and-posture",
    "inputs-declared-badly",
    "not-a-table",
    "stack-incomplete",
    "stack-not-a-table",
    "unknown-key",
    "unknown-kind",
    "wrong-types",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the schema file.
fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&read(&root().join("schemas/stack.schema.json"))).expect("JSON");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

/// Returns the schema's objections to `toml`, one per line; empty if it is valid.
fn refusals(schema: &jsonschema::Validator, toml: &str) -> String {
    let value: Value = toml::from_str(toml).expect("TOML");
    schema.iter_errors(&value).map(|error| format!("{}: {error}\n", error.instance_path())).collect()
}

/// Returns every `stacks/*/stack.toml`.
fn stacks() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("stacks")).expect("stacks");
    let stacks: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path().join("stack.toml")).collect();
    assert!(!stacks.is_empty());
    stacks
}

/// Asserts that `file` is what `drstack COMMAND` prints.
#[track_caller]
fn assert_is_new(file: &str, command: &str) {
    let printed = drstack().run(command.split(' ')).ok().stdout;
    let kept = read(&root().join(file));
    assert!(
        printed == kept,
        "{file} is old; regenerate it with `cargo run --no-default-features -- {command} > {file}`"
    );
}

#[test]
fn the_schema_file_of_stacks_is_what_the_program_prints() {
    assert_is_new("schemas/stack.schema.json", "schema");
}

#[test]
fn the_schema_file_of_json_lines_is_what_the_program_prints() {
    assert_is_new("schemas/events.schema.json", "schema --events");
}

#[test]
fn every_object_of_a_json_line_is_closed() {
    let schema: Value =
        serde_json::from_str(&read(&root().join("schemas/events.schema.json"))).expect("JSON");
    let mut open = vec![&schema["$defs"]];
    while let Some(schema) = open.pop() {
        if schema["type"] == "object" {
            let closed = ["additionalProperties", "unevaluatedProperties"].map(|it| schema[it] == false);
            assert!(closed.contains(&true), "{schema:#}");
        }
        // The choices of an object that is closed as a whole are open.
        let parts = |(name, _): &(&String, &Value)| *name != "oneOf" || schema["properties"].is_null();
        match schema {
            Value::Object(all) => open.extend(all.iter().filter(parts).map(|(_, part)| part)),
            Value::Array(all) => open.extend(all),
            _ => {}
        }
    }
}

#[test]
fn every_stack_names_the_schema_and_fits_it() {
    let schema = schema();
    for path in stacks() {
        let text = read(&path);
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
        let named = named.unwrap_or_else(|| panic!("{}: start it with `#:schema PATH`", path.display()));
        let target = path.parent().expect("a folder").join(named);
        assert!(target.is_file(), "{}: `{named}` is no file", path.display());
        assert_eq!(refusals(&schema, &text), "", "{}", path.display());
    }
}

#[test]
fn what_init_writes_fits_the_schema() {
    let machine = drstack();
    machine.run(["init", "demo"]).ok();
    let text = read(&machine.folder().join("demo/stack.toml"));
    assert_eq!(refusals(&schema(), &text), "");
}

#[test]
fn templates_stand_where_other_types_do() {
    let text = "[stack]\nname = \"demo\"\nprimary = \"us-east-1\"\nstandby = \"us-west-2\"\nposture = \"warm\"\n\
                [bucket.models]\nname = \"${input.company}-${each.key}\"\nold_versions_days = \"${input.days}\"\n\
                tier = \"${input.tier}\"\nfor_each = 3\n[module.m]\nsource = \"m\"\nfor_each = \"${input.names}\"\n";
    assert_eq!(refusals(&schema(), text), "");
}

#[test]
fn bad_stacks_are_refused_while_they_are_typed() {
    let schema = schema();
    for name in REFUSED {
        let text = read(&root().join("tests/bad").join(name).join("stack.toml"));
        assert_ne!(refusals(&schema, &text), "", "the schema takes tests/bad/{name}");
    }
}
