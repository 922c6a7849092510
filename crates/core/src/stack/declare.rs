//! Last phase of loading: resolves references, decodes tables, refuses cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::decode::{At, Node, guess, keep, references};
use super::fields::{Field, fields};
use super::head::Own;
use super::load::{CHECK, COMMON, Loader, MOST_COLLECTED, Pending};
use super::member::MOST_WRITTEN_OUT;
use super::scope::{Unresolved, own, resolve};
use super::{Declared, check};
use crate::address::ComponentAddress;
use crate::component::{DynComponent, StackFacts};
use crate::diagnostic::Span;

/// Code of an unknown field.
const UNKNOWN_FIELD: &str = "DR005";

impl Loader<'_> {
    /// Returns all components; runs their own checks if the `[stack]` table is complete (`facts`).
    pub(super) fn finish(&mut self, facts: Option<&StackFacts>) -> BTreeMap<ComponentAddress, Declared> {
        self.outputs();
        self.passed();
        let mut declared = BTreeMap::new();
        for pending in std::mem::take(&mut self.pending) {
            if self.problems.len() > MOST_COLLECTED || self.written_out > MOST_WRITTEN_OUT {
                break;
            }
            if let Some(component) = self.declare(pending) {
                declared.insert(component.address.clone(), component);
            }
        }
        self.problems.extend(check::cycles(&declared));
        if let Some(facts) = facts {
            let all = declared.values().flat_map(|it| std::iter::once(it).chain(&it.checks));
            self.problems.extend(all.flat_map(|it| check::component(it, facts)));
        }
        declared
    }

    /// Reports module outputs that refer to nothing, used or not.
    fn outputs(&mut self) {
        for (name, scope) in &self.scopes {
            for output in scope.outputs.values() {
                let Some(target) = &output.target else { continue };
                if let Err(Unresolved::New(message, help)) = own(&self.scopes, name, target) {
                    self.problems.push(output.at.error("DR140", output.range.clone(), message, help));
                }
            }
        }
    }

    /// Reports references given to modules that refer to nothing, used or not.
    fn passed(&mut self) {
        for passed in self.scopes.values().flat_map(|scope| scope.passed.values()) {
            if let Err(Unresolved::New(message, help)) = resolve(&self.scopes, &passed.scope, &passed.target)
            {
                self.problems.push(passed.at.error("DR140", passed.range.clone(), message, help));
            }
        }
    }

    fn declare(&mut self, pending: Pending) -> Option<Declared> {
        let Pending { address, component, scope, at, header, mut table, own, mut refused, checks } = pending;
        let mut fields: BTreeMap<String, Span> =
            table.iter().map(|(key, value)| (key.get_ref().to_string(), at.span(value.span()))).collect();
        let before = self.problems.len();
        let checks = self.checked(&address, &scope, &at, &own, checks);
        fields.extend(own.fields);
        let meant = self.unknown(component, &mut table, &mut refused, &at);
        let values =
            meant.iter().filter_map(|key| Some((key.clone(), at.span(table.get(key.as_str())?.span()))));
        fields.extend(values);
        let mut refers_to = self.refers_to(component, &scope, &mut table, &mut refused, &at);
        let spec = self.spec(component, table, &header.range, (&mut refused, &meant), &at);
        // With unknown fields alone the rest is checked as if they were mended.
        let others = self.problems[before..].iter().any(|it| it.code != UNKNOWN_FIELD);
        if others || !refused.is_empty() {
            return None;
        }
        let mut origin = vec![header];
        origin.extend(at.used);
        let (posture, objective, tags) = (own.posture, own.objective, own.tags);
        // A check may refer to its own component; that is no cycle.
        let others = checks.iter().flat_map(|check| &check.refers_to).filter(|it| **it != address);
        refers_to.extend(others.cloned());
        let spec = spec?;
        Some(Declared {
            address,
            component,
            spec,
            posture,
            objective,
            tags,
            refers_to,
            origin,
            fields,
            checks,
        })
    }

    /// Declares the checks of the component at `address`, each like a component.
    fn checked(
        &mut self,
        address: &ComponentAddress,
        scope: &str,
        at: &At,
        own: &Own,
        checks: Vec<(Span, DeTable<'static>)>,
    ) -> Vec<Declared> {
        let Some(component) = self.components.check() else { return Vec::new() };
        let declared = checks.into_iter().filter_map(|(header, table)| {
            self.declare(Pending {
                address: address.clone(),
                component,
                scope: scope.to_owned(),
                at: at.clone(),
                header,
                table,
                own: Own {
                    posture: own.posture,
                    objective: own.objective,
                    tags: BTreeMap::new(),
                    fields: BTreeMap::new(),
                },
                refused: BTreeSet::new(),
                checks: Vec::new(),
            })
        });
        declared.collect()
    }

    /// Reports unknown fields. One that was probably mistyped gets the name that was meant, so that
    /// its value is checked too; the others are removed. Returns the names that were meant.
    fn unknown(
        &mut self,
        component: &'static dyn DynComponent,
        table: &mut DeTable<'static>,
        refused: &mut BTreeSet<String>,
        at: &At,
    ) -> BTreeSet<String> {
        let known = self.fields.entry(component.name()).or_insert_with(|| fields(component));
        // A check has no posture, tier and so on: it uses those of its component.
        let common = COMMON.iter().copied().filter(|_| component.name() != CHECK);
        let secrets = component.secrets();
        let own =
            known.keys().map(String::as_str).filter(|it| !secrets.iter().any(|secret| secret.hashed == *it));
        let all: Vec<&str> =
            own.chain(common).chain(secrets.iter().flat_map(|it| [it.field, it.file])).collect();
        let (mut mistyped, mut meant) = (Vec::new(), BTreeSet::new());
        for key in table.keys().filter(|key| !known.contains_key(key.get_ref().as_ref())) {
            let word = key.get_ref().as_ref();
            let help = match guess(word, all.iter().copied()) {
                Some(it) => {
                    match known.contains_key(it) {
                        _ if table.contains_key(it) => {}
                        true if meant.insert(it.to_owned()) => mistyped.push((key.clone(), it.to_owned())),
                        true => {}
                        // Fields that are read elsewhere, such as `posture`.
                        false => drop(refused.insert(it.to_owned())),
                    }
                    format!("did you mean `{it}`?")
                }
                None => format!("known here: {}", all.join(", ")),
            };
            let message = format!("`{}` has no field `{word}`", component.name());
            self.problems.push(at.error(UNKNOWN_FIELD, key.span(), message, help));
        }
        for (key, it) in mistyped {
            if let Some(value) = table.remove(key.get_ref().as_ref()) {
                table.insert(Spanned::new(key.span(), it.into()), value);
            }
        }
        keep(table, |key| known.contains_key(key));
        meant
    }

    /// Makes references absolute; removes fields with an invalid reference and marks them
    /// `refused`.
    fn refers_to(
        &mut self,
        component: &'static dyn DynComponent,
        scope: &str,
        table: &mut DeTable<'static>,
        refused: &mut BTreeSet<String>,
        at: &At,
    ) -> BTreeSet<ComponentAddress> {
        let mut refers_to = BTreeSet::new();
        let fields = self.fields.get(component.name());
        for (key, value) in table.iter_mut() {
            let mut found = Vec::new();
            references(value, &mut found);
            for reference in found {
                let span = reference.span();
                let text = reference.get_ref().as_str().unwrap_or_default();
                match resolve(&self.scopes, scope, text.strip_prefix('@').unwrap_or(text)) {
                    Ok(_)
                        if fields
                            .and_then(|it| it.get(key.get_ref().as_ref()))
                            .is_some_and(Field::is_plain) =>
                    {
                        refused.insert(key.get_ref().to_string());
                        let message = format!("`{}` takes no reference, and `{text}` is one", key.get_ref());
                        let help = "write the text itself; references begin with `@`".to_owned();
                        self.problems.push(at.error("DR009", span, message, help));
                    }
                    Ok(target) => {
                        *reference = Spanned::new(span, DeValue::String(format!("@{target}").into()));
                        refers_to.insert(target);
                    }
                    Err(problem) => {
                        refused.insert(key.get_ref().to_string());
                        if let Unresolved::New(message, help) = problem {
                            self.problems.push(at.error("DR140", span, message, help));
                        }
                    }
                }
            }
        }
        keep(table, |key| !refused.contains(key));
        refers_to
    }

    /// Decodes the table. Reports and removes a refused field, and tries the rest again.
    fn spec(
        &mut self,
        component: &'static dyn DynComponent,
        mut table: DeTable<'static>,
        header: &Range<usize>,
        (refused, meant): (&mut BTreeSet<String>, &BTreeSet<String>),
        at: &At,
    ) -> Option<Value> {
        loop {
            let node = Spanned::new(header.clone(), DeValue::Table(table.clone()));
            let error = match component.decode(ValueDeserializer::from(node)) {
                Ok(spec) => return Some(spec),
                Err(error) => error,
            };
            let place = error.span().filter(|span| !span.is_empty());
            let around = |value: &Node, span: &Range<usize>| {
                value.span().start <= span.start && span.end <= value.span().end
            };
            let key = place.as_ref().and_then(|span| {
                table.iter().find(|(_, value)| around(value, span)).map(|(key, _)| key.get_ref().to_string())
            });
            let (key, place) = match key {
                Some(key) => (Some(key), place),
                None => self.below(component, &table, header, &error),
            };
            let Some((key, (span, value))) = key.zip(place).and_then(|(key, span)| {
                let value = table.remove(key.as_str())?;
                Some((key, (span, value)))
            }) else {
                self.incomplete(component, &table, header, refused, at, error.message());
                return None;
            };
            // What does not fit was perhaps not meant.
            if !meant.contains(&key) {
                self.refuse(component, &key, &value, span, at, error.message());
            }
            refused.insert(key);
        }
    }

    /// Finds the field in a sub-table that the decoder refuses, since its error does not name it.
    fn below(
        &self,
        component: &'static dyn DynComponent,
        table: &DeTable<'static>,
        header: &Range<usize>,
        error: &toml::de::Error,
    ) -> (Option<String>, Option<Range<usize>>) {
        let is_table = |value: &DeValue<'_>| match value {
            DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
            other => other.is_table(),
        };
        let mends = |name: &str| {
            let mut rest = table.clone();
            rest.remove(name);
            let node = Spanned::new(header.clone(), DeValue::Table(rest));
            let after = component.decode(ValueDeserializer::from(node)).err();
            after.is_none_or(|after| after.message() != error.message())
        };
        let found = table.iter().find(|(key, value)| is_table(value.get_ref()) && mends(key.get_ref()));
        let Some((key, value)) = found else { return (None, None) };
        let within = error.span().filter(|span| !span.is_empty() && *span != *header);
        (Some(key.get_ref().to_string()), Some(within.unwrap_or_else(|| value.span())))
    }

    /// Reports the value of one field; `reason` is the decoder's error.
    fn refuse(
        &mut self,
        component: &'static dyn DynComponent,
        key: &str,
        value: &Node,
        span: Range<usize>,
        at: &At,
        reason: &str,
    ) {
        let text = self.sources.files.get(at.file).and_then(|(_, text)| text.get(value.span()));
        let templated = text.is_some_and(|text| text.contains("${"));
        let field = self.fields.get(component.name()).and_then(|fields| fields.get(key));
        let said =
            field.filter(|_| span == value.span()).and_then(|it| it.refusal(key, value.get_ref(), templated));
        let (message, help) = said.unwrap_or_else(|| {
            let help = format!("`drstack schema` describes every field of `{}`", component.name());
            (format!("`{key}`: {}", plainly(reason)), help)
        });
        self.problems.push(at.error("DR009", span, message, help));
    }

    /// Reports missing fields of the table; `reason` is the decoder's error.
    fn incomplete(
        &mut self,
        component: &'static dyn DynComponent,
        table: &DeTable<'static>,
        header: &Range<usize>,
        refused: &BTreeSet<String>,
        at: &At,
        reason: &str,
    ) {
        let name = component.name();
        let fields = self.fields.get(name);
        let is_missing = |field: &str| !table.contains_key(field) && !refused.contains(field);
        let missing = fields.into_iter().flatten().filter(|(field, it)| it.required && is_missing(field));
        let missing: Vec<String> = missing.map(|(field, _)| format!("`{field}`")).collect();
        let (message, help) = match missing.is_empty() {
            // A refused field is missing too, and has been reported.
            true if !refused.is_empty() => return,
            true => {
                (format!("`{name}`: {reason}"), format!("`drstack schema` describes every field of `{name}`"))
            }
            false => {
                let missing = missing.join(", ");
                (
                    format!("this `{name}` lacks {missing}"),
                    format!("add {missing}; `drstack schema` describes every field"),
                )
            }
        };
        self.problems.push(at.error("DR009", header.clone(), message, help));
    }
}

/// Rewrites the decoder's error for readers who do not know its types.
fn plainly(reason: &str) -> String {
    reason
        .replace("expected u16", "expected an integer from 0 to 65535")
        .replace("expected u32", "expected an integer from 0 to 4294967295")
        .replace("wanted string or table", "expected a string")
}
