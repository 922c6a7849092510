//! Scopes: which components and modules a reference can name where it stands.

use std::collections::BTreeMap;

use super::decode::guess;
use crate::address::ComponentAddress;
use crate::diagnostic::Span;

/// The stack itself, or one use of a module.
#[derive(Default)]
pub(super) struct Scope {
    /// `bucket.models`, `pool.inference["eta"]`, each with its absolute address.
    pub(super) components: BTreeMap<String, ComponentAddress>,
    /// `training`, `svc["000"]`, each with the absolute name of its scope.
    pub(super) modules: BTreeMap<String, String>,
    /// What the module lets its user refer to: name, reference within it, place.
    pub(super) outputs: BTreeMap<String, (String, Span)>,
}

/// All scopes by absolute name; the stack's is empty.
pub(super) type Scopes = BTreeMap<String, Scope>;

/// What `reference` (without `@`) names from within `scope`, or why nothing, and a guess.
pub(super) fn resolve(
    scopes: &Scopes,
    scope: &str,
    reference: &str,
) -> Result<ComponentAddress, (String, Option<String>)> {
    let Some(here) = scopes.get(scope) else { return Err((format!("`@{reference}` names nothing"), None)) };
    let Some(rest) = reference.strip_prefix("module.") else {
        return here.components.get(reference).cloned().ok_or_else(|| {
            let known = here.components.keys().map(String::as_str);
            let hint = guess(reference, known).map(|it| format!("did you mean `\"@{it}\"`?"));
            (format!("`@{reference}` names no component here"), hint)
        });
    };
    let Some((module, output)) = rest.rsplit_once('.') else {
        let hint = format!("name an output: `\"@module.{rest}.OUTPUT\"`");
        return Err((format!("`@{reference}` names a module, not one of its outputs"), Some(hint)));
    };
    let Some(inner) = here.modules.get(module) else {
        let hint = guess(module, here.modules.keys().map(String::as_str));
        let hint = hint.map(|it| format!("did you mean `\"@module.{it}.{output}\"`?"));
        return Err((format!("there is no module `{module}` here"), hint));
    };
    let outputs = &scopes[inner].outputs;
    let Some((target, _)) = outputs.get(output) else {
        let hint = match guess(output, outputs.keys().map(String::as_str)) {
            Some(it) => format!("did you mean `\"@module.{module}.{it}\"`?"),
            None => format!("its outputs are: {}", outputs.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        return Err((format!("module `{module}` has no output `{output}`"), Some(hint)));
    };
    resolve(scopes, inner, target.trim_start_matches('@'))
}
