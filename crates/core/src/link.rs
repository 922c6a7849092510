//! Links: values of a spec that another resource will supply.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address::Address;

/// A known identifier, or an output of another resource that is known once that resource is live.
///
/// In JSON a known one is a string, an open one `{"$ref": "network.standby/vpc", "output": "id"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Link {
    /// Known: the text itself.
    Known(String),
    /// The named output of the resource at this address.
    Of {
        /// The resource.
        #[serde(rename = "$ref")]
        address: Address,
        /// The output; see [`crate::kind::Kind::outputs`].
        output: String,
    },
}

/// Placeholder in a preview for an output that is not known yet. Never sent to a cloud.
pub const KNOWN_LATER: &str = "(known after apply)";

impl Link {
    /// Links to the `id` output of the resource at `address`.
    pub fn id(address: &Address) -> Self {
        Self::output(address, "id")
    }

    /// Links to the output `output` of the resource at `address`.
    pub fn output(address: &Address, output: &str) -> Self {
        Self::Of { address: address.clone(), output: output.to_owned() }
    }

    /// Returns the text of a resolved link, otherwise [`KNOWN_LATER`].
    pub fn text(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Of { .. } => KNOWN_LATER,
        }
    }
}

/// Returns the addresses of the open links within `spec` as text, in order of appearance.
pub fn targets(spec: &Value) -> Vec<&str> {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => match field(map, "$ref").and_then(Value::as_str).filter(is_address) {
                Some(address) => found.push(address),
                None => map.values().for_each(|v| walk(v, found)),
            },
            Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(spec, &mut found);
    found
}

fn is_address(text: &&str) -> bool {
    text.contains('/')
}

/// Like `map.get`: comparing the few keys of a spec's object costs less than hashing one.
fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter().find_map(|(key, value)| (key == name).then_some(value))
}

/// True if `spec` contains an open link.
pub fn has_links(spec: &Value) -> bool {
    match spec {
        Value::Object(map) => field(map, "$ref").is_some() || map.values().any(has_links),
        Value::Array(items) => items.iter().any(has_links),
        _ => false,
    }
}

/// Replaces every open link in `spec` by the result of `look_up`; returns those that stay open.
pub fn resolve(spec: &mut Value, look_up: &dyn Fn(&Address, &str) -> Option<String>) -> Vec<Address> {
    let mut open = Vec::new();
    walk(spec, look_up, &mut open);
    return open;

    fn walk(value: &mut Value, look_up: &dyn Fn(&Address, &str) -> Option<String>, open: &mut Vec<Address>) {
        if let Some((address, output)) = reference(value) {
            match look_up(&address, &output) {
                Some(text) => *value = Value::String(text),
                None => open.push(address),
            }
            return;
        }
        match value {
            Value::Object(map) => map.values_mut().for_each(|v| walk(v, look_up, open)),
            Value::Array(items) => items.iter_mut().for_each(|v| walk(v, look_up, open)),
            _ => {}
        }
    }
}

fn reference(value: &Value) -> Option<(Address, String)> {
    let map = value.as_object()?;
    let address = Address::parse(field(map, "$ref")?.as_str()?)?;
    Some((address, field(map, "output")?.as_str()?.to_owned()))
}

/// True if the value contains something that is known only later.
pub(crate) fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => text == KNOWN_LATER,
        Value::Array(items) => items.iter().any(is_open),
        Value::Object(fields) => fields.values().any(is_open),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_resolve_wherever_they_stand() {
        let vpc = Address::parse("network.standby/vpc").unwrap();
        let mut spec =
            json!({"vpc": Link::id(&vpc), "deep": [{"again": Link::output(&vpc, "arn")}], "name": "x"});
        assert_eq!(targets(&spec), [vpc.as_str(); 2]);
        assert!(has_links(&spec) && !has_links(&spec["name"]));
        let open = resolve(&mut spec, &|_, output| (output == "id").then(|| "vpc-1".to_owned()));
        assert_eq!(open, [vpc]);
        assert_eq!(spec["vpc"], "vpc-1");
        assert!(spec["deep"][0]["again"].is_object());
    }
}
