//! What belongs together: objects that refer to each other, and how an address is written in a stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::ComponentAddress;
use crate::cloud::Found;
use crate::kind::DynKind;
use crate::link::KNOWN_LATER;

/// An object with its kind.
type Object<'a> = (&'static dyn DynKind, &'a Found);

/// True if an object on one side refers to one on the other.
pub(super) fn refer(one: &[Object<'_>], other: &[Object<'_>]) -> bool {
    points(one, other) || points(other, one)
}

/// Drops the matches, old by new component, beside those of `ties`, old and new.
pub(super) fn prefer(
    alike: &mut BTreeMap<&ComponentAddress, Vec<&ComponentAddress>>,
    ties: &BTreeSet<(ComponentAddress, ComponentAddress)>,
) {
    for (new, olds) in alike {
        let is_free = |old: &ComponentAddress| {
            let mut of_either = ties.iter().filter(|(of, to)| of == old || to == *new);
            of_either.all(|(of, to)| of == old && to == *new)
        };
        olds.retain(|old| is_free(old));
    }
}

fn points(from: &[Object<'_>], to: &[Object<'_>]) -> bool {
    let names: BTreeSet<String> = to
        .iter()
        .flat_map(|(kind, found)| kind.outputs(&found.id, &found.live).unwrap_or_default().into_values())
        .collect();
    let links = from.iter().flat_map(|(kind, found)| kind.links(&found.live).unwrap_or_default());
    links.into_iter().any(|link| names.contains(&link))
}

/// Returns the address as a TOML string; keys of `for_each` may have any character.
pub(super) fn literal(address: &str) -> String {
    let is_plain = |c: char| c != '"' && c != '\\' && !c.is_control();
    let is_literal = |c: char| c != '\'' && !c.is_control();
    if address.chars().all(is_plain) {
        return format!("\"{address}\"");
    }
    if address.chars().all(is_literal) {
        return format!("'{address}'");
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", address.chars().map(escaped).collect::<String>())
}

/// True if the value contains something that is known only later.
pub(super) fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => text == KNOWN_LATER,
        Value::Array(items) => items.iter().any(is_open),
        Value::Object(fields) => fields.values().any(is_open),
        _ => false,
    }
}
