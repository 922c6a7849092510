//! Objects that have lost their tags, found by the ids under which the stack's own objects use
//! them.
//!
//! A resource that only its tags identify seems absent without them. What uses it knows its id, so
//! nothing is made in its place. Where the id is the name, the name leads to it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Look, Observed};
use crate::address::Address;
use crate::cloud::{Cloud, Found, Owner, Scope};
use crate::graph::{Graph, Resource};
use crate::kind::{KindRegistry, Lookup, Place};

/// Ids that may be those of missing resources, by the bulk read that covers them.
type Wanted<'g> = BTreeMap<(&'static str, Place), BTreeMap<&'g Address, BTreeSet<String>>>;

/// Completes `all` with the objects that what is present uses in the place of what seems absent.
///
/// An object that could not be looked at leaves it unknown whether the resource is absent.
pub(super) async fn find(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    graph: &Graph,
    all: &mut Observed,
) {
    let is_missing = |it: &Resource| it.name.is_none() && all.seen.get(&it.address) == Some(&Look::Absent);
    if !graph.resources.values().any(is_missing) {
        return;
    }
    let named = by_name(kinds, graph, all);
    read(cloud, scope, all, &named).await;
    // What has this stack's tags is found by them.
    let is_in_the_way = |it: &Found| matches!(it.owner, Owner::Foreign | Owner::Stack(_));
    all.untagged.retain(|_, found| found.iter().all(is_in_the_way));
    let mut users: Vec<(Address, Found)> = all
        .seen
        .iter()
        .filter_map(|(address, look)| match look {
            Look::Present(found) if found.owner.is_ours() => Some((address.clone(), found.clone())),
            _ => None,
        })
        .collect();
    while !users.is_empty() {
        let wanted = wanted(&users, kinds, graph, all);
        users = read(cloud, scope, all, &wanted).await;
    }
}

/// Reads `wanted`, records the answers, and returns what was found.
async fn read(
    cloud: &dyn Cloud,
    scope: &Scope,
    all: &mut Observed,
    wanted: &Wanted<'_>,
) -> Vec<(Address, Found)> {
    let reads = wanted.iter().map(|((kind, place), by_address)| async move {
        let ids: BTreeSet<String> = by_address.values().flatten().cloned().collect();
        let ids: Vec<String> = ids.into_iter().collect();
        (cloud.read(kind, scope, *place, &ids).await, by_address)
    });
    let mut found = Vec::new();
    for (read, by_address) in join_all(reads).await {
        found.extend(take(all, read, by_address));
    }
    found
}

/// Returns the names of missing resources whose name is their id.
fn by_name<'g>(kinds: &KindRegistry, graph: &'g Graph, all: &Observed) -> Wanted<'g> {
    let mut wanted = Wanted::new();
    for missing in graph.resources.values() {
        let is_missing = missing.name.is_none() && all.seen.get(&missing.address) == Some(&Look::Absent);
        let kind = kinds.get(&missing.kind).filter(|_| is_missing);
        let named = kind.filter(|kind| kind.keeps_name().is_some_and(|it| it.name_is_id()));
        if let (Some(kind), Some(name)) = (named, missing.known_name()) {
            let all = wanted.entry((kind.name(), missing.place)).or_default();
            all.insert(&missing.address, [name.to_owned()].into());
        }
    }
    wanted
}

/// Returns the ids that `users` use and that nothing seen has, for each missing resource that they
/// need.
fn wanted<'g>(
    users: &[(Address, Found)],
    kinds: &KindRegistry,
    graph: &'g Graph,
    all: &Observed,
) -> Wanted<'g> {
    let looked = all.seen.values().filter_map(|look| match look {
        Look::Present(found) => Some(found.id.as_str()),
        _ => None,
    });
    let visible: BTreeSet<&str> = looked.chain(all.others.iter().map(|it| it.found.id.as_str())).collect();
    let mut wanted = Wanted::new();
    for (user, found) in users {
        let Some(user) = graph.resources.get(user) else { continue };
        let Some(Ok(links)) = kinds.get(&user.kind).map(|kind| kind.links(&found.live)) else { continue };
        let ids: BTreeSet<String> = links.into_iter().filter(|id| !visible.contains(id.as_str())).collect();
        let needed = user.needed().filter_map(|it| graph.resources.get(it));
        for missing in needed.filter(|it| {
            all.seen.get(&it.address) == Some(&Look::Absent) && !all.untagged.contains_key(&it.address)
        }) {
            let Some(kind) = kinds.get(&missing.kind) else { continue };
            if kind.lookup() == Lookup::Tag && kind.capacity().is_none() && !ids.is_empty() {
                let all = wanted.entry((kind.name(), missing.place)).or_default();
                all.entry(&missing.address).or_default().extend(ids.iter().cloned());
            }
        }
    }
    wanted
}

/// Records the answers of one bulk read, and returns what was found.
fn take(
    all: &mut Observed,
    read: crate::cloud::Read,
    by_address: &BTreeMap<&Address, BTreeSet<String>>,
) -> Vec<(Address, Found)> {
    let mut found = Vec::new();
    for answer in read {
        match answer {
            Ok(Some(one)) => {
                for (address, _) in by_address.iter().filter(|(_, ids)| ids.contains(&one.id)) {
                    all.untagged.entry((*address).clone()).or_default().push(one.clone());
                    found.push(((*address).clone(), one.clone()));
                }
            }
            Ok(None) => {}
            Err(error) => {
                for address in by_address.keys() {
                    all.seen.insert((*address).clone(), Look::Unknown(error.clone()));
                }
            }
        }
    }
    found
}
