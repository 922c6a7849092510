//! The contract of every resource kind, tested with samples of each.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::kind::{DynKind, Readiness, Role};
use serde_json::{Map, Value, json};

use crate::samples::{Sample, Unseen, samples};

fn kind(sample: &Sample) -> &'static dyn DynKind {
    drstack_kinds::kinds().get(sample.kind).unwrap()
}

/// Returns the live value of a resource created exactly as the sample says.
fn made(sample: &Sample) -> Value {
    kind(sample).expect(&sample.spec, "id-1").unwrap()
}

#[test]
fn every_kind_has_a_sample_and_every_sample_a_kind() {
    let sampled: BTreeSet<&str> = samples().iter().map(|sample| sample.kind).collect();
    let known: BTreeSet<&str> = drstack_kinds::kinds().iter().map(DynKind::name).collect();
    assert_eq!(sampled, known, "write a sample for each kind in samples.rs");
}

#[test]
fn what_was_made_as_wanted_shows_no_difference_and_is_ready() {
    for sample in samples() {
        let (kind, live) = (kind(&sample), made(&sample));
        assert_eq!(kind.diff(&sample.spec, &live).unwrap(), [], "{}: {live}", sample.kind);
        assert_eq!(kind.ready(&sample.spec, &live).unwrap(), Readiness::Ready, "{}: {live}", sample.kind);
        assert_eq!(live, made(&sample), "{}: the same spec gives the same live value", sample.kind);
    }
}

#[test]
fn what_was_changed_as_wanted_shows_no_difference_and_has_new_volatile_outputs() {
    for sample in samples() {
        let (kind, before) = (kind(&sample), made(&sample));
        let after = kind.expect_after(&sample.spec, "id-1", &before).unwrap();
        assert_eq!(kind.diff(&sample.spec, &after).unwrap(), [], "{}: {after}", sample.kind);
        let [old, new] = [before, after].map(|live| kind.outputs("id-1", &live).unwrap());
        for (name, value) in &old {
            let is_new = new[name] != *value;
            assert_eq!(is_new, kind.volatile().contains(&name.as_str()), "{}: {name}", sample.kind);
        }
    }
}

#[test]
fn what_a_creation_leaves_halfway_is_finished_by_an_update_and_carries_tags_from_some_call_on() {
    for sample in samples() {
        let kind = kind(&sample);
        let halfway = kind.halfway(&sample.spec, "id-1").unwrap();
        for it in &halfway {
            let fixed = kind.diff(&sample.spec, &it.live).unwrap().into_iter().find(|change| change.replace);
            assert_eq!(fixed, None, "{}: {}", sample.kind, it.live);
        }
        assert!(halfway.is_sorted_by_key(|it| it.tagged), "{}: tags are not lost again", sample.kind);
        let is_object = kind.check().is_none() && kind.role() != Role::Setting;
        assert!(halfway.is_empty() || is_object, "{}", sample.kind);
    }
}

#[test]
fn specs_survive_a_plan_file() {
    for sample in samples() {
        assert_eq!(sample.spec, sample.again, "{}", sample.kind);
    }
}

#[test]
fn outputs_hold_the_id_and_whatever_an_update_may_change() {
    for sample in samples() {
        let kind = kind(&sample);
        let outputs = kind.outputs("id-1", &made(&sample)).unwrap();
        assert_eq!(outputs.get("id").map(String::as_str), Some("id-1"), "{}", sample.kind);
        for output in kind.volatile() {
            assert!(outputs.contains_key(*output), "{}: {output} is no output", sample.kind);
        }
    }
}

#[test]
fn every_kind_says_the_same_of_a_call() {
    let operations = drstack_kinds::policy::operations();
    let names: BTreeSet<(&str, &str)> = operations.iter().map(|it| (it.service, it.action)).collect();
    assert_eq!(names.len(), operations.len(), "one call, declared in two ways");
}

#[test]
fn every_kind_says_where_it_stands_what_it_calls_and_what_it_does_with_data() {
    for kind in drstack_kinds::kinds().iter() {
        let name = kind.name();
        assert!(!kind.places().is_empty(), "{name} stands nowhere");
        assert!(!kind.operations().is_empty(), "{name} calls nothing");
        assert!(kind.rounds() > 0, "{name} is changed by no update");
        let mut sorted = kind.operations().to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted, kind.operations(), "{name}: operations are sorted, each once");
    }
}

#[test]
fn a_live_value_that_changes_shows_a_difference() {
    let mut walk = Walk::default();
    for sample in samples() {
        let shows = |live: &Value| kind(&sample).diff(&sample.spec, live).ok().map(|it| !it.is_empty());
        walk.compare(sample.kind, &made(&sample), sample.live_unseen, &shows);
    }
    walk.end();
}

#[test]
fn a_wish_that_changes_shows_a_difference() {
    let mut walk = Walk::default();
    for sample in samples() {
        let live = made(&sample);
        let shows = |spec: &Value| kind(&sample).diff(spec, &live).ok().map(|it| !it.is_empty());
        walk.compare(sample.kind, &sample.spec, sample.spec_unseen, &shows);
    }
    walk.end();
}

/// Changes the fields of samples, one at a time.
#[derive(Default)]
struct Walk {
    /// All fields, as `KIND FIELD`.
    fields: BTreeSet<String>,
    /// Fields of which a change could be read. An empty list does not show what it may hold;
    /// another sample does.
    tried: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Walk {
    /// Reports fields for which `shows` and the list of unseen fields disagree. `shows` returns
    /// `None` if the kind cannot read the changed value at all.
    fn compare(&mut self, kind: &str, value: &Value, unseen: Unseen, shows: &dyn Fn(&Value) -> Option<bool>) {
        let mut seen: BTreeMap<String, bool> = BTreeMap::new();
        for (path, changed) in variants(value) {
            if let Some(shown) = shows(&changed) {
                *seen.entry(path).or_insert(true) &= shown;
            }
        }
        self.fields.extend(leaves(value, "").into_iter().map(|path| format!("{kind} {path}")));
        self.tried.extend(seen.keys().map(|path| format!("{kind} {path}")));
        let listed: BTreeMap<&str, &str> = unseen.iter().copied().collect();
        for (path, shown) in &seen {
            match (shown, listed.get(path.as_str())) {
                (false, None) => self.wrong.push(format!("{kind} {path}: a change goes unseen: {value}")),
                (true, Some(why)) => self.wrong.push(format!("{kind} {path}: it shows, in spite of: {why}")),
                _ => {}
            }
        }
        let strays = listed.keys().filter(|path| !seen.contains_key(**path));
        self.wrong.extend(strays.map(|path| format!("{kind} {path}: listed as unseen, and no field")));
    }

    fn end(mut self) {
        let untried = self.fields.difference(&self.tried);
        self.wrong.extend(untried.map(|field| format!("{field}: no sample lets it be changed")));
        assert!(!self.tried.is_empty() && self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

/// Returns the paths of all values in `value` that hold no further value; items of a list count as
/// one.
fn leaves(value: &Value, path: &str) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields.iter().flat_map(|(key, it)| leaves(it, &join(path, key))).collect(),
        Value::Array(items) if !items.is_empty() => {
            items.iter().flat_map(|item| leaves(item, &join(path, "*"))).collect()
        }
        _ => BTreeSet::from([path.to_owned()]),
    }
}

/// Returns copies of `value` with one change each, with the path of the change.
fn variants(value: &Value) -> Vec<(String, Value)> {
    fn within(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        let mut put = |all: Vec<Value>| found.extend(all.into_iter().map(|it| (path.to_owned(), it)));
        match value {
            Value::Null => put(vec![json!("other"), json!(7), json!(true)]),
            Value::Bool(it) => put(vec![json!(!it)]),
            Value::Number(it) => put(vec![json!(it.as_u64().unwrap() + 1)]),
            Value::String(it) => put(vec![json!(format!("{it}x"))]),
            Value::Array(items) => {
                put(vec![grown(items)]);
                if !items.is_empty() {
                    put(vec![items[1..].iter().cloned().collect()]);
                }
                for (at, item) in items.iter().enumerate() {
                    let mut inner = Vec::new();
                    within(item, &join(path, "*"), &mut inner);
                    found.extend(inner.into_iter().map(|(path, changed)| {
                        let mut items = items.clone();
                        items[at] = changed;
                        (path, Value::Array(items))
                    }));
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    let mut inner = Vec::new();
                    within(field, &join(path, key), &mut inner);
                    found.extend(inner.into_iter().map(|(path, changed)| {
                        let mut fields: Map<String, Value> = fields.clone();
                        fields.insert(key.clone(), changed);
                        (path, Value::Object(fields))
                    }));
                }
            }
        }
    }
    let mut found = Vec::new();
    within(value, "", &mut found);
    found
}

/// Returns the list with one more item of the same form, or a text if it has none.
fn grown(items: &[Value]) -> Value {
    let more = items.last().map_or(json!("other"), |item| {
        variants(item).into_iter().next().map_or(json!("other"), |(_, changed)| changed)
    });
    items.iter().cloned().chain([more]).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[test]
fn the_walk_changes_every_field_and_one_at_a_time() {
    let value = json!({"a": 1, "b": [{"c": "x"}], "d": []});
    let all: Vec<String> = variants(&value).iter().map(|(path, it)| format!("{path} {it}")).collect();
    assert_eq!(
        all,
        [
            r#"a {"a":2,"b":[{"c":"x"}],"d":[]}"#,
            r#"b {"a":1,"b":[{"c":"x"},{"c":"xx"}],"d":[]}"#,
            r#"b {"a":1,"b":[],"d":[]}"#,
            r#"b.*.c {"a":1,"b":[{"c":"xx"}],"d":[]}"#,
            r#"d {"a":1,"b":[{"c":"x"}],"d":["other"]}"#,
        ]
    );
}
