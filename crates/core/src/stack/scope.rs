//! Scopes: which components and modules a reference can name where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::decode::{At, guess, guess_dotted};
use crate::address::ComponentAddress;

/// The stack itself, or one use of a module.
#[derive(Default)]
pub(super) struct Scope {
    /// `bucket.models`, `pool.inference["eta"]`, each with its absolute address.
    pub(super) components: BTreeMap<String, ComponentAddress>,
    /// `training`, `svc["000"]`, each with the absolute name of its scope.
    pub(super) modules: BTreeMap<String, String>,
    /// What the module lets its user refer to.
    pub(super) outputs: BTreeMap<String, Output>,
    /// References that the module's user gives as inputs: `network`, `buckets[0]`.
    pub(super) passed: BTreeMap<String, Passed>,
    /// `bucket.models`, `module.training`, or a whole kind: what was refused where it is declared.
    pub(super) refused: BTreeSet<String>,
}

/// One output of a module.
pub(super) struct Output {
    /// The reference within the module, without `@`; `None` where it was refused.
    pub(super) target: Option<String>,
    pub(super) at: At,
    pub(super) range: Range<usize>,
}

/// A reference that a module's user gives as an input: it names something where it stands, not within the module.
pub(super) struct Passed {
    /// The scope that it stands in.
    pub(super) scope: String,
    /// The reference, without `@`.
    pub(super) target: String,
    pub(super) at: At,
    pub(super) range: Range<usize>,
}

/// Why a reference names nothing.
pub(super) enum Unresolved {
    /// What it names was refused, and reported, where it is declared.
    Said,
    /// What to tell the user: message and help.
    New(String, String),
}

/// What stands before the name of an input that is a reference: `"${input.network}"` is replaced by `"@input.network"`.
pub(super) const PASSED: &str = "input.";

/// All scopes by absolute name; the stack's is empty.
pub(super) type Scopes = BTreeMap<String, Scope>;

/// What `reference` (without `@`) names from within `scope`. A module sees what its user gives it as [`PASSED`].
pub(super) fn resolve(scopes: &Scopes, scope: &str, reference: &str) -> Result<ComponentAddress, Unresolved> {
    let passed = reference.strip_prefix(PASSED).and_then(|input| scopes.get(scope)?.passed.get(input));
    match passed {
        // One that names nothing is reported where it is given.
        Some(passed) => resolve(scopes, &passed.scope, &passed.target).map_err(|_| Unresolved::Said),
        None => own(scopes, scope, reference),
    }
}

/// As [`resolve`], for what an output may name: nothing that was passed in, so that no reference runs in a circle.
pub(super) fn own(scopes: &Scopes, scope: &str, reference: &str) -> Result<ComponentAddress, Unresolved> {
    let Some(here) = scopes.get(scope) else { return Err(Unresolved::Said) };
    let Some(rest) = reference.strip_prefix("module.") else {
        return match here.components.get(reference) {
            Some(address) => Ok(address.clone()),
            None => Err(here.no_component(reference, scopes)),
        };
    };
    let Some((module, output)) = rest.rsplit_once('.') else {
        let message = format!("`@{reference}` names a module, not one of its outputs");
        return Err(Unresolved::New(message, format!("name an output: `\"@module.{rest}.OUTPUT\"`")));
    };
    let Some(inner) = here.modules.get(module) else { return Err(here.no_module(module, output)) };
    let there = &scopes[inner];
    match there.outputs.get(output) {
        Some(Output { target: Some(target), .. }) => match own(scopes, inner, target) {
            Ok(address) => Ok(address),
            // The output itself is wrong, and reported where it stands.
            Err(_) => Err(Unresolved::Said),
        },
        Some(Output { target: None, .. }) => Err(Unresolved::Said),
        None => Err(there.no_output(module, output)),
    }
}

/// The reference as TOML: a key in it has quotes of its own.
fn written(reference: &str) -> String {
    if reference.contains('"') { format!("'@{reference}'") } else { format!("\"@{reference}\"") }
}

/// Help for a reference to what stands within `module`.
fn in_module(module: &String) -> String {
    format!(
        "module `{module}` has it: name it under `[outputs]` there, and write `\"@module.{module}.OUTPUT\"`"
    )
}

impl Scope {
    fn no_component(&self, reference: &str, scopes: &Scopes) -> Unresolved {
        if self.is_refused(reference) {
            return Unresolved::Said;
        }
        let has_it =
            |inner: &&String| scopes.get(*inner).is_some_and(|it| it.components.contains_key(reference));
        let inside = self.modules.iter().find(|(_, inner)| has_it(inner)).map(|(name, _)| name);
        let help = match guess_dotted(reference, self.components.keys().map(String::as_str)) {
            Some(it) => format!("did you mean `{}`?", written(it)),
            None if inside.is_some() => inside.map_or_else(String::new, in_module),
            None if reference.contains('.') => format!("declare `[{reference}]`, or correct the name"),
            None => "write it as `\"@kind.name\"`".to_owned(),
        };
        Unresolved::New(format!("`@{reference}` names no component here"), help)
    }

    fn no_module(&self, module: &str, output: &str) -> Unresolved {
        if self.is_refused(&format!("module.{module}")) {
            return Unresolved::Said;
        }
        let help = match guess(module, self.modules.keys().map(String::as_str)) {
            Some(it) => format!("did you mean `\"@module.{it}.{output}\"`?"),
            None => format!("declare `[module.{module}]`, or correct the name"),
        };
        Unresolved::New(format!("there is no module `{module}` here"), help)
    }

    fn no_output(&self, module: &str, output: &str) -> Unresolved {
        let known: Vec<&str> = self.outputs.keys().map(String::as_str).collect();
        let help = match guess(output, known.iter().copied()) {
            Some(it) => format!("did you mean `\"@module.{module}.{it}\"`?"),
            None if known.is_empty() => "name it under `[outputs]` of the module's `module.toml`".to_owned(),
            None => format!("its outputs are: {}", known.join(", ")),
        };
        Unresolved::New(format!("module `{module}` has no output `{output}`"), help)
    }

    /// Whether `name` is, or stands within, something that was refused.
    fn is_refused(&self, name: &str) -> bool {
        let within = |it: &String| {
            name.strip_prefix(it.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.refused.iter().any(within)
    }
}
