//! Order around carriers: route tables, and the endpoints that hang on them.
//!
//! What runs in a subnet refers to the subnet only, and needs its routes all the same. They are there
//! before it starts, and go after the last subnet, whose deletion AWS refuses while anything runs in
//! it.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::graph::Graph;
use crate::kind::Action;
use crate::link::targets;
use crate::plan::StepId;

impl Draft<'_> {
    /// Orders deletions of carriers, and of what hangs on them, after those of the carried.
    ///
    /// `holders` are steps on live objects, with the ids that these refer to.
    pub(super) fn carriers_last(&mut self, holders: &[(StepId, Vec<String>)]) {
        let carrying = std::mem::take(&mut self.carried);
        let mut hanging: BTreeMap<&str, Vec<StepId>> = BTreeMap::new();
        for (carrier, _) in &carrying {
            hanging.extend(self.steps[*carrier].id.as_deref().map(|id| (id, vec![*carrier])));
        }
        for (holder, links) in holders.iter().filter(|(it, _)| self.steps[*it].action == Action::Delete) {
            for link in links {
                if let Some(steps) = hanging.get_mut(link.as_str()) {
                    steps.push(*holder);
                }
            }
        }
        let mut needs: Vec<(StepId, Vec<StepId>)> = Vec::new();
        for (carrier, ids) in &carrying {
            let carried: Vec<StepId> =
                ids.iter().filter_map(|id| self.deletes.get(id)).flatten().copied().collect();
            let id = self.steps[*carrier].id.as_deref().unwrap_or_default();
            needs.extend(hanging.get(id).into_iter().flatten().map(|step| (*step, carried.clone())));
        }
        for (step, carried) in needs {
            self.steps[step].needs.extend(carried.into_iter().filter(|it| *it != step));
        }
    }

    /// Orders creations on the carried after the steps of this plan on their carriers, and on what
    /// hangs on those.
    ///
    /// They need not succeed: less may be reached, but a failover still starts what it can.
    pub(super) fn carriers_first(&mut self, want: &Graph) {
        let mut carried: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for carrier in want.resources.values() {
            let on =
                self.kinds.get(&carrier.kind).map(|kind| kind.carries(&carrier.spec)).unwrap_or_default();
            if !on.is_empty() {
                carried.insert(carrier.address.as_str(), on);
            }
        }
        let mut ways = BTreeSet::new();
        let mut before: BTreeMap<&str, Vec<StepId>> = BTreeMap::new();
        for resource in want.resources.values() {
            let itself = carried.get_key_value(resource.address.as_str()).map(|(it, _)| *it);
            // What links to it. A check only waits for it, and for capacity too.
            let links = targets(&resource.spec).into_iter();
            let hangs = links.filter_map(|it| carried.get_key_value(it)).map(|(it, _)| *it);
            for carrier in itself.into_iter().chain(hangs) {
                ways.insert(&resource.address);
                let Some(step) = self.ready_by.get(&resource.address) else { continue };
                for on in &carried[carrier] {
                    before.entry(on).or_default().push(*step);
                }
            }
        }
        for (address, resource) in want.resources.iter().filter(|(address, _)| !ways.contains(address)) {
            let Some(step) = self.ready_by.get(address).copied() else { continue };
            if self.steps[step].action != Action::Create {
                continue;
            }
            let steps = resource.needed().filter_map(|need| before.get(need)).flatten();
            let steps: BTreeSet<StepId> = steps.copied().collect();
            self.steps[step].after.extend(steps);
        }
    }
}
