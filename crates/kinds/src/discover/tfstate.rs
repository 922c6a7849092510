//! Reads a Terraform or OpenTofu state: versions 3 and 4.
//!
//! Of each object only names, ids, ARNs and a few fields that a stack needs are read. Secrets that a state holds are in
//! none of them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Thing;

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not JSON, or not the JSON of a state.
    // The text of the error may have a value of the state in it.
    #[error("it is not a state")]
    NotAState,
    /// Another version of the format.
    #[error("it has version {0} of the state format; 3 and 4 can be read")]
    Version(u64),
    /// Only its ciphertext is there.
    #[error("it is encrypted")]
    Encrypted,
}

/// Returns the managed objects of a state.
///
/// # Errors
/// A text that is no state of version 3 or 4.
pub fn read(text: &[u8]) -> Result<Vec<Thing>, StateError> {
    let not_a_state = |_| StateError::NotAState;
    let state: Value = serde_json::from_slice(text).map_err(not_a_state)?;
    if state.get("encrypted_data").is_some() {
        return Err(StateError::Encrypted);
    }
    let head = Head::deserialize(&state).map_err(not_a_state)?;
    match head.version {
        3 => Third::deserialize(state).map(Third::things).map_err(not_a_state),
        4 => Fourth::deserialize(state).map(Fourth::things).map_err(not_a_state),
        other => Err(StateError::Version(other)),
    }
}

#[derive(Deserialize)]
struct Head {
    version: u64,
}

/// Terraform 0.12 and later, and OpenTofu.
#[derive(Deserialize)]
struct Fourth {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
    #[serde(default)]
    attributes: Option<Map<String, Value>>,
    /// Of an object that is to be destroyed: it is no longer the resource's.
    #[serde(default)]
    deposed: Option<String>,
}

impl Fourth {
    fn things(self) -> Vec<Thing> {
        let mut all = Vec::new();
        for resource in self.resources.into_iter().filter(|it| it.mode == "managed") {
            let module = resource.module.map(|it| format!("{it}.")).unwrap_or_default();
            let name = format!("{module}{}.{}", resource.kind, resource.name);
            for it in resource.instances.into_iter().filter(|it| it.deposed.is_none()) {
                let index = it.index_key.map(|key| format!("[{key}]")).unwrap_or_default();
                let attributes = it.attributes.unwrap_or_default();
                let of = |field: &str| scalar(attributes.get(field)?);
                let more = (tag_names(&attributes), replicas(&attributes));
                all.push(Thing::of(&resource.kind, &resource.name, format!("{name}{index}"), &of, more));
            }
        }
        all
    }
}

/// Terraform 0.11 and before: the fields of an object are flat texts.
#[derive(Deserialize)]
struct Third {
    #[serde(default)]
    modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    resources: Map<String, Value>,
}

#[derive(Deserialize)]
struct Flat {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    primary: Option<Primary>,
}

#[derive(Deserialize)]
struct Primary {
    #[serde(default)]
    attributes: Map<String, Value>,
}

impl Third {
    fn things(self) -> Vec<Thing> {
        let mut all = Vec::new();
        for module in self.modules {
            let path = module.path.iter().filter(|it| *it != "root").map(|it| format!("module.{it}."));
            let path: String = path.collect();
            for (name, value) in module.resources {
                // A data source is asked, and not managed.
                let Some(flat) = Flat::deserialize(value).ok().filter(|_| !name.starts_with("data.")) else {
                    continue;
                };
                let attributes = flat.primary.map(|it| it.attributes).unwrap_or_default();
                let of = |field: &str| scalar(attributes.get(field)?);
                let tags = attributes.iter().filter(|(field, _)| field.starts_with("tag"));
                let tags = tags.flat_map(|(field, value)| [Some(field.clone()), scalar(value)]).flatten();
                let label = name.split('.').nth(1).unwrap_or_default().to_owned();
                // No table had replicas in the provider of that time.
                let more = (tags.collect(), Vec::new());
                all.push(Thing::of(&flat.kind, &label, format!("{path}{name}"), &of, more));
            }
        }
        all
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|it| !it.is_empty()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the keys of an object's tags, in each form that the provider has.
fn tag_names(attributes: &Map<String, Value>) -> Vec<String> {
    let listed = ["tag", "tags"].into_iter().filter_map(|field| attributes.get(field)?.as_array());
    let listed = listed.flatten().filter_map(|tag| scalar(tag.get("key")?));
    let mapped = ["tags", "tags_all"].into_iter().filter_map(|field| attributes.get(field)?.as_object());
    mapped.flat_map(|tags| tags.keys().cloned()).chain(listed).collect()
}

/// Returns the regions that a table has replicas in.
fn replicas(attributes: &Map<String, Value>) -> Vec<String> {
    let all = attributes.get("replica").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|it| scalar(it.get("region_name")?)).collect()
}
