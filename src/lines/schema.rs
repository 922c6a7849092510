//! The JSON Schema of the JSON lines, generated from their types.
//!
//! schemars describes the types. What it cannot know is added here: each line is one definition,
//! named by its type, which has the version and no fields beyond its own.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{Line, VERSION};

/// Prefix of references to a definition.
const DEFINITIONS: &str = "#/$defs/";

/// Generates the JSON Schema of the JSON lines.
pub(crate) fn schema() -> Value {
    let mut generator =
        SchemaSettings::draft2020_12().for_serialize().with_transform(Closed).into_generator();
    let mut lines = Line::json_schema(&mut generator).to_value();
    let mut definitions = generator.take_definitions(true);
    name_choices(&mut lines, "type", &mut definitions);
    // An event is a line whose fields depend on the event: each gets a definition, as each line.
    if let Some(mut event) = definitions.remove("event") {
        name_choices(&mut event, "event", &mut definitions);
        definitions.insert("event".to_owned(), event);
    }
    let used = used(&lines, &definitions);
    definitions.retain(|name, _| used.contains(name));
    definitions.sort_keys();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON lines of drstack",
        "description": lines["description"],
        "oneOf": lines["oneOf"],
        "$defs": definitions,
    })
}

/// Closes objects: drstack writes no fields but those of the type.
#[derive(Clone)]
struct Closed;

impl Transform for Closed {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if schema.get("properties").is_none() {
            return;
        }
        match schema.get_mut("oneOf").and_then(Value::as_array_mut) {
            // The object has the fields of one choice too: it can be closed as a whole, while a
            // closed choice would refuse the object's own fields.
            Some(choices) => {
                choices.iter_mut().filter_map(Value::as_object_mut).for_each(|choice| {
                    choice.remove("additionalProperties");
                });
                schema.insert("unevaluatedProperties".to_owned(), false.into());
            }
            None => {
                schema.insert("additionalProperties".to_owned(), false.into());
            }
        }
    }
}

/// Moves each choice of a tagged enum to a definition that is named by the choice's tag.
fn name_choices(schema: &mut Value, tag: &str, definitions: &mut Map<String, Value>) {
    let choices = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        let Some(name) = choice["properties"][tag]["const"].as_str().map(str::to_owned) else { continue };
        let named = json!({"$ref": format!("{DEFINITIONS}{name}")});
        let choice = std::mem::replace(choice, named);
        // A line's fields are those of its struct; an event's are in the choice itself.
        let inner = choice["$ref"].as_str().and_then(|it| definitions.get(it.strip_prefix(DEFINITIONS)?));
        let definition = inner.map(|inner| line(&name, inner, choice.get("description")));
        definitions.insert(name, definition.unwrap_or(choice));
    }
}

/// Returns the schema of a line with the type `name` and the fields of `inner`.
fn line(name: &str, inner: &Value, description: Option<&Value>) -> Value {
    let mut line = inner.clone();
    // Several types of line may share one struct: the variant then says what sets them apart.
    if let (Some(line), Some(description)) = (line.as_object_mut(), description) {
        line.insert("description".to_owned(), description.clone());
    }
    let head = [("version", json!({"const": VERSION})), ("type", json!({"const": name}))];
    put_first(&mut line, &head);
    line
}

/// Puts required fields before those of an object, or before those of each choice of an enum.
fn put_first(schema: &mut Value, fields: &[(&str, Value)]) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let own = std::mem::take(properties);
        properties.extend(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())));
        properties.extend(own);
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.splice(0..0, fields.iter().map(|(name, _)| (*name).into()));
        }
        return;
    }
    for choices in ["oneOf", "anyOf"] {
        let choices = schema.get_mut(choices).and_then(Value::as_array_mut);
        choices.into_iter().flatten().for_each(|choice| put_first(choice, fields));
    }
}

/// Returns the names of the definitions that `schema` needs.
fn used(schema: &Value, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let (mut used, mut open) = (BTreeSet::new(), vec![schema]);
    while let Some(schema) = open.pop() {
        match schema {
            Value::Array(all) => open.extend(all),
            Value::Object(all) => open.extend(all.values()),
            Value::String(text) => {
                let named = text.strip_prefix(DEFINITIONS).and_then(|it| definitions.get_key_value(it));
                if let Some((name, definition)) = named
                    && used.insert(name.clone())
                {
                    open.push(definition);
                }
            }
            _ => {}
        }
    }
    used
}
