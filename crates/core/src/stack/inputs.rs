//! Inputs: compares the declarations in `[inputs]` with the given values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toml::de::DeValue;

use super::decode::{At, Node, article, guess, to_json};
use super::load::{COMMON, Loader, MOST_INPUTS, NAME_HELP, Name, is_name, quoted, tables, take};
use super::outside::{InputValue, InputValues, Origin, Outside};
use super::template::Variables;
use crate::diagnostic::{Label, Span};

/// A value for an input.
pub(super) struct Given {
    /// The value; `None` if it was refused before.
    value: Option<InputValue>,
    /// Where a module's user gives it; `None` if it comes from outside.
    place: Option<Place>,
    /// Where it comes from, if it comes from outside.
    origin: Option<Origin>,
}

struct Place {
    at: At,
    key: Span,
    value: Span,
}

/// Declarer of the inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Stack,
    Module,
}

#[derive(Clone, Copy)]
enum InputType {
    String,
    Integer,
    Boolean,
    Float,
    List,
}

/// One input as declared; `None` marks parts that were refused and reported.
#[derive(Default)]
struct Declaration {
    kind: Option<InputType>,
    default: Option<Value>,
    has_default: bool,
}

impl Given {
    /// Returns the end of a message about the value: where it comes from.
    fn whence(&self) -> String {
        self.origin.as_ref().map(|it| format!(" ({it})")).unwrap_or_default()
    }
}

/// Converts values from the command line, a file and the environment.
pub(super) fn from_outside(inputs: &InputValues) -> BTreeMap<String, Given> {
    let given = |Outside { value, origin }: &Outside| Given {
        value: Some(value.clone()),
        place: None,
        origin: Some(origin.clone()),
    };
    inputs.iter().map(|(name, value)| (name.clone(), given(value))).collect()
}

/// Collects the values that a module's user writes beside `source`, including those that were
/// refused.
pub(super) fn from_user<'a>(
    values: impl Iterator<Item = (&'a Name, &'a Node)>,
    refused: impl Iterator<Item = &'a String>,
    at: &At,
) -> BTreeMap<String, Given> {
    let given = values.map(|(key, value)| {
        let place = Place { at: at.clone(), key: at.span(key.span()), value: at.span(value.span()) };
        let value = Some(InputValue::Value(to_json(value)));
        (key.get_ref().to_string(), Given { value, place: Some(place), origin: None })
    });
    given
        .chain(refused.map(|name| (name.clone(), Given { value: None, place: None, origin: None })))
        .collect()
}

impl Loader<'_> {
    /// Stores the values of declared inputs in `variables`; null for refused ones.
    pub(super) fn inputs(
        &mut self,
        declared: Option<Node>,
        given: &BTreeMap<String, Given>,
        owner: Owner,
        variables: &mut Variables,
        at: &At,
    ) {
        let mut known = BTreeSet::new();
        for (key, node) in tables(declared, "inputs", at, &mut self.problems) {
            if known.len() == MOST_INPUTS {
                let message = format!("there are more than {MOST_INPUTS} inputs");
                let help = "give many values as one input with `type = \"list\"`".to_owned();
                self.problems.push(at.error("DR123", key.span(), message, help));
                return;
            }
            let name = key.get_ref().to_string();
            if !is_name(&name) {
                let help = NAME_HELP.to_owned();
                let message = format!("{} cannot be the name of an input", quoted(&name));
                self.problems.push(at.error("DR008", key.span(), message, help));
            }
            let declaration = self.declaration(&key, node, at);
            let value = match given.get(&name) {
                Some(given) => self.given(&name, given, declaration.kind, &key, at),
                None if declaration.has_default => declaration.default,
                None => {
                    self.no_value(&key, declaration.kind, owner, at);
                    None
                }
            };
            variables.insert(format!("input.{name}"), value.unwrap_or(Value::Null));
            known.insert(name);
        }
        for (name, given) in given.iter().filter(|(name, _)| !known.contains(*name)) {
            self.not_declared(name, given, &known, owner, at);
        }
    }

    /// Parses a declaration: `{ type = "integer", default = 40, description = "..." }`
    fn declaration(&mut self, key: &Name, node: Node, at: &At) -> Declaration {
        let name = key.get_ref().as_ref();
        let span = node.span();
        let mut table = match node.into_inner() {
            DeValue::Table(table) => table,
            other => {
                let message = format!("input `{name}` is declared as {}, not as a table", article(&other));
                let stated = InputType::ALL.into_iter().find(|it| other.as_str() == Some(it.name()));
                let kind = stated.or(InputType::of(&other)).map_or("string", InputType::name);
                let help = format!("write `{name} = {{ type = \"{kind}\" }}`; a `default` may follow");
                self.problems.push(at.error("DR101", span, message, help));
                return Declaration { has_default: true, ..Declaration::default() };
            }
        };
        let kind = match take(&mut table, "type") {
            Some(node) => self.input_type(&node, at),
            None => {
                let help = format!("write `type = \"...\"`: {}", InputType::names());
                let message = format!("input `{name}` has no `type`");
                self.problems.push(at.error("DR101", key.span(), message, help));
                None
            }
        };
        let default = take(&mut table, "default");
        let has_default = default.is_some()
            || table.keys().any(|key| guess(key.get_ref(), ["default"].into_iter()).is_some());
        let default = default.and_then(|node| {
            let value = InputValue::Value(to_json(&node));
            let fits = coerce(&value, kind?);
            if let (None, Some(kind)) = (&fits, kind) {
                let message =
                    format!("the default of input `{name}` is {}, not {}", shown(&value), kind.article());
                let help = format!("write {}, or another `type`", kind.article());
                self.problems.push(at.error("DR103", node.span(), message, help));
            }
            fits
        });
        self.text(&mut table, "description", at);
        for key in table.keys() {
            let known = ["type", "default", "description"];
            let word = key.get_ref().as_ref();
            let help = guess(word, known.into_iter()).map_or_else(
                || format!("known here: {}", known.join(", ")),
                |it| format!("did you mean `{it}`?"),
            );
            let message = format!("the declaration of an input has no field `{word}`");
            self.problems.push(at.error("DR005", key.span(), message, help));
        }
        Declaration { kind, default, has_default }
    }

    fn input_type(&mut self, node: &Node, at: &At) -> Option<InputType> {
        let text = node.get_ref().as_str().unwrap_or_default();
        let kind = InputType::ALL.into_iter().find(|kind| kind.name() == text);
        if kind.is_none() {
            let message = match node.get_ref() {
                DeValue::String(text) => format!("`{text}` is not the type of an input"),
                other => format!("`type` is {}, not a string", article(other)),
            };
            let help = format!("write {}", InputType::names());
            self.problems.push(at.error("DR101", node.span(), message, help));
        }
        kind
    }

    /// Returns the given value in the declared type.
    fn given(
        &mut self,
        name: &str,
        given: &Given,
        kind: Option<InputType>,
        key: &Name,
        at: &At,
    ) -> Option<Value> {
        let (value, kind) = (given.value.as_ref()?, kind?);
        let fits = coerce(value, kind);
        if fits.is_none() {
            let (span, at) = match &given.place {
                Some(place) => (place.value.range.clone(), &place.at),
                None => (key.span(), at),
            };
            let (shown, whence) = (shown(value), given.whence());
            let message = format!("input `{name}` is {shown}, not {}{whence}", kind.article());
            let help = match (value, kind) {
                (InputValue::Text(_), InputType::List) => {
                    "give it a list of strings: `a,b`, or `[\"a\", \"b\"]`".to_owned()
                }
                _ => format!("give it {}", kind.article()),
            };
            self.problems.push(at.error("DR103", span, message, help));
        }
        fits
    }

    fn no_value(&mut self, key: &Name, kind: Option<InputType>, owner: Owner, at: &At) {
        let name = key.get_ref();
        let message = format!("input `{name}` has no value");
        if owner == Owner::Stack {
            let help = format!("give it with `-i {name}=VALUE`, `DRSTACK_INPUT_{name}`, or a `default`");
            self.problems.push(at.error("DR102", key.span(), message, help));
            return;
        }
        let example = kind.unwrap_or(InputType::String).example();
        let help = format!("write `{name} = {example}` beside `source`");
        let mut problem = at.error("DR102", key.span(), message, help);
        // The module's user can fix it, so that place comes first.
        let declared = problem.labels.remove(0);
        if let Some(used) = problem.labels.first_mut() {
            used.text.clear();
        }
        let behind = problem.labels.len().min(1);
        problem.labels.insert(behind, Label { text: "declared here".to_owned(), ..declared });
        self.problems.push(problem);
    }

    fn not_declared(&mut self, name: &str, given: &Given, known: &BTreeSet<String>, owner: Owner, at: &At) {
        if given.value.is_none() {
            return;
        }
        let all = known.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        let help = match (guess(name, known.iter().map(String::as_str)), owner) {
            (Some(it), _) => format!("did you mean `{it}`?"),
            (None, Owner::Module) if COMMON.contains(&name) => {
                format!("leave it out: a module has no `{name}`, the components in it have")
            }
            (None, Owner::Stack) if matches!(given.origin, Some(Origin::Environment(_))) => {
                format!("declare it under `[inputs]`, or `unset DRSTACK_INPUT_{name}`")
            }
            (None, Owner::Stack) => "declare it under `[inputs]`, or leave it out".to_owned(),
            (None, Owner::Module) if all.is_empty() => "leave it out: the module has no inputs".to_owned(),
            (None, Owner::Module) => format!("leave it out: the module's inputs are {all}"),
        };
        let (span, at) = match &given.place {
            Some(place) => (place.key.range.clone(), &place.at),
            None => (0..0, at),
        };
        let message = format!("there is no input `{name}`{}", given.whence());
        self.problems.push(at.error("DR104", span, message, help));
    }
}

impl InputType {
    const ALL: [Self; 5] = [Self::String, Self::Integer, Self::Boolean, Self::Float, Self::List];

    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Float => "float",
            Self::List => "list",
        }
    }

    fn names() -> String {
        Self::ALL.map(|it| format!("`{}`", it.name())).join(", ")
    }

    fn article(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Float => "a number",
            Self::List => "a list of strings",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::String => "\"...\"",
            Self::Integer => "1",
            Self::Boolean => "true",
            Self::Float => "0.5",
            Self::List => "[\"...\"]",
        }
    }

    /// Returns the type of `value`.
    fn of(value: &DeValue<'_>) -> Option<Self> {
        match value {
            DeValue::String(_) => Some(Self::String),
            DeValue::Integer(_) => Some(Self::Integer),
            DeValue::Boolean(_) => Some(Self::Boolean),
            DeValue::Float(_) => Some(Self::Float),
            DeValue::Array(_) => Some(Self::List),
            _ => None,
        }
    }
}

/// Returns `value` in the type `kind`; a list as text is `a,b` or `["a", "b"]`.
fn coerce(value: &InputValue, kind: InputType) -> Option<Value> {
    match (value, kind) {
        (InputValue::Text(text), InputType::String) => Some(Value::from(text.as_str())),
        (InputValue::Text(text), InputType::Integer) => text.trim().parse::<i64>().ok().map(Value::from),
        (InputValue::Text(text), InputType::Boolean) => text.trim().parse::<bool>().ok().map(Value::from),
        (InputValue::Text(text), InputType::Float) => {
            text.trim().parse::<f64>().ok().filter(|it| it.is_finite()).map(Value::from)
        }
        (InputValue::Text(text), InputType::List) if text.trim_start().starts_with('[') => {
            serde_json::from_str::<Vec<String>>(text).ok().map(Value::from)
        }
        (InputValue::Text(text), InputType::List) => {
            Some(text.split(',').map(|it| Value::from(it.trim())).collect())
        }
        (InputValue::Value(value), kind) => {
            let fits = match kind {
                InputType::String => value.is_string(),
                InputType::Integer => value.is_i64() || value.is_u64(),
                InputType::Boolean => value.is_boolean(),
                InputType::Float => value.is_number(),
                InputType::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            };
            fits.then(|| value.clone())
        }
    }
}

fn shown(value: &InputValue) -> String {
    match value {
        InputValue::Text(text) => format!("`{text}`"),
        // Numbers without a JSON form: `inf`, `nan`, more than 64 bits.
        InputValue::Value(Value::Null) => "a number out of range".to_owned(),
        InputValue::Value(value) => format!("`{value}`"),
    }
}
