//! With several pools of any size, a failover never requests more instances than the account may
//! launch in that time.

use super::Disaster;
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, cases};
use crate::props::service::Service;
use crate::props::{finds, holds, run};

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(&case.with_large_pools(), flaw).await;
        let sim = disaster.begin();
        let service = Service::of(&sim);
        let desk = disaster.desk(&sim).watching(&service);
        let program = disaster.scene.program_with(&desk, "next", flaw);
        let end = tokio::select! {
            end = program.failover(&[]) => end,
            never = service.look_each_second(&sim) => match never {},
        };
        assert!(matches!(end, End::Done(_)), "{end:?}");
        disaster.expect_fair(&sim, &desk, &service);
        service.expect_within_budget();
        disaster.expect_same(&sim).await;
    });
}

#[test]
fn a_failover_launches_no_faster_than_the_account_may() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_group_that_is_raised_in_one_go_is_found_by_the_property_of_pace() {
    finds(cases(), |case| check(&case, Some(Flaw::AllAtOnce)));
}
