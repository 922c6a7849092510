//! What cannot be made or changed now, and why.

use std::collections::BTreeSet;

use super::older::keeps_older;
use super::{Draft, Stays, names};
use crate::address::Address;
use crate::cloud::{CloudError, Found};
use crate::graph::Resource;
use crate::kind::{DynKind, Place};
use crate::objective::Mode;
use crate::observe::{Look, Owned};
use crate::plan::{Intent, Remark};

impl Draft<'_> {
    pub(super) fn waits_for_blocked(&mut self, resource: &Resource) -> bool {
        let blocked: Vec<&str> = resource.needed().filter(|need| self.blocked.contains(*need)).collect();
        // The first by name, so that the report is deterministic.
        let Some(need) = blocked.iter().min().copied() else { return false };
        let kind = self.kinds.get(&resource.kind);
        let is_check = kind.is_some_and(|kind| kind.check().is_some());
        if is_check && blocked.iter().all(|need| self.why_not_found(need).is_some()) {
            // It asks what is made of these: that exists, or it would be blocked as well.
            return false;
        }
        let text = match kind.is_some_and(|kind| kind.traffic().is_some()) {
            true => self.way_on(&resource.address, &[(need, None)]),
            false => {
                let is_silent = |it: &BTreeSet<String>| it.contains(need);
                let silent = self.report.silent.values_mut().find(|it| is_silent(it));
                silent.map(|it| it.insert(resource.address.to_string()));
                self.why_not_found(need).map_or_else(|| format!("it needs {need}"), str::to_owned)
            }
        };
        self.block(&resource.address, text);
        true
    }

    /// Returns why `need` does not exist, if it is found and never made.
    fn why_not_found(&self, need: &str) -> Option<&'static str> {
        let kind = self.kinds.get(&self.want.resources.get(need)?.kind)?;
        kind.capabilities().is_found.filter(|_| self.options.mode == Mode::Active)
    }

    /// True if nothing brings `resource` about once the standby region is to serve. What needs it says
    /// so: where that exists already, nobody misses it.
    pub(super) fn is_never_found(&self, resource: &Resource) -> bool {
        self.why_not_found(resource.address.as_str()).is_some()
    }

    pub(super) fn block(&mut self, address: &Address, text: String) {
        self.blocked.insert(address.clone());
        self.report.blocked.push(Remark { address: address.to_string(), text });
    }

    /// True if `resource` must be left alone because the primary fact behind it could not be
    /// captured.
    ///
    /// With an earlier answer the planner can keep the resource if it `is_as_wanted`; without one
    /// the desired state is unknown. Reported once per component.
    pub(super) fn lacks_its_fact(&mut self, resource: &Resource, is_as_wanted: bool) -> bool {
        let Some(lacking) = resource.lacking.as_ref().filter(|it| !(it.kept && is_as_wanted)) else {
            return false;
        };
        self.blocked.insert(resource.address.clone());
        let address = resource.address.component().to_string();
        let text = format!("left as it is: {}", lacking.text);
        let remark = Remark { address, text };
        if !self.report.blocked.contains(&remark) {
            self.wait_for(lacking.silent.as_deref(), &remark.address);
            self.report.blocked.push(remark);
        }
        true
    }

    /// True if a failover leaves `resource`, which exists, as it is although its fact is not known: it is
    /// data.
    pub(super) fn stays_as_data(&mut self, resource: &Resource) -> bool {
        let stays = self.fails_over() && resource.lacking.is_some() && self.holds_data(&resource.kind);
        self.report.unchanged += usize::from(stays);
        stays
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
    /// serves. It stays until the failback, and the failback compares it: a second one would have to be led back, too,
    /// or is empty.
    pub(super) fn serves_already(&mut self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        let holds_data = kind.role().holds_data() && resource.place == Place::Standby;
        let what = match (self.options.intent, self.options.mode) {
            (Intent::Converge, Mode::Active) if kind.leads_users() => "leads users to",
            (Intent::Converge, Mode::Active) if holds_data => "holds data of",
            (Intent::Failback, _) if holds_data && !keeps_older(kind) => "holds data of",
            _ => return false,
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

    /// True if another resource of the stack keeps the name that `resource` would get: it had this address
    /// once.
    pub(super) fn is_name_taken(&mut self, kind: &'static dyn DynKind, resource: &Resource) -> bool {
        let is_unique = kind.keeps_name().is_some_and(|it| it.is_unique());
        let Some(name) = resource.known_name().filter(|_| is_unique) else { return false };
        let key = (kind.name(), resource.place, name);
        let Some((found, of)) = self.names.get_or_init(|| names::of(self.want, self.seen)).get(&key) else {
            return false;
        };
        if **of == resource.address {
            return false;
        }
        let text = self.taken_by(kind, found, of);
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
        // What was taken away alone is read again once it is there.
        let reads = |address: &Address, found: &Found| {
            let kind = self.want.resources.get(address).and_then(|it| self.kinds.get(&it.kind));
            kind.and_then(|kind| kind.links(&found.live).ok())
                .is_some_and(|all| all.iter().any(|it| it == name))
        };
        let mut present = self.seen.seen.iter().filter_map(|(address, look)| match look {
            Look::Present(found) => Some((address, found)),
            _ => None,
        });
        if present.any(|(address, found)| reads(address, found)) {
            return false;
        }
        let text = format!(
            "`{name}` is not there, so nothing reads it that leads users: fail over with the name that the stack was applied with; where it was taken away, fail back once the primary answers"
        );
        self.block(&resource.address, text);
        true
    }
}
