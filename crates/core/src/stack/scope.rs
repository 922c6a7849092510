//! Scopes: the components and modules that a reference can name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::decode::{At, guess, guess_dotted};
use crate::address::ComponentAddress;

/// Scope of the stack itself, or of one use of a module.
#[derive(Default)]
pub(super) struct Scope {
    /// Components by local name (`bucket.models`, `pool.inference["eta"]`), with their absolute
    /// addresses.
    pub(super) components: BTreeMap<String, ComponentAddress>,
    /// Modules by local name (`training`, `svc["000"]`), with the absolute names of their scopes.
    pub(super) modules: BTreeMap<String, String>,
    /// Outputs, which the module's user may refer to.
    pub(super) outputs: BTreeMap<String, Output>,
    /// References that the module's user gives as inputs: `network`, `buckets[0]`.
    pub(super) passed: BTreeMap<String, Passed>,
    /// Declarations that were refused: `bucket.models`, `module.training`, or a whole kind.
    pub(super) refused: BTreeSet<String>,
}

/// One output of a module.
pub(super) struct Output {
    /// The reference within the module, without `@`; `None` if it was refused.
    pub(super) target: Option<String>,
    pub(super) at: At,
    pub(super) range: Range<usize>,
}

/// A reference that a module's user gives as an input; it resolves in the user's scope, not in the
/// module's.
pub(super) struct Passed {
    /// Scope of the module's user.
    pub(super) scope: String,
    /// The reference, without `@`.
    pub(super) target: String,
    pub(super) at: At,
    pub(super) range: Range<usize>,
}

/// Why a reference cannot be resolved.
pub(super) enum Unresolved {
    /// Its target was refused and reported where it is declared.
    Said,
    /// A new problem: message and help.
    New(String, String),
}

/// Prefix of an input that is a reference: `"${input.network}"` is replaced by `"@input.network"`.
pub(super) const PASSED: &str = "input.";

/// All scopes by absolute name; that of the stack is empty.
pub(super) type Scopes = BTreeMap<String, Scope>;

/// Resolves `reference` (without `@`) within `scope`. A module sees the references that its user
/// gives it under [`PASSED`].
pub(super) fn resolve(scopes: &Scopes, scope: &str, reference: &str) -> Result<ComponentAddress, Unresolved> {
    let passed = reference.strip_prefix(PASSED).and_then(|input| scopes.get(scope)?.passed.get(input));
    match passed {
        // An invalid one is reported where it is given.
        Some(passed) => resolve(scopes, &passed.scope, &passed.target).map_err(|_| Unresolved::Said),
        None => own(scopes, scope, reference),
    }
}

/// Like [`resolve`], for outputs: they may not name a passed reference, so that none forms a cycle.
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
            // The output itself is invalid, and reported at its place.
            Err(_) => Err(Unresolved::Said),
        },
        Some(Output { target: None, .. }) => Err(Unresolved::Said),
        None => Err(there.no_output(module, output)),
    }
}

/// Formats the reference as TOML: a key in it has quotes of its own.
fn written(reference: &str) -> String {
    if reference.contains('"') { format!("'@{reference}'") } else { format!("\"@{reference}\"") }
}

/// Returns the help for a reference to something inside `module`.
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

    /// True if `name` is, or is inside, a refused declaration.
    fn is_refused(&self, name: &str) -> bool {
        let within = |it: &String| {
            name.strip_prefix(it.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.refused.iter().any(within)
    }
}
