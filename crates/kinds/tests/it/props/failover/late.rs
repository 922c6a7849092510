//! A call of the run that the failover took the lock from has its effect late, at any moment. Once
//! nothing can land any more, the world is that of the failover.

use std::time::Duration;

use drstack_core::cloud::Cloud;
use drstack_core::control::lease::LEASE;
use drstack_core::control::lock::holder;
use drstack_sim::{Astray, Sim, Way};
use proptest::prelude::*;
use tokio::time::{sleep, timeout};

use crate::props::desk::OperatorCloud;
use crate::props::planted::Flaw;
use crate::props::program::{End, scope};
use crate::props::scene::{Case, Scene, cases, expect_intended, left_to_do};
use crate::props::{finds, holds, run};

/// The old run's command, the change of it that goes astray and how, and the start of the failover,
/// in milliseconds after that change was sent.
#[derive(Clone, Debug)]
struct Old {
    destroys: bool,
    change: u64,
    way: Way,
    millis: u64,
    taken_after: u64,
    /// True if its lock was broken by hand before the failover.
    unlocked: bool,
}

/// A call that was sent lands within the lease's margin and [`FLIGHT`], which is half a minute.
/// Attempts go on as long as the old run makes them.
///
/// [`FLIGHT`]: drstack_core::control::in_flight::FLIGHT
fn olds() -> impl Strategy<Value = Old> {
    prop_oneof![2 => going(Way::Late, 0..29_000), 1 => going(Way::Refused, 0..400_000)]
}

fn going(way: Way, millis: std::ops::Range<u64>) -> impl Strategy<Value = Old> {
    let way = (Just(way), millis);
    (any::<bool>(), 1..12_u64, way, prop_oneof![0..2_000_u64, 0..40_000_u64], any::<bool>()).prop_map(
        |(destroys, change, (way, millis), taken_after, unlocked)| Old {
            destroys,
            change,
            way,
            millis,
            taken_after,
            unlocked,
        },
    )
}

/// Time after which everything has landed, for a run that waits for nothing.
const ALL_LANDED: Duration = Duration::from_secs(3600);

fn check((case, old): (Case, Old), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, None).await;
        let sim = if old.destroys { scene.later(&scene.stands) } else { scene.begin() };
        let astray = Astray { change: old.change, span: Duration::from_millis(old.millis), how: old.way };
        // With one flaw the old run does not check its permit again; with the other the failover
        // does not wait for calls that may land.
        let [asks, waits] = [Flaw::AsksOnce, Flaw::LooksOnce].map(|of| flaw.filter(|it| *it == of));
        let left = OperatorCloud::at(&sim, asks, None).beside_others().astray(astray);
        let desk = OperatorCloud::at(&sim, waits, None).beside_others();
        let program = scene.program_with(&left, "old", flaw);
        let (_, taken) = tokio::join!(
            async {
                match old.destroys {
                    true => program.destroy().await,
                    false => program.apply().await,
                }
            },
            async {
                // The old run may be done before its change goes astray.
                if timeout(ALL_LANDED, left.seat().goes_astray()).await.is_err() {
                    return None;
                }
                sleep(Duration::from_millis(old.taken_after)).await;
                // A complete destroy has withdrawn the bundle, so there is nothing to fail over to.
                if !is_published(&sim) {
                    return None;
                }
                let program = scene.program_with(&desk, "taking", flaw);
                if old.unlocked {
                    program.unlock().await.unwrap();
                }
                Some(program.failover(&[]).await)
            }
        );
        [&left, &desk].into_iter().for_each(expect_intended);
        let Some(taken) = taken else { return };
        expect_taken(&scene, &sim, taken).await;
    });
}

/// What a failover says of traffic that it cannot move.
const UNREAD: &str = "nothing reads it that leads users";

/// Asserts that the failover is done and nothing is left to do once everything has landed. A call
/// that lands during the failover fails none of its steps.
async fn expect_taken(scene: &Scene, sim: &Sim, taken: End) {
    match taken {
        End::Done(_) => {}
        End::Locked(_) => return,
        // No step failed, but a call may have landed that could not be observed yet: the failover
        // reports that.
        End::Failed(why) if why.contains("calls of an earlier run may have changed") => return,
        // The old run took away, or had not made yet, what would move the traffic.
        End::Failed(why) if why.contains(UNREAD) => {}
        End::Failed(why) => panic!("{why}"),
    }
    sleep(ALL_LANDED).await;
    let now = scene.later(sim);
    let desk = scene.desk(&now, None);
    let planned = scene.program_with(&desk, "look", None).plan_failover(&[]).await;
    let planned = planned.unwrap_or_else(|end| panic!("{end:?}"));
    assert_eq!(left_to_do(&planned.plan), [""; 0], "undone");
    let store = now.control(&scope(&scene.stack), &scene.stack.facts.control);
    assert_eq!(holder(&*store).await.unwrap(), None);
}

fn is_published(sim: &Sim) -> bool {
    sim.see(|world| world.buckets.values().any(|it| it.objects.contains_key("bundle.json")))
}

#[test]
fn a_call_that_lands_after_its_run_was_sealed_does_not_outlive_the_failover() {
    assert!(LEASE.as_secs() < 400, "some attempts go on for longer than any lease");
    holds((cases(), olds()), |case| check(case, None));
}

#[test]
fn a_failover_that_does_not_look_again_is_found_by_the_property_of_late_calls() {
    finds((cases(), going(Way::Late, 5_000..29_000)), |case| check(case, Some(Flaw::LooksOnce)));
}

#[test]
fn a_run_that_asks_once_whether_it_may_call_is_found_by_the_property_of_late_calls() {
    finds((cases(), going(Way::Refused, 200_000..400_000)), |case| check(case, Some(Flaw::AsksOnce)));
}
