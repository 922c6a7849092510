//! The primary and the services of the whole partition are lost at any moment: a failover calls
//! neither, and completes.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;

use super::{Disaster, expect_alone};
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, Scene, cases};
use crate::props::service::Service;
use crate::props::{finds, holds, run};

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, flaw).await;
        let sim = disaster.begin();
        let end = disaster.failover(&sim, "next").await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        disaster.expect_same(&sim).await;
    });
}

/// The region is lost during an apply that changes the existing world. The machine of the apply
/// dies too, or does not.
fn check_during(case: &Case, millis: u64, dies: bool) {
    run(async {
        let scene = Scene::of(case, None).await;
        let sim = scene.begin();
        let desk = scene.desk(&sim, None);
        let lost = async {
            sleep(Duration::from_millis(millis)).await;
            sim.lose(&scene.stack.facts.primary);
            sim.lose("global");
        };
        let program = scene.program(&desk, "apply");
        tokio::select! {
            () = async { lost.await; if !dies { std::future::pending().await } } => {}
            _ = program.apply() => {}
        }
        let sim = scene.after_with(&sim, |config| {
            config.down = [scene.stack.facts.primary.clone(), "global".to_owned()].into();
        });
        let service = Service::of(&sim);
        let desk = scene.desk(&sim, None).watching(&service);
        let end = scene.program(&desk, "failover").failover(&[]).await;
        service.expect_no_dip();
        expect_alone(&sim);
        let has_begun =
            sim.see(|world| world.buckets.values().any(|it| it.objects.contains_key("bundle.json")));
        // The apply may have taken away, or not made yet, what would move the traffic.
        let is_unread = matches!(&end, End::Failed(why) if why.contains("nothing reads it that leads users"));
        assert!(matches!(end, End::Done(_)) || is_unread || !has_begun, "{end:?}");
    });
}

#[test]
fn a_failover_calls_nothing_outside_the_standby_region_and_completes() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_failover_completes_whenever_the_region_is_lost() {
    holds((cases(), 0..600_000_u64, any::<bool>()), |(case, millis, dies)| {
        check_during(&case, millis, dies);
    });
}

#[test]
fn a_look_at_the_primary_is_found_by_the_property_of_lost_regions() {
    finds(cases(), |case| check(&case, Some(Flaw::LooksAtPrimary)));
}

#[test]
fn a_failover_that_writes_facts_is_found_by_the_property_of_lost_regions() {
    finds(cases(), |case| check(&case, Some(Flaw::WritesFacts)));
}
