//! The field ledger knows every field of AWS's service models, and no other.

use std::collections::BTreeSet;

use drstack_kinds::ledger::{Fate, Ledger, Model};
use drstack_kinds::registry::ledgers;
use serde_json::{Value, json};

use crate::python::{python, run};

fn all() -> impl Iterator<Item = &'static Ledger> {
    ledgers::ALL.iter().copied().flatten().copied()
}

/// Returns the query of `py/models.py` for the fields of a table.
fn query(ledger: &Ledger) -> Value {
    match ledger.model {
        Model::Members(shape) => json!({"service": ledger.service, "members": shape}),
        Model::Values(shape) => json!({"service": ledger.service, "values": shape}),
        Model::Operations(words) => json!({"service": ledger.service, "operations": words}),
    }
}

#[test]
fn every_field_of_the_service_models_has_a_fate() {
    let Some(python) = python() else { return };
    let answers = run(&python, "models", &all().map(query).collect(), &[]);
    let answers = answers.as_array().expect("a list for each table");
    let mut wrong = Vec::new();
    for (ledger, answer) in all().zip(answers) {
        let model: BTreeSet<&str> =
            answer.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let known: BTreeSet<&str> = ledger.fields.iter().map(|(field, _)| *field).collect();
        let of = |field: &&str| format!("{} ({:?}): {field}", ledger.object, ledger.model);
        wrong.extend(model.difference(&known).map(|it| format!("{} is in no table", of(it))));
        wrong.extend(known.difference(&model).map(|it| format!("{} is not in the model", of(it))));
        // A wrong name of a shape would be all of its fields; it has to be seen as that.
        assert!(!model.is_empty(), "the model of {} has no {:?}", ledger.service, ledger.model);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_field_has_one_fate_and_a_refusal_has_a_code() {
    let codes = drstack_kinds::components().codes();
    for ledger in all() {
        let mut seen = BTreeSet::new();
        for (field, fate) in ledger.fields {
            assert!(seen.insert(field), "{} has {field} twice", ledger.object);
            if let Fate::Refused(code) = fate {
                assert!(codes.iter().any(|(known, ..)| known == code), "{field}: there is no {code}");
            }
        }
    }
}

#[test]
fn no_two_tables_are_of_one_shape() {
    let mut seen = BTreeSet::new();
    for ledger in all() {
        let key = format!("{} {:?}", ledger.service, ledger.model);
        assert!(seen.insert(key.clone()), "{key} is listed twice");
    }
}
