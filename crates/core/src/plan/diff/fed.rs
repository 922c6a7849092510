//! What feeds data changes only once the data is there: until then it feeds what it did.
//!
//! Example: the role of a replication, which stops to allow the old copy when it allows the new one.

use std::collections::BTreeMap;

use super::Draft;
use crate::address::{Address, ComponentAddress};
use crate::cloud::Owner;
use crate::kind::{Action, Place, Role};
use crate::observe::Look;
use crate::plan::{Remark, StepId};

impl Draft<'_> {
    /// Lets changes of what feeds data wait for the data of its component; drops them where that cannot be made.
    pub(super) fn feed_what_is_there(&mut self) {
        let feeds = |id: &StepId| {
            let step = &self.steps[*id];
            let kind = self.kinds.get(&step.kind);
            step.action == Action::Update && kind.is_some_and(|kind| kind.role() == Role::Feed)
        };
        let changed: Vec<StepId> = (0..self.steps.len()).filter(feeds).collect();
        if changed.is_empty() {
            return;
        }
        let mut data: BTreeMap<ComponentAddress, Vec<&Address>> = BTreeMap::new();
        let in_standby = self.want.resources.values().filter(|it| it.place == Place::Standby);
        for resource in in_standby.filter(|it| self.holds_data(&it.kind)) {
            data.entry(resource.address.component()).or_default().push(&resource.address);
        }
        let made = self.steps.iter().enumerate().filter(|(_, step)| step.action == Action::Create);
        let made: BTreeMap<Address, StepId> = made.map(|(id, step)| (step.address.clone(), id)).collect();
        let is_others =
            |owner: &Owner| matches!(owner, Owner::Foreign | Owner::Stack(_) | Owner::Unproven(_));
        let is_there = |it: &Address| matches!(self.seen.seen.get(it), Some(Look::Present(found)) if !is_others(&found.owner));
        for id in changed {
            let address = self.steps[id].address.clone();
            let Some(data) = data.get(&address.component()) else { continue };
            if let Some(missing) = data.iter().find(|it| self.blocked.contains(**it) && !is_there(it)) {
                let text = format!("it stays as it is: it needs {missing}");
                self.out.insert(id);
                self.blocked.insert(address.clone());
                self.report.blocked.push(Remark { address: address.to_string(), text });
                continue;
            }
            self.steps[id].needs.extend(data.iter().filter_map(|it| made.get(*it)));
        }
        self.spread();
    }
}
