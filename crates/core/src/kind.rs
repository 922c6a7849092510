//! Resource kinds: one AWS object each, pure half.
//!
//! A kind is written with its own `Spec` and `Live` ([`Kind`]) and its capabilities ([`Capabilities`]). The core sees
//! [`DynKind`]; [`Erased`] is the bridge.

mod bridge;
mod capability;
mod capacity;
mod check;
mod erased;
mod keeps_name;
mod operation;
mod place;
mod replication;
mod revised;
mod rights;
mod staged;
mod traffic;
mod witness;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;

pub use bridge::{Erased, ShapeError};
pub use capability::Capabilities;
pub use capacity::{Capacity, Demand, DynCapacity, Limit, Rung, Shortage};
pub use check::{Check, DynCheck};
pub use erased::{Compared, DynKind, KindRegistry};
pub use keeps_name::{DynKeepsName, KeepsName};
pub use operation::{Action, Operation, Side};
pub use place::Place;
pub use replication::{DynReplication, Replication};
pub use revised::{DynRevised, Revised};
pub use rights::{DynRights, Rights};
pub use staged::{DynStaged, Halfway, Staged};
pub use traffic::{DynTraffic, Traffic};
pub use witness::{DynWitness, Statement, Witness};

/// How a live resource is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By the name it was given: its id is known before it exists.
    Name,
    /// By its `drstack:address` tag: AWS chooses its id. Observing lists what the stack owns.
    Tag,
}

/// What a resource is to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An object that can be created again.
    Object,
    /// It holds a copy of data; deleted only if `--delete-data` names it.
    Data,
    /// As [`Role::Data`], for data that a failover restores from an export: [`crate::restored`] says from which.
    Restored,
    /// It feeds a copy of data in the same component, and stays as long as the copy does.
    Feed,
    /// A setting on something of the user's: [`crate::cloud::Owner::Setting`] owns it, and it is never removed.
    Setting,
}

impl Role {
    /// True if it holds a copy of data.
    pub fn holds_data(self) -> bool {
        matches!(self, Self::Data | Self::Restored)
    }
}

/// One field whose live value is not the wanted one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Path of the field within the spec, `versioning` or `tags.team`.
    pub field: String,
    /// What the cloud reports.
    pub from: Value,
    /// What is wanted.
    pub to: Value,
    /// True where AWS cannot change it in place, so that the resource has to be made again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    // Left out where it is false.
    #[schemars(extend("const" = true))]
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

impl Readiness {
    /// Returns what it lacks, as people say it; `None` if it is ready.
    pub fn lacks(self) -> Option<String> {
        match self {
            Self::Ready => None,
            Self::Waiting(text) | Self::Failed(text) => Some(text),
            Self::Short(shortage) => Some(shortage.message),
        }
    }
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
    /// For calls that are refused because something is still changing, and for reads that fail.
    ///
    /// Examples: a role that has not propagated yet (AWS says up to 90 s), a table that takes one
    /// replica update at a time, a throttled read of the lock.
    pub const SETTLE: Wait = Wait {
        deadline: Duration::from_secs(180),
        first: Duration::from_millis(500),
        slowest: Duration::from_secs(10),
    };
    /// For copies and replicas that take minutes to hours.
    pub const LONG: Wait = Wait {
        deadline: Duration::from_secs(6 * 3600),
        first: Duration::from_secs(1),
        slowest: Duration::from_secs(20),
    };
}

/// One AWS object, pure half.
///
/// Guarantees: `diff(spec, expect(spec, id))` is empty, and no less after an update; all functions are total and
/// deterministic. What only some kinds can do stands in [`Capabilities`].
pub trait Kind: Send + Sync + 'static {
    /// Its name in addresses and output: `launch-template`.
    const NAME: &'static str;
    /// One line for the reference.
    const SUMMARY: &'static str;
    /// How it is found again.
    const LOOKUP: Lookup;
    /// Where such resources can be; what the stack owns is listed there.
    const PLACES: &'static [Place] = &[Place::Standby];
    /// What it is to the stack.
    const ROLE: Role = Role::Object;
    /// How long it may take to be ready.
    const WAIT: Wait = Wait::SHORT;
    /// Calls that its driver may make.
    const OPERATIONS: &'static [Operation];
    /// What only some kinds can do.
    const CAPABILITIES: Capabilities = Capabilities::NONE;
    /// What is wanted. Links to other resources are [`crate::link::Link`]s.
    type Spec: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// What the cloud reports.
    type Live: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// The fields in which `live` differs from `spec`.
    fn diff(spec: &Self::Spec, live: &Self::Live) -> Vec<FieldChange>;
    /// The live value under `id` after a creation from `spec`; planning ahead and simulation use it.
    fn expect(spec: &Self::Spec, id: &str) -> Self::Live;
    /// If it can be relied on.
    fn ready(_spec: &Self::Spec, _live: &Self::Live) -> Readiness {
        Readiness::Ready
    }
    /// What other resources may use of it; always holds `id`.
    fn outputs(id: &str, _live: &Self::Live) -> BTreeMap<String, String> {
        BTreeMap::from([("id".to_owned(), id.to_owned())])
    }
    /// Ids and names of other resources that the live one uses: it is deleted before them.
    fn links(_live: &Self::Live) -> Vec<String> {
        Vec::new()
    }
    /// Usual duration of the action, until journals of real runs say better.
    fn prior(_action: Action) -> Duration {
        Duration::from_secs(2)
    }
}
