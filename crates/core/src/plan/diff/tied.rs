//! What belongs together: objects that refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::ComponentAddress;
use crate::cloud::Found;
use crate::kind::DynKind;

/// An object with its kind.
type Object<'a> = (&'static dyn DynKind, &'a Found);

/// True if an object on one side refers to one on the other.
pub(super) fn refer(one: &[Object<'_>], other: &[Object<'_>]) -> bool {
    points(one, other) || points(other, one)
}

/// Drops the matches, old by new component, beside those of `ties`, old and new.
pub(super) fn prefer(
    alike: &mut BTreeMap<&ComponentAddress, Vec<&ComponentAddress>>,
    ties: &BTreeSet<(ComponentAddress, ComponentAddress)>,
) {
    for (new, olds) in alike {
        let is_free = |old: &ComponentAddress| {
            let mut of_either = ties.iter().filter(|(of, to)| of == old || to == *new);
            of_either.all(|(of, to)| of == old && to == *new)
        };
        olds.retain(|old| is_free(old));
    }
}

fn points(from: &[Object<'_>], to: &[Object<'_>]) -> bool {
    let names: BTreeSet<String> = to
        .iter()
        .flat_map(|(kind, found)| kind.outputs(&found.id, &found.live).unwrap_or_default().into_values())
        .collect();
    let links = from.iter().flat_map(|(kind, found)| kind.links(&found.live).unwrap_or_default());
    links.into_iter().any(|link| names.contains(&link))
}
