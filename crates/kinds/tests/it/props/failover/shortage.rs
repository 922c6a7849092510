//! The region is short of capacity, or the account of quota. A failover is up, or up with less and
//! above its minimum, or has failed and says why.
//!
//! Once there is enough, running it again ends like any other failover.

use std::collections::BTreeMap;

use drstack_sim::{Holder, SimConfig, World};
use proptest::prelude::*;

use super::Disaster;
use crate::props::program::End;
use crate::props::scene::{Case, cases, expect_done};
use crate::props::service::serving;
use crate::props::{holds, run};

/// Available instances of each type beside those that run, if the type is short.
#[derive(Clone, Debug)]
pub(super) struct Shortage {
    capacity: [Option<u32>; 2],
    on_demand: [Option<u32>; 2],
    spot: [Option<u32>; 2],
    quota: [Option<u32>; 2],
}

const TYPES: [&str; 2] = ["g5.xlarge", "g6.xlarge"];

pub(super) fn shortages() -> impl Strategy<Value = Shortage> {
    let limits = || prop::array::uniform2(prop::option::of(0..40_u32));
    (limits(), limits(), limits(), limits()).prop_map(|(capacity, on_demand, quota, spot)| Shortage {
        capacity,
        on_demand,
        spot,
        quota,
    })
}

impl Shortage {
    /// Sets the limits in `config`, beside the instances that run in `world`.
    pub(super) fn limit(&self, world: &World, config: &mut SimConfig) {
        config.capacity = limited(self.capacity, world);
        config.on_demand = limited(self.on_demand, world);
        config.spot = limited(self.spot, world);
        config.quota = limited(self.quota, world);
    }
}

/// Returns `limits` plus the instances that run already.
fn limited(limits: [Option<u32>; 2], world: &World) -> BTreeMap<String, u32> {
    let running = |of: &str| -> u32 {
        let groups = world.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
        groups.filter_map(|(_, object)| object.runs.get(of)).sum()
    };
    let limit = |(of, limit): (&str, Option<u32>)| Some((of.to_owned(), limit? + running(of)));
    TYPES.into_iter().zip(limits).filter_map(limit).collect()
}

fn check(case: &Case, shortage: &Shortage) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let world = disaster.scene.stands.world();
        let sim = disaster.begin_with(|config| shortage.limit(&world, config));
        let end = disaster.failover(&sim, "short").await;
        let now = disaster.later(&sim).world();
        match &end {
            End::Done(_) => expect_above_minimum(&now, &disaster.later(&disaster.begin()).world()),
            End::Failed(why) => assert!(why.contains("wanted in us-west-2"), "{why}"),
            End::Locked(why) => panic!("{why}"),
        }
        disaster.expect_nothing_lost(&disaster.later(&sim));
        // There is enough capacity again.
        let sim = disaster.later(&sim);
        expect_done(disaster.failover(&sim, "again").await);
        disaster.expect_same_but(&sim, without_sizes).await;
    });
}

/// Removes the types and weights of a group, and the number of its instances: those of other sizes
/// stay, and count for what they do.
fn without_sizes(line: &str) -> String {
    let Some((before, after)) = line.split_once("\"types\":") else { return line.to_owned() };
    let Some((_, rest)) = after.split_once("\"min\":") else { return line.to_owned() };
    let rest = rest.rsplit_once(' ').map_or(rest, |(rest, _)| rest);
    format!("{before}\"min\":{rest}")
}

/// Asserts that each group serves at least the minimum of its desired size, and not less than
/// before.
fn expect_above_minimum(now: &World, before: &World) {
    let before = serving(before);
    let serving = serving(now);
    let groups = now.objects.get("group").into_iter().flat_map(BTreeMap::values).flatten();
    for (id, group) in groups.filter(|(_, it)| matches!(it.owner, Holder::Stack { .. })) {
        let desired = group.live["desired"].as_u64().unwrap();
        assert!(serving[id] >= desired * 6 / 10, "{id} serves {} of {desired}", serving[id]);
        assert!(serving[id] >= before.get(id).copied().unwrap_or(0), "{id}");
    }
}

#[test]
fn a_failover_in_a_region_that_is_short_ends_well_or_says_why_and_goes_on_later() {
    holds((cases(), shortages()), |(case, shortage)| check(&case, &shortage));
}
