//! Claims: objects with the stack's tags that may not be the stack's, or duplicates of an address.
//!
//! Tags can be copied. An object that only its tags vouch for is reported and left alone, and of
//! two equal candidates the planner chooses neither.

use std::borrow::Cow;

use serde_json::Value;

use super::{Draft, Stays, as_it_runs};
use crate::address::Address;
use crate::cloud::{Found, Owner};
use crate::graph::Resource;
use crate::kind::{Compared, DynKind, ShapeError};
use crate::objective::Mode;
use crate::observe::{Claim, Look, Observed};
use crate::plan::{Intent, MISSING, Remark};

/// Owner of an object that was found in the place of a desired resource.
pub(super) enum Whose<'f> {
    /// The resource itself.
    Its,
    /// An address that the stack no longer names, or that does not use it any more.
    Moved(&'f Address),
    /// An address of the same component, for which the data stands: only one of the two can be there.
    Instead(&'f Address),
    /// No owner yet: a run was interrupted while creating it.
    Begun,
    /// Another owner; the object must not be touched, and the planner has reported why.
    Others,
}

/// Names the tags of the object at `address`, as they are given by hand.
pub fn tags(stack: &str, address: &Address) -> String {
    format!(
        "the tags `drstack:stack` with the value {stack}, `drstack:address` with the value {} and `drstack:spec` with the value \
         0000000000000000",
        address.as_tag()
    )
}

/// Returns what has the name of `resource` and tags of the stack that prove nothing.
pub(super) fn of_its_name<'s>(resource: &Resource, seen: &'s Observed) -> Option<&'s Found> {
    let name = resource.known_name().filter(|_| resource.name.is_none())?;
    let has_name = |it: &&Claim| {
        let is_same = it.kind == resource.kind && it.place == resource.place;
        is_same && it.found.live.get("name").and_then(Value::as_str) == Some(name)
    };
    seen.unproven.iter().find(has_name).map(|it| &it.found)
}

impl<'a> Draft<'a> {
    /// Returns the object that exists for `resource`; `None` if it must be created or is blocked.
    pub(super) fn present(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        look: Option<&'a Look>,
        in_scope: bool,
    ) -> Result<Option<&'a Found>, ShapeError> {
        match (look, self.claim(kind, resource)) {
            (Some(Look::Present(found)), _) => match self.unwell(kind, resource, found)? {
                Some(why) => self.block(&resource.address, why),
                None => return Ok(Some(found)),
            },
            // A failover deletes nothing and uses what exists.
            (Some(Look::Absent), Some(claim)) if self.fails_over() => return Ok(Some(claim)),
            (Some(Look::Absent), Some(claim)) => self.block_claimed(resource, claim),
            (Some(Look::Absent), None) => match self.seen.untagged.get(&resource.address) {
                Some(all) => match self.without_tags(resource)? {
                    Some(found) => return Ok(Some(found)),
                    None => self.block_untagged(kind, resource, all),
                },
                None => self.create(kind, resource, in_scope, MISSING)?,
            },
            (Some(Look::Unknown(error)), _) => {
                self.block_unseen(&resource.address, error);
            }
            (None, _) => self
                .block(&resource.address, "this run did not look for it; run the command again".to_owned()),
        }
        Ok(None)
    }

    /// Returns why data cannot serve that a failover needs; `None` if it can, as far as was looked at.
    fn unwell(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
    ) -> Result<Option<String>, ShapeError> {
        let Some(replication) = kind.replication().filter(|_| self.fails_over()) else { return Ok(None) };
        match self.seen.unwell.get(&resource.address) {
            Some(why) => Ok(Some(why.clone())),
            None => replication.unwell(&found.live),
        }
    }

    /// Returns the capacity that a failover raises although it has lost its tags.
    fn without_tags(&self, resource: &Resource) -> Result<Option<&'a Found>, ShapeError> {
        match self.fails_over() {
            true => as_it_runs::without_tags(resource, self.seen, self.kinds),
            false => Ok(None),
        }
    }

    /// Returns the owner of `found`; reports why if `resource` cannot have it.
    pub(super) fn whose<'f>(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &'f Found,
    ) -> Whose<'f> {
        let id = &found.id;
        let adopted_by = kind.capabilities().adopted_by;
        let text = match &found.owner {
            Owner::Setting => return Whose::Its,
            Owner::Ours(address) if *address == resource.address => return Whose::Its,
            Owner::Ours(address)
                if self.moved.may_succeed(address, &resource.address)
                    || self.moved.is_handed(&resource.address) =>
            {
                return Whose::Moved(address);
            }
            Owner::Ours(address) if self.is_unready_in_its_place(kind, resource, found, address) => {
                return Whose::Others;
            }
            Owner::Ours(address) if self.serves_in_its_place(kind, resource, address) => {
                self.leave_in_place(kind, resource, found, address);
                return Whose::Others;
            }
            Owner::Ours(address) if self.is_other_half(kind, resource, address) => {
                return Whose::Instead(address);
            }
            Owner::Ours(address) => {
                self.stays.push(Stays { kind, found: found.clone(), is_blocked: true });
                self.taken_by(kind, found, address)
            }
            Owner::Unproven(Some(address)) if self.fails_over() && *address == resource.address => {
                return Whose::Its;
            }
            // It has the name that drstack gives.
            Owner::Unproven(None) if self.fails_over() && resource.name.is_none() => {
                self.claimed.insert((resource.kind.clone(), id.clone()));
                return Whose::Its;
            }
            Owner::Unproven(_) => {
                self.block_claimed(resource, found);
                return Whose::Others;
            }
            Owner::Stack(other) => {
                let way = adopted_by.map(|field| format!("to use it as it is, write `{field}`"));
                format!("`{id}` belongs to stack `{other}`; {}", way.as_deref().unwrap_or("name another one"))
            }
            Owner::Foreign if self.seen.begun.contains(&resource.address) => return Whose::Begun,
            Owner::Foreign if matches!(self.without_tags(resource), Ok(Some(it)) if it.id == *id) => {
                let text =
                    format!("`{id}` has lost its tags; it runs on what is this stack's, so it is raised");
                self.report.notes.push(Remark { address: resource.address.to_string(), text });
                return Whose::Its;
            }
            Owner::Foreign if kind.role().holds_data() => {
                let way = adopted_by.map(|field| format!("to use it so, write `{field}`"));
                let other = "where the copy can have another name, choose one, else leave the component out";
                format!(
                    "`{id}` exists without the tags of a stack, and it may hold data: it stays as it is; {}; where it is the stack's, \
                     give it {}",
                    way.as_deref().unwrap_or(other),
                    self.tags_of(resource)
                )
            }
            Owner::Foreign if kind.traffic().is_some() => {
                format!("`{id}` exists and is not drstack's; name another one, or remove it")
            }
            Owner::Foreign => format!(
                "`{id}` exists without the tags of a stack; where it is something else, name another one, or remove it; where it is the \
                 stack's, give it {}",
                self.tags_of(resource)
            ),
        };
        self.block(&resource.address, text);
        Whose::Others
    }

    /// True if data with the name of `resource` stands for another part of its component.
    fn is_other_half(&self, kind: &'static dyn DynKind, resource: &Resource, of: &Address) -> bool {
        let is_same = of.component() == resource.address.component();
        is_same && kind.role().holds_data() && !self.want.resources.contains_key(of)
    }

    /// Returns the object that only its tags tie to `resource`, which does not exist otherwise.
    ///
    /// Resources that are looked up by name have no claims; others that drstack names have one of
    /// that name.
    pub(super) fn claim(&self, kind: &'static dyn DynKind, resource: &Resource) -> Option<&'a Found> {
        if resource.name.is_some() {
            return None;
        }
        if resource.known_name().is_some() {
            return of_its_name(resource, self.seen);
        }
        let claims = |owner: Owner| {
            let is_same = move |it: &&Claim| {
                it.kind == kind.name() && it.place == resource.place && it.found.owner == owner
            };
            self.seen.unproven.iter().find(is_same).map(|it| &it.found)
        };
        // What lost the tag of its address may be any resource of its kind. A failover does not guess, and a
        // creation finds what it began.
        let is_known = self.fails_over() || kind.keeps_reference();
        let nameless = || if is_known { None } else { claims(Owner::Unproven(None)) };
        claims(Owner::Unproven(Some(resource.address.clone()))).or_else(nameless)
    }

    pub(super) fn block_claimed(&mut self, resource: &Resource, found: &Found) {
        let proof = match &found.owner {
            Owner::Unproven(None) => {
                format!("`drstack:address` with the value {}", resource.address.as_tag())
            }
            _ => "`drstack:spec` with the value 0000000000000000".to_owned(),
        };
        let alike = self.seen.unproven.iter().filter(|it| {
            let is_same = it.kind == resource.kind && it.place == resource.place;
            is_same && resource.known_name().is_none() && it.found.owner == Owner::Unproven(None)
        });
        let mut ids = vec![found.id.as_str()];
        if found.owner == Owner::Unproven(None) {
            ids.extend(alike.map(|it| it.found.id.as_str()).filter(|id| *id != found.id));
        }
        let text = match ids[..] {
            [id] => format!(
                "`{id}` has the tags of this stack, and nothing proves that drstack made it: remove its tag `drstack:stack` where it is \
                 something else; where it is the stack's, give it the tag {proof}"
            ),
            _ => format!(
                "`{}` have the tag of this stack, and none of its addresses: remove the tag `drstack:stack` of what is something else; \
                 give the one that is this the tag {proof}",
                ids.join("`, `")
            ),
        };
        self.claimed.extend(ids.iter().map(|id| (resource.kind.clone(), (*id).to_owned())));
        self.block(&resource.address, text);
    }

    /// Reports objects of which one is `resource`, without the tags that say so.
    fn block_untagged(&mut self, kind: &'static dyn DynKind, resource: &Resource, all: &[Found]) {
        let text = self.untagged(kind, resource, all);
        self.claimed.extend(all.iter().map(|it| (resource.kind.clone(), it.id.clone())));
        self.block(&resource.address, text);
    }

    /// Says of `all`, of which one is `resource` without its tags, how it is recognized again.
    fn untagged(&self, kind: &'static dyn DynKind, resource: &Resource, all: &[Found]) -> String {
        if let [Found { id, owner: Owner::Stack(other), .. }] = all {
            return format!(
                "`{id}` belongs to stack `{other}`; give `{}` another name",
                resource.address.component()
            );
        }
        let ids: Vec<String> = all.iter().map(|it| format!("`{}`", it.id)).collect();
        let which = match ids[..] {
            [_] if kind.keeps_name().is_some_and(|it| it.name_is_id()) => {
                "has the name that this stack gives, and no tags: it stays as it is; where it is the stack's, give it"
            }
            [_] => "is used by this stack and has lost its tags: it stays as it is; give it",
            _ => {
                "are used by this stack and have lost their tags: they stay as they are; give the one that is this"
            }
        };
        format!("{} {which} {}", ids.join(" and "), self.tags_of(resource))
    }

    /// Names the tags of `resource`, as they are given by hand.
    fn tags_of(&self, resource: &Resource) -> String {
        format!("{}, then run the same command again", tags(&self.stack.name, &resource.address))
    }

    /// Returns why `found` does not belong to `resource`, and what to do about it.
    pub(super) fn taken_by(&self, kind: &'static dyn DynKind, found: &Found, of: &Address) -> String {
        let (id, component) = (&found.id, of.component());
        let name = found.live.get("name").and_then(Value::as_str).unwrap_or(id);
        let of = &self.moved.now(of);
        match (self.want.resources.contains_key(of), kind.keeps_name().is_some()) {
            (true, true) => format!("`{name}` is the name that {of} keeps; give this component another name"),
            (false, true) => format!(
                "`{name}` is the name that {of} keeps, which the stack no longer names: where it was renamed, say so with `[[moved]]`; \
                 else run the same command again once that is gone"
            ),
            (true, false) => format!(
                "`{id}` exists for {of}, which the stack names still; give {component} and this component names that neither has \
                 had, both in one apply"
            ),
            (false, false) => format!(
                "`{id}` exists for {of} of this stack, which is another sort of thing; run `drstack plan STACK` after that is gone"
            ),
        }
    }

    /// Returns `resource` with what `found` keeps: its name, the units in which it counts what serves,
    /// and its rights while the standby region serves.
    pub(super) fn as_it_stays<'r>(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &'r Resource,
        found: &Found,
    ) -> Result<Cow<'r, Resource>, ShapeError> {
        let mut stays = Cow::Borrowed(resource);
        if let Some(keeps) = kind.keeps_name() {
            let name = found.live.get("name").and_then(Value::as_str).unwrap_or(&found.id);
            if resource.spec.get("name").and_then(Value::as_str) != Some(name) {
                let spec = keeps.under_its_name(&resource.spec, &found.id, &found.live)?;
                if spec != resource.spec {
                    stays = Cow::Owned(Resource { spec, ..resource.clone() });
                }
            }
        }
        if let Some(capacity) = kind.capacity().filter(|_| self.options.mode == Mode::Active)
            && let Some(spec) = capacity.counting_as(&stays.spec, &found.live)?
        {
            stays = Cow::Owned(Resource { spec, ..resource.clone() });
        }
        // What says nothing that can be read is no older value.
        let is_read = match kind.capabilities().witness {
            Some(witness) => witness.statement(&found.id, &found.live)?.is_some(),
            None => true,
        };
        if is_read
            && self.is_along_unchanged(kind, &stays)?
            && let Some(value) = found.live.get("value")
        {
            let mut spec = stays.spec.clone();
            spec["value"] = value.clone();
            stays = Cow::Owned(Resource { spec, ..resource.clone() });
        }
        let serves = (self.options.intent, self.options.mode) == (Intent::Converge, Mode::Active);
        let is_active = self.options.mode == Mode::Active && self.options.intent != Intent::Failback;
        if let Some(capacity) = kind.capacity().filter(|_| is_active)
            && let Some(spec) = capacity.not_below(&stays.spec, &found.live)?
        {
            let [wanted, kept] = [&stays.spec, &spec].map(|it| capacity.demand(it));
            let (wanted, kept) = (wanted?.count, kept?.count);
            let text = format!(
                "its capacity stays {kept} until the failback, and is not lowered to {wanted}: it serves"
            );
            self.report.notes.push(Remark { address: resource.address.to_string(), text });
            stays = Cow::Owned(Resource { spec, ..resource.clone() });
        }
        if let Some(rights) = kind.capabilities().rights.filter(|_| serves)
            && let Some(spec) = rights.with_those_of(&stays.spec, &found.live)?
        {
            let text = "rights that the stack no longer names stay until the failback".to_owned();
            self.report.notes.push(Remark { address: resource.address.to_string(), text });
            stays = Cow::Owned(Resource { spec, ..resource.clone() });
        }
        Ok(stays)
    }

    /// True if `resource` changes only along with another one of its component, which stays as it is.
    ///
    /// Example: the epoch of a fence. A part that fails over without it must not stop the writers of
    /// the rest.
    fn is_along_unchanged(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
    ) -> Result<bool, ShapeError> {
        let along = kind.capabilities().along.and_then(|field| resource.spec.get(field)?.as_str());
        let Some(along) = along else { return Ok(false) };
        let address = Address::parse(&format!("{}/{along}", resource.address.component()));
        let other = address.and_then(|address| self.want.resources.get(&address));
        let Some((other, look)) = other.and_then(|it| Some((it, self.seen.seen.get(&it.address)?))) else {
            return Ok(false);
        };
        match (look, self.kinds.get(&other.kind)) {
            (Look::Present(found), Some(kind)) => Ok(kind.diff(&other.spec, &found.live)?.is_empty()),
            _ => Ok(false),
        }
    }

    /// Chooses the one object in use of several that all match `resource`.
    ///
    /// Reports and returns `None` if not exactly one is in use. The others are left as they are.
    pub(super) fn only_one_in_use<'b>(
        &mut self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        mut all: Vec<(&'b Found, Compared)>,
    ) -> Result<Option<(&'b Found, Compared)>, ShapeError> {
        if all.len() < 2 {
            return Ok(all.pop());
        }
        let mut used = Vec::new();
        for (at, (found, _)) in all.iter().enumerate() {
            if self.is_in_use(kind, found)? {
                used.push(at);
            }
        }
        let one = match used[..] {
            [only] => only,
            // A failover deletes nothing, so any of them is better than none.
            _ if self.fails_over() => used.first().copied().unwrap_or(0),
            _ => {
                let ids: Vec<String> = all.iter().map(|(it, _)| format!("`{}`", it.id)).collect();
                let way_on = match kind.role().holds_data() {
                    true => "remove the tag `drstack:stack` of the others",
                    false => "delete the others, or remove their tag `drstack:stack`",
                };
                let text = format!(
                    "{} all stand for this address, and it is not certain which of them is in use; {way_on}",
                    ids.join(" and ")
                );
                self.block(&resource.address, text);
                return Ok(None);
            }
        };
        let one = all.swap_remove(one);
        for (other, _) in all {
            let way_on = match kind.role().holds_data() {
                true => "remove its tag `drstack:stack`",
                false => "delete it, or remove its tag `drstack:stack`",
            };
            let text = format!(
                "`{}` stands for the same address as `{}`, which is in use; {way_on}",
                other.id, one.0.id
            );
            self.report.kept.push(Remark { address: resource.address.to_string(), text });
        }
        Ok(Some(one))
    }

    /// True if its instances serve, or any observed object refers to it.
    pub(super) fn is_in_use(&self, kind: &'static dyn DynKind, found: &Found) -> Result<bool, ShapeError> {
        if let Some(serving) = kind.serving(&found.live)? {
            return Ok(serving > 0);
        }
        let names: Vec<String> = kind.outputs(&found.id, &found.live)?.into_values().collect();
        let looked =
            self.want.resources.iter().filter_map(|(address, it)| match self.seen.seen.get(address) {
                Some(Look::Present(found)) => Some((self.kinds.get(&it.kind)?, found)),
                _ => None,
            });
        let listed = self.seen.others.iter().filter_map(|it| Some((self.kinds.get(it.kind)?, &it.found)));
        for (kind, holder) in looked.chain(listed) {
            if holder.id != found.id && kind.links(&holder.live)?.iter().any(|link| names.contains(link)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reports what a destroy leaves, since it has lost its tags.
    pub(super) fn name_untagged(&mut self) {
        for (address, all) in &self.seen.untagged {
            // What has the tags of another stack is nothing that this one leaves.
            if all.iter().any(|it| matches!(it.owner, Owner::Stack(_))) {
                continue;
            }
            let Some(resource) = self.want.resources.get(address) else { continue };
            let Some(kind) = self.kinds.get(&resource.kind) else { continue };
            let text = self.untagged(kind, resource, all);
            self.claimed.extend(all.iter().map(|it| (resource.kind.clone(), it.id.clone())));
            self.report.kept.push(Remark { address: address.to_string(), text });
        }
    }

    /// Reports objects that have the stack's tags without proof.
    pub(super) fn name_claims(&mut self) {
        for Claim { kind, found, .. } in &self.seen.unproven {
            let Owner::Unproven(address) = &found.owner else { continue };
            let address = address.as_ref().map_or_else(|| (*kind).to_owned(), Address::to_string);
            if self.claimed.contains(&((*kind).to_owned(), found.id.clone())) {
                continue;
            }
            let text = self.left_alone(kind, &found.id);
            self.report.kept.push(Remark { address, text });
        }
    }

    /// Says that an object which only its tags vouch for is left alone.
    pub(super) fn left_alone(&self, kind: &str, id: &str) -> String {
        if self.kinds.get(kind).is_some_and(|kind| kind.keeps_reference()) {
            return format!(
                "{kind} `{id}` was begun for this stack and has no tags that say for what: an apply finishes it where the stack still \
                 wants it so; otherwise delete it yourself"
            );
        }
        let way_on = if self.holds_data(kind) { "" } else { ", or delete it yourself" };
        format!(
            "{kind} `{id}` has the tags of this stack, and nothing proves that drstack made it: it is left alone; remove its tag \
             `drstack:stack`{way_on}"
        )
    }
}
