//! Names that come back: an object keeps the name that another address gave it once, and a renamed
//! component has its own under that.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Found, Owner};
use crate::graph::{Graph, Resource};
use crate::kind::KindRegistry;
use crate::observe::{Look, Observed, Owned};

/// What renamed components have under names that lead to others' objects.
#[derive(Default)]
pub(super) struct KeptNames {
    /// Their objects.
    pub(super) looks: BTreeMap<Address, Look>,
    /// Indexes of those in the list of owned resources.
    pub(super) taken: BTreeSet<usize>,
    /// Objects that the names lead to and that nothing has now.
    pub(super) left: Vec<Owned>,
}

impl KeptNames {
    /// Finds them for the renames `to`, new by old component.
    pub(super) fn find(
        want: &Graph,
        seen: &Observed,
        kinds: &KindRegistry,
        to: &BTreeMap<ComponentAddress, ComponentAddress>,
    ) -> Self {
        let strangers: Vec<(&Resource, &Found, &Address)> =
            want.resources.values().filter_map(|it| stranger(it, seen, kinds)).collect();
        let mut kept = Self::default();
        for (resource, _, of) in &strangers {
            let new = resource.address.component();
            let Some(old) = to.iter().find_map(|(old, it)| (*it == new).then_some(old)) else { continue };
            let own = Address::new(old, resource.address.resource());
            if **of == own {
                continue;
            }
            let is_like = |it: &Resource| (&it.kind, it.place) == (&resource.kind, resource.place);
            let named = strangers.iter().find(|(it, _, of)| **of == own && is_like(it));
            let listed =
                seen.others.iter().enumerate().find(|(_, it)| {
                    it.address == own && it.kind == resource.kind && it.place == resource.place
                });
            let has = match (named, listed) {
                (Some((_, has, _)), _) => *has,
                (None, Some((at, owned))) => {
                    kept.taken.insert(at);
                    &owned.found
                }
                (None, None) => continue,
            };
            kept.looks.insert(resource.address.clone(), Look::Present(has.clone()));
        }
        kept.left = strangers.iter().filter_map(|it| kept.lets_go(it, kinds)).collect();
        kept
    }

    /// Returns the object that a name leads to, where nothing has it.
    fn lets_go(
        &self,
        (resource, found, of): &(&Resource, &Found, &Address),
        kinds: &KindRegistry,
    ) -> Option<Owned> {
        let has = |look: &Look| matches!(look, Look::Present(it) if it.id == found.id);
        let is_had = !self.looks.contains_key(&resource.address) || self.looks.values().any(has);
        let kind = kinds.get(&resource.kind).filter(|_| !is_had)?;
        let (kind, place, address) = (kind.name(), resource.place, (*of).clone());
        Some(Owned { kind, place, address, found: (*found).clone() })
    }
}

/// Returns what is found under the name of `resource` and belongs to another address, for a kind
/// that keeps its name.
pub(super) fn stranger<'a>(
    resource: &'a Resource,
    seen: &'a Observed,
    kinds: &KindRegistry,
) -> Option<(&'a Resource, &'a Found, &'a Address)> {
    kinds.get(&resource.kind)?.keeps_name()?;
    let Some(Look::Present(found)) = seen.seen.get(&resource.address) else { return None };
    match &found.owner {
        Owner::Ours(of) if of.component() != resource.address.component() => Some((resource, found, of)),
        _ => None,
    }
}
