//! Resources of other owners stay the same to the byte through faults, deaths, changes of the stack
//! and a destroy.

use std::collections::BTreeSet;

use drstack_core::plan::Intent;
use drstack_sim::{Failure, Fault};
use proptest::prelude::*;

use super::desk::OperatorCloud;
use super::planted::Flaw;
use super::scene::{Case, Scene, cases};
use super::{finds, holds, run};

/// Share of calls that fail, and the call at which the apply is killed.
fn trouble() -> impl Strategy<Value = (f64, u64)> {
    (0.0..0.2, 20..300_u64)
}

/// Asserts that the program does not even try to change other owners' resources: the simulated
/// cloud would refuse, a real one may not.
fn expect_untouched(desk: &OperatorCloud) {
    let of_others = desk.changes().into_iter().filter(|change| change.what.contains("theirs-"));
    let of_others: Vec<String> = of_others.map(|change| change.what).collect();
    assert_eq!(of_others, [""; 0]);
}

fn check(case: &Case, (share, kill): (f64, u64), flaw: Option<Flaw>) {
    run(async {
        let mut scene = Scene::of(case, None).await;
        scene.plant(flaw);
        let failures = [Failure::Internal, Failure::TimeoutAfterEffect, Failure::Partial, Failure::Throttled];
        let faults = failures.map(|error| Fault {
            kind: None,
            operation: None,
            region: None,
            subject: None,
            error,
            share: Some(share / 4.0),
            at: None,
        });
        let begin = scene.begin();
        let theirs = scene.foreign(&begin);
        assert!(theirs.len() > 20 && theirs.keys().any(|key| key.contains("replication-rule/acme-a/theirs")));
        let sim = scene.begin_with(|config| {
            config.faults = faults.into();
            config.kill_at = Some(kill);
        });
        let desk = scene.desk(&sim, None);
        tokio::select! {
            biased;
            () = sim.stopped() => {}
            _ = async { scene.program(&desk, "first").apply().await } => {}
        }
        expect_untouched(&desk);
        assert_eq!(scene.foreign(&sim), theirs);
        let sim = scene.later(&sim);
        let kept = scene.plan(&sim, Intent::Destroy).await.report.kept;
        scene.delete_data = kept.into_iter().map(|it| it.address).collect::<BTreeSet<_>>();
        let desk = scene.desk(&sim, None);
        let _ = scene.program(&desk, "destroy").destroy().await;
        expect_untouched(&desk);
        assert_eq!(scene.foreign(&sim), theirs);
    });
}

#[test]
fn what_belongs_to_others_is_the_same_bytes_whatever_happens() {
    holds((cases(), trouble()), |(case, trouble)| check(&case, trouble, None));
}

#[test]
fn two_tags_that_are_taken_for_proof_are_found_by_the_property_of_others() {
    finds((cases(), trouble()), |(case, trouble)| check(&case, trouble, Some(Flaw::TrustsTags)));
}

#[test]
fn a_deletion_of_what_belongs_to_others_is_found_by_the_property_of_others() {
    finds((cases(), trouble()), |(case, trouble)| check(&case, trouble, Some(Flaw::TakesOthers)));
}
