//! The world: all that the simulated cloud holds, as values, and the changes that can happen to it.

use std::collections::{BTreeMap, BTreeSet};

use drstack_core::address::Address;
use drstack_core::cloud::{Found, Owner};
use drstack_core::kind::Demand;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that exists. Times are milliseconds since the world began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// How old the world is.
    pub age: u64,
    /// How many programs have opened it.
    pub runs: u64,
    /// Resources by kind, region and id.
    pub objects: BTreeMap<String, BTreeMap<String, BTreeMap<String, Object>>>,
    /// Answers to facts by their key.
    pub facts: BTreeMap<String, Value>,
    /// Control buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Buckets that other accounts own, and which account does: it lets everybody in who does not ask whose they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, String>,
    /// Everything that was ever put there from the start, so that what has gone since does not come back.
    pub seeded: BTreeSet<String>,
    /// What the fields above say, turned round.
    #[serde(skip)]
    index: Index,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Whose it is.
    pub owner: Holder,
    /// What the cloud reports.
    pub live: Value,
    /// What it will report once the last thing done to it is finished, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Value>,
    /// When it was made.
    pub created: u64,
    /// When the last thing done to it is finished.
    pub ready: u64,
    /// The token it was made with; empty for what was there from the start.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Ids and names of what it holds on to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Instances it runs, by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, u32>,
    /// Those of them that make way for others, where any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<Exchange>>,
}

/// Instances that make way for others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// When its next step is done; of one that has stopped, when that was last so.
    pub next: u64,
    /// How long a launch takes.
    pub takes: u64,
    /// What is to serve, and what an instance of each type counts.
    pub wanted: Demand,
    /// The on-demand instances that still serve, by type.
    pub on_demand: BTreeMap<String, u32>,
}

impl Object {
    /// It was made by a call, and not put there from outside.
    pub(crate) fn is_made(&self) -> bool {
        !self.token.is_empty()
    }

    /// It was made by a call, and carries nobody's tags yet.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_made() && self.owner == Holder::Foreign
    }

    /// Ages at which it will be another one by itself, the next of each sort.
    pub(crate) fn due(&self) -> impl Iterator<Item = u64> {
        let then = self.then.is_some().then_some(self.ready);
        then.into_iter().chain(self.exchange.as_ref().map(|exchange| exchange.next))
    }
}

/// Whose a resource is, whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A drstack stack's.
    Stack {
        /// Its name.
        stack: String,
        /// The address it was made for.
        address: Address,
    },
    /// Tagged as a drstack stack's, by somebody else.
    Claimed {
        /// The name that its tag says.
        stack: String,
        /// The address that its tag says, where it says one.
        address: Option<Address>,
    },
    /// Somebody else's.
    Foreign,
    /// Nobody's: a setting on something of the user's.
    Setting,
}

impl Holder {
    /// As `stack` would say it.
    pub fn of(owner: &Owner, stack: &str) -> Self {
        match owner {
            Owner::Ours(address) => Self::Stack { stack: stack.to_owned(), address: address.clone() },
            Owner::Unproven(address) => Self::Claimed { stack: stack.to_owned(), address: address.clone() },
            // Whose address it has, only that stack knows.
            Owner::Stack(_) | Owner::Foreign => Self::Foreign,
            Owner::Setting => Self::Setting,
        }
    }

    /// As it looks to `asking`.
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
    /// Which stack made it.
    pub stack: String,
    /// Where.
    pub region: String,
    /// What is stored, by key.
    #[serde(default)]
    pub objects: BTreeMap<String, Body>,
}

/// What is stored under a key: text where it is text, so that a world can be read by people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Body {
    /// These bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Where a resource is in the world.
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

    /// As one text, for `seeded`.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}", self.region, self.kind, self.id)
    }
}

/// One thing that happened. Each says how something is afterwards, so that hearing it twice changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// A resource is so now.
    Put { key: Key, object: Box<Object> },
    /// A resource is gone.
    Drop(Key),
    /// A fact is so now.
    Fact { key: String, value: Value },
    /// A fact is gone.
    NoFact(String),
    /// Something was put there from the start.
    Seeded(String),
    /// An empty control bucket is there.
    Bucket { name: String, stack: String, region: String },
    /// A control bucket is gone, with all that is in it.
    NoBucket(String),
    /// Something is stored in a control bucket.
    Store { bucket: String, key: String, body: Body },
    /// Something is no longer stored there.
    Remove { bucket: String, key: String },
    /// A bucket belongs to this account.
    Account { bucket: String, account: String },
    /// A program opened the world, the how manieth.
    Run(u64),
}

#[derive(Clone, Debug, Default)]
struct Index {
    /// Resources of this id or name.
    ids: BTreeMap<String, BTreeSet<Key>>,
    /// Resources that hold on to this id or name.
    holders: BTreeMap<String, BTreeSet<Key>>,
}

impl PartialEq for Index {
    /// An index says nothing that the world itself does not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl World {
    pub(crate) fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(&key.kind)?.get(&key.region)?.get(&key.id)
    }

    /// All of one kind in one region.
    pub(crate) fn of_kind(&self, kind: &str, region: &str) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.get(kind).and_then(|regions| regions.get(region)).into_iter().flatten()
    }

    /// All resources.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, &Object)> {
        self.objects.iter().flat_map(|(kind, regions)| {
            regions.iter().flat_map(move |(region, objects)| {
                objects.iter().map(move |(id, object)| (Key::new(kind, region, id), object))
            })
        })
    }

    /// A resource as `stack` sees it.
    pub(crate) fn found(id: &str, object: &Object, stack: &str) -> Found {
        Found { id: id.to_owned(), owner: object.owner.seen_by(stack), live: object.live.clone() }
    }

    /// Resources that hold on to this one.
    ///
    /// A link is a bare id or name, and names repeat: a bucket, a role and a group may share one. Of several bearers of
    /// a name the one in the holder's own region is meant, and where that leaves more than one, none is accused.
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

    /// Makes `change` so.
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
            Change::NoBucket(name) => drop(self.buckets.remove(&name)),
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
