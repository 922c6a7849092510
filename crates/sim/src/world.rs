//! The world: everything in the simulated cloud as values, and the changes to it.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::Address;
use drstack_core::cloud::{Found, Owner};
use drstack_core::kind::Demand;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of the simulated cloud. Times are milliseconds since the world began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Age of the world.
    pub age: u64,
    /// Number of programs that have opened it.
    pub runs: u64,
    /// Resources by kind, region and id.
    pub objects: BTreeMap<String, BTreeMap<String, BTreeMap<String, Object>>>,
    /// Answers to facts by their key.
    pub facts: BTreeMap<String, Value>,
    /// Control buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Buckets of other accounts, with their owner. Such a bucket admits every call that does not
    /// name the expected owner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// All seeds that were ever planted, so that deleted ones do not come back.
    pub seeded: BTreeSet<String>,
    /// Reverse index of the fields above.
    #[serde(skip)]
    index: Index,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Owner.
    pub owner: Holder,
    /// Live value that the cloud reports.
    pub live: Value,
    /// Live value after the work in progress, if different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Value>,
    /// When it was created.
    pub created: u64,
    /// When the work in progress is done.
    pub ready: u64,
    /// Token of its creation; empty for seeds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Ids and names that it refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Instances it runs, by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, u32>,
    /// Its instances that are being exchanged, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<Exchange>>,
}

/// A gradual exchange of instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// When its next step is done; for a stopped exchange, when its last step was.
    pub next: u64,
    /// Duration of a launch.
    pub takes: u64,
    /// Desired instances, with the weight of each type.
    pub wanted: Demand,
    /// On-demand instances that still serve, by type.
    pub on_demand: BTreeMap<String, u32>,
}

impl Object {
    /// True if a call created it, rather than a seed or another tool.
    pub(crate) fn is_made(&self) -> bool {
        !self.token.is_empty()
    }

    /// True if a call created it and it has no tags yet.
    pub(crate) fn is_begun(&self) -> bool {
        let has_tags = !matches!(self.owner, Holder::Foreign | Holder::Claimed { address: None, .. });
        self.is_made() && !has_tags
    }

    /// Returns the ages at which it changes on its own, the next of each sort.
    pub(crate) fn due(&self) -> impl Iterator<Item = u64> {
        let then = self.then.is_some().then_some(self.ready);
        then.into_iter().chain(self.exchange.as_ref().map(|exchange| exchange.next))
    }
}

/// Owner of a resource, independent of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// Owned by a drstack stack.
    Stack {
        /// Name of the stack.
        stack: String,
        /// Address that it was created for.
        address: Address,
    },
    /// Tagged as a drstack stack's by another tool.
    Claimed {
        /// Stack name in its tag.
        stack: String,
        /// Address in its tag, if it has one.
        address: Option<Address>,
    },
    /// Owned by another tool or by the user.
    Foreign,
    /// Without owner: a setting on a resource of the user.
    Setting,
}

impl Holder {
    /// Converts the owner from the view of `stack`.
    pub fn of(owner: &Owner, stack: &str) -> Self {
        match owner {
            Owner::Ours(address) => Self::Stack { stack: stack.to_owned(), address: address.clone() },
            Owner::Unproven(address) => Self::Claimed { stack: stack.to_owned(), address: address.clone() },
            // Only the other stack knows its address.
            Owner::Stack(_) | Owner::Foreign => Self::Foreign,
            Owner::Setting => Self::Setting,
        }
    }

    /// Converts the owner to the view of the stack `asking`.
    pub fn seen_by(&self, asking: &str) -> Owner {
        match self {
            Self::Stack { stack, address } if stack == asking => Owner::Ours(address.clone()),
            Self::Claimed { stack, address } if stack == asking => Owner::Unproven(address.clone()),
            Self::Stack { stack, .. } | Self::Claimed { stack, .. } => Owner::Stack(stack.clone()),
            Self::Foreign => Owner::Foreign,
            Self::Setting => Owner::Setting,
        }
    }
}

/// A control bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Stack that created it.
    pub stack: String,
    /// Its region.
    pub region: String,
    /// Stored objects, by key.
    #[serde(default)]
    pub objects: BTreeMap<String, Body>,
}

/// A stored object: text if it is UTF-8, so that people can read a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// UTF-8 text.
    Text(String),
    /// Other bytes.
    Bytes(Vec<u8>),
}

impl Body {
    /// Converts these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Position of a resource in the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kind: String,
    pub(crate) region: String,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn new(kind: &str, region: &str, id: &str) -> Self {
        Self { kind: kind.to_owned(), region: region.to_owned(), id: id.to_owned() }
    }

    /// Returns the key as text, for `seeded`.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}", self.region, self.kind, self.id)
    }
}

/// One change. Each holds the new state, so that applying it twice changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// A resource has this state.
    Put { key: Key, object: Box<Object> },
    /// A resource was deleted.
    Drop(Key),
    /// A fact has this value.
    Fact { key: String, value: Value },
    /// A fact was removed.
    NoFact(String),
    /// A seed was planted.
    Seeded(String),
    /// An empty control bucket was created.
    Bucket { name: String, stack: String, region: String },
    /// A control bucket was deleted with its contents.
    NoBucket(String),
    /// An object was stored in a control bucket.
    Store { bucket: String, key: String, body: Body },
    /// An object was deleted from a control bucket.
    Remove { bucket: String, key: String },
    /// A bucket was given to this account.
    Account { bucket: String, account: String },
    /// A program opened the world, with this run number.
    Run(u64),
}

#[derive(Clone, Debug, Default)]
struct Index {
    /// Resources by id or name.
    ids: BTreeMap<String, BTreeSet<Key>>,
    /// Resources by the id or name that they refer to.
    holders: BTreeMap<String, BTreeSet<Key>>,
}

impl PartialEq for Index {
    /// An index adds nothing to the world that it is built from.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl World {
    pub(crate) fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(&key.kind)?.get(&key.region)?.get(&key.id)
    }

    /// Returns all resources of one kind in one region.
    pub(crate) fn of_kind(&self, kind: &str, region: &str) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.get(kind).and_then(|regions| regions.get(region)).into_iter().flatten()
    }

    /// Returns all resources.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, &Object)> {
        self.objects.iter().flat_map(|(kind, regions)| {
            regions.iter().flat_map(move |(region, objects)| {
                objects.iter().map(move |(id, object)| (Key::new(kind, region, id), object))
            })
        })
    }

    /// True if `stack` owns something in `region` that has this id.
    pub(crate) fn is_owned(&self, stack: &str, region: &str, id: &str) -> bool {
        let bearers = self.index.ids.get(id).into_iter().flatten().filter(|it| it.region == region);
        bearers.filter_map(|it| self.get(it)).any(|it| matches!(it.owner.seen_by(stack), Owner::Ours(_)))
    }

    /// Returns a resource as `stack` sees it.
    pub(crate) fn found(id: &str, object: &Object, stack: &str) -> Found {
        Found { id: id.to_owned(), owner: object.owner.seen_by(stack), live: object.live.clone() }
    }

    /// Returns the resources that refer to this one.
    ///
    /// A link is a bare id or name, and names repeat: a bucket, a role and a group may share one.
    /// Among several bearers of a name, the link means the one in the holder's own region. If more
    /// than one is left, none counts.
    pub(crate) fn held_by(&self, key: &Key) -> Vec<Key> {
        let bearers = self.index.ids.get(&key.id);
        let meant = |holder: &Key| {
            let near: Vec<&Key> = bearers
                .into_iter()
                .flatten()
                .filter(|bearer| bearer.region == holder.region && *bearer != holder)
                .collect();
            match near[..] {
                [] => bearers.is_some_and(|bearers| bearers.len() == 1),
                [only] => only == key,
                _ => false,
            }
        };
        self.index
            .holders
            .get(&key.id)
            .into_iter()
            .flatten()
            .filter(|holder| *holder != key && meant(holder))
            .cloned()
            .collect()
    }

    /// Applies `change`.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Put { key, object } => {
                self.unlink(&key);
                self.link(&key, &object.links);
                let regions = self.objects.entry(key.kind).or_default();
                regions.entry(key.region).or_default().insert(key.id, *object);
            }
            Change::Drop(key) => {
                self.unlink(&key);
                if let Some(objects) =
                    self.objects.get_mut(&key.kind).and_then(|regions| regions.get_mut(&key.region))
                {
                    objects.remove(&key.id);
                }
            }
            Change::Fact { key, value } => drop(self.facts.insert(key, value)),
            Change::NoFact(key) => drop(self.facts.remove(&key)),
            Change::Seeded(text) => drop(self.seeded.insert(text)),
            Change::Bucket { name, stack, region } => {
                let bucket = Bucket { stack, region, objects: BTreeMap::new() };
                self.buckets.entry(name).or_insert(bucket);
            }
            Change::NoBucket(name) => {
                self.buckets.remove(&name);
                self.remove_what_lies_in(&name);
            }
            Change::Store { bucket, key, body } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.objects.insert(key, body);
                }
            }
            Change::Remove { bucket, key } => {
                if let Some(bucket) = self.buckets.get_mut(&bucket) {
                    bucket.objects.remove(&key);
                }
            }
            Change::Account { bucket, account } => drop(self.accounts.insert(bucket, account)),
            Change::Run(runs) => self.runs = runs,
        }
    }

    /// Builds the index of a world that was read from a file.
    pub(crate) fn indexed(mut self) -> Self {
        let links: Vec<(Key, Vec<String>)> =
            self.all().map(|(key, object)| (key, object.links.clone())).collect();
        for (key, links) in links {
            self.link(&key, &links);
        }
        self
    }

    fn link(&mut self, key: &Key, links: &[String]) {
        self.index.ids.entry(key.id.clone()).or_default().insert(key.clone());
        for link in links {
            self.index.holders.entry(link.clone()).or_default().insert(key.clone());
        }
    }

    /// Removes the objects whose ids name `bucket` first or last: the exports in it.
    fn remove_what_lies_in(&mut self, bucket: &str) {
        let (first, last) = (format!("{bucket}/"), format!("/{bucket}"));
        let mut gone = Vec::new();
        for (kind, regions) in &self.objects {
            for (region, objects) in regions {
                let within = objects.keys().filter(|id| id.starts_with(&first) || id.ends_with(&last));
                gone.extend(within.map(|id| Key {
                    kind: kind.clone(),
                    region: region.clone(),
                    id: id.clone(),
                }));
            }
        }
        for key in gone {
            self.apply(Change::Drop(key));
        }
    }

    fn unlink(&mut self, key: &Key) {
        let links = self.get(key).map(|object| object.links.clone()).unwrap_or_default();
        if let Some(bearers) = self.index.ids.get_mut(&key.id) {
            bearers.remove(key);
        }
        for link in links {
            if let Some(holders) = self.index.holders.get_mut(&link) {
                holders.remove(key);
            }
        }
    }
}
