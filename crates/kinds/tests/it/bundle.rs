//! Bundles of every shipped stack: a stack read from its bundle compiles to the same as the stack
//! itself.

use std::path::{Path, PathBuf};

use drstack_core::bundle::{Bundle, BundleError};
use drstack_core::cloud::sha256;
use drstack_core::compile::compile;
use drstack_core::diagnostic::render;
use drstack_core::facts::Facts;
use drstack_core::objective::Mode;
use drstack_core::stack::{FileError, InputValues, ReadFiles, ResolvedStack, Stack, Unresolvable, load};
use drstack_kinds::components;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::compile::reference;
use crate::loaded::{facts, stack};

struct Disk;

impl ReadFiles for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        std::fs::read_to_string(path).map_err(|error| FileError::Other(error.to_string()))
    }
}

/// Returns every shipped stack.
fn shipped() -> Vec<Stack> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacks");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders.map(|it| it.join("stack.toml")).filter(|it| it.exists()).collect();
    files.sort();
    assert!(files.len() > 3, "{files:?}");
    let load = |file: PathBuf| load(&file, &InputValues::new(), &components(), &Disk);
    files.into_iter().map(|file| load(file).map(|it| it.stack).map_err(|it| it.problems).unwrap()).collect()
}

fn bundle(stack: &Stack) -> Bundle {
    Bundle {
        drstack: "0.1.0".to_owned(),
        run: "run".to_owned(),
        applied_at: Timestamp::UNIX_EPOCH,
        stack: stack.resolve(),
        facts: facts(stack),
        elsewhere: [].into(),
        data: [].into(),
        rehearsed: None,
    }
}

/// Returns all output of compiling as bytes, with problems but without their places.
fn compiled(stack: &Stack, facts: &Facts, mode: Mode) -> Vec<u8> {
    let compiled = compile(stack, facts, mode);
    let problems = compiled.problems.iter().map(|it| format!("{} {} {:?}", it.code, it.message, it.help));
    let problems: Vec<String> = problems.collect();
    serde_json::to_vec(&(compiled.graph, problems, compiled.notes)).unwrap()
}

#[test]
fn a_stack_from_a_bundle_compiles_to_the_same_bytes() {
    let references = ["cold", "pilot-light", "warm", "hot"];
    let postures = drstack_core::objective::Posture::ALL;
    assert_eq!(postures.map(drstack_core::objective::Posture::name), references);
    for original in shipped().into_iter().chain(postures.map(|it| stack(&reference(it)))) {
        let bytes = bundle(&original).to_bytes().unwrap();
        let read = Bundle::from_bytes(&bytes).unwrap();
        let restored = read.stack(&components()).unwrap();
        assert_eq!(restored.resolve(), original.resolve());
        for mode in [Mode::Standby, Mode::Active] {
            for facts in [&read.facts, &Facts::default()] {
                let name = &original.facts.name;
                assert!(
                    compiled(&restored, facts, mode) == compiled(&original, facts, mode),
                    "{name} {mode:?}"
                );
            }
        }
    }
}

#[test]
fn a_problem_of_a_restored_stack_is_shown_without_a_place() {
    let restored = bundle(&stack(&reference(drstack_core::objective::Posture::Warm)));
    let restored = restored.stack(&components()).unwrap();
    let compiled = compile(&restored, &Facts::default(), Mode::Active);
    assert!(!compiled.problems.is_empty(), "a stack without facts has problems");
    let shown = render(&compiled.problems, &restored.sources, false);
    for problem in &compiled.problems {
        assert!(shown.contains(&problem.message), "{shown}");
    }
    assert!(!shown.contains("-->"), "{shown}");
}

#[test]
fn user_data_is_in_a_bundle_by_its_hash_alone() {
    let text = reference(drstack_core::objective::Posture::Warm);
    let bytes = bundle(&stack(&text)).to_bytes().unwrap();
    let shown = String::from_utf8(bytes).unwrap();
    assert!(shown.contains(&sha256(b"#!/bin/sh\nstart eta\n")));
    assert!(!shown.contains("#!/bin/sh") && !shown.contains("start eta"));
}

#[test]
fn what_this_build_does_not_know_is_refused_by_name() {
    let good = stack(&reference(drstack_core::objective::Posture::Warm)).resolve();
    let refused = |change: &dyn Fn(&mut ResolvedStack)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.into_stack(&components()).map(drop).unwrap_err()
    };
    let queue = refused(&|it| it.components.values_mut().for_each(|it| it.kind = "teapot".to_owned()));
    assert!(queue.to_string().contains("kind `teapot`, which this drstack does not know"), "{queue}");
    let spec = refused(&|it| it.components.values_mut().for_each(|it| it.spec["newer"] = Value::Null));
    assert!(matches!(spec, Unresolvable::Spec { .. }), "{spec}");
    let name = refused(&|it| it.facts.control = "Not A Bucket".to_owned());
    assert!(matches!(name, Unresolvable::Unsound), "{name}");
    let nobody = refused(&|it| {
        let nobody = drstack_core::address::ComponentAddress::new("bucket.nobody");
        it.components.values_mut().for_each(|it| it.refers_to.extend([nobody.clone()]));
    });
    assert!(matches!(nobody, Unresolvable::Reference { .. }), "{nobody}");
    let circle = refused(&|it| {
        let all: std::collections::BTreeSet<_> = it.components.keys().cloned().collect();
        it.components.values_mut().for_each(|it| it.refers_to.clone_from(&all));
    });
    assert!(matches!(circle, Unresolvable::Reference { .. }), "{circle}");
    assert!(!BundleError::from(circle).hint().is_empty());
}

/// Returns the values that may replace a value.
fn values() -> Vec<Value> {
    use serde_json::json;
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!([0, 0]),
        json!({}),
    ]
}

/// Returns the value at the `at`-th place of `value`, counted through the whole tree.
fn place(value: &mut Value, at: usize) -> Option<&mut Value> {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum(),
            _ => 0,
        }
    }
    if at == 0 {
        return Some(value);
    }
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    let mut left = at - 1;
    for child in children {
        let size = count(child);
        if left < size {
            return place(child, left);
        }
        left -= size;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// A forged bundle with a fitting hash, made by an attacker with write access to the bucket, is
    /// refused or compiles.
    #[test]
    fn a_forged_bundle_is_refused_or_compiles(at in any::<Index>(), with in select(values())) {
        let good = bundle(&stack(&reference(drstack_core::objective::Posture::Warm)));
        let mut forged = serde_json::to_value(&good.stack).unwrap();
        let places = forged.to_string().matches([',', ':', '[']).count();
        if let Some(it) = place(&mut forged, at.index(places)) {
            *it = with;
        }
        let Ok(forged) = serde_json::from_value::<ResolvedStack>(forged) else { return Ok(()) };
        match forged.into_stack(&components()) {
            Ok(stack) => for mode in [Mode::Standby, Mode::Active] {
                let compiled = compile(&stack, &good.facts, mode);
                prop_assert_eq!(compiled.graph.resources.is_empty(), stack.components.is_empty());
            },
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
