//! The instances in service of the stack's groups, counted whenever a program calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use drstack_core::budget::{AT_ONCE, PER_SECOND};
use drstack_sim::{Holder, Sim, World};
use jiff::Timestamp;

/// Seconds by which a change may be counted late: counts come each second, with as much to spare.
const SEEN_LATE: f64 = 2.0;

/// Instances in service by group, none of which may drop. Clones share the counts.
#[derive(Clone, Default)]
pub(crate) struct Service(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// By id, the instances in service at the beginning, less those interrupted since.
    least: BTreeMap<String, u64>,
    dips: Vec<String>,
    /// Data, and resources that feed it, which have to exist at each count.
    stands: BTreeSet<String>,
    /// The instances that all groups together have to serve.
    in_all: Option<u64>,
    /// By id, the size at the last count.
    sizes: BTreeMap<String, u64>,
    /// The moments at which a group was raised, with the number of instances.
    raised: Vec<(Timestamp, u64)>,
}

impl Service {
    /// Starts to count. Surplus instances of an exchange may end, so a group's desired size is its
    /// limit.
    pub(crate) fn of(sim: &Sim) -> Self {
        let service = Self::default();
        let (mut least, wanted, sizes) = sim.see(|world| (serving(world), wanted(world), sizes(world)));
        least.iter_mut().for_each(|(group, least)| *least = wanted[group].min(*least));
        (service.seen().least, service.seen().sizes) = (least, sizes);
        service
    }

    /// Starts to count. Data and what feeds it has to exist, and all groups together have to keep
    /// their instances.
    pub(crate) fn of_all(sim: &Sim) -> Self {
        let service = Self::of(sim);
        let stands = sim.see(stands);
        let mut seen = service.seen();
        let in_all = std::mem::take(&mut seen.least).into_values().sum();
        (seen.stands, seen.in_all) = (stands, Some(in_all));
        drop(seen);
        service
    }

    /// Records that this group lost instances for a reason outside the program.
    pub(crate) fn lost(&self, group: &str, count: u64) {
        if let Some(least) = self.seen().least.get_mut(group) {
            *least = least.saturating_sub(count);
        }
    }

    /// Counts each second, in addition to the counts at calls.
    pub(crate) async fn look_each_second(&self, sim: &Sim) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            self.look(sim);
        }
    }

    pub(super) fn look(&self, sim: &Sim) {
        let (now, sizes) = sim.see(|world| (serving(world), sizes(world)));
        let mut seen = self.seen();
        let at = drstack_core::cloud::Cloud::now(sim);
        let fewer =
            seen.least.iter().filter(|(group, least)| now.get(*group).copied().unwrap_or(0) < **least);
        let fewer: Vec<String> =
            fewer.map(|(group, least)| format!("{at} {group}: {:?} of {least}", now.get(group))).collect();
        seen.dips.extend(fewer);
        let (serves, now_stands) = (now.values().sum::<u64>(), sim.see(stands));
        let gone: Vec<String> =
            seen.stands.difference(&now_stands).map(|it| format!("{at} {it} is gone")).collect();
        seen.dips.extend(gone);
        if let Some(least) = seen.in_all.filter(|least| serves < *least) {
            seen.dips.push(format!("{at} {serves} of {least} serve"));
        }
        let before = |id: &str| seen.sizes.get(id).copied().unwrap_or(0);
        let raised: u64 = sizes.iter().map(|(id, size)| size.saturating_sub(before(id))).sum();
        if raised > 0 {
            seen.raised.push((at, raised));
        }
        seen.sizes = sizes;
    }

    /// Asserts that in no span of time more instances were requested than the account may launch in
    /// it.
    pub(crate) fn expect_within_budget(&self) {
        let raised = self.seen().raised.clone();
        for (first, (begin, _)) in raised.iter().enumerate() {
            let mut sum = 0;
            for (end, more) in &raised[first..] {
                sum += more;
                let span = end.duration_since(*begin).as_secs_f64() + SEEN_LATE;
                let most = f64::from(AT_ONCE) + span * f64::from(PER_SECOND);
                assert!(sum as f64 <= most, "{sum} launches in {span} s, {most} allowed: {raised:?}");
            }
        }
    }

    /// Asserts that no count dropped.
    pub(crate) fn expect_no_dip(&self) {
        assert_eq!(self.seen().dips, [""; 0], "fewer served than before");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }
}

/// Returns the stack's data by AWS's ids, and its replications with source and destination.
fn stands(world: &World) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (kind, _, id, object) in super::scene::objects(world) {
        if !matches!(object.owner, Holder::Stack { .. }) {
            continue;
        }
        match kind {
            "bucket" | "table-replica" | "table-import" | "image" => drop(all.insert(format!("{kind} {id}"))),
            "replication-rule" => {
                let from = id.split('/').next().unwrap_or_default();
                all.insert(format!("replication from {from} to {}", object.live["destination"]));
            }
            _ => {}
        }
    }
    all
}

/// Returns the sizes of the stack's groups by id, in usual instances.
fn sizes(world: &World) -> BTreeMap<String, u64> {
    let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    let ours = groups.filter(|(_, object)| matches!(object.owner, Holder::Stack { .. }));
    let size = |object: &drstack_sim::Object| {
        let usual = object.live["types"].as_array().and_then(|it| it.last()?.as_str()).unwrap_or_default();
        let unit = object.live["weights"][usual].as_u64().unwrap_or(1);
        object.live["desired"].as_u64().unwrap().div_ceil(unit)
    };
    ours.map(|(id, object)| (id.clone(), size(object))).collect()
}

/// Returns the instances in service of the stack's groups by id.
pub(crate) fn serving(world: &World) -> BTreeMap<String, u64> {
    sums(world, &["on_demand", "spot"])
}

/// Returns the desired sizes of the stack's groups by id.
fn wanted(world: &World) -> BTreeMap<String, u64> {
    sums(world, &["desired"])
}

fn sums(world: &World, fields: &[&str]) -> BTreeMap<String, u64> {
    let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    let ours = groups.filter(|(_, object)| matches!(object.owner, Holder::Stack { .. }));
    let sum = |object: &drstack_sim::Object| fields.iter().map(|it| object.live[*it].as_u64().unwrap()).sum();
    ours.map(|(id, object)| (id.clone(), sum(object))).collect()
}
