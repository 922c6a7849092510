//! Resource kinds: one AWS object each, pure half.
//!
//! A kind is written with its own `Spec` and `Live` ([`Kind`]); the core sees [`DynKind`]. [`Erased`] is the bridge.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sides::Copied;

/// Where a resource lives, seen from the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the primary region: only replication may be switched on here.
    Primary,
    /// In the standby region.
    Standby,
    /// In a service of the whole partition, such as IAM.
    Global,
}

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

impl FieldChange {
    /// A change that can be made in place, or `None` where both sides are equal.
    pub fn of<T: Serialize + PartialEq>(field: &str, from: &T, to: &T) -> Option<Self> {
        (from != to).then(|| Self { field: field.to_owned(), from: json(from), to: json(to), replace: false })
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

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Take it away.
    Delete,
}

/// One call a kind may make, for the permissions it needs and for the rule that a failover calls nothing that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Operation {
    /// IAM prefix of the service: `s3`, `ec2`.
    pub service: &'static str,
    /// IAM action: `CreateBucket`.
    pub action: &'static str,
}

impl Operation {
    /// Whether nobody calls it: other calls need it to be allowed.
    pub fn is_permission(&self) -> bool {
        matches!(
            (self.service, self.action),
            ("iam", "PassRole" | "CreateServiceLinkedRole")
                | ("ec2", "RunInstances")
                | ("logs", _)
                | ("s3", "AbortMultipartUpload" | "PutObjectAcl")
        )
    }

    /// Whether a step of this sort may make the call, by its name: what makes or takes away is not called to change.
    pub fn is_of(&self, action: Action) -> bool {
        let (makes, removes) = (self.action.starts_with("Create"), self.action.starts_with("Delete"));
        match action {
            Action::Create => !removes,
            Action::Update => {
                !makes && !removes || self.action == "CreateOrUpdateTags" || self.action == "CreateTags"
            }
            Action::Delete => !makes,
        }
    }

    /// Where the call ends that a dead region may take with it: for control planes that one region keeps for the whole partition.
    /// None for what stays in the region it is made in, and for permissions that other calls need and nobody calls.
    pub fn home(&self) -> Option<&'static str> {
        if self.is_permission() || !crate::calls::is_global(self.service, self.action) {
            return None;
        }
        Some(match self.service {
            "iam" => "IAM's control plane (us-east-1)",
            "route53" => "Route 53's control plane (us-east-1)",
            "s3" => "S3's bucket names (us-east-1)",
            _ => "a control plane of the whole partition",
        })
    }
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

    /// Instances of the best type that count `amount`.
    pub fn instances(&self, amount: u32) -> u32 {
        amount.div_ceil(self.types.first().map_or(1, |best| self.weight(best)))
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
    /// True for what a takeover leaves as it is, whatever mode active wants of it: it takes both regions. The first apply after a
    /// takeover brings it. Handing back begins with it where it switches traffic, else with undoing it.
    const AFTER_TAKEOVER: bool = false;
    /// What it has to do with data.
    const DATA: DataRole = DataRole::None;
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
    /// What the cloud would report under `id` had it done exactly this; preview and simulation use it.
    fn expect(spec: &Self::Spec, id: &str) -> Self::Live;
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
    /// The instances it is to run, for kinds that run any.
    fn demand(_spec: &Self::Spec) -> Option<Demand> {
        None
    }
    /// Instances that the cloud launches, at most, to make `live` what a takeover wants; all of them where nothing is known of what
    /// is there. Only so many at once as the account may launch ([`crate::budget::AT_ONCE`]).
    fn launches(_spec: &Self::Spec, _live: Option<&Self::Live>) -> u32 {
        0
    }
    /// What is wanted for now, where only `launches` instances may be launched beside `live`.
    fn up_to(spec: &Self::Spec, _live: Option<&Self::Live>, _launches: u32) -> Self::Spec {
        spec.clone()
    }
    /// The instances that serve, for kinds that run any.
    fn serving(_live: &Self::Live) -> Option<u32> {
        None
    }
    /// The data that it keeps in both regions, for kinds that copy any.
    fn copied(_spec: &Self::Spec) -> Option<Copied> {
        None
    }
}

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
    fn after_takeover(&self) -> bool;
    fn data(&self) -> DataRole;
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
    fn expect(&self, spec: &Value, id: &str) -> Result<Value, ShapeError>;
    fn expect_after(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
    fn during(&self, spec: &Value, id: &str, before: &Value) -> Result<Value, ShapeError>;
    fn short(&self, live: &Value, got: u32, why: &Shortage) -> Result<Option<Value>, ShapeError>;
    fn ladder(&self, spec: &Value) -> Result<Vec<Rung<Value>>, ShapeError>;
    fn ready(&self, spec: &Value, live: &Value) -> Result<Readiness, ShapeError>;
    fn outputs(&self, id: &str, live: &Value) -> Result<BTreeMap<String, String>, ShapeError>;
    fn links(&self, live: &Value) -> Result<Vec<String>, ShapeError>;
    fn prior(&self, action: Action) -> Duration;
    fn demand(&self, spec: &Value) -> Result<Option<Demand>, ShapeError>;
    fn launches(&self, spec: &Value, live: Option<&Value>) -> Result<u32, ShapeError>;
    fn up_to(&self, spec: &Value, live: Option<&Value>, launches: u32) -> Result<Value, ShapeError>;
    fn serving(&self, live: &Value) -> Result<Option<u32>, ShapeError>;
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError>;
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
    fn after_takeover(&self) -> bool {
        K::AFTER_TAKEOVER
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
        })
    }
    fn expect(&self, spec: &Value, id: &str) -> Result<Value, ShapeError> {
        Ok(json(&K::expect(&typed::<K, _>("spec", spec)?, id)))
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
    fn serving(&self, live: &Value) -> Result<Option<u32>, ShapeError> {
        Ok(K::serving(&typed::<K, _>("live", live)?))
    }
    fn copied(&self, spec: &Value) -> Result<Option<Copied>, ShapeError> {
        Ok(K::copied(&typed::<K, _>("spec", spec)?))
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
