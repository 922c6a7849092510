//! What serves: instances of the stack's groups, looked at whenever a program calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use drstack_sim::{Holder, Sim, World};

/// Instances in service by group, none of which may get fewer. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Service(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// By id, what served at the beginning, without what was interrupted since.
    least: BTreeMap<String, u64>,
    dips: Vec<String>,
}

impl Service {
    /// From here on.
    pub(crate) fn of(sim: &Sim) -> Self {
        let service = Self::default();
        service.seen().least = serving(&sim.world());
        service
    }

    /// So many instances of this group are gone, and not by anything that the program did.
    pub(crate) fn lost(&self, group: &str, count: u64) {
        if let Some(least) = self.seen().least.get_mut(group) {
            *least = least.saturating_sub(count);
        }
    }

    pub(super) fn look(&self, sim: &Sim) {
        let now = serving(&sim.world());
        let mut seen = self.seen();
        let at = drstack_core::cloud::Cloud::now(sim);
        let fewer =
            seen.least.iter().filter(|(group, least)| now.get(*group).copied().unwrap_or(0) < **least);
        let fewer: Vec<String> =
            fewer.map(|(group, least)| format!("{at} {group}: {:?} of {least}", now.get(group))).collect();
        seen.dips.extend(fewer);
    }

    /// Demands that nothing was ever fewer.
    pub(crate) fn expect_no_dip(&self) {
        assert_eq!(self.seen().dips, [""; 0], "fewer served than before");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }
}

/// Instances of the stack's groups by id.
pub(crate) fn serving(world: &World) -> BTreeMap<String, u64> {
    let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    let ours = groups.filter(|(_, object)| matches!(object.owner, Holder::Stack { .. }));
    let count = |object: &drstack_sim::Object, what: &str| object.live[what].as_u64().unwrap();
    ours.map(|(id, object)| (id.clone(), count(object, "on_demand") + count(object, "spot"))).collect()
}
