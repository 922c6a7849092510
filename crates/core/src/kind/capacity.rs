//! Capability of kinds that run instances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bridge::{Erased, ShapeError, live, spec};
use super::{Kind, json};
use crate::link::Link;

/// Instances wanted from a region, or in service there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Instance types, best first.
    pub types: Vec<String>,
    /// Weight of an instance of each type, if it is not 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, u32>,
    /// Total number of instances, or their total weight.
    pub count: u32,
    /// Number or weight of the on-demand ones; the rest are spot.
    pub on_demand: u32,
}

impl Demand {
    /// Returns the weight of an instance of type `of`.
    pub fn weight(&self, of: &str) -> u32 {
        self.weights.get(of).copied().unwrap_or(1).max(1)
    }

    /// Returns the weight of these instances, given by type.
    pub fn weigh(&self, instances: &BTreeMap<String, u32>) -> u32 {
        let weights = instances.iter().map(|(of, count)| count.saturating_mul(self.weight(of)));
        weights.fold(0, u32::saturating_add)
    }

    /// Returns the number or weight of the spot ones.
    pub fn spot(&self) -> u32 {
        self.count.saturating_sub(self.on_demand)
    }

    /// Returns how many instances of the best type have the weight `amount`.
    pub fn instances(&self, amount: u32) -> u32 {
        amount.div_ceil(self.types.first().map_or(1, |best| self.weight(best)))
    }
}

/// Why there is less than was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The limit that was met.
    pub limit: Limit,
    /// Message of the cloud.
    pub message: String,
}

/// A limit on capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The region has none left.
    Capacity,
    /// A quota of the account.
    Quota,
    /// Neither waiting nor asking for less helps: a missing image or key.
    Never,
}

/// One rung of a fallback ladder: what is wanted instead if the cloud has no more to give.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung<S> {
    /// Its name in output: `spot for what on-demand lacks`.
    pub name: String,
    /// Spec of this rung.
    pub spec: S,
}

/// A kind that runs instances.
pub trait Capacity: Kind {
    /// The instances that `spec` wants.
    fn demand(spec: &Self::Spec) -> Demand;
    /// The subnets that the instances run in; none if it knows nothing of subnets.
    fn within(_spec: &Self::Spec) -> Vec<Link> {
        Vec::new()
    }
    /// Number of instances in service.
    fn serving(live: &Self::Live) -> u32;
    /// The instances in service by type and purchase option, in the numbers of [`Capacity::demand`]; `None` if the
    /// cloud does not say.
    fn bought(_live: &Self::Live) -> Option<Demand> {
        None
    }
    /// The same in the units of `spec`, which need not be those that `live` was made with.
    fn bought_as(_spec: &Self::Spec, live: &Self::Live) -> Option<Demand> {
        Self::bought(live)
    }
    /// Upper bound of the instances launched to bring `live` to `spec`; of all that `spec` wants if `live` is not
    /// known. An account may launch only so many at once ([`crate::budget::AT_ONCE`]).
    fn launches(_spec: &Self::Spec, _live: Option<&Self::Live>) -> u32 {
        0
    }
    /// `spec` limited to `launches` more instances than `live` has.
    fn up_to(spec: &Self::Spec, _live: Option<&Self::Live>, _launches: u32) -> Self::Spec {
        spec.clone()
    }
    /// Fallbacks for `spec`, in order, if the cloud has no more to give ([`super::Readiness::Short`]). They follow from
    /// the spec alone, so that a plan can show them.
    fn ladder(_spec: &Self::Spec) -> Vec<Rung<Self::Spec>> {
        Vec::new()
    }
    /// Instances that are on-demand although `spec` wants spot ones. They run until others serve in their place.
    fn left_on_demand(_spec: &Self::Spec, _live: &Self::Live) -> u32 {
        0
    }
    /// True if an interrupted failover may have left instances that no read shows. A failback then updates the resource
    /// although nothing differs.
    fn may_leave_unseen(_spec: &Self::Spec) -> bool {
        false
    }
    /// `spec` with what `live` runs on in the place of what it links to; `None` if the kind cannot tell. A failover raises
    /// what exists so if the tags of what it runs on are gone.
    fn as_it_runs(_spec: &Self::Spec, _live: &Self::Live) -> Option<Self::Spec> {
        None
    }
    /// `spec` in the units in which `live` counts what it runs; `None` if they are those of `spec`. While the standby region
    /// serves, nothing that runs may count for less than it does.
    fn counting_as(_spec: &Self::Spec, _live: &Self::Live) -> Option<Self::Spec> {
        None
    }
    /// `spec` with no less capacity than serves in `live`; `None` if it wants as much. Until the failback neither an apply
    /// nor a failover takes anything away from what serves.
    fn not_below(_spec: &Self::Spec, _live: &Self::Live) -> Option<Self::Spec> {
        None
    }
    /// The command with which an operator starts `N` instances in `region` without drstack.
    fn by_hand(spec: &Self::Spec, region: &str) -> String;
    /// For the simulator: the live value while an update of `before` is in progress.
    fn during(spec: &Self::Spec, id: &str, before: &Self::Live) -> Self::Live;
    /// For the simulator: `live` if only `got` of its instances can be launched; `None` if the cloud then refuses the
    /// change.
    fn short(_live: &Self::Live, _got: u32, _why: &Shortage) -> Option<Self::Live> {
        None
    }
    /// For the simulator: `live` once these numbers are in service.
    fn exchanged(live: &Self::Live, _on_demand: u32, _spot: u32) -> Self::Live {
        live.clone()
    }
}

/// [`Capacity`] with its types erased to JSON.
#[expect(missing_docs, reason = "each method is the one of the same name on `Capacity`")]
pub trait DynCapacity: Send + Sync {
    fn demand(&self, spec: &Value) -> Result<Demand, ShapeError>;
    fn within(&self, spec: &Value) -> Result<Vec<Link>, ShapeError>;
    fn serving(&self, live: &Value) -> Result<u32, ShapeError>;
    fn bought(&self, live: &Value) -> Result<Option<Demand>, ShapeError>;
    fn bought_as(&self, spec: &Value, live: &Value) -> Result<Option<Demand>, ShapeError>;
    fn launches(&self, spec: &Value, live: Option<&Value>) -> Result<u32, ShapeError>;
    fn up_to(&self, spec: &Value, live: Option<&Value>, launches: u32) -> Result<Value, ShapeError>;
    fn ladder(&self, spec: &Value) -> Result<Vec<Rung<Value>>, ShapeError>;
    fn left_on_demand(&self, spec: &Value, live: &Value) -> Result<u32, ShapeError>;
    fn may_leave_unseen(&self, spec: &Value) -> Result<bool, ShapeError>;
    fn as_it_runs(&self, spec: &Value, live: &Value) -> Result<Option<Value>, ShapeError>;
    fn counting_as(&self, spec: &Value, live: &Value) -> Result<Option<Value>, ShapeError>;
    fn not_below(&self, spec: &Value, live: &Value) -> Result<Option<Value>, ShapeError>;
    fn by_hand(&self, spec: &Value, region: &str) -> Result<String, ShapeError>;
    fn during(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
    fn short(&self, live: &Value, got: u32, why: &Shortage) -> Result<Option<Value>, ShapeError>;
    fn exchanged(&self, live: &Value, on_demand: u32, spot: u32) -> Result<Value, ShapeError>;
}

impl<K: Capacity> DynCapacity for Erased<K> {
    fn demand(&self, of: &Value) -> Result<Demand, ShapeError> {
        Ok(K::demand(&spec::<K>(of)?))
    }
    fn within(&self, of: &Value) -> Result<Vec<Link>, ShapeError> {
        Ok(K::within(&spec::<K>(of)?))
    }
    fn serving(&self, of: &Value) -> Result<u32, ShapeError> {
        Ok(K::serving(&live::<K>(of)?))
    }
    fn bought(&self, of: &Value) -> Result<Option<Demand>, ShapeError> {
        Ok(K::bought(&live::<K>(of)?))
    }
    fn bought_as(&self, as_of: &Value, of: &Value) -> Result<Option<Demand>, ShapeError> {
        Ok(K::bought_as(&spec::<K>(as_of)?, &live::<K>(of)?))
    }
    fn launches(&self, of: &Value, beside: Option<&Value>) -> Result<u32, ShapeError> {
        Ok(K::launches(&spec::<K>(of)?, perhaps::<K>(beside)?.as_ref()))
    }
    fn up_to(&self, of: &Value, beside: Option<&Value>, launches: u32) -> Result<Value, ShapeError> {
        Ok(json(&K::up_to(&spec::<K>(of)?, perhaps::<K>(beside)?.as_ref(), launches)))
    }
    fn ladder(&self, of: &Value) -> Result<Vec<Rung<Value>>, ShapeError> {
        let rungs = K::ladder(&spec::<K>(of)?).into_iter();
        Ok(rungs.map(|Rung { name, spec }| Rung { name, spec: json(&spec) }).collect())
    }
    fn left_on_demand(&self, wanted: &Value, of: &Value) -> Result<u32, ShapeError> {
        Ok(K::left_on_demand(&spec::<K>(wanted)?, &live::<K>(of)?))
    }
    fn may_leave_unseen(&self, of: &Value) -> Result<bool, ShapeError> {
        Ok(K::may_leave_unseen(&spec::<K>(of)?))
    }
    fn as_it_runs(&self, wanted: &Value, of: &Value) -> Result<Option<Value>, ShapeError> {
        Ok(K::as_it_runs(&spec::<K>(wanted)?, &live::<K>(of)?).map(|it| json(&it)))
    }
    fn counting_as(&self, wanted: &Value, of: &Value) -> Result<Option<Value>, ShapeError> {
        Ok(K::counting_as(&spec::<K>(wanted)?, &live::<K>(of)?).map(|it| json(&it)))
    }
    fn not_below(&self, wanted: &Value, of: &Value) -> Result<Option<Value>, ShapeError> {
        Ok(K::not_below(&spec::<K>(wanted)?, &live::<K>(of)?).map(|it| json(&it)))
    }
    fn by_hand(&self, of: &Value, region: &str) -> Result<String, ShapeError> {
        Ok(K::by_hand(&spec::<K>(of)?, region))
    }
    fn during(&self, of: &Value, id: &str, before: &Value) -> Result<Value, ShapeError> {
        Ok(json(&K::during(&spec::<K>(of)?, id, &live::<K>(before)?)))
    }
    fn short(&self, of: &Value, got: u32, why: &Shortage) -> Result<Option<Value>, ShapeError> {
        Ok(K::short(&live::<K>(of)?, got, why).map(|it| json(&it)))
    }
    fn exchanged(&self, of: &Value, on_demand: u32, spot: u32) -> Result<Value, ShapeError> {
        Ok(json(&K::exchanged(&live::<K>(of)?, on_demand, spot)))
    }
}

/// Reads a live value of kind `K`, if there is one.
fn perhaps<K: Kind>(value: Option<&Value>) -> Result<Option<K::Live>, ShapeError> {
    value.map(live::<K>).transpose()
}
