//! An apply that still runs on the old side starts no call and writes nothing after a failover has
//! taken the lock.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::time::sleep;

use crate::props::desk::Nap;
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, Scene, cases, expect_intended};
use crate::props::{finds, holds, run};

/// When the machine falls asleep, and for how many seconds: it wakes in the middle of the failover,
/// or long after it.
fn naps() -> impl Strategy<Value = (Case, Index, u64)> {
    (cases(), any::<Index>(), prop_oneof![80..120_u64, 120..4000_u64])
}

fn check((case, answer, seconds): (Case, Index, u64), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, flaw).await;
        let sim = scene.begin();
        let answer = answer.index(usize::try_from(scene.calls).unwrap()) as u64 + 1;
        let sleepy =
            scene.desk(&sim, Some(Nap { answer, span: Duration::from_secs(seconds) })).beside_others();
        let desk = scene.desk(&sim, None).beside_others();
        let sleeper = scene.program(&sleepy, "old");
        let (_, (begun, taken)) = tokio::join!(sleeper.apply(), async {
            // The apply may be done before its machine falls asleep.
            let asleep = tokio::time::timeout(Duration::from_secs(10 * 3600), sleepy.falls_asleep()).await;
            if asleep.is_err() || !is_published(&sim) {
                return (false, End::Done(0));
            }
            // Calls that were sent before are answered, although the sleeper does not read the
            // answers.
            sleep(Duration::from_secs(60)).await;
            (true, scene.program_with(&desk, "taking", None).failover(&[]).await)
        });
        expect_intended(&sleepy);
        if !begun {
            return;
        }
        let lock = desk.writes().into_iter().find(|(_, key)| key == "lock.json").map(|(at, _)| at);
        let Some(taken_at) = lock else { panic!("nobody took the lock: {taken:?}") };
        let held = sleepy.writes().into_iter().any(|(at, key)| key == "lock.json" && at < taken_at);
        let started: Vec<_> = sleepy.changes().into_iter().filter(|change| change.at > taken_at).collect();
        // An apply that had not begun yet asks for the lock, and learns that the mode has changed.
        // It may still write the log of its own calls.
        let is_own = |key: &str| key == "runs/old/calls.jsonl" || !held && key == "lock.json";
        let is_late = |(at, key): &(_, String)| *at > taken_at && !is_own(key);
        let written: Vec<_> = sleepy.writes().into_iter().filter(is_late).collect();
        assert!(started.is_empty(), "lock taken at {taken_at}, held {held}: {started:#?}");
        assert!(written.is_empty(), "lock taken at {taken_at}, held {held}: {written:#?}");
        // The apply may have taken away, or not made yet, what would move the traffic, and a copy of data.
        let lacks = ["nothing reads it that leads users", "a failover would have to create it"];
        let is_lacking = matches!(&taken, End::Failed(why) if lacks.iter().any(|it| why.contains(it)));
        assert!(matches!(taken, End::Done(_)) || is_lacking, "{taken:?}");
    });
}

fn is_published(sim: &drstack_sim::Sim) -> bool {
    sim.see(|world| world.buckets.values().any(|it| it.objects.contains_key("bundle.json")))
}

#[test]
fn an_apply_left_running_on_the_old_side_starts_and_writes_nothing_after_a_failover() {
    holds(naps(), |case| check(case, None));
}

#[test]
fn a_lease_that_nobody_heeds_is_found_by_the_property_of_the_old_side() {
    finds(naps(), |case| check(case, Some(Flaw::NoLease)));
}
