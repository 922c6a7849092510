//! The JSON Schema of stack files, from the same types that decode them.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::Allowed;
use crate::component::ComponentRegistry;

/// Generates the JSON Schema of a stack file with these components.
pub fn schema(components: &ComponentRegistry) -> Value {
    let mut generator = SchemaGenerator::default();
    let duration = json!({"type": "string", "examples": ["8m", "1h 30m", "5s"]});
    let posture = json!({"enum": ["cold", "pilot-light", "warm", "hot"]});
    let keys =
        json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "integer", "minimum": 0}]});
    let mut tables = Vec::new();
    for component in components.iter() {
        let schema = component.schema(&mut generator).to_value();
        tables.push((component.name().to_owned(), component.secrets(), schema));
    }
    let check = components.check().map(|check| check.schema(&mut generator).to_value());
    let mut definitions: Value = generator.take_definitions(true).into();
    let mut common = json!({
        "posture": posture, "rto": duration, "rpo": duration, "for_each": keys,
        "tier": {"type": "integer", "minimum": 1, "maximum": 3},
        "tag": {"type": "object", "additionalProperties": {"type": "string"},
            "description": "What it is chosen by: `drstack failover --only tag:KEY=VALUE`. AWS does not see it."},
    });
    if let Some(check) = check {
        common["check"] = json!({"type": "array", "items": check});
    }
    let mut properties = Map::new();
    for (name, secrets, schema) in tables {
        let mut table = match schema.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next())
        {
            Some(definition) => definitions.get(definition).cloned().unwrap_or_default(),
            None => schema,
        };
        if table["properties"].is_null() {
            // It has no fields of its own.
            table["properties"] = json!({});
        }
        if let (Some(own), Some(common)) = (table["properties"].as_object_mut(), common.as_object()) {
            own.extend(common.clone());
            for secret in secrets {
                own.remove(secret.hashed);
                own.insert(secret.field.to_owned(), json!({"type": "string"}));
                own.insert(secret.file.to_owned(), json!({"type": "string"}));
            }
        }
        or_template(&mut table);
        properties.insert(name, json!({"type": "object", "additionalProperties": table}));
    }
    if let Some(all) = definitions.as_object_mut() {
        all.values_mut().for_each(or_template);
    }
    own_tables(&mut properties, &duration, &posture, &keys);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "drstack stack",
        "type": "object",
        "additionalProperties": false,
        "required": ["stack"],
        "properties": properties,
        "$defs": definitions,
    })
}

/// The tables of a stack file that are no component's.
fn own_tables(properties: &mut Map<String, Value>, duration: &Value, posture: &Value, keys: &Value) {
    properties.insert(
        "stack".to_owned(),
        json!({
            "type": "object", "additionalProperties": false, "required": ["name", "primary", "standby", "posture"],
            "properties": {
                "name": {"type": "string"}, "primary": {"type": "string"}, "standby": {"type": "string"},
                "posture": posture, "control": {"type": "string"}, "rto": duration, "rpo": duration,
                "signing": {"type": "string", "pattern": "^ed25519:[0-9a-f]{64}$"},
                "permissions_boundary": {"type": "string", "pattern": "^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/.+$"},
            },
        }),
    );
    properties.insert(
        "inputs".to_owned(),
        json!({"type": "object", "additionalProperties": {
            "type": "object", "additionalProperties": false, "required": ["type"],
            "properties": {
                "type": {"enum": ["string", "integer", "boolean", "float", "list"]},
                "default": {}, "description": {"type": "string"},
            },
        }}),
    );
    let mut module = json!({
        "type": "object", "required": ["source"], "properties": {"source": {"type": "string"}, "for_each": keys},
    });
    or_template(&mut module);
    properties.insert("module".to_owned(), json!({"type": "object", "additionalProperties": module}));
    properties.insert(
        "moved".to_owned(),
        json!({"type": "array", "items": {
            "type": "object", "additionalProperties": false, "required": ["from", "to"],
            "description": "A component or module that was called `from` before: it keeps its resources.",
            "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
        }}),
    );
    let allowed: Vec<&str> = Allowed::ALL.into_iter().map(Allowed::name).collect();
    properties.insert(
        "sync".to_owned(),
        json!({
            "type": "object", "additionalProperties": false,
            "description": "What `drstack sync` may do by itself.",
            "properties": {"allow": {"type": "array", "items": {"enum": allowed}, "default": allowed}},
        }),
    );
    properties.insert("sim".to_owned(), json!({"type": "object"}));
}

/// Allows a template for every scalar field of a table.
fn or_template(table: &mut Value) {
    let Some(properties) = table.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for schema in properties.values_mut() {
        let is_text = |it: &Value| {
            it == "string" || it.as_array().is_some_and(|types| types.contains(&json!("string")))
        };
        let text = schema.get("type").is_some_and(is_text);
        if !text || schema.get("enum").is_some() || schema.get("pattern").is_some() {
            let plain = schema.take();
            *schema = json!({"anyOf": [plain, {"type": "string", "pattern": "\\$\\{.*\\}"}]});
        }
    }
}
