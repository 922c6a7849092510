//! Renames: objects under an address that the stack no longer names, which another address wants
//! now.
//!
//! A renamed component, or one in a renamed module, wants the very objects that it has. The planner
//! recognizes them and changes only the address in their tags. If a match is uncertain it
//! recognizes nothing, and creates the new object before it deletes the old one.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::{HandedOver, copied};
use super::kept_names::{KeptNames, stranger};
use super::literal::literal;
use super::tied;
use crate::address::{Address, ComponentAddress};
use crate::cloud::{Found, Owner};
use crate::graph::{Graph, Resource};
use crate::kind::{DynKind, KindRegistry, Lookup, ShapeError};
use crate::link::{KNOWN_LATER, is_open, resolve, targets};
use crate::observe::{Look, Observed, Owned};
use crate::plan::Remark;
use crate::stack::guess;

/// The recognized renames.
#[derive(Default)]
pub(super) struct Moved {
    /// Objects that are found by tag, by the address that wants them.
    looks: BTreeMap<Address, Look>,
    /// Indexes of those objects in the list of owned resources.
    taken: BTreeSet<usize>,
    /// Addresses that use a copy that exists for another address.
    handed: BTreeSet<Address>,
    /// New component by old component.
    to: BTreeMap<ComponentAddress, ComponentAddress>,
    /// Components that exist in the cloud but not in the graph.
    gone: BTreeSet<ComponentAddress>,
    /// Gone components that no rename was recognized for, with the new ones that they may be.
    unsure: BTreeMap<ComponentAddress, Vec<ComponentAddress>>,
    /// Objects under a name that a renamed component has given up.
    left: Vec<Owned>,
    /// The `[[moved]]` that seem mistyped.
    mistyped: Vec<Remark>,
}

impl Moved {
    /// Finds what `want` has under other addresses.
    pub(super) fn find(want: &Graph, seen: &Observed, kinds: &KindRegistry) -> Result<Self, ShapeError> {
        let wanted: BTreeSet<ComponentAddress> = want.resources.keys().map(Address::component).collect();
        let mut moved = Self::default();
        let named = seen.seen.values().filter_map(|look| match look {
            Look::Present(Found { owner: Owner::Ours(of), .. }) => Some(of),
            _ => None,
        });
        let all = seen.others.iter().map(|it| &it.address).chain(named).map(Address::component);
        moved.gone.extend(all.filter(|it| !wanted.contains(it)));
        let said = Search::of(want, seen, kinds, (&moved.gone, &BTreeSet::new())).said(&wanted);
        let copies = HandedOver::find(want, seen, kinds, &moved.gone, &said)?;
        moved.handed.extend(copies.looks.keys().cloned());
        (moved.looks, moved.taken) = (copies.looks, copies.taken);
        if moved.gone.is_empty() {
            return Ok(moved);
        }
        let search = Search::of(want, seen, kinds, (&moved.gone, &moved.handed));
        moved.to = search.pairs(&wanted)?;
        for (old, new) in &moved.to {
            for (address, at) in search.claims(old, new)? {
                moved.looks.insert(address.clone(), Look::Present(seen.others[at].found.clone()));
                moved.taken.insert(at);
            }
        }
        let kept = KeptNames::find(want, seen, kinds, &moved.to);
        moved.looks.extend(kept.looks);
        moved.taken.extend(kept.taken);
        moved.left = kept.left;
        moved.unsure = search.unsure(&moved.to, &wanted);
        moved.mistyped = search.mistyped(&moved.unsure);
        Ok(moved)
    }

    /// Returns the object that exists for `address` under another address.
    pub(super) fn look(&self, address: &Address) -> Option<&Look> {
        self.looks.get(address)
    }

    /// True if `address` uses a copy that exists for another address.
    pub(super) fn is_handed(&self, address: &Address) -> bool {
        self.handed.contains(address)
    }

    /// True if another address uses the copy with this id.
    pub(super) fn hands_over(&self, id: &str) -> bool {
        let mut looks = self.handed.iter().filter_map(|address| self.looks.get(address));
        looks.any(|look| matches!(look, Look::Present(found) if found.id == id))
    }

    /// Returns all that [`Moved::look`] does.
    pub(super) fn into_looks(self) -> BTreeMap<Address, Look> {
        self.looks
    }

    /// Returns the owned resources that no rename has claimed.
    pub(super) fn rest<'b>(&'b self, others: &'b [Owned]) -> impl Iterator<Item = &'b Owned> {
        let free = others.iter().enumerate().filter(|(at, _)| !self.taken.contains(at));
        free.map(|(_, owned)| owned).chain(&self.left)
    }

    /// True if the stack no longer names the component.
    pub(super) fn is_gone(&self, component: &ComponentAddress) -> bool {
        self.gone.contains(component)
    }

    /// Returns what the operator alone may know: a new component may be one that is gone.
    ///
    /// Two are asked about the same one only where there are fewer new ones.
    pub(super) fn questions(&self) -> Vec<Remark> {
        let mut questions = self.mistyped.clone();
        let mut taken = BTreeSet::new();
        for (old, news) in &self.unsure {
            let mut free: Vec<&ComponentAddress> = news.iter().filter(|it| !taken.contains(*it)).collect();
            free.sort_by_key(|it| old.distance(it).unwrap_or(usize::MAX));
            let Some(new) = free.first().copied().or(news.first()) else { continue };
            let others = match news.len() - 1 {
                0 => String::new(),
                1 => ", or for another new one".to_owned(),
                more => format!(", or for one of {more} other new ones"),
            };
            taken.insert(new);
            let (from, to) = (literal(old.as_str()), literal(new.as_str()));
            let text = format!(
                "not taken for `{new}`{others}: if it was renamed, write `[[moved]]` with `from = {from}` and `to = {to}`, and it keeps its resources"
            );
            questions.push(Remark { address: old.to_string(), text });
        }
        questions
    }

    /// True if the component had another name.
    pub(super) fn is_renamed(&self, component: &ComponentAddress) -> bool {
        self.to.values().any(|to| to == component)
    }

    /// Returns the address that `of` has after this plan.
    pub(super) fn now(&self, of: &Address) -> Address {
        let to = self.to.get(&of.component());
        to.map_or_else(|| of.clone(), |to| Address::new(to, of.resource()))
    }

    /// True if `of`, which the stack no longer names, may have become `resource`.
    ///
    /// They must be the same part of components of the same kind.
    pub(super) fn may_be(&self, of: &Address, resource: &Address) -> bool {
        let (old, new) = (of.component(), resource.component());
        self.is_gone(&old) && of.resource() == resource.resource() && old.kind() == new.kind()
    }

    /// True if `resource` may take the place of `of`, which is not kept as it is.
    pub(super) fn may_succeed(&self, of: &Address, resource: &Address) -> bool {
        let to = self.to.get(&of.component());
        self.may_be(of, resource) && to.is_none_or(|to| *to == resource.component())
    }
}

/// Search for the renames of components.
struct Search<'a> {
    want: &'a Graph,
    seen: &'a Observed,
    kinds: &'a KindRegistry,
    gone: &'a BTreeSet<ComponentAddress>,
    /// Addresses that use a copy that exists for another.
    handed: &'a BTreeSet<Address>,
    /// Owned resources by address: indexes in the list of all.
    owned: BTreeMap<&'a Address, Vec<usize>>,
}

impl<'a> Search<'a> {
    fn of(
        want: &'a Graph,
        seen: &'a Observed,
        kinds: &'a KindRegistry,
        (gone, handed): (&'a BTreeSet<ComponentAddress>, &'a BTreeSet<Address>),
    ) -> Self {
        let mut owned: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (at, it) in seen.others.iter().enumerate() {
            owned.entry(&it.address).or_default().push(at);
        }
        Self { want, seen, kinds, gone, handed, owned }
    }

    /// Returns the renamed components, new by old address.
    ///
    /// A rename is known if the stack says it, by names that lead to the old component's objects,
    /// or if each of the two is the only one that is like the other.
    fn pairs(
        &self,
        wanted: &BTreeSet<ComponentAddress>,
    ) -> Result<BTreeMap<ComponentAddress, ComponentAddress>, ShapeError> {
        let mut pairs = self.said(wanted);
        // A name that the stack file gives says more than one that an object keeps from an address.
        for keeps_name in [false, true] {
            for (old, new) in self.by_names(keeps_name) {
                if !pairs.values().any(|it| *it == new) {
                    pairs.entry(old).or_insert(new);
                }
            }
        }
        let known: BTreeSet<&ComponentAddress> = pairs.values().collect();
        let open = wanted.iter().filter(|it| !known.contains(it));
        let mut alike: BTreeMap<&ComponentAddress, Vec<&ComponentAddress>> = BTreeMap::new();
        for new in open {
            for old in self.gone.iter().filter(|it| it.kind() == new.kind() && !pairs.contains_key(*it)) {
                if self.are_alike(old, new)? {
                    alike.entry(new).or_default().push(old);
                }
            }
        }
        self.prefer_tied(&mut alike);
        for (new, olds) in &mut alike {
            // In a renamed module the components keep their own names, and those of `for_each`
            // their keys.
            let distance = |old: &&ComponentAddress| old.distance(new).unwrap_or(usize::MAX);
            let nearest = olds.iter().map(distance).min();
            olds.retain(|old| Some(distance(old)) == nearest);
        }
        let likes = |old: &ComponentAddress| alike.values().filter(|olds| olds.contains(&old)).count();
        let only: BTreeMap<_, _> = alike
            .iter()
            .filter_map(|(new, olds)| match olds[..] {
                [old] if likes(old) == 1 => Some((old.clone(), (*new).clone())),
                _ => None,
            })
            .collect();
        pairs.extend(self.settled(only));
        Ok(pairs)
    }

    /// Drops the matches that are less than others: where a rename was cut off, what has moved already and
    /// what has not refer to each other.
    fn prefer_tied(&self, alike: &mut BTreeMap<&ComponentAddress, Vec<&ComponentAddress>>) {
        let is_tied = |old: &ComponentAddress, new: &ComponentAddress| {
            let here = self.of_component(new).filter_map(|it| match self.seen.seen.get(&it.address) {
                Some(Look::Present(found)) if found.owner == Owner::Ours(it.address.clone()) => {
                    Some((self.kinds.get(&it.kind)?, found))
                }
                _ => None,
            });
            let there = self.owned.iter().filter(|(address, _)| address.component() == *old);
            let there = there.flat_map(|(_, all)| all).map(|at| &self.seen.others[*at]);
            let there = there.filter_map(|it| Some((self.kinds.get(it.kind)?, &it.found)));
            tied::refer(&here.collect::<Vec<_>>(), &there.collect::<Vec<_>>())
        };
        let ties: BTreeSet<(ComponentAddress, ComponentAddress)> = alike
            .iter()
            .flat_map(|(new, olds)| olds.iter().map(|old| ((*old).clone(), (*new).clone())))
            .filter(|(old, new)| is_tied(old, new))
            .collect();
        tied::prefer(alike, &ties);
    }

    /// Drops the matches of `alike` that would not hold once other objects of this plan exist.
    ///
    /// A created object gets an id that nothing refers to yet, so after an interruption the next
    /// run would no longer recognize them.
    fn settled(
        &self,
        mut alike: BTreeMap<ComponentAddress, ComponentAddress>,
    ) -> BTreeMap<ComponentAddress, ComponentAddress> {
        loop {
            let parts: BTreeMap<_, _> =
                alike.iter().map(|(old, new)| (old.clone(), self.parts(old, new))).collect();
            let found: BTreeSet<&Address> = parts.values().flatten().map(|(it, _)| &it.address).collect();
            let is_made = |address: &Address| {
                let is_found = found.contains(address) || self.handed.contains(address);
                self.seen.seen.get(address) == Some(&Look::Absent) && !is_found
            };
            let waits = |it: &Resource| {
                let mut others = targets(&it.spec).into_iter().filter_map(Address::parse);
                others.any(|other| other.component() != it.address.component() && is_made(&other))
            };
            let before = alike.len();
            alike.retain(|old, _| !parts[old].iter().any(|(it, _)| waits(it)));
            if alike.len() == before {
                return alike;
            }
        }
    }

    /// Returns, for each gone component without a successor in `pairs`, the new ones of its kind.
    fn unsure(
        &self,
        pairs: &BTreeMap<ComponentAddress, ComponentAddress>,
        wanted: &BTreeSet<ComponentAddress>,
    ) -> BTreeMap<ComponentAddress, Vec<ComponentAddress>> {
        let renamed: BTreeSet<&ComponentAddress> = pairs.values().collect();
        let is_new = |it: &&ComponentAddress| {
            let mut own = self.of_component(it);
            let absent = |it: &Resource| self.seen.seen.get(&it.address) == Some(&Look::Absent);
            !renamed.contains(it) && own.all(absent)
        };
        let new: Vec<&ComponentAddress> = wanted.iter().filter(is_new).collect();
        let lone = self.gone.iter().filter(|it| !pairs.contains_key(*it));
        let of = |old: &ComponentAddress| -> Vec<ComponentAddress> {
            new.iter().filter(|it| it.kind() == old.kind()).map(|it| (*it).clone()).collect()
        };
        lone.map(|old| (old.clone(), of(old))).filter(|(_, news)| !news.is_empty()).collect()
    }

    /// Returns the renames that the stack names itself. Of the names of a chain that exist, the
    /// latest one has become the new one.
    fn said(&self, wanted: &BTreeSet<ComponentAddress>) -> BTreeMap<ComponentAddress, ComponentAddress> {
        let mut latest: BTreeMap<&ComponentAddress, (usize, &ComponentAddress)> = BTreeMap::new();
        for old in self.gone.iter() {
            let names = std::iter::successors(self.want.moved.get(old), |it| self.want.moved.get(*it));
            let mut names = names.take(self.want.moved.len()).enumerate();
            let Some((hops, new)) = names.find(|(_, it)| wanted.contains(*it)) else { continue };
            let first = latest.entry(new).or_insert((hops, old));
            *first = (*first).min((hops, old));
        }
        latest.into_iter().map(|(new, (_, old))| (old.clone(), new.clone())).collect()
    }

    /// Returns the `[[moved]]` that seem mistyped: nothing exists under the old name, the new one is
    /// about to be created, and another component that the stack no longer names has a similar name.
    fn mistyped(&self, unsure: &BTreeMap<ComponentAddress, Vec<ComponentAddress>>) -> Vec<Remark> {
        let remark = |(old, new): (&ComponentAddress, &ComponentAddress)| {
            let may_be = |(gone, news): (&'a ComponentAddress, &Vec<ComponentAddress>)| {
                news.contains(new).then_some(gone.as_str())
            };
            let gone = self.gone.iter().filter_map(|it| may_be((it, unsure.get(it)?)));
            let meant = guess(old.as_str(), gone)?;
            let [from, meant] = [old.as_str(), meant].map(literal);
            let text =
                format!("`[[moved]]` has `from = {from}`, which the stack never made; did you mean {meant}?");
            Some(Remark { address: new.to_string(), text })
        };
        let said = self.want.moved.iter().filter(|(old, _)| !self.gone.contains(*old));
        said.filter_map(remark).collect()
    }

    /// Returns components whose objects another component's names lead to, of kinds that keep their
    /// name or of the others.
    fn by_names(&self, keeps_name: bool) -> BTreeMap<ComponentAddress, ComponentAddress> {
        let mut found: BTreeMap<ComponentAddress, BTreeSet<ComponentAddress>> = BTreeMap::new();
        let keeps = |address: &Address| {
            let kind = self.want.resources.get(address).and_then(|it| self.kinds.get(&it.kind));
            kind.is_some_and(|kind| kind.keeps_name().is_some())
        };
        for (address, look) in self.seen.seen.iter().filter(|(address, _)| keeps(address) == keeps_name) {
            if let Look::Present(Found { owner: Owner::Ours(of), .. }) = look {
                let (old, new) = (of.component(), address.component());
                if self.gone.contains(&old) && old.kind() == new.kind() && of.resource() == address.resource()
                {
                    found.entry(old).or_default().insert(new);
                }
            }
        }
        let only = |(old, mut news): (_, BTreeSet<_>)| (news.len() == 1).then(|| (old, news.pop_first()));
        let mut pairs = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (old, new) in found.into_iter().filter_map(only) {
            if let Some(new) = new.filter(|it| taken.insert(it.clone())) {
                pairs.insert(old, new);
            }
        }
        pairs
    }

    /// Returns resources that `new` finds by tag and lacks, and of which `old` has exactly one; of several
    /// copies of data, the one that `new` wants.
    ///
    /// Each comes with its index in the list of owned resources.
    fn parts(&self, old: &ComponentAddress, new: &ComponentAddress) -> Vec<(&'a Resource, usize)> {
        let mut parts = Vec::new();
        for resource in self.of_component(new) {
            let by_tag = self.is_by_tag(resource);
            let copies = copied(self.kinds, &resource.kind);
            let is_wanted = |found: &Found| {
                let compared = copies.and_then(|kind| kind.diff(&resource.spec, &found.live).ok());
                compared.is_some_and(|changes| !changes.iter().any(|it| it.replace))
            };
            let is_older = matches!(self.seen.seen.get(&resource.address), Some(Look::Present(found))
                if copies.is_some() && !is_wanted(found));
            let is_absent = self.seen.seen.get(&resource.address) == Some(&Look::Absent)
                && !self.handed.contains(&resource.address)
                || is_older
                || stranger(resource, self.seen, self.kinds).is_some_and(|(_, _, of)| self.is_wanted(of));
            let at = Address::new(old, resource.address.resource());
            let here = |at: &&usize| {
                let owned = &self.seen.others[**at];
                owned.kind == resource.kind && owned.place == resource.place
            };
            let there: Vec<&usize> = self.owned.get(&at).into_iter().flatten().filter(here).collect();
            let chosen = match &there[..] {
                [only] => Some(**only),
                several => several.iter().find(|at| is_wanted(&self.seen.others[***at].found)).map(|at| **at),
            };
            if let (true, true, Some(at)) = (by_tag, is_absent, chosen) {
                parts.push((resource, at));
            }
        }
        parts
    }

    fn is_wanted(&self, address: &Address) -> bool {
        self.want.resources.contains_key(address)
    }

    /// True if the resource can be found by its tag.
    fn is_by_tag(&self, resource: &Resource) -> bool {
        let kind = self.kinds.get(&resource.kind);
        kind.is_some_and(|kind| kind.lookup() == Lookup::Tag || kind.keeps_name().is_some())
    }

    fn of_component(&self, component: &ComponentAddress) -> impl Iterator<Item = &'a Resource> {
        let from = self.want.resources.range(Address::new(component, "")..);
        let prefix = format!("{component}/");
        from.map(|(_, it)| it).take_while(move |it| it.address.as_str().starts_with(&prefix))
    }

    /// True if `old` has, but for the address, all that `new` lacks, and `new` lacks something that
    /// exists.
    fn are_alike(&self, old: &ComponentAddress, new: &ComponentAddress) -> Result<bool, ShapeError> {
        // Older copies of data stay where they were made.
        let is_one = |it: &&Resource| self.is_by_tag(it) && copied(self.kinds, &it.kind).is_none();
        let has_both = self.of_component(new).filter(is_one).any(|resource| {
            let there = matches!(self.seen.seen.get(&resource.address), Some(Look::Present(found))
                if found.owner == Owner::Ours(resource.address.clone()));
            there && self.owned.contains_key(&Address::new(old, resource.address.resource()))
        });
        let parts = self.parts(old, new);
        if has_both || parts.is_empty() {
            return Ok(false);
        }
        for (resource, at) in &parts {
            let Some(kind) = self.kinds.get(&resource.kind) else { return Ok(false) };
            let differs = self.differs(kind, resource, &self.seen.others[*at].found, &parts)?;
            // The number of instances follows the primary, so it changes by itself.
            let counts = kind.capacity().is_some();
            if differs.iter().any(|replace| *replace || !counts) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the objects of `old` that become those of `new`: all that need no replacement for
    /// it.
    fn claims(
        &self,
        old: &ComponentAddress,
        new: &ComponentAddress,
    ) -> Result<Vec<(&'a Address, usize)>, ShapeError> {
        let parts = self.parts(old, new);
        let mut claims = Vec::new();
        for (resource, at) in &parts {
            let Some(kind) = self.kinds.get(&resource.kind) else { continue };
            let differs = self.differs(kind, resource, &self.seen.others[*at].found, &parts)?;
            if !differs.contains(&true) {
                claims.push((&resource.address, *at));
            }
        }
        Ok(claims)
    }

    /// Returns, for each field that certainly differs between `found` and `resource`, if it forces
    /// replacement.
    fn differs(
        &self,
        kind: &'static dyn DynKind,
        resource: &Resource,
        found: &Found,
        parts: &[(&Resource, usize)],
    ) -> Result<Vec<bool>, ShapeError> {
        let component = resource.address.component();
        let mut spec = match kind.keeps_name() {
            Some(keeps) => keeps.under_its_name(&resource.spec, &found.id, &found.live)?,
            None => resource.spec.clone(),
        };
        if let Some(capacity) = kind.capacity() {
            spec = capacity.counting_as(&spec, &found.live)?.unwrap_or(spec);
        }
        resolve(&mut spec, &|address, output| {
            let part = parts.iter().find(|(it, _)| it.address == *address);
            let target = match (part, self.seen.seen.get(address)) {
                (Some((_, at)), _) => &self.seen.others[*at].found,
                // Its own parts count as unknown both before and after they are created, so a run
                // after an interruption recognizes the same objects as the one before.
                (None, _) if address.component() == component => return Some(KNOWN_LATER.to_owned()),
                (None, Some(Look::Present(found))) => found,
                _ => return Some(KNOWN_LATER.to_owned()),
            };
            let kind = self.kinds.get(&self.want.resources.get(address)?.kind)?;
            kind.outputs(&target.id, &target.live).ok()?.remove(output)
        });
        let changes = kind.compare(&spec, &found.id, &found.live)?.changes;
        Ok(changes.iter().filter(|it| !is_open(&it.to)).map(|it| it.replace).collect())
    }
}
