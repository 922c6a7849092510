//! The pages of docs/reference match this build.
//!
//! `DRSTACK_BLESS=1 cargo test --no-default-features reference` writes them anew: read the
//! difference as a change of the product.

use std::fmt::Write;
use std::path::Path;

use drstack_core::objective::Posture;
use drstack_kinds::ledger::{Fate, Ledger};
use drstack_kinds::registry::ledgers;
use serde_json::Value;

use crate::drstack::drstack;

/// Fields that every component may have.
const COMMON: [&str; 7] = ["check", "for_each", "posture", "rpo", "rto", "tag", "tier"];

/// Asserts that the page matches the generated text.
fn expect_page(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os("DRSTACK_BLESS").is_some_and(|it| it == "1") {
        std::fs::write(&path, generated).expect("write the page");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == generated,
        "docs/reference/{name} is not what this build says: run it with DRSTACK_BLESS=1"
    );
}

/// Returns a description as one line of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Returns the type of a field: `string`, `list of string`, `"a" or "b"`.
fn type_of(schema: &Value, definitions: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
        return type_of(&definitions[name], definitions);
    }
    let one_of = |all: &[Value]| {
        // Every scalar also accepts a template, and null means that the field is left out.
        let all = all.iter().filter(|it| it["pattern"] != "\\$\\{.*\\}" && it["type"] != "null");
        let mut types: Vec<String> = all.map(|it| type_of(it, definitions)).collect();
        types.dedup();
        types.join(" or ")
    };
    if let Some(all) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return one_of(all);
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    let of = |name: &str| match name {
        "array" => format!("list of {}", type_of(&schema["items"], definitions)),
        "object" if schema["properties"].is_object() => {
            let fields = schema["properties"].as_object().into_iter().flat_map(|it| it.keys());
            format!("table of {}", fields.map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "))
        }
        "object" => "table".to_owned(),
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => of(name),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).filter(|it| *it != "null");
            names.map(of).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn fields(out: &mut String, table: &Value, definitions: &Value, of: impl Fn(&str) -> bool) {
    let required =
        |name: &str| table["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
    out.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
    for (name, schema) in table["properties"].as_object().into_iter().flatten().filter(|(name, _)| of(name)) {
        // The field may also accept a template.
        let inner = if schema["anyOf"].is_array() { &schema["anyOf"][0] } else { schema };
        let default = match &inner["default"] {
            _ if required(name) => "required".to_owned(),
            Value::Null => "not set".to_owned(),
            value => format!("`{value}`"),
        };
        let meaning = schema["description"].as_str().or(inner["description"].as_str());
        let (of, meaning) = (cell(&type_of(schema, definitions)), cell(meaning.unwrap_or_default()));
        let _ = writeln!(out, "| `{name}` | {of} | {} | {meaning} |", cell(&default));
    }
}

#[test]
fn components_and_their_fields_are_listed() {
    let schema: Value = serde_json::from_str(&drstack().run(["schema"]).ok().stdout).expect("JSON");
    let (tables, definitions) = (&schema["properties"], &schema["$defs"]);
    let mut out = "# Components\n\nGenerated from the types that read a stack. A template (`${input.size}`) may stand for every scalar.\n"
        .to_owned();
    let is_own = |name: &str| !COMMON.contains(&name);
    let components = drstack_kinds::components();
    for component in components.iter() {
        let _ = write!(out, "\n## `[{}.NAME]`\n\n{}.\n", component.name(), component.summary());
        fields(&mut out, &tables[component.name()]["additionalProperties"], definitions, is_own);
    }
    let check = components.check().expect("checks");
    let _ = write!(out, "\n## `[[KIND.NAME.{}]]`\n\n{}.\n", check.name(), check.summary());
    fields(&mut out, &definitions["CheckTable"], definitions, |_| true);
    out.push_str("\n## Every component\n");
    let any = &tables["bucket"]["additionalProperties"];
    fields(&mut out, any, definitions, |name| COMMON.contains(&name));
    out.push_str("\n## `[stack]`\n");
    fields(&mut out, &tables["stack"], definitions, |_| true);
    expect_page("components.md", &out);
}

#[test]
fn commands_and_their_options_are_listed() {
    let machine = drstack();
    let help = |words: &[&str]| machine.run(words.iter().copied().chain(["--help"])).ok().stdout;
    let mut out = "# Commands\n\nGenerated: what `--help` prints.\n".to_owned();
    let whole = help(&[]);
    let _ = write!(out, "\n## drstack\n\n```text\n{}\n```\n", whole.trim_end());
    let list = whole.split("Commands:\n").nth(1).and_then(|it| it.split("\n\n").next()).expect("commands");
    for command in list.lines().filter_map(|line| line.split_whitespace().next()).filter(|it| *it != "help") {
        let _ = write!(out, "\n## drstack {command}\n\n```text\n{}\n```\n", help(&[command]).trim_end());
    }
    expect_page("commands.md", &out);
}

#[test]
fn diagnostics_are_listed() {
    let mut out = "# Diagnostics\n\nGenerated: what `drstack explain CODE` prints.\n\n| code | title | meaning |\n|---|---|---|\n".to_owned();
    for (code, title, page) in drstack_kinds::components().codes() {
        let _ = writeln!(out, "| {code} | {} | {} |", cell(title), cell(page));
    }
    expect_page("diagnostics.md", &out);
}

/// Returns what becomes of a field, for people.
fn said(fate: Fate) -> String {
    match fate {
        Fate::Carried => "carried".to_owned(),
        Fate::Mapped(how) => format!("its own: {how}"),
        Fate::Refused(code) => format!("refused: [{code}](diagnostics.md)"),
        Fate::NotYet(noun) => format!("**not carried**; the plan names it: {noun}"),
        Fate::Unasked(why) => format!("**not carried**, and the plan does not name it: {why}"),
        Fate::Irrelevant(why) => format!("nothing to carry: {why}"),
    }
}

#[test]
fn followed_fields_are_listed() {
    let mut out = "# What is followed\n\nGenerated from the tables that a test compares with AWS's service models: every field of the \
        primary's objects that a stack follows, and what becomes of it in the standby region. `plan` and `apply` name the \
        fields that are set in the primary and not carried, once a component.\n"
        .to_owned();
    for Ledger { object, service, fields, .. } in ledgers::ALL.iter().copied().flatten() {
        let _ = write!(out, "\n## {object} ({service})\n\n| field | in the standby region |\n|---|---|\n");
        for (field, fate) in *fields {
            let _ = writeln!(out, "| `{field}` | {} |", cell(&said(*fate)));
        }
    }
    expect_page("followed.md", &out);
}

/// B19: each page that the manual refers to exists.
#[test]
fn the_manual_has_each_page_that_it_refers_to() {
    let machine = drstack();
    machine.run(["man", "--dir", "."]).ok();
    let main = machine.run(["man"]).ok().stdout;
    let named: Vec<String> =
        main.lines().filter_map(|line| line.strip_suffix("(1)")).map(|name| name.replace('\\', "")).collect();
    assert!(named.len() > 10, "{main}");
    for name in named {
        let page = std::fs::read_to_string(machine.folder().join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        let command = name.strip_prefix("drstack-").expect("a command");
        assert_eq!(machine.run(["man", command]).ok().stdout, page, "{name}");
    }
    machine.run(["man", "nonsense"]).code(64);
}

fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// B28: the guide has the bands that plans name, and says whose numbers they are.
#[test]
fn the_guide_has_the_band_of_each_posture() {
    let guide = page("docs/guide/postures.md");
    for posture in Posture::ALL {
        let (name, band) = (posture.name(), posture.band());
        let row = guide.lines().find(|it| it.starts_with(&format!("| `{name}` |")));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row of {name}")).split(" | ").collect();
        assert_eq!(cells[1..3], [band.rto, band.rpo], "{name}");
        // The share of a pilot light is said in words.
        let share = band.cost.strip_suffix(" of the primary");
        assert!(share.is_none_or(|it| it == cells[3]), "{name}: {share:?} and {}", cells[3]);
    }
    let words: Vec<&str> = guide.split_whitespace().collect();
    assert!(words.join(" ").contains("The bands are drstack's own: typical values, not measurements"));
}

/// B27: moto alone is not what the tests use.
#[test]
fn the_readme_names_what_the_tests_put_in_front_of_moto() {
    let readme = page("README.md");
    for script in ["tests/servers/moto_wsgi.py", "tests/servers/route.py"] {
        assert!(readme.contains(script), "{script}");
    }
}
