//! A component is whole: the suite fails if one of its proofs is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use drstack_core::compile::queries;
use drstack_core::kind::Operation;
use drstack_core::objective::Posture;

use crate::compile::reference;
use crate::loaded::{facts, stack};
use crate::random::KINDS;

fn components() -> Vec<&'static str> {
    drstack_kinds::components().iter().map(|it| it.name()).collect()
}

/// Returns all files in a folder of the workspace, as one text.
fn text_of(folder: &str) -> String {
    let mut open = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(folder)];
    let mut text = String::new();
    while let Some(path) = open.pop() {
        match std::fs::read_dir(&path) {
            Ok(inside) => open.extend(inside.map(|it| it.unwrap().path())),
            Err(_) => text += &std::fs::read_to_string(&path).unwrap_or_default(),
        }
    }
    text
}

#[test]
fn every_component_is_drawn_in_random_stacks_and_stands_in_the_reference() {
    let reference = reference(Posture::Warm);
    for name in components() {
        assert!(KINDS.contains(&name), "random.rs draws no `{name}`");
        assert!(reference.contains(&format!("[{name}.")), "the reference stack has no `{name}`");
    }
    assert_eq!(KINDS.len(), components().len(), "random.rs draws what is no component");
}

#[test]
fn every_fact_that_the_reference_asks_for_is_answered_by_the_simulated_regions() {
    for posture in Posture::ALL {
        let stack = stack(&reference(posture));
        let answers = facts(&stack).answers;
        for query in queries(&stack) {
            assert!(answers.contains_key(&query.key()), "no seed answers {}", query.key());
        }
    }
}

#[test]
fn every_diagnostic_has_one_page() {
    let codes = drstack_kinds::components().codes();
    for pair in codes.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} has two pages", pair[0].0);
    }
    assert!(codes.len() > drstack_core::diagnostic::codes::CODES.len());
}

#[test]
fn every_query_is_of_a_registered_fact_kind_that_says_what_it_calls() {
    let known: BTreeMap<&str, &[Operation]> = drstack_kinds::facts::ALL.iter().copied().collect();
    assert_eq!(known.len(), drstack_kinds::facts::ALL.len(), "two fact kinds of one name");
    for (name, operations) in &known {
        assert!(!operations.is_empty() && operations.is_sorted(), "{name}: {operations:?}");
    }
    for query in Posture::ALL.into_iter().flat_map(|it| queries(&stack(&reference(it)))) {
        assert!(known.contains_key(&*query.kind), "nothing asks for {}", query.key());
    }
}

#[test]
fn every_component_meets_a_server_a_bad_stack_and_a_line_of_the_docs() {
    for (texts, what) in [
        (&["tests/it", "tests/components"][..], "the tests against servers"),
        (&["tests/bad"], "the bad stacks"),
        (&["README.md", "docs/guide"], "README and guide"),
    ] {
        let text: String = texts.iter().map(|it| text_of(it)).collect();
        for name in components() {
            let table = [format!("[{name}."), format!("[[{name}.")];
            assert!(table.iter().any(|it| text.contains(it)), "{what} know no `{name}`");
        }
    }
}
