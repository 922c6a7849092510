//! Kinds with their types erased to JSON, as the core sees them, and the list of all that a build knows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::bridge::{Erased, ShapeError, live, spec};
use super::{
    Action, Capabilities, Demand, DynCapacity, DynCheck, DynKeepsName, DynReplication, DynRevised, DynStaged,
    DynTraffic, DynWitness, FieldChange, Halfway, Kind, Lookup, Operation, Place, Readiness, Role, Wait,
    json,
};
use crate::link::targets;

/// All that a live resource says beside its spec.
#[derive(Clone, Debug)]
pub struct Compared {
    /// [`Kind::diff`]
    pub changes: Vec<FieldChange>,
    /// [`Kind::ready`]
    pub ready: Readiness,
    /// [`Kind::outputs`]
    pub outputs: BTreeMap<String, String>,
    /// [`Kind::links`]
    pub links: Vec<String>,
}

/// A [`Kind`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the item of the same name on `Kind`")]
pub trait DynKind: Send + Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    fn lookup(&self) -> Lookup;
    fn places(&self) -> &'static [Place];
    fn role(&self) -> Role;
    fn wait(&self) -> Wait;
    fn operations(&self) -> &'static [Operation];
    fn capabilities(&self) -> Capabilities;
    /// All of [`Compared`] at once: reading spec and live is most of the work.
    fn compare(&self, spec: &Value, id: &str, live: &Value) -> Result<Compared, ShapeError>;
    fn diff(&self, spec: &Value, live: &Value) -> Result<Vec<FieldChange>, ShapeError>;
    fn expect(&self, spec: &Value, id: &str) -> Result<Value, ShapeError>;
    fn ready(&self, spec: &Value, live: &Value) -> Result<Readiness, ShapeError>;
    fn outputs(&self, id: &str, live: &Value) -> Result<BTreeMap<String, String>, ShapeError>;
    fn links(&self, live: &Value) -> Result<Vec<String>, ShapeError>;
    fn prior(&self, action: Action) -> Duration;
}

impl<'k> dyn DynKind + 'k {
    /// Operations that a step with `action` may call: what creates something is not called to update it.
    pub fn operations_of(&self, action: Action) -> Vec<Operation> {
        self.operations().iter().filter(|it| it.is_of(action)).copied().collect()
    }

    /// [`super::Capacity`], if it runs instances.
    pub fn capacity(&self) -> Option<&'static dyn DynCapacity> {
        self.capabilities().capacity
    }

    /// [`super::Replication`], if it keeps data in both regions.
    pub fn replication(&self) -> Option<&'static dyn DynReplication> {
        self.capabilities().replication
    }

    /// [`super::Traffic`], if it moves traffic between the regions.
    pub fn traffic(&self) -> Option<&'static dyn DynTraffic> {
        self.capabilities().traffic
    }

    /// [`super::Check`], if it is a check.
    pub fn check(&self) -> Option<&'static dyn DynCheck> {
        self.capabilities().check
    }

    /// [`super::Witness`], if it says which region serves.
    pub fn witness(&self) -> Option<&'static dyn DynWitness> {
        self.capabilities().witness
    }

    /// [`super::KeepsName`], if it can never be renamed.
    pub fn keeps_name(&self) -> Option<&'static dyn DynKeepsName> {
        self.capabilities().keeps_name
    }

    /// Returns the ids of what the live object carries traffic for: [`Capabilities::carries`].
    pub fn carried<'l>(&self, live: &'l Value) -> impl Iterator<Item = &'l str> {
        let field = self.capabilities().carries.and_then(|field| live.get(field)?.as_array());
        field.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Returns the addresses of what `spec` carries traffic for.
    pub fn carries<'s>(&self, spec: &'s Value) -> Vec<&'s str> {
        self.capabilities().carries.and_then(|field| spec.get(field)).map(targets).unwrap_or_default()
    }

    /// Number of instances in service; `None` for kinds that run none.
    ///
    /// # Errors
    /// A live value that does not have the kind's shape.
    pub fn serving(&self, live: &Value) -> Result<Option<u32>, ShapeError> {
        self.capacity().map(|it| it.serving(live)).transpose()
    }

    /// The instances in service by type and purchase option; `None` for kinds that run none.
    ///
    /// # Errors
    /// A live value that does not have the kind's shape.
    pub fn bought(&self, live: &Value) -> Result<Option<Demand>, ShapeError> {
        self.capacity().map_or(Ok(None), |it| it.bought(live))
    }

    /// States after each call of a creation but the last; empty if one call is enough.
    ///
    /// # Errors
    /// A spec that does not have the kind's shape.
    pub fn halfway(&self, spec: &Value, id: &str) -> Result<Vec<Halfway<Value>>, ShapeError> {
        self.capabilities().staged.map_or(Ok(Vec::new()), |it| it.halfway(spec, id))
    }

    /// True if what a creation began is known without tags: [`super::Staged::KEEPS_REFERENCE`].
    pub fn keeps_reference(&self) -> bool {
        self.capabilities().staged.is_some_and(DynStaged::keeps_reference)
    }

    /// Maximum number of updates of one change.
    pub fn rounds(&self) -> usize {
        self.capabilities().revised.map_or(1, DynRevised::rounds)
    }

    /// Outputs that an update may change.
    pub fn volatile(&self) -> &'static [&'static str] {
        self.capabilities().revised.map_or(&[], DynRevised::volatile)
    }

    /// The live value after an update of `before` to `spec`.
    ///
    /// # Errors
    /// A value that does not have the kind's shape.
    pub fn expect_after(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError> {
        match self.capabilities().revised {
            Some(revised) => revised.expect_after(spec, id, before),
            None => self.expect(spec, id),
        }
    }

    /// True if an unplanned failover leaves it as it is: [`Capabilities::needs_both_regions`].
    pub fn needs_both_regions(&self) -> bool {
        self.capabilities().needs_both_regions
    }

    /// True if it tells applications which region serves: it is a witness that runs no instances.
    pub fn tells_who_serves(&self) -> bool {
        self.witness().is_some() && self.capacity().is_none()
    }

    /// True if users find a region by it: [`Capabilities::leads_users`].
    pub fn leads_users(&self) -> bool {
        self.capabilities().leads_users
    }
}

impl<K: Kind> DynKind for Erased<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn summary(&self) -> &'static str {
        K::SUMMARY
    }
    fn lookup(&self) -> Lookup {
        K::LOOKUP
    }
    fn places(&self) -> &'static [Place] {
        K::PLACES
    }
    fn role(&self) -> Role {
        K::ROLE
    }
    fn wait(&self) -> Wait {
        K::WAIT
    }
    fn operations(&self) -> &'static [Operation] {
        K::OPERATIONS
    }
    fn capabilities(&self) -> Capabilities {
        K::CAPABILITIES
    }
    fn compare(&self, of: &Value, id: &str, found: &Value) -> Result<Compared, ShapeError> {
        let (spec, live) = (spec::<K>(of)?, live::<K>(found)?);
        Ok(Compared {
            changes: K::diff(&spec, &live),
            ready: K::ready(&spec, &live),
            outputs: K::outputs(id, &live),
            links: K::links(&live),
        })
    }
    fn diff(&self, of: &Value, found: &Value) -> Result<Vec<FieldChange>, ShapeError> {
        Ok(K::diff(&spec::<K>(of)?, &live::<K>(found)?))
    }
    fn expect(&self, of: &Value, id: &str) -> Result<Value, ShapeError> {
        Ok(json(&K::expect(&spec::<K>(of)?, id)))
    }
    fn ready(&self, of: &Value, found: &Value) -> Result<Readiness, ShapeError> {
        Ok(K::ready(&spec::<K>(of)?, &live::<K>(found)?))
    }
    fn outputs(&self, id: &str, found: &Value) -> Result<BTreeMap<String, String>, ShapeError> {
        Ok(K::outputs(id, &live::<K>(found)?))
    }
    fn links(&self, found: &Value) -> Result<Vec<String>, ShapeError> {
        Ok(K::links(&live::<K>(found)?))
    }
    fn prior(&self, action: Action) -> Duration {
        K::prior(action)
    }
}

/// Every kind a build knows, by name.
#[derive(Clone, Default)]
pub struct KindRegistry {
    kinds: BTreeMap<&'static str, &'static dyn DynKind>,
}

impl KindRegistry {
    /// A registry of these kinds.
    pub fn new(kinds: &[&'static dyn DynKind]) -> Self {
        Self { kinds: kinds.iter().map(|kind| (kind.name(), *kind)).collect() }
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&'static dyn DynKind> {
        self.kinds.get(name).copied()
    }

    /// Name of the kind that keeps texts ([`Capabilities::keeps_text`]); empty if there is none.
    pub fn text_keeper(&self) -> &'static str {
        self.iter().find(|it| it.capabilities().keeps_text).map(DynKind::name).unwrap_or_default()
    }

    /// Name of the kind whose objects are the same things as those of `kind` ([`Capabilities::same_as`]), if any.
    pub fn same_as(&self, kind: &str) -> Option<&'static str> {
        let names = |it: &&dyn DynKind| it.capabilities().same_as == Some(kind);
        let named = || self.iter().find(names).map(DynKind::name);
        self.get(kind)?.capabilities().same_as.or_else(named)
    }

    /// All kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn DynKind> + '_ {
        self.kinds.values().copied()
    }
}
