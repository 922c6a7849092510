//! Mutated stack files: loading ends with a stack or with errors that can be shown, never in a
//! panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::diagnostic::Severity;

/// A stack that uses everything the language has.
const GOOD: &str = r#"
[inputs]
n     = { type = "integer", default = 4, description = "Größe" }
names = { type = "list", default = ["eta", "dispatch"] }
share = { type = "float", default = 0.5 }

[net.a]
cidr = "10.0.0.0/16"
rto  = "30m"
rpo  = "5m"
tier = 1

[net.b]
for_each = "${input.names}"
cidr     = "${each.key}-$${plain}-${stack.name}"
peer     = "@net.a"

[pool.p]
net       = "@net.b[\"eta\"]"
capacity  = "${input.n}"
types     = ["a", '''b''', "${primary.region}"]
user_data = """
#!/bin/sh 🚚
"""

[module.m]
source   = "m"
for_each = 2
size     = 3

[pool.q]
net      = "@module.m[\"001\"].network"
capacity = 0x10
posture  = "hot"

[sim]
seed = 1
"#;

const MODULE: &str = r#"
[inputs]
size = { type = "integer" }
[net.inner]
cidr = "10.0.0.0/16"
[pool.p]
net      = "@net.inner"
capacity = "${input.size}"
[outputs]
network = "@net.inner"
"#;

/// Tokens that people type into TOML, and that parsers trip over.
const TOKENS: [&str; 40] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "#",
    "\n",
    "\r\n",
    "\\",
    "${",
    "$${",
    "}",
    "@",
    "@net.a",
    "@module.m",
    "${input.n}",
    "${each.key}",
    "[stack]",
    "[inputs]",
    "[outputs]",
    "[net.a]",
    "for_each = 3",
    "true",
    "-1",
    "1e999",
    "nan",
    "99999999999999999999",
    "1979-05-27",
    "\u{feff}",
    "模型🚚",
    "\0",
    " ",
];

/// One edit at two places of a text, given as shares of its length.
#[derive(Clone, Debug)]
enum Slip {
    Remove(Index, Index),
    Double(Index, Index),
    Insert(Index, &'static str),
    Replace(Index, Index, &'static str),
}

/// Longest range of one edit: about a line, so that some of the text is left.
const STRETCH: usize = 40;

impl Slip {
    fn apply(&self, text: &mut Vec<u8>) {
        let range = |from: &Index, length: &Index, text: &Vec<u8>| {
            let from = from.index(text.len() + 1);
            from..(from + length.index(STRETCH)).min(text.len())
        };
        match self {
            Self::Remove(from, length) => drop(text.drain(range(from, length, text))),
            Self::Double(from, length) => {
                let range = range(from, length, text);
                let copy = text[range.clone()].to_vec();
                text.splice(range.start..range.start, copy);
            }
            Self::Insert(at, token) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, token.bytes());
            }
            Self::Replace(from, length, token) => {
                text.splice(range(from, length, text), token.bytes());
            }
        }
    }
}

fn slip() -> impl Strategy<Value = Slip> {
    let place = any::<Index>;
    prop_oneof![
        (place(), place()).prop_map(|(from, length)| Slip::Remove(from, length)),
        (place(), place()).prop_map(|(from, length)| Slip::Double(from, length)),
        (place(), select(&TOKENS[..])).prop_map(|(at, token)| Slip::Insert(at, token)),
        (place(), place(), select(&TOKENS[..]))
            .prop_map(|(from, length, it)| Slip::Replace(from, length, it)),
    ]
}

/// Applies some edits to `text`, as the file system would return it.
fn slipped(text: &str, slips: &[Slip]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    slips.iter().for_each(|slip| slip.apply(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn load_texts(stack: String, module: String) -> Result<Stack, Failed> {
    let files = BTreeMap::from([("stack.toml", stack), ("m/module.toml", module)]);
    let registry = ComponentRegistry::new(&[&ErasedComponent::<Net>::NEW, &ErasedComponent::<Pool>::NEW]);
    load(Path::new("stack.toml"), &InputValues::new(), &registry, &Memory(files)).map(|loaded| loaded.stack)
}

#[test]
fn the_text_is_good_before_it_is_mutated() {
    let failed = load_texts(format!("{HEAD}{GOOD}"), MODULE.to_owned()).err();
    assert!(failed.is_none(), "{}", failed.map(|it| render(&it.problems, &it.sources, false)).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_stack_ends_in_a_stack_or_in_errors(
        stack in vec(slip(), 0..5),
        module in vec(slip(), 0..3),
    ) {
        let text = slipped(&format!("{HEAD}{GOOD}"), &stack);
        if let Err(Failed { problems, sources, .. }) = load_texts(text, slipped(MODULE, &module)) {
            prop_assert!(problems.iter().any(|it| it.severity == Severity::Error), "no error in {problems:?}");
            for problem in &problems {
                prop_assert!(problem.help.as_ref().is_some_and(|it| !it.is_empty()), "no help: {problem:?}");
                prop_assert!(!problem.labels.is_empty(), "no place: {problem:?}");
                for label in &problem.labels {
                    let stretch = sources.files.get(label.span.file).and_then(|(_, it)| it.get(label.span.range.clone()));
                    prop_assert!(stretch.is_some(), "a place outside of its file: {problem:?}");
                }
            }
            let shown = render(&problems, &sources, false);
            prop_assert_eq!(shown.matches("= help: ").count() >= problems.len(), true, "{}", shown);
        }
    }
}
