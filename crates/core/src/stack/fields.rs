//! What a component's schema says of its fields: which there are, and what to tell who gave one of them a wrong value.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::decode::{article, guess, is_single};
use crate::component::DynComponent;

/// The fields of one component kind by name.
pub(super) type Fields = BTreeMap<String, Field>;

/// What one field takes, as far as that can be said in a line.
#[derive(Default)]
pub(super) struct Field {
    /// Whether it has to be there.
    pub(super) required: bool,
    /// Types of JSON Schema; empty where anything may stand.
    types: BTreeSet<String>,
    /// All words that it takes; empty where there is no such list.
    words: Vec<String>,
    /// The smallest and the largest number that it takes.
    minimum: Option<i64>,
    maximum: Option<i64>,
    /// Whether it, or what it is a list of, can be a reference.
    refers: bool,
}

/// A component's own fields.
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

    /// Whether no reference can stand in it.
    pub(super) fn is_plain(&self) -> bool {
        !self.types.is_empty() && !self.refers
    }

    /// Message and help for `value`, which the field `name` does not take; `None` where the schema does not say why.
    /// `templated` says that the value is that of a template.
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

/// The largest number of a format of integers.
fn largest(format: &str) -> Option<i64> {
    match format {
        "uint8" => Some(u8::MAX.into()),
        "uint16" => Some(u16::MAX.into()),
        "uint32" => Some(u32::MAX.into()),
        _ => None,
    }
}

/// Whether a reference can stand somewhere within `schema`: its pattern begins with one.
fn refers(schema: &Value, definitions: &Map<String, Value>) -> bool {
    let schema = target(schema, definitions);
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let parts = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    pattern.is_some_and(|it| it.starts_with("^(@"))
        || schema.get("items").is_some_and(|items| refers(items, definitions))
        || parts("anyOf").chain(parts("oneOf")).any(|part| refers(part, definitions))
}

/// The schema itself, or the one that it refers to.
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

/// What it is, and how it is written.
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

/// The type of an input that gives such a value.
fn input_type(kind: &str) -> &str {
    match kind {
        "number" => "float",
        "array" => "list",
        other => other,
    }
}
