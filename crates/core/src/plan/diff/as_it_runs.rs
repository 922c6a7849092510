//! A failover raises what it has: a group needs nothing but a number, also where what it runs on has
//! lost its tags.
//!
//! Its template and its subnets seem absent then. The group knows them, so it is raised as it runs,
//! and nothing is made in the place of what it uses already.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::moved::Moved;
use crate::address::Address;
use crate::cloud::Found;
use crate::graph::{Graph, Resource};
use crate::kind::{KindRegistry, Lookup, Place, ShapeError};
use crate::observe::{Look, Observed};
use crate::plan::{Intent, Remark};

/// The graph of a plan, with capacity as it runs.
pub(super) struct Runs<'a> {
    pub(super) graph: Cow<'a, Graph>,
    /// A remark on each resource that is raised as it runs.
    pub(super) remarks: Vec<Remark>,
}

impl<'a> Runs<'a> {
    /// Returns `want` as it is, except for a failover of capacity that runs on what is not found.
    pub(super) fn of(
        want: &'a Graph,
        seen: &Observed,
        kinds: &KindRegistry,
        moved: &Moved,
        intent: Intent,
    ) -> Result<Self, ShapeError> {
        let mut runs = Self { graph: Cow::Borrowed(want), remarks: Vec::new() };
        if !intent.fails_over() {
            return Ok(runs);
        }
        let is_lost = |it: &&Resource| is_lost(it, seen, kinds) && moved.look(&it.address).is_none();
        let lost: BTreeSet<&Address> =
            want.resources.values().filter(is_lost).map(|it| &it.address).collect();
        for resource in want.resources.values() {
            let Some(capacity) = kinds.get(&resource.kind).and_then(|kind| kind.capacity()) else { continue };
            let Some(Look::Present(Found { owner, live, .. })) = seen.seen.get(&resource.address) else {
                continue;
            };
            let gone: Vec<String> =
                resource.needs().iter().filter(|it| lost.contains(it)).map(ToString::to_string).collect();
            if gone.is_empty() || !owner.is_ours() {
                continue;
            }
            let Some(spec) = capacity.as_it_runs(&resource.spec, live)? else { continue };
            let after = resource.after.iter().filter(|it| !lost.contains(it)).cloned().collect();
            let address = resource.address.clone();
            let text = format!("it is raised as it runs: {} cannot be found by their tags", gone.join(", "));
            runs.remarks.push(Remark { address: address.to_string(), text });
            runs.graph.to_mut().resources.insert(address, Resource { spec, after, ..resource.clone() });
        }
        if !runs.remarks.is_empty() {
            let unused = unused(&runs.graph, lost);
            runs.graph.to_mut().resources.retain(|address, _| !unused.contains(address));
        }
        Ok(runs)
    }
}

/// Returns those of `lost` that nothing else of `graph` needs.
fn unused<'l>(graph: &Graph, mut lost: BTreeSet<&'l Address>) -> BTreeSet<&'l Address> {
    loop {
        let others = graph.resources.values().filter(|it| !lost.contains(&it.address));
        let used: BTreeSet<Address> = others.flat_map(Resource::needs).collect();
        let before = lost.len();
        lost.retain(|it| !used.contains(*it));
        if lost.len() == before {
            return lost;
        }
    }
}

/// True if an object of the standby region, which only its tags identify, is not found.
fn is_lost(resource: &Resource, seen: &Observed, kinds: &KindRegistry) -> bool {
    let kind = kinds.get(&resource.kind);
    let by_tag = kind.is_some_and(|kind| kind.lookup() == Lookup::Tag && kind.capacity().is_none());
    by_tag && resource.place == Place::Standby && seen.seen.get(&resource.address) == Some(&Look::Absent)
}
