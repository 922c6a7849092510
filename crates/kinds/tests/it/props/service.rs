//! What serves: instances of the stack's groups, looked at whenever a program calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use drstack_core::budget::{AT_ONCE, PER_SECOND};
use drstack_sim::{Holder, Sim, World};
use jiff::Timestamp;

/// Seconds by which a change may be seen later than it was made where it is looked each second, with as much to spare.
const SEEN_LATE: f64 = 2.0;

/// Instances in service by group, none of which may get fewer. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Service(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// By id, what served at the beginning, without what was interrupted since.
    least: BTreeMap<String, u64>,
    dips: Vec<String>,
    /// What has to be there at each look: data, and what feeds it.
    stands: BTreeSet<String>,
    /// What all groups together have to serve, whichever they are.
    in_all: Option<u64>,
    /// By id, the size at the last look.
    sizes: BTreeMap<String, u64>,
    /// When groups were seen to have been raised, and by how many instances.
    raised: Vec<(Timestamp, u64)>,
}

impl Service {
    /// From here on. What serves beside what is wanted, while instances are exchanged, goes by itself.
    pub(crate) fn of(sim: &Sim) -> Self {
        let service = Self::default();
        let (mut least, wanted, sizes) = sim.see(|world| (serving(world), wanted(world), sizes(world)));
        least.iter_mut().for_each(|(group, least)| *least = wanted[group].min(*least));
        (service.seen().least, service.seen().sizes) = (least, sizes);
        service
    }

    /// From here on data and what feeds it has to stand, and as many instances to serve, whichever they are.
    pub(crate) fn of_all(sim: &Sim) -> Self {
        let service = Self::of(sim);
        let stands = sim.see(stands);
        let mut seen = service.seen();
        let in_all = std::mem::take(&mut seen.least).into_values().sum();
        (seen.stands, seen.in_all) = (stands, Some(in_all));
        drop(seen);
        service
    }

    /// So many instances of this group are gone, and not by anything that the program did.
    pub(crate) fn lost(&self, group: &str, count: u64) {
        if let Some(least) = self.seen().least.get_mut(group) {
            *least = least.saturating_sub(count);
        }
    }

    /// Whatever is called, and while nothing is.
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

    /// Demands that in no span of time more instances were asked for than the account may launch in it.
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

    /// Demands that nothing was ever fewer.
    pub(crate) fn expect_no_dip(&self) {
        assert_eq!(self.seen().dips, [""; 0], "fewer served than before");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }
}

/// The stack's data by what AWS calls it, and from where to where it is replicated.
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

/// Sizes of the stack's groups by id, as people count them.
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

/// Instances of the stack's groups by id.
pub(crate) fn serving(world: &World) -> BTreeMap<String, u64> {
    sums(world, &["on_demand", "spot"])
}

/// What is wanted of them.
fn wanted(world: &World) -> BTreeMap<String, u64> {
    sums(world, &["desired"])
}

fn sums(world: &World, fields: &[&str]) -> BTreeMap<String, u64> {
    let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    let ours = groups.filter(|(_, object)| matches!(object.owner, Holder::Stack { .. }));
    let sum = |object: &drstack_sim::Object| fields.iter().map(|it| object.live[*it].as_u64().unwrap()).sum();
    ours.map(|(id, object)| (id.clone(), sum(object))).collect()
}
