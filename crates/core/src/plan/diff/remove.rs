//! Deletes: orphans, destroyed resources and the old half of replacements.
//!
//! Data is kept unless the operator names it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::succession::Succession;
use super::{Draft, Reach, Stays, token};
use crate::address::Address;
use crate::cloud::{Found, Owner};
use crate::graph::{Graph, Resource};
use crate::kind::{Action, DynKind, FieldChange, Place, Role, ShapeError};
use crate::objective::Mode;
use crate::observe::{Look, Observed, Owned};
use crate::plan::{CONTROL, Intent, Remark, Step, StepId};

impl Draft<'_> {
    /// Deletes `owned`, except data and what feeds it; `apart` stays, since it is not targeted.
    pub(super) fn remove(&mut self, mut owned: Vec<&Owned>, apart: Vec<&Owned>) -> Result<(), ShapeError> {
        let renamed = self.renamed_ids();
        let is_renamed = |it: &Owned| {
            let one = self.kinds.same_as(it.kind).unwrap_or(it.kind);
            [it.kind, one].iter().any(|kind| renamed.contains(&((*kind).to_owned(), it.found.id.clone())))
        };
        owned.retain(|it| !self.is_adopted(it) && !is_renamed(it));
        // Data comes first: what feeds a copy that is kept is kept with it.
        let apart: Vec<&Owned> = apart.into_iter().filter(|it| self.holds_data(it.kind)).collect();
        apart.into_iter().for_each(|it| self.takes_its_feed_along(it));
        for owned in &owned {
            if self.holds_data(owned.kind) && !self.may_delete(&owned.address) {
                self.keep_data(owned);
            }
        }
        let mut all = self.succession(&owned)?;
        for (owned, succession) in owned.iter().zip(&mut all) {
            if let Some(why) = self.stays_with_data(owned) {
                *succession = Succession::Stays(why);
            }
        }
        self.stay_while_serving(&owned, &mut all);
        self.stay_while_held(&owned, &mut all)?;
        self.stay_with(&owned, &mut all)?;
        for (owned, succession) in owned.into_iter().zip(all) {
            let Some(kind) = self.kinds.get(owned.kind) else { continue };
            match succession {
                // Reported above, by `keep_data`.
                _ if self.holds_data(owned.kind) && !self.may_delete(&owned.address) => {}
                Succession::Stays(text) => {
                    self.stays.push(Stays { kind, found: owned.found.clone(), is_blocked: false });
                    self.report.kept.push(Remark { address: owned.address.to_string(), text });
                }
                Succession::After(steps) => {
                    let reason = self.reason_to_remove(owned);
                    self.name_what_serves(kind, owned)?;
                    let id = self.delete(kind, owned.place, &owned.address, &owned.found, reason, false)?;
                    self.steps[id].needs.extend(steps);
                    if self.holds_data(owned.kind) {
                        self.goes_last_of_its_component(id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Orders a deletion of data after all else that an apply makes of its component: what the data is
    /// kept in from now on, an export for example, may fail to be made.
    fn goes_last_of_its_component(&mut self, id: StepId) {
        let gone = &self.steps[id];
        // Under one name there is one of either: the new one comes after the old one.
        let takes_its_name = |it: &StepId| {
            let kind = self.steps[*it].kind.as_str();
            kind == gone.kind || self.kinds.same_as(kind) == Some(gone.kind.as_str())
        };
        let is_beside = |it: &StepId| {
            let step = &self.steps[*it];
            step.action != Action::Delete && step.address.component() == gone.address.component()
        };
        let beside = (0..self.steps.len()).filter(is_beside);
        let first: Vec<StepId> = beside
            .filter(|it| !self.in_front_of(vec![*it]).iter().any(|it| *it == id || takes_its_name(it)))
            .collect();
        self.steps[id].needs.extend(first);
    }

    /// Returns kind and id of what a step tags anew, found under its name: it is listed under its old
    /// address, too.
    fn renamed_ids(&self) -> BTreeSet<(String, String)> {
        let renamed = self.steps.iter().filter(|step| step.changes.iter().any(FieldChange::is_of_address));
        renamed.filter_map(|step| Some((step.kind.clone(), step.id.clone()?))).collect()
    }

    /// True if a desired resource uses it as it is: what the stack made once is handed over then.
    fn is_adopted(&self, owned: &Owned) -> bool {
        self.want.resources.values().any(|it| {
            let adopts = self.kinds.get(&it.kind).and_then(|kind| kind.capabilities().adopts);
            adopts == Some(owned.kind) && it.place == owned.place && it.known_name() == Some(&owned.found.id)
        })
    }

    /// While the standby region serves, an apply keeps what the stack no longer names, or names
    /// otherwise: to delete what is in use is an outage. Of what was renamed, the old goes after the
    /// new.
    fn stay_while_serving(&self, owned: &[&Owned], all: &mut [Succession]) {
        if (self.options.intent, self.options.mode) != (Intent::Converge, Mode::Active) {
            return;
        }
        let in_place: BTreeSet<&str> = self.stays.iter().map(|it| it.found.id.as_str()).collect();
        let serves =
            |owned: &Owned| self.holds_data(owned.kind) && in_place.contains(owned.found.id.as_str());
        let is_left = |owned: &Owned, succession: &Succession| {
            let alone = matches!(succession, Succession::After(steps) if steps.is_empty());
            let is_renamed = self.moved.now(&owned.address) != owned.address;
            alone || !is_renamed
        };
        for (owned, succession) in owned.iter().zip(all) {
            if is_left(owned, succession) || serves(owned) {
                let text = match self.holds_data(owned.kind) {
                    true => format!(
                        "{} serves, and it is data: it stays also after the failback",
                        self.stack.standby
                    ),
                    false => format!("{} serves: it goes once the stack is failed back", self.stack.standby),
                };
                *succession = Succession::Stays(text);
            }
        }
    }

    /// Keeps what a live resource refers to that no step of this plan changes: its successor is not
    /// in use yet.
    fn stay_while_held(&self, owned: &[&Owned], all: &mut [Succession]) -> Result<(), ShapeError> {
        // What cannot be looked at may refer to the older one still.
        let unseen = self
            .want
            .resources
            .values()
            .filter(|it| matches!(self.seen.seen.get(&it.address), Some(Look::Unknown(_))));
        let doubtful: BTreeSet<Address> = unseen.flat_map(Resource::needs).collect();
        let doubtful: Vec<&Resource> =
            doubtful.iter().filter_map(|address| self.want.resources.get(address)).collect();
        for (owned, succession) in owned.iter().zip(all) {
            let Some(kind) = self.kinds.get(owned.kind) else { continue };
            let mut names = kind.outputs(&owned.found.id, &owned.found.live)?.into_values();
            let is_held = self.held.contains(&owned.found.id) || names.any(|name| self.held.contains(&name));
            let is_held = is_held || doubtful.iter().any(|it| self.succeeds(it, owned));
            if is_held && matches!(succession, Succession::After(_)) {
                let text =
                    format!("`{}` is or may be in use, and what uses it is not changed now", owned.found.id);
                *succession = Succession::Stays(text);
            }
        }
        Ok(())
    }

    /// Returns why `owned` is deleted.
    fn reason_to_remove(&self, owned: &Owned) -> &'static str {
        if self.options.intent == Intent::Destroy {
            return "the stack is destroyed";
        }
        if self.want.resources.contains_key(&owned.address) {
            return "another one stands in its place";
        }
        if self.kinds.get(owned.kind).is_some_and(|kind| kind.role() == Role::Restored) {
            return "a failover restored it, and what was written to it since is nowhere else";
        }
        match self.moved.is_gone(&owned.address.component()) {
            true => "the stack no longer names it",
            false => "its component needs none in this posture and mode",
        }
    }

    /// Returns why `owned` is kept as long as the data of its component is.
    fn stays_with_data(&self, owned: &Owned) -> Option<String> {
        let feeds = self.kinds.get(owned.kind).is_some_and(|kind| kind.role() == Role::Feed);
        if feeds && self.kept_data.contains(owned.address.component().as_str()) {
            // The role that it works by is made for the new source.
            let is_wanted = self.want.resources.contains_key(&owned.address);
            let text = match is_wanted && self.options.intent != Intent::Destroy {
                true => {
                    "its component has another source now: what it fed is kept as it is, and gets nothing more"
                }
                false => "it still feeds data that is kept",
            };
            return Some(text.to_owned());
        }
        (feeds && self.unlisted_data).then(|| "it may feed data that could not be listed".to_owned())
    }

    pub(super) fn destroy(
        &mut self,
        want: &Graph,
        seen: &Observed,
        scope: &Reach<'_>,
    ) -> Result<(), ShapeError> {
        let (mut owned, mut apart): (Vec<Owned>, Vec<Owned>) =
            seen.others.iter().cloned().partition(|owned| self.is_target(&owned.address));
        for (address, look) in &seen.seen {
            let resource = &want.resources[address];
            match look {
                Look::Present(found) => match (&found.owner, self.kinds.get(&resource.kind)) {
                    (owner, Some(kind))
                        if matches!(owner, Owner::Ours(_))
                            || *owner == Owner::Foreign && self.seen.begun.contains(address) =>
                    {
                        if self.is_target(address) && !scope.contains(address) {
                            let text = format!("`{}` stays: what is no target uses it, too", found.id);
                            self.report.kept.push(Remark { address: address.to_string(), text });
                        }
                        let side = if scope.contains(address) { &mut owned } else { &mut apart };
                        side.push(Owned {
                            kind: kind.name(),
                            place: resource.place,
                            address: address.clone(),
                            found: found.clone(),
                        });
                    }
                    (Owner::Setting, Some(kind)) if scope.contains(address) => {
                        let whose = if resource.place == Place::Primary { " of the primary" } else { "" };
                        let (kind, id) = (kind.name(), &found.id);
                        let text = match self.goes_with_control(id) {
                            true => format!("{kind} of `{id}` goes with the control bucket"),
                            false => format!("{kind} of `{id}` stays as it is: a setting{whose}"),
                        };
                        self.report.kept.push(Remark { address: address.to_string(), text });
                    }
                    // It may be the copy that has lost its tags: what feeds it goes on.
                    (Owner::Unproven(_) | Owner::Foreign, Some(kind))
                        if kind.role().holds_data() && resource.place == Place::Standby =>
                    {
                        self.kept_data.insert(address.component().to_string());
                        if !scope.contains(address) {
                            continue;
                        }
                        let text = match found.owner {
                            Owner::Foreign => format!(
                                "`{}` has the name of the stack's copy and not its tags: it is left alone, and so is what feeds it",
                                found.id
                            ),
                            _ => self.left_alone(kind.name(), &found.id),
                        };
                        self.report.kept.push(Remark { address: address.to_string(), text });
                    }
                    (Owner::Foreign | Owner::Unproven(_), Some(kind)) if scope.contains(address) => {
                        self.leave_alone(kind, address, found);
                    }
                    _ => {}
                },
                Look::Unknown(error) => {
                    if self.holds_data(&resource.kind) {
                        self.kept_data.insert(address.component().to_string());
                    }
                    self.block_unseen(address, error);
                }
                Look::Absent => {}
            }
        }
        self.remove(owned.iter().collect(), apart.iter().collect())
    }

    /// Says that an object stays which is another's, or the stack's own without its tags.
    fn leave_alone(&mut self, kind: &'static dyn DynKind, address: &Address, found: &Found) {
        let text = match found.owner {
            Owner::Foreign => format!(
                "{} `{}` has the name of the stack's and not its tags: it is left alone; where it is the stack's, delete it yourself",
                kind.name(),
                found.id
            ),
            _ => self.left_alone(kind.name(), &found.id),
        };
        self.report.kept.push(Remark { address: address.to_string(), text });
    }

    /// True if this is kept in the control bucket, and the operator lets that go.
    fn goes_with_control(&self, id: &str) -> bool {
        self.options.delete_data.contains(CONTROL) && id.split('/').any(|part| part == self.stack.control)
    }

    pub(super) fn delete(
        &mut self,
        kind: &'static dyn DynKind,
        place: Place,
        address: &Address,
        found: &Found,
        reason: &str,
        replaces: bool,
    ) -> Result<usize, ShapeError> {
        let step = Step {
            address: address.clone(),
            kind: kind.name().to_owned(),
            place,
            region: self.region(place).to_owned(),
            action: Action::Delete,
            reason: reason.to_owned(),
            changes: Vec::new(),
            spec: Value::Null,
            id: Some(found.id.clone()),
            needs: Vec::new(),
            after: Vec::new(),
            replaces,
            estimate: kind.prior(Action::Delete).as_secs_f64(),
            raise: None,
            token: token(&self.stack.name, address, Action::Delete, &Value::from(found.id.as_str())),
            tier: 3,
        };
        let id = self.steps.len();
        self.steps.push(step);
        self.deletes.entry(found.id.clone()).or_default().push(id);
        // Other resources refer to an object by an output, such as a name or an ARN, as often as by
        // its id.
        for output in kind.outputs(&found.id, &found.live)?.into_values().filter(|output| *output != found.id)
        {
            self.deletes.entry(output).or_default().push(id);
        }
        self.holders.push((id, kind.links(&found.live)?));
        let carried: Vec<String> = kind.carried(&found.live).map(str::to_owned).collect();
        if !carried.is_empty() {
            self.carried.push((id, carried));
        }
        Ok(id)
    }

    /// Orders each deletion after the steps on what refers to the object now, and after what needs
    /// it in the graph.
    pub(super) fn let_go_first(&mut self, want: &Graph) {
        let holders = std::mem::take(&mut self.holders);
        self.carriers_last(&holders);
        for (holder, links) in holders {
            for delete in links.iter().filter_map(|link| self.deletes.get(link)).flatten() {
                if *delete != holder && self.steps[*delete].address != self.steps[holder].address {
                    self.steps[*delete].needs.push(holder);
                }
            }
        }
        if self.options.intent == Intent::Destroy {
            let by_address: BTreeMap<Address, usize> =
                self.steps.iter().enumerate().map(|(id, step)| (step.address.clone(), id)).collect();
            for (address, resource) in &want.resources {
                let Some(dependent) = by_address.get(address) else { continue };
                // Deletions of the carried come before those of their carrier, see above.
                let kind = self.kinds.get(&resource.kind);
                let carried = kind.map(|kind| kind.carries(&resource.spec)).unwrap_or_default();
                let needs = resource.needs().into_iter().filter(|need| !carried.contains(&need.as_str()));
                for need in needs.filter_map(|need| by_address.get(&need)) {
                    self.steps[*need].needs.push(*dependent);
                }
            }
        }
    }

    /// Takes note that what feeds `owned` is kept with it, also where the stack has another name for it
    /// by now.
    fn takes_its_feed_along(&mut self, owned: &Owned) {
        self.kept_data.insert(owned.address.component().to_string());
        if let Owner::Ours(of) = &owned.found.owner {
            self.kept_data.insert(of.component().to_string());
        }
    }

    pub(super) fn keep_data(&mut self, owned: &Owned) {
        let Owned { address, found, .. } = owned;
        self.takes_its_feed_along(owned);
        // What keeps its name until the failback is said where its successor is.
        if self.stays.iter().any(|it| it.is_blocked && it.found.id == found.id) {
            return;
        }
        // By its typed name, which `--delete-data` takes.
        let text = format!("`{}` holds data; delete it with `--delete-data {}`", found.id, address.typed());
        let remark = Remark { address: address.to_string(), text };
        if !self.report.kept.contains(&remark) {
            self.report.kept.push(remark);
        }
    }
}
