//! IAM policies: their difference, statement by statement.

use serde_json::{Map, Value};

use super::color::{GREEN, RED, paint};

/// Writes the difference of two policies, one line per statement; `None` if neither is a policy.
///
/// A missing policy is null. Statements that both have are only counted.
pub(super) fn difference(from: &Value, to: &Value) -> Option<Vec<String>> {
    let (from, to) = (document(from), document(to));
    if from.is_none() && to.is_none() {
        return None;
    }
    let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
    let (old, new) = (statements(&from), statements(&to));
    let removed =
        old.iter().filter(|it| !new.contains(it)).map(|it| paint(RED, &format!("- {}", statement(it))));
    let added =
        new.iter().filter(|it| !old.contains(it)).map(|it| paint(GREEN, &format!("+ {}", statement(it))));
    let mut lines: Vec<String> = removed.chain(added).collect();
    // A policy that comes or goes as a whole needs no line for its version.
    let both = !from.is_empty() && !to.is_empty();
    for key in from.keys().chain(to.keys().filter(|key| !from.contains_key(*key))) {
        if key != STATEMENT && both && from.get(key) != to.get(key) {
            let value = |of: &Map<String, Value>| of.get(key).cloned().unwrap_or(Value::Null);
            lines.push(format!("{key}: {} -> {}", value(&from), value(&to)));
        }
    }
    match new.iter().filter(|it| old.contains(it)).count() {
        0 => {}
        1 => lines.push("  1 statement unchanged".to_owned()),
        same => lines.push(format!("  {same} statements unchanged")),
    }
    Some(lines)
}

const STATEMENT: &str = "Statement";

/// Keys of a statement in the order of the sentence, with the words before their values.
const KEYS: [(&str, &str); 9] = [
    ("Sid", ""),
    ("Effect", ""),
    ("Action", ""),
    ("NotAction", "all but"),
    ("Resource", "on"),
    ("NotResource", "on all but"),
    ("Principal", "for"),
    ("NotPrincipal", "for all but"),
    ("Condition", "if"),
];

/// Returns the policy document in `value`, which may be its text.
fn document(value: &Value) -> Option<Map<String, Value>> {
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let object = parsed.as_ref().unwrap_or(value).as_object()?;
    object.contains_key(STATEMENT).then(|| object.clone())
}

fn statements(policy: &Map<String, Value>) -> Vec<Value> {
    match policy.get(STATEMENT) {
        None => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// Writes a statement as a sentence: `Allow s3:GetObject on arn:aws:s3:::acme-models/*`.
fn statement(statement: &Value) -> String {
    let Some(fields) = statement.as_object() else { return statement.to_string() };
    let known = KEYS.iter().filter_map(|(key, word)| {
        let value = words(fields.get(*key)?);
        let value = if *key == "Sid" { format!("[{value}]") } else { value };
        Some(if word.is_empty() { value } else { format!("{word} {value}") })
    });
    let is_known = |key: &str| KEYS.iter().any(|(known, _)| *known == key);
    let others = fields.iter().filter(|(key, _)| !is_known(key));
    let others = others.map(|(key, value)| format!("{key} {}", words(value)));
    known.chain(others).collect::<Vec<_>>().join(" ")
}

/// Writes a value without the marks of JSON where it reads as well without them.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| match value {
                Value::Object(_) => format!("{key} {}", words(value)),
                _ => format!("{key} = {}", words(value)),
            });
            fields.collect::<Vec<_>>().join(" and ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(action: &str) -> Value {
        json!({"Effect": "Allow", "Action": [action, "s3:ListBucket"], "Resource": "arn:aws:s3:::a",
            "Condition": {"StringEquals": {"aws:ResourceAccount": "1"}}})
    }

    fn plain(from: &Value, to: &Value) -> Option<Vec<String>> {
        let plain = |line: String| {
            ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"].iter().fold(line, |it, code| it.replace(code, ""))
        };
        difference(from, to).map(|lines| lines.into_iter().map(plain).collect())
    }

    #[test]
    fn a_policy_differs_statement_by_statement() {
        let policy = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
        let same = json!({"Sid": "Same", "Effect": "Deny", "NotAction": "s3:*", "Resource": "*", "More": 1});
        let (old, new) = (policy(&[same.clone(), read("s3:Get")]), policy(&[read("s3:Put"), same.clone()]));
        let condition = "on arn:aws:s3:::a if StringEquals aws:ResourceAccount = 1";
        let [removed, added] =
            ["- Allow s3:Get", "+ Allow s3:Put"].map(|it| format!("{it}, s3:ListBucket {condition}"));
        let unchanged = "  1 statement unchanged".to_owned();
        assert_eq!(plain(&old, &new).unwrap(), [removed.clone(), added.clone(), unchanged.clone()]);
        let text = Value::String(old.to_string());
        assert_eq!(plain(&text, &new).unwrap(), [removed, added, unchanged], "a policy as text");
        let lone = json!({"Version": "2012-10-17", "Statement": same});
        assert_eq!(plain(&Value::Null, &lone).unwrap(), ["+ [Same] Deny all but s3:* on * More 1"]);
        let newer = json!({"Version": "2008-10-17", "Statement": [read("s3:Get")]});
        let older = policy(&[read("s3:Get")]);
        let version = "Version: \"2012-10-17\" -> \"2008-10-17\"".to_owned();
        assert_eq!(plain(&older, &newer).unwrap(), [version, "  1 statement unchanged".to_owned()]);
    }

    #[test]
    fn what_is_no_policy_is_left_alone() {
        for value in [json!(1), json!("text"), json!("{"), json!({"a": 1}), json!(["Statement"])] {
            assert_eq!(difference(&Value::Null, &value), None, "{value}");
        }
    }
}
