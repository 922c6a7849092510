//! Instances in service when a failover begins stay in service throughout, also while spot
//! instances are interrupted.

use std::time::Duration;

use drstack_core::kind::Place;
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::time::sleep;

use super::Disaster;
use crate::props::planted::Flaw;
use crate::props::program::{End, scope};
use crate::props::scene::{Case, cases};
use crate::props::service::{Service, serving};
use crate::props::{finds, holds, run};

/// Time until Auto Scaling has replaced interrupted instances.
const RELAUNCH: SignedDuration = SignedDuration::from_mins(2);

/// The loss of some spot instances at a moment of the failover.
#[derive(Clone, Debug)]
struct Interruption {
    at: Index,
    group: Index,
    count: u64,
}

fn interruptions() -> impl Strategy<Value = Vec<Interruption>> {
    let one = (any::<Index>(), any::<Index>(), 1..4_u64);
    let one = one.prop_map(|(at, group, count)| Interruption { at, group, count });
    prop::collection::vec(one, 0..4)
}

fn check(case: &Case, interruptions: &[Interruption], flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, flaw).await;
        let sim = disaster.begin();
        let service = Service::of(&sim);
        let desk = disaster.desk(&sim).watching(&service);
        let program = disaster.scene.program_with(&desk, "next", flaw);
        let interrupted = async {
            let millis = usize::try_from(disaster.millis).unwrap() + 1;
            let mut all: Vec<_> = interruptions.iter().map(|it| (it.at.index(millis) as u64, it)).collect();
            all.sort_by_key(|(at, _)| *at);
            let mut before = 0;
            for (at, Interruption { group, count, .. }) in all {
                sleep(Duration::from_millis(at - before)).await;
                before = at;
                let groups: Vec<String> = serving(&sim.world()).into_keys().collect();
                if groups.is_empty() {
                    continue;
                }
                let id = &groups[group.index(groups.len())];
                service.lost(id, *count);
                let scope = scope(&disaster.scene.stack);
                let fewer = |live: &mut serde_json::Value| {
                    live["spot"] = live["spot"].as_u64().unwrap().saturating_sub(*count).into();
                };
                assert!(sim.interrupt("group", &scope, Place::Standby, id, RELAUNCH, fewer).unwrap());
            }
        };
        let (end, ()) = tokio::join!(program.failover(&[]), interrupted);
        assert!(matches!(end, End::Done(_)), "{end:?}");
        disaster.expect_fair(&sim, &desk, &service);
        // The next run restores instances that were interrupted after this one was done.
        let later = disaster.later(&sim);
        let service = Service::of(&later);
        let desk = disaster.desk(&later).watching(&service);
        let end = disaster.scene.program_with(&desk, "again", flaw).failover(&[]).await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        disaster.expect_fair(&later, &desk, &service);
    });
}

#[test]
fn what_serves_never_gets_fewer_in_a_failover() {
    holds((cases(), interruptions()), |(case, interruptions)| check(&case, &interruptions, None));
}

#[test]
fn spot_instances_that_go_too_early_are_found_by_the_property_of_dips() {
    finds(cases(), |case| check(&case, &[], Some(Flaw::NoHold)));
}
