//! Rights that a policy has beside others.

use serde_json::{Value, json};

/// Suffix of the statement ids of what is kept: an id may stand once in a policy.
const KEPT: &str = "Kept";

/// Returns the statements of `live` with what `wanted` does not have: the resources that no statement
/// of the same effect, actions and conditions names.
pub(super) fn beside(live: &Value, wanted: &Value) -> Vec<Value> {
    let statements = |of: &Value| of["Statement"].as_array().cloned().unwrap_or_default();
    let same = |one: &Value, other: &Value| {
        ["Effect", "Action", "Condition"].iter().all(|key| one[key] == other[key])
    };
    let wanted = statements(wanted);
    let mut kept: Vec<Value> = Vec::new();
    for statement in statements(live) {
        let named = wanted.iter().filter(|it| same(it, &statement)).flat_map(resources);
        let named: Vec<Value> = named.collect();
        let left: Vec<Value> = resources(&statement).into_iter().filter(|it| !named.contains(it)).collect();
        if left.is_empty() {
            continue;
        }
        match kept.iter_mut().find(|it| same(it, &statement)) {
            Some(other) => other["Resource"] = json!([resources(other), left].concat()),
            None => {
                let mut statement = statement;
                statement["Resource"] = json!(left);
                if let Some(id) = statement["Sid"].as_str() {
                    statement["Sid"] = format!("{}{KEPT}", id.trim_end_matches(KEPT)).into();
                }
                kept.push(statement);
            }
        }
    }
    kept
}

fn resources(statement: &Value) -> Vec<Value> {
    match &statement["Resource"] {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_any_more_is_kept_once() {
        let deny = |id: &str, on: &[&str]| json!({"Sid": id, "Effect": "Deny", "Action": ["s3:PutObject"], "Resource": on});
        let policy = |of: &[Value]| json!({"Version": "2012-10-17", "Statement": of});
        let wanted = policy(&[deny("Objects", &["b"])]);
        let first = beside(&policy(&[deny("Objects", &["a"])]), &wanted);
        assert_eq!(first, [deny("ObjectsKept", &["a"])]);
        // What is kept is kept again, and what is named again is kept no more.
        let live = policy(&[deny("Objects", &["b"]), deny("ObjectsKept", &["a"])]);
        assert_eq!(beside(&live, &wanted), first);
        assert_eq!(beside(&live, &policy(&[deny("Objects", &["a", "b"])])), [json!(null); 0]);
        assert_eq!(beside(&live, &policy(&[deny("Objects", &["c"])])), [deny("ObjectsKept", &["b", "a"])]);
        assert_eq!(beside(&Value::Null, &wanted), [json!(null); 0]);
    }
}
