//! Reads what has a name that a failover will use.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{Look, by_kind, named};
use crate::address::Address;
use crate::cloud::{Cloud, Scope};
use crate::graph::Resource;
use crate::kind::KindRegistry;

/// Reads once what has the names of `resources`; without one, or for a check, there is nothing to read.
///
/// Example: the table that a failover would restore, before it does: another's may have its name.
pub async fn look_by_name(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    resources: impl Iterator<Item = &Resource>,
) -> BTreeMap<Address, Look> {
    let with_a_name = resources.filter(|it| it.name.is_some());
    let looks = by_kind(with_a_name).into_iter().filter_map(|((kind, place), wanted)| {
        let kind = kinds.get(kind).filter(|kind| kind.check().is_none())?;
        let names: Vec<String> = wanted.iter().filter_map(|it| it.name.clone()).collect();
        Some(async move {
            let read = cloud.read(kind.name(), scope, place, &names).await;
            let mut read = read.into_iter();
            let looks = wanted.into_iter().zip(&names).map(|(resource, name)| {
                (resource.address.clone(), named(read.next(), name, &resource.address))
            });
            looks.collect::<Vec<_>>()
        })
    });
    join_all(looks).await.into_iter().flatten().collect()
}
