//! Names of the stack's objects, each with the address that has it.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::cloud::{Found, Owner};
use crate::graph::Graph;
use crate::kind::Place;
use crate::observe::{Look, Observed};

/// The stack's objects by kind, place and name, with the address of each.
pub(super) type Names<'a> = BTreeMap<(&'a str, Place, &'a str), (&'a Found, &'a Address)>;

/// Collects the names of what `seen` has.
pub(super) fn of<'a>(want: &'a Graph, seen: &'a Observed) -> Names<'a> {
    let named = seen.seen.iter().filter_map(|(address, look)| match look {
        Look::Present(found) => Some((want.resources.get(address)?, found)),
        _ => None,
    });
    let named = named.map(|(it, found)| (it.kind.as_str(), it.place, found));
    let others = seen.others.iter().map(|it| (it.kind, it.place, &it.found));
    let of = |(kind, place, found): (&'a str, Place, &'a Found)| {
        let Owner::Ours(of) = &found.owner else { return None };
        Some(((kind, place, found.live.get("name")?.as_str()?), (found, of)))
    };
    named.chain(others).filter_map(of).collect()
}
