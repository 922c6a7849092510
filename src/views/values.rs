//! All values of what a step makes or changes, with ids.

use drstack_core::kind::{Action, KindRegistry};
use drstack_core::plan::Step;
use serde_json::Value;

use super::policy;

/// Returns the id of the step's resource in a line; the line of a deletion has it already.
pub(super) fn id(step: &Step) -> Option<String> {
    step.id.as_ref().filter(|_| step.action != Action::Delete).map(|id| format!("id: {id}"))
}

/// Returns the values that are not among the step's changes, one line each.
pub(super) fn lines(step: &Step, kinds: &KindRegistry) -> Vec<String> {
    let mut lines = Vec::new();
    let is_changed = |field: &str| step.changes.iter().any(|it| it.field.split('.').next() == Some(field));
    for (field, value) in step.spec.as_object().into_iter().flatten() {
        if !is_changed(field) {
            flatten(field, value, &mut lines);
        }
    }
    // What follows from the values, such as the policies of a role, is only in the live resource.
    let id = step.id.as_deref().unwrap_or_default();
    let live = kinds.get(&step.kind).and_then(|kind| kind.expect(&step.spec, id).ok());
    for (field, value) in live.iter().filter_map(Value::as_object).flatten() {
        let is_new = !is_changed(field) && step.spec.get(field).is_none();
        if let Some(statements) = policy::difference(&Value::Null, value).filter(|_| is_new) {
            lines.push(format!("{field}:"));
            lines.extend(statements.iter().map(|it| format!("  {it}")));
        }
    }
    lines
}

/// Writes `value` and all that is in it, one line per value.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    let is_plain = |it: &Value| !it.is_object() && !it.is_array();
    match value {
        Value::Null => {}
        Value::Object(fields) => match link(value) {
            Some(link) => lines.push(format!("{path}: {link}")),
            None => fields.iter().for_each(|(key, it)| flatten(&format!("{path}.{key}"), it, lines)),
        },
        Value::Array(all) if !all.iter().all(is_plain) => {
            all.iter().enumerate().for_each(|(at, it)| flatten(&format!("{path}.{at}"), it, lines));
        }
        plain => lines.push(format!("{path}: {plain}")),
    }
}

/// Describes a value that another resource will supply.
fn link(value: &Value) -> Option<String> {
    let (address, output) = (value.get("$ref")?.as_str()?, value.get("output")?.as_str()?);
    Some(format!("{output} of {address} (known after apply)"))
}
