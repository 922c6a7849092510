//! Asks in a failover whether the data that it leaves as it is still exists and can serve.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::address::Address;
use crate::cloud::{Cloud, Found, Presence, Scope};
use crate::graph::Resource;
use crate::kind::{KindRegistry, Lookup, Place};

/// Pause between two reads of something that was just created.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// What was asked for whether it still exists, and does not, or nobody could look.
#[derive(Default)]
pub(super) struct There {
    /// It does not exist.
    pub(super) gone: BTreeSet<Address>,
    /// It does not exist, and what runs needs it no more: an image.
    pub(super) no_image: BTreeSet<Address>,
    /// It exists and cannot serve, and why.
    pub(super) unwell: BTreeMap<Address, String>,
    /// Nobody could look.
    pub(super) unknown: BTreeSet<Address>,
}

/// Asks whether the data that a failover leaves as it is still exists, and no more of it.
pub(super) async fn are_there(
    cloud: &dyn Cloud,
    kinds: &KindRegistry,
    scope: &Scope,
    kept: impl Iterator<Item = (&Resource, &Found)>,
) -> There {
    let begin = Instant::now();
    let is_named = |kind: &str| kinds.get(kind).is_some_and(|it| it.lookup() == Lookup::Name);
    let mut there = There::default();
    let mut missing: BTreeMap<&'static str, Vec<(&Address, String)>> = BTreeMap::new();
    for (resource, found) in kept {
        let Some(kind) = kinds.get(&resource.kind) else { continue };
        missing.entry(kind.name()).or_default().push((&resource.address, found.id.clone()));
    }
    loop {
        let late = begin.elapsed() > cloud.consistency();
        let asked = missing.into_iter().map(|(kind, wanted)| async move {
            let ids: Vec<String> = wanted.iter().map(|(_, id)| id.clone()).collect();
            (kind, cloud.exist(kind, scope, Place::Standby, &ids).await, wanted)
        });
        missing = BTreeMap::new();
        for (kind, answers, wanted) in join_all(asked).await {
            for (answer, (address, id)) in answers.into_iter().zip(wanted) {
                match answer {
                    Ok(Presence::There) => {}
                    Ok(Presence::Unwell(why)) => drop(there.unwell.insert(address.clone(), why)),
                    // A launch asks for its image itself, and what runs needs none: nobody waits to be sure.
                    Ok(Presence::Absent) if !is_named(kind) => drop(there.no_image.insert(address.clone())),
                    Ok(Presence::Absent) => missing.entry(kind).or_default().push((address, id)),
                    Err(_) => drop(there.unknown.insert(address.clone())),
                }
            }
        }
        if missing.is_empty() || late {
            break;
        }
        // What was just made may not be seen yet.
        sleep(AGAIN).await;
    }
    there.gone.extend(missing.into_values().flatten().map(|(address, _)| address.clone()));
    there
}
