//! The loader: files in, a stack or all of its problems out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::{At, Node, article, guess, parse, to_json};
use super::fields::Fields;
use super::head::{Head, Own};
use super::inputs::{self, Owner};
use super::outside::{InputValues, ReadFiles};
use super::scope::Scopes;
use super::template::Variables;
use super::{Stack, check};
use crate::address::ComponentAddress;
use crate::cloud::{Secrets, sha256};
use crate::component::{ComponentRegistry, DynComponent};
use crate::diagnostic::{Diagnostic, FileId, MOST_SHOWN, Severity, Sources, Span};
use crate::objective::{Objective, Posture};

/// A key with its span.
pub(super) type Name = Spanned<std::borrow::Cow<'static, str>>;

/// Number of problems after which the loader stops collecting: each takes memory, and
/// [`MOST_SHOWN`] are shown.
pub(super) const MOST_COLLECTED: usize = 20_000;

/// Most inputs of a stack or module; all of them are kept at hand for each of its components.
pub(super) const MOST_INPUTS: usize = 1_000;

/// Most characters of a message or help, which may quote the operator's text at any length.
const MOST_SAID: usize = 1_000;

/// Help on valid names.
pub(super) const NAME_HELP: &str = "use 1 to 64 letters, digits, `-` and `_`";

/// Longest name, so that an address with several of them fits into a tag.
const LONGEST_NAME: usize = 64;

/// Keys that every component has.
pub(super) const COMMON: [&str; 7] = ["posture", "rto", "rpo", "tier", "tag", "for_each", CHECK];

/// Key of a component's checks: `[[pool.inference.check]]`.
pub(super) const CHECK: &str = "check";

/// A stack with its warnings.
pub struct Loaded {
    /// The stack.
    pub stack: Stack,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// A stack that could not be loaded.
#[derive(Debug)]
pub struct Failed {
    /// The problems, in the order of the files.
    pub problems: Vec<Diagnostic>,
    /// Number of further problems.
    pub left_out: usize,
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
        trees: BTreeMap::new(),
        problems: Vec::new(),
        pending: Vec::new(),
        scopes: Scopes::new(),
        secrets: Secrets::default(),
        texts: Vec::new(),
        read: Vec::new(),
        fields: BTreeMap::new(),
        members: 0,
        written_out: 0,
    };
    let stack = loader.stack(entry, inputs);
    let Loader { problems, sources, .. } = loader;
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    let mut problems = in_order(problems);
    let left_out = problems.len().saturating_sub(MOST_SHOWN);
    problems.truncate(MOST_SHOWN);
    for problem in &mut problems {
        clip(&mut problem.message);
        problem.help.as_mut().map(clip);
    }
    match stack {
        Some(stack) if !failed => Ok(Loaded { stack: Stack { sources, ..stack }, warnings: problems }),
        _ => Err(Failed { problems, left_out, sources }),
    }
}

/// Sorts the problems in file order and removes duplicates: every key of a `for_each` finds the
/// same.
fn in_order(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |span: &Span| (span.file, span.range.start, span.range.end);
    let mut seen = BTreeSet::new();
    problems.retain(|it| {
        let places: Vec<_> = it.labels.iter().map(|label| place(&label.span)).collect();
        seen.insert((it.code, it.message.clone(), places))
    });
    problems.sort_by_key(|it| it.labels.first().map(|label| place(&label.span)));
    problems
}

/// Truncates a text that is too long to read.
fn clip(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MOST_SAID) {
        text.truncate(end);
        text.push_str("...");
    }
}

/// A component while loading: templates replaced, references not yet resolved.
pub(super) struct Pending {
    pub(super) address: ComponentAddress,
    pub(super) component: &'static dyn DynComponent,
    pub(super) scope: String,
    pub(super) at: At,
    pub(super) header: Span,
    pub(super) table: DeTable<'static>,
    pub(super) own: Own,
    /// Fields whose value was refused and reported; the table no longer has them.
    pub(super) refused: BTreeSet<String>,
    /// Its checks: span of the header, and the table.
    pub(super) checks: Vec<(Span, DeTable<'static>)>,
}

pub(super) struct Loader<'a> {
    pub(super) components: &'a ComponentRegistry,
    pub(super) files: &'a dyn ReadFiles,
    pub(super) sources: Sources,
    /// Files without syntax errors: a module is parsed once, however often it is used.
    pub(super) trees: BTreeMap<FileId, DeTable<'static>>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) pending: Vec<Pending>,
    pub(super) scopes: Scopes,
    pub(super) secrets: Secrets,
    /// Texts of the files. They are leaked: a program reads a stack once and keeps it to its end,
    /// and a tree without a lifetime can be changed.
    pub(super) texts: Vec<&'static str>,
    /// Texts that go into the stack's hash.
    pub(super) read: Vec<String>,
    /// Fields by component kind.
    pub(super) fields: BTreeMap<&'static str, Fields>,
    /// Number of components and modules so far.
    pub(super) members: usize,
    /// Bytes so far, with every `for_each` and module written out.
    pub(super) written_out: usize,
}

/// Settings that components of one scope inherit.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) variables: Variables,
    pub(super) posture: Posture,
    pub(super) objective: Objective,
    pub(super) folder: PathBuf,
    pub(super) depth: usize,
}

impl Loader<'_> {
    fn stack(&mut self, entry: &Path, inputs: &InputValues) -> Option<Stack> {
        let (mut root, at) = self.open(entry, Vec::new(), None)?;
        let Head { facts, posture, objective, signing, fields } = self.head(&mut root, &at);
        let sim = match take(&mut root, "sim") {
            Some(node) if node.get_ref().as_table().is_none() => {
                self.not_a_table(
                    "sim",
                    node.get_ref(),
                    node.span(),
                    "write `[sim]`, and its settings below",
                    &at,
                );
                Value::Null
            }
            node => node.map_or(Value::Null, |node| to_json(&node)),
        };
        let sync = self.sync(&mut root, &at);
        let moved = self.moved(&mut root, &at);
        let known = |text: &String| if text.is_empty() { Value::Null } else { Value::from(text.as_str()) };
        let mut variables: Variables = [
            ("stack.name", &facts.name),
            ("primary.region", &facts.primary),
            ("standby.region", &facts.standby),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), known(value)))
        .collect();
        let given = inputs::from_outside(inputs);
        self.inputs(take(&mut root, "inputs"), &given, Owner::Stack, &mut variables, &at);
        let folder = entry.parent().map(Path::to_path_buf).unwrap_or_default();
        // A refused posture blocks the stack; until then any other can replace it.
        let around =
            Around { variables, posture: posture.unwrap_or(Posture::Hot), objective, folder, depth: 0 };
        self.scope("", root, &around, &at);
        let whole = [&facts.name, &facts.primary, &facts.standby].into_iter().all(|it| !it.is_empty());
        if let Some(posture) = posture {
            self.problems.extend(check::objectives(&self.pending, posture, objective, &fields));
        }
        let components = self.finish(whole.then_some(&facts));
        let moved = self.moves(&moved, &components, &at);
        let hash = sha256(format!("{:?}{inputs:?}", self.read).as_bytes());
        Some(Stack {
            facts,
            posture: around.posture,
            objective,
            signing,
            components,
            moved,
            sync,
            sim,
            hash,
            secrets: self.secrets.clone(),
            sources: Sources::default(),
        })
    }

    /// Reads and parses a file `used` by these modules; reports read errors where it is `named`.
    pub(super) fn open(
        &mut self,
        path: &Path,
        used: Vec<Span>,
        named: Option<Diagnostic>,
    ) -> Option<(DeTable<'static>, At)> {
        let known = self.sources.files.iter().position(|(it, _)| it == path);
        let mut at = At { file: known.unwrap_or(self.sources.files.len()), used, text: "" };
        if known.is_none() {
            match self.files.read(path) {
                Ok(text) => {
                    self.read.push(text.clone());
                    self.texts.push(Box::leak(text.clone().into_boxed_str()));
                    self.sources.files.push((path.to_path_buf(), text));
                }
                Err(error) => {
                    let mut problem = named.unwrap_or_else(|| {
                        self.texts.push("");
                        self.sources.files.push((path.to_path_buf(), String::new()));
                        let help = "name a folder with a `stack.toml`, or the file itself; `drstack init DIR` writes one";
                        at.error("DR004", 0..0, "", help.to_owned())
                    });
                    problem.message = format!("cannot read `{}`: {error}", path.display());
                    problem.help = problem.help.map(|usual| error.hint(&usual));
                    self.problems.push(problem);
                    return None;
                }
            }
        }
        at.text = self.texts[at.file];
        self.written_out += at.text.len();
        if let Some(table) = self.trees.get(&at.file) {
            return Some((table.clone(), at));
        }
        let (table, problems) = parse(&at);
        if !problems.is_empty() {
            self.problems.extend(problems);
            return None;
        }
        self.trees.insert(at.file, table.clone());
        Some((table, at))
    }

    pub(super) fn not_a_table(
        &mut self,
        name: &str,
        value: &DeValue<'_>,
        span: std::ops::Range<usize>,
        help: &str,
        at: &At,
    ) {
        let message = format!("`{name}` is {}, not a table", article(value));
        self.problems.push(at.error("DR006", span, message, help.to_owned()));
    }

    /// Loads everything in one file, beside its head.
    pub(super) fn scope(&mut self, name: &str, table: DeTable<'static>, around: &Around, at: &At) {
        self.scopes.entry(name.to_owned()).or_default();
        for (key, node) in table {
            let kind = key.get_ref().to_string();
            let component = self.components.get(&kind);
            if component.is_none() && kind != "module" {
                self.unknown_kind(name, &key, at);
                continue;
            }
            let span = node.span();
            let members = match node.into_inner() {
                DeValue::Table(members) => members,
                other => {
                    self.not_a_table(&kind, &other, span, &format!("write `[{kind}.NAME]`"), at);
                    self.refused(name, &kind);
                    continue;
                }
            };
            for (label, node) in members {
                let text = label.get_ref().to_string();
                let whole = format!("{kind}.{text}");
                if !is_name(&text) {
                    let help = NAME_HELP.to_owned();
                    let message = format!("{} cannot be a name", quoted(&text));
                    self.problems.push(at.error("DR008", label.span(), message, help));
                    self.refused(name, &whole);
                    continue;
                }
                let span = if node.get_ref().is_array() { label.span() } else { node.span() };
                match node.into_inner() {
                    DeValue::Table(body) => self.member(name, component, &label, body, around, at),
                    other => {
                        let help = match self.is_field(component, &text) {
                            true => format!("give it a name: write `[{kind}.NAME]`, and its fields below"),
                            false => format!("write `[{whole}]`"),
                        };
                        self.not_a_table(&whole, &other, span, &help, at);
                        self.refused(name, &whole);
                    }
                }
            }
        }
    }

    /// True if `word` is a field of this component or module: then the component's name was left
    /// out.
    fn is_field(&mut self, component: Option<&'static dyn DynComponent>, word: &str) -> bool {
        let Some(component) = component else { return word == "source" };
        let fields = self.fields.entry(component.name()).or_insert_with(|| super::fields::fields(component));
        fields.contains_key(word) || COMMON.contains(&word)
    }

    fn unknown_kind(&mut self, scope: &str, key: &Name, at: &At) {
        let kind = key.get_ref().as_ref();
        let (here, there) = match at.used.is_empty() {
            true => (["module", "inputs", "moved", "stack", "sim"].as_slice(), ["outputs"].as_slice()),
            false => (["module", "inputs", "outputs"].as_slice(), ["moved", "stack", "sim"].as_slice()),
        };
        let known = self.components.iter().map(DynComponent::name).chain(here.iter().copied());
        let (message, help) = if there.contains(&kind) {
            let file = if at.used.is_empty() { "`module.toml`" } else { "`stack.toml`" };
            (format!("`[{kind}]` does not belong here"), format!("leave it out: only a {file} has it"))
        } else {
            let help = guess(kind, known).map_or_else(
                || "`drstack kinds` lists what there is".to_owned(),
                |it| format!("did you mean `{it}`?"),
            );
            (format!("unknown kind `{kind}`"), help)
        };
        self.problems.push(at.error("DR007", key.span(), message, help));
        self.refused(scope, kind);
    }

    /// Suppresses errors about references to `name`, which was reported where it is declared.
    pub(super) fn refused(&mut self, scope: &str, name: &str) {
        self.scopes.entry(scope.to_owned()).or_default().refused.insert(name.to_owned());
    }
}

pub(super) fn take(table: &mut DeTable<'static>, name: &str) -> Option<Node> {
    table.remove(name)
}

/// Returns keys and values of the table `name`, if there is one.
pub(super) fn tables(
    node: Option<Node>,
    name: &str,
    at: &At,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(Name, Node)> {
    let Some(node) = node else { return Vec::new() };
    let span = node.span();
    match node.into_inner() {
        DeValue::Table(table) => table.into_iter().collect(),
        other => {
            let message = format!("`{name}` is {}, not a table", article(&other));
            problems.push(at.error("DR006", span, message, format!("write `[{name}]`")));
            Vec::new()
        }
    }
}

/// Quotes `text` for a message, even if it is empty.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") }
}

pub(super) fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Normalizes `a/b/../c` to `a/c`, so that a path in an error reads well.
pub(super) fn normal(path: &Path) -> PathBuf {
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
