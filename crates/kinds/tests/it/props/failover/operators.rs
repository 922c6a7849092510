//! Of two operators that fail over at the same time, one does the work, the other one reports that,
//! and no resource exists twice.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;

use super::{Disaster, expect_alone};
use crate::props::program::End;
use crate::props::scene::{Case, cases, expect_done, expect_intended};
use crate::props::{holds, run};

/// Milliseconds by which the second failover starts later: from at once to well after the first has
/// ended.
fn late() -> impl Strategy<Value = u64> {
    prop_oneof![0..500_u64, 0..20_000_u64, 0..400_000_u64]
}

fn check(case: &Case, late: u64) {
    run(async {
        let disaster = Disaster::of(&case.without_lag(), None).await;
        let sim = disaster.begin();
        let service = disaster.service();
        let desks = [(); 2].map(|()| disaster.desk(&sim).watching(&service));
        let [first, second] = [("one", &desks[0]), ("other", &desks[1])]
            .map(|(run, desk)| disaster.scene.program_with(desk, run, None));
        let (first, second) = tokio::join!(first.failover(&[]), async {
            sleep(Duration::from_millis(late)).await;
            second.failover(&[]).await
        });
        service.expect_no_dip();
        expect_alone(&sim);
        desks.iter().for_each(expect_intended);
        let failed = [&first, &second].iter().any(|end| matches!(end, End::Failed(_)));
        assert!(!failed, "{first:?} and {second:?}");
        let sim = match [&first, &second].iter().any(|end| matches!(end, End::Done(_))) {
            true => sim,
            // Both were refused: the next failover does the work.
            false => {
                let sim = disaster.later(&sim);
                expect_done(disaster.failover(&sim, "third").await);
                sim
            }
        };
        disaster.expect_same(&sim).await;
    });
}

#[test]
fn of_two_operators_one_fails_over_and_nothing_is_there_twice() {
    holds((cases(), late()), |(case, late)| check(&case, late));
}
