//! The order of a failover and of a failback, observed from the cloud: what is up when traffic
//! moves, and if traffic still arrives when capacity shrinks.
//!
//! The test reads from the stack what has to be up, and does not ask the program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use drstack_core::address::{Address, ComponentAddress};
use drstack_core::graph::Graph;
use drstack_core::stack::{Declared, Stack};
use drstack_sim::{Holder, Sim, World};
use serde_json::Value;

/// A condition that has to hold before traffic moves.
#[derive(Clone, Debug)]
enum Must {
    /// A group serves with at least this number of instances.
    Serve(Address, u64),
    /// A table is restored, or there as a replica that another posture has left.
    Hold(Address),
    /// A check has passed.
    Pass(Address),
}

/// Watches the changes of one command. Clones share the watch.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Watched>);

struct Watched {
    /// The conditions, by the address of what moves traffic; `None` for a failback.
    musts: Option<BTreeMap<Address, Vec<Must>>>,
    broken: Mutex<Vec<String>>,
}

impl Watch {
    /// Watches a failover that is to lead to `active`.
    pub(crate) fn failover(stack: &Stack, active: &Graph) -> Self {
        let switches = active.resources.values().filter(|it| it.kind == "traffic-switch");
        let musts = switches.map(|it| (it.address.clone(), musts(stack, active, &it.address.component())));
        Self(Arc::new(Watched { musts: Some(musts.collect()), broken: Mutex::default() }))
    }

    /// Watches a failback.
    pub(crate) fn failback() -> Self {
        Self(Arc::new(Watched { musts: None, broken: Mutex::default() }))
    }

    /// Checks a change that begins while the changes in `done` have ended well.
    pub(super) fn begins(&self, what: &str, done: &BTreeSet<String>, sim: &Sim) {
        let mut words = what.split(' ');
        let (Some(verb), Some(address)) = (words.next(), words.next().and_then(Address::parse)) else {
            return;
        };
        let broken = match &self.0.musts {
            Some(musts) => {
                let musts = musts.get(&address).into_iter().flatten();
                musts
                    .filter(|it| !sim.see(|world| it.is_kept(world, done)))
                    .map(|it| format!("{it:?}"))
                    .collect()
            }
            None if address.resource() == "group" && verb != "create" => sim.see(arrives),
            None => Vec::new(),
        };
        self.broken().extend(broken.into_iter().map(|why| format!("{verb} {address}: {why}")));
    }

    /// Asserts that the order was kept.
    pub(crate) fn expect_kept(&self) {
        assert_eq!(*self.broken(), [""; 0], "not yet up, or not yet left");
    }

    fn broken(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.broken.lock().unwrap()
    }
}

impl Must {
    fn is_kept(&self, world: &World, done: &BTreeSet<String>) -> bool {
        let of = |address: &Address| {
            let all = world.objects.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
            let mut ours =
                all.filter(|it| matches!(&it.owner, Holder::Stack { address: of, .. } if of == address));
            ours.next().map(|it| it.live.clone())
        };
        match self {
            Self::Serve(address, least) => {
                let count = |live: &Value, of: &str| live[of].as_u64().unwrap_or(0);
                of(address).is_some_and(|it| count(&it, "on_demand") + count(&it, "spot") >= *least)
            }
            Self::Hold(address) => {
                let other = Address::parse(&format!("{}/table-replica", address.component()));
                let there = of(address).or_else(|| of(&other?));
                there.is_some_and(|it| it["status"] == "ACTIVE")
            }
            Self::Pass(address) => done.contains(&format!("create {address}")),
        }
    }
}

/// Returns the conditions that `traffic` has to wait for: those it names, else all of its tier and
/// earlier tiers.
fn musts(stack: &Stack, active: &Graph, traffic: &ComponentAddress) -> Vec<Must> {
    let declared = &stack.components[traffic];
    let named = declared.spec.get("after").and_then(Value::as_array);
    let named: Option<BTreeSet<ComponentAddress>> =
        named.map(|all| all.iter().flat_map(|pool| read_by(stack, pool)).collect());
    let is_meant = |of: &Declared| match &named {
        Some(named) => named.contains(&of.address),
        None => of.objective.tier <= declared.objective.tier && of.component.name() != "traffic",
    };
    let resources =
        active.resources.values().filter(|it| is_meant(&stack.components[&it.address.component()]));
    let must = |it: &drstack_core::graph::Resource| match it.kind.as_str() {
        "group" => Some(Must::Serve(it.address.clone(), it.spec["failover"]["minimum"].as_u64().unwrap())),
        "table-import" => Some(Must::Hold(it.address.clone())),
        // Of the tables that a named pool reads, only restored ones count.
        "check" if named.is_none() || it.address.as_str().starts_with("pool.") => {
            Some(Must::Pass(it.address.clone()))
        }
        _ => None,
    };
    resources.filter_map(must).collect()
}

/// Returns a referenced pool, and the tables that it reads.
fn read_by(stack: &Stack, pool: &Value) -> Vec<ComponentAddress> {
    let address = |it: &Value| ComponentAddress::new(it.as_str().unwrap().trim_start_matches('@'));
    let pool = address(pool);
    let tables = stack.components[&pool].spec["tables"].as_array().into_iter().flatten().map(address);
    tables.chain([pool.clone()]).collect()
}

/// Returns the traffic switches that still lead traffic to the standby region.
fn arrives(world: &World) -> Vec<String> {
    let all = world.objects.get("traffic-switch").into_iter().flat_map(BTreeMap::values).flatten();
    // Settings have no owner tags; their names show that they are the stack's.
    let ours = all.filter(|(id, _)| id.starts_with("drstack-"));
    let on = ours.filter(|(_, it)| it.live["active"] == true || it.live["alarm"] == true);
    on.map(|(id, _)| format!("traffic arrives by {id}")).collect()
}
