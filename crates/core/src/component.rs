//! Components: the entries of a stack file; pure.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Found, Secrets};
use crate::diagnostic::Severity;
use crate::diagnostic::codes::{CODES, Code};
use crate::facts::{FactQuery, Facts};
use crate::graph::Resource;
use crate::link::Link;
use crate::minimum::Minimum;
use crate::objective::{Mode, Objective, Posture};

/// A reference to a component of kind `T::NAME`, written `"@network.standby"`.
pub struct Ref<T> {
    /// Address of the component it names.
    pub target: ComponentAddress,
    kind: PhantomData<fn() -> T>,
}

/// The component kinds that a [`Ref`] can point to; implemented for every component.
pub trait RefTarget {
    /// The component kind: `network`.
    const NAME: &'static str;
}

impl<T: Component> RefTarget for T {
    const NAME: &'static str = <T as Component>::NAME;
}

impl<T> Ref<T> {
    /// Creates a reference to `target`, which the loader has made absolute.
    pub fn to(target: ComponentAddress) -> Self {
        Self { target, kind: PhantomData }
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self::to(self.target.clone())
    }
}

impl<T> std::fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}", self.target)
    }
}

impl<T> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("@{}", self.target))
    }
}

impl<'de, T: RefTarget> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wanted = T::NAME;
        let fail = || {
            serde::de::Error::custom(format_args!(
                "expected a reference such as `\"@{wanted}.NAME\"`, found `\"{text}\"`"
            ))
        };
        let target = text.strip_prefix('@').ok_or_else(fail)?;
        // The last `kind.name` pair is the component; a module may precede it.
        let mut parts = target.rsplit('.');
        let kind = parts.next().and(parts.next());
        if kind != Some(wanted) {
            return Err(fail());
        }
        Ok(Self::to(ComponentAddress::new(target)))
    }
}

impl<T: RefTarget> JsonSchema for Ref<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Ref_{}", T::NAME).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let wanted = T::NAME;
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^(@(module\\.[^.]+\\.)?[a-z-]+\\..+|.*\\$\\{{.*)$"),
            "description": format!("A reference to a `{wanted}` component: \"@{wanted}.NAME\" or \"@module.NAME.OUTPUT\""),
        })
    }
}

/// Facts about the stack that every component gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackFacts {
    /// Name of the stack.
    pub name: String,
    /// The primary region.
    pub primary: String,
    /// The standby region.
    pub standby: String,
    /// The control bucket.
    pub control: String,
    /// ARN of the managed policy that bounds the roles which the stack creates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
}

/// Context in which a component is compiled, beside its own spec.
pub struct CompileCx<'a> {
    /// The stack around it.
    pub stack: &'a StackFacts,
    /// Its address.
    pub address: &'a ComponentAddress,
    /// Its posture: its own, otherwise the stack's.
    pub posture: Posture,
    /// The mode: standby or active.
    pub mode: Mode,
    /// Epoch: rises at each change of mode; 0 before the first.
    pub epoch: u64,
    /// True for a planned failover, while the primary answers.
    pub planned: bool,
    /// The least capacity that the operator accepted for it in this failover.
    pub minimum: Option<Minimum>,
    /// Its objective: its own, otherwise the stack's.
    pub objective: Objective,
    /// Names of the sorts of components that the stack has.
    pub sorts: &'a BTreeSet<&'static str>,
    /// Texts that this run has read, by their hash. Nothing but a problem may follow from them: another run may not know
    /// them.
    pub secrets: &'a Secrets,
    /// Captured facts of the live regions.
    pub facts: &'a Facts,
    /// Exports of the components before it, among them all that it refers to.
    pub exports: &'a BTreeMap<ComponentAddress, Exports>,
    /// What components before it have made for all.
    pub shared: &'a Exports,
    /// Number of this check within its component, from 1; 0 for a component itself.
    pub check: usize,
}

impl CompileCx<'_> {
    /// Returns the export `name` of the component behind `reference`; empty if its compilation
    /// failed.
    pub fn export<T>(&self, reference: &Ref<T>, name: &str) -> Vec<Link> {
        self.exports.get(&reference.target).and_then(|exports| exports.get(name)).cloned().unwrap_or_default()
    }

    /// Returns the address of `resource` within this component.
    pub fn resource(&self, resource: &str) -> Address {
        Address::new(self.address, resource)
    }
}

/// Name under which every component exports its checks.
///
/// Resources that must not change before the component is known to be up come after its checks.
/// Nothing else does: a failing check of data must not hold back the capacity that others need.
pub const CHECKS: &str = "checks";

/// Values that a component exports, by name, to those that refer to it.
pub type Exports = BTreeMap<String, Vec<Link>>;

/// A problem with one field of a component, found while compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, `DR201`.
    pub code: &'static str,
    /// An error blocks; a warning does not.
    pub severity: Severity,
    /// The problem, with the arithmetic if there is any.
    pub message: String,
    /// The field; empty for the component as a whole.
    pub field: &'static str,
    /// Help, as an imperative sentence.
    pub help: String,
}

impl Problem {
    /// Creates an error about `field`.
    pub fn error(
        code: &'static str,
        field: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), field, help: help.into() }
    }

    /// Creates a warning about `field`.
    pub fn warning(
        code: &'static str,
        field: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, field, message, help) }
    }
}

/// Result of compiling a component.
#[derive(Debug, Default)]
pub struct ResourceSet {
    /// Resources, in the order in which they were added.
    pub resources: Vec<Resource>,
    /// Values that other components may use.
    pub exports: Exports,
    /// What it has made for all components after it, which need not refer to it.
    pub shared: Exports,
    /// Problems found.
    pub problems: Vec<Problem>,
    /// Notes for the plan's report: what is deliberately not done, and why.
    pub notes: Vec<String>,
    /// What is set on the followed object of the primary and not carried: a note of every plan.
    pub not_carried: Vec<String>,
}

impl ResourceSet {
    /// Adds a resource and returns its address.
    pub fn add(&mut self, resource: Resource) -> Address {
        let address = resource.address.clone();
        self.resources.push(resource);
        address
    }

    /// Exports `links` under `name` to components that refer to this one.
    pub fn export(&mut self, name: &str, links: Vec<Link>) {
        self.exports.insert(name.to_owned(), links);
    }

    /// Shares `links` under `name` with all components after this one; the first to share it counts.
    pub fn share(&mut self, name: &str, links: Vec<Link>) {
        self.shared.insert(name.to_owned(), links);
    }

    /// Reports an error about `field`.
    pub fn error(
        &mut self,
        code: &'static str,
        field: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::error(code, field, message, help));
    }

    /// Reports a warning about `field`.
    pub fn warn(
        &mut self,
        code: &'static str,
        field: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::warning(code, field, message, help));
    }
}

/// Initial content of the simulator's primary (or standby) region, from before drstack ran.
#[derive(Clone, Debug)]
pub enum Seed {
    /// A live resource, of a kind that drstack also manages.
    Resource {
        /// Kind name.
        kind: &'static str,
        /// Place of the resource.
        place: crate::kind::Place,
        /// The resource.
        found: Found,
    },
    /// The answer to a fact.
    Fact {
        /// The query.
        query: FactQuery,
        /// The answer.
        value: Value,
    },
}

/// A text that may hold secrets: a stack file has it in one of two fields, a spec has its hash, and only the run that read
/// it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretText {
    /// Field of the spec that holds the hash; not for stack files: `user_data_sha256`.
    pub hashed: &'static str,
    /// Field of a stack file with the text: `user_data`.
    pub field: &'static str,
    /// Field of a stack file with the path of a file that holds the text: `user_data_file`.
    pub file: &'static str,
    /// What it is, for people: `user data`.
    pub noun: &'static str,
    /// The service that takes it.
    pub service: &'static str,
    /// Maximum size in bytes that the service takes.
    pub most: usize,
    /// Hint for a text that is larger.
    pub help: &'static str,
}

/// A component kind, as written in a stack file; pure.
///
/// Assumes: `spec` passed its own deserialisation, and references exist. Guarantees: the same input
/// adds the same resources in the same order; nothing is added that the posture and mode do not
/// call for.
pub trait Component: Send + Sync + 'static {
    /// Its name in TOML: `[bucket.models]`.
    const NAME: &'static str;
    /// One-line summary for `drstack kinds`.
    const SUMMARY: &'static str;
    /// True if it runs instances, so that a failover may accept less than all of them (`--minimum`).
    const RUNS_INSTANCES: bool = false;
    /// Texts of its table that may hold secrets.
    const SECRETS: &'static [SecretText] = &[];
    /// Its diagnostics: the pages of `drstack explain`.
    const CODES: &'static [Code] = &[];
    /// Keys of its table, without those that every component has (`posture`, `rto`, `rpo`, `tier`,
    /// `tag`, `for_each`).
    type Spec: DeserializeOwned + Serialize + JsonSchema;

    /// Reports problems that do not depend on facts: `drstack validate` shows them, and nothing
    /// continues.
    fn check(_spec: &Self::Spec, _stack: &StackFacts, _posture: Posture, _out: &mut Vec<Problem>) {}
    /// Returns the facts that it needs before it can be compiled.
    fn facts(_spec: &Self::Spec, _stack: &StackFacts) -> Vec<FactQuery> {
        Vec::new()
    }
    /// Adds the resources that it needs for `cx.posture` and `cx.mode`, with their edges.
    fn compile(spec: &Self::Spec, cx: &CompileCx<'_>, out: &mut ResourceSet);
    /// Reports what it can tell only once the whole stack is compiled: `cx` has the exports of all components.
    fn review(_spec: &Self::Spec, _cx: &CompileCx<'_>, _out: &mut Vec<Problem>) {}
    /// Returns the program that it runs on drstack's host, with its arguments, if it is a check that runs one.
    fn command(_spec: &Self::Spec) -> Option<Vec<String>> {
        None
    }
    /// Returns the initial content of the simulator's regions, so that the stack runs without an
    /// account.
    fn seeds(_spec: &Self::Spec, _stack: &StackFacts, _address: &ComponentAddress) -> Vec<Seed> {
        Vec::new()
    }
}

/// A [`Component`] with its spec erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Component`")]
pub trait DynComponent: Send + Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    fn runs_instances(&self) -> bool;
    fn secrets(&self) -> &'static [SecretText];
    fn codes(&self) -> &'static [Code];
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
    /// Decodes one table of a stack file; the error carries the span of what is wrong.
    fn decode(&self, table: toml::de::ValueDeserializer<'_>) -> Result<Value, toml::de::Error>;
    /// Checks that `spec`, which `decode` did not make, has the shape of this type.
    fn fits(&self, spec: &Value) -> Result<(), serde_json::Error>;
    fn check(&self, spec: &Value, stack: &StackFacts, posture: Posture, out: &mut Vec<Problem>);
    fn facts(&self, spec: &Value, stack: &StackFacts) -> Vec<FactQuery>;
    fn compile(&self, spec: &Value, cx: &CompileCx<'_>, out: &mut ResourceSet);
    fn review(&self, spec: &Value, cx: &CompileCx<'_>, out: &mut Vec<Problem>);
    fn command(&self, spec: &Value) -> Option<Vec<String>>;
    fn seeds(&self, spec: &Value, stack: &StackFacts, address: &ComponentAddress) -> Vec<Seed>;
}

/// Bridge from [`Component`] to [`DynComponent`].
pub struct ErasedComponent<C>(PhantomData<fn() -> C>);

impl<C: Component> ErasedComponent<C> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);

    fn typed(spec: &Value) -> C::Spec {
        // A spec in JSON was made by `decode` of this type, or has passed `fits`.
        C::Spec::deserialize(spec).unwrap_or_else(|error| panic!("spec of {}: {error}", C::NAME))
    }
}

impl<C: Component> DynComponent for ErasedComponent<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn summary(&self) -> &'static str {
        C::SUMMARY
    }
    fn runs_instances(&self) -> bool {
        C::RUNS_INSTANCES
    }
    fn secrets(&self) -> &'static [SecretText] {
        C::SECRETS
    }
    fn codes(&self) -> &'static [Code] {
        C::CODES
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<C::Spec>()
    }
    fn decode(&self, table: toml::de::ValueDeserializer<'_>) -> Result<Value, toml::de::Error> {
        let spec = C::Spec::deserialize(table)?;
        serde_json::to_value(spec).map_err(serde::de::Error::custom)
    }
    fn fits(&self, spec: &Value) -> Result<(), serde_json::Error> {
        C::Spec::deserialize(spec).map(drop)
    }
    fn check(&self, spec: &Value, stack: &StackFacts, posture: Posture, out: &mut Vec<Problem>) {
        C::check(&Self::typed(spec), stack, posture, out);
    }
    fn facts(&self, spec: &Value, stack: &StackFacts) -> Vec<FactQuery> {
        C::facts(&Self::typed(spec), stack)
    }
    fn command(&self, spec: &Value) -> Option<Vec<String>> {
        C::command(&Self::typed(spec))
    }
    fn compile(&self, spec: &Value, cx: &CompileCx<'_>, out: &mut ResourceSet) {
        C::compile(&Self::typed(spec), cx, out);
    }
    fn review(&self, spec: &Value, cx: &CompileCx<'_>, out: &mut Vec<Problem>) {
        C::review(&Self::typed(spec), cx, out);
    }
    fn seeds(&self, spec: &Value, stack: &StackFacts, address: &ComponentAddress) -> Vec<Seed> {
        C::seeds(&Self::typed(spec), stack, address)
    }
}

/// The component kinds of a build, by name.
#[derive(Clone, Default)]
pub struct ComponentRegistry {
    components: BTreeMap<&'static str, &'static dyn DynComponent>,
    check: Option<&'static dyn DynComponent>,
}

impl ComponentRegistry {
    /// Creates a registry of these components.
    pub fn new(components: &[&'static dyn DynComponent]) -> Self {
        let components = components.iter().map(|component| (component.name(), *component)).collect();
        Self { components, check: None }
    }

    /// Adds checks to every component: `check` decodes and compiles `[[pool.inference.check]]`.
    #[must_use]
    pub fn with_checks(self, check: &'static dyn DynComponent) -> Self {
        Self { check: Some(check), ..self }
    }

    /// Returns the decoder and compiler of checks, if this build has any.
    pub fn check(&self) -> Option<&'static dyn DynComponent> {
        self.check
    }

    /// Returns the component kind of this name.
    pub fn get(&self, name: &str) -> Option<&'static dyn DynComponent> {
        self.components.get(name).copied()
    }

    /// Returns the codes of all diagnostics, sorted.
    pub fn codes(&self) -> Vec<&'static Code> {
        let of_components = self.iter().chain(self.check).flat_map(|it| it.codes());
        let mut all: Vec<_> = CODES.iter().chain(of_components).collect();
        all.sort_by_key(|(code, ..)| *code);
        all
    }

    /// Returns all component kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn DynComponent> + '_ {
        self.components.values().copied()
    }
}
