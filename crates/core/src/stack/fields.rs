//! Fields of a component, read from its schema: their names, and the errors for wrong values.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::decode::{article, guess, is_single};
use crate::component::DynComponent;

/// The fields of one component kind by name.
pub(super) type Fields = BTreeMap<String, Field>;

/// Accepted values of one field, as far as one line can describe them.
#[derive(Default)]
pub(super) struct Field {
    /// True if the field is required.
    pub(super) required: bool,
    /// JSON Schema types; empty if any type is accepted.
    types: BTreeSet<String>,
    /// Accepted words; empty if there is no such list.
    words: Vec<String>,
    /// Smallest and largest accepted number.
    minimum: Option<i64>,
    maximum: Option<i64>,
    /// True if the field, or an item of it, can be a reference.
    refers: bool,
}

/// Returns a component's own fields.
pub(super) fn fields(component: &dyn DynComponent) -> Fields {
    let mut generator = SchemaGenerator::default();
    let schema = component.schema(&mut generator).to_value();
    let definitions = generator.definitions().clone();
    let table = target(&schema, &definitions);
    let required = table.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|all| all.iter().any(|it| it == name));
    let properties = table.get("properties").and_then(Value::as_object);
    let field = |(name, schema): (&String, &Value)| {
        let mut field = Field { required: is_required(name), ..Field::default() };
        field.learn(schema, &definitions);
        field.refers = refers(schema, &definitions);
        (name.clone(), field)
    };
    properties.into_iter().flat_map(Map::iter).map(field).collect()
}

impl Field {
    fn learn(&mut self, schema: &Value, definitions: &Map<String, Value>) {
        let schema = target(schema, definitions);
        let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
        for kind in
            list("type").chain(schema.get("type")).filter_map(Value::as_str).filter(|it| *it != "null")
        {
            self.types.insert(kind.to_owned());
        }
        let words = list("enum").chain(schema.get("const")).filter_map(Value::as_str);
        self.words.extend(words.map(str::to_owned));
        self.minimum = self.minimum.or_else(|| schema.get("minimum").and_then(Value::as_i64));
        let format = schema.get("format").and_then(Value::as_str);
        self.maximum = self.maximum.or_else(|| format.and_then(largest));
        for part in list("anyOf").chain(list("oneOf")) {
            self.learn(part, definitions);
        }
    }

    /// True if the field cannot hold a reference.
    pub(super) fn is_plain(&self) -> bool {
        !self.types.is_empty() && !self.refers
    }

    /// Returns message and help for a `value` that the field `name` does not accept; `None` if the
    /// schema does not say why.
    ///
    /// `templated` is true if the value comes from a template.
    pub(super) fn refusal(
        &self,
        name: &str,
        value: &DeValue<'_>,
        templated: bool,
    ) -> Option<(String, String)> {
        let wanted = self.types.first().filter(|_| self.types.len() == 1).map(String::as_str);
        if !self.types.is_empty() && !self.types.iter().any(|it| fits(value, it)) {
            let is = match value {
                DeValue::String(text) => format!("the string `{text}`"),
                other => article(other),
            };
            let (what, write) = wanted.map_or(("what it takes", "it as `drstack schema` says"), describe);
            let help = match wanted {
                Some(it) if templated => {
                    format!("declare the template's input with `type = \"{}\"`", input_type(it))
                }
                Some("string") if !is_single(value) => "write one text, in quotes".to_owned(),
                Some("array") if is_single(value) => match value {
                    DeValue::String(text) => format!("write a list: `[\"{text}\"]`"),
                    _ => "write a list: `[..]`".to_owned(),
                },
                _ => format!("write {write}"),
            };
            return Some((format!("`{name}` is {is}, not {what}"), help));
        }
        match value {
            DeValue::String(text) if !self.words.is_empty() => {
                let words: Vec<String> = self.words.iter().map(|it| format!("`{it}`")).collect();
                let help = match guess(text, self.words.iter().map(String::as_str)) {
                    Some(it) => format!("did you mean `{it}`? Known here: {}", words.join(", ")),
                    None => format!("write one of {}", words.join(", ")),
                };
                Some((format!("`{name}` does not take `{text}`"), help))
            }
            DeValue::Integer(number) => {
                let least = self.minimum?;
                let help = match self.maximum {
                    Some(most) => format!("write an integer from {least} to {most}"),
                    None => format!("write an integer, {least} or more"),
                };
                Some((format!("`{number}` is out of range for `{name}`"), help))
            }
            _ => None,
        }
    }
}

/// Returns the largest number of an integer format.
fn largest(format: &str) -> Option<i64> {
    match format {
        "uint8" => Some(u8::MAX.into()),
        "uint16" => Some(u16::MAX.into()),
        "uint32" => Some(u32::MAX.into()),
        _ => None,
    }
}

/// True if `schema` accepts a reference somewhere: its pattern begins with one.
fn refers(schema: &Value, definitions: &Map<String, Value>) -> bool {
    let schema = target(schema, definitions);
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let parts = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    pattern.is_some_and(|it| it.starts_with("^(@"))
        || schema.get("items").is_some_and(|items| refers(items, definitions))
        || parts("anyOf").chain(parts("oneOf")).any(|part| refers(part, definitions))
}

/// Follows the schema's `$ref`, if it has one.
fn target<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next());
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

fn fits(value: &DeValue<'_>, kind: &str) -> bool {
    match value {
        DeValue::String(_) => kind == "string",
        DeValue::Integer(_) => kind == "integer" || kind == "number",
        DeValue::Float(_) => kind == "number",
        DeValue::Boolean(_) => kind == "boolean",
        DeValue::Array(_) => kind == "array",
        DeValue::Table(_) => kind == "object",
        DeValue::Datetime(_) => false,
    }
}

/// Returns the name of the type, and how to write it.
fn describe(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "string" => ("a string", "it in quotes"),
        "integer" => ("an integer", "an integer, without quotes"),
        "number" => ("a number", "a number, without quotes"),
        "boolean" => ("a boolean", "`true` or `false`, without quotes"),
        "array" => ("a list", "a list: `[..]`"),
        _ => ("a table", "a table: `{ .. }`"),
    }
}

/// Returns the type of an input that gives such a value.
fn input_type(kind: &str) -> &str {
    match kind {
        "number" => "float",
        "array" => "list",
        other => other,
    }
}
