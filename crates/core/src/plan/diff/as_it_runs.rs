//! A failover raises what it has: a group needs nothing but a number, also where what it runs on has
//! lost its tags.
//!
//! Its template, its subnets or its security group seem absent then. The group and its template know
//! them, so it is raised as it runs, and nothing is made in the place of what it uses already.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::moved::Moved;
use crate::cloud::Found;
use crate::graph::{Graph, Resource};
use crate::kind::{KindRegistry, Lookup, Role, ShapeError};
use crate::observe::{Look, Observed};
use crate::plan::{Intent, Remark, order};

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
        if !intent.fails_over() || seen.untagged.is_empty() {
            return Ok(runs);
        }
        // What cannot be found, and what needs it, with the names of the former.
        let mut stuck: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut below: BTreeSet<&str> = BTreeSet::new();
        for resource in order::topological(want) {
            let address = &resource.address;
            let is_lost = seen.untagged.contains_key(address) && moved.look(address).is_none();
            if is_lost && without_tags(resource, seen, kinds)?.is_none() {
                stuck.insert(address.as_str(), [address.as_str()].into());
                continue;
            }
            let lost: BTreeSet<&str> =
                resource.needed().filter_map(|it| stuck.get(it)).flatten().copied().collect();
            if lost.is_empty() {
                continue;
            }
            let Some(spec) = as_it_runs(resource, seen, kinds)? else {
                let is_check = kinds.get(&resource.kind).is_some_and(|kind| kind.check().is_some());
                let asks = is_check.then(|| asks_what_runs(want, resource, (&below, &stuck))).flatten();
                match asks {
                    Some(check) => drop(runs.graph.to_mut().resources.insert(address.clone(), check)),
                    None => drop(stuck.insert(address.as_str(), lost)),
                }
                continue;
            };
            let lost = Vec::from_iter(lost).join(", ");
            let text = format!("it is raised as it runs: {lost} cannot be found by their tags");
            runs.remarks.push(Remark { address: address.to_string(), text });
            below.extend(resource.needed().filter_map(|it| stuck.get_key_value(it)).map(|(it, _)| *it));
            let after =
                resource.after.iter().filter(|it| !stuck.contains_key(it.as_str())).cloned().collect();
            let resource = Resource { spec, after, ..resource.clone() };
            runs.graph.to_mut().resources.insert(address.clone(), resource);
        }
        if runs.remarks.is_empty() {
            return Ok(runs);
        }
        let mut beneath = with_what_they_need(want, below, &stuck);
        let is_network = |it: &&str| want.resources.get(*it).is_some_and(|it| is_network(it, kinds));
        beneath.extend(stuck.into_keys().filter(is_network));
        let unused = unused(&runs.graph, beneath);
        if !unused.is_empty() {
            runs.graph.to_mut().resources.retain(|address, _| !unused.contains(address.as_str()));
        }
        Ok(runs)
    }
}

/// Returns the spec with which capacity is raised as it runs; `None` if it does not run, or is no
/// capacity.
fn as_it_runs(
    resource: &Resource,
    seen: &Observed,
    kinds: &KindRegistry,
) -> Result<Option<Value>, ShapeError> {
    let Some(capacity) = kinds.get(&resource.kind).and_then(|kind| kind.capacity()) else { return Ok(None) };
    match seen.seen.get(&resource.address) {
        Some(Look::Present(Found { owner, live, .. })) if owner.is_ours() => {
            capacity.as_it_runs(&resource.spec, live)
        }
        _ => match without_tags(resource, seen, kinds)? {
            Some(found) => capacity.as_it_runs(&resource.spec, &found.live),
            None => Ok(None),
        },
    }
}

/// Returns a check that asks what is raised as it runs, without the need of what that runs on; `None` if it
/// needs more that cannot be found.
fn asks_what_runs<'g>(
    want: &'g Graph,
    check: &Resource,
    (below, stuck): (&BTreeSet<&'g str>, &BTreeMap<&'g str, BTreeSet<&'g str>>),
) -> Option<Resource> {
    let beneath = with_what_they_need(want, below.clone(), stuck);
    let after = check.after.iter().filter(|it| !beneath.contains(it.as_str())).cloned().collect();
    let check = Resource { after, ..check.clone() };
    let is_free = !check.needed().any(|it| stuck.contains_key(it));
    is_free.then_some(check)
}

/// Returns the capacity that stands for `resource` and has lost its tags: it has the name that
/// drstack gives, and runs on what is the stack's.
pub(super) fn without_tags<'s>(
    resource: &Resource,
    seen: &'s Observed,
    kinds: &KindRegistry,
) -> Result<Option<&'s Found>, ShapeError> {
    let kind = kinds.get(&resource.kind).filter(|kind| kind.capacity().is_some());
    let (Some(kind), Some([found])) = (kind, seen.untagged.get(&resource.address).map(Vec::as_slice)) else {
        return Ok(None);
    };
    let looked = seen.seen.values().filter_map(|look| match look {
        Look::Present(it) if it.owner.is_ours() => Some(it.id.as_str()),
        _ => None,
    });
    let ours: BTreeSet<&str> = looked.chain(seen.others.iter().map(|it| it.found.id.as_str())).collect();
    Ok(kind.links(&found.live)?.iter().any(|id| ours.contains(id.as_str())).then_some(found))
}

/// True if the resource neither serves nor holds data: whoever serves already has it, or does without.
fn is_network(resource: &Resource, kinds: &KindRegistry) -> bool {
    kinds.get(&resource.kind).is_some_and(|kind| {
        let serves = kind.capacity().is_some() || kind.traffic().is_some() || kind.check().is_some();
        kind.lookup() == Lookup::Tag && kind.role() == Role::Object && !serves
    })
}

/// Adds to `below` what it needs of `stuck`.
fn with_what_they_need<'g>(
    want: &'g Graph,
    mut below: BTreeSet<&'g str>,
    stuck: &BTreeMap<&'g str, BTreeSet<&'g str>>,
) -> BTreeSet<&'g str> {
    let mut open: Vec<&str> = below.iter().copied().collect();
    while let Some(address) = open.pop() {
        let needed = want.resources.get(address).into_iter().flat_map(Resource::needed);
        for (need, _) in needed.filter_map(|it| stuck.get_key_value(it)) {
            if below.insert(need) {
                open.push(need);
            }
        }
    }
    below
}

/// Returns those of `stuck` that nothing else of `graph` needs.
fn unused<'l>(graph: &Graph, mut stuck: BTreeSet<&'l str>) -> BTreeSet<&'l str> {
    loop {
        let others = graph.resources.values().filter(|it| !stuck.contains(it.address.as_str()));
        let used: BTreeSet<&str> = others.flat_map(Resource::needed).collect();
        let before = stuck.len();
        stuck.retain(|it| !used.contains(it));
        if stuck.len() == before {
            return stuck;
        }
    }
}
