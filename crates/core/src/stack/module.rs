//! Modules: a folder with its own inputs, components and outputs, used by a stack or another
//! module.

use toml::de::DeValue;

use super::decode::{At, Node, article};
use super::inputs::{self, Owner};
use super::load::{Around, Loader, NAME_HELP, Name, is_name, normal, quoted, tables, take};
use super::member::Member;
use super::scope::{Output, PASSED, Passed};
use super::template::Variables;

/// Deepest nesting of modules; more is a mistake.
const DEEPEST: usize = 100;

impl Loader<'_> {
    /// Loads one use of a module: inputs, components, outputs.
    pub(super) fn module(&mut self, member: Member<'_>, around: &Around, at: &At) {
        let (scope, local) = (member.scope, member.local.clone());
        if self.module_whole(member, around, at).is_none() {
            self.refused(scope, &local);
        }
    }

    /// Loads the module; `None` if it was refused as a whole.
    fn module_whole(&mut self, member: Member<'_>, around: &Around, at: &At) -> Option<()> {
        let Member { scope, local, absolute, header, mut table, refused } = member;
        if refused.contains("source") {
            return None;
        }
        if !table.contains_key("source") {
            let help = "write `source = \"FOLDER\"`, relative to this file".to_owned();
            self.problems.push(at.error("DR130", header.range, format!("`{local}` has no `source`"), help));
            return None;
        }
        let source = self.text(&mut table, "source", at)?;
        if source.get_ref().contains("://") {
            let message = format!("`{}` is an address, not a folder", source.get_ref());
            let help = "fetch it into a folder first, and name that: modules are never downloaded".to_owned();
            self.problems.push(at.error("DR133", source.span(), message, help));
            return None;
        }
        let folder = normal(&around.folder.join(source.get_ref()));
        let path = folder.join("module.toml");
        if around.depth >= DEEPEST {
            let help = "use fewer modules within modules".to_owned();
            let message = format!("modules are nested more than {DEEPEST} deep");
            self.problems.push(at.error("DR131", source.span(), message, help));
            return None;
        }
        let used_by = std::iter::once(at.file).chain(at.used.iter().map(|span| span.file));
        if used_by.into_iter().any(|file| self.sources.files[file].0 == path) {
            let message = format!("module `{}` uses itself", path.display());
            let help = "remove the use that closes the circle".to_owned();
            self.problems.push(at.error("DR132", source.span(), message, help));
            return None;
        }
        let used = std::iter::once(header).chain(at.used.iter().cloned()).collect();
        let help = "`source` is a folder that holds a `module.toml`, relative to this file".to_owned();
        let (mut body, inner) = self.open(&path, used, Some(at.error("DR133", source.span(), "", help)))?;
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.modules.insert(local["module.".len()..].to_owned(), absolute.clone());
        }
        let mut variables: Variables = around
            .variables
            .iter()
            .filter(|(name, _)| !is_local(name))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        for (key, value) in table.iter_mut() {
            self.pass(key.get_ref(), value, (scope, absolute.as_str()), at);
        }
        let given = inputs::from_user(table.iter(), refused.iter(), at);
        self.inputs(take(&mut body, "inputs"), &given, Owner::Module, &mut variables, &inner);
        let outputs = take(&mut body, "outputs");
        let around = Around { variables, folder, depth: around.depth + 1, ..around.clone() };
        self.scope(&absolute, body, &around, &inner);
        for (key, node) in tables(outputs, "outputs", &inner, &mut self.problems) {
            self.output(&absolute, &key, &node, &inner);
        }
        Some(())
    }

    /// Passes a reference, or a list with some, as the input `name`.
    ///
    /// The module sees `@input.name`, which resolves in the scope where it was given.
    fn pass(&mut self, name: &str, value: &mut Node, (from, to): (&str, &str), at: &At) {
        let range = value.span();
        match value.get_mut() {
            DeValue::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.pass(&format!("{name}[{number}]"), item, (from, to), at);
                }
            }
            DeValue::String(text) => {
                let Some(target) = text.strip_prefix('@').map(str::to_owned) else { return };
                *text = format!("@{PASSED}{name}").into();
                let passed = Passed { scope: from.to_owned(), target, at: at.clone(), range };
                self.scopes.entry(to.to_owned()).or_default().passed.insert(name.to_owned(), passed);
            }
            _ => {}
        }
    }

    fn output(&mut self, scope: &str, key: &Name, node: &Node, at: &At) {
        let name = key.get_ref().to_string();
        if !is_name(&name) {
            let help = NAME_HELP.to_owned();
            let message = format!("{} cannot be the name of an output", quoted(&name));
            self.problems.push(at.error("DR008", key.span(), message, help));
        }
        let target = node.get_ref().as_str().and_then(|text| text.strip_prefix('@')).map(str::to_owned);
        if target.is_none() {
            let (message, help) = match node.get_ref() {
                DeValue::String(text) => (
                    format!("output `{name}` is `{text}`, not a reference"),
                    format!("write `{name} = \"@{text}\"`"),
                ),
                other => (
                    format!("output `{name}` is {}, not a reference", article(other)),
                    format!("write `{name} = \"@kind.name\"`"),
                ),
            };
            self.problems.push(at.error("DR134", node.span(), message, help));
        }
        let output = Output { target, at: at.clone(), range: node.span() };
        self.scopes.entry(scope.to_owned()).or_default().outputs.insert(name, output);
    }
}

/// True for inputs and keys, which other scopes do not know.
fn is_local(name: &str) -> bool {
    name.starts_with("input.") || name.starts_with("each.")
}
