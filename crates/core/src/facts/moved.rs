//! What moved between two captures.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Facts;

/// A fact whose answer differs from the one before.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Moved {
    /// [`FactQuery::key`](super::FactQuery::key).
    pub fact: String,
    /// When the answer before was captured. It moved at some time after that.
    pub last_captured: Timestamp,
    /// What differs in it.
    pub fields: Vec<MovedField>,
}

/// A field of a fact that differs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MovedField {
    /// Its path, `image.id`; empty for the whole answer.
    pub field: String,
    /// The value before; `null` if there was none.
    pub from: Value,
    /// The value now; `null` if there is none.
    pub to: Value,
}

/// Returns the facts that differ in `now`, with what differs in each. A fact that no run had before
/// has not moved.
pub fn moved(before: &Facts, now: &Facts) -> Vec<Moved> {
    let mut all = Vec::new();
    for (fact, answer) in &now.answers {
        let Some(was) = before.answers.get(fact).filter(|it| it.value != answer.value) else { continue };
        let mut fields = Vec::new();
        differences("", &was.value, &answer.value, &mut fields);
        all.push(Moved { fact: fact.clone(), last_captured: was.captured_at, fields });
    }
    all
}

/// Adds the innermost fields that differ. Lists are compared as a whole.
fn differences(path: &str, from: &Value, to: &Value, fields: &mut Vec<MovedField>) {
    let (Value::Object(was), Value::Object(is)) = (from, to) else {
        if from != to {
            fields.push(MovedField { field: path.to_owned(), from: from.clone(), to: to.clone() });
        }
        return;
    };
    let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let side = |side: &serde_json::Map<String, Value>| side.get(name).cloned().unwrap_or_default();
        differences(&path, &side(was), &side(is), fields);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::Fact;

    #[test]
    fn what_moved_is_named_by_its_innermost_field_and_what_is_new_has_not_moved() {
        let facts = |values: &[(&str, Value)]| Facts {
            answers: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Fact::new(Timestamp::UNIX_EPOCH, value.clone())))
                .collect(),
            ..Facts::default()
        };
        let before = facts(&[
            (
                "primary/group/a",
                json!({"image": {"id": "ami-1", "owned": true}, "types": ["x", "y"], "gone": 1}),
            ),
            ("primary/bucket/b", json!({"versioning": true})),
            ("primary/table/c", Value::Null),
        ]);
        let now = facts(&[
            (
                "primary/group/a",
                json!({"image": {"id": "ami-2", "owned": true}, "types": ["x"], "new": {"k": 1}}),
            ),
            ("primary/bucket/b", json!({"versioning": true})),
            ("primary/table/c", json!({"keys": "pk"})),
            ("primary/table/d", json!({})),
        ]);
        let all = moved(&before, &now);
        let said: Vec<(&str, Vec<String>)> = all
            .iter()
            .map(|it| {
                let one = |it: &MovedField| format!("{}: {} -> {}", it.field, it.from, it.to);
                (it.fact.as_str(), it.fields.iter().map(one).collect())
            })
            .collect();
        let group = [
            "gone: 1 -> null",
            "image.id: \"ami-1\" -> \"ami-2\"",
            "new: null -> {\"k\":1}",
            "types: [\"x\",\"y\"] -> [\"x\"]",
        ];
        assert_eq!(
            said,
            [
                ("primary/group/a", group.map(str::to_owned).to_vec()),
                ("primary/table/c", vec![": null -> {\"keys\":\"pk\"}".to_owned()]),
            ]
        );
        assert_eq!(all[0].last_captured, Timestamp::UNIX_EPOCH);
        assert_eq!(moved(&now, &now), []);
    }
}
