//! A stack without its files: all that compiling it needs, as data.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Declared, Stack, SyncLimits, check};
use crate::address::ComponentAddress;
use crate::cloud::Secrets;
use crate::component::{ComponentRegistry, DynComponent, StackFacts};
use crate::diagnostic::Sources;
use crate::keys::PublicKey;
use crate::objective::{Objective, Posture};

/// A [`Stack`] without its file positions and secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedStack {
    /// Name, regions, control bucket.
    pub facts: StackFacts,
    /// Posture of the stack.
    pub posture: Posture,
    /// Objective of the stack.
    pub objective: Objective,
    /// Key that must have signed its bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<PublicKey>,
    /// Components, with templates replaced and absolute references.
    pub components: BTreeMap<ComponentAddress, ResolvedComponent>,
    /// The `[sim]` table.
    pub sim: Value,
    /// [`Stack::hash`].
    pub hash: String,
}

/// One component of a resolved stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedComponent {
    /// Name of its kind.
    pub kind: String,
    /// Its table, in the shape of the kind's `Spec`; it holds only a hash of user data.
    pub spec: Value,
    /// Its posture.
    pub posture: Posture,
    /// Its objective.
    pub objective: Objective,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Components that it refers to.
    pub refers_to: BTreeSet<ComponentAddress>,
    /// Its checks, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<ResolvedComponent>,
}

/// Why this build cannot use a resolved stack.
#[derive(Debug, thiserror::Error)]
pub enum Unresolvable {
    /// The kind is unknown.
    #[error("`{address}` is of kind `{kind}`, which this drstack does not know")]
    Kind {
        /// The component.
        address: ComponentAddress,
        /// Its kind.
        kind: String,
    },
    /// The spec has another shape.
    #[error("`{address}` is not as this drstack knows its kind: {message}")]
    Spec {
        /// The component.
        address: ComponentAddress,
        /// The mismatch.
        message: String,
    },
    /// It refers to a missing component, or is part of a cycle.
    #[error("`{address}` refers to what it cannot refer to")]
    Reference {
        /// The component.
        address: ComponentAddress,
    },
    /// A name, region, control bucket or tier that no stack file may have.
    #[error("its name, regions, control bucket or tiers are none that a stack can have")]
    Unsound,
}

impl Stack {
    /// Converts the stack to data.
    pub fn resolve(&self) -> ResolvedStack {
        ResolvedStack {
            facts: self.facts.clone(),
            posture: self.posture,
            objective: self.objective,
            signing: self.signing.clone(),
            components: self
                .components
                .iter()
                .map(|(at, it)| (at.clone(), ResolvedComponent::of(it)))
                .collect(),
            sim: self.sim.clone(),
            hash: self.hash.clone(),
        }
    }
}

impl ResolvedStack {
    /// Returns what differs in `other`: fields of `[stack]`, `[stack] rto`, and addresses of
    /// components. Hashes do not count, since each stack states its own; nor does what a component
    /// has from a field of `[stack]` that is named already.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let fields = [
            ("name", self.facts.name != other.facts.name),
            ("primary", self.facts.primary != other.facts.primary),
            ("standby", self.facts.standby != other.facts.standby),
            ("control", self.facts.control != other.facts.control),
            ("permissions_boundary", self.facts.permissions_boundary != other.facts.permissions_boundary),
            ("posture", self.posture != other.posture),
            ("rto", self.objective.rto != other.objective.rto),
            ("rpo", self.objective.rpo != other.objective.rpo),
            ("tier", self.objective.tier != other.objective.tier),
            ("signing", self.signing != other.signing),
        ];
        let named = fields.into_iter().filter(|(_, differs)| *differs);
        let named: Vec<String> = named.map(|(field, _)| format!("[stack] {field}")).collect();
        let all: BTreeSet<&ComponentAddress> =
            self.components.keys().chain(other.components.keys()).collect();
        let changed = all.into_iter().filter(|at| self.own(at) != other.own(at));
        let changed: Vec<String> = changed.map(ToString::to_string).collect();
        named.into_iter().chain(changed).collect()
    }

    fn own(&self, at: &ComponentAddress) -> Option<Own<'_>> {
        self.components.get(at).map(|it| it.without_values_of(self))
    }
}

/// A component with what it does not have from its stack.
#[derive(PartialEq)]
struct Own<'a> {
    fields: (&'a str, &'a Value, &'a BTreeMap<String, String>, &'a BTreeSet<ComponentAddress>),
    posture: Option<Posture>,
    rto: Option<Option<SignedDuration>>,
    rpo: Option<Option<SignedDuration>>,
    tier: Option<u8>,
    checks: Vec<Own<'a>>,
}

impl ResolvedComponent {
    /// Leaves out each value that equals the one of `stack`: it may be inherited. Two stacks with
    /// the same head have the same components if these are equal.
    fn without_values_of(&self, stack: &ResolvedStack) -> Own<'_> {
        let (own, all) = (self.objective, stack.objective);
        Own {
            fields: (&self.kind, &self.spec, &self.tags, &self.refers_to),
            posture: Some(self.posture).filter(|it| *it != stack.posture),
            rto: Some(own.rto).filter(|it| *it != all.rto),
            rpo: Some(own.rpo).filter(|it| *it != all.rpo),
            tier: Some(own.tier).filter(|it| *it != all.tier),
            checks: self.checks.iter().map(|it| it.without_values_of(stack)).collect(),
        }
    }

    fn of(declared: &Declared) -> Self {
        Self {
            kind: declared.component.name().to_owned(),
            spec: declared.spec.clone(),
            posture: declared.posture,
            objective: declared.objective,
            tags: declared.tags.clone(),
            refers_to: declared.refers_to.clone(),
            checks: declared.checks.iter().map(Self::of).collect(),
        }
    }

    /// Restores the component; `component` decodes its kind.
    fn declare(
        self,
        address: &ComponentAddress,
        component: Option<&'static dyn DynComponent>,
        known: &BTreeSet<ComponentAddress>,
        registry: &ComponentRegistry,
    ) -> Result<Declared, Unresolvable> {
        let address = address.clone();
        let Some(component) = component.filter(|it| it.name() == self.kind) else {
            return Err(Unresolvable::Kind { address, kind: self.kind });
        };
        if let Err(error) = component.fits(&self.spec) {
            return Err(Unresolvable::Spec { address, message: error.to_string() });
        }
        if !self.refers_to.is_subset(known) {
            return Err(Unresolvable::Reference { address });
        }
        let checks =
            self.checks.into_iter().map(|it| it.declare(&address, registry.check(), known, registry));
        let checks = checks.collect::<Result<_, _>>()?;
        Ok(Declared {
            address,
            component,
            spec: self.spec,
            posture: self.posture,
            objective: self.objective,
            tags: self.tags,
            refers_to: self.refers_to,
            origin: Vec::new(),
            fields: BTreeMap::new(),
            checks,
        })
    }
}

impl ResolvedStack {
    /// Restores the stack, without file positions and secrets.
    ///
    /// # Errors
    /// [`Unresolvable`]: another version made it, or it was edited wrongly.
    pub fn into_stack(self, registry: &ComponentRegistry) -> Result<Stack, Unresolvable> {
        let tier = |it: &Objective| (1..=3).contains(&it.tier);
        if !check::is_sound(&self.facts)
            || !tier(&self.objective)
            || !self.components.values().all(|it| tier(&it.objective))
        {
            return Err(Unresolvable::Unsound);
        }
        let known: BTreeSet<ComponentAddress> = self.components.keys().cloned().collect();
        let mut components = BTreeMap::new();
        for (address, it) in self.components {
            let component = registry.get(&it.kind);
            let declared = it.declare(&address, component, &known, registry)?;
            components.insert(address, declared);
        }
        if !check::cycles(&components).is_empty() {
            let address = components.into_keys().next().unwrap_or_else(|| ComponentAddress::new(""));
            return Err(Unresolvable::Reference { address });
        }
        Ok(Stack {
            facts: self.facts,
            posture: self.posture,
            objective: self.objective,
            signing: self.signing,
            components,
            moved: BTreeMap::new(),
            sync: SyncLimits::default(),
            sim: self.sim,
            hash: self.hash,
            secrets: Secrets::default(),
            sources: Sources::default(),
        })
    }
}
