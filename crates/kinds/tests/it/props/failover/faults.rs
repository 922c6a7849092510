//! A failover ends like any other if one call fails in any way, or if a third of its calls are
//! throttled.

use drstack_sim::{Failure, Fault};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Disaster, FIRST};
use crate::props::scene::{Case, cases, expect_done};
use crate::props::throttled::was_given_up;
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

fn check_share(case: &Case) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let mut sim = disaster.begin_with(|config| config.throttle = 0.3);
        let mut end = disaster.failover(&sim, "next").await;
        if was_given_up(&sim) {
            sim = disaster.later(&sim);
            end = disaster.failover(&sim, "again").await;
        }
        expect_done(end);
        disaster.expect_same(&sim).await;
    });
}

fn check_rate(case: &Case, rate: u32) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let sim = disaster.begin_with(|config| config.rate = Some(rate));
        expect_done(disaster.failover(&sim, "next").await);
        disaster.expect_same(&sim).await;
    });
}

#[test]
fn a_failover_in_which_a_call_goes_wrong_is_finished_by_the_next() {
    holds((cases(), select(&FAILURES[..]), any::<Index>()), |(case, error, at)| check(&case, error, at));
}

#[test]
fn a_failover_with_a_third_of_its_calls_throttled_completes() {
    holds(cases(), |case| check_share(&case));
}

#[test]
fn a_failover_at_a_limited_rate_completes() {
    holds((cases(), 3..30_u32), |(case, rate)| check_rate(&case, rate));
}
