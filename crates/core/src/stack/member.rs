//! Members: components and modules, one per key of a `for_each`, within the size limits of a stack.

use std::collections::BTreeSet;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::decode::{At, Node, article, expand_all, keep, to_json};
use super::load::{Around, CHECK, Loader, MOST_COLLECTED, Name, Pending, is_name, quoted, take};
use crate::address::ComponentAddress;
use crate::component::DynComponent;
use crate::diagnostic::Span;

/// Most components and modules of one stack, with all keys of `for_each` counted.
///
/// They make some 200,000 resources, which is twice what docs/dev/performance.md measures. So a
/// number that is wrong by some digits ends in an error and does not use up all memory.
const MOST_MEMBERS: usize = 100_000;

/// Most bytes of a stack with every `for_each` and module written out: six kilobytes for each of
/// [`MOST_MEMBERS`].
///
/// Memory and time of loading are a small multiple of it.
pub(super) const MOST_WRITTEN_OUT: usize = 64 * 1024 * 1024;

/// One component or module, with its key if it has a `for_each`.
pub(super) struct Member<'a> {
    pub(super) scope: &'a str,
    /// Name within the scope: `bucket.models["eta"]`.
    pub(super) local: String,
    pub(super) absolute: String,
    pub(super) header: Span,
    pub(super) table: DeTable<'static>,
    /// Fields whose template was refused; the table no longer has them.
    pub(super) refused: BTreeSet<String>,
}

impl Loader<'_> {
    /// True if the limits on size and problems allow to load more.
    fn has_room(&mut self, label: &Name, at: &At) -> bool {
        if self.written_out > MOST_WRITTEN_OUT {
            // Report it once: the search starts at the last problem.
            if !self.problems.iter().rev().any(|it| it.code == "DR122") {
                let most = MOST_WRITTEN_OUT / (1024 * 1024);
                let message = format!(
                    "with every `for_each` and module written out, the stack is larger than {most} MiB"
                );
                let help = "split it into several stacks, or shorten what is repeated".to_owned();
                self.problems.push(at.error("DR122", label.span(), message, help));
            }
            return false;
        }
        self.problems.len() <= MOST_COLLECTED
    }

    /// Loads one component or module, once per key of its `for_each`.
    pub(super) fn member(
        &mut self,
        scope: &str,
        component: Option<&'static dyn DynComponent>,
        label: &Name,
        mut body: DeTable<'static>,
        around: &Around,
        at: &At,
    ) {
        let kind = component.map_or("module", DynComponent::name);
        let base = format!("{kind}.{}", label.get_ref());
        let keys = match take(&mut body, "for_each") {
            None => vec![None],
            Some(node) => match self.keys(node, around, at) {
                Some(keys) => keys.into_iter().map(|key| Some(Value::from(key))).collect(),
                None => {
                    self.refused(scope, &base);
                    vec![Some(Value::Null)]
                }
            },
        };
        let before = self.members;
        self.members += keys.len();
        if self.members > MOST_MEMBERS {
            // Report it where the limit is passed; everything after that exceeds it as well.
            if before <= MOST_MEMBERS {
                let message = format!("the stack has more than {MOST_MEMBERS} components and modules");
                let help = "split it into several stacks, or shorten a `for_each`".to_owned();
                self.problems.push(at.error("DR121", label.span(), message, help));
            }
            self.refused(scope, &base);
            return;
        }
        let each = weight(&body);
        for key in keys {
            self.written_out += each;
            if !self.has_room(label, at) {
                self.refused(scope, &base);
                return;
            }
            let mut variables = around.variables.clone();
            let local = match &key {
                None => base.clone(),
                Some(key) => format!("{base}[{key}]"),
            };
            variables.extend(key.map(|key| ("each.key".to_owned(), key)));
            let absolute = if scope.is_empty() { local.clone() } else { format!("{scope}.{local}") };
            let mut table = body.clone();
            let mut refused = BTreeSet::new();
            for (key, value) in table.iter_mut() {
                if !expand_all(value, &variables, at, &mut self.problems) {
                    refused.insert(key.get_ref().to_string());
                }
            }
            keep(&mut table, |key| !refused.contains(key));
            self.written_out += weight(&table).saturating_sub(each);
            let around = Around { variables, ..around.clone() };
            let member = Member { scope, local, absolute, header: at.span(label.span()), table, refused };
            match component {
                Some(component) => self.component(component, member, &around, at),
                None => self.module(member, &around, at),
            }
        }
    }

    /// Evaluates `for_each`: a list of names, or a count. `None` if it was refused.
    fn keys(&mut self, mut node: Node, around: &Around, at: &At) -> Option<Vec<String>> {
        if !expand_all(&mut node, &around.variables, at, &mut self.problems) {
            return None;
        }
        let help =
            "write distinct names, `for_each = [\"eta\", \"dispatch\"]`, or an integer for numbered ones";
        let before = self.problems.len();
        let mut refuse = |span, message: String| {
            self.problems.push(at.error("DR120", span, message, help.to_owned()));
        };
        let keys = match node.get_ref() {
            DeValue::Array(items) => {
                let (mut keys, mut seen) = (Vec::new(), BTreeSet::new());
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(key) if !is_name(key) => {
                            let message = format!(
                                "{} cannot be a key of `for_each`: 1 to 64 letters, digits, `-` and `_` can",
                                quoted(key)
                            );
                            refuse(item.span(), message);
                        }
                        DeValue::String(key) if !seen.insert(key.clone()) => {
                            refuse(item.span(), format!("`{key}` stands twice in `for_each`"));
                        }
                        DeValue::String(key) => keys.push(key.to_string()),
                        other => refuse(
                            item.span(),
                            format!("a key of `for_each` is {}, not a string", article(other)),
                        ),
                    }
                }
                keys
            }
            DeValue::Integer(_) => match to_json(&node).as_u64() {
                Some(count) if count <= MOST_MEMBERS as u64 => {
                    (0..count).map(|at| format!("{at:03}")).collect()
                }
                _ => {
                    refuse(
                        node.span(),
                        format!("the number of `for_each` is not one from 0 to {MOST_MEMBERS}"),
                    );
                    Vec::new()
                }
            },
            other => {
                refuse(node.span(), format!("`for_each` is {}, not a list", article(other)));
                Vec::new()
            }
        };
        (self.problems.len() == before).then_some(keys)
    }

    fn component(
        &mut self,
        component: &'static dyn DynComponent,
        member: Member<'_>,
        around: &Around,
        at: &At,
    ) {
        let Member { scope, local, absolute, header, mut table, refused } = member;
        let address = ComponentAddress::new(&absolute);
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.components.insert(local, address.clone());
        }
        let own = self.own(&mut table, around.posture, around.objective, at);
        let checks = self.checks(component, &mut table, at);
        for secret in component.secrets() {
            self.hide(secret, &mut table, &around.folder, at);
        }
        let (scope, at) = (scope.to_owned(), at.clone());
        self.pending.push(Pending { address, component, scope, at, header, table, own, refused, checks });
    }

    /// Removes the checks from a component's table and returns them.
    fn checks(
        &mut self,
        component: &'static dyn DynComponent,
        table: &mut DeTable<'static>,
        at: &At,
    ) -> Vec<(Span, DeTable<'static>)> {
        // A build without checks has no such key, and reports it as unknown.
        let Some(node) = self.components.check().and_then(|_| take(table, CHECK)) else { return Vec::new() };
        let span = node.span();
        let help = format!("write `[[{}.NAME.{CHECK}]]`, and what has to hold below", component.name());
        let items = match node.into_inner() {
            DeValue::Array(items) => items,
            other => {
                let message = format!("`{CHECK}` is {}, not a list of tables", article(&other));
                self.problems.push(at.error("DR006", span, message, help));
                return Vec::new();
            }
        };
        let mut checks = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => checks.push((at.span(span), table)),
                other => {
                    let message = format!("a `{CHECK}` is {}, not a table", article(&other));
                    self.problems.push(at.error("DR006", span, message, help.clone()));
                }
            }
        }
        checks
    }
}

/// Estimates the bytes of a table: its texts, and the overhead of each value.
fn weight(table: &DeTable<'_>) -> usize {
    table.iter().map(|(key, value)| key.get_ref().len() + weigh(value.get_ref())).sum()
}

fn weigh(value: &DeValue<'_>) -> usize {
    VALUE
        + match value {
            DeValue::String(text) => text.len(),
            DeValue::Table(table) => weight(table),
            DeValue::Array(items) => items.iter().map(|item| weigh(item.get_ref())).sum(),
            _ => 0,
        }
}

/// Overhead of a value beside its text, in bytes.
const VALUE: usize = 64;
