//! A failback restores the world as it was before the failover, except for the restored tables,
//! which hold data.
//!
//! No group serves with less than it had in standby on the way, nor while Auto Scaling replaces
//! on-demand instances with spot ones. Instances without spot capacity stay on-demand, and another
//! failover may come at any moment of that.

use std::collections::BTreeMap;
use std::time::Duration;

use drstack_core::plan::Intent;
use drstack_sim::{Sim, World};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;
use tokio::time::timeout;

use super::{Disaster, without_most};
use crate::props::desk::OperatorCloud;
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, EXCHANGED, cases, expect_done, left_to_do, objects, shape};
use crate::props::{finds, holds, run};

/// The spot capacity that is missing at a failback, and the seconds until the world is observed.
#[derive(Clone, Debug, Default)]
struct Lack {
    /// Available spot instances of each type.
    spot: [Option<u32>; 2],
    seconds: i64,
}

const TYPES: [&str; 2] = ["g5.xlarge", "g6.xlarge"];

fn lacks() -> impl Strategy<Value = Lack> {
    let none = Just([Some(0), Some(0)]);
    let some = prop::array::uniform2(prop::option::of(0..8_u32));
    let spot = prop_oneof![1 => Just([None, None]), 1 => none, 2 => some];
    (spot, 0..240_i64).prop_map(|(spot, seconds)| Lack { spot, seconds })
}

impl Lack {
    fn limits(&self) -> BTreeMap<String, u32> {
        TYPES.iter().zip(self.spot).filter_map(|(of, limit)| Some(((*of).to_owned(), limit?))).collect()
    }

    fn is_of_all(&self) -> bool {
        self.spot == [Some(0), Some(0)]
    }
}

/// Removes the epochs, which may differ since they only rise.
fn without_epochs(shape: Vec<String>) -> Vec<String> {
    shape.into_iter().filter(|it| !it.contains("/parameter/") || !it.contains("/epoch ")).collect()
}

fn expect_equal(after: &[String], before: &[String]) {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|it| !those.contains(it)).cloned().collect()
    };
    let (more, less) = (only(after, before), only(before, after));
    assert!(before == after, "there is {more:#?}\nthere was {less:#?}");
}

fn check(case: &Case, lack: &Lack, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let sim = disaster.begin();
        let end = disaster.failover(&sim, "next").await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        // The primary answers again.
        let active = sim.world();
        let sim = disaster.scene.after_with(&sim, |config| config.spot = lack.limits());
        let service = disaster.service();
        let desk = OperatorCloud::at(&sim, flaw, None).watching(&service);
        let end = disaster.scene.program_with(&desk, "back", flaw).failback().await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        let kept = disaster.mode(&sim).await;
        assert_eq!((kept.standing().epoch, kept.is_complete()), (2, true));
        // Auto Scaling goes on by itself.
        let span = Duration::from_secs(u64::try_from(lack.seconds).unwrap());
        let Err(_) = timeout(span, service.look_each_second(&sim)).await;
        service.expect_no_dip();
        expect_wanted(&disaster, &sim, &active, lack).await;
        failed_over_again(&disaster, &sim).await;
        let sim = disaster.scene.after_with(&sim, |config| config.between_runs = EXCHANGED);
        let before = without_epochs(disaster.scene.settled(&disaster.scene.stands));
        let mut after = without_epochs(shape(&sim.world()));
        after.retain(|it| !it.contains("/table-import/") || !it.contains(" Stack "));
        expect_equal(&after, &before);
        // An apply has nothing to do, and a second failover ends like the first one.
        disaster.scene.applied(&sim, "apply").await;
    });
}

/// Asserts that nothing is left to do in the world of `sim`, and that the instances in service are
/// the desired ones of mode standby, on-demand where there is no spot capacity.
async fn expect_wanted(disaster: &Disaster, sim: &Sim, active: &World, lack: &Lack) {
    let now = disaster.scene.after_with(sim, |config| {
        (config.spot, config.between_runs) = (lack.limits(), SignedDuration::from_millis(1));
    });
    let planned = disaster.scene.plan(&now, Intent::Converge).await;
    assert_eq!(left_to_do(&planned.plan), [""; 0], "left to do");
    assert_eq!((&planned.report.blocked, &planned.report.waiting), (&vec![], &vec![]));
    let (before, now) = (disaster.scene.stands.world(), now.world());
    let count = |live: &Value, of: &str| live[of].as_u64().unwrap();
    for (id, live) in groups(&now) {
        let stood = groups(&before)[id];
        let field = |of: &str| (live[of].clone(), stood[of].clone());
        for (is, was) in ["min", "max", "desired", "on_demand_percentage", "types", "weights"].map(field) {
            assert_eq!(is, was, "{id}");
        }
        assert!(count(live, "on_demand") + count(live, "spot") >= count(live, "desired"), "{id}: {live}");
        let had = count(groups(active)[id], "spot");
        assert!(!lack.is_of_all() || count(live, "spot") <= had, "{id} had {had} spot instances: {live}");
    }
}

/// Asserts that a failover which begins now ends like the first one.
async fn failed_over_again(disaster: &Disaster, sim: &Sim) {
    let sim = disaster.later(sim);
    expect_done(disaster.failover(&sim, "again").await);
    let there = disaster.scene.settled(&sim);
    let there: Vec<String> = there.iter().map(|it| without_most(it)).collect();
    expect_equal(&without_epochs(there), &without_epochs(disaster.undisturbed.clone()));
}

/// Returns the live values of all groups, by id.
fn groups(world: &World) -> BTreeMap<&str, &Value> {
    let groups = objects(world).filter(|(kind, ..)| *kind == "group");
    groups.map(|(_, _, id, object)| (id, &object.live)).collect()
}

#[test]
fn a_failback_restores_the_world_as_it_was() {
    holds((cases(), lacks()), |(case, lack)| check(&case, &lack, None));
}

#[test]
fn a_group_that_ends_before_it_launches_is_found_by_the_property_of_failing_back() {
    finds(cases(), |case| check(&case, &Lack::default(), Some(Flaw::LaunchesLast)));
}
