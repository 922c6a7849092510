//! Traffic moves once everything of its tier and earlier tiers is up, whatever calls fail, and
//! nothing shrinks before traffic has left.
//!
//! The same holds if a part of the stack fails over, and if a run dies and another one goes on.

use drstack_sim::{Failure, Fault};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Disaster, FIRST};
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, cases};
use crate::props::sequence::Watch;
use crate::props::{finds, holds, run};

/// The mishap at one call of the first run.
#[derive(Clone, Debug)]
enum Mishap {
    Nothing,
    Fails(Failure),
    Dies,
}

const FAILURES: [Failure; 4] =
    [Failure::Denied, Failure::NoCapacity, Failure::Quota, Failure::TimeoutAfterEffect];

fn mishaps() -> impl Strategy<Value = (Mishap, Index)> {
    let how = prop_oneof![
        1 => Just(Mishap::Nothing),
        2 => select(&FAILURES[..]).prop_map(Mishap::Fails),
        1 => Just(Mishap::Dies),
    ];
    (how, any::<Index>())
}

/// Returns the part that fails over; empty for the whole stack.
fn part(disaster: &Disaster, which: Option<Index>) -> Vec<String> {
    let components = disaster.scene.stack.components.values();
    let traffic = components.filter(|it| it.component.name() == "traffic");
    let all: Vec<String> = traffic.map(|it| it.address.to_string()).collect();
    which.filter(|_| !all.is_empty()).map(|it| it.get(&all).clone()).into_iter().collect()
}

fn check(case: &Case, (mishap, at): &(Mishap, Index), which: Option<Index>, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let only = part(&disaster, which);
        let at = Some(at.index(usize::try_from(disaster.calls).unwrap()) as u64 + 1);
        let sim = disaster.begin_with(|config| match mishap {
            Mishap::Nothing => {}
            Mishap::Dies => config.kill_at = at,
            Mishap::Fails(error) => {
                let (kind, operation, region, subject, share) = (None, None, None, None, None);
                config.faults.push(Fault { kind, operation, region, subject, error: *error, share, at });
            }
        });
        let look = disaster.begin();
        let active = disaster.scene.program_with(&disaster.desk(&look), "look", None);
        let active = active.plan_failover(&[]).await.unwrap_or_else(|end| panic!("{end:?}")).compiled.graph;
        let watch = Watch::failover(&disaster.scene.stack, &active);
        let desk = disaster.desk(&sim).in_order(&watch);
        tokio::select! {
            biased;
            () = sim.stopped() => {}
            _ = async { disaster.scene.program_with(&desk, FIRST, flaw).failover(&only).await } => {}
        }
        watch.expect_kept();
        // The next run keeps the order too, and completes.
        let next = disaster.later(&sim);
        let desk = disaster.desk(&next).in_order(&watch);
        let end = disaster.scene.program_with(&desk, "next", flaw).failover(&only).await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        watch.expect_kept();
    });
}

fn check_back(case: &Case, (mishap, at): &(Mishap, Index), flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let sim = disaster.begin();
        let end = disaster.failover(&sim, "next").await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        let at = Some(at.index(usize::try_from(disaster.calls).unwrap()) as u64 + 1);
        let sim = disaster.scene.after_with(&sim, |config| match mishap {
            Mishap::Nothing => {}
            Mishap::Dies => config.kill_at = at,
            Mishap::Fails(error) => {
                let (kind, operation, region, subject, share) = (None, None, None, None, None);
                config.faults.push(Fault { kind, operation, region, subject, error: *error, share, at });
            }
        });
        let watch = Watch::failback();
        let desk = disaster.desk(&sim).in_order(&watch);
        tokio::select! {
            biased;
            () = sim.stopped() => {}
            _ = async { disaster.scene.program_with(&desk, "back", flaw).failback().await } => {}
        }
        watch.expect_kept();
        let next = disaster.scene.later(&sim);
        let desk = disaster.desk(&next).in_order(&watch);
        let end = disaster.scene.program_with(&desk, "again", flaw).failback().await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        watch.expect_kept();
    });
}

#[test]
fn traffic_moves_once_all_of_its_tier_and_those_before_is_up() {
    holds((cases(), mishaps()), |(case, mishap)| check(&case, &mishap, None, None));
}

#[test]
fn a_part_that_moves_traffic_brings_up_what_that_waits_for_first() {
    holds((cases(), mishaps(), any::<Index>()), |(case, mishap, which)| {
        check(&case, &mishap, Some(which), None);
    });
}

#[test]
fn nothing_shrinks_before_traffic_has_left() {
    holds((cases(), mishaps()), |(case, mishap)| check_back(&case, &mishap, None));
}

#[test]
fn traffic_that_moves_first_is_found_by_the_property_of_order() {
    finds((cases(), mishaps()), |(case, mishap)| check(&case, &mishap, None, Some(Flaw::TrafficFirst)));
}

#[test]
fn a_part_alone_is_found_by_the_property_of_order() {
    finds((cases(), mishaps(), any::<Index>()), |(case, mishap, which)| {
        check(&case, &mishap, Some(which), Some(Flaw::PartAlone));
    });
}

#[test]
fn a_failback_that_shrinks_first_is_found_by_the_property_of_order() {
    finds((cases(), mishaps()), |(case, mishap)| check_back(&case, &mishap, Some(Flaw::ShrinksFirst)));
}
