//! Handing back restores the world as it was before the takeover, but for the tables that it restored, which hold data; and on the way
//! no group serves with less than it had in standby.

use super::Disaster;
use crate::props::desk::Desk;
use crate::props::planted::Flaw;
use crate::props::program::End;
use crate::props::scene::{Case, cases, shape};
use crate::props::{finds, holds, run};

/// What may be another: numbers that only rise.
fn without_epochs(shape: Vec<String>) -> Vec<String> {
    shape.into_iter().filter(|it| !it.contains("/parameter/") || !it.contains("/epoch ")).collect()
}

fn check(case: &Case, flaw: Option<Flaw>) {
    run(async {
        let disaster = Disaster::of(case, None).await;
        let sim = disaster.begin();
        let end = disaster.failover(&sim, "next").await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        // The primary answers again.
        let sim = disaster.scene.later(&sim);
        let service = disaster.service();
        let desk = Desk::at(&sim, flaw, None).watching(&service);
        let end = disaster.scene.program_with(&desk, "back", flaw).failback().await;
        assert!(matches!(end, End::Done(_)), "{end:?}");
        service.expect_no_dip();
        let kept = disaster.mode(&sim).await;
        assert_eq!((kept.standing().epoch, kept.is_complete()), (2, true));
        let sim = disaster.scene.later(&sim);
        let before = without_epochs(shape(&disaster.scene.stands.world()));
        let mut after = without_epochs(shape(&sim.world()));
        after.retain(|it| !it.contains("/table-import/") || !it.contains(" Stack "));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|it| !those.contains(it)).cloned().collect()
        };
        let (more, less) = (only(&after, &before), only(&before, &after));
        assert!(before == after, "there is {more:#?}\nthere was {less:#?}");
        // An apply has nothing to do, and a second takeover comes to the same end as the first one.
        disaster.scene.applied(&sim, "apply").await;
    });
}

#[test]
fn a_failback_restores_the_world_as_it_was() {
    holds(cases(), |case| check(&case, None));
}

#[test]
fn a_group_that_lets_go_before_it_launches_is_found_by_the_property_of_handing_back() {
    finds(cases(), |case| check(&case, Some(Flaw::LaunchesLast)));
}
