//! What cannot be made or changed now, and why.

use std::collections::BTreeSet;

use super::{Draft, Stays};
use crate::address::Address;
use crate::cloud::CloudError;
use crate::graph::Resource;
use crate::kind::{DynKind, Place};
use crate::objective::Mode;
use crate::observe::Owned;
use crate::plan::{Intent, Remark};

impl Draft<'_> {
    pub(super) fn waits_for_blocked(&mut self, resource: &Resource) -> bool {
        // The first by name, so that the report is deterministic.
        let Some(need) = resource.needed().filter(|need| self.blocked.contains(*need)).min() else {
            return false;
        };
        let text = match self.kinds.get(&resource.kind).is_some_and(|kind| kind.traffic().is_some()) {
            true => self.way_on(&resource.address, &[(need, None)]),
            false => {
                let is_silent = |it: &BTreeSet<String>| it.contains(need);
                let silent = self.report.silent.values_mut().find(|it| is_silent(it));
                silent.map(|it| it.insert(resource.address.to_string()));
                format!("it needs {need}")
            }
        };
        self.block(&resource.address, text);
        true
    }

    pub(super) fn block(&mut self, address: &Address, text: String) {
        self.blocked.insert(address.clone());
        self.report.blocked.push(Remark { address: address.to_string(), text });
    }

    /// Blocks a resource that could not be observed.
    pub(super) fn block_unseen(&mut self, address: &Address, error: &CloudError) {
        self.wait_for(error.silent_region(), address.as_str());
        self.block(address, format!("could not look: {error}; {}", error.hint()));
    }

    /// Takes note that `address` is blocked because `region` does not answer.
    pub(super) fn wait_for(&mut self, region: Option<&str>, address: &str) {
        if let Some(region) = region {
            self.report.silent.entry(region.to_owned()).or_default().insert(address.to_owned());
        }
    }

    /// True if another object of this address leads users to the standby region, or holds the data that it
    /// serves. It stays until the failback: a second one would have to be led back, too, or is empty.
    pub(super) fn serves_already(&mut self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        if (self.options.intent, self.options.mode) != (Intent::Converge, Mode::Active) {
            return false;
        }
        let what = match (kind.leads_users(), kind.role().holds_data() && resource.place == Place::Standby) {
            (true, _) => "leads users to",
            (false, true) => "holds data of",
            (false, false) => return false,
        };
        let is_same = |it: &&Owned| it.kind == kind.name() && it.address == resource.address;
        let Some(old) = self.seen.others.iter().find(is_same) else { return false };
        let (id, standby) = (&old.found.id, &self.stack.standby);
        let text = format!(
            "`{id}` {what} {standby} and stays until the failback: write its name again, fail back, and change it after that"
        );
        self.stays.push(Stays { kind, found: old.found.clone(), is_blocked: true });
        self.block(&resource.address, text);
        true
    }

    /// True if a failover would make what leads users to the standby region only if it was there before:
    /// the stack was applied with another name.
    pub(super) fn is_read_by_nothing(&mut self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        if !self.fails_over() || !kind.capabilities().is_read_elsewhere {
            return false;
        }
        let name = resource.known_name().unwrap_or_default();
        let text = format!(
            "`{name}` is not there, so nothing reads it that leads users: fail over with the name that the stack was applied with; where it was taken away, fail back once the primary answers"
        );
        self.block(&resource.address, text);
        true
    }
}
