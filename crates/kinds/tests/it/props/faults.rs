//! After any one call has failed, the next apply finds all that the first one left.

use drstack_sim::{Failure, Fault};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::planted::Flaw;
use super::scene::{Case, Scene, cases};
use super::{finds, holds, run};

const FAILURES: [Failure; 7] = [
    Failure::Internal,
    Failure::TimeoutAfterEffect,
    Failure::Throttled,
    Failure::Partial,
    Failure::Denied,
    Failure::NoCapacity,
    Failure::Quota,
];

fn faults() -> impl Strategy<Value = (Case, Failure, Index)> {
    (cases(), select(&FAILURES[..]), any::<Index>())
}

fn check((case, error, at): (Case, Failure, Index), flaw: Option<Flaw>) {
    run(async {
        let scene = Scene::of(&case, flaw).await;
        let at = Some(at.index(usize::try_from(scene.calls).unwrap()) as u64 + 1);
        let (kind, operation, region, subject, share) = (None, None, None, None, None);
        let fault = Fault { kind, operation, region, subject, error, share, at };
        let sim = scene.begin_with(|config| config.faults.push(fault));
        let _ = scene.apply(&sim, "first").await;
        let sim = scene.later(&sim);
        scene.applied(&sim, "next").await;
        scene.expect_same(&sim).await;
    });
}

#[test]
fn a_call_that_goes_wrong_leaves_nothing_that_the_next_apply_does_not_find() {
    holds(faults(), |case| check(case, None));
}

#[test]
fn orphans_that_are_not_looked_for_are_found_by_the_property_of_faults() {
    finds(faults(), |case| check(case, Some(Flaw::NoOrphans)));
}
