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
/// Example: the table that a failover would restore and the group that it would make: another's may have its name.
pub async fn look_by_name(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    resources: impl Iterator<Item = &Resource>,
) -> BTreeMap<Address, Look> {
    let looks = by_kind(resources).into_iter().filter_map(|((kind, place), wanted)| {
        let kind = kinds.get(kind).filter(|kind| kind.check().is_none())?;
        let is_id = kind.keeps_name().is_some_and(|it| it.name_is_id());
        let name = |it: &Resource| {
            let known = it.known_name().filter(|_| is_id).map(str::to_owned);
            it.name.clone().or(known)
        };
        let (wanted, names): (Vec<&Resource>, Vec<String>) =
            wanted.into_iter().filter_map(|it| Some((it, name(it)?))).unzip();
        let is_any = !names.is_empty();
        is_any.then_some(async move {
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
