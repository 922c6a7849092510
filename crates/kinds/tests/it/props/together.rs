//! Of two applies at the same time, one does the work and the other one reports that the stack is
//! locked.

use std::time::Duration;

use drstack_core::plan::Intent;
use proptest::prelude::*;
use tokio::time::sleep;

use super::planted::Flaw;
use super::program::End;
use super::scene::{Case, Scene, cases, expect_intended};
use super::{finds, holds, run};

/// Milliseconds by which the second apply starts later: from at once to well after the first has
/// ended.
fn late() -> impl Strategy<Value = u64> {
    prop_oneof![0..500_u64, 0..20_000_u64, 0..400_000_u64]
}

fn check(case: &Case, late: u64, flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case.without_lag(), flaw).await;
        let sim = scene.begin();
        let desks = [scene.desk(&sim, None), scene.desk(&sim, None)];
        let [first, second] =
            [("first", &desks[0]), ("second", &desks[1])].map(|(run, desk)| scene.program(desk, run));
        let (first, (something_to_do, second)) = tokio::join!(first.apply(), async {
            sleep(Duration::from_millis(late)).await;
            let something_to_do = match second.plan(Intent::Converge).await {
                Ok(planned) => !planned.plan.is_empty(),
                Err(end) => panic!("{end:?}"),
            };
            (something_to_do, second.apply().await)
        });
        let changed = desks.iter().filter(|desk| !desk.changes().is_empty()).count();
        let steps = [&first, &second].map(|end| match end {
            End::Done(steps) => Some(*steps),
            End::Locked(_) => None,
            End::Failed(why) => panic!("{why}"),
        });
        match steps {
            // One apply was done before the other one observed.
            [Some(0), Some(all)] | [Some(all), Some(0)] => assert_eq!(all, scene.steps),
            [Some(all), None] | [None, Some(all)] => {
                assert!(all == scene.steps && (all > 0 || !something_to_do), "{all} of {}", scene.steps);
            }
            _ => panic!("{first:?} and {second:?}"),
        }
        assert_eq!(changed, usize::from(scene.steps > 0), "both have changed something");
        desks.iter().for_each(expect_intended);
        scene.expect_same(&sim).await;
    });
}

#[test]
fn of_two_applies_at_once_one_succeeds_and_one_is_locked_out() {
    holds((cases(), late()), |(case, late)| check(&case, late, None));
}

#[test]
fn a_journal_that_is_written_late_is_found_by_the_property_of_two_applies() {
    finds((cases(), late()), |(case, late)| check(&case, late, Some(Flaw::LateJournal)));
}
