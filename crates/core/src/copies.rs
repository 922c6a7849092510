//! What a stack keeps in both regions, and how the two sides of each compare now.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use jiff::Timestamp;

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Cloud, CloudError, Scope};
use crate::graph::Graph;
use crate::kind::{KindRegistry, ShapeError};
use crate::sides::{Copied, Sides};

/// Data compared at once: each takes a listing of both sides, page after page, and holds it in memory.
const AT_ONCE: usize = 4;

/// What `graph` keeps in both regions, by the resource that does, of these components; of all where none are named.
///
/// # Errors
/// A spec has another shape than its kind's.
pub fn copied(
    graph: &Graph,
    kinds: &KindRegistry,
    of: Option<&BTreeSet<ComponentAddress>>,
) -> Result<BTreeMap<Address, Copied>, ShapeError> {
    let mut all = BTreeMap::new();
    for (address, resource) in &graph.resources {
        let is_of = of.is_none_or(|of| of.iter().any(|it| address.is_within(it.as_str())));
        let Some(kind) = kinds.get(&resource.kind).filter(|_| is_of) else { continue };
        if let Some(copied) = kind.copied(&resource.spec)? {
            all.insert(address.clone(), copied);
        }
    }
    Ok(all)
}

/// Both sides of each of `copied`, several at once; an error says that one could not be looked at.
pub async fn look(
    cloud: &dyn Cloud,
    scope: &Scope,
    copied: &BTreeMap<Address, Copied>,
    since: Option<Timestamp>,
) -> BTreeMap<Address, Result<Sides, CloudError>> {
    let looks: Vec<_> = copied
        .iter()
        .map(|(address, copied)| async move { (address.clone(), cloud.sides(scope, copied, since).await) })
        .collect();
    futures_util::stream::iter(looks).buffered(AT_ONCE).collect().await
}
