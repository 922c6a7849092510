//! Replicated data of a stack, and the comparison of both sides.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use jiff::Timestamp;

use crate::address::{Address, ComponentAddress};
use crate::cloud::{Cloud, CloudError, Scope};
use crate::graph::Graph;
use crate::kind::{KindRegistry, Lookup, Role, ShapeError};
use crate::plan::PlanReport;
use crate::sides::{Copied, Sides};

/// Number of concurrent comparisons: each lists both sides page by page and holds the listings in
/// memory.
const AT_ONCE: usize = 4;

/// Returns the data that `graph` replicates, by resource; limited to the components `of`, if given.
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
        let replicates = kinds.get(&resource.kind).and_then(|kind| kind.replication());
        let Some(replication) = replicates.filter(|_| is_of) else { continue };
        if let Some(copied) = replication.copied(&resource.spec)? {
            all.insert(address.clone(), copied);
        }
    }
    Ok(all)
}

/// Returns the addresses of copies that a plan keeps although the stack has no use for them.
pub fn kept<'a>(report: &'a PlanReport, kinds: &KindRegistry) -> Vec<&'a str> {
    let is_copy = |address: &Address| {
        let kind = kinds.get(address.resource());
        kind.is_some_and(|kind| kind.role() == Role::Data && kind.lookup() == Lookup::Name)
    };
    let kept = report.kept.iter().map(|it| it.address.as_str());
    kept.filter(|it| Address::parse(it).is_some_and(|it| is_copy(&it))).collect()
}

/// Compares both sides of each of `copied`, several concurrently; an error means that one could not
/// be read.
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
