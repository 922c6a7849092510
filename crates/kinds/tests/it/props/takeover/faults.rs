//! Calls go wrong, one of them in whichever way or a third of them by throttling: the takeover ends as any other.

use drstack_sim::{Failure, Fault, SimConfig};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Disaster, FIRST};
use crate::props::program::End;
use crate::props::scene::{Case, cases, expect_done};
use crate::props::{holds, run};

const FAILURES: [Failure; 7] = [
    Failure::Internal,
    Failure::TimeoutAfterEffect,
    Failure::Throttled,
    Failure::Partial,
    Failure::Denied,
    Failure::NoCapacity,
    Failure::Quota,
];

fn check(case: &Case, error: Failure, at: Index) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let at = Some(at.index(usize::try_from(disaster.calls).unwrap()) as u64 + 1);
        let (kind, operation, region, subject, share) = (None, None, None, None, None);
        let fault = Fault { kind, operation, region, subject, error, share, at };
        let sim = disaster.begin_with(|config| config.faults.push(fault));
        let _ = disaster.failover(&sim, FIRST).await;
        let sim = disaster.later(&sim);
        expect_done(disaster.failover(&sim, "again").await);
        disaster.expect_same(&sim).await;
    });
}

fn check_throttled(case: &Case, change: impl Fn(&mut SimConfig)) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let sim = disaster.begin_with(change);
        let end = disaster.failover(&sim, "next").await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        disaster.expect_same(&sim).await;
    });
}

#[test]
fn a_takeover_in_which_a_call_goes_wrong_is_finished_by_the_next() {
    holds(100, (cases(), select(&FAILURES[..]), any::<Index>()), |(case, error, at)| check(&case, error, at));
}

#[test]
fn a_takeover_with_a_third_of_its_calls_throttled_completes() {
    holds(40, cases(), |case| check_throttled(&case, |config| config.throttle = 0.3));
}

#[test]
fn a_takeover_at_a_limited_rate_completes() {
    holds(40, (cases(), 3..30_u32), |(case, rate)| check_throttled(&case, |config| config.rate = Some(rate)));
}
