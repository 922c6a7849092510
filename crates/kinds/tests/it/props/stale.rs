//! A lock holder that sleeps through its lease, while another run takes the lock, starts no call
//! and writes nothing when it wakes.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::time::sleep;

use super::desk::{Nap, OperatorCloud};
use super::planted::Flaw;
use super::program::End;
use super::scene::{Case, Scene, cases, expect_intended};
use super::{finds, holds, run};

/// Seconds after which another machine tries. No lease lasts longer.
const LEASE: Duration = Duration::from_secs(75);

/// When the machine falls asleep, and for how many seconds beyond its lease: until the next run has
/// begun, or well after it has ended.
fn naps() -> impl Strategy<Value = (Case, Index, u64)> {
    (cases(), any::<Index>(), prop_oneof![2..20_u64, 20..2000_u64])
}

/// Tries until the apply is done: the sleeper may wake just before and renew its lease.
async fn take_turn(scene: &Scene, desk: &OperatorCloud) {
    for run in 0..20 {
        match scene.program(desk, &format!("next-{run}")).apply().await {
            End::Done(_) => return,
            End::Locked(_) => sleep(Duration::from_secs(10)).await,
            End::Failed(why) => panic!("{why}"),
        }
    }
    panic!("still locked");
}

fn check((case, answer, longer): (Case, Index, u64), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, flaw).await;
        let sim = scene.begin();
        let answer = answer.index(usize::try_from(scene.calls).unwrap()) as u64 + 1;
        let sleepy = scene.desk(&sim, Some(Nap { answer, span: LEASE + Duration::from_secs(longer) }));
        let other = scene.desk(&sim, None);
        let sleeper = scene.program(&sleepy, "first");
        let (end, ()) = tokio::join!(sleeper.apply(), async {
            // The run may be done before the machine falls asleep: a call with several attempts is
            // one answer.
            let asleep = tokio::time::timeout(Duration::from_secs(10 * 3600), sleepy.falls_asleep()).await;
            if asleep.is_ok() {
                sleep(LEASE).await;
                take_turn(&scene, &other).await;
            }
        });
        let taken = other.writes().into_iter().find(|(_, key)| key == "lock.json").map(|(at, _)| at);
        let held = sleepy.writes().into_iter().find(|(_, key)| key == "lock.json").map(|(at, _)| at);
        if let (Some(taken), Some(held)) = (taken, held)
            && held < taken
        {
            let started: Vec<_> = sleepy.changes().into_iter().filter(|change| change.at > taken).collect();
            assert!(started.is_empty(), "lock taken at {taken}: {started:#?}");
            // The sleeper may still write the log of its own calls.
            let is_late = |(at, key): &(_, String)| *at > taken && key != "runs/first/calls.jsonl";
            let written: Vec<_> = sleepy.writes().into_iter().filter(is_late).collect();
            assert!(written.is_empty(), "lock taken at {taken}: {written:#?}");
            assert!(!matches!(end, End::Failed(_)), "{end:?}");
        }
        expect_intended(&sleepy);
        scene.expect_same(&sim).await;
    });
}

#[test]
fn a_stale_holder_that_wakes_up_starts_no_call_and_writes_nothing() {
    holds(naps(), |case| check(case, None));
}

#[test]
fn a_lease_that_nobody_heeds_is_found_by_the_property_of_stale_holders() {
    finds(naps(), |case| check(case, Some(Flaw::NoLease)));
}

#[test]
fn a_bundle_that_is_published_after_the_lock_is_lost_is_found_by_the_property_of_stale_holders() {
    finds(naps(), |case| check(case, Some(Flaw::PublishesLate)));
}
