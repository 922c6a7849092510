//! Loading: files in, a stack or all of its problems out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::decode::{At, MOST_PROBLEMS, Node, expand_all, guess, parse, references, to_json};
use super::scope::{Scopes, resolve};
use super::template::Variables;
use super::{Declared, Stack, check};
use crate::address::ComponentAddress;
use crate::cloud::{Secrets, sha256};
use crate::component::{ComponentRegistry, DynComponent, StackFacts};
use crate::diagnostic::{Diagnostic, Severity, Sources, Span};
use crate::objective::{Objective, Posture};

/// Modules within modules; deeper than this is a mistake.
const DEEPEST: usize = 100;

/// Keys that every component has.
pub(super) const COMMON: [&str; 5] = ["posture", "rto", "rpo", "tier", "for_each"];

/// Reads the stack's files; the core itself reads none.
pub trait ReadFiles {
    /// The text of the file at `path`.
    ///
    /// # Errors
    /// What the user is to be told: missing, not UTF-8, not readable.
    fn read(&self, path: &Path) -> Result<String, String>;
}

/// A value for an input, from outside the stack.
#[derive(Clone, Debug, PartialEq)]
pub enum InputValue {
    /// From the command line or the environment: read as the declared type wants it.
    Text(String),
    /// From a TOML file.
    Value(Value),
}

/// Values for inputs by name.
pub type InputValues = BTreeMap<String, InputValue>;

/// A stack, and the warnings that travel with it.
pub struct Loaded {
    /// The stack.
    pub stack: Stack,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// All that is wrong.
#[derive(Debug)]
pub struct Failed {
    /// The problems, in the order of the files.
    pub problems: Vec<Diagnostic>,
    /// The files.
    pub sources: Sources,
}

/// Loads the stack file at `entry`.
///
/// # Errors
/// [`Failed`] with every problem that could be found, not just the first.
pub fn load(
    entry: &Path,
    inputs: &InputValues,
    components: &ComponentRegistry,
    files: &dyn ReadFiles,
) -> Result<Loaded, Failed> {
    let mut loader = Loader {
        components,
        files,
        sources: Sources::default(),
        problems: Vec::new(),
        pending: Vec::new(),
        scopes: Scopes::new(),
        secrets: Secrets::default(),
        read: Vec::new(),
        fields: BTreeMap::new(),
    };
    let stack = loader.stack(entry, inputs);
    let Loader { mut problems, sources, .. } = loader;
    problems.truncate(MOST_PROBLEMS);
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    match stack {
        Some(stack) if !failed => Ok(Loaded { stack: Stack { sources, ..stack }, warnings: problems }),
        _ => Err(Failed { problems, sources }),
    }
}

/// A component on its way: templates replaced, references not yet resolved.
struct Pending {
    address: ComponentAddress,
    component: &'static dyn DynComponent,
    scope: String,
    at: At,
    header: Span,
    table: DeTable<'static>,
    posture: Posture,
    objective: Objective,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StackTable {
    name: Spanned<String>,
    primary: Spanned<String>,
    standby: Spanned<String>,
    posture: Posture,
    control: Option<String>,
    rto: Option<Spanned<String>>,
    rpo: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputTable {
    #[serde(rename = "type")]
    kind: InputType,
    default: Option<toml::Value>,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputType {
    String,
    Integer,
    Boolean,
    Float,
    List,
}

struct Loader<'a> {
    components: &'a ComponentRegistry,
    files: &'a dyn ReadFiles,
    sources: Sources,
    problems: Vec<Diagnostic>,
    pending: Vec<Pending>,
    scopes: Scopes,
    secrets: Secrets,
    /// What goes into the stack's hash.
    read: Vec<String>,
    /// Field names by component kind, for the check of unknown keys.
    fields: BTreeMap<&'static str, BTreeSet<String>>,
}

/// What components of one scope inherit.
#[derive(Clone)]
struct Around {
    variables: Variables,
    posture: Posture,
    objective: Objective,
    folder: PathBuf,
    depth: usize,
}

impl Loader<'_> {
    fn stack(&mut self, entry: &Path, inputs: &InputValues) -> Option<Stack> {
        let at = At { file: 0, used: Vec::new() };
        let mut root = self.open(entry, &at, None)?;
        let Some(table) = take(&mut root, "stack") else {
            let help = "start it with `[stack]`; `drstack init DIR` writes an example".to_owned();
            self.problems.push(at.error("DR002", 0..0, "the file has no `[stack]` table", help));
            return None;
        };
        let span = table.span();
        let head: StackTable = self.decode(
            table,
            &at,
            "DR003",
            &["name", "primary", "standby", "posture", "control", "rto", "rpo"],
        )?;
        let rto = self.duration(head.rto.as_ref(), &at);
        let rpo = self.duration(head.rpo.as_ref(), &at);
        self.problems.extend(check::head(&head.name, &head.primary, &head.standby, &at));
        let facts = StackFacts {
            control: head
                .control
                .unwrap_or_else(|| format!("drstack-{}-{}", head.name.get_ref(), head.standby.get_ref())),
            name: head.name.into_inner(),
            primary: head.primary.into_inner(),
            standby: head.standby.into_inner(),
        };
        let sim = take(&mut root, "sim").map_or(Value::Null, |node| to_json(&node));
        let mut variables: Variables = [
            ("stack.name", &facts.name),
            ("primary.region", &facts.primary),
            ("standby.region", &facts.standby),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
        .collect();
        let given = inputs.iter().map(|(name, value)| (name.clone(), (value.clone(), None))).collect();
        self.inputs(take(&mut root, "inputs"), &given, &mut variables, &at);
        let objective = Objective { rto, rpo, tier: 2 };
        let folder = entry.parent().map(Path::to_path_buf).unwrap_or_default();
        let around = Around { variables, posture: head.posture, objective, folder, depth: 0 };
        self.scope("", root, &around, &at);
        let components = self.finish();
        self.problems.extend(check::objectives(&components, head.posture, objective, &at.span(span)));
        let hash = sha256(format!("{:?}{inputs:?}", self.read).as_bytes());
        Some(Stack {
            facts,
            posture: head.posture,
            objective,
            components,
            sim,
            hash,
            secrets: self.secrets.clone(),
            sources: Sources::default(),
        })
    }

    /// Reads and parses a file; what is wrong with it is reported where it is named.
    fn open(&mut self, path: &Path, at: &At, named: Option<Diagnostic>) -> Option<DeTable<'static>> {
        match self.files.read(path) {
            Ok(text) => {
                let (table, problems) = parse(&text, at);
                let broken = !problems.is_empty();
                self.problems.extend(problems);
                self.read.push(text.clone());
                self.sources.files.push((path.to_path_buf(), text));
                (!broken).then_some(table)
            }
            Err(message) => {
                self.sources.files.push((path.to_path_buf(), String::new()));
                let help = "name a folder with a `stack.toml`, or the file itself".to_owned();
                let mut problem = named.unwrap_or_else(|| at.error("DR004", 0..0, "", help));
                problem.message = format!("cannot read `{}`: {message}", path.display());
                self.problems.push(problem);
                None
            }
        }
    }

    fn decode<T: for<'de> Deserialize<'de>>(
        &mut self,
        table: Node,
        at: &At,
        code: &'static str,
        known: &[&str],
    ) -> Option<T> {
        if let DeValue::Table(table) = table.get_ref() {
            for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
                let word = key.get_ref().as_ref();
                let help = guess(word, known.iter().copied()).map_or_else(
                    || format!("known here: {}", known.join(", ")),
                    |it| format!("did you mean `{it}`?"),
                );
                self.problems.push(at.error("DR005", key.span(), format!("unknown key `{word}`"), help));
                return None;
            }
        }
        let span = table.span();
        match T::deserialize(ValueDeserializer::from(table)) {
            Ok(value) => Some(value),
            Err(error) => {
                let help = "`drstack schema` describes every field".to_owned();
                self.problems.push(at.error(code, error.span().unwrap_or(span), error.message(), help));
                None
            }
        }
    }

    fn duration(&mut self, text: Option<&Spanned<String>>, at: &At) -> Option<jiff::SignedDuration> {
        let text = text?;
        match text.get_ref().parse::<jiff::SignedDuration>() {
            Ok(duration) if !duration.is_negative() => Some(duration),
            _ => {
                let message = format!("`{}` is not a duration", text.get_ref());
                let help = "write it as `8m`, `1h 30m` or `5s`".to_owned();
                self.problems.push(at.error("DR010", text.span(), message, help));
                None
            }
        }
    }

    /// Values of declared inputs into `variables`; `given` says the values and where they stand.
    fn inputs(
        &mut self,
        declared: Option<Node>,
        given: &BTreeMap<String, (InputValue, Option<(Span, At)>)>,
        variables: &mut Variables,
        at: &At,
    ) {
        let mut known = BTreeSet::new();
        for (key, node) in tables(declared) {
            let name = key.get_ref().to_string();
            known.insert(name.clone());
            let Some(input) =
                self.decode::<InputTable>(node, at, "DR101", &["type", "default", "description"])
            else {
                continue;
            };
            let default =
                input.default.and_then(|value| serde_json::to_value(value).ok()).map(InputValue::Value);
            let (value, place) = match given.get(&name) {
                Some((value, place)) => (Some(value.clone()), place.clone()),
                None => (default, None),
            };
            let Some(value) = value else {
                let help = format!("give it with `-i {name}=VALUE`, `DRSTACK_INPUT_{name}`, or a `default`");
                self.problems.push(at.error(
                    "DR102",
                    key.span(),
                    format!("input `{name}` has no value"),
                    help,
                ));
                continue;
            };
            match coerce(&value, input.kind) {
                Some(value) => {
                    variables.insert(format!("input.{name}"), value);
                }
                None => {
                    let (span, at) = place.unwrap_or_else(|| (at.span(key.span()), at.clone()));
                    let message = format!("input `{name}` is {}, not {}", shown(&value), input.kind.name());
                    let help = format!("give it {}", input.kind.name());
                    self.problems.push(at.error("DR103", span.range, message, help));
                }
            }
        }
        for (name, (_, place)) in given.iter().filter(|(name, _)| !known.contains(*name)) {
            let help = match guess(name, known.iter().map(String::as_str)) {
                Some(it) => format!("did you mean `{it}`?"),
                None => "declare it under `[inputs]`, or leave it out".to_owned(),
            };
            let (span, at) = place.clone().unwrap_or_else(|| (at.span(0..0), at.clone()));
            self.problems.push(at.error("DR104", span.range, format!("there is no input `{name}`"), help));
        }
    }

    /// Everything that stands in one file beside its head.
    fn scope(&mut self, name: &str, table: DeTable<'static>, around: &Around, at: &At) {
        self.scopes.entry(name.to_owned()).or_default();
        for (key, node) in table {
            let kind = key.get_ref().to_string();
            let DeValue::Table(members) = node.into_inner() else {
                let help = "every entry is a table such as `[bucket.models]`".to_owned();
                self.problems.push(at.error("DR006", key.span(), format!("`{kind}` is not a table"), help));
                continue;
            };
            let component = self.components.get(&kind);
            if component.is_none() && kind != "module" {
                let known = self
                    .components
                    .iter()
                    .map(DynComponent::name)
                    .chain(["module", "inputs", "stack", "sim"]);
                let help = guess(&kind, known).map_or_else(
                    || "`drstack kinds` lists what there is".to_owned(),
                    |it| format!("did you mean `{it}`?"),
                );
                self.problems.push(at.error("DR007", key.span(), format!("unknown kind `{kind}`"), help));
                continue;
            }
            for (label, node) in members {
                let label_text = label.get_ref().to_string();
                if !is_name(&label_text) {
                    let help = "use letters, digits, `-` and `_`".to_owned();
                    let message = format!("`{label_text}` cannot be a name");
                    self.problems.push(at.error("DR008", label.span(), message, help));
                    continue;
                }
                let DeValue::Table(body) = node.into_inner() else {
                    let help = format!("write `[{kind}.{label_text}]`");
                    self.problems.push(at.error(
                        "DR006",
                        label.span(),
                        format!("`{kind}.{label_text}` is not a table"),
                        help,
                    ));
                    continue;
                };
                self.member(name, component, &label, body, around, at);
            }
        }
    }

    /// One component or module, once for each key of its `for_each`.
    fn member(
        &mut self,
        scope: &str,
        component: Option<&'static dyn DynComponent>,
        label: &Spanned<std::borrow::Cow<'static, str>>,
        mut body: DeTable<'static>,
        around: &Around,
        at: &At,
    ) {
        let kind = component.map_or("module", DynComponent::name);
        let base = format!("{kind}.{}", label.get_ref());
        let keys = match take(&mut body, "for_each") {
            None => vec![None],
            Some(node) => self.keys(node, around, at).into_iter().map(Some).collect(),
        };
        for key in keys {
            let mut variables = around.variables.clone();
            let local = match &key {
                None => base.clone(),
                Some(key) => {
                    variables.insert("each.key".to_owned(), Value::from(key.as_str()));
                    format!("{base}[\"{key}\"]")
                }
            };
            let absolute = if scope.is_empty() { local.clone() } else { format!("{scope}.{local}") };
            let mut table = body.clone();
            for (_, value) in table.iter_mut() {
                expand_all(value, &variables, at, &mut self.problems);
            }
            let around = Around { variables, ..around.clone() };
            let header = at.span(label.span());
            match component {
                Some(component) => {
                    self.component(scope, component, local, &absolute, header, table, &around, at)
                }
                None => self.module(scope, &local["module.".len()..], &absolute, header, table, &around, at),
            }
        }
    }

    /// `for_each`: a list of names, or a number of them.
    fn keys(&mut self, mut node: Node, around: &Around, at: &At) -> Vec<String> {
        expand_all(&mut node, &around.variables, at, &mut self.problems);
        let span = node.span();
        let keys: Option<Vec<String>> = match to_json(&node) {
            Value::Number(count) => {
                count.as_u64().map(|count| (0..count).map(|at| format!("{at:03}")).collect())
            }
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let distinct = |keys: &Vec<String>| keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
        match keys {
            Some(keys) if keys.iter().all(|key| is_name(key)) && distinct(&keys) => keys,
            _ => {
                let help = "write distinct names, `for_each = [\"eta\", \"dispatch\"]`, or an integer input for numbered ones".to_owned();
                self.problems.push(at.error(
                    "DR120",
                    span,
                    "`for_each` is not a list of distinct names",
                    help,
                ));
                Vec::new()
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    fn component(
        &mut self,
        scope: &str,
        component: &'static dyn DynComponent,
        local: String,
        absolute: &str,
        header: Span,
        mut table: DeTable<'static>,
        around: &Around,
        at: &At,
    ) {
        let address = ComponentAddress::new(absolute);
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.components.insert(local, address.clone());
        }
        let mut objective = around.objective;
        let mut text = |loader: &mut Self, key: &str| -> Option<Spanned<String>> {
            let node = take(&mut table, key)?;
            let span = node.span();
            match node.into_inner() {
                DeValue::String(text) => Some(Spanned::new(span, text.into_owned())),
                other => {
                    let message = format!("`{key}` is {}, not a string", other.type_str());
                    loader.problems.push(at.error("DR009", span, message, "write it in quotes".to_owned()));
                    None
                }
            }
        };
        if let Some(rto) = text(self, "rto") {
            objective.rto = self.duration(Some(&rto), at);
        }
        if let Some(rpo) = text(self, "rpo") {
            objective.rpo = self.duration(Some(&rpo), at);
        }
        let posture = text(self, "posture").and_then(|text| {
            let posture = Posture::ALL.into_iter().find(|posture| posture.name() == text.get_ref());
            if posture.is_none() {
                let help = "write `cold`, `pilot-light`, `warm` or `hot`".to_owned();
                let message = format!("`{}` is not a posture", text.get_ref());
                self.problems.push(at.error("DR011", text.span(), message, help));
            }
            posture
        });
        if let Some(node) = take(&mut table, "tier") {
            match to_json(&node).as_u64() {
                Some(tier @ 1..=3) => objective.tier = u8::try_from(tier).unwrap_or(2),
                _ => {
                    let help = "write 1 (first), 2 or 3 (last)".to_owned();
                    self.problems.push(at.error("DR012", node.span(), "`tier` is not 1, 2 or 3", help));
                }
            }
        }
        self.hide_user_data(&mut table, &around.folder, at);
        self.pending.push(Pending {
            address,
            component,
            scope: scope.to_owned(),
            at: at.clone(),
            header,
            table,
            posture: posture.unwrap_or(around.posture),
            objective,
        });
    }

    /// User data may hold secrets: the spec carries its hash, and only this run knows the text.
    fn hide_user_data(&mut self, table: &mut DeTable<'static>, folder: &Path, at: &At) {
        let mut text =
            take(table, "user_data").map(|node| (node.span(), to_json(&node).as_str().map(str::to_owned)));
        if let Some(node) = take(table, "user_data_file") {
            let path = folder.join(to_json(&node).as_str().unwrap_or_default());
            match self.files.read(&path) {
                Ok(read) => text = Some((node.span(), Some(read))),
                Err(message) => {
                    let message = format!("cannot read `{}`: {message}", path.display());
                    let help = "name a file relative to the stack file".to_owned();
                    self.problems.push(at.error("DR013", node.span(), message, help));
                }
            }
        }
        match text {
            None => {}
            Some((span, Some(text))) => {
                let hash = self.secrets.keep(text);
                let key = Spanned::new(span.clone(), "user_data_sha256".into());
                table.insert(key, Spanned::new(span, DeValue::String(hash.into())));
            }
            Some((span, None)) => {
                let help = "write it in quotes".to_owned();
                self.problems.push(at.error("DR009", span, "`user_data` is not a string", help));
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
    fn module(
        &mut self,
        scope: &str,
        local: &str,
        absolute: &str,
        header: Span,
        mut table: DeTable<'static>,
        around: &Around,
        at: &At,
    ) {
        let here = header.range.clone();
        let source = take(&mut table, "source");
        let Some(source) = source.as_ref().and_then(|node| Some((node.span(), node.get_ref().as_str()?)))
        else {
            let help = "write `source = \"FOLDER\"`, relative to this file".to_owned();
            self.problems.push(at.error("DR130", here, format!("module `{local}` has no `source`"), help));
            return;
        };
        let folder = around.folder.join(source.1);
        let path = normal(&folder.join("module.toml"));
        if around.depth >= DEEPEST {
            let help = "use fewer modules within modules".to_owned();
            let message = format!("modules are nested more than {DEEPEST} deep");
            self.problems.push(at.error("DR131", source.0, message, help));
            return;
        }
        let used_by = std::iter::once(at.file).chain(at.used.iter().map(|span| span.file));
        if used_by.into_iter().any(|file| self.sources.files[file].0 == path) {
            let message = format!("module `{}` uses itself", path.display());
            let help = "remove the use that closes the circle".to_owned();
            self.problems.push(at.error("DR132", source.0, message, help));
            return;
        }
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.modules.insert(local.to_owned(), absolute.to_owned());
        }
        self.scopes.entry(absolute.to_owned()).or_default();
        let mut used = vec![header];
        used.extend(at.used.iter().cloned());
        let inner = At { file: self.sources.files.len(), used };
        let named =
            at.error("DR133", source.0, "", "`source` is a folder that holds a `module.toml`".to_owned());
        let Some(mut body) = self.open(&path, &inner, Some(named)) else { return };
        let mut variables: Variables = around
            .variables
            .iter()
            .filter(|(name, _)| !is_local(name))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let given = table
            .iter()
            .map(|(key, value)| {
                let place = Some((at.span(value.span()), at.clone()));
                (key.get_ref().to_string(), (InputValue::Value(to_json(value)), place))
            })
            .collect();
        self.inputs(take(&mut body, "inputs"), &given, &mut variables, &inner);
        let outputs = take(&mut body, "outputs");
        let folder = normal(&folder);
        let around = Around { variables, folder, depth: around.depth + 1, ..around.clone() };
        self.scope(absolute, body, &around, &inner);
        for (key, node) in tables(outputs) {
            let Some(text) = node.get_ref().as_str().filter(|text| text.starts_with('@')) else {
                let help = "write `NAME = \"@kind.name\"`".to_owned();
                self.problems.push(inner.error("DR134", node.span(), "an output is a reference", help));
                continue;
            };
            let place = inner.span(node.span());
            let output = (text.to_owned(), place);
            if let Some(scope) = self.scopes.get_mut(absolute) {
                scope.outputs.insert(key.get_ref().to_string(), output);
            }
        }
    }

    /// References resolved, tables decoded, cycles refused.
    fn finish(&mut self) -> BTreeMap<ComponentAddress, Declared> {
        let mut declared = BTreeMap::new();
        for pending in std::mem::take(&mut self.pending) {
            if let Some(component) = self.declare(pending) {
                declared.insert(component.address.clone(), component);
            }
        }
        self.problems.extend(check::cycles(&declared));
        declared
    }

    fn declare(&mut self, pending: Pending) -> Option<Declared> {
        let Pending { address, component, scope, at, header, table, posture, objective } = pending;
        let fields =
            table.iter().map(|(key, value)| (key.get_ref().to_string(), at.span(value.span()))).collect();
        let mut node = Spanned::new(header.range.clone(), DeValue::Table(table));
        let mut refers_to = BTreeSet::new();
        let mut found = Vec::new();
        references(&mut node, &mut found);
        let before = self.problems.len();
        for reference in found {
            let span = reference.span();
            let text = reference.get_ref().as_str().unwrap_or_default()[1..].to_owned();
            match resolve(&self.scopes, &scope, &text) {
                Ok(target) => {
                    *reference = Spanned::new(span, DeValue::String(format!("@{target}").into()));
                    refers_to.insert(target);
                }
                Err((message, help)) => self.problems.push(at.error("DR140", span, message, help)),
            }
        }
        let known = self.fields.entry(component.name()).or_insert_with(|| super::schema::fields(component));
        if let DeValue::Table(table) = node.get_ref() {
            for key in table.keys().filter(|key| !known.contains(key.get_ref().as_ref())) {
                let word = key.get_ref().as_ref();
                let all =
                    known.iter().map(String::as_str).chain(COMMON).filter(|it| *it != "user_data_sha256");
                let help = match guess(word, all.clone()) {
                    Some(it) => format!("did you mean `{it}`?"),
                    None => format!("known here: {}", all.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("`{}` has no field `{word}`", component.name());
                self.problems.push(at.error("DR005", key.span(), message, help));
            }
        }
        if self.problems.len() > before {
            return None;
        }
        match component.decode(ValueDeserializer::from(node)) {
            Ok(spec) => {
                let mut origin = vec![header];
                origin.extend(at.used);
                Some(Declared { address, component, spec, posture, objective, refers_to, origin, fields })
            }
            Err(error) => {
                let help = format!("`drstack schema` describes every field of `{}`", component.name());
                let span = error.span().filter(|span| !span.is_empty()).unwrap_or(header.range);
                self.problems.push(at.error("DR009", span, format!("{address}: {}", error.message()), help));
                None
            }
        }
    }
}

impl InputType {
    fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Float => "a number",
            Self::List => "a list of strings",
        }
    }
}

fn coerce(value: &InputValue, kind: InputType) -> Option<Value> {
    match (value, kind) {
        (InputValue::Text(text), InputType::String) => Some(Value::from(text.as_str())),
        (InputValue::Text(text), InputType::Integer) => text.trim().parse::<i64>().ok().map(Value::from),
        (InputValue::Text(text), InputType::Boolean) => text.trim().parse::<bool>().ok().map(Value::from),
        (InputValue::Text(text), InputType::Float) => text.trim().parse::<f64>().ok().map(Value::from),
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
        InputValue::Value(value) => format!("`{value}`"),
    }
}

fn take(table: &mut DeTable<'static>, name: &str) -> Option<Node> {
    table.remove(name)
}

fn tables(node: Option<Node>) -> Vec<(Spanned<std::borrow::Cow<'static, str>>, Node)> {
    match node.map(Spanned::into_inner) {
        Some(DeValue::Table(table)) => table.into_iter().collect(),
        _ => Vec::new(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Inputs and keys of one scope are not known in another.
fn is_local(name: &str) -> bool {
    name.starts_with("input.") || name.starts_with("each.")
}

/// `a/b/../c` as `a/c`, so that a path in an error reads well.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir
                if out
                    .components()
                    .next_back()
                    .is_some_and(|it| matches!(it, std::path::Component::Normal(_))) =>
            {
                out.pop();
            }
            std::path::Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}
