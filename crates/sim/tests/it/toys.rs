//! Toy kinds: enough of a shape to show what the sim does with each property of a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use drstack_core::address::Address;
use drstack_core::cloud::{Call, Cloud, CloudError, Found, Owner, Scope, Secrets};
use drstack_core::component::{Seed, StackFacts};
use drstack_core::facts::FactQuery;
use drstack_core::graph::Graph;
use drstack_core::kind::{
    Action, Capabilities, Capacity, Demand, Erased, FieldChange, Kind, KindRegistry, Lookup, Operation,
    Place, Role,
};
use drstack_core::link::Link;
use drstack_core::objective::Mode;
use drstack_core::observe::observe;
use drstack_core::plan::{Intent, Options, Plan, PlanReport};
use drstack_sim::{Sim, SimConfig};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A kind that is found by its tag. It may lie within another net, cannot change, and takes an hour
/// to create.
pub(crate) struct Net;

/// A kind that is found by its name. It links to a net, runs instances, and cannot change its
/// colour.
pub(crate) struct Group;

/// A setting on a group.
pub(crate) struct Setting;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NetSpec {
    pub(crate) cidr: String,
    #[serde(default)]
    pub(crate) within: Option<Link>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NetLive {
    pub(crate) id: String,
    pub(crate) cidr: String,
    #[serde(default)]
    pub(crate) within: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupSpec {
    pub(crate) net: Link,
    pub(crate) size: u32,
    #[serde(default)]
    pub(crate) colour: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupLive {
    pub(crate) net: String,
    pub(crate) size: u32,
    pub(crate) colour: String,
}

impl Kind for Net {
    const NAME: &'static str = "net";
    const SUMMARY: &'static str = "a network";
    const LOOKUP: Lookup = Lookup::Tag;
    const OPERATIONS: &'static [Operation] = &[];
    type Spec = NetSpec;
    type Live = NetLive;

    fn diff(spec: &NetSpec, live: &NetLive) -> Vec<FieldChange> {
        let within = spec.within.as_ref().map(|link| link.text().to_owned());
        let cidr = FieldChange::replacing("cidr", &live.cidr, &spec.cidr);
        cidr.into_iter().chain(FieldChange::replacing("within", &live.within, &within)).collect()
    }
    fn expect(spec: &NetSpec, id: &str) -> NetLive {
        let within = spec.within.as_ref().map(|link| link.text().to_owned());
        NetLive { id: id.to_owned(), cidr: spec.cidr.clone(), within }
    }
    fn links(live: &NetLive) -> Vec<String> {
        live.within.clone().into_iter().collect()
    }
    fn prior(action: Action) -> Duration {
        Duration::from_secs(if action == Action::Create { 3600 } else { 10 })
    }
}

impl Kind for Group {
    const NAME: &'static str = "group";
    const SUMMARY: &'static str = "a group of instances";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    const CAPABILITIES: Capabilities =
        Capabilities { capacity: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = GroupSpec;
    type Live = GroupLive;

    fn diff(spec: &GroupSpec, live: &GroupLive) -> Vec<FieldChange> {
        let size = FieldChange::of("size", &live.size, &spec.size);
        let colour = FieldChange::replacing("colour", &live.colour, &spec.colour);
        let net = FieldChange::of("net", &live.net.as_str(), &spec.net.text());
        size.into_iter().chain(colour).chain(net).collect()
    }
    fn expect(spec: &GroupSpec, _id: &str) -> GroupLive {
        GroupLive { net: spec.net.text().to_owned(), size: spec.size, colour: spec.colour.clone() }
    }
    fn links(live: &GroupLive) -> Vec<String> {
        vec![live.net.clone()]
    }
}

impl Capacity for Group {
    fn demand(spec: &GroupSpec) -> Demand {
        let types = vec!["g5.xlarge".to_owned()];
        Demand { types, weights: BTreeMap::new(), count: spec.size, on_demand: 0 }
    }
    fn serving(live: &GroupLive) -> u32 {
        live.size
    }
    fn by_hand(_spec: &GroupSpec, _region: &str) -> String {
        String::new()
    }
    fn during(spec: &GroupSpec, id: &str, _before: &GroupLive) -> GroupLive {
        Self::expect(spec, id)
    }
}

impl Kind for Setting {
    const NAME: &'static str = "setting";
    const SUMMARY: &'static str = "a setting on a group";
    const ROLE: Role = Role::Setting;
    const LOOKUP: Lookup = Lookup::Name;
    // An operation on a control plane of the whole partition, although the object lies in a region.
    const OPERATIONS: &'static [Operation] = &[Operation::new("s3", "CreateBucket").at("bucket names")];
    type Spec = BTreeMap<String, String>;
    type Live = BTreeMap<String, String>;

    fn diff(spec: &Self::Spec, live: &Self::Live) -> Vec<FieldChange> {
        FieldChange::of("value", &live.get("value"), &spec.get("value")).into_iter().collect()
    }
    fn expect(spec: &Self::Spec, _id: &str) -> Self::Live {
        spec.clone()
    }
    fn links(live: &Self::Live) -> Vec<String> {
        live.get("group").cloned().into_iter().collect()
    }
}

pub(crate) fn kinds() -> KindRegistry {
    KindRegistry::new(&[&Erased::<Net>::NEW, &Erased::<Group>::NEW, &Erased::<Setting>::NEW])
}

pub(crate) fn scope(stack: &str) -> Scope {
    Scope {
        stack: stack.into(),
        primary: "us-east-1".into(),
        standby: "us-west-2".into(),
        secrets: Arc::new(Secrets::default()),
    }
}

pub(crate) fn config(text: &str) -> SimConfig {
    SimConfig::from_toml(text).unwrap()
}

pub(crate) fn sim(text: &str) -> Sim {
    Sim::in_memory(config(text), kinds(), &scope("fleet"), Vec::new()).unwrap()
}

/// Returns a call for `toy.NAME/net`, or for the group or setting of that name.
pub(crate) fn call(kind: &str, name: &str) -> Call {
    let address = Address::parse(&format!("toy.{name}/{kind}")).unwrap();
    Call {
        scope: scope("fleet"),
        place: Place::Standby,
        token: drstack_core::cloud::sha256(address.as_str().as_bytes()),
        address,
        name: (kind != "net").then(|| name.to_owned()),
    }
}

pub(crate) fn net(cidr: &str) -> Value {
    json!({"cidr": cidr})
}

pub(crate) fn group(net: &str, size: u32) -> Value {
    json!({"net": net, "size": size})
}

pub(crate) async fn create(
    sim: &Sim,
    kind: &'static str,
    name: &str,
    spec: &Value,
) -> Result<Found, CloudError> {
    sim.create(kind, &call(kind, name), spec).await
}

pub(crate) async fn delete(sim: &Sim, kind: &'static str, name: &str, id: &str) -> Result<(), CloudError> {
    sim.delete(kind, &call(kind, name), id).await
}

pub(crate) async fn read(
    sim: &Sim,
    kind: &'static str,
    ids: &[&str],
) -> Vec<Result<Option<Found>, CloudError>> {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    sim.read(kind, &scope("fleet"), Place::Standby, &ids).await
}

/// Returns the seeds of a primary with one group, and the fact about it.
pub(crate) fn seeds(group: &str, capacity: u32) -> Vec<Seed> {
    let live = json!({"net": "net-of-the-user", "size": capacity, "colour": ""});
    let found = Found { id: group.to_owned(), owner: Owner::Foreign, live };
    let query = FactQuery::primary("group", group);
    vec![
        Seed::Resource { kind: "group", place: Place::Primary, found },
        Seed::Fact { query, value: json!({"capacity": capacity}) },
    ]
}

/// Plans to create `want`, or to destroy it.
pub(crate) async fn plan(sim: &Sim, want: &Graph, intent: Intent) -> (Plan, PlanReport) {
    let stack = StackFacts {
        name: "fleet".to_owned(),
        primary: "us-east-1".to_owned(),
        standby: "us-west-2".to_owned(),
        control: "acme".to_owned(),
        permissions_boundary: None,
    };
    let seen = observe(sim, &kinds(), &scope("fleet"), want).await;
    let options = Options { intent, mode: Mode::Standby, targets: vec![], delete_data: BTreeSet::new() };
    drstack_core::plan::plan(want, &seen, &kinds(), &stack, &options).unwrap()
}

/// Runs a future on a clock that costs no time.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    drstack_sim::runtime().unwrap().block_on(future)
}
