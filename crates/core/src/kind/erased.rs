//! Kinds with their types erased to JSON, as the core sees them, and the list of all that a build knows.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Action, DataRole, Demand, FieldChange, Halfway, Kind, Lookup, Operation, Place, Readiness, Rung,
    Shortage, Wait, Witness, json,
};
use crate::sides::Copied;

/// A spec or live value that does not have the shape its kind expects: a plan file or a world of another version.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {what} has an unexpected shape: {source}")]
pub struct ShapeError {
    /// The kind.
    pub kind: &'static str,
    /// `spec` or `live`.
    pub what: &'static str,
    /// What serde says.
    #[source]
    pub source: serde_json::Error,
}

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
    /// [`Kind::left_on_demand`]
    pub left_on_demand: u32,
}

/// A [`Kind`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Kind`")]
pub trait DynKind: Send + Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    fn lookup(&self) -> Lookup;
    fn places(&self) -> &'static [Place];
    fn is_setting(&self) -> bool;
    fn verifies(&self) -> bool;
    fn switches_traffic(&self) -> bool;
    fn after_failover(&self) -> bool;
    fn keeps_name(&self) -> bool;
    fn data(&self) -> DataRole;
    fn restored(&self) -> bool;
    fn wait(&self) -> Wait;
    fn rounds(&self) -> usize;
    fn volatile(&self) -> &'static [&'static str];
    fn operations(&self) -> &'static [Operation];
    /// Those of them that a step of this sort may make: what makes something is not called to change it.
    fn operations_of(&self, action: Action) -> Vec<Operation> {
        self.operations().iter().filter(|it| it.is_of(action)).copied().collect()
    }
    fn diff(&self, spec: &Value, live: &Value) -> Result<Vec<FieldChange>, ShapeError>;
    /// Several of these at once: reading spec and live is most of the work.
    fn compare(&self, spec: &Value, id: &str, live: &Value) -> Result<Compared, ShapeError>;
    fn under_its_name(&self, spec: &Value, id: &str, live: &Value) -> Result<Value, ShapeError>;
    fn expect(&self, spec: &Value, id: &str) -> Result<Value, ShapeError>;
    fn halfway(&self, spec: &Value, id: &str) -> Result<Vec<Halfway<Value>>, ShapeError>;
    fn expect_after(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
    fn during(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
    fn short(&self, live: &Value, got: u32, why: &Shortage) -> Result<Option<Value>, ShapeError>;
    fn ladder(&self, spec: &Value) -> Result<Vec<Rung<Value>>, ShapeError>;
    fn ready(&self, spec: &Value, live: &Value) -> Result<Readiness, ShapeError>;
    fn outputs(&self, id: &str, live: &Value) -> Result<BTreeMap<String, String>, ShapeError>;
    fn links(&self, live: &Value) -> Result<Vec<String>, ShapeError>;
    fn prior(&self, action: Action) -> Duration;
    fn holds(&self, spec: &Value) -> Result<Duration, ShapeError>;
    fn demand(&self, spec: &Value) -> Result<Option<Demand>, ShapeError>;
    fn launches(&self, spec: &Value, live: Option<&Value>) -> Result<u32, ShapeError>;
    fn up_to(&self, spec: &Value, live: Option<&Value>, launches: u32) -> Result<Value, ShapeError>;
    fn may_leave_unseen(&self, spec: &Value) -> Result<bool, ShapeError>;
    fn serving(&self, live: &Value) -> Result<Option<u32>, ShapeError>;
    fn bought(&self, live: &Value) -> Result<Option<Demand>, ShapeError>;
    fn exchanged(&self, live: &Value, on_demand: u32, spot: u32) -> Result<Value, ShapeError>;
    fn left_on_demand(&self, spec: &Value, live: &Value) -> Result<u32, ShapeError>;
    fn asks_service(&self, spec: &Value) -> Result<bool, ShapeError>;
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError>;
    fn witness(&self, id: &str, live: &Value) -> Result<Option<Witness>, ShapeError>;
}

/// The bridge from [`Kind`] to [`DynKind`]: `&Erased::<Bucket>::NEW`.
pub struct Erased<K>(PhantomData<fn() -> K>);

impl<K: Kind> Erased<K> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

fn typed<K: Kind, T: DeserializeOwned>(what: &'static str, value: &Value) -> Result<T, ShapeError> {
    T::deserialize(value).map_err(|source| ShapeError { kind: K::NAME, what, source })
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
    fn is_setting(&self) -> bool {
        K::SETTING
    }
    fn verifies(&self) -> bool {
        K::VERIFIES
    }
    fn switches_traffic(&self) -> bool {
        K::SWITCHES_TRAFFIC
    }
    fn after_failover(&self) -> bool {
        K::AFTER_FAILOVER
    }
    fn keeps_name(&self) -> bool {
        K::KEEPS_NAME
    }
    fn restored(&self) -> bool {
        K::RESTORED
    }
    fn data(&self) -> DataRole {
        K::DATA
    }
    fn wait(&self) -> Wait {
        K::WAIT
    }
    fn rounds(&self) -> usize {
        K::ROUNDS
    }
    fn volatile(&self) -> &'static [&'static str] {
        K::VOLATILE
    }
    fn operations(&self) -> &'static [Operation] {
        K::OPERATIONS
    }
    fn diff(&self, spec: &Value, live: &Value) -> Result<Vec<FieldChange>, ShapeError> {
        Ok(K::diff(&typed::<K, _>("spec", spec)?, &typed::<K, _>("live", live)?))
    }
    fn compare(&self, spec: &Value, id: &str, live: &Value) -> Result<Compared, ShapeError> {
        let (spec, live) = (typed::<K, _>("spec", spec)?, typed::<K, _>("live", live)?);
        Ok(Compared {
            changes: K::diff(&spec, &live),
            ready: K::ready(&spec, &live),
            outputs: K::outputs(id, &live),
            links: K::links(&live),
            left_on_demand: K::left_on_demand(&spec, &live),
        })
    }
    fn under_its_name(&self, spec: &Value, id: &str, live: &Value) -> Result<Value, ShapeError> {
        let (spec, live) = (typed::<K, _>("spec", spec)?, typed::<K, _>("live", live)?);
        Ok(json(&K::under_its_name(&spec, id, &live)))
    }
    fn expect(&self, spec: &Value, id: &str) -> Result<Value, ShapeError> {
        Ok(json(&K::expect(&typed::<K, _>("spec", spec)?, id)))
    }
    fn halfway(&self, spec: &Value, id: &str) -> Result<Vec<Halfway<Value>>, ShapeError> {
        let all = K::halfway(&typed::<K, _>("spec", spec)?, id);
        Ok(all.iter().map(|it| Halfway { tagged: it.tagged, live: json(&it.live) }).collect())
    }
    fn expect_after(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError> {
        Ok(json(&K::expect_after(&typed::<K, _>("spec", spec)?, id, &typed::<K, _>("live", before)?)))
    }
    fn during(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError> {
        Ok(json(&K::during(&typed::<K, _>("spec", spec)?, id, &typed::<K, _>("live", before)?)))
    }
    fn short(&self, live: &Value, got: u32, why: &Shortage) -> Result<Option<Value>, ShapeError> {
        Ok(K::short(&typed::<K, _>("live", live)?, got, why).map(|live| json(&live)))
    }
    fn ladder(&self, spec: &Value) -> Result<Vec<Rung<Value>>, ShapeError> {
        let rungs = K::ladder(&typed::<K, _>("spec", spec)?).into_iter();
        Ok(rungs.map(|Rung { name, spec }| Rung { name, spec: json(&spec) }).collect())
    }
    fn ready(&self, spec: &Value, live: &Value) -> Result<Readiness, ShapeError> {
        Ok(K::ready(&typed::<K, _>("spec", spec)?, &typed::<K, _>("live", live)?))
    }
    fn outputs(&self, id: &str, live: &Value) -> Result<BTreeMap<String, String>, ShapeError> {
        Ok(K::outputs(id, &typed::<K, _>("live", live)?))
    }
    fn links(&self, live: &Value) -> Result<Vec<String>, ShapeError> {
        Ok(K::links(&typed::<K, _>("live", live)?))
    }
    fn prior(&self, action: Action) -> Duration {
        K::prior(action)
    }
    fn holds(&self, spec: &Value) -> Result<Duration, ShapeError> {
        Ok(K::holds(&typed::<K, _>("spec", spec)?))
    }
    fn demand(&self, spec: &Value) -> Result<Option<Demand>, ShapeError> {
        Ok(K::demand(&typed::<K, _>("spec", spec)?))
    }
    fn launches(&self, spec: &Value, live: Option<&Value>) -> Result<u32, ShapeError> {
        let live = live.map(|live| typed::<K, _>("live", live)).transpose()?;
        Ok(K::launches(&typed::<K, _>("spec", spec)?, live.as_ref()))
    }
    fn up_to(&self, spec: &Value, live: Option<&Value>, launches: u32) -> Result<Value, ShapeError> {
        let live = live.map(|live| typed::<K, _>("live", live)).transpose()?;
        Ok(json(&K::up_to(&typed::<K, _>("spec", spec)?, live.as_ref(), launches)))
    }
    fn may_leave_unseen(&self, spec: &Value) -> Result<bool, ShapeError> {
        Ok(K::may_leave_unseen(&typed::<K, _>("spec", spec)?))
    }
    fn bought(&self, live: &Value) -> Result<Option<Demand>, ShapeError> {
        Ok(K::bought(&typed::<K, _>("live", live)?))
    }
    fn exchanged(&self, live: &Value, on_demand: u32, spot: u32) -> Result<Value, ShapeError> {
        Ok(json(&K::exchanged(&typed::<K, _>("live", live)?, on_demand, spot)))
    }
    fn left_on_demand(&self, spec: &Value, live: &Value) -> Result<u32, ShapeError> {
        Ok(K::left_on_demand(&typed::<K, _>("spec", spec)?, &typed::<K, _>("live", live)?))
    }
    fn serving(&self, live: &Value) -> Result<Option<u32>, ShapeError> {
        Ok(K::serving(&typed::<K, _>("live", live)?))
    }
    fn asks_service(&self, spec: &Value) -> Result<bool, ShapeError> {
        Ok(K::asks_service(&typed::<K, _>("spec", spec)?))
    }
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError> {
        Ok(K::copied(&typed::<K, _>("spec", spec)?))
    }
    fn witness(&self, id: &str, live: &Value) -> Result<Option<Witness>, ShapeError> {
        Ok(K::witness(id, &typed::<K, _>("live", live)?))
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

    /// All kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn DynKind> + '_ {
        self.kinds.values().copied()
    }
}
