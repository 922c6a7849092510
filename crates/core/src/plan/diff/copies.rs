//! Copies of data that change hands: one that exists for another address is used where its content
//! is wanted.
//!
//! Several components may use one copy, which belongs to the first of them. Which one is the first
//! changes with the stack, and a second copy of the same data is never needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Found, Owner};
use crate::graph::{Graph, Resource};
use crate::kind::{DynKind, KindRegistry, Lookup, Place, ShapeError};
use crate::link::targets;
use crate::observe::{Look, Observed};

/// The copies that other addresses hand over, by the address that wants each.
#[derive(Default)]
pub(super) struct HandedOver {
    /// The copies.
    pub(super) looks: BTreeMap<Address, Look>,
    /// Indexes of those in the list of owned resources.
    pub(super) taken: BTreeSet<usize>,
}

/// A copy that its address does not want, or not any more.
struct Spare<'a> {
    kind: &'a str,
    place: Place,
    address: &'a Address,
    found: &'a Found,
    /// Its index in the list of owned resources, if it is there.
    at: Option<usize>,
}

impl HandedOver {
    /// Finds the copies that exist for other addresses than those that want them.
    ///
    /// A component that is new where another of its kind is `gone` may be the same, renamed: that is
    /// decided here only where the stack has `said` that it is another, which wants no such copy.
    pub(super) fn find(
        want: &Graph,
        seen: &Observed,
        kinds: &KindRegistry,
        gone: &BTreeSet<ComponentAddress>,
        said: &BTreeMap<ComponentAddress, ComponentAddress>,
    ) -> Result<Self, ShapeError> {
        let lacks = |it: &&Resource| seen.seen.get(&it.address) == Some(&Look::Absent);
        let lacking = want.resources.values().filter(lacks);
        let lacking: Vec<(&Resource, &dyn DynKind)> =
            lacking.filter_map(|it| Some((it, copied(kinds, &it.kind)?))).collect();
        let mut handed = Self::default();
        if lacking.is_empty() {
            return Ok(handed);
        }
        let mut spare = spare(want, seen, kinds)?;
        let present = seen.seen.iter().filter(|(_, look)| matches!(look, Look::Present(_)));
        let standing: BTreeSet<ComponentAddress> = present.map(|(address, _)| address.component()).collect();
        let is_free = |old: &ComponentAddress, part: &Address| {
            let new = said.get(old).map(|new| Address::new(new, part.resource()));
            new.is_some_and(|new| !want.resources.contains_key(&new))
        };
        for (resource, kind) in lacking {
            let (old, new) = (|it: &Spare<'_>| it.address.component(), resource.address.component());
            let mut chosen = None;
            for (number, it) in spare.iter().enumerate() {
                let is_like = (it.kind, it.place) == (kind.name(), resource.place)
                    && it.address.resource() == resource.address.resource()
                    && old(it).kind() == new.kind()
                    && (!gone.contains(&old(it)) || standing.contains(&new) || is_free(&old(it), it.address));
                if is_like && kind.compare(&resource.spec, &it.found.id, &it.found.live)?.changes.is_empty() {
                    chosen = Some(number);
                    break;
                }
            }
            if let Some(number) = chosen {
                let it = spare.remove(number);
                handed.looks.insert(resource.address.clone(), Look::Present(it.found.clone()));
                handed.taken.extend(it.at);
            }
        }
        Ok(handed)
    }
}

/// Returns the kind if it copies data under ids that AWS chooses, so that tags alone say whose a
/// copy is.
pub(super) fn copied(kinds: &KindRegistry, kind: &str) -> Option<&'static dyn DynKind> {
    kinds.get(kind).filter(|kind| kind.lookup() == Lookup::Tag && kind.role().holds_data())
}

/// Returns the copies of this stack that their addresses do not want, in the order of addresses.
fn spare<'a>(want: &Graph, seen: &'a Observed, kinds: &KindRegistry) -> Result<Vec<Spare<'a>>, ShapeError> {
    let mut all = Vec::new();
    for (address, look) in &seen.seen {
        let (Look::Present(found), Some(resource)) = (look, want.resources.get(address)) else { continue };
        let Some(kind) = copied(kinds, &resource.kind) else { continue };
        let is_own = found.owner == Owner::Ours(address.clone()) && targets(&resource.spec).is_empty();
        if is_own && kind.compare(&resource.spec, &found.id, &found.live)?.changes.iter().any(|it| it.replace)
        {
            all.push(Spare { kind: kind.name(), place: resource.place, address, found, at: None });
        }
    }
    for (at, owned) in seen.others.iter().enumerate() {
        let is_ours = matches!(owned.found.owner, Owner::Ours(_));
        if is_ours && copied(kinds, owned.kind).is_some() {
            let (kind, place, address) = (owned.kind, owned.place, &owned.address);
            all.push(Spare { kind, place, address, found: &owned.found, at: Some(at) });
        }
    }
    all.sort_by_key(|it| (it.address, it.at));
    Ok(all)
}
