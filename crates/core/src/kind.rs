//! Resource kinds: one AWS object each, pure half.
//!
//! A kind is written with its own `Spec` and `Live` ([`Kind`]); the core sees [`DynKind`]. [`Erased`] is the bridge.

mod erased;
mod operation;
mod place;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::sides::Copied;

pub use erased::{Compared, DynKind, Erased, KindRegistry, ShapeError};
pub use operation::{Action, Operation};
pub use place::Place;

/// How a live resource is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By the name it was given: its id is known before it exists.
    Name,
    /// By its `drstack:address` tag: AWS chooses its id. Observing lists what the stack owns.
    Tag,
}

/// What a resource has to do with data that must outlive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataRole {
    /// Nothing: it can be made again.
    None,
    /// It holds a copy of data; deleted only when named by `--delete-data`.
    Holds,
    /// It feeds a copy in the same component, and stays as long as that copy does.
    Feeds,
}

/// One field whose live value is not the wanted one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Path of the field within the spec, `versioning` or `tags.team`.
    pub field: String,
    /// What the cloud reports.
    pub from: Value,
    /// What is wanted.
    pub to: Value,
    /// True where AWS cannot change it in place, so that the resource has to be made again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// The field that [`FieldChange::of_address`] changes.
const ADDRESS: &str = "address";

impl FieldChange {
    /// A change that can be made in place, or `None` where both sides are equal.
    pub fn of<T: Serialize + PartialEq>(field: &str, from: &T, to: &T) -> Option<Self> {
        (from != to).then(|| Self { field: field.to_owned(), from: json(from), to: json(to), replace: false })
    }

    /// The address of what stands under another one now: its tags are rewritten, and nothing else of it.
    pub fn of_address(from: &Address, to: &Address) -> Self {
        let [from, to] = [from, to].map(|it| Value::from(it.as_str()));
        Self { field: ADDRESS.to_owned(), from, to, replace: false }
    }

    /// Whether it is such a change.
    pub fn is_of_address(&self) -> bool {
        self.field == ADDRESS
    }

    /// As [`FieldChange::of`], for a field that cannot be changed in place.
    pub fn replacing<T: Serialize + PartialEq>(field: &str, from: &T, to: &T) -> Option<Self> {
        Self::of(field, from, to).map(|change| Self { replace: true, ..change })
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Whether a resource that exists can be relied on yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can be relied on.
    Ready,
    /// Not yet; what it is waiting for, as people say it: `replica is CREATING`.
    Waiting(String),
    /// It will never be; what the cloud says about it.
    Failed(String),
    /// The region, or the account, has no more to give now: less than was wanted is there.
    Short(Shortage),
}

/// Less than was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// Whose limit it is.
    pub limit: Limit,
    /// What the cloud says.
    pub message: String,
}

/// Whose limit stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The region has none left.
    Capacity,
    /// The account may not have more.
    Quota,
    /// None that waiting or asking for less helps with: an image or a key that is not there.
    Never,
}

/// One rung of a ladder: what is wanted instead, where what was wanted is not to be had.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung<S> {
    /// As people say it: `spot for what on-demand lacks`.
    pub name: String,
    /// What is wanted on it.
    pub spec: S,
}

/// How long to wait until a resource is ready, and how often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Time after which waiting has failed.
    pub deadline: Duration,
    /// Time before the first look; each further one comes 1.5 times later, up to `slowest`.
    pub first: Duration,
    /// The longest time between two looks.
    pub slowest: Duration,
}

impl Wait {
    /// For objects that are there within seconds.
    pub const SHORT: Wait = Wait {
        deadline: Duration::from_secs(120),
        first: Duration::from_millis(250),
        slowest: Duration::from_secs(5),
    };
    /// For copies and replicas that take minutes to hours.
    pub const LONG: Wait = Wait {
        deadline: Duration::from_secs(6 * 3600),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(20),
    };
}

/// What a live resource says about which region serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The application may write in this region.
    Region(String),
    /// The mode has changed this many times.
    Epoch(u64),
    /// Traffic goes to the standby region.
    Traffic,
}

/// What a running group of instances asks of a region's capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Instance types, best first.
    pub types: Vec<String>,
    /// What an instance of each type counts, where that is not 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, u32>,
    /// Instances wanted in all, or what they are to count.
    pub count: u32,
    /// How many of them on-demand; the rest are spot.
    pub on_demand: u32,
}

impl Demand {
    /// What an instance of `type` counts.
    pub fn weight(&self, of: &str) -> u32 {
        self.weights.get(of).copied().unwrap_or(1).max(1)
    }

    /// How many of them on spot.
    pub fn spot(&self) -> u32 {
        self.count.saturating_sub(self.on_demand)
    }

    /// Instances of the best type that count `amount`.
    pub fn instances(&self, amount: u32) -> u32 {
        amount.div_ceil(self.types.first().map_or(1, |best| self.weight(best)))
    }
}

/// What stands between two calls of a creation that takes several.
#[derive(Clone, Debug, PartialEq)]
pub struct Halfway<L> {
    /// It carries its owner's tags by then. Before, nobody can tell whose it is.
    pub tagged: bool,
    /// What the cloud reports.
    pub live: L,
}

impl<L> Halfway<L> {
    /// What carries no tags yet.
    pub fn untagged(live: L) -> Self {
        Self { tagged: false, live }
    }

    /// What carries its tags, and is not as wanted yet.
    pub fn tagged(live: L) -> Self {
        Self { tagged: true, live }
    }
}

/// One AWS object, pure half.
///
/// Guarantees: `diff(spec, expect(spec, id))` is empty, and after a change no less; all functions are total and deterministic.
pub trait Kind: Send + Sync + 'static {
    /// Its name in addresses and output: `launch-template`.
    const NAME: &'static str;
    /// One line for `drstack kinds`.
    const SUMMARY: &'static str;
    /// How it is found again.
    const LOOKUP: Lookup;
    /// Where such resources can stand; what the stack owns is listed there.
    const PLACES: &'static [Place] = &[Place::Standby];
    /// True for a setting on something of the user's: [`crate::cloud::Owner::Setting`] owns it, it is never removed.
    const SETTING: bool = false;
    /// True for a check: it stands for something that has to hold, not for an object. Nobody looks for it and nobody owns it; each
    /// plan that names it makes it, and making it means to try until it holds.
    const VERIFIES: bool = false;
    /// True for what moves traffic from one region to the other.
    const SWITCHES_TRAFFIC: bool = false;
    /// True for what a failover leaves as it is, whatever mode active wants of it: it takes both regions. The first apply after a
    /// failover brings it. A failback begins with it where it switches traffic, else with undoing it. What switches traffic is part of
    /// a planned failover too, which has both regions.
    const AFTER_FAILOVER: bool = false;
    /// True for what is named after its address and can never be renamed: under another address it keeps the name that it has, and is
    /// found by its tag where nothing has the new name.
    const KEEPS_NAME: bool = false;
    /// What it has to do with data.
    const DATA: DataRole = DataRole::None;
    /// True for data that a failover restores from an export: [`crate::restored`] says from which.
    const RESTORED: bool = false;
    /// How long it may take to be ready.
    const WAIT: Wait = Wait::SHORT;
    /// Updates that one change may take, each once what the one before it did is ready: more than one for kinds that
    /// let go only once something else stands.
    const ROUNDS: usize = 1;
    /// Outputs that an update may change, so that whoever uses them is changed after it.
    const VOLATILE: &'static [&'static str] = &[];
    /// What its driver may call.
    const OPERATIONS: &'static [Operation];
    /// What is wanted. Links to other resources are [`crate::link::Link`]s.
    type Spec: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// What the cloud reports.
    type Live: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// The fields in which `live` is not what `spec` wants.
    fn diff(spec: &Self::Spec, live: &Self::Live) -> Vec<FieldChange>;
    /// `spec` with the name that the live object has, for kinds that keep theirs.
    fn under_its_name(spec: &Self::Spec, _id: &str, _live: &Self::Live) -> Self::Spec {
        spec.clone()
    }
    /// What the cloud would report under `id` had it done exactly this; preview and simulation use it.
    fn expect(spec: &Self::Spec, id: &str) -> Self::Live;
    /// What stands after each call of a creation but the last, for kinds that take several: a run may die at each. Simulation makes as many
    /// calls; what is left without tags is known as the stack's by the journal alone.
    fn halfway(_spec: &Self::Spec, _id: &str) -> Vec<Halfway<Self::Live>> {
        Vec::new()
    }
    /// The same after a change of what was `before`; for kinds that number their changes.
    fn expect_after(spec: &Self::Spec, id: &str, _before: &Self::Live) -> Self::Live {
        Self::expect(spec, id)
    }
    /// What the cloud reports while it changes `before`, for kinds of which that matters.
    fn during(spec: &Self::Spec, id: &str, before: &Self::Live) -> Self::Live {
        Self::expect_after(spec, id, before)
    }
    /// What the cloud reports where only `got` of the instances in `live` are to be had; `None` where it then refuses the change.
    fn short(_live: &Self::Live, _got: u32, _why: &Shortage) -> Option<Self::Live> {
        None
    }
    /// What is wanted in the place of `spec` where the cloud has no more to give ([`Readiness::Short`]), one rung after the
    /// other. It follows from the spec alone, so that a plan says it beforehand.
    fn ladder(_spec: &Self::Spec) -> Vec<Rung<Self::Spec>> {
        Vec::new()
    }
    /// Whether it can be relied on.
    fn ready(_spec: &Self::Spec, _live: &Self::Live) -> Readiness {
        Readiness::Ready
    }
    /// What other resources may use of it; always holds `id`.
    fn outputs(id: &str, _live: &Self::Live) -> BTreeMap<String, String> {
        BTreeMap::from([("id".to_owned(), id.to_owned())])
    }
    /// Ids and names of other resources that the live one holds on to: it has to go before them.
    fn links(_live: &Self::Live) -> Vec<String> {
        Vec::new()
    }
    /// How long the action usually takes, until journals of real runs say better.
    fn prior(_action: Action) -> Duration {
        Duration::from_secs(2)
    }
    /// For how long, at most, a change holds on its way what it has come to, beside the time that it takes: for kinds that move traffic share
    /// by share. Whoever serves meanwhile goes on doing so.
    fn holds(_spec: &Self::Spec) -> Duration {
        Duration::ZERO
    }
    /// The instances it is to run, for kinds that run any.
    fn demand(_spec: &Self::Spec) -> Option<Demand> {
        None
    }
    /// Instances that the cloud launches, at most, to make `live` what a failover wants; all of them where nothing is known of what
    /// is there. Only so many at once as the account may launch ([`crate::budget::AT_ONCE`]).
    fn launches(_spec: &Self::Spec, _live: Option<&Self::Live>) -> u32 {
        0
    }
    /// What is wanted for now, where only `launches` instances may be launched beside `live`.
    fn up_to(spec: &Self::Spec, _live: Option<&Self::Live>, _launches: u32) -> Self::Spec {
        spec.clone()
    }
    /// Whether a failover that was cut off may have left something for it that no look shows: a failback goes there although nothing
    /// differs.
    fn may_leave_unseen(_spec: &Self::Spec) -> bool {
        false
    }
    /// The instances that serve, for kinds that run any.
    fn serving(_live: &Self::Live) -> Option<u32> {
        None
    }
    /// The same with their types and how they were bought, in the numbers of [`Kind::demand`].
    fn bought(_live: &Self::Live) -> Option<Demand> {
        None
    }
    /// What the cloud reports of `live` once these serve, in the same numbers; simulation uses it.
    fn exchanged(live: &Self::Live, _on_demand: u32, _spot: u32) -> Self::Live {
        live.clone()
    }
    /// The instances that serve on-demand where spot ones are wanted: nobody ends them before others serve in their place.
    fn left_on_demand(_spec: &Self::Spec, _live: &Self::Live) -> u32 {
        0
    }
    /// For checks: whether it asks what users ask, and not only the data behind that.
    fn asks_service(_spec: &Self::Spec) -> bool {
        false
    }
    /// The data that it keeps in both regions, for kinds that copy any.
    fn copied(_spec: &Self::Spec) -> Option<Copied> {
        None
    }
    /// What the live one says about which region serves, for kinds that say anything.
    fn witness(_id: &str, _live: &Self::Live) -> Option<Witness> {
        None
    }
}
