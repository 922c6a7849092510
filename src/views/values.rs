//! All values of what a step makes or changes, with ids.

use std::collections::BTreeMap;

use drstack_core::address::Address;
use drstack_core::kind::{Action, KindRegistry};
use drstack_core::plan::{Plan, Step};
use serde_json::Value;

use super::policy;

/// What is known of the values that resources supply to others.
pub(super) struct Known<'a> {
    plan: &'a Plan,
    kinds: &'a KindRegistry,
    /// The steps of each resource.
    steps: BTreeMap<&'a Address, Vec<&'a Step>>,
}

impl<'a> Known<'a> {
    /// Collects what is known before `plan` is executed.
    pub(super) fn before(plan: &'a Plan, kinds: &'a KindRegistry) -> Self {
        let mut steps: BTreeMap<_, Vec<_>> = BTreeMap::new();
        plan.steps.iter().for_each(|step| steps.entry(&step.address).or_default().push(step));
        Self { plan, kinds, steps }
    }

    /// Returns an output of a resource that no step of the plan changes.
    fn output(&self, address: &str, output: &str) -> Option<&'a str> {
        let (address, outputs) = self.plan.outputs.get_key_value(&Address::parse(address)?)?;
        let changes = |step: &&Step| match (step.action, self.kinds.get(&step.kind)) {
            (Action::Update, Some(kind)) => kind.volatile().contains(&output),
            _ => true,
        };
        let is_changed = self.steps.get(address).is_some_and(|all| all.iter().any(changes));
        outputs.get(output).filter(|_| !is_changed).map(String::as_str)
    }
}

/// Returns the id of the step's resource in a line; the line of a deletion has it already.
pub(super) fn id(step: &Step) -> Option<String> {
    step.id.as_ref().filter(|_| step.action != Action::Delete).map(|id| format!("id: {id}"))
}

/// Returns the values that are not among the step's changes, one line each.
pub(super) fn lines(step: &Step, known: &Known<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let is_changed = |field: &str| step.changes.iter().any(|it| it.field.split('.').next() == Some(field));
    for (field, value) in step.spec.as_object().into_iter().flatten() {
        if !is_changed(field) {
            flatten(field, value, known, &mut lines);
        }
    }
    // What follows from the values, such as the policies of a role, is only in the live resource.
    let id = step.id.as_deref().unwrap_or_default();
    let live = known.kinds.get(&step.kind).and_then(|kind| kind.expect(&step.spec, id).ok());
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
fn flatten(path: &str, value: &Value, known: &Known<'_>, lines: &mut Vec<String>) {
    let is_plain = |it: &Value| !it.is_object() && !it.is_array();
    match value {
        Value::Null => {}
        Value::Object(fields) => match link(value, known) {
            Some(link) => lines.push(format!("{path}: {link}")),
            None => {
                fields.iter().for_each(|(key, it)| flatten(&format!("{path}.{key}"), it, known, lines));
            }
        },
        Value::Array(all) if !all.iter().all(is_plain) => {
            all.iter().enumerate().for_each(|(at, it)| flatten(&format!("{path}.{at}"), it, known, lines));
        }
        plain => lines.push(format!("{path}: {plain}")),
    }
}

/// Describes a value that another resource supplies: the value itself if it is known.
fn link(value: &Value, known: &Known<'_>) -> Option<String> {
    let (address, output) = (value.get("$ref")?.as_str()?, value.get("output")?.as_str()?);
    Some(match known.output(address, output) {
        Some(text) => format!("{} ({output} of {address})", Value::from(text)),
        None => format!("{output} of {address} (known after apply)"),
    })
}
